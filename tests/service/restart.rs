//! Stops, crashes and power cuts in the middle of an incident.

use std::fs;
use std::path::Path;

use forewarn::log::{FrameIs, FrameSeen, Frames};
use forewarn_core::event::Input;

use crate::child::Running;
use crate::common::house::{Folder, wait_for};
use crate::publisher::Publisher;
use crate::recorder::{Attempt, Mood, Recorder};
use crate::valley::{Gauges, counted, outcomes, records, revisions, valley};

/// How a life of the service ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Stop,
    Crash,
}

impl End {
    async fn of(self, running: Running) {
        match self {
            End::Stop => running.stop().await,
            End::Crash => running.kill(),
        }
    }
}

pub(crate) async fn next_life(folder: &Folder, publisher: &mut Publisher) -> Running {
    let running = Running::start(folder).await;
    publisher.connect(running.mqtt()).await.expect("it has started");
    running
}

/// The kind, level and number of each warning that was accepted, in words.
fn told(recorder: &Recorder) -> Vec<String> {
    recorder.told().into_iter().map(|(kind, level, number)| format!("{kind} {level} {number}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_goes_on_where_it_was_after_a_stop_and_after_a_crash() {
    for end in [End::Stop, End::Crash] {
        let recorder = Recorder::start(Mood::Accepts).await;
        let (folder, mut publisher) = valley(&recorder.url, 1);
        let mut gauges = Gauges::new();

        let running = next_life(&folder, &mut publisher).await;
        publisher.deliver(gauges.dated("g-0", 57.2)).await;
        recorder.wait_for_told(1).await;
        wait_for("the outcome in the log", || (outcomes(&folder.data()) > 0).then_some(())).await;
        end.of(running).await;

        // The same level again: nothing to tell.
        let running = next_life(&folder, &mut publisher).await;
        publisher.deliver(gauges.dated("g-0", 57.3)).await;
        end.of(running).await;

        // A higher one: an update of the same warning to the same target.
        let running = next_life(&folder, &mut publisher).await;
        publisher.deliver(gauges.dated("g-0", 59.2)).await;
        recorder.wait_for_told(2).await;
        running.stop().await;

        assert_eq!(told(&recorder), ["alert yellow 1", "update red 2"], "{end:?}");
        let seen = recorder.seen();
        let warnings: Vec<_> = seen.iter().filter(|attempt| attempt.is_warning()).collect();
        assert_eq!(warnings[0].revision["warning"], warnings[1].revision["warning"], "{end:?}");
        let revisions = revisions(&records(&folder.data()));
        assert_eq!(revisions[0].due, revisions[1].due, "{end:?}: the same targets");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_delivered_before_a_crash_is_delivered_after_it_under_its_key() {
    let recorder = Recorder::start(Mood::Refuses).await;
    let (folder, mut publisher) = valley(&recorder.url, 1);
    let running = next_life(&folder, &mut publisher).await;
    publisher.deliver(Gauges::new().dated("g-0", 59.2)).await;
    let is_warning = |seen: &[Attempt]| seen.iter().any(Attempt::is_warning);
    recorder.wait_for("a first attempt", is_warning).await;
    running.kill();

    recorder.turns(Mood::Accepts);
    let running = Running::start(&folder).await;
    recorder.wait_for_told(1).await;
    running.stop().await;
    let seen = recorder.seen();
    let keys: Vec<_> = seen.iter().filter(|it| it.is_warning()).map(|it| &it.key).collect();
    assert!(keys.len() >= 2 && keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert_eq!(told(&recorder), ["alert red 1"]);
}

/// History *synced-unacked*.
#[tokio::test(flavor = "multi_thread")]
async fn synced_unacked_a_measurement_sent_again_is_one_reading() {
    for dated in [true, false] {
        let recorder = Recorder::start(Mood::Accepts).await;
        let (folder, mut publisher) = valley(&recorder.url, 1);
        let rule = fs::read_to_string(folder.config().join("rules/river.toml")).expect("it is there");
        folder.write("rules/river.toml", &format!("{rule}raise = {{ default = \"2 of 3\" }}\n"));
        let mut gauges = Gauges::new();
        let mut reading =
            |metres| if dated { gauges.dated("g-0", metres) } else { gauges.undated("g-0", metres) };

        let running = next_life(&folder, &mut publisher).await;
        publisher.deliver(reading(59.2)).await;
        running.kill();
        // The sync was the last thing it did: its PUBACK never arrived.
        publisher.was_not_told(1);
        let running = next_life(&folder, &mut publisher).await;
        publisher.acknowledged().await;
        let once = records(&folder.data());
        let counts: Vec<_> = counted(&once).into_values().collect();
        assert_eq!(counts, [1], "dated: {dated}");
        assert_eq!(once.iter().map(|record| record.flagged.len()).sum::<usize>(), 2, "it did come twice");
        assert!(revisions(&once).is_empty(), "dated: {dated}: one measurement is not two of three");

        publisher.deliver(reading(59.3)).await;
        recorder.wait_for_told(1).await;
        running.stop().await;
        assert_eq!(told(&recorder), ["alert red 1"], "dated: {dated}");
    }
}

/// History *torn-tail*: power goes in the middle of a record.
#[tokio::test(flavor = "multi_thread")]
async fn torn_tail_is_cut_off_and_what_was_in_it_comes_again() {
    let recorder = Recorder::start(Mood::Refuses).await;
    let (folder, mut publisher) = valley(&recorder.url, 1);
    let mut gauges = Gauges::new();
    let running = next_life(&folder, &mut publisher).await;
    publisher.deliver(gauges.dated("g-0", 50.0)).await;
    running.stop().await;
    let before = folder.path().join("before");
    copy_folder(&folder.data(), &before);

    let running = next_life(&folder, &mut publisher).await;
    publisher.deliver(gauges.dated("g-0", 59.2)).await;
    running.kill();
    let crossing = frames(&folder.data()).into_iter().find(|frame| holds_alert(&folder.data(), frame));
    let crossing = crossing.expect("the crossing is in the log");
    let written = fs::read(folder.data().join(&crossing.file)).expect("readable");
    publisher.was_not_told(1);
    // What came up again before it was written has no part in this.
    recorder.turns(Mood::Accepts);

    for kept in [1, 20, crossing.bytes / 2, crossing.bytes - 9] {
        let torn = folder.path().join(format!("torn-{kept}"));
        copy_folder(&before, &torn);
        // The log as the disk has it when power goes after so many bytes of that record.
        let mut bytes = written.clone();
        bytes[(crossing.offset + kept) as usize..].fill(0);
        fs::write(torn.join(&crossing.file), bytes).expect("writable");
        let _ = fs::remove_dir_all(folder.data());
        fs::rename(&torn, folder.data()).expect("in its place");

        let heard = recorder.seen().len();
        let running = next_life(&folder, &mut publisher).await;
        publisher.acknowledged().await;
        recorder
            .wait_for(&format!("the alert, {kept} bytes kept"), |seen| {
                seen[heard..].iter().any(|attempt| attempt.accepted && attempt.is_warning())
            })
            .await;
        running.stop().await;
        let records = records(&folder.data());
        assert_eq!(revisions(&records).len(), 1, "{kept} bytes kept: one warning");
        assert!(counted(&records).into_values().all(|times| times == 1), "{kept} bytes kept");
        publisher.was_not_told(1);
    }
}

/// History *rotten-last*: the last record rots while the machine is off. It is
/// told as rot, and what was decided in it stands.
#[tokio::test(flavor = "multi_thread")]
async fn rotten_last_is_told_as_rot_and_not_cut_as_a_tear() {
    for end in [End::Stop, End::Crash] {
        let recorder = Recorder::start(Mood::Refuses).await;
        let (folder, mut publisher) = valley(&recorder.url, 1);
        let mut gauges = Gauges::new();
        let running = next_life(&folder, &mut publisher).await;
        publisher.deliver(gauges.dated("g-0", 57.2)).await;
        let is_warning = |seen: &[Attempt]| seen.iter().any(Attempt::is_warning);
        recorder.wait_for("an attempt at the alert", is_warning).await;
        end.of(running).await;
        flip_a_bit(&folder.data(), &frames(&folder.data()).pop().expect("records"));

        recorder.turns(Mood::Accepts);
        let running = next_life(&folder, &mut publisher).await;
        recorder.wait_for_told(1).await;
        publisher.deliver(gauges.dated("g-0", 59.2)).await;
        recorder.wait_for_told(2).await;
        wait_for_rot(&recorder).await;
        running.stop().await;
        assert_eq!(told(&recorder), ["alert yellow 1", "update red 2"], "{end:?}");
    }
}

/// One bit, in the middle of the log, after the last snapshot.
#[tokio::test(flavor = "multi_thread")]
async fn abuse_46_one_bit_flipped_mid_log() {
    let recorder = Recorder::start(Mood::Accepts).await;
    let (folder, mut publisher) = valley(&recorder.url, 2);
    let mut gauges = Gauges::new();
    let running = next_life(&folder, &mut publisher).await;
    publisher.deliver(gauges.dated("g-1", 50.0)).await;
    running.stop().await;

    let running = next_life(&folder, &mut publisher).await;
    publisher.deliver(gauges.dated("g-1", 51.0)).await;
    let rotten = frames(&folder.data()).pop().expect("its record");
    publisher.deliver(gauges.dated("g-0", 57.2)).await;
    recorder.wait_for_told(1).await;
    wait_for("the outcome in the log", || (outcomes(&folder.data()) > 0).then_some(())).await;
    running.kill();
    assert!(matches!(rotten.is, FrameIs::Record(..)), "{rotten:?}");
    flip_a_bit(&folder.data(), &rotten);

    // The incident stands as it was recorded after the rot.
    let running = next_life(&folder, &mut publisher).await;
    publisher.deliver(gauges.dated("g-0", 59.2)).await;
    recorder.wait_for_told(2).await;
    wait_for_rot(&recorder).await;
    running.stop().await;
    assert_eq!(told(&recorder), ["alert yellow 1", "update red 2"]);
    let kept = frames(&folder.data());
    assert_eq!(kept.iter().filter(|frame| frame.is == FrameIs::Rot).count(), 1, "told apart from the rest");
    let quarantine = fs::read_dir(folder.data().join("quarantine")).expect("a folder").count();
    assert!(quarantine > 0, "its bytes are kept");
}

async fn wait_for_rot(recorder: &Recorder) {
    recorder
        .wait_for("the operator is told of rot", |seen| {
            seen.iter().any(|attempt| attempt.revision["trouble"]["code"] == "rot")
        })
        .await;
}

fn frames(data: &Path) -> Vec<FrameSeen> {
    let frames: Result<Vec<_>, _> = Frames::open(data).expect("a log").collect();
    frames.expect("readable").into_iter().filter(|frame| frame.is != FrameIs::Unfinished).collect()
}

fn holds_alert(data: &Path, frame: &FrameSeen) -> bool {
    let FrameIs::Record(first, _) = frame.is else { return false };
    records(data)
        .iter()
        .any(|record| record.first == first && !revisions(std::slice::from_ref(record)).is_empty())
}

fn flip_a_bit(data: &Path, frame: &FrameSeen) {
    let path = data.join(&frame.file);
    let mut bytes = fs::read(&path).expect("readable");
    bytes[(frame.offset + frame.bytes / 2) as usize] ^= 0x10;
    fs::write(&path, bytes).expect("writable");
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("writable");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        match path.metadata() {
            Ok(meta) if meta.is_dir() => copy_folder(&path, &target),
            // The same file, not a copy: these are the original's other fates, not its restored backups.
            Ok(_) if path.file_name() == Some("place".as_ref()) => {
                fs::hard_link(&path, &target).expect("a link");
            }
            Ok(meta) if meta.is_file() => drop(fs::copy(&path, &target).expect("a copy")),
            // A socket, which the next life makes anew.
            Ok(_) | Err(_) => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotten_projection_is_rebuilt_and_what_was_not_delivered_leaves() {
    let recorder = Recorder::start(Mood::Refuses).await;
    let (folder, mut publisher) = valley(&recorder.url, 1);
    let running = next_life(&folder, &mut publisher).await;
    publisher.deliver(Gauges::new().dated("g-0", 59.2)).await;
    recorder.wait_for("a first attempt", |seen| seen.iter().any(Attempt::is_warning)).await;
    running.stop().await;

    // All but the first page, where a start finds its cursor.
    let path = folder.data().join("state.db");
    let whole = rusqlite::Connection::open(&path).expect("it is there");
    whole.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("nobody else is at it");
    drop(whole);
    let mut bytes = fs::read(&path).expect("it is there");
    bytes[3 * 4_096..].fill(0x55);
    fs::write(&path, bytes).expect("writable");

    recorder.turns(Mood::Accepts);
    let running = Running::start(&folder).await;
    recorder.wait_for_told(1).await;
    let is_rot = |it: &Input| matches!(it, Input::Trouble(report) if report.present && report.key.subject == "state.db");
    wait_for("the operator is told", || {
        records(&folder.data()).iter().flat_map(|it| &it.inputs).any(is_rot).then_some(())
    })
    .await;
    running.stop().await;
    assert_eq!(told(&recorder), ["alert red 1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotten_plan_that_the_configuration_still_says_is_whole_again() {
    for end in [End::Stop, End::Crash] {
        let recorder = Recorder::start(Mood::Accepts).await;
        let (folder, mut publisher) = valley(&recorder.url, 1);
        let mut gauges = Gauges::new();
        let running = next_life(&folder, &mut publisher).await;
        publisher.deliver(gauges.dated("g-0", 57.2)).await;
        recorder.wait_for_told(1).await;
        wait_for("the outcome in the log", || (outcomes(&folder.data()) > 0).then_some(())).await;
        end.of(running).await;
        for plan in fs::read_dir(folder.data().join("plans")).expect("a folder") {
            fs::write(plan.expect("an entry").path(), b"rot").expect("writable");
        }

        let running = next_life(&folder, &mut publisher).await;
        publisher.deliver(gauges.dated("g-0", 59.2)).await;
        recorder.wait_for_told(2).await;
        running.stop().await;
        assert_eq!(told(&recorder), ["alert yellow 1", "update red 2"], "{end:?}");
    }
}
