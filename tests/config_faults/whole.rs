//! A configuration as a whole: what is missing, what is read, what is told at once.

use std::fs;
use std::path::Path;

use forewarn::config::fault::FAULTS_MAX;
use forewarn::config::names::FreshIndices;
use forewarn_core::plan::Area;

use crate::world::{AREAS, CANARY, CONTACTS, FILES, LIMITS, MAIN, SENSORS, loads, sound, write};

#[test]
fn the_sound_configuration_is_sound() {
    let dir = sound();
    let loaded = loads(dir.path(), &mut FreshIndices::default()).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(loaded.warnings, []);
    assert!(loaded.memory.bytes > 0);
    // A broker is configured, so the listener is off; HTTP is always there.
    assert!(loaded.setup.listener.is_none());
    assert_eq!(loaded.setup.sources.len(), 2);
    assert_eq!(loaded.setup.http.bind.to_string(), "127.0.0.1:8080");
    assert_eq!(loaded.setup.data, dir.path().join("../data"));
    let shown = format!("{loaded:?}");
    assert!(!shown.contains(CANARY), "a secret shows in Debug");
}

#[test]
fn a_distance_is_turned_into_a_level_once() {
    let decode = r#"{ format = "json", readings = { level = { from = "/d", apply = "zero - value" } } }"#;
    let main = MAIN.replace(r#"{ format = "json" }"#, decode);
    let with = |zero: &str| {
        let dir = sound();
        write(dir.path(), "forewarn.toml", main.as_bytes());
        write(dir.path(), "sensors.csv", SENSORS.replace("gw-1,,,,", zero).as_bytes());
        loads(dir.path(), &mut FreshIndices::default()).map(|_| ()).map_err(|faults| faults.to_string())
    };
    let twice = "sensors.csv:2: has zero, and the source \"lora\" reads \"level\" with apply = \"zero - value\": \
                 its sign turns twice, expected zero here, or apply there with the zero as offset here";
    assert_eq!(with("gw-1,,20,,"), Err(twice.to_owned()));
    assert_eq!(with("gw-1,,,,"), Ok(()));
}

#[test]
fn a_reading_of_what_no_sensor_measures_is_remarked() {
    for (readings, expected) in [
        (r#"{ level = "/d" }"#, None),
        (
            r#"{ levle = "/d" }"#,
            Some(r#"source "lora" reads "levle", and no sensor measures that, did you mean "level"?"#),
        ),
        (
            r#"{ level = "/d", battery = "/b" }"#,
            Some(
                r#"source "lora" reads "battery", and no sensor measures that, expected one of level, rain, or no such reading"#,
            ),
        ),
    ] {
        let dir = sound();
        let line = MAIN.lines().position(|line| line.starts_with("decode")).expect("it is there") + 1;
        let decode = format!(r#"{{ format = "json", readings = {readings} }}"#);
        write(dir.path(), "forewarn.toml", MAIN.replace(r#"{ format = "json" }"#, &decode).as_bytes());
        let loaded =
            loads(dir.path(), &mut FreshIndices::default()).unwrap_or_else(|faults| panic!("{faults}"));
        let told: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
        let expected: Vec<String> =
            expected.map(|what| format!("forewarn.toml:{line}: warning: {what}")).into_iter().collect();
        assert_eq!(told, expected);
    }
}

#[test]
fn a_limit_that_cannot_be_reached_or_believed_is_remarked() {
    for (red, expected) in [
        (
            "25",
            "rules/river.toml:1: warning: limit red of \"a/level\", 25 m, lies beyond what the sensor can measure",
        ),
        ("19.5", "limits.csv:2: warning: limit red (19.5) of \"a/level\" lies where its values are suspect"),
    ] {
        let dir = sound();
        let limits = LIMITS.replace("a/level,,,4,5,6,7", &format!("a/level,,,4,5,6,{red}"));
        write(dir.path(), "limits.csv", limits.as_bytes());
        let loaded =
            loads(dir.path(), &mut FreshIndices::default()).unwrap_or_else(|faults| panic!("{faults}"));
        let told: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
        assert!(told.len() == 1 && told[0].contains(expected), "{told:?}");
    }
}

#[test]
fn a_missing_file_is_told_and_nothing_that_leans_on_it() {
    for (file, expected) in [
        ("sensors.csv", "sensors.csv: is missing, expected a file of that name"),
        ("areas.geojson", "areas.geojson: is missing, expected a file of that name"),
        ("contacts.csv", "contacts.csv: is missing, expected a file of that name"),
        ("routes.toml", "routes.toml: is missing, expected a file of that name"),
        ("forewarn.toml", "forewarn.toml: is missing, expected a file of that name"),
    ] {
        let dir = sound();
        fs::remove_file(dir.path().join(file)).expect("removed");
        let said = loads(dir.path(), &mut FreshIndices::default()).expect_err(file).to_string();
        assert_eq!(said, expected);
    }
    let said = loads(Path::new("/nowhere/config"), &mut FreshIndices::default()).expect_err("no folder");
    assert_eq!(said.to_string(), "/nowhere/config: is no folder, expected the folder of forewarn.toml");
}

#[test]
fn files_that_excel_wrote_are_read_and_other_encodings_named() {
    let dir = sound();
    let excel = format!(
        "\u{feff}{}",
        CONTACTS.replace(',', ";").replace("duty;mayor", "duty|mayor").replace('\n', "\r\n")
    );
    write(dir.path(), "contacts.csv", excel.as_bytes());
    let loaded = loads(dir.path(), &mut FreshIndices::default()).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(loaded.warnings, []);
    assert_eq!(loaded.setup.plan.targets.len(), 3);
    // 甲 in GBK.
    let mut gbk = SENSORS.replace("甲", "@").into_bytes();
    let at = gbk.iter().position(|&byte| byte == b'@').expect("is there");
    gbk.splice(at..=at, [0xbc, 0xd7]);
    write(dir.path(), "sensors.csv", &gbk);
    let said = loads(dir.path(), &mut FreshIndices::default()).expect_err("GBK").to_string();
    assert!(said.starts_with("sensors.csv:2: is not UTF-8, expected UTF-8, saved as GBK?"), "{said}");
    assert_eq!(said.lines().count(), 1);
}

#[test]
fn all_faults_are_told_at_once() {
    let dir = sound();
    for (file, from, to) in [
        ("forewarn.toml", "Asia/Shanghai", "Mars"),
        ("sensors.csv", "5 min,10 min", "soon,later"),
        ("limits.csv", "4,5,6,7", "7,6,5,x"),
        ("routes.toml", "{area}/duty", "nobody"),
        ("contacts.csv", "it@example.org", "it"),
        ("devices.csv", "a;b", "a;z"),
        ("rules/river.toml", "\"2 of 3\"", "\"often\""),
        ("areas.geojson", "\"parent\"", "\"parnt\""),
    ] {
        let text = FILES.iter().find(|(name, _)| *name == file).expect(file).1;
        write(dir.path(), file, text.replacen(from, to, 1).as_bytes());
    }
    let faults = loads(dir.path(), &mut FreshIndices::default()).expect_err("all wrong");
    let files: Vec<String> = faults.iter().map(|fault| fault.place.to_string()).collect();
    assert_eq!(
        files,
        [
            "areas.geojson:3",
            "contacts.csv:2",
            "devices.csv:2",
            "forewarn.toml:3",
            "limits.csv:2",
            "routes.toml:4",
            "rules/river.toml:7",
            "sensors.csv:2",
            "sensors.csv:2",
        ],
        "{faults}"
    );
}

#[test]
fn a_file_of_the_wrong_kind_does_not_fill_the_screen() {
    let dir = sound();
    write(dir.path(), "limits.csv", format!("{LIMITS}{}", "x,y\n".repeat(5000)).as_bytes());
    let faults = loads(dir.path(), &mut FreshIndices::default()).expect_err("nonsense");
    assert!(faults.count() > 5000 && faults.iter().count() == FAULTS_MAX);
}

#[test]
fn what_was_assigned_stays() {
    let dir = sound();
    let mut indices = FreshIndices::default();
    let town = |indices: &mut FreshIndices| {
        let loaded = loads(dir.path(), indices).expect("sound");
        let at = |area: &Option<Area>| area.as_ref().is_some_and(|area| area.id == "town");
        loaded.setup.plan.areas.iter().position(at).expect("configured")
    };
    let before = town(&mut indices);
    // An area in front of the others changes no index.
    let first = "\"features\": [\n{ \"type\": \"Feature\", \"properties\": { \"id\": \"aaa\", \"name_en\": \"A\" } },";
    write(dir.path(), "areas.geojson", AREAS.replacen("\"features\": [", first, 1).as_bytes());
    assert_eq!(town(&mut indices), before);
}

#[test]
fn the_same_files_give_the_same_plan() {
    let dir = sound();
    let plan = || loads(dir.path(), &mut FreshIndices::default()).expect("sound").setup.plan.id();
    assert_eq!(plan(), plan());
}
