//! Slips in `rules/*.toml`, and what can never fire.

use forewarn::config::names::FreshIndices;

use crate::world::{RULE, Row, SENSORS, check, loads, sound, write};

const FAULTS: &[Row] = &[
    (
        "[rule]",
        "[rules]",
        "rules/river.toml:1: unknown key \"rules\", expected [rule] for the one rule of a file, or [rules.NAME.rule] for each of several, did you mean \"rule\"?",
    ),
    (
        "kind = \"threshold\"",
        "kind = \"treshold\"",
        "rules/river.toml:2: rule.kind is \"treshold\", expected one of threshold, rate, slope, did you mean \"threshold\"?",
    ),
    (
        "hazard = \"flood\"\n",
        "",
        "rules/river.toml:1: rule has no hazard, expected a name of letters, digits, - _ . : (64 characters at most)",
    ),
    (
        "quantity = ",
        "quantiy = ",
        "rules/river.toml:4: unknown key \"quantiy\" in rule, expected a key of a rule or of its kind, did you mean \"quantity\"?",
    ),
    (
        "quantity = \"level\"",
        "quantity = \"level\"\nbogus = 1",
        "rules/river.toml:5: rule (kind \"threshold\"): unknown field \"bogus\", expected no key of its own",
    ),
    (
        "quantity = \"level\"",
        "quantity = \"levle\"",
        "rules/river.toml:4: no sensor measures \"levle\", expected a quantity of sensors.csv, did you mean \"level\"?",
    ),
    (
        "quantity = \"level\"\n",
        "",
        "rules/river.toml:1: rule selects by nothing, expected quantity or sensors",
    ),
    (
        "quantity = \"level\"",
        "sensors = [\"a/level\", \"x/level\"]",
        "rules/river.toml:4: sensor \"x/level\" is not in sensors.csv, expected a sensor as station/quantity, did you mean \"a/level\"?",
    ),
    (
        "quantity = \"level\"",
        "quantity = \"level\"\nsensors = [\"a/level\", \"b/rain\"]",
        "rules/river.toml:4: sensor \"b/rain\" does not measure \"level\", expected sensors of that quantity, or no quantity",
    ),
    (
        "quantity = \"level\"",
        "sensors = [\"a/level\", \"b/rain\"]",
        "rules/river.toml:1: rule \"river\" selects \"a/level\" in m and \"b/rain\" in mm/h, expected sensors of one unit, give them one unit in sensors.csv, and device_unit where devices differ",
    ),
    (
        "quantity = \"level\"",
        "quantity = \"level\"\nstations = [\"c\"]",
        "rules/river.toml:5: station \"c\" is not in sensors.csv, expected a station, did you mean \"a\"?",
    ),
    (
        "quantity = \"level\"",
        "quantity = \"level\"\nareas = [\"twn\"]",
        "rules/river.toml:5: area \"twn\" is not in areas.geojson, expected the id of an area, did you mean \"town\"?",
    ),
    (
        "\"limits.csv\"",
        "\"limit.csv\"",
        "rules/river.toml:5: rule.limits is \"limit.csv\", expected \"limits.csv\" or a table such as { yellow = \"4.2 m\", red = \"5.0 m\" }",
    ),
    (
        "\"limits.csv\"",
        "{ yellow = \"4 m\", red = \"3 m\", datum = \"local\" }",
        "rules/river.toml:1: limit red (3) does not lie beyond yellow (4), expected limits that rise from blue to red",
    ),
    (
        "\"limits.csv\"",
        "{ yellow = \"4 m\" }",
        "rules/river.toml:1: limits of \"a/level\" have no datum, expected datum \"local\"\nrules/river.toml:1: limits of \"b/level\" have no datum, expected datum \"local\"",
    ),
    (
        "\"limits.csv\"",
        "{ yellow = \"4 mm/h\", datum = \"local\" }",
        "rules/river.toml:5: limit yellow in mm/h does not convert to m, expected a unit like that of \"a/level\"\nrules/river.toml:5: limit yellow in mm/h does not convert to m, expected a unit like that of \"b/level\"",
    ),
    (
        "\"limits.csv\"",
        "{ datum = \"local\" }",
        "rules/river.toml:1: limits name no level, expected one of blue, yellow, orange, red at least",
    ),
    (
        "quantity = \"level\"\nlimits = \"limits.csv\"",
        "quantity = \"rain\"\nlimits = { red = \"9 mm/h\", yellow = \"nine\" }",
        "rules/river.toml:5: rule.limits.yellow is \"nine\", expected a number with its unit, such as \"4.2 m\"",
    ),
    (
        "quantity = \"level\"",
        "quantity = \"level\"\nside = \"below\"",
        "limits.csv:2: limit orange (6) does not lie beyond yellow (5), expected limits that fall from blue to red\nlimits.csv:2: limit red (7) does not lie beyond orange (6), expected limits that fall from blue to red\nlimits.csv:2: limit yellow (5) does not lie beyond blue (4), expected limits that fall from blue to red\nlimits.csv:3: limit orange (6) does not lie beyond yellow (5), expected limits that fall from blue to red\nlimits.csv:3: limit red (7) does not lie beyond orange (6), expected limits that fall from blue to red\nlimits.csv:3: limit yellow (5) does not lie beyond blue (4), expected limits that fall from blue to red\nrules/river.toml:10: clear.below stands in a rule of the other side, expected clear.above",
    ),
    (
        "\"2 of 3\"",
        "\"3 of 2\"",
        "rules/river.toml:7: raise.default is \"3 of 2\", expected \"2 of 3\", \"for 10 min\" or \"2 of 3 for 30 min\"",
    ),
    (
        "\"2 of 3\"",
        "\"2 of 40\"",
        "rules/river.toml:7: a vote of \"2 of 40\" looks back too far, expected 32 readings at most",
    ),
    (
        "default = \"2 of 3\"",
        "purple = \"2 of 3\"",
        "rules/river.toml:7: unknown key \"purple\" in raise, expected one of default, blue, yellow, orange, red",
    ),
    ("\"0.10 m\"", "\"-0.10 m\"", "rules/river.toml:9: clear.below is negative, expected 0 or more"),
    (
        "\"0.10 m\"",
        "\"0.10 h\"",
        "rules/river.toml:9: clear.below is \"0.10 h\", expected a number with its unit, such as \"4.2 m\"",
    ),
    (
        "\"0.10 m\"",
        "\"0.10 m/h\"",
        "rules/river.toml:9: clear.below in m/h does not convert to m, expected a unit like that of the limits",
    ),
    (
        "[clear]",
        "[outage]\nafter = \"3 hours\"\ntell = \"everybody\"\n[clear]",
        "rules/river.toml:9: outage.after is \"3 hours\", expected a count such as \"3 intervals\"\nrules/river.toml:10: outage.tell is \"everybody\", expected \"same targets\" or \"operator\"",
    ),
    (
        "[rule]",
        "corroboration = 0\n[rule]",
        "rules/river.toml:1: corroboration is 0, expected \"2 of different domains\" or a number from 1 to 100",
    ),
    (
        "kind = \"threshold\"",
        "kind = \"rate\"",
        "rules/river.toml:1: rule (kind \"rate\"): missing field \"window\", expected its keys as in rule = { kind = \"rate\", hazard = \"flood\", quantity = \"level\", window = \"1 h\", limits = { orange = \"0.5 m/h\" } }",
    ),
    (
        "\"2 of 3\"",
        "\"for 1 min\"",
        "rules/river.toml:1: warning: rule \"river\" raises \"for 1 min\", less than the interval of \"b/level\", 5 min, ask for two intervals at least, or for a vote such as \"2 of 3\"",
    ),
    (
        "[rule]",
        "corroboration = \"3 of different domains\"\n[rule]",
        "rules/river.toml:2: warning: rule \"river\" wants findings of 3 different domains, and area \"town\" has 2, it can never fire there: add stations, or ask for fewer",
    ),
    (
        "\"limits.csv\"",
        "{ yellow = \"4 m\", red = \"21 m\", datum = \"local\" }",
        "limits.csv:2: warning: no rule uses these limits of \"a/level\", a rule takes them with limits = \"limits.csv\"\nlimits.csv:3: warning: no rule uses these limits of \"b/level\", a rule takes them with limits = \"limits.csv\"\nrules/river.toml:1: warning: limit red of \"a/level\", 21 m, lies beyond what the sensor can measure, it can never be reached: check the limit, and min and max",
    ),
];

#[test]
fn abuse_41_rule_over_no_sensor() {
    check(
        "rules/river.toml",
        &[(
            "quantity = \"level\"",
            "quantity = \"snow\"",
            "limits.csv:2: warning: no rule uses these limits of \"a/level\", a rule takes them with limits = \"limits.csv\"\nlimits.csv:3: warning: no rule uses these limits of \"b/level\", a rule takes them with limits = \"limits.csv\"\nrules/river.toml:1: warning: rule \"river\" selects no sensor, so it can never fire, check quantity, stations and areas",
        )],
    );
}

#[test]
fn each_slip_in_a_rule_is_told_with_its_line() {
    check("rules/river.toml", FAULTS);
}

/// The rule file as a slope over a day.
const SLOPE: &str = r#"
rule = { kind = "slope", hazard = "flood", quantity = "level", window = "24 h", limits = { red = "0.5 m/h" } }
"#;

#[test]
fn a_window_of_more_readings_than_are_looked_at_is_remarked() {
    let check = |window: &str, remarked: bool| {
        let dir = sound();
        write(dir.path(), "rules/river.toml", SLOPE.replace("24 h", window).as_bytes());
        let loaded =
            loads(dir.path(), &mut FreshIndices::default()).unwrap_or_else(|faults| panic!("{faults}"));
        let said = loaded.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        let words =
            "looks back 1 d and at 64 readings at most: at the interval of \"a/level\", 5 min, that is";
        assert_eq!(said.contains(words), remarked, "{window}: {said}");
    };
    check("24 h", true);
    check("10 h", false);
}

#[test]
fn several_rules_in_one_file_have_names_of_their_own() {
    let dir = sound();
    let body = RULE.replace("[rule]", "[rules.high.rule]").replace("[raise]", "[rules.high.raise]");
    let text = body.replace("[clear]", "[rules.high.clear]");
    write(dir.path(), "rules/river.toml", text.as_bytes());
    let loaded = loads(dir.path(), &mut FreshIndices::default()).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(loaded.setup.plan.rules[0].as_ref().expect("is there").id, "river/high");
}

/// There is no expression to blow up: stations are named, never matched. What
/// is refused is quoted in part, however long it is; what is too long to have
/// been written by a person is not read at all.
#[test]
fn abuse_40_pattern_that_never_ends() {
    let long = format!("[{}]", "a-".repeat(25 << 20));
    let whole = "(a+)+$".repeat(170_000);
    for (pattern, said) in
        [("(a+)+$", "(a+)+$"), (&whole, "(a+)+$"), (&long, "has 50 MiB, expected at most 8 MiB")]
    {
        let dir = sound();
        let stations = format!("[rule]\nstations = ['{pattern}']\n");
        write(dir.path(), "rules/river.toml", RULE.replace("[rule]\n", &stations).as_bytes());
        let faults =
            loads(dir.path(), &mut FreshIndices::default()).expect_err("no name of a station").to_string();
        assert!(faults.contains(said) && faults.len() < 1_000, "{}", &faults[..faults.len().min(2_000)]);
    }
    // As little in the sensors.
    let dir = sound();
    let sensors = SENSORS.replace("\nb,level", &format!("\n{},level", "(a+)+$".repeat(170_000)));
    write(dir.path(), "sensors.csv", sensors.as_bytes());
    let faults = loads(dir.path(), &mut FreshIndices::default()).expect_err("no name").to_string();
    assert!(faults.contains("sensors.csv:3") && faults.len() < 3_000, "{}", faults.len());
}
