//! Slips in `limits.csv`.

use crate::world::{Row, check};

const FAULTS: &[Row] = &[
    (
        "b/level,",
        "c/level,",
        "limits.csv:3: sensor \"c/level\" is not in sensors.csv, expected a sensor as station/quantity, did you mean \"a/level\"?\nrules/river.toml:1: sensor \"b/level\" has no row in limits.csv, expected one row at least for every sensor that the rule selects, did you mean \"a/level\"?",
    ),
    (
        "b/level,,,4,5,6,7,m,local,\n",
        "",
        "rules/river.toml:1: sensor \"b/level\" has no row in limits.csv, expected one row at least for every sensor that the rule selects, did you mean \"a/level\"?",
    ),
    (
        "4,5,6,7",
        "4,5,5,7",
        "limits.csv:2: limit orange (5) does not lie beyond yellow (5), expected limits that rise from blue to red",
    ),
    (
        "a/level,,,4,5,6,7",
        "a/level,,,-0.4,5,6,7",
        "limits.csv:2: limit blue (-0.4) of \"a/level\" is reached by all that it can measure, expected a limit between its min and max, as sensors.csv has them",
    ),
    ("4,5,6,7", ",,,", "limits.csv:2: has no limit, expected one of blue, yellow, orange, red at least"),
    (
        "b/level,,,4,5,6,7,m",
        "b/level,,,4,5,6,7,°C",
        "limits.csv:3: unit °C does not convert to what any rule measures of \"b/level\", expected the sensor's unit, or that per hour for rates",
    ),
    (
        "b/level,,,4,5,6,7,m,local,",
        "b/level,,,4,5,6,7,m,local,river-rise",
        "limits.csv:3: rule \"river-rise\" is not there, expected the file of a rule, without .toml\nrules/river.toml:1: sensor \"b/level\" has no row in limits.csv, expected one row at least for every sensor that the rule selects",
    ),
    (
        "b/level,,,4,5,6,7,m,local,",
        "b/level,,,4,5,6,7,°C,local,river",
        "limits.csv:3: unit °C does not convert to m, the unit of rule \"river\", expected a unit of the same kind",
    ),
    (
        "7,m,local",
        "7,m,1985-national",
        "limits.csv:2: limits of \"a/level\" are from datum \"1985-national\", expected the sensor's own datum, \"local\"",
    ),
    ("7,m,local", "7,m,", "limits.csv:2: limits of \"a/level\" have no datum, expected datum \"local\""),
    (
        "a/level,,",
        "a/level,05-01..09-31,",
        "limits.csv:2: season is \"05-01..09-31\", expected a season such as 05-01..09-30",
    ),
    (
        "a/level,,,4",
        "a/level,,,4 m",
        "limits.csv:2: blue is \"4 m\", expected a number with a decimal point, such as 4.2",
    ),
    (
        "b/level,,,4",
        "a/level,,,1,2,3,4,m,local,\nb/level,,,4",
        "limits.csv:3: limits of \"a/level\" overlap those of line 2, expected another season or another valid_from",
    ),
    (
        "a/level,",
        "a/level,05-01..09-30",
        "rules/river.toml:1: warning: sensor \"a/level\" has no limits for rule \"river\" on 01-01, add a row to limits.csv for the rest of the year",
    ),
    (
        "b/level,,,4,5,6,7,m",
        "b/level,,,400,500,,710,cm",
        "limits.csv:3: warning: limits of \"b/level\" are in cm, and what they are held against is in m: blue 400.0 cm counts as 4.00 m, yellow 500.0 cm counts as 5.00 m, red 710.0 cm counts as 7.10 m, if that is meant, write them in m",
    ),
    (
        "b/level,,,4",
        "b/rain,,,1,2,3,4,mm/h,,\nb/level,,,4",
        "limits.csv:3: warning: no rule uses these limits of \"b/rain\", a rule takes them with limits = \"limits.csv\"",
    ),
];

#[test]
fn each_slip_in_the_limits_is_told_with_its_line() {
    check("limits.csv", FAULTS);
}
