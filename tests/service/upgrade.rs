//! The way back from an upgrade, and what a release says of what a later one left.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use forewarn::config::plan::Log as Settings;
use forewarn::log::{Appender as _, Lock, Log, Record, Stamp};
use forewarn_core::engine::ENGINE_VERSION;
use forewarn_core::event::Input;
use forewarn_core::ids::Position;
use forewarn_core::time::Span;

use crate::child::Running;
use crate::common::house::Folder;
use crate::recorder::{Mood, Recorder};
use crate::valley::{Gauges, records, valley};

/// A folder whose service has warned of one gauge and stopped.
async fn warned(recorder: &Recorder) -> Folder {
    let (folder, mut publisher) = valley(&recorder.url, 1);
    let running = Running::start(&folder).await;
    publisher.connect(running.mqtt()).await.expect("it has started");
    publisher.deliver(Gauges::new().dated("g-0", 57.2)).await;
    recorder.wait_for_told(1).await;
    running.stop().await;
    folder
}

fn snapshots(folder: &Folder) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.data().join("snapshots")).expect("a folder");
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    found.sort();
    found
}

/// `forewarn confirm-upgrade`: its exit code, and what it said.
fn confirm(folder: &Folder) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forewarn"));
    let done = command.args(["confirm-upgrade", "--data"]).arg(folder.data()).output().expect("it runs");
    let said = [done.stdout, done.stderr].concat();
    (done.status.code(), String::from_utf8(said).expect("UTF-8"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_keeps_the_last_snapshot_before_it_until_it_is_confirmed() {
    let recorder = Recorder::start(Mood::Accepts).await;
    let folder = warned(&recorder).await;
    let before = snapshots(&folder).pop().expect("one of the release before");
    // As the release before would have left it.
    fs::write(folder.data().join("release"), r#"{"release":"0.0.9"}"#).expect("writable");
    for _ in 0..3 {
        // Each life leaves a snapshot of its own, and two of them are kept.
        let running = Running::start(&folder).await;
        assert!(running.said().contains("kept until the upgrade is confirmed"), "{}", running.said());
        running.stop().await;
    }
    let there = snapshots(&folder);
    assert_eq!((there.len(), there.contains(&before)), (3, true), "{there:?}");

    let running = Running::start(&folder).await;
    let (code, said) = confirm(&folder);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("the upgrade from 0.0.9 is confirmed"), "{said}");
    let (code, said) = confirm(&folder);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("no upgrade waits to be confirmed"), "{said}");
    running.stop().await;
    let there = snapshots(&folder);
    assert_eq!((there.len(), there.contains(&before)), (2, false), "{there:?}");
    let running = Running::start(&folder).await;
    assert!(!running.said().contains("upgraded"), "{}", running.said());
    running.stop().await;
}

/// Makes a snapshot look as if a later engine had taken it.
fn age(path: &Path) {
    const HEADER: usize = 8 + 4 + 8 + 32 + 4;
    let mut bytes = fs::read(path).expect("readable");
    bytes[8..12].copy_from_slice(&(ENGINE_VERSION + 1).to_le_bytes());
    let mut sum = crc32fast::Hasher::new();
    sum.update(&bytes[..HEADER - 4]);
    sum.update(&bytes[HEADER..]);
    bytes[HEADER - 4..HEADER].copy_from_slice(&sum.finalize().to_le_bytes());
    fs::write(path, bytes).expect("writable");
}

/// Appends a record as a later engine would.
fn append_later(folder: &Folder) -> Position {
    let last = records(&folder.data()).pop().expect("records");
    let settings =
        Settings { segment_bytes: 4 << 20, keep: Span::from_hours(1), gap: Span::ZERO, reserve_segments: 1 };
    let lock = Lock::take(&folder.data()).expect("nobody runs");
    let (mut log, _) = Log::open(lock, &settings, Stamp::Live, last.last()).expect("a sound log");
    let first = log.next();
    let later = Record {
        first,
        engine: ENGINE_VERSION + 1,
        inputs: vec![Input::Tick],
        decisions: vec![],
        flagged: vec![],
        refused: vec![],
        ..last
    };
    log.append(later.into()).expect("there is room");
    first
}

#[tokio::test(flavor = "multi_thread")]
async fn a_downgrade_says_what_it_does_not_read_and_what_stands_stays() {
    let recorder = Recorder::start(Mood::Accepts).await;
    let folder = warned(&recorder).await;
    let newest = snapshots(&folder).pop().expect("its last one");
    age(&newest);
    let position = append_later(&folder);

    let mut running = Running::start(&folder).await;
    let told = |part: &str| recorder.seen().iter().any(|it| it.revision.to_string().contains(part));
    let (own, later) = (ENGINE_VERSION, ENGINE_VERSION + 1);
    let of_records = format!("自位置 {} 起的记录由引擎版本 {later} 写成，本版本为 {own}", position.0);
    let of_snapshot = format!("{} 由引擎版本 {later} 写成，本版本为 {own}", newest.display());
    recorder.wait_for("both are told", |_| told(&of_records) && told(&of_snapshot)).await;
    // What was decided stands: the gauge goes on to red, of the same warning.
    let mut publisher = crate::publisher::Publisher::new("gateway-1", &folder.add_device("gateway-1", "g-0"));
    running.hang_up().await;
    publisher.connect(running.mqtt()).await.expect("it serves");
    publisher.deliver(Gauges::new().dated("g-0", 59.2)).await;
    recorder.wait_for_told(2).await;
    assert_eq!(recorder.told()[1], ("update".to_owned(), "red".to_owned(), 2), "of the same warning");
    running.stop().await;
}
