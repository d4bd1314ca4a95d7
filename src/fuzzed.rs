//! What the fuzzers of `fuzz/` feed: one function a way by which bytes come in
//! from outside. Each takes any bytes, and must neither panic nor take more
//! time or memory than they are worth. `tests/fuzz_corpus.rs` runs the kept
//! corpus through all of them.

use std::path::Path;
use std::sync::Arc;

use forewarn_core::engine::Engine;
use forewarn_core::plan::{Plan, PlanId};
use forewarn_core::time::Timestamp;

use crate::config::names::FreshIndices;
use crate::config::targets::TargetIds;
use crate::config::{Purpose, Request, load};
use crate::formats::{AnyFormat, Decoded, Message, Offered, Session, Sink};
use crate::ingest::listener;
use crate::log;

/// A way in, by its name.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[
    ("packet", packet),
    ("payload", payload),
    ("record", record),
    ("snapshot", snapshot),
    ("configuration", configuration),
];

/// When every message is received.
const RECEIVED: Timestamp = Timestamp::from_secs(1_782_892_800);

/// What a client sends to the listener: the first byte says whether it has connected yet, and how.
pub fn packet(bytes: &[u8]) {
    listener::read_any(bytes);
}

/// A message of every format; what stands before the first NUL is its topic.
pub fn payload(bytes: &[u8]) {
    read_payload(bytes);
}

/// Settings that read what the examples of the formats do not.
const SETTINGS: [&str; 3] = [
    r#"decode = { format = "json" }"#,
    r#"decode = { format = "json", topic = "{station}/{quantity}" }"#,
    r#"decode = { format = "chirpstack" }"#,
];

/// How many readings the formats find together.
fn read_payload(bytes: &[u8]) -> usize {
    let (topic, payload) = match bytes.iter().position(|byte| *byte == 0) {
        Some(nul) => (&bytes[..nul], &bytes[nul + 1..]),
        None => (&[][..], bytes),
    };
    let topic = String::from_utf8_lossy(topic);
    let message = Message { topic: &topic, payload, received: RECEIVED, retained: false };
    let mut found = Everything(0);
    for settings in AnyFormat::KINDS.iter().map(|(_, example)| *example).chain(SETTINGS) {
        let decode: toml::Table = settings.parse().expect("settings are TOML");
        let mut table = decode["decode"].as_table().expect("of a decode table").clone();
        let kind = table.remove("format").expect("with a format");
        let read = AnyFormat::read(kind.as_str().expect("a name"), table).expect("that is known");
        let format = read.expect("the settings read");
        // A refusal is as good an end as any.
        let _ = format.as_dyn().decode(&mut Session::default(), &message, &mut found);
    }
    found.0
}

/// A record of the log, as recovery meets it.
pub fn record(bytes: &[u8]) {
    if let Ok(record) = log::decode(bytes) {
        // What is understood can be written, and means the same.
        let mut again = Vec::new();
        log::encode(&record, &mut again);
        assert!(log::decode(&again).is_ok(), "what was read cannot be read again");
    }
}

/// A snapshot of the engine, and a plan, as a start meets them.
pub fn snapshot(bytes: &[u8]) {
    if let Ok(engine) = Engine::from_bytes(bytes, PlanId::default(), &Arc::new(Plan::default())) {
        let _ = engine.to_bytes();
    }
    if let Ok(plan) = Plan::from_bytes(bytes) {
        let _ = plan.to_bytes();
    }
}

/// One file of a configuration; the first byte says which, the others are the example's.
pub fn configuration(bytes: &[u8]) {
    const FILES: [(&str, &str); 7] = [
        ("forewarn.toml", include_str!("../config/forewarn.toml")),
        ("sensors.csv", include_str!("../config/sensors.csv")),
        ("limits.csv", include_str!("../config/limits.csv")),
        ("areas.geojson", include_str!("../config/areas.geojson")),
        ("routes.toml", include_str!("../config/routes.toml")),
        ("contacts.csv", include_str!("../config/contacts.csv")),
        ("rules/river-level.toml", include_str!("../config/rules/river-level.toml")),
    ];
    let Some((which, text)) = bytes.split_first() else { return };
    let dir = std::env::temp_dir().join(format!("forewarn-fuzz-{}", std::process::id()));
    let changed = FILES[usize::from(*which) % FILES.len()].0;
    for (name, example) in FILES {
        let text = if name == changed { text } else { example.as_bytes() };
        put(&dir.join(name), text);
    }
    let request = Request { dir: &dir, data: None, purpose: Purpose::Play, at: RECEIVED, env: &|_| None };
    if let Err(faults) = load(&request, &mut FreshIndices::default(), &mut TargetIds::counted()) {
        let _ = faults.to_string();
    }
}

fn put(path: &Path, text: &[u8]) {
    std::fs::create_dir_all(path.parent().expect("in a folder")).expect("a folder for it");
    std::fs::write(path, text).expect("writable");
}

/// Takes all that a format finds.
struct Everything(usize);

impl Sink for Everything {
    fn reading(&mut self, reading: Decoded<'_>) {
        assert!(reading.value.is_finite(), "a value that is none: {reading:?}");
        self.0 += 1;
    }

    fn offer(&mut self, reading: Decoded<'_>) -> Offered {
        self.reading(reading);
        Offered::Taken
    }

    fn knows(&self, _: &str, _: &str) -> bool {
        true
    }

    fn fault(&mut self, reason: String) {
        assert!(!reason.is_empty(), "a fault without a reason");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_read_with_its_topic_and_without() {
        for payload in [
            &br#"{"station":"qj-1","level":64.2}"#[..],
            b"river/qj-1\0{\"station\":\"qj-1\",\"level\":64.2}",
            b"qj-1/level\x0064.2",
            b"\0river,station=qj-1 level=64.2",
        ] {
            assert!(read_payload(payload) > 0, "{}", String::from_utf8_lossy(payload));
        }
    }
}
