//! Hard histories of the whole courier, and its bounds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use forewarn_core::event::{ClockStep, Decision, DeliveryOutcome, Input};
use forewarn_core::ids::{Key, Position, TargetIx};
use forewarn_core::level::{Level, Status};
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::warning::{Death, Due, Kind, Outcome, Revision};
use tokio::sync::watch;

use super::doubles::{
    FakeArchive, FakeChannel, FakeInbox, FakeLog, ManualClock, Mood, address, all, key, setup, target_id,
    until,
};
use super::{output, revision};
use crate::channels::Sent;
use crate::config::plan::Setup;
use crate::courier::{Courier, CourierHandle, Limits, Opener, Parts};
use crate::ports::{Note, Resume};

/// A whole courier between doubles.
struct Stage {
    log: Arc<FakeLog>,
    channel: Arc<FakeChannel>,
    clock: Arc<ManualClock>,
    inbox: Arc<FakeInbox>,
    setup: watch::Sender<Arc<Setup>>,
    limits: Limits,
    courier: Option<CourierHandle>,
    notes: Option<Receiver<Note>>,
}

impl Stage {
    fn new(targets: u32) -> Stage {
        let log = FakeLog::with_targets(targets);
        Stage {
            channel: Arc::new(FakeChannel::default()),
            clock: ManualClock::new(),
            inbox: Arc::new(FakeInbox { log: Arc::clone(&log), losing: AtomicBool::new(false) }),
            setup: watch::channel(setup(targets, &[])).0,
            limits: Limits::default(),
            log,
            courier: None,
            notes: None,
        }
    }

    /// Starts from a projection that has reached the log's end.
    fn start(&mut self) {
        let end = self.log.end();
        let (rows, decided) = FakeArchive(Arc::clone(&self.log)).deliveries(end);
        let mut told = BTreeMap::new();
        for row in &rows {
            if self.outcomes().get(&key(row)) != Some(&Outcome::Superseded) {
                told.insert((row.revision.warning, row.due.target), row.revision.number);
            }
        }
        let open = rows.into_iter().filter(|row| !decided.contains(&key(row)));
        let resume = Resume {
            cursor: end,
            offset: Span::ZERO,
            trusted: true,
            targets: (0..64).map(|target| (TargetIx(target), target_id(target))).collect(),
            outstanding: open.take(self.limits.page).collect(),
            told: told.into_iter().map(|((warning, target), number)| (warning, target, number)).collect(),
        };
        let (sender, notes) = sync_channel(64);
        let log = Arc::clone(&self.log);
        self.inbox.losing.store(false, Ordering::SeqCst);
        self.notes = Some(notes);
        self.courier = Some(
            Courier::start(Parts {
                current: self.setup.subscribe(),
                channels: vec![Arc::clone(&self.channel) as Arc<_>],
                reopen: Opener(Arc::new(move |after: Position| log.follow(after))),
                resume,
                archive: Arc::new(FakeArchive(Arc::clone(&self.log))),
                inbox: Arc::clone(&self.inbox) as Arc<_>,
                notes: sender,
                clock: Arc::clone(&self.clock) as Arc<_>,
                seed: 9,
                limits: self.limits,
            })
            .unwrap(),
        );
    }

    /// The service is killed: what was reported from now on never reaches the log.
    fn kill(&mut self) {
        self.inbox.losing.store(true, Ordering::SeqCst);
        self.courier.take().expect("started").abort();
    }

    /// What the log says became of each delivery.
    fn outcomes(&self) -> BTreeMap<Key, Outcome> {
        let mut outcomes = BTreeMap::new();
        for record in self.log.records() {
            for input in &record.inputs {
                if let Input::Outcome(outcome) = input {
                    let was = outcomes.insert(outcome.key, outcome.outcome);
                    assert_eq!(was, None, "an outcome was logged twice: {outcome:?}");
                }
            }
        }
        outcomes
    }

    fn outcome(&self, revision: &Revision, target: u32) -> Option<Outcome> {
        self.outcomes().get(&Key::of_delivery(&revision.id, &target_id(target), 0)).copied()
    }

    /// Until all that stands in the log has its outcome in the log, or rests.
    async fn idle(&self) {
        let mut standing = self.courier.as_ref().expect("started").standing();
        let log = Arc::clone(&self.log);
        let idle = standing.wait_for(|standing| standing.idle && standing.upto >= log.end());
        tokio::time::timeout(Duration::from_secs(10), idle).await.expect("idle within 10 s").unwrap();
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Followers end with the log.
        self.log.close();
    }
}

fn alert(targets: &[u32]) -> Arc<Revision> {
    revision(100, 1, 100, Kind::Alert, Level::Yellow, targets)
}

fn update(targets: &[u32]) -> Arc<Revision> {
    revision(100, 2, 101, Kind::Update, Level::Orange, targets)
}

fn all_clear(targets: &[u32]) -> Arc<Revision> {
    revision(100, 3, 102, Kind::AllClear, Level::Normal, targets)
}

fn retry() -> Mood {
    Mood::Says(Sent::Retry { after: None, reason: "503 from the receiver".into() })
}

#[tokio::test]
async fn every_due_target_gets_each_revision_once_and_in_order() {
    let mut stage = Stage::new(3);
    stage.start();
    stage.log.decide(&[alert(&all(3))]);
    stage.idle().await;
    stage.log.decide(&[update(&all(3)), all_clear(&all(3))]);
    stage.idle().await;
    for target in 0..3 {
        // Both stood in one record: the update may be overtaken before it was attempted.
        let numbers = stage.channel.numbers(target);
        assert!(numbers == [1, 2, 3] || numbers == [1, 3], "{numbers:?}");
    }
    assert_eq!(stage.outcomes().len(), 9);
}

#[tokio::test]
async fn lost_notes() {
    let mut stage = Stage::new(1);
    stage.start();
    stage.inbox.losing.store(true, Ordering::SeqCst);
    stage.log.decide(&[alert(&[0])]);
    until("the mail is sent", || stage.channel.numbers(0) == [1]).await;
    stage.kill();
    stage.start();
    stage.idle().await;
    stage.log.decide(&[all_clear(&[0])]);
    stage.idle().await;
    assert_eq!(stage.channel.numbers(0), [1, 1, 3], "once more at most, then its all-clear");
    assert_eq!(stage.channel.keys().len(), 2, "under the same key");
}

#[tokio::test]
async fn accepted_then_behind() {
    let mut stage = Stage::new(1);
    stage.start();
    stage.log.decide(&[alert(&[0])]);
    stage.idle().await;
    stage.log.decide(&[update(&[0])]);
    stage.idle().await;
    stage.kill();
    // The projection follows a log that says accepted before the courier begins.
    stage.start();
    stage.idle().await;
    assert_eq!(stage.channel.numbers(0), [1, 2], "nothing resent");
}

#[tokio::test]
async fn superseded_revision() {
    let mut stage = Stage::new(1);
    stage.channel.mood(0, retry());
    stage.start();
    let (first, second) = (alert(&[0]), update(&[0]));
    stage.log.decide(&[Arc::clone(&first)]);
    stage.idle().await;
    stage.channel.mood(0, Mood::Takes);
    stage.log.decide(&[Arc::clone(&second)]);
    stage.idle().await;
    assert_eq!(stage.outcome(&first, 0), Some(Outcome::Superseded), "logged first");
    assert_eq!(stage.channel.numbers(0), [1]);
    stage.clock.advance(Span::from_secs(1));
    stage.idle().await;
    assert_eq!(stage.channel.numbers(0), [1, 2]);
    assert_eq!(stage.outcome(&second, 0), Some(Outcome::Accepted));
}

#[tokio::test]
async fn erased_contact() {
    let mut stage = Stage::new(2);
    let reason = format!("550 no mailbox {} here", address(0));
    stage.channel.mood(0, Mood::Says(Sent::Retry { after: None, reason }));
    stage.start();
    let first = alert(&all(2));
    stage.log.decide(&[Arc::clone(&first)]);
    stage.idle().await;
    stage.setup.send_replace(setup(2, &[0]));
    until("the delivery is dead", || stage.outcome(&first, 0).is_some()).await;
    stage.idle().await;
    assert_eq!(stage.outcome(&first, 0), Some(Outcome::Dead(Death::Erased)));
    assert_eq!(stage.outcome(&first, 1), Some(Outcome::Accepted));
    let notes: Vec<Note> = stage.notes.as_ref().expect("started").try_iter().collect();
    assert_eq!(notes.len(), 2);
    let words = format!("{notes:?} {:?}", stage.log.records());
    assert!(!words.contains(&address(0)) && !words.contains("Person"), "{words}");
    // A later revision that still names it goes to nobody there.
    stage.log.decide(&[update(&all(2))]);
    stage.idle().await;
    assert_eq!((stage.channel.numbers(0), stage.channel.numbers(1)), (vec![1], vec![1, 2]));
}

#[tokio::test]
async fn refused_timestamp() {
    let mut stage = Stage::new(1);
    stage.channel.mood(0, Mood::Says(Sent::Retry { after: None, reason: "401 timestamp".into() }));
    stage.start();
    stage.log.append(vec![Input::Clock(ClockStep { offset: Span::from_hours(48), trusted: false })], vec![]);
    let first = alert(&[0]);
    stage.log.decide(&[Arc::clone(&first)]);
    for attempts in 1..5 {
        stage.idle().await;
        assert_eq!(
            (stage.channel.seen().len(), stage.outcome(&first, 0)),
            (attempts, None),
            "retried, not dead"
        );
        stage.clock.advance(Span::from_secs(30));
        until("the next attempt", || stage.channel.seen().len() > attempts).await;
    }
    stage.channel.mood(0, Mood::Takes);
    stage.log.append(vec![Input::Clock(ClockStep { offset: Span::ZERO, trusted: true })], vec![]);
    stage.idle().await;
    stage.clock.advance(Span::from_secs(30));
    stage.idle().await;
    assert_eq!(stage.outcome(&first, 0), Some(Outcome::Accepted));
    assert_eq!(stage.channel.keys().len(), 1, "one key for all attempts");
}

#[tokio::test]
async fn an_unexpired_delivery_is_tried_until_it_expires() {
    let mut stage = Stage::new(1);
    stage.channel.mood(0, retry());
    stage.start();
    let first = alert(&[0]);
    stage.log.decide(&[Arc::clone(&first)]);
    while stage.outcome(&first, 0).is_none() {
        stage.idle().await;
        let standing = *stage.courier.as_ref().expect("started").standing().borrow();
        let Some(next) = standing.next_attempt else { break };
        let now = crate::courier::CourierClock::now(&*stage.clock);
        assert!(next.since(now) <= Span::from_secs(30), "the back-off is capped");
        let (next, seen) = (next.max(now + Span(1)), stage.channel.seen().len());
        stage.clock.advance(next - now);
        until("the next attempt or the end", || {
            stage.channel.seen().len() > seen || stage.outcome(&first, 0).is_some()
        })
        .await;
    }
    stage.idle().await;
    assert_eq!(stage.outcome(&first, 0), Some(Outcome::Dead(Death::Expired)));
    assert!(stage.channel.seen().len() > 120, "an hour at 30 s at most");
}

#[tokio::test]
async fn a_sick_target_changes_no_healthy_targets_times() {
    for sick in [Mood::Hangs, Mood::Panics, retry()] {
        let mut stage = Stage::new(3);
        stage.channel.mood(0, sick);
        stage.start();
        for warning in 0..50 {
            let position = 200 + warning;
            stage.log.decide(&[revision(position, 1, position, Kind::Alert, Level::Red, &all(3))]);
        }
        // The clock stands still all the while.
        until("the healthy have all", || {
            stage.channel.numbers(1).len() == 50 && stage.channel.numbers(2).len() == 50
        })
        .await;
        assert!(stage.channel.numbers(0).len() <= 4, "the sick one is not hammered");
    }
}

#[tokio::test]
async fn a_drill_never_leaves_by_the_live_door() {
    let mut stage = Stage::new(1);
    stage.start();
    let mut drill = (*alert(&[0])).clone();
    drill.status = Status::Exercise;
    let drill = Arc::new(drill);
    stage.log.decide(&[Arc::clone(&drill)]);
    stage.idle().await;
    assert_eq!(stage.outcome(&drill, 0), Some(Outcome::Dead(Death::Forbidden)));
    assert_eq!(stage.channel.seen(), []);
}

#[tokio::test]
async fn a_resend_goes_out_under_a_key_of_its_own() {
    let mut stage = Stage::new(1);
    stage.channel.mood(0, Mood::Says(Sent::Rejected { reason: "410".into() }));
    stage.start();
    let first = alert(&[0]);
    stage.log.decide(&[Arc::clone(&first)]);
    stage.idle().await;
    assert_eq!(stage.outcome(&first, 0), Some(Outcome::Dead(Death::Rejected)));
    stage.channel.mood(0, Mood::Takes);
    let due = Due { target: TargetIx(0), round: 1 };
    stage.log.append(vec![Input::Tick], vec![Decision::Resent { warning: output(100), number: 1, due }]);
    stage.idle().await;
    let key = Key::of_delivery(&first.id, &target_id(0), 1);
    assert_eq!(stage.outcomes().get(&key), Some(&Outcome::Accepted));
    assert_eq!(stage.channel.numbers(0), [1, 1]);
}

#[tokio::test]
async fn what_does_not_fit_stays_in_the_log_and_red_overtakes_it() {
    let mut stage = Stage::new(2);
    stage.limits = Limits { outstanding: 8, red: 4, page: 8 };
    stage.channel.mood(0, retry());
    stage.start();
    for warning in 0..40 {
        let position = 200 + warning;
        stage.log.decide(&[revision(position, 1, position, Kind::Alert, Level::Yellow, &[0])]);
    }
    let red = revision(900, 1, 900, Kind::Alert, Level::Red, &[1]);
    stage.log.decide(&[Arc::clone(&red)]);
    until("red is through", || stage.outcome(&red, 1).is_some()).await;
    stage.channel.mood(0, Mood::Takes);
    stage.clock.advance(Span::from_secs(30));
    until("all are through", || stage.outcomes().len() == 41).await;
    stage.idle().await;
    assert_eq!(stage.channel.numbers(1), [1], "the second reader does not repeat what was taken ahead");
    let outcomes: BTreeSet<bool> =
        stage.outcomes().values().map(|outcome| *outcome == Outcome::Accepted).collect();
    assert_eq!(outcomes, BTreeSet::from([true]));
}

#[tokio::test]
async fn a_backlog_larger_than_a_page_is_read_in_pages() {
    let mut stage = Stage::new(1);
    stage.limits = Limits { outstanding: 8, red: 2, page: 3 };
    for warning in 0..20 {
        let position = 200 + warning;
        stage.log.decide(&[revision(position, 1, position, Kind::Alert, Level::Yellow, &[0])]);
    }
    stage.start();
    stage.log.decide(&[revision(500, 1, 500, Kind::Alert, Level::Yellow, &[0])]);
    until("all are through", || stage.outcomes().len() == 21).await;
    stage.idle().await;
    assert_eq!((stage.channel.seen().len(), stage.channel.keys().len()), (21, 21));
}

#[tokio::test]
async fn a_stop_hears_attempts_out_and_reports_them() {
    let mut stage = Stage::new(1);
    stage.start();
    let first = alert(&[0]);
    stage.log.decide(&[Arc::clone(&first)]);
    stage.idle().await;
    stage.courier.take().expect("started").stop().await;
    assert_eq!(stage.outcome(&first, 0), Some(Outcome::Accepted));
}

/// Killed again and again at whatever place it has come to.
#[tokio::test]
async fn killed_anywhere_each_due_target_gets_its_word_under_one_key() {
    for seed in 0..20_u64 {
        let mut stage = Stage::new(3);
        let mut due = Vec::new();
        for life in 0..6 {
            stage.start();
            let sick = (seed + life) % 4;
            for target in 0..3 {
                stage.channel.mood(target, if u64::from(target) == sick { retry() } else { Mood::Takes });
            }
            let number = life as u32 + 1;
            let kind = if life == 0 { Kind::Alert } else { Kind::Update };
            let revision = revision(100, number, 100 + life, kind, Level::Orange, &all(3));
            stage.log.decide(&[Arc::clone(&revision)]);
            due.push(revision);
            for _ in 0..(seed * 7 + life * 3) % 40 {
                tokio::task::yield_now().await;
            }
            stage.clock.advance(Span::from_secs(1));
            stage.kill();
        }
        (0..3).for_each(|target| stage.channel.mood(target, Mood::Takes));
        stage.start();
        stage.clock.advance(Span::from_secs(60));
        until("everything has its outcome", || stage.outcomes().len() == due.len() * 3).await;
        for target in 0..3 {
            let numbers = stage.channel.numbers(target);
            assert!(numbers.is_sorted(), "seed {seed}, target {target}: {numbers:?}");
            assert_eq!(numbers.last(), Some(&6), "seed {seed}, target {target}");
        }
        let known: BTreeSet<Key> = due
            .iter()
            .flat_map(|revision| (0..3).map(|target| Key::of_delivery(&revision.id, &target_id(target), 0)))
            .collect();
        assert!(stage.channel.keys().is_subset(&known), "seed {seed}: a key that no output has");
    }
}

#[test]
fn an_outcome_in_the_log_is_what_the_driver_gets() {
    // The courier matches what it sees in the log with what it reported by key alone.
    let outcome = DeliveryOutcome {
        key: Key([1; 16]),
        warning: output(1),
        number: 1,
        target: TargetIx(0),
        outcome: Outcome::Accepted,
    };
    let mut lanes = crate::courier::lanes::Lanes::new(0);
    lanes.logged(&outcome, Timestamp(0));
    assert_eq!(lanes.outstanding(), 0, "one it does not know is no business of its own");
}
