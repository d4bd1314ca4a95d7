//! The loop with a real log on a real disk, a led clock, and nothing else.

use std::cell::Cell as Local;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use forewarn_core::authority::By;
use forewarn_core::engine::Engine;
use forewarn_core::event::{Command, Decision, Input, PlanRef, Started};
use forewarn_core::ids::{Position, RunId, SensorIx, SourceIx};
use forewarn_core::level::Level;
use forewarn_core::plan::Plan;
use forewarn_core::reading::Marks;
use forewarn_core::time::{Moment, Span, Timestamp};
use forewarn_core::warning::Phase;
use tokio::sync::watch;

use super::cursors::Cursors;
use super::embedded::Embedded;
use super::inbox::{Answer, DriverInbox};
use super::picture::{Picture, Pulse};
use super::recovery::{Recovered, Recovery, Standing};
use super::snapshots::Snapshots;
use super::upgrade::{RELEASE, Upgrade};
use crate::clock::{Clock, Led};
use crate::config::names::FreshIndices;
use crate::config::targets::TargetIds;
use crate::config::{self, Request, plan};
use crate::log::{Lock, Log, Records, Stamp, save_plan};
use crate::ports::{Acks, Batch, Gate, Inbox, Taken};

const START: Timestamp = Timestamp::from_secs(1_782_864_000);

/// A value that the engine stumbles over, in this thread, as if it had a bug.
const POISON: f64 = 66.6;

thread_local! {
    static STUMBLES: Local<bool> = const { Local::new(false) };
}

/// Stands where a bug of the engine would.
pub(super) fn stumble_over(input: &Input) {
    let is_poison = match input {
        Input::Reading(reading) => (reading.value - POISON).abs() < 1e-9,
        other => matches!(other, Input::Command(what, _) if **what == Command::Resume),
    };
    assert!(!(is_poison && STUMBLES.get()), "the engine stumbles");
}

#[derive(Debug, Default)]
struct Counting(Mutex<Vec<u64>>);

impl Gate for Counting {
    fn durable(&self, tokens: &[u64]) {
        self.0.lock().expect("no test panics in it").extend(tokens);
    }
}

/// Incidents as a projection would have kept them.
#[derive(Debug, Default)]
struct Kept(Vec<Decision>);

impl Standing for Kept {
    fn standing(&self) -> anyhow::Result<Vec<Decision>> {
        Ok(self.0.clone())
    }
}

/// A projection that does not read back.
#[derive(Debug)]
struct Gone;

impl Standing for Gone {
    fn standing(&self) -> anyhow::Result<Vec<Decision>> {
        anyhow::bail!("rot")
    }
}

fn example() -> (Arc<Plan>, plan::Log) {
    let request = Request {
        dir: Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/config")),
        data: None,
        purpose: config::Purpose::Play,
        at: START,
        env: &|_| None,
    };
    let loaded = config::load(&request, &mut FreshIndices::default(), &mut TargetIds::counted());
    let setup = loaded.unwrap_or_else(|faults| panic!("{faults}")).setup;
    (setup.plan, plan::Log { segment_bytes: 1 << 20, keep: Span::ZERO, ..setup.log })
}

fn recovery(data: &Path) -> Recovery {
    Recovery { data: data.to_owned(), projection: Arc::new(Kept::default()), stand_in: None }
}

/// Runs the loop over batches of levels of the first gauge, a minute apart, and
/// gives the tokens that were acknowledged.
fn run(data: &Path, batches: &[&[f64]]) -> Vec<u64> {
    run_with(data, batches, |_| {})
}

/// The same, with more put into the inbox before the batches.
fn run_with(data: &Path, batches: &[&[f64]], more: impl FnOnce(&DriverInbox)) -> Vec<u64> {
    let (plan, settings) = example();
    let lock = Lock::take(data).expect("nobody else is here");
    let fresh = !Log::exists(data);
    let log = if fresh {
        Log::create(lock, &settings, Stamp::Drill)
    } else {
        Log::open(lock, &settings, Stamp::Drill, Position(0))
    };
    let (log, _) = log.expect("a sound log");
    let recovered = recovery(data).recover().expect("a sound log");
    let led = Led::new(START.max(recovered.left_off.map_or(START, |left| left.at + Span::from_mins(1))));
    let inbox = Arc::new(DriverInbox::new(Clock::Led(led.clone())));
    let started = Started {
        log: log.id(),
        run: RunId(7),
        downtime: None,
        offset: Span::ZERO,
        trusted: true,
        restored: false,
    };
    inbox.control(Input::Started(started));
    let id = save_plan(data, &plan).expect("writable");
    inbox.control(Input::Plan(PlanRef { id, orphan: true, body: Some(plan) }));

    let gate = Arc::new(Counting::default());
    let driver = Embedded {
        engine: recovered.engine,
        log,
        inbox: inbox.clone(),
        clock: Clock::Led(led.clone()),
        run: RunId(7),
        gap: Duration::ZERO,
        picture: watch::Sender::new(Arc::new(Picture::default())),
        pulse: watch::Sender::new(Pulse::default()),
        cursors: Cursors::default(),
        snapshots: {
            let upgrade = Upgrade::begin(data, RELEASE).expect("writable");
            Snapshots::start(data, recovered.snapshot, upgrade).expect("writable")
        },
        recovery: recovery(data),
        moment: Moment { at: led.now(), offset: Span::ZERO, trusted: true },
        position: recovered.position,
    };
    more(&inbox);
    for (token, levels) in batches.iter().enumerate() {
        let taken = levels.iter().enumerate().map(|(minute, level)| Taken {
            sensor: SensorIx(0),
            raw: *level,
            observed: Some(led.now() + Span::from_secs((token * 100 + minute) as i64)),
            seq: 0,
            identity: 0,
            marks: Marks::default(),
        });
        let acks = Some(Acks { gate: gate.clone(), tokens: vec![token as u64] });
        let batch =
            Batch { source: SourceIx(0), taken: taken.collect(), refused: vec![], acks, canary: None };
        inbox.offer(batch).expect("an empty inbox");
    }
    inbox.close();
    driver.run();
    gate.0.lock().expect("no test panics in it").clone()
}

fn state(engine: &Engine) -> Vec<(Phase, Level)> {
    engine.incidents().map(|incident| (incident.phase, incident.level)).collect()
}

fn recover(data: &Path) -> Recovered {
    recovery(data).recover().expect("a sound log")
}

#[test]
fn what_was_acknowledged_is_there_after_a_restart() {
    let data = tempfile::tempdir().expect("a temporary directory");
    assert_eq!(run(data.path(), &[&[64.0, 64.1], &[72.5]]), [0, 1]);
    let recovered = recover(data.path());
    assert_eq!(state(&recovered.engine), [(Phase::Active, Level::Red)]);
    assert_eq!(recovered.diverged, None);

    // A snapshot and the log alone come to the same.
    std::fs::remove_dir_all(data.path().join("snapshots")).expect("there is one");
    let from_log = recover(data.path());
    assert_eq!(from_log.position, recovered.position);
    assert_eq!(from_log.engine.to_bytes(), recovered.engine.to_bytes());
}

#[test]
fn a_command_that_is_quarantined_is_answered_with_no_decision() {
    let data = tempfile::tempdir().expect("a temporary directory");
    let answered = Arc::new(Mutex::new(None));
    let hears = answered.clone();
    STUMBLES.set(true);
    run_with(data.path(), &[], |inbox| {
        let reply = move |answer: Answer| {
            *hears.lock().expect("no test panics in it") = Some((answer.quarantined, answer.decisions));
        };
        inbox.ask(vec![Input::Command(Box::new(Command::Resume), By::default())], Some(Box::new(reply)));
    });
    STUMBLES.set(false);
    assert_eq!(*answered.lock().expect("no test panics in it"), Some((true, vec![])), "not taken for done");
}

#[test]
fn poison_input_is_quarantined_and_its_neighbours_are_served() {
    let data = tempfile::tempdir().expect("a temporary directory");
    STUMBLES.set(true);
    let acknowledged = run(data.path(), &[&[64.0], &[64.1, POISON, 72.5], &[72.6]]);
    assert_eq!(acknowledged, [0, 1, 2], "the culprit is acknowledged, or it would come again for ever");
    let records: Vec<_> = Records::open_read_only(data.path(), Position(0))
        .expect("a log")
        .map(|record| record.expect("sound"))
        .collect();
    let quarantined: Vec<&str> =
        records.iter().flat_map(|record| &record.refused).map(|refused| refused.topic.as_str()).collect();
    assert_eq!(quarantined, ["engine"]);
    let kept = records.iter().flat_map(|record| &record.flagged).count();
    assert_eq!(kept, 4, "its neighbours are served");
    assert_eq!(state(&recover(data.path()).engine), [(Phase::Active, Level::Red)]);
    STUMBLES.set(false);
}

/// The same, met when the log is stepped again.
#[test]
fn poison_input_in_recovery_is_passed_over() {
    let data = tempfile::tempdir().expect("a temporary directory");
    run(data.path(), &[&[64.0, POISON, 72.5]]);
    std::fs::remove_dir_all(data.path().join("snapshots")).expect("there is one");
    STUMBLES.set(true);
    let recovered = recover(data.path());
    STUMBLES.set(false);
    assert_eq!(recovered.poison.len(), 1);
    assert_eq!(state(&recovered.engine), [(Phase::Active, Level::Red)], "what was decided stands");
}

#[test]
fn a_plan_that_is_lost_stops_no_start_and_what_was_decided_under_it_stands() {
    let data = tempfile::tempdir().expect("a temporary directory");
    run(data.path(), &[&[72.5]]);
    std::fs::remove_dir_all(data.path().join("snapshots")).expect("there is one");
    let plans = std::fs::read_dir(data.path().join("plans")).expect("there");
    for plan in plans {
        std::fs::write(plan.expect("there").path(), b"rot").expect("writable");
    }
    let plan = example().0;
    // As if the configuration said something else by now.
    for stand_in in [None, Some((forewarn_core::plan::PlanId::default(), Arc::clone(&plan)))] {
        let stood_in = stand_in.is_some();
        let recovered = Recovery { stand_in, ..recovery(data.path()) }.recover().expect("a sound log");
        assert_eq!(recovered.engine.plan_id() == plan.id(), stood_in);
        assert_eq!(state(&recovered.engine), [(Phase::Active, Level::Red)]);
        assert_eq!(recovered.lost_plans.into_keys().collect::<Vec<_>>(), [plan.id()]);
        assert_eq!(recovered.diverged, None, "that is no fault of this version");
    }
    let refused = recovery(data.path()).rebuild().expect_err("nobody goes on under another plan unseen");
    assert!(refused.to_string().starts_with("the plan in force is lost"), "{refused}");

    // A start puts the configured plan in force.
    run(data.path(), &[&[72.6]]);
    let engine = recovery(data.path()).rebuild().expect("its plan is there");
    assert_eq!(state(&engine), [(Phase::Active, Level::Red)]);
}

#[test]
fn bad_snapshot_and_the_second_newest_serves() {
    let data = tempfile::tempdir().expect("a temporary directory");
    run(data.path(), &[&[64.0]]);
    run(data.path(), &[&[72.5]]);
    let dir = data.path().join("snapshots");
    let mut snapshots: Vec<_> =
        std::fs::read_dir(&dir).expect("there").map(|entry| entry.expect("there").path()).collect();
    snapshots.sort();
    assert_eq!(snapshots.len(), 2);
    std::fs::write(&snapshots[1], b"rot").expect("writable");
    let recovered = recover(data.path());
    assert_eq!(state(&recovered.engine), [(Phase::Active, Level::Red)], "the second-newest serves");
    assert_eq!(recovered.bad_snapshots.len(), 1);
}

/// The same, with none that serves.
#[test]
fn bad_snapshot_beside_no_good_one_and_the_projection_serves() {
    let data = tempfile::tempdir().expect("a temporary directory");
    run(data.path(), &[&[72.5]]);
    let incidents: Vec<Decision> =
        recover(data.path()).engine.incidents().cloned().map(Decision::Incident).collect();
    let standing: Vec<Decision> = Records::open_read_only(data.path(), Position(0))
        .expect("a log")
        .flat_map(|record| record.expect("sound").decisions)
        .map(|(_, decision)| decision)
        .filter(|decision| matches!(decision, Decision::Revision(_)))
        .chain(incidents)
        .collect();
    // More than a segment of further readings, so that the first segment can go.
    let calm = vec![72.5; 20_000];
    run(data.path(), &[&calm, &calm, &calm, &calm, &calm]);
    std::fs::remove_dir_all(data.path().join("snapshots")).expect("there is one");
    let (_, settings) = example();
    let lock = Lock::take(data.path()).expect("nobody else is here");
    let (mut log, opened) = Log::open(lock, &settings, Stamp::Drill, Position(0)).expect("a sound log");
    assert!(log.trim(opened.last, Timestamp::MAX).expect("writable") > 0);
    drop(log);

    let recovery = Recovery { projection: Arc::new(Kept(standing)), ..recovery(data.path()) };
    let recovered = recovery.recover().expect("the projection serves");
    assert_eq!(state(&recovered.engine), [(Phase::Active, Level::Red)]);
    assert_eq!((recovered.position, recovered.standing_lost), (opened.last, None));

    // Where that is gone too, it begins with what is left, and says so.
    let recovery = Recovery { projection: Arc::new(Gone), ..recovery };
    let recovered = recovery.recover().expect("the log alone serves");
    assert_eq!((recovered.position, recovered.standing_lost), (opened.last, Some("rot".to_owned())));
}
