//! Slips in `sensors.csv`.

use crate::world::{Row, check};

const FAULTS: &[Row] = &[
    (
        "118.8,town,m,",
        "118.8,town,metrs,",
        "sensors.csv:3: unit is \"metrs\", expected a unit such as m, cm, mm/h, m3/s, °C",
    ),
    (
        "b,level",
        "\"b,level",
        "sensors.csv:3: has a value of several lines, expected one line a value, is a quotation mark left open?",
    ),
    ("a,level,甲", "a,level,", ""),
    (
        "quantity,",
        "quantty,",
        "sensors.csv:1: column quantity is missing, expected what is measured: level, rain ...\nsensors.csv:1: unknown column \"quantty\", expected one of station, quantity, name_zh, name_en, lat, lon, area, unit, datum, interval, lateness, max_age, min, max, suspect_min, suspect_max, flat_suspect, flat_fail, flat_within, flat_normal, gateway, power, outage_intervals, device_unit, zero, scale, offset, valid_from, did you mean \"quantity\"?",
    ),
    ("a,level,甲,A,", "a,level,,,", "sensors.csv:2: station \"a\" has no name, expected name_zh or name_en"),
    (
        "a,level,甲,A,28.9,118.7,",
        "a,level,甲,A,118.7,28.9,",
        "sensors.csv:2: position 118.7 north, 28.9 east is not on the globe, expected lat -90 to 90, lon -180 to 180, are latitude and longitude swapped?",
    ),
    (
        "28.9,118.7,town",
        "28.9,118.7,twon",
        "sensors.csv:2: area \"twon\" is not in areas.geojson, expected the id of an area, did you mean \"town\"?",
    ),
    (
        "28.9,118.7,town,m,local",
        "28.9,118.7,town,m,",
        "limits.csv:2: limits of \"a/level\" are from datum \"local\", expected no datum, as the sensor has none\nsensors.csv:2: sensor \"a/level\" has no datum, expected what the level is measured from, such as 1985-national or gauge-zero",
    ),
    (
        "28.9,118.7,town,m,",
        "28.9,118.7,town,metre per,",
        "sensors.csv:2: unit is \"metre per\", expected a unit such as m, cm, mm/h, m3/s, °C",
    ),
    (
        "5 min,10 min",
        "5 weeks,10 min",
        "sensors.csv:2: interval is \"5 weeks\", expected a length of time such as \"15 min\" (ms, s, min, h, d)",
    ),
    ("5 min,10 min", "0 s,10 min", "sensors.csv:2: interval is nothing, expected more than 0 s"),
    (
        "lateness,min,max,suspect_min,suspect_max,gateway,device_unit,zero,scale,valid_from\na,level,甲,A,28.9,118.7,town,m,local,5 min,10 min",
        "max_age,min,max,suspect_min,suspect_max,gateway,device_unit,zero,scale,valid_from\na,level,甲,A,28.9,118.7,town,m,local,5 min,0 s",
        "sensors.csv:2: max_age is nothing, expected more than 0 s",
    ),
    (
        "5 min,10 min,0,20",
        "5 min,10 min,20,0",
        "sensors.csv:2: credible range 1..19 goes beyond the measurable 20..0, expected suspect_min and suspect_max within min and max\nsensors.csv:2: range min..max is 20..0, expected low..high",
    ),
    (
        "0,20,1,19",
        "0,20,1,21",
        "sensors.csv:2: credible range 1..21 goes beyond the measurable 0..20, expected suspect_min and suspect_max within min and max",
    ),
    (
        "0,20,1,19",
        "0,\"20,5\",1,19",
        "sensors.csv:2: max is \"20,5\", expected a number with a decimal point, such as 4.2",
    ),
    (
        "0,20,1,19",
        "NaN,20,1,19",
        "sensors.csv:2: min is \"NaN\", expected a number with a decimal point, such as 4.2",
    ),
    (
        "gw-1,,,,",
        "gw-1,°C,,,",
        "sensors.csv:2: device_unit °C does not convert to the unit m, expected units of the same kind",
    ),
    (
        "gw-1,,,,",
        "gw-1,,20,2,",
        "sensors.csv:2: has zero beside scale or offset, expected either zero, or scale and offset",
    ),
    (
        "gw-1,,,,",
        "gw-1,,,0,",
        "sensors.csv:2: scale is 0, expected a factor that leaves something to measure",
    ),
    (
        "gw-1,,,,",
        "gw-1,,,,01.05.2026",
        "sensors.csv:2: valid_from is \"01.05.2026\", expected a date such as 2026-05-01",
    ),
    (
        "b,rain,,,,,,",
        "b,rain,,,,,basin,",
        "sensors.csv:4: area of station \"b\" is another than on line 3, expected the same in every row, or none",
    ),
    (
        "b,rain,,,,,,mm/h,,10 min,",
        "a,level,,,,,,,,,",
        "sensors.csv:4: sensor \"a/level\" stands on line 2 already, expected another valid_from in each row of a sensor",
    ),
    (
        "b,rain,,,,,,mm/h,,10 min,,,,,,,,,,",
        "a,level,,,,,,,,,,,,,,,,,,2026-05-01\na,level,,,,,,,,,,,,,,,,,,2026-05-01",
        "sensors.csv:5: sensor \"a/level\" stands on line 4 already, expected another valid_from in each row of a sensor",
    ),
    (
        "b,rain,,,,,,mm/h,,10 min,",
        "a,level,,,,,,cm,,,",
        "sensors.csv:4: sensor \"a/level\" stands on line 2 already, expected another valid_from in each row of a sensor\nsensors.csv:4: unit of sensor \"a/level\" is another than on line 2, expected the same in every row, or none",
    ),
    (
        "b,rain,,,,,,mm/h,,10 min,",
        "b,rain,,,,,,,,,",
        "sensors.csv:4: interval is empty, expected a value in one row of the sensor\nsensors.csv:4: unit is empty, expected a value in one row of the sensor",
    ),
    (
        "b,rain",
        "b/c,rain",
        "sensors.csv:4: station is \"b/c\", expected a name of letters, digits, - _ . : (64 characters at most)",
    ),
    (
        "b,rain",
        "+,rain",
        "sensors.csv:4: station is \"+\", expected a name of letters, digits, - _ . : (64 characters at most)",
    ),
    (
        "b,rain",
        "c,rain",
        "sensors.csv:4: area is empty, expected a value in one row of the station\nsensors.csv:4: lat is empty, expected a value in one row of the station\nsensors.csv:4: lon is empty, expected a value in one row of the station\nsensors.csv:4: station \"c\" has no name, expected name_zh or name_en",
    ),
    (
        "suspect_max,gateway,",
        "suspect_max,flat_suspect,",
        "sensors.csv:2: flat_suspect is \"gw-1\", expected a length of time such as \"15 min\" (ms, s, min, h, d)\nsensors.csv:3: flat_suspect is \"gw-2\", expected a length of time such as \"15 min\" (ms, s, min, h, d)",
    ),
    (
        "lateness,min,max,suspect_min,suspect_max,gateway,device_unit,zero,scale,valid_from\na,level,甲,A,28.9,118.7,town,m,local,5 min,10 min,0,20,1,19,gw-1,,,,\nb,level,乙,,28.9,118.8,town,m,local,5 min,,,,,,gw-2,,,,\nb,rain,,,,,,mm/h,,10 min,,,,,,,,,,",
        "lateness,flat_suspect,flat_fail,flat_within,flat_normal\na,level,甲,A,28.9,118.7,town,m,local,5 min,10 min,10 min,,,\nb,level,乙,,28.9,118.8,town,m,local,5 min,,,,,\nb,rain,,,,,,mm/h,,10 min,,,,,",
        "sensors.csv:2: flat_suspect 10 min is less than 3 intervals, expected 15 min at least, as fewer readings are the same by chance",
    ),
    (
        "lateness,min,max,suspect_min,suspect_max,gateway,device_unit,zero,scale,valid_from\na,level,甲,A,28.9,118.7,town,m,local,5 min,10 min,0,20,1,19,gw-1,,,,\nb,level,乙,,28.9,118.8,town,m,local,5 min,,,,,,gw-2,,,,\nb,rain,,,,,,mm/h,,10 min,,,,,,,,,,",
        "lateness,flat_suspect,flat_fail,flat_within,flat_normal\na,level,甲,A,28.9,118.7,town,m,local,5 min,10 min,1 h,1 h,,\nb,level,乙,,28.9,118.8,town,m,local,5 min,,,,,\nb,rain,,,,,,mm/h,,10 min,,,,,",
        "sensors.csv:2: flat_fail 1 h is not longer than flat_suspect, 1 h, expected a longer time, or nothing",
    ),
    (
        "lateness,min,max,suspect_min,suspect_max,gateway,device_unit,zero,scale,valid_from\na,level,甲,A,28.9,118.7,town,m,local,5 min,10 min,0,20,1,19,gw-1,,,,\nb,level,乙,,28.9,118.8,town,m,local,5 min,,,,,,gw-2,,,,\nb,rain,,,,,,mm/h,,10 min,,,,,,,,,,",
        "lateness,flat_suspect,flat_fail,flat_within,flat_normal\na,level,甲,A,28.9,118.7,town,m,local,5 min,10 min,1 h,,-0.1,\nb,level,乙,,28.9,118.8,town,m,local,5 min,,,,,\nb,rain,,,,,,mm/h,,10 min,,,,,",
        "sensors.csv:2: flat_within is -0.1, expected 0 or more",
    ),
    (
        "lateness,min,max,suspect_min,suspect_max,gateway,device_unit,zero,scale,valid_from\na,level,甲,A,28.9,118.7,town,m,local,5 min,10 min,0,20,1,19,gw-1,,,,\nb,level,乙,,28.9,118.8,town,m,local,5 min,,,,,,gw-2,,,,\nb,rain,,,,,,mm/h,,10 min,,,,,,,,,,",
        "lateness,flat_suspect,flat_fail,flat_within,flat_normal\na,level,甲,A,28.9,118.7,town,m,local,5 min,10 min,,2 h,,3\nb,level,乙,,28.9,118.8,town,m,local,5 min,,,,,\nb,rain,,,,,,mm/h,,10 min,,,,,",
        "sensors.csv:2: has flat_fail and no flat_suspect, expected how long it may say the same value, such as 1 h\nsensors.csv:2: has flat_normal and no flat_suspect, expected how long it may say the same value, such as 1 h",
    ),
];

#[test]
fn each_slip_in_the_sensors_is_told_with_its_line() {
    check("sensors.csv", FAULTS);
}
