//! The canary walks, and is seen by nobody but whoever listens outside.

use std::time::Duration;

use forewarn::log::Records;
use forewarn_core::event::{Decision, Input};
use forewarn_core::ids::{Position, TargetIx};
use forewarn_core::warning::{About, TroubleCode, TroubleKey};

use crate::common::house::{Device, Folder, Receiver, level, wait_for};
use crate::detector::Detector;
use crate::report;

const ROUND: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_count_on_through_a_restart_and_say_who_beats() {
    let detector = Detector::start().await;
    let operator = Receiver::start().await;
    let folder = detector.folder(&operator.url, ROUND);
    let service = folder.start().await;
    let first = detector.hears(2).await;
    service.stop().await;
    let service = folder.start().await;
    let beats = detector.hears(first.len() + 3).await;
    service.stop().await;
    assert_eq!(detector.wrong(), 0);
    let counters: Vec<u64> = beats.iter().map(|beat| beat.counter).collect();
    assert_eq!(counters[0], 1, "{counters:?}");
    for beat in &beats {
        let body = &beat.body;
        assert_eq!((&body["type"], &body["status"]), (&"heartbeat".into(), &"Test".into()), "{body}");
        assert_eq!((&body["site"], &body["every_secs"]), (&"Test river".into(), &1.0.into()), "{body}");
        assert_eq!(body["log"], beats[0].body["log"], "one log counts");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_canary_is_no_warning_to_anybody_and_a_record_a_round() {
    let detector = Detector::start().await;
    let people = Receiver::start().await;
    let folder = detector.folder(&people.url, ROUND);
    let secret = folder.add_device("gauge", "qj-1");
    let service = folder.start().await;
    detector.hears(3).await;
    let mut device = Device::connect(service.mqtt_addr().expect("on"), "gauge", &secret);
    device.publish("up", level("qj-1", 57.5)).await;
    device.acknowledged().await;
    let told = people.wait_for("the warning", |got| !got.is_empty()).await;
    let beats = detector.hears(detector.beats().len() + 2).await;
    let last = beats.last().expect("some");
    assert!(last.body["decided"].is_string(), "a warning was decided: {}", last.body);
    assert!(told.iter().all(|posted| posted.body["type"] != "canary" && posted.body["type"] != "heartbeat"));
    let state =
        forewarn::state::StateReader::open_read_only(&folder.data().join("state.db")).expect("it opens");
    // Whether this machine's own disk is low decides nothing here.
    let of_disk =
        |about: &About| matches!(about, About::Trouble(TroubleKey { code: TroubleCode::DiskLow, .. }));
    let rows = wait_for("the warning's row", || {
        let mut rows = state.active_warnings(10).expect("rows");
        rows.retain(|row| !of_disk(&row.newest.about));
        (!rows.is_empty()).then_some(rows)
    })
    .await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    let troubles = service.picture().borrow().troubles.clone();
    assert!(troubles.keys().all(|code| *code == TroubleCode::DiskLow), "{troubles:?}");
    service.stop().await;
    canaries_are_small(&folder, beats.len());
    let trail = std::fs::read_dir(folder.data().join("audit")).expect("a trail").flatten();
    for file in trail {
        let text = String::from_utf8_lossy(&std::fs::read(file.path()).expect("readable")).into_owned();
        assert!(!text.contains("canary") && !text.contains("heartbeat"), "{text}");
    }
}

/// What a day of canaries takes in the log, at a round a minute.
const A_DAY: usize = 24 * 60;

fn canaries_are_small(folder: &Folder, heard: usize) {
    let records = Records::open_read_only(&folder.data(), Position(0)).expect("the log opens");
    let (mut canaries, mut bytes) = (0, 0);
    for record in records.filter_map(Result::ok) {
        let is_canary = |input: &Input| matches!(input, Input::Canary(_));
        // What became of it is no record.
        let of_it = |input: &Input| matches!(input, Input::Outcome(it) if it.target == TargetIx::HEARTBEAT);
        assert!(!record.inputs.iter().any(of_it), "{record:?}");
        if !record.inputs.iter().any(is_canary) {
            continue;
        }
        // Readings may have come into the same record.
        let own = record.inputs.iter().filter(|input| is_canary(input));
        bytes += own.map(|input| minicbor::to_vec(input).expect("bytes").len()).sum::<usize>();
        let answers = record.decisions.iter().filter(|(_, it)| matches!(it, Decision::Canary(_)));
        for (_, answer) in answers {
            canaries += 1;
            bytes += minicbor::to_vec(answer).expect("bytes").len() + RECORD_BYTES;
        }
    }
    assert!(canaries >= heard, "{canaries} canaries in the log, {heard} heard");
    let a_day = bytes / canaries * A_DAY;
    report(&format!("{} bytes a canary with its record, {a_day} bytes a day", bytes / canaries));
    assert!(a_day < 512 * 1024, "{a_day} bytes a day");
}

/// A frame and what every record says beside its inputs and decisions, at most.
const RECORD_BYTES: usize = 160;
