//! A sound configuration, and what is said of it once somebody changed it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use forewarn::config::fault::Faults;
use forewarn::config::names::{Assign, FreshIndices};
use forewarn::config::targets::TargetIds;
use forewarn::config::{Loaded, Purpose, Request, load};
use forewarn_core::time::Timestamp;

/// What stands where a secret should not; no message may show it.
pub(crate) const CANARY: &str = "canary-7f3a91";

pub(crate) const MAIN: &str = r#"[site]
name = "Ford"
zone = "Asia/Shanghai"
[operator]
contact = "it"
[sources.lora]
mqtt = { url = "mqtts://10.1.0.5:8883", topic = "up/#", user = "f", password = { env = "MQTT" } }
decode = { format = "json" }
[email]
host = "mail.example.org"
from = "Ford <f@example.org>"
[webhook]
secret = { env = "HOOK" }
"#;

pub(crate) const SENSORS: &str = "\
station,quantity,name_zh,name_en,lat,lon,area,unit,datum,interval,lateness,min,max,suspect_min,suspect_max,gateway,device_unit,zero,scale,valid_from
a,level,甲,A,28.9,118.7,town,m,local,5 min,10 min,0,20,1,19,gw-1,,,,
b,level,乙,,28.9,118.8,town,m,local,5 min,,,,,,gw-2,,,,
b,rain,,,,,,mm/h,,10 min,,,,,,,,,,
";

pub(crate) const LIMITS: &str = "\
sensor,season,valid_from,blue,yellow,orange,red,unit,datum,rule
a/level,,,4,5,6,7,m,local,
b/level,,,4,5,6,7,m,local,
";

pub(crate) const AREAS: &str = r#"{ "type": "FeatureCollection", "features": [
{ "type": "Feature", "properties": { "id": "basin", "name_en": "Basin" }, "geometry": null },
{ "type": "Feature", "properties": { "id": "town", "name_zh": "镇", "parent": "basin" },
  "geometry": { "type": "Polygon", "coordinates": [[[118,28],[119,28],[119,29],[118,29],[118,28]]] } }
] }
"#;

pub(crate) const RULE: &str = r#"[rule]
kind = "threshold"
hazard = "flood"
quantity = "level"
limits = "limits.csv"
[raise]
default = "2 of 3"
[clear]
below = "0.10 m"
"#;

pub(crate) const ROUTES: &str = r#"[[route]]
hazard = "flood"
level = "blue..red"
to = "{area}/duty"
via = ["webhook", "email"]
"#;

pub(crate) const CONTACTS: &str = "\
id,name,roles,area,language,email,webhook,min_level,hours,target_id
it,IT,it,,en,it@example.org,,,,
duty,Duty,duty;mayor,basin,zh,duty@example.org,https://hooks.example.org/x,,,
";

pub(crate) const DEVICES: &str = "\
identity,stations,secret_sha256
gw-1,a;b,9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
";

pub(crate) const FILES: [(&str, &str); 8] = [
    ("forewarn.toml", MAIN),
    ("sensors.csv", SENSORS),
    ("limits.csv", LIMITS),
    ("areas.geojson", AREAS),
    ("rules/river.toml", RULE),
    ("routes.toml", ROUTES),
    ("contacts.csv", CONTACTS),
    ("devices.csv", DEVICES),
];

pub(crate) fn write(dir: &Path, file: &str, bytes: &[u8]) {
    let path = dir.join(file);
    fs::create_dir_all(path.parent().expect("below dir")).expect("made");
    fs::write(path, bytes).expect("written");
}

/// A folder with the sound configuration.
pub(crate) fn sound() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for (file, text) in FILES {
        write(dir.path(), file, text.as_bytes());
    }
    dir
}

pub(crate) fn loads(dir: &Path, indices: &mut dyn Assign) -> Result<Loaded, Faults> {
    let env = |name: &str| match name {
        "MQTT" | "HOOK" | "TOKEN" => Some(format!("{CANARY}-{name}-0123456789abcdef0123456789abcdef")),
        "ROBOT" => Some(format!("https://qyapi.example.org/send?key={CANARY}")),
        "PLAIN" => Some(format!("http://10.0.0.7/send?key={CANARY}")),
        "SHORT" => Some(CANARY.to_owned()),
        "SPACED" => Some(format!("{CANARY} 口令 0123456789abcdef")),
        _ => None,
    };
    let at = Timestamp::from_secs(1_782_864_000);
    load(
        &Request { dir, data: None, purpose: Purpose::Live, at, env: &env },
        indices,
        &mut TargetIds::counted(),
    )
}

/// What stands in a file, what someone makes of it, and what must be said.
pub(crate) type Row = (&'static str, &'static str, &'static str);

/// One change to one file a row, and all that is said of it.
pub(crate) fn check(file: &str, rows: &[Row]) {
    let text = FILES.iter().find(|(name, _)| *name == file).expect(file).1;
    let mut wrong = String::new();
    for (from, to, expected) in rows {
        let dir = sound();
        assert!(text.contains(from), "{file} does not hold {from:?}");
        write(dir.path(), file, text.replacen(from, to, 1).as_bytes());
        let said = match loads(dir.path(), &mut FreshIndices::default()) {
            Ok(loaded) => loaded.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
            Err(faults) => faults.to_string(),
        };
        let said = said.replace(&*dir.path().to_string_lossy(), "DIR");
        assert!(!said.contains(CANARY), "a secret in {said}");
        if said != *expected {
            let _ = write!(wrong, "\n{from:?} -> {to:?}\n  says {said}\n  not  {expected}\n");
        }
    }
    assert!(wrong.is_empty(), "{file}: {wrong}");
}
