//! What the fuzzers of `fuzz/` feed: one function a way by which bytes come in
//! from outside. Each takes any bytes, and must neither panic nor take more
//! time or memory than they are worth. `tests/fuzz_corpus.rs` runs the kept
//! corpus through all of them.

use std::path::Path;
use std::sync::Arc;

use forewarn_core::engine::Engine;
use forewarn_core::level::Status;
use forewarn_core::plan::{Plan, PlanId};
use forewarn_core::time::Timestamp;

use crate::config::names::FreshIndices;
use crate::config::targets::TargetIds;
use crate::config::{Request, load};
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
    let cut = bytes.iter().position(|byte| *byte == 0).unwrap_or(0);
    let topic = String::from_utf8_lossy(&bytes[..cut]);
    let message = Message { topic: &topic, payload: &bytes[cut..], received: RECEIVED, retained: false };
    for (_, example) in AnyFormat::KINDS {
        let decode: toml::Table = example.parse().expect("an example is TOML");
        let mut table = decode["decode"].as_table().expect("of a decode table").clone();
        let kind = table.remove("format").expect("with a format");
        let read = AnyFormat::read(kind.as_str().expect("a name"), table).expect("that is known");
        let format = read.expect("an example reads");
        // A refusal is as good an end as any.
        let _ = format.as_dyn().decode(&mut Session::default(), &message, &mut Everything(0));
    }
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
    let request = Request { dir: &dir, data: None, status: Status::Exercise, at: RECEIVED, env: &|_| None };
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
