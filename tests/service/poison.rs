//! What no honest device sends, a second process, and what must never be told.

use std::fs;
use std::path::Path;

use forewarn::log::Record;
use forewarn_core::reading::{Flag, Marks};

use crate::child::Running;
use crate::common::house::{Folder, WEBHOOK_SECRET};
use crate::publisher::{Message, Publisher};
use crate::recorder::{Mood, Recorder};
use crate::valley::{Gauges, records, revisions, valley};

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comes {
    /// Nothing of it counts; its bytes are kept.
    Quarantined,
    /// Kept as a reading that failed its check.
    Failed,
    /// Kept as a reading that nobody judges.
    Unjudged,
}

/// A token that an integrator would hold.
const TOKEN: &str = "integrator-token-canary-7f3a9c-20e1b4-88d1";
/// A token that only the operator would hold.
const OPERATOR_TOKEN: &str = "operator-token-canary-51d2be-93af70-4c6e";

/// Adds the HTTP tokens to a folder's configuration.
fn with_tokens(folder: &Folder, decode: &str) {
    for (name, token) in [("token", TOKEN), ("operator-token", OPERATOR_TOKEN)] {
        use std::os::unix::fs::PermissionsExt as _;
        folder.write(name, token);
        let path = folder.config().join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its owner");
    }
    let toml = fs::read_to_string(folder.config().join("forewarn.toml")).expect("it is there");
    let at = folder.config();
    let http = format!(
        "http = {{ tokens = {{ lab = {{ file = \"{0}/token\" }} }}, operator_token = {{ file = \"{0}/operator-token\" }}, {decode}",
        at.display()
    );
    folder.write("forewarn.toml", &toml.replace("http = { ", &http));
}

fn crafted(payload: impl Into<String>) -> Message {
    Message { station: "g-0".into(), payload: payload.into(), value: f64::NAN }
}

/// What the newest record made of the message before it.
fn fate(records: &[Record]) -> Option<Comes> {
    let record = records.iter().rfind(|it| !it.flagged.is_empty() || !it.refused.is_empty())?;
    let Some(checked) = record.flagged.last() else { return Some(Comes::Quarantined) };
    match checked {
        it if it.flag == Flag::Fail => Some(Comes::Failed),
        it if it.reading.marks.has(Marks::UNJUDGED) => Some(Comes::Unjudged),
        _ => None,
    }
}

/// Each is acknowledged, so that it does not come again for ever; none is
/// believed; what follows is served.
async fn check(cases: Vec<(String, Comes)>) {
    let recorder = Recorder::start(Mood::Accepts).await;
    let (folder, mut publisher) = valley(&recorder.url, 1);
    let running = Running::start(&folder).await;
    publisher.connect(running.mqtt()).await.expect("it has started");
    for (payload, expected) in cases {
        let shown: String = payload.chars().take(60).collect();
        publisher.deliver(crafted(payload)).await;
        assert_eq!(fate(&records(&folder.data())), Some(expected), "{shown}");
    }
    assert!(revisions(&records(&folder.data())).is_empty(), "none is believed");
    publisher.deliver(Gauges::new().dated("g-0", 59.2)).await;
    recorder.wait_for_told(1).await;
    // And all of it can be read again.
    running.kill();
    let running = Running::start(&folder).await;
    running.stop().await;
}

fn reading(rest: &str) -> String {
    format!(r#"{{"station":"g-0",{rest}}}"#)
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_09_values_that_are_no_numbers() {
    check(vec![
        (reading(r#""level":NaN"#), Comes::Quarantined),
        (reading(r#""level":Infinity"#), Comes::Quarantined),
        (reading(r#""level":1e999"#), Comes::Quarantined),
        (reading(r#""level":-1e999"#), Comes::Quarantined),
        (reading(r#""level":"NaN""#), Comes::Quarantined),
        (reading(r#""level":1e308"#), Comes::Failed),
        (reading(r#""level":-1e308"#), Comes::Failed),
        (reading(r#""level":-0.0"#), Comes::Failed),
        (reading(r#""level":5e-324"#), Comes::Failed),
        (reading(r#""level":{}"#), Comes::Quarantined),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_11_json_ten_thousand_deep() {
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
    check(vec![
        (deep("[", "]"), Comes::Quarantined),
        (deep(r#"{"level":"#, "}"), Comes::Quarantined),
        // Well formed around it, and never closed.
        (reading(&format!(r#""level":59.5,"note":{}"#, deep("[", "]"))), Comes::Quarantined),
        ("[".repeat(10_000), Comes::Quarantined),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn times_without_sense_and_broken_texts_are_kept_aside() {
    check(vec![
        // It has spoken today: whatever claims to be of 1978 comes too late to be judged.
        (reading(r#""level":-0.0"#), Comes::Failed),
        (reading(r#""level":59.5,"time":9223372036854775807"#), Comes::Unjudged),
        (reading(r#""level":59.5,"time":18446744073709551615"#), Comes::Unjudged),
        (reading(r#""level":59.5,"time":253402300799"#), Comes::Unjudged),
        (reading(r#""level":59.5,"time":-9223372036854775808"#), Comes::Unjudged),
        (reading(r#""level":59.5,"time":1e300"#), Comes::Quarantined),
        (reading(r#""level":59.5,"time":NaN"#), Comes::Quarantined),
        (reading(r#""level":59.5,"time":"yesterday""#), Comes::Quarantined),
        (r#"{"station":"g-0\u0000","level":59.5}"#.into(), Comes::Quarantined),
        (r#"{"station":"g-\n[31m","level":59.5}"#.into(), Comes::Quarantined),
        (String::new(), Comes::Quarantined),
        ("\u{0}".into(), Comes::Quarantined),
    ])
    .await;
}

/// Another unit in mid-stream is converted, or refused; it is
/// never taken for the sensor's own.
#[tokio::test(flavor = "multi_thread")]
async fn abuse_18_unit_flips_in_mid_stream() {
    let recorder = Recorder::start(Mood::Accepts).await;
    let (folder, _) = valley(&recorder.url, 1);
    with_tokens(&folder, "decode = { format = \"senml\" }, ");
    let running = Running::start(&folder).await;
    let authorization = format!("Authorization: Bearer {TOKEN}\r\n");
    for (unit, value, code, kept) in [
        ("m", 50.0, 204, &[50.0][..]),
        ("mm", 50_100.0, 204, &[50.0, 50.1]),
        ("kg", 59.5, 422, &[50.0, 50.1]),
    ] {
        let body = format!(r#"[{{"bn":"g-0/","n":"level","u":"{unit}","v":{value}}}]"#);
        let (answered, said) = running.ask("POST /api/v1/readings", &authorization, &body).await;
        assert_eq!(answered, code, "{unit}: {said}");
        let records = records(&folder.data());
        let values: Vec<f64> = records.iter().flat_map(|it| &it.flagged).map(|it| it.reading.value).collect();
        let near = values.iter().zip(kept).all(|(value, kept)| (value - kept).abs() < 1e-9);
        assert!(near && values.len() == kept.len(), "{unit}: {values:?}, expected {kept:?}");
    }
    assert!(revisions(&records(&folder.data())).is_empty());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_47_second_process_on_one_data_directory() {
    let recorder = Recorder::start(Mood::Accepts).await;
    let (folder, mut publisher) = valley(&recorder.url, 1);
    let running = Running::start(&folder).await;
    let (status, said) = Running::spawn(&folder, "info").ended().await;
    assert_eq!(status.code(), Some(4), "{said}");
    assert!(said.contains("is in use by process"), "{said}");
    publisher.connect(running.mqtt()).await.expect("the first one serves on");
    publisher.deliver(Gauges::new().dated("g-0", 59.2)).await;
    recorder.wait_for_told(1).await;
    running.stop().await;
}

/// Secrets are in no answer, no metric, no line, however much is
/// logged, and in no file of the data directory.
#[tokio::test(flavor = "multi_thread")]
async fn abuse_43_secrets_are_told_nowhere() {
    let recorder = Recorder::start(Mood::Wavers).await;
    let (folder, _) = valley(&recorder.url, 1);
    with_tokens(&folder, "");
    let device = folder.add_device("gateway-1", "g-0");
    let mut publisher = Publisher::new("gateway-1", &device);
    let mut running = Running::spawn(&folder, "trace");
    running.started().await;
    publisher.connect(running.mqtt()).await.expect("it has started");
    publisher.deliver(Gauges::new().dated("g-0", 59.2)).await;
    recorder.wait_for_told(1).await;

    let mut said = String::new();
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    let reading = r#"{"station":"g-0","level":50}"#;
    let requests = [
        ("POST /api/v1/readings", bearer(TOKEN), reading, 204),
        // Each other's token, and one that is nobody's.
        ("POST /api/v1/readings", bearer(OPERATOR_TOKEN), reading, 401),
        ("POST /api/v1/reload", bearer(TOKEN), "", 401),
        ("POST /api/v1/reload", bearer("nobody's"), "", 401),
        ("POST /api/v1/reload", bearer(OPERATOR_TOKEN), "", 200),
        ("GET /metrics", String::new(), "", 200),
        ("GET /readyz", String::new(), "", 200),
    ];
    for (request, headers, body, code) in requests {
        let (answered, answer) = running.ask(request, &headers, body).await;
        assert_eq!(answered, code, "{request}: {answer}");
        said += &answer;
    }
    // A configuration at fault quotes what is wrong with it, and no secret.
    let toml = fs::read_to_string(folder.config().join("forewarn.toml")).expect("it is there");
    folder.write("forewarn.toml", &toml.replace("plaintext = true", "plaintext = 7"));
    let (answered, faults) = running.ask("POST /api/v1/reload", &bearer(OPERATOR_TOKEN), "").await;
    assert!(answered == 422 || answered == 409 || answered == 400, "{answered}: {faults}");
    said += &faults;
    let seen = format!("{:?}", recorder.seen());
    said.extend([seen, running.said()]);
    assert!(said.contains("\"TRACE\""), "all is logged that can be");
    running.stop().await;

    let bare = WEBHOOK_SECRET.trim_start_matches("whsec_");
    for secret in [TOKEN, OPERATOR_TOKEN, bare, &device] {
        let line = said.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "a secret is told: {line:?}");
        holds_not(&folder.data(), secret.as_bytes());
    }
}

/// No file below a folder holds these bytes.
fn holds_not(folder: &Path, secret: &[u8]) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            holds_not(&path, secret);
        } else if let Ok(bytes) = fs::read(&path) {
            let found = bytes.windows(secret.len()).any(|window| window == secret);
            assert!(!found, "a secret is in {}", path.display());
        }
    }
}
