//! What a drill must not share with the live service beside it.

use std::path::Path;

use forewarn::config::names::FreshIndices;
use forewarn::config::targets::TargetIds;
use forewarn::config::{Loaded, Purpose, Request, load};
use forewarn_core::time::Timestamp;

use crate::world::{DEVICES, MAIN, sound, write};

const DRILL: &str = r#"data = "../drill-data"
[sources.lora]
mqtt = { url = "mqtts://10.1.0.5:8883", topic = "drill/up/#" }
decode = { format = "json" }
[http]
bind = "127.0.0.1:8081"
[email]
host = "mail.example.org"
from = "DRILL <drill@example.org>"
[webhook]
secret = { env = "DRILL_HOOK" }
"#;

const ROUTES: &str =
    "[[route]]\nhazard = \"flood\"\nlevel = \"blue..red\"\nto = \"{area}/duty\"\nvia = [\"email\"]\n";

const CONTACTS: &str = "\
id,name,roles,area,language,email,webhook,takes_part
it,IT,it,,en,it-drill@example.org,,
duty,Duty,duty,basin,zh,duty-drill@example.org,,
";

const FILES: [(&str, &str); 4] = [
    ("drill/drill.toml", DRILL),
    ("drill/routes.toml", ROUTES),
    ("drill/contacts.csv", CONTACTS),
    ("drill/devices.csv", "identity,stations,secret_sha256\n"),
];

/// The sound configuration with a sound drill.
fn with_drill() -> tempfile::TempDir {
    let dir = sound();
    FILES.iter().for_each(|(file, text)| write(dir.path(), file, text.as_bytes()));
    dir
}

fn loaded(dir: &Path, purpose: Purpose, data: Option<&Path>) -> Result<Loaded, String> {
    let env = |name: &str| Some(format!("{name}-0123456789abcdef0123456789abcdef"));
    let at = Timestamp::from_secs(1_782_864_000);
    let request = Request { dir, data, purpose, at, env: &env };
    load(&request, &mut FreshIndices::default(), &mut TargetIds::counted())
        .map_err(|faults| faults.to_string())
}

#[test]
fn alerts_of_a_drill_have_a_sender_of_their_own() {
    let check = |live: &str, drill: &str, expected: Result<&str, ()>| {
        let dir = with_drill();
        write(dir.path(), "forewarn.toml", format!("{MAIN}{live}").as_bytes());
        write(
            dir.path(),
            "drill/drill.toml",
            if drill.starts_with("url") { format!("{drill}{DRILL}") } else { format!("{DRILL}{drill}") }
                .as_bytes(),
        );
        match loaded(dir.path(), Purpose::Drill, None) {
            Ok(loaded) => assert_eq!(Ok(&*loaded.setup.cap.sender), expected, "{live}{drill}"),
            Err(faults) => {
                assert_eq!(expected, Err(()), "{faults}");
                assert!(faults.contains("cap.sender is the live sender of alerts"), "{faults}");
            }
        }
    };
    check("[cap]\nsender = \"w.example\"\n", "[cap]\nsender = \"W.example\"\n", Err(()));
    check("[cap]\nsender = \"w.example\"\n", "[cap]\nsender = \"d.example\"\n", Ok("d.example"));
    check("", "url = \"https://warn.example\"\n", Ok("drill.warn.example"));
    check("[cap]\npublic = true\n", "url = \"https://drill.warn.example\"\n", Ok("drill.warn.example"));
}

/// All that is said of a configuration.
fn said(dir: &Path, purpose: Purpose) -> String {
    let said = match loaded(dir, purpose, None) {
        Ok(loaded) => loaded.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        Err(faults) => faults,
    };
    said.replace(&*dir.to_string_lossy(), "DIR")
}

#[test]
fn a_drill_says_everything_by_its_own_files() {
    let dir = with_drill();
    assert_eq!(said(dir.path(), Purpose::Drill), "");
    let drill = loaded(dir.path(), Purpose::Drill, None).expect("sound").setup;
    let live = loaded(dir.path(), Purpose::Live, None).expect("sound").setup;
    assert_eq!((drill.world(), live.world()), ("drill", "live"));
    let addresses = |setup: &forewarn::config::plan::Setup| {
        setup.addresses.values().map(|it| it.address.clone()).collect::<Vec<_>>()
    };
    assert_eq!(addresses(&drill), ["it-drill@example.org", "duty-drill@example.org"]);
    assert!(addresses(&live).iter().all(|address| !address.contains("drill")));
    assert!(drill.data.ends_with("../drill-data") && drill.influx.is_none() && drill.listener.is_none());
    assert_eq!(drill.plan.sensors, live.plan.sensors);
}

#[test]
fn what_a_drill_shares_is_told_in_its_place() {
    let device = DEVICES.split_once('\n').expect("a header").1.replace("gw-1", "player");
    let devices = format!("identity,stations,secret_sha256\n{device}");
    let table: &[(&str, &str, &str, &str)] = &[
        (
            "drill/drill.toml",
            "\"../drill-data\"",
            "\"./../data\"",
            "drill/drill.toml:1: data of the drill is DIR/./../data, where the live data stand, expected a folder of its own",
        ),
        (
            "drill/drill.toml",
            "8081",
            "8080",
            "drill/drill.toml:6: http.bind is 127.0.0.1:8080, a port of the live service, expected another port",
        ),
        (
            "drill/drill.toml",
            "[http]\nbind = \"127.0.0.1:8081\"\n",
            "",
            "drill/drill.toml: http.bind is 127.0.0.1:8080, a port of the live service, expected another port",
        ),
        (
            "drill/drill.toml",
            "DRILL <drill@example.org>",
            "DRILL <F@example.org>",
            "drill/drill.toml:9: email.from is the live sender, expected a sender of its own, that nobody takes for the live one",
        ),
        (
            "drill/drill.toml",
            "DRILL_HOOK",
            "HOOK",
            "drill/drill.toml:11: webhook.secret is a secret of the live service, expected one of its own",
        ),
        (
            "drill/drill.toml",
            "drill/up/#",
            "up/#",
            "drill/drill.toml:3: topic \"up/#\" of source \"lora\" is no drill's, expected one below drill/, mirror = true lets a drill follow live gauges",
        ),
        ("drill/drill.toml", "[sources.lora]", "mirror = true\n[sources.lora]", ""),
        (
            "drill/drill.toml",
            "data = \"../drill-data\"\n",
            "",
            "drill/drill.toml:1: data is missing, expected a path",
        ),
        (
            "drill/contacts.csv",
            "duty-drill@example.org,,",
            "Duty@example.org,,",
            "drill/contacts.csv:3: warning: email of \"duty\" is the address of live contact \"duty\", yes in takes_part if they are to be in the drill, or an address for drills",
        ),
        ("drill/contacts.csv", "duty-drill@example.org,,", "duty@example.org,,yes", ""),
        (
            "drill/contacts.csv",
            "duty-drill@example.org,,",
            "duty@example.org,,maybe",
            "drill/contacts.csv:3: takes_part is \"maybe\", expected yes, or nothing",
        ),
        (
            "drill/contacts.csv",
            "Duty",
            "Duty (THIS IS  NOT A DRILL)",
            "drill/contacts.csv:3: \"not a drill\" stands in a name, expected words that fit a drill too",
        ),
        (
            "drill/contacts.csv",
            "Duty",
            "这不是演练",
            "drill/contacts.csv:3: \"不是演练\" stands in a name, expected words that fit a drill too",
        ),
        (
            "drill/routes.toml",
            "{area}/duty",
            "mayor",
            "drill/routes.toml:4: to is \"mayor\", who is not in drill/contacts.csv, expected the id of a contact",
        ),
        (
            "drill/devices.csv",
            "identity,stations,secret_sha256\n",
            &devices,
            "drill/devices.csv:2: device \"player\" has the secret of a live one, expected a secret of its own, take the row out, then: forewarn devices add IDENTITY --stations ID,ID --drill",
        ),
    ];
    for (file, from, to, expected) in table {
        let dir = with_drill();
        let text = FILES.iter().find(|(name, _)| name == file).expect(file).1;
        assert!(text.contains(from), "{file} does not hold {from:?}");
        write(dir.path(), file, text.replacen(from, to, 1).as_bytes());
        assert_eq!(said(dir.path(), Purpose::Drill), *expected, "{file}: {from:?} -> {to:?}");
        // None of it is the live service's to tell, or to stumble over.
        assert_eq!(said(dir.path(), Purpose::Live), "", "{file}: {from:?} -> {to:?}");
    }
}

#[test]
fn a_folder_given_by_hand_is_compared_too_and_a_drill_needs_its_own() {
    let dir = with_drill();
    let live = dir.path().join("../data");
    let faults = loaded(dir.path(), Purpose::Drill, Some(&live)).expect_err("live data");
    assert!(faults.contains("where the live data stand"), "{faults}");
    let without = said(sound().path(), Purpose::Drill);
    let expected = "drill: is missing, expected a folder with the drill's own settings, a drill has drill.toml, routes.toml, contacts.csv and devices.csv of its own: see docs/drills.md";
    assert_eq!(without, expected);
}

#[test]
fn a_live_source_takes_nothing_from_the_topics_of_drills() {
    let dir = sound();
    let main = crate::world::MAIN.replace("topic = \"up/#\"", "topic = [\"up/#\", \"drill/#\"]");
    write(dir.path(), "forewarn.toml", main.as_bytes());
    assert_eq!(
        said(dir.path(), Purpose::Live),
        "forewarn.toml:7: topic \"drill/#\" of source \"lora\" is a drill's, expected one that is not below drill/: nothing from there counts live"
    );
}
