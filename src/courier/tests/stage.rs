//! A whole courier between doubles, to be killed and started again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use forewarn_core::event::Input;
use forewarn_core::ids::{Key, LogId, Position, TargetIx};
use forewarn_core::level::Level;
use forewarn_core::time::Span;
use forewarn_core::warning::{Kind, Outcome, Revision};
use tokio::sync::watch;

use super::doubles::{FakeArchive, FakeChannel, FakeInbox, ManualClock, Mood, key, setup, target_id};
use super::log::FakeLog;
use super::revision;
use crate::channels::Sent;
use crate::config::plan::Setup;
use crate::courier::{Courier, CourierClock, CourierHandle, Limits, Opener, Parts};
use crate::ports::{Hold, Note, Outstanding, Resume};

/// A whole courier between doubles.
pub(super) struct Stage {
    pub(super) log: Arc<FakeLog>,
    pub(super) channel: Arc<FakeChannel>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) inbox: Arc<FakeInbox>,
    pub(super) setup: watch::Sender<Arc<Setup>>,
    pub(super) limits: Limits,
    pub(super) hold: Hold,
    /// Rows that stand in the projection and no record released.
    pub(super) smuggled: Vec<Outstanding>,
    pub(super) courier: Option<CourierHandle>,
    pub(super) notes: Option<Receiver<Note>>,
}

impl Stage {
    pub(super) fn new(targets: u32) -> Stage {
        let log = FakeLog::with_targets(targets);
        Stage {
            channel: Arc::new(FakeChannel::default()),
            clock: ManualClock::new(),
            inbox: Arc::new(FakeInbox { log: Arc::clone(&log), losing: AtomicBool::new(false) }),
            setup: watch::channel(setup(targets, &[])).0,
            limits: Limits::default(),
            hold: Hold::No,
            smuggled: vec![],
            log,
            courier: None,
            notes: None,
        }
    }

    /// Starts from a projection that has reached the log's end.
    pub(super) fn start(&mut self) {
        let end = self.log.end();
        let archive = FakeArchive(Arc::clone(&self.log));
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
            hold: self.hold,
            targets: (0..64).map(|target| (TargetIx(target), target_id(target))).collect(),
            outstanding: open.take(self.limits.page).chain(self.smuggled.clone()).collect(),
            bundled: archive.bundled(),
            said: archive.said(),
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
                log: LogId([7; 16]),
                reopen: Opener(Arc::new(move |after: Position| log.follow(after))),
                resume,
                archive: Arc::new(FakeArchive(Arc::clone(&self.log))),
                inbox: Arc::clone(&self.inbox) as Arc<_>,
                notes: sender,
                links: None,
                clock: Arc::clone(&self.clock) as Arc<_>,
                seed: 9,
                limits: self.limits,
            })
            .unwrap(),
        );
    }

    /// The service is killed: what was reported from now on never reaches the log.
    pub(super) fn kill(&mut self) {
        self.inbox.losing.store(true, Ordering::SeqCst);
        self.courier.take().expect("started").abort();
    }

    /// Time passes, here and in the log.
    pub(super) fn wait(&self, span: Span) {
        *self.log.now.lock().unwrap() = self.clock.now() + span;
        self.clock.advance(span);
    }

    /// What the log says became of each delivery.
    pub(super) fn outcomes(&self) -> BTreeMap<Key, Outcome> {
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

    pub(super) fn outcome(&self, revision: &Revision, target: u32) -> Option<Outcome> {
        self.outcomes().get(&Key::of_delivery(&revision.id, &target_id(target), 0)).copied()
    }

    /// Until all that stands in the log has its outcome in the log, or rests.
    pub(super) async fn idle(&self) {
        let mut standing = self.courier.as_ref().expect("started").standing();
        let (log, clock) = (Arc::clone(&self.log), Arc::clone(&self.clock));
        let idle = standing.wait_for(|standing| standing.is_settled(log.end(), clock.now()));
        tokio::time::timeout(Duration::from_secs(10), idle).await.expect("idle within 10 s").unwrap();
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Followers end with the log.
        self.log.close();
    }
}

pub(super) fn alert(targets: &[u32]) -> Arc<Revision> {
    revision(100, 1, 100, Kind::Alert, Level::Yellow, targets)
}

pub(super) fn update(targets: &[u32]) -> Arc<Revision> {
    revision(100, 2, 101, Kind::Update, Level::Orange, targets)
}

pub(super) fn all_clear(targets: &[u32]) -> Arc<Revision> {
    revision(100, 3, 102, Kind::AllClear, Level::Normal, targets)
}

pub(super) fn retry() -> Mood {
    Mood::Says(Sent::Retry { after: None, reason: "503 from the receiver".into() })
}
