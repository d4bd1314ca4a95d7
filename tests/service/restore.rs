//! A copy of a data directory wakes up beside the original, or behind it.

use std::fs;
use std::path::Path;
use std::process::Command;

use forewarn::app::control::{Request, Response, ask};
use forewarn::http::Health as _;
use forewarn::state::StateReader;
use forewarn_core::event::Input;
use forewarn_core::ids::Position;
use forewarn_core::warning::{About, TroubleCode};

use crate::broker::{hear, publish, troubles};
use crate::child::Running;
use crate::common::house::{Folder, level};
use crate::mosquitto::Mosquitto;
use crate::recorder::{Attempt, Mood, Recorder};
use crate::valley::{Gauges, counted, records, valley};

/// A gauge behind a broker whose session has a name of its own.
fn folder(recorder: &Recorder, broker: &Mosquitto) -> Folder {
    let port = broker.port;
    let source = format!(
        "[sources.river]\nmqtt = {{ url = \"mqtt://127.0.0.1:{port}\", topic = \"river/#\", client_id = \"the-county\" }}\ndecode = {{ format = \"json\" }}\n"
    );
    Folder::new(&recorder.url, &source)
}

/// Copies all of it, a running service beneath: new files, as out of a backup.
fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-r").arg(from).arg(to).status().expect("cp runs");
    assert!(done.success());
}

/// How many readings above a level the log holds.
fn above(folder: &Folder, metres: f64) -> usize {
    let inputs = records(&folder.data()).into_iter().flat_map(|record| record.inputs);
    inputs.filter(|input| matches!(input, Input::Reading(reading) if reading.value > metres)).count()
}

/// What went out about incidents, as key and words.
fn warned(recorder: &Recorder) -> Vec<(String, String)> {
    let warnings = recorder.seen().into_iter().filter(Attempt::is_warning);
    warnings.map(|it| (it.key, format!("{} {}", it.revision["kind"], it.revision["level"]["id"]))).collect()
}

async fn resume(folder: &Folder, dry_run: bool) -> Response {
    ask(&folder.data(), &Request::Resume { dry_run }).await.expect("the service answers")
}

#[tokio::test(flavor = "multi_thread")]
async fn restore_beside() {
    let Some(broker) = Mosquitto::open() else { return };
    let (ours, theirs) = (Recorder::start(Mood::Accepts).await, Recorder::start(Mood::Accepts).await);
    let (original, copied) = (folder(&ours, &broker), folder(&theirs, &broker));
    let first = original.start().await;
    hear(&original, broker.port).await;
    publish(broker.port, &[level("qj-1", 57.2)]).await;
    ours.wait_for_told(1).await;

    copy(&original.data(), &copied.data());
    let second = copied.start().await;
    theirs
        .wait_for("the trouble", |seen| seen.iter().any(|it| it.revision["trouble"]["code"] == "held"))
        .await;
    assert!(!second.desk().readiness().ready);
    assert_eq!(
        second.desk().readiness().reasons,
        [format!(
            "held since it was restored or copied, until `forewarn resume --data {}`",
            copied.data().display()
        )]
    );

    // Both hear the flood rise: neither has taken the other's session.
    let mut beats = 0;
    while above(&original, 59.0) == 0 || above(&copied, 59.0) == 0 {
        beats += 1;
        assert!(beats < 1_000, "one of them hears nothing of the broker");
        publish(broker.port, &[level("qj-1", 59.4)]).await;
    }
    ours.wait_for_told(2).await;
    assert_eq!(warned(&theirs), [], "held: nothing but trouble goes out");
    assert!(troubles(&original, TroubleCode::SourceDown).is_empty(), "the original's session was its own");

    let test = Request::NotifyTest { contacts: vec![], targets: vec![], note: String::new(), wait_ms: 100 };
    let refused = ask(&copied.data(), &test).await.expect("the service answers");
    assert!(!refused.done && refused.lines[0].starts_with("the service is held"), "{refused:?}");
    let would = resume(&copied, true).await;
    assert_eq!(would.lines, ["1 incident stands and would be told again:", "  flood@town red"]);
    assert_eq!(warned(&theirs), []);
    let resumed = resume(&copied, false).await;
    assert!(resumed.done, "{resumed:?}");
    assert_eq!(resume(&copied, false).await.lines, ["it is not held: nothing waits to be let go"]);
    // The copy may have been taken before the receipt of the yellow one; then it goes out once more.
    let red =
        |it: &Attempt| it.accepted && it.revision["kind"] == "update" && it.revision["level"]["id"] == "red";
    theirs.wait_for("the red update", |seen| seen.iter().any(red)).await;
    let (known, told) = (warned(&ours), warned(&theirs));
    assert_eq!(told.last().map(|(_, words)| words.as_str()), Some("\"update\" \"red\""));
    assert!(
        told.iter().all(|one| known.iter().all(|other| one.0 != other.0 || one.1 == other.1)),
        "a key has one meaning"
    );
    assert!(!known.iter().any(|(key, _)| Some(key) == told.last().map(|(key, _)| key)), "other keys");
    first.stop().await;
    second.stop().await;

    // Where it stands now is its place.
    let again = copied.start().await;
    assert!(again.desk().readiness().ready);
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projection_ahead_of_its_restored_log_is_rebuilt() {
    let Some(broker) = Mosquitto::open() else { return };
    let recorder = Recorder::start(Mood::Accepts).await;
    let (original, copied) = (folder(&recorder, &broker), folder(&recorder, &broker));
    let service = original.start().await;
    hear(&original, broker.port).await;
    publish(broker.port, &[level("qj-1", 57.2)]).await;
    recorder.wait_for_told(1).await;
    service.stop().await;
    // The log as it was then, all else from a later day.
    let early = original.path().join("log-then");
    copy(&original.data().join("log"), &early);
    let end = records(&original.data()).last().expect("a log").last();
    let service = original.start().await;
    publish(broker.port, &[level("qj-1", 58.3), level("qj-1", 59.4)]).await;
    recorder.wait_for_told(3).await;
    service.stop().await;
    copy(&original.data(), &copied.data());
    fs::remove_dir_all(copied.data().join("log")).expect("it was copied");
    copy(&early, &copied.data().join("log"));
    let cursor = || StateReader::open_read_only(&copied.data().join("state.db")).expect("it reads").cursor();
    assert!(cursor().expect("a cursor") > end, "ahead");

    let service = copied.start().await;
    let shown = || {
        let reader = StateReader::open_read_only(&copied.data().join("state.db")).expect("it reads");
        let standing = reader.active_warnings(10).expect("it reads");
        let floods = standing.into_iter().filter(|row| matches!(row.newest.about, About::Incident(_)));
        floods.map(|row| (row.newest.number, row.newest.level.to_string())).collect::<Vec<_>>()
    };
    assert_eq!(shown(), [(1, "yellow".to_owned())], "what the log knows of");
    assert!(troubles(&copied, TroubleCode::Rot).is_empty(), "another life's positions are not lost ones");
    assert_eq!(troubles(&copied, TroubleCode::Held), [true]);
    let positions: Vec<Position> = records(&copied.data()).iter().map(|record| record.first).collect();
    assert!(positions.contains(&end.next()), "the log goes on from its own end");
    service.stop().await;
}

/// Runs a command of the real binary, and gives what it printed.
fn forewarn(arguments: &[&str]) -> String {
    let run = Command::new(env!("CARGO_BIN_EXE_forewarn")).args(arguments).output().expect("it was built");
    assert!(run.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_taken_under_load_has_all_that_was_acknowledged_before_it() {
    let (ours, theirs) = (Recorder::start(Mood::Accepts).await, Recorder::start(Mood::Accepts).await);
    let (folder, mut publisher) = valley(&ours.url, 3);
    let (other, mut late) = valley(&theirs.url, 3);
    let mut gauges = Gauges::new();
    let running = Running::start(&folder).await;
    publisher.connect(running.mqtt()).await.expect("it has started");
    for metres in [57.2, 50.0, 50.0] {
        publisher.deliver(gauges.dated("g-0", metres)).await;
    }
    ours.wait_for_told(1).await;
    let acknowledged: Vec<u64> = publisher.acked.iter().map(|message| message.value.to_bits()).collect();

    let (data, backup) = (folder.data(), folder.path().join("backup"));
    let text = |path: &Path| path.to_str().expect("text").to_owned();
    let copying = {
        let (data, backup) = (text(&data), text(&backup));
        tokio::task::spawn_blocking(move || forewarn(&["backup", "--data", &data, "--to", &backup]))
    };
    while !copying.is_finished() {
        publisher.deliver(gauges.dated("g-1", 50.0)).await;
    }
    let said = copying.await.expect("it ran");
    assert!(said.starts_with("backed up to"), "{said}");

    let said = forewarn(&["restore", "--from", &text(&backup), "--data", &text(&other.data())]);
    assert!(said.contains("it is held at its first start"), "{said}");
    let counted = counted(&records(&other.data()));
    assert!(acknowledged.iter().all(|value| counted.get(value) == Some(&1)), "all of it once");
    forewarn(&["log", "verify", "--data", &text(&other.data())]);

    let restored = Running::start(&other).await;
    let (code, readiness) = restored.ask("GET /readyz", "", "").await;
    assert!(code == 503 && readiness.contains("held"), "{code} {readiness}");
    late.connect(restored.mqtt()).await.expect("it has started");
    late.deliver(gauges.dated("g-2", 59.4)).await;
    let would = forewarn(&["resume", "--dry-run", "--data", &text(&other.data())]);
    assert!(would.contains("flood@at-g-0 yellow") && would.contains("flood@at-g-2 red"), "{would}");
    assert_eq!(theirs.seen().iter().filter(|it| it.is_warning()).count(), 0);
    forewarn(&["resume", "--data", &text(&other.data())]);
    theirs.wait_for_told(2).await;
    restored.stop().await;
    running.stop().await;
}
