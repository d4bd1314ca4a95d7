//! Every fault of a configuration, as people make them: one change to a sound
//! configuration, and what must be said of it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use forewarn::config::fault::{FAULTS_MAX, Faults};
use forewarn::config::names::{Assign, FreshIndices};
use forewarn::config::targets::TargetIds;
use forewarn::config::{Loaded, Request, load};
use forewarn_core::ids::IndexKind;
use forewarn_core::level::Status;
use forewarn_core::time::Timestamp;

/// What stands where a secret should not; no message may show it.
const CANARY: &str = "canary-7f3a91";

const MAIN: &str = r#"[site]
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

const SENSORS: &str = "\
station,quantity,name_zh,name_en,lat,lon,area,unit,datum,interval,lateness,min,max,suspect_min,suspect_max,gateway,device_unit,zero,scale,valid_from
a,level,甲,A,28.9,118.7,town,m,local,5 min,10 min,0,20,1,19,gw-1,,,,
b,level,乙,,28.9,118.8,town,m,local,5 min,,,,,,gw-2,,,,
b,rain,,,,,,mm/h,,10 min,,,,,,,,,,
";

const LIMITS: &str = "\
sensor,season,valid_from,blue,yellow,orange,red,unit,datum,rule
a/level,,,4,5,6,7,m,local,
b/level,,,4,5,6,7,m,local,
";

const AREAS: &str = r#"{ "type": "FeatureCollection", "features": [
{ "type": "Feature", "properties": { "id": "basin", "name_en": "Basin" }, "geometry": null },
{ "type": "Feature", "properties": { "id": "town", "name_zh": "镇", "parent": "basin" },
  "geometry": { "type": "Polygon", "coordinates": [[[118,28],[119,28],[119,29],[118,29],[118,28]]] } }
] }
"#;

const RULE: &str = r#"[rule]
kind = "threshold"
hazard = "flood"
quantity = "level"
limits = "limits.csv"
[raise]
default = "2 of 3"
[clear]
below = "0.10 m"
"#;

const ROUTES: &str = r#"[[route]]
hazard = "flood"
level = "blue..red"
to = "{area}/duty"
via = ["webhook", "email"]
"#;

const CONTACTS: &str = "\
id,name,roles,area,language,email,webhook,min_level,hours,target_id
it,IT,it,,en,it@example.org,,,,
duty,Duty,duty;mayor,basin,zh,duty@example.org,https://hooks.example.org/x,,,
";

const DEVICES: &str = "\
identity,stations,secret_sha256
gw-1,a;b,9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
";

const FILES: [(&str, &str); 8] = [
    ("forewarn.toml", MAIN),
    ("sensors.csv", SENSORS),
    ("limits.csv", LIMITS),
    ("areas.geojson", AREAS),
    ("rules/river.toml", RULE),
    ("routes.toml", ROUTES),
    ("contacts.csv", CONTACTS),
    ("devices.csv", DEVICES),
];

fn write(dir: &Path, file: &str, bytes: &[u8]) {
    let path = dir.join(file);
    fs::create_dir_all(path.parent().expect("below dir")).expect("made");
    fs::write(path, bytes).expect("written");
}

/// A folder with the sound configuration.
fn sound() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for (file, text) in FILES {
        write(dir.path(), file, text.as_bytes());
    }
    dir
}

fn loads(dir: &Path, indices: &mut dyn Assign) -> Result<Loaded, Faults> {
    let env = |name: &str| match name {
        "MQTT" | "HOOK" | "TOKEN" => Some(format!("{CANARY}-{name}-0123456789abcdef0123456789abcdef")),
        "SHORT" => Some(CANARY.to_owned()),
        _ => None,
    };
    let at = Timestamp::from_secs(1_782_864_000);
    load(
        &Request { dir, data: None, status: Status::Actual, at, env: &env },
        indices,
        &mut TargetIds::counted(),
    )
}

/// What stands in a file, what someone makes of it, and what must be said.
type Row = (&'static str, &'static str, &'static str);

/// One change to one file a row, and all that is said of it.
fn check(file: &str, rows: &[Row]) {
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

const MAIN_FAULTS: &[Row] = &[
    (
        "[webhook]",
        "[webhook]\nallow = \"127.0.0.0/8\"",
        "forewarn.toml:13: webhook.allow is text, expected a list in brackets, each a network such as \"10.1.0.0/16\"",
    ),
    (
        "[webhook]",
        "[webhook]\nplaintext = \"true\"",
        "forewarn.toml:13: webhook.plaintext is text, expected true or false, write it without quotation marks",
    ),
    (
        "[webhook]",
        "[webhook]\nca = \"a\"\nca = \"b\"",
        "forewarn.toml:14: key \"ca\" stands twice, expected each key once",
    ),
    (
        "[webhook]",
        "[http]\nbody_max = 8\n[webhook]",
        "forewarn.toml:13: http.body_max is a whole number, expected a size such as \"64 MiB\" (KiB, MiB, GiB), write it in quotation marks",
    ),
    (
        "{ format = \"json\" }",
        "\"json\"",
        "forewarn.toml:8: sources.lora.decode is text, expected { format = \"...\" } with the format's own keys",
    ),
    (
        "{ format = \"json\" }",
        "{ format = \"json\", readings = 3 }",
        "forewarn.toml:8: sources.lora.decode (format \"json\"): a value is the whole number \"3\", expected a table",
    ),
    (
        "{ env = \"HOOK\" }",
        "{}",
        "forewarn.toml:13: webhook.secret is empty, expected a reference { env = \"NAME\" } or { file = \"path\" }",
    ),
    ("name = \"Ford\"\n", "", "forewarn.toml:1: site has no name, expected text of one line"),
    (
        "name = \"Ford\"",
        "nmae = \"Ford\"",
        "forewarn.toml:1: site has no name, expected text of one line\nforewarn.toml:2: unknown key \"nmae\" in site, expected one of name, zone, url, did you mean \"name\"?",
    ),
    (
        "name = \"Ford\"",
        "name = 3",
        "forewarn.toml:2: site.name is a whole number, expected text of one line, write it in quotation marks",
    ),
    ("name = \"Ford\"", "name = \"Ford", "forewarn.toml:2: invalid basic string, expected `\"`"),
    (
        "Asia/Shanghai",
        "Asia/Shangai",
        "forewarn.toml:3: site.zone is \"Asia/Shangai\", expected a zone such as \"Asia/Shanghai\" or \"Europe/Berlin\", did you mean \"Asia/Shanghai\"?",
    ),
    (
        "Asia/Shanghai",
        "Asia/Beijing",
        "forewarn.toml:3: site.zone is \"Asia/Beijing\", expected a zone such as \"Asia/Shanghai\" or \"Europe/Berlin\", did you mean \"Asia/Shanghai\"?",
    ),
    (
        "contact = \"it\"",
        "contact = \"itt\"",
        "forewarn.toml:5: operator.contact is \"itt\", who is not in contacts.csv, expected the id of a contact, did you mean \"it\"?",
    ),
    (
        "[operator]\ncontact = \"it\"\n",
        "",
        "forewarn.toml:1: operator is missing, expected a table with contact",
    ),
    (
        "[webhook]",
        "[webhok]",
        "contacts.csv:3: has a webhook, but there is no secret to sign with, expected [webhook] secret in forewarn.toml\nforewarn.toml:12: unknown key \"webhok\", expected one of site, operator, data, sources, listener, http, email, webhook, influx, store, log, warnings, limits, did you mean \"webhook\"?",
    ),
    (
        "{ env = \"MQTT\" }",
        "\"canary-7f3a91\"",
        "forewarn.toml:7: sources.lora.mqtt.password is written out, expected a reference { env = \"NAME\" } or { file = \"path\" }, a secret that stood in a file like this one should be replaced",
    ),
    (
        "{ env = \"MQTT\" }",
        "[\"canary-7f3a91\"]",
        "forewarn.toml:7: sources.lora.mqtt.password is written out, expected a reference { env = \"NAME\" } or { file = \"path\" }, a secret that stood in a file like this one should be replaced",
    ),
    (
        "{ env = \"MQTT\" }",
        "{ value = \"canary-7f3a91\" }",
        "forewarn.toml:7: sources.lora.mqtt.password has neither env nor file, expected a reference { env = \"NAME\" } or { file = \"path\" }, a secret that stood in a file like this one should be replaced",
    ),
    (
        "{ env = \"MQTT\" }",
        "{ env = \"GONE\" }",
        "forewarn.toml:7: environment variable GONE is not set, expected the secret in it",
    ),
    (
        "{ env = \"MQTT\" }",
        "{ file = \"gone\" }",
        "forewarn.toml:7: secret file DIR/gone cannot be read (No such file or directory (os error 2)), expected a file that holds the secret",
    ),
    (
        "mqtts://10.1.0.5",
        "mqtts://f:canary-7f3a91@10.1.0.5",
        "forewarn.toml:7: sources.lora.mqtt.url is not the address of a broker, expected \"mqtt://host:1883\" or \"mqtts://host:8883\", without user or password in it",
    ),
    (
        "user = \"f\", ",
        "",
        "forewarn.toml:7: sources.lora.mqtt.password is without a user, expected user beside password",
    ),
    (
        "up/#",
        "up/#/x",
        "forewarn.toml:7: sources.lora.mqtt.topic is \"up/#/x\", expected an MQTT topic filter such as \"river/+/up\" (+ a whole level, # the last one)",
    ),
    ("user = \"f\"", "qos = 2, user = \"f\"", "forewarn.toml:7: sources.lora.mqtt.qos is 2, expected 0 to 1"),
    (
        "user = \"f\"",
        "ca = \"ca.pem\", user = \"f\"",
        "forewarn.toml:7: file \"DIR/ca.pem\" is not there, expected a file",
    ),
    (
        "user = \"f\"",
        "cert = \"c.pem\", user = \"f\"",
        "forewarn.toml:7: file \"DIR/c.pem\" is not there, expected a file\nforewarn.toml:7: sources.lora.mqtt has one of cert and key, expected both, or neither",
    ),
    (
        "user = \"f\"",
        "keep_alive = \"1 s\", packet_max = \"1 GiB\", user = \"f\"",
        "forewarn.toml:7: sources.lora.mqtt.keep_alive is 1 s, expected 5 s to 1 h\nforewarn.toml:7: sources.lora.mqtt.packet_max is 1073741824 B, expected 1 KiB to 255 MiB",
    ),
    (
        "format = \"json\"",
        "format = \"jsn\"",
        "forewarn.toml:8: sources.lora.decode.format is \"jsn\", expected one of json, senml, line-protocol, chirpstack, did you mean \"json\"?",
    ),
    (
        "format = \"json\"",
        "format = \"json\", statoin = \"/id\"",
        "forewarn.toml:8: sources.lora.decode (format \"json\"): unknown field \"statoin\", expected one of \"each\", \"station\", \"time\", \"time_unit\", \"zone_offset\", \"seq\", \"quantity\", \"value\", \"unit\", \"topic\", \"readings\", \"quantities\", \"strings\", did you mean \"station\"?",
    ),
    (
        "sources.lora",
        "sources.http",
        "forewarn.toml:6: a source is named \"http\", expected a name of letters, digits, - _ . : (64 characters at most), other than listener and http",
    ),
    (
        "Ford <f@example.org>",
        "Ford",
        "forewarn.toml:11: email.from is no sender, expected \"Name <address>\"",
    ),
    (
        "host = ",
        "user = \"u\"\nhost = ",
        "forewarn.toml:9: email has one of user and password, expected both, or neither",
    ),
    (
        "{ env = \"HOOK\" }",
        "{ env = \"SHORT\" }",
        "forewarn.toml:13: webhook.secret is short enough to be guessed, expected 24 characters at least",
    ),
    (
        "[webhook]",
        "[http]\ntokens = { x = { env = \"SHORT\" } }\n[webhook]",
        "forewarn.toml:13: token \"x\" is short enough to be guessed, expected 32 characters at least",
    ),
    (
        "[webhook]",
        "[webhook]\nallow = [\"10.0.0.0/40\"]",
        "forewarn.toml:13: webhook.allow is \"10.0.0.0/40\", expected a network such as \"10.1.0.0/16\"",
    ),
    (
        "[webhook]",
        "[listener]\nbind_tls = \"0.0.0.0:8883\"\n[webhook]",
        "forewarn.toml:12: listener has one of bind_tls and tls, expected both, or neither",
    ),
    (
        "[webhook]",
        "[log]\nsegment = \"1 KiB\"\ngap = \"2 s\"\n[webhook]",
        "forewarn.toml:13: log.segment is 1024 B, expected 1 MiB to 4 GiB\nforewarn.toml:14: log.gap is 2 s, expected 1 s at most: readings wait for it",
    ),
    (
        "[webhook]",
        "[store]\nkeep = \"1 h\"\n[webhook]",
        "forewarn.toml:13: store.keep is 1 h, expected 1 d at least: charts show the last day",
    ),
    (
        "[webhook]",
        "[warnings]\nexpires_after = \"20 min\"\n[webhook]",
        "forewarn.toml:13: warnings.renew_before is 30 min, not less than expires_after, 20 min, expected less, so that a warning is renewed before it ends",
    ),
    (
        "[webhook]",
        "[influx]\nurl = \"http://u:canary-7f3a91@h\"\norg = \"o\"\nbucket = \"b\"\ntoken = { env = \"TOKEN\" }\n[webhook]",
        "forewarn.toml:13: influx.url is not a plain web address, expected an address such as \"https://warn.example.org\", without user or password in it",
    ),
    (
        "[webhook]",
        "[http]\nbind = \"8080\"\n[webhook]",
        "forewarn.toml:13: http.bind is \"8080\", expected an address and port such as \"127.0.0.1:8080\"",
    ),
];

const SENSOR_FAULTS: &[Row] = &[
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
        "sensors.csv:1: column quantity is missing, expected what is measured: level, rain ...\nsensors.csv:1: unknown column \"quantty\", expected one of station, quantity, name_zh, name_en, lat, lon, area, unit, datum, interval, lateness, max_age, min, max, suspect_min, suspect_max, gateway, power, outage_intervals, device_unit, zero, scale, offset, valid_from, did you mean \"quantity\"?",
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
];

const LIMIT_FAULTS: &[Row] = &[
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

const AREA_FAULTS: &[Row] = &[
    ("\"id\": \"town\"", "\"id\": 3", "areas.geojson:3: property id is a number, expected text of one line"),
    ("[119,28],", "[119,28]", "areas.geojson:4: is not JSON, expected \",\" or \"]\""),
    (
        "\"features\": [",
        "\"features\": ",
        "areas.geojson:2: is an object, expected a list in a GeoJSON FeatureCollection",
    ),
    ("FeatureCollection", "Feature", "areas.geojson:1: is a \"Feature\", expected a FeatureCollection"),
    (
        "\"features\": [",
        "\"crs\": { \"properties\": { \"name\": \"urn:ogc:def:crs:EPSG::3857\" } }, \"features\": [",
        "areas.geojson:1: has the coordinate system \"urn:ogc:def:crs:EPSG::3857\", expected degrees on WGS-84 (CRS84), export it with EPSG:4326",
    ),
    (
        "\"parent\": \"basin\"",
        "\"parent\": \"bassin\"",
        "areas.geojson:3: area \"town\" lies in \"bassin\", which is not there, expected the id of another area, did you mean \"basin\"?",
    ),
    (
        "\"name_en\": \"Basin\"",
        "\"name_en\": \"Basin\", \"parent\": \"town\"",
        "areas.geojson:2: area \"basin\" lies in itself, through \"town\", expected parents without a cycle\nareas.geojson:3: area \"town\" lies in itself, through \"basin\", expected parents without a cycle",
    ),
    ("\"name_zh\": \"镇\", ", "", "areas.geojson:3: area \"town\" has no name, expected name_zh or name_en"),
    (
        "\"name_zh\": \"镇\"",
        "\"nmae_zh\": \"镇\", \"name_en\": \"T\"",
        "areas.geojson:3: unknown property \"nmae_zh\", expected one of id, name_zh, name_en, parent, did you mean \"name_zh\"?",
    ),
    (
        "\"id\": \"town\"",
        "\"id\": \"basin\"",
        "areas.geojson:3: area \"basin\" stands twice, expected each id once\nsensors.csv:2: area \"town\" is not in areas.geojson, expected the id of an area\nsensors.csv:3: area \"town\" is not in areas.geojson, expected the id of an area",
    ),
    (
        "\"id\": \"town\", ",
        "",
        "areas.geojson:3: has no sound id, expected a name of letters, digits, - _ . : (64 characters at most)",
    ),
    (
        ",[118,28]]]",
        "]]",
        "areas.geojson:3: area \"town\": a ring is not closed, expected the last position as the first",
    ),
    (
        "[118,28],[119,28],[119,29],[118,29],[118,28]",
        "[28,118],[28,119],[29,119],[29,118],[28,118]",
        "areas.geojson:3: area \"town\": position [28, 118] is not on the globe, expected [longitude, latitude] in degrees, GeoJSON has the longitude first: are they swapped?",
    ),
    (
        "[119,29],[118,29],",
        "",
        "areas.geojson:3: area \"town\": a ring has 3 positions, expected four at least, the last as the first",
    ),
    (
        "\"Polygon\"",
        "\"Point\"",
        "areas.geojson:3: area \"town\": is a \"Point\", expected a Polygon or MultiPolygon of closed rings of [longitude, latitude]",
    ),
    (
        "[119,28],[119,29]",
        "[118.75,28],[118.75,29]",
        "sensors.csv:3: warning: station \"b\" stands outside the outline of its area \"town\", check lat, lon and area",
    ),
];

const RULE_FAULTS: &[Row] = &[
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
        "quantity = \"level\"",
        "quantity = \"snow\"",
        "limits.csv:2: warning: no rule uses these limits of \"a/level\", a rule takes them with limits = \"limits.csv\"\nlimits.csv:3: warning: no rule uses these limits of \"b/level\", a rule takes them with limits = \"limits.csv\"\nrules/river.toml:1: warning: rule \"river\" selects no sensor, so it can never fire, check quantity, stations and areas",
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

const ROUTE_FAULTS: &[Row] = &[
    (
        "[\"webhook\", \"email\"]",
        "\"email\"",
        "routes.toml:5: route.via is text, expected a list in brackets, each \"email\" or \"webhook\"",
    ),
    (
        "[[route]]",
        "[route]\nlevel = \"red\"\nto = \"it\"\nvia = [\"email\"]\n[route]",
        "routes.toml:5: key \"route\" stands twice, expected each key once, several of a kind are written [[route]]",
    ),
    (
        "level = \"blue..red\"",
        "level = \"red..blue\"",
        "routes.toml:3: route.level is \"red..blue\", expected a level or a range of levels such as \"yellow..red\"",
    ),
    (
        "level = \"blue..red\"\n",
        "",
        "routes.toml:1: route has no level, expected a level or a range of levels such as \"yellow..red\"",
    ),
    (
        "{area}/duty",
        "it-duty",
        "routes.toml:4: to is \"it-duty\", who is not in contacts.csv, expected the id of a contact",
    ),
    (
        "{area}/duty",
        "twn/duty",
        "routes.toml:4: area \"twn\" is not in areas.geojson, expected the id of an area, did you mean \"town\"?",
    ),
    (
        "{area}/duty",
        "a/b/c",
        "routes.toml:4: route.to is \"a/b/c\", expected \"{area}/role\", \"area-id/role\" or a contact's id",
    ),
    (
        "[\"webhook\", \"email\"]",
        "[\"sms\"]",
        "routes.toml:5: route.via is \"sms\", expected \"email\" or \"webhook\"",
    ),
    (
        "[\"webhook\", \"email\"]",
        "[]",
        "routes.toml:1: route goes via no channel, expected via = [\"webhook\", \"email\"], or one of them",
    ),
    (
        "[\"webhook\", \"email\"]",
        "[\"email\", \"email\"]",
        "routes.toml:1: route names a channel twice, expected each channel once",
    ),
    (
        "hazard",
        "hours = \"8..18\"\nhazard",
        "routes.toml:2: route.hours is \"8..18\", expected local hours such as \"08:00..18:00\"",
    ),
    ("hazard", "language = \"fr\"\nhazard", "routes.toml:2: route.language is \"fr\", expected zh or en"),
    (
        "hazard",
        "hazrad",
        "routes.toml:2: unknown key \"hazrad\" in route, expected one of hazard, area, level, hours, language, to, via, did you mean \"hazard\"?",
    ),
    (
        "\"blue..red\"",
        "\"yellow..orange\"",
        "routes.toml: warning: nobody is told of \"flood\" blue, red in area town, add a route, or a contact with its role",
    ),
    (
        "hazard",
        "hours = \"08:00..18:00\"\nhazard",
        "routes.toml: warning: nobody is told of \"flood\" blue, yellow, orange, red at 00:00 in area town, add a route, or a contact with its role",
    ),
    (
        "[[route]]",
        "[[route]]\nlevel = \"red\"\nto = \"basin/mayr\"\nvia = [\"email\"]\n[[route]]",
        "routes.toml:3: no contact has role \"mayr\", so this route goes to nobody, expected one of duty, it, mayor, did you mean \"mayor\", or is it misspelt in contacts.csv?",
    ),
    (
        "[[route]]",
        "[[route]]\nhazard = \"flod\"\nlevel = \"red\"\nto = \"it\"\nvia = [\"email\"]\n[[route]]",
        "routes.toml:2: warning: no rule warns of hazard \"flod\", so this route carries nothing, did you mean \"flood\"?",
    ),
    (
        "[[route]]",
        "[[route]]\nlevel = \"red\"\nto = \"it\"\nvia = [\"webhook\"]\n[[route]]",
        "routes.toml:1: warning: this route goes to nobody, check roles, area, min_level and hours in contacts.csv, and via",
    ),
];

const CONTACT_FAULTS: &[Row] = &[
    (
        "it@example.org",
        "\"\"\"it\"\"@example.org\"",
        "contacts.csv:2: email is not a mail address, expected an address such as duty@example.org, without quotation marks or spaces",
    ),
    (
        "it@example.org",
        "\"\"\"a\r\nBcc: v@x\"\"@example.org\"",
        "contacts.csv:2: has a value of several lines, expected one line a value, is a quotation mark left open?",
    ),
    (
        "it@example.org",
        "it at example.org",
        "contacts.csv:2: email is not a mail address, expected an address such as duty@example.org, without quotation marks or spaces",
    ),
    ("it@example.org", "", "contacts.csv:2: has no address, expected email or webhook"),
    (
        "https://hooks",
        "http://hooks",
        "contacts.csv:3: has a webhook without TLS, expected https://, or webhook.plaintext = true for networks of webhook.allow, write plaintext = true and allow = [\"10.1.0.0/16\"] below [webhook] in forewarn.toml, with the receiver's network in place of 10.1.0.0/16",
    ),
    (
        "https://hooks.example.org/x",
        "http://127.0.0.1:9000/x?token=canary-7f3a91",
        "contacts.csv:3: has a webhook without TLS, expected https://, or webhook.plaintext = true for networks of webhook.allow, write plaintext = true and allow = [\"127.0.0.1/32\"] below [webhook] in forewarn.toml",
    ),
    (
        "https://hooks.example.org/x",
        "https://0x7f.1/x",
        "contacts.csv:3: has a webhook at a loopback address, to which nothing is sent, expected a public address, or one in a network of webhook.allow, write allow = [\"127.0.0.1/32\"] below [webhook] in forewarn.toml",
    ),
    (
        "https://hooks.example.org/x",
        "https://[fd00::7]/x",
        "contacts.csv:3: has a webhook at a private address, to which nothing is sent, expected a public address, or one in a network of webhook.allow, write allow = [\"fd00::7/128\"] below [webhook] in forewarn.toml",
    ),
    (
        "https://hooks.example.org/x",
        "https://localhost/x",
        "contacts.csv:3: has a webhook at a loopback address, to which nothing is sent, expected a public address, or one in a network of webhook.allow, write allow = [\"127.0.0.1/32\", \"::1/128\"] below [webhook] in forewarn.toml",
    ),
    (
        "https://hooks",
        "https://u:canary-7f3a91@hooks",
        "contacts.csv:3: webhook is not a plain web address, expected an address such as https://hooks.example.org/forewarn, without user, password or # in it",
    ),
    (
        "https://hooks",
        "ftp://hooks",
        "contacts.csv:3: webhook is not a plain web address, expected an address such as https://hooks.example.org/forewarn, without user, password or # in it",
    ),
    (
        "basin,zh",
        "basn,zh",
        "contacts.csv:3: area \"basn\" is not in areas.geojson, expected the id of an area, did you mean \"basin\"?",
    ),
    ("basin,zh", "basin,de", "contacts.csv:3: language is \"de\", expected zh or en"),
    (
        "/x,,,",
        "/x,purple,,",
        "contacts.csv:3: min_level is \"purple\", expected one of blue, yellow, orange, red",
    ),
    (
        "/x,,,",
        "/x,,,t-9",
        "contacts.csv:3: has one target_id for two addresses, expected a contact with one address, make two contacts of it, or leave target_id empty",
    ),
    (
        "duty;mayor",
        "dtuy;mayor",
        "routes.toml:4: no contact has role \"duty\", so this route goes to nobody, expected one of dtuy, it, mayor, did you mean \"dtuy\", or is it misspelt in contacts.csv?",
    ),
    (
        "duty;mayor",
        "du ty;mayor",
        "contacts.csv:3: roles has \"du ty\", expected a name of letters, digits, - _ . : (64 characters at most)",
    ),
    (
        "duty;mayor,basin,zh,duty@example.org,https://hooks.example.org/x,,,\n",
        "duty,basin,zh,duty@example.org,https://hooks.example.org/x,,,\nnight,Night,duti,basin,zh,n@example.org,,,,\n",
        "contacts.csv:4: warning: no route goes to role \"duti\", did you mean \"duty\"?",
    ),
    ("duty,Duty", "it,Duty", "contacts.csv:3: contact \"it\" stands twice, expected each id once"),
    (
        "it@example.org,,,,",
        "it@example.org,,,,t-1",
        "contacts.csv:3: target_id \"t-1\" is another contact's, expected each target_id once",
    ),
];

const DEVICE_FAULTS: &[Row] = &[
    (
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        CANARY,
        "devices.csv:2: secret_sha256 is no such digest, expected SHA-256 of a secret, 64 hexadecimal digits, as \"forewarn devices add\" writes it",
    ),
    (
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "devices.csv:2: secret_sha256 is no such digest, expected SHA-256 of a secret, 64 hexadecimal digits, as \"forewarn devices add\" writes it",
    ),
    (
        "a;b",
        "a;c",
        "devices.csv:2: station \"c\" is not in sensors.csv, expected a station, did you mean \"a\"?",
    ),
    ("a;b", "", "devices.csv:2: stations is empty, expected one station at least"),
    ("gw-1,a;b", "#", ""),
    (
        "gw-1,a;b",
        "a/#,a;b",
        "devices.csv:2: identity is \"a/#\", expected a name of letters, digits, - _ . : (64 characters at most)",
    ),
    (
        "gw-1,",
        "gw-1,a,9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\ngw-1,",
        "devices.csv:3: identity \"gw-1\" stands on line 2 already, expected each identity once",
    ),
];

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
fn faults_of_forewarn_toml() {
    check("forewarn.toml", MAIN_FAULTS);
}

#[test]
fn a_webhook_is_judged_by_what_the_administrator_allows() {
    let check = |settings: &str, url: &str, expected: &str| {
        let dir = sound();
        write(dir.path(), "forewarn.toml", format!("{MAIN}{settings}").as_bytes());
        let contacts = CONTACTS.replace("https://hooks.example.org/x", url);
        write(dir.path(), "contacts.csv", contacts.as_bytes());
        let said = match loads(dir.path(), &mut FreshIndices::default()) {
            Ok(_) => String::new(),
            Err(faults) => faults.to_string(),
        };
        assert_eq!(said, expected, "{settings} {url}");
    };
    let allowed = "plaintext = true\nallow = [\"10.1.0.0/16\", \"127.0.0.0/8\"]\n";
    check(allowed, "http://127.0.0.1:9000/x", "");
    check(allowed, "http://10.1.2.3/x", "");
    check(allowed, "https://10.1.2.3/x", "");
    check(allowed, "http://receiver.lan/x", "");
    check(
        allowed,
        "http://10.2.0.1/x",
        "contacts.csv:3: has a webhook at a private address, to which nothing is sent, expected a public address, or one in a network of webhook.allow, write allow = [\"10.1.0.0/16\", \"127.0.0.0/8\", \"10.2.0.1/32\"] below [webhook] in forewarn.toml",
    );
    check(
        allowed,
        "http://8.8.8.8/x",
        "contacts.csv:3: has a webhook without TLS outside webhook.allow, to which nothing is sent, expected https://, or an address in a network of webhook.allow, write allow = [\"10.1.0.0/16\", \"127.0.0.0/8\", \"8.8.8.8/32\"] below [webhook] in forewarn.toml",
    );
    check(
        "plaintext = true\n",
        "http://receiver.lan/x",
        "contacts.csv:3: has a webhook without TLS outside webhook.allow, to which nothing is sent, expected https://, or an address in a network of webhook.allow, write allow = [\"10.1.0.0/16\"] below [webhook] in forewarn.toml, with the receiver's network in place of 10.1.0.0/16",
    );
}

#[test]
fn memory_beyond_its_limit_is_a_fault() {
    let dir = sound();
    write(dir.path(), "forewarn.toml", format!("{MAIN}[limits]\nmemory_max = \"1 KiB\"\n").as_bytes());
    let said = loads(dir.path(), &mut FreshIndices::default()).expect_err("too much").to_string();
    assert!(
        said.starts_with("forewarn.toml: sensors and rules need ")
            && said.contains("expected 1.0 KiB at most"),
        "{said}"
    );
}

#[test]
fn faults_of_sensors_csv() {
    check("sensors.csv", SENSOR_FAULTS);
}

#[test]
fn faults_of_limits_csv() {
    check("limits.csv", LIMIT_FAULTS);
}

#[test]
fn faults_of_areas_geojson() {
    check("areas.geojson", AREA_FAULTS);
}

#[test]
fn faults_of_rules() {
    check("rules/river.toml", RULE_FAULTS);
}

#[test]
fn faults_of_routes_and_whom_nobody_tells() {
    check("routes.toml", ROUTE_FAULTS);
}

#[test]
fn faults_of_contacts_and_devices() {
    check("contacts.csv", CONTACT_FAULTS);
    check("devices.csv", DEVICE_FAULTS);
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
fn a_faulty_configuration_assigns_nothing() {
    #[derive(Default)]
    struct Counting(FreshIndices, usize);
    impl Assign for Counting {
        fn index(&mut self, kind: IndexKind, name: &str) -> u32 {
            self.1 += 1;
            self.0.index(kind, name)
        }
    }
    let dir = sound();
    let mut indices = Counting::default();
    write(dir.path(), "routes.toml", ROUTES.replace("{area}/duty", "nobody").as_bytes());
    assert!(loads(dir.path(), &mut indices).is_err());
    assert_eq!(indices.1, 0);
    write(dir.path(), "routes.toml", ROUTES.as_bytes());
    let loaded = loads(dir.path(), &mut indices).expect("sound");
    assert_eq!(indices.1, loaded.assignments.len());
    // What was assigned stays: an area in front of the others changes no index.
    let town = loaded.assignments.iter().find(|it| it.name == "town").expect("assigned").clone();
    let first = "\"features\": [\n{ \"type\": \"Feature\", \"properties\": { \"id\": \"aaa\", \"name_en\": \"A\" } },";
    write(dir.path(), "areas.geojson", AREAS.replacen("\"features\": [", first, 1).as_bytes());
    let again = loads(dir.path(), &mut indices).expect("sound");
    assert!(again.assignments.contains(&town));
}

#[test]
fn the_same_files_give_the_same_plan() {
    let dir = sound();
    let plan = || loads(dir.path(), &mut FreshIndices::default()).expect("sound").setup.plan.id();
    assert_eq!(plan(), plan());
}

#[cfg(unix)]
#[test]
fn a_secret_file_open_to_others_is_told_and_its_line_end_is_none_of_it() {
    use std::os::unix::fs::PermissionsExt;
    let dir = sound();
    let main = MAIN.replace("{ env = \"HOOK\" }", "{ file = \"hook\" }");
    write(dir.path(), "forewarn.toml", main.as_bytes());
    write(dir.path(), "hook", format!("{CANARY}-0123456789abcdef\r\n").as_bytes());
    let mode =
        |mode| fs::set_permissions(dir.path().join("hook"), fs::Permissions::from_mode(mode)).expect("set");
    mode(0o644);
    let loaded = loads(dir.path(), &mut FreshIndices::default()).expect("sound");
    let said: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("forewarn.toml:13: warning: secret file ")
            && said[0].contains("can be read by others")
    );
    assert!(!said[0].contains(CANARY));
    let secret = loaded.setup.webhook.secret.expect("is there");
    assert_eq!(secret.expose(), format!("{CANARY}-0123456789abcdef"));
    mode(0o600);
    assert_eq!(loads(dir.path(), &mut FreshIndices::default()).expect("sound").warnings, []);
}

#[test]
fn words_of_the_site_are_judged_too() {
    let dir = sound();
    write(dir.path(), "messages/en/words.toml", b"lang = \"en\"\n[hazards]\nflood = \"not a drill\"\n");
    let said = loads(dir.path(), &mut FreshIndices::default()).expect_err("banned").to_string();
    assert!(said.contains("messages/en/words.toml: \"not a drill\" may not stand in a message"), "{said}");
    let dir = sound();
    write(dir.path(), "rules/river.toml", RULE.replace("flood", "frost").as_bytes());
    write(dir.path(), "routes.toml", ROUTES.replace("flood", "frost").as_bytes());
    let loaded = loads(dir.path(), &mut FreshIndices::default()).expect("sound");
    let said: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said[0].starts_with("rules/river.toml:1: warning: hazard \"frost\" has no word in en"),
        "{said:?}"
    );
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

#[test]
fn without_a_broker_the_listener_is_on_and_on_loopback_only() {
    let dir = sound();
    let from = MAIN.find("[sources.lora]").expect("is there");
    let to = MAIN.find("[email]").expect("is there");
    write(dir.path(), "forewarn.toml", format!("{}{}", &MAIN[..from], &MAIN[to..]).as_bytes());
    let listener =
        loads(dir.path(), &mut FreshIndices::default()).expect("sound").setup.listener.expect("on");
    assert_eq!(
        (listener.bind.expect("plain").to_string().as_str(), listener.bind_tls),
        ("127.0.0.1:1883", None)
    );
}

/// The blocks of one kind in a page.
fn blocks<'p>(page: &'p str, kind: &str) -> Vec<&'p str> {
    let open = format!("```{kind}\n");
    page.split(open.as_str()).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn what_the_pages_show_is_a_sound_configuration() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = |name: &str| fs::read_to_string(root.join("docs").join(name)).expect(name);
    let (webhook, tried) = (page("webhook.md"), page("try.md"));
    let keys = forewarn::config::schema::schema("forewarn.toml").expect("it has a schema");
    let keys = keys["$defs"]["Webhook"]["properties"].as_object().expect("keys of [webhook]").keys();
    let unnamed: Vec<_> = keys.filter(|key| !webhook.contains(&format!("| `{key}` |"))).collect();
    assert!(unnamed.is_empty(), "docs/webhook.md does not name {unnamed:?}");

    // The example with the blocks of the page in the places it names.
    let dir = tempfile::tempdir().expect("a temporary directory");
    fs::create_dir(dir.path().join("rules")).expect("made");
    for file in
        ["areas.geojson", "sensors.csv", "limits.csv", "rules/river-level.toml", "rules/river-rise.toml"]
    {
        fs::copy(root.join("config").join(file), dir.path().join(file)).expect(file);
    }
    let example = |file: &str| fs::read_to_string(root.join("config").join(file)).expect(file);
    let settings = example("forewarn.toml");
    let (before, after) = (settings.find("[email]").expect("it"), settings.find("# The long").expect("it"));
    let block = blocks(&tried, "toml")[0].replace("FOREWARN_WEBHOOK_SECRET", "HOOK");
    let settings = format!("{}{block}{}", &settings[..before], &settings[after..]);
    write(dir.path(), "forewarn.toml", settings.as_bytes());
    let row = blocks(&tried, "csv")[0];
    let contacts = example("contacts.csv");
    let kept: String =
        contacts.split_inclusive('\n').filter(|line| !line.starts_with("town-duty,")).collect();
    write(dir.path(), "contacts.csv", format!("{kept}{row}").as_bytes());
    let routes = example("routes.toml").replacen("[\"email\"]", "[\"webhook\", \"email\"]", 1);
    write(dir.path(), "routes.toml", routes.as_bytes());
    let loaded = loads(dir.path(), &mut FreshIndices::default()).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(loaded.warnings, []);
    assert_eq!(loaded.setup.plan.targets.iter().flatten().count(), 5);
}
