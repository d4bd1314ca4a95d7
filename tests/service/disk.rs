//! A full disk, on a small file system of its own.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use forewarn_core::event::Input;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use crate::child::Running;
use crate::common::house::{Folder, PATIENCE, wait_for};
use crate::publisher::{Message, Publisher};
use crate::recorder::{Attempt, Mood, Recorder};
use crate::valley::{Gauges, counted, records, valley};

/// What the service must take at most, once there is room again.
const RESUMED_WITHIN: Duration = Duration::from_secs(10);

/// Attempts at a delivery in so many seconds as three intervals of the gauges
/// take: were our stop taken for their silence, it would be told by then.
const ATTEMPTS: usize = 5;

/// Bytes of one message that nobody understands and that is kept in quarantine.
const JUNK_BYTES: usize = 16 * 1024;

/// Bytes of the note of one test of notification.
const NOTE_BYTES: usize = 48 * 1024;

/// Messages on their way at once.
const WAITING_MAX: usize = 64;

/// A mounted file system of a few MiB; gone with the test.
struct Small(PathBuf);

impl Small {
    /// `None` where this user may not mount: the test is skipped, saying so;
    /// where `CI=true`, that is a failure.
    fn mount(at: &Path) -> Option<Small> {
        fs::create_dir_all(at).expect("writable");
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs"]).arg(at).output();
        if mount.is_ok_and(|done| done.status.success()) {
            return Some(Small(at.to_owned()));
        }
        crate::skip::skip("a tmpfs cannot be mounted here", "run as root, with CAP_SYS_ADMIN");
        None
    }

    /// Takes all the room there is.
    fn fill(&self) {
        let mut filler = File::options().create(true).append(true).open(self.filler()).expect("writable");
        for size in [1 << 20, 1 << 12] {
            let zeroes = vec![0; size];
            while filler.write_all(&zeroes).is_ok() {}
        }
    }

    /// Takes so much room that it is so many per cent full.
    fn fill_to(&self, percent: u64) {
        let mut filler = File::options().create(true).append(true).open(self.filler()).expect("writable");
        let zeroes = [0; 1 << 12];
        let disk = || rustix::fs::statvfs(&self.0).expect("a file system");
        while 100 - disk().f_bavail * 100 / disk().f_blocks < percent {
            filler.write_all(&zeroes).expect("there is room");
        }
    }

    /// Gives it back.
    fn free(&self) {
        fs::remove_file(self.filler()).expect("it was filled");
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // The test is over; lazily, should anything of it still be open.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// History *full-disk*.
#[tokio::test(flavor = "multi_thread")]
async fn full_disk_stops_readings_and_not_warnings() {
    let recorder = Recorder::start(Mood::Refuses).await;
    let (folder, mut publisher) = house(&recorder);
    let Some(disk) = Small::mount(&folder.data()) else { return };
    let mut gauges = Gauges::new();
    let mut running = Running::spawn(&folder, "info");
    running.started().await;
    publisher.connect(running.mqtt()).await.expect("it has started");
    publisher.deliver(gauges.dated("g-0", 59.2)).await;
    recorder.wait_for("a first attempt", |seen| seen.iter().any(Attempt::is_warning)).await;

    until_full(&disk, &running, &mut publisher, &mut gauges).await;
    let late = gauges.dated("g-1", 59.3);
    publisher.send(late.clone()).await.expect("it serves");
    let begun = Instant::now();
    loop {
        let (code, readiness) = running.ask("GET /readyz", "", "").await;
        if code == 503 && readiness.contains("no room on the disk") {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{code} {readiness}");
    }

    // The warning that waits leaves, and others are tried as ever.
    let before = recorder.seen().len();
    recorder.wait_for("it goes on trying", |seen| seen.len() >= before + ATTEMPTS).await;
    recorder.turns(Mood::Accepts);
    recorder.wait_for_told(1).await;
    wait_for("the outcome is in the log", || {
        let records = records(&folder.data());
        records.iter().flat_map(|it| &it.inputs).any(|it| matches!(it, Input::Outcome(_))).then_some(())
    })
    .await;
    // The service may have found a last corner for it, and was then full all the same.
    for _ in 0..publisher.waiting() {
        hear_or_look(&mut publisher, &running).await;
    }
    let is_logged = counted(&records(&folder.data())).contains_key(&late.value.to_bits());
    assert_eq!(publisher.acked.contains(&late), is_logged, "acknowledged without room for it, or not at all");
    assert!(publisher.waiting() > 0, "it takes no more");

    disk.free();
    let freed = Instant::now();
    publisher.acknowledged().await;
    assert!(freed.elapsed() < RESUMED_WITHIN, "resumed after {:?}", freed.elapsed());
    recorder.wait_for_told(2).await;
    running.stop().await;

    let counted = counted(&records(&folder.data()));
    let known = publisher.acked.iter().filter(|message| message.payload.starts_with('{'));
    let wrong: Vec<_> = known.filter(|it| counted.get(&it.value.to_bits()) != Some(&1)).collect();
    assert!(wrong.is_empty(), "acknowledged, and not counted once: {wrong:#?}");
    let silent: Vec<_> =
        recorder.seen().into_iter().filter(|it| it.revision["trouble"]["code"] == "sensor-silent").collect();
    assert!(silent.is_empty(), "our stop is no sensor's silence: {silent:#?}");
}

/// Control inputs may use the reserve; when that is gone as well, all stands
/// still, nothing is lost, and all goes on with the first room there is.
#[tokio::test(flavor = "multi_thread")]
async fn full_disk_to_the_last_reserve_stands_still_and_goes_on() {
    let recorder = Recorder::start(Mood::Accepts).await;
    let (folder, mut publisher) = house(&recorder);
    let Some(disk) = Small::mount(&folder.data()) else { return };
    let mut gauges = Gauges::new();
    let mut running = Running::spawn(&folder, "info");
    running.started().await;
    publisher.connect(running.mqtt()).await.expect("it has started");
    until_full(&disk, &running, &mut publisher, &mut gauges).await;

    let test = serde_json::json!({ "do": "notify-test", "contacts": [], "note": "?".repeat(NOTE_BYTES) });
    let mut asked = vec![];
    while !running.said().contains("full to the last reserve") {
        disk.fill();
        let mut socket = UnixStream::connect(folder.data().join("control.sock")).await.expect("it serves");
        socket.write_all(format!("{test}\n").as_bytes()).await.expect("it serves");
        let mut answer = [0; 1];
        // An answer, or none because all stands still.
        let answered = tokio::time::timeout(Duration::from_millis(500), socket.read(&mut answer)).await;
        drop(answered);
        asked.push(socket);
        assert!(asked.len() < 200, "the reserve does not end");
    }
    let (code, _) = running.ask("GET /readyz", "", "").await;
    assert_eq!(code, 503);

    disk.free();
    publisher.acknowledged().await;
    publisher.deliver(gauges.dated("g-1", 59.3)).await;
    let is_red = |seen: &[Attempt]| seen.iter().any(|it| it.revision["area"]["id"] == "at-g-1");
    recorder.wait_for("a warning, as ever", is_red).await;
    running.stop().await;
    let tests = recorder.seen().iter().filter(|it| it.revision["about"] == "notify-test").count();
    assert_eq!(tests, asked.len(), "none was lost while all stood still");
}

/// Fills the disk, and the log's last room for readings with what a confused sender sends.
async fn until_full(disk: &Small, running: &Running, publisher: &mut Publisher, gauges: &mut Gauges) {
    let is_full = || running.said().contains("no room on the disk");
    let mut sent = 0;
    while !is_full() {
        disk.fill();
        publisher.send(junk()).await.expect("it serves");
        publisher.send(gauges.dated("g-0", 59.2)).await.expect("it serves");
        sent += 2;
        assert!(sent < 20_000, "the disk does not become full");
        while publisher.waiting() > WAITING_MAX && !is_full() {
            hear_or_look(publisher, running).await;
        }
    }
}

/// Two gauges that are awaited every second, and the smallest segments.
fn house(recorder: &Recorder) -> (Folder, Publisher) {
    let (folder, publisher) = valley(&recorder.url, 2);
    let change = |name: &str, from: &str, to: &str| {
        let text = fs::read_to_string(folder.config().join(name)).expect("it is there");
        assert!(text.contains(from), "{name} holds {from}");
        folder.write(name, &text.replace(from, to));
    };
    change("sensors.csv", "5 min,30 min", "1 s,2 s");
    change("forewarn.toml", "4 MiB", "1 MiB");
    (folder, publisher)
}

fn junk() -> Message {
    Message { station: "g-0".into(), payload: "?".repeat(JUNK_BYTES), value: 0.0 }
}

/// Takes in an acknowledgement if one comes within a moment.
async fn hear_or_look(publisher: &mut Publisher, running: &Running) {
    let heard = tokio::time::timeout(Duration::from_millis(20), publisher.hear()).await;
    if let Ok(heard) = heard {
        heard.unwrap_or_else(|error| panic!("{error}:\n{}", running.said()));
    }
}

/// A disk that fills is told while there is still time, and again when there is room.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_is_told_before_it_is_full() {
    let recorder = Recorder::start(Mood::Accepts).await;
    let (folder, _) = house(&recorder);
    let Some(disk) = Small::mount(&folder.data()) else { return };
    Running::start(&folder).await.stop().await;
    disk.fill_to(95);
    let running = Running::start(&folder).await;
    let is_told = |kind: &'static str| {
        move |seen: &[Attempt]| {
            seen.iter().any(|it| {
                it.revision["trouble"]["code"] == "disk-low"
                    && it.revision["trouble"]["subject"] == "disk"
                    && it.revision["kind"] == kind
            })
        }
    };
    let seen = recorder.wait_for("it is told", is_told("alert")).await;
    let told = seen.iter().find(|it| it.revision["trouble"]["code"] == "disk-low").expect("it was told");
    assert!(told.revision.to_string().contains("磁盘写满后不再接收数据"), "{}", told.revision);
    running.stop().await;
    disk.free();
    let running = Running::start(&folder).await;
    recorder.wait_for("it is over", is_told("all-clear")).await;
    running.stop().await;
}
