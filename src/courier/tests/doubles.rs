//! Channels, a clock and an archive for tests of the whole courier.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use forewarn_core::event::{Decision, Input};
use forewarn_core::ids::{Key, OutputId, Position, SourceIx};
use forewarn_core::level::Level;
use forewarn_core::plan::{Plan, Target as PlanTarget};
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::warning::Revision;
use tokio::sync::watch;

use super::log::{FakeLog, bundles};
use crate::channels::door::{Live, Target};
use crate::channels::{Channel, Envelope, Sent};
use crate::config::plan::chat::Chat;
use crate::config::plan::{
    Address, Admits, Cap, Devices, Digests, Heartbeat, Http, Log, Setup, Store, Webhook,
};
use crate::courier::CourierClock;
use crate::ports::{Archive, Batch, Bundled, Inbox, Leaves, Outstanding, Said};

/// An inbox that commits what it gets, unless told to lose it: the driver that
/// is killed before its sync.
#[derive(Debug)]
pub(super) struct FakeInbox {
    pub(super) log: Arc<FakeLog>,
    pub(super) losing: std::sync::atomic::AtomicBool,
}

impl Inbox for FakeInbox {
    fn offer(&self, batch: Batch) -> Result<(), Batch> {
        Err(batch)
    }

    fn control(&self, input: Input) {
        if !self.losing.load(std::sync::atomic::Ordering::SeqCst) {
            self.log.append(vec![input], vec![]);
        }
    }

    fn room(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::pending())
    }
}

/// How a target's receiver behaves.
#[derive(Debug, Clone)]
pub(super) enum Mood {
    /// Takes everything.
    Takes,
    /// Answers this.
    Says(Sent),
    /// Never answers.
    Hangs,
    /// The channel itself breaks.
    Panics,
}

/// What a receiver saw of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) key: Key,
    pub(super) target: String,
    pub(super) warning: OutputId,
    pub(super) number: u32,
    /// Of a digest, the worst first.
    pub(super) members: Vec<Key>,
    /// Of the first.
    pub(super) level: Level,
}

/// A channel to receivers that remember, each a server of its own.
#[derive(Debug, Default)]
pub(super) struct FakeChannel {
    pub(super) moods: Mutex<BTreeMap<String, Mood>>,
    seen: Mutex<Vec<Seen>>,
    /// The one server of all, where they share one.
    server: Mutex<Option<String>>,
    /// How many messages each target takes.
    pub(super) digests: Mutex<Option<Digests>>,
}

impl FakeChannel {
    /// All targets are reached at this one server.
    pub(super) fn server(&self, server: &str) {
        *self.server.lock().unwrap() = Some(server.to_owned());
    }

    pub(super) fn mood(&self, target: u32, mood: Mood) {
        self.moods.lock().unwrap().insert(target_id(target), mood);
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Numbers of the revisions that a target saw, in order.
    pub(super) fn numbers(&self, target: u32) -> Vec<u32> {
        let seen = self.seen();
        seen.iter().filter(|seen| seen.target == target_id(target)).map(|seen| seen.number).collect()
    }

    pub(super) fn keys(&self) -> BTreeSet<Key> {
        self.seen().iter().map(|seen| seen.key).collect()
    }
}

impl Channel<Live> for FakeChannel {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn server(&self, target: &Target<Live>) -> String {
        self.server.lock().unwrap().clone().unwrap_or_else(|| target.address.clone())
    }

    fn digests(&self, _: &Setup) -> Option<Digests> {
        *self.digests.lock().unwrap()
    }

    fn send<'a>(&'a self, envelope: &'a Envelope<Live>) -> Pin<Box<dyn Future<Output = Sent> + Send + 'a>> {
        let revision = &envelope.revisions[0];
        self.seen.lock().unwrap().push(Seen {
            key: envelope.key,
            target: envelope.target.id.clone(),
            warning: revision.warning,
            number: revision.number,
            members: envelope.members.iter().map(|member| member.key).collect(),
            level: revision.level,
        });
        let mood = self.moods.lock().unwrap().get(&envelope.target.id).cloned().unwrap_or(Mood::Takes);
        Box::pin(async move {
            match mood {
                Mood::Takes => Sent::Accepted,
                Mood::Says(sent) => sent,
                Mood::Hangs => std::future::pending().await,
                Mood::Panics => panic!("the channel is broken"),
            }
        })
    }
}

/// A clock that moves when told.
#[derive(Debug)]
pub(super) struct ManualClock(watch::Sender<Timestamp>);

impl ManualClock {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(ManualClock(watch::channel(Timestamp(0)).0))
    }

    pub(super) fn advance(&self, span: Span) {
        self.0.send_modify(|now| *now = *now + span);
    }
}

impl CourierClock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    fn sleep_until(&self, at: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let mut now = self.0.subscribe();
        Box::pin(async move {
            if now.wait_for(|now| *now >= at).await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}

/// A projection that reads the log whenever it is asked.
#[derive(Debug)]
pub(super) struct FakeArchive(pub(super) Arc<FakeLog>);

impl FakeArchive {
    /// Deliveries released up to a position, in order, and keys with an outcome in the whole log.
    pub(super) fn deliveries(&self, upto: Position) -> (Vec<Outstanding>, BTreeSet<Key>) {
        let (mut rows, mut decided) = (Vec::new(), BTreeSet::new());
        for record in self.0.records() {
            for (_, decision) in record.decisions.iter().filter(|_| record.last() <= upto) {
                if let Decision::Revision(revision) = decision {
                    let revision = Arc::new(revision.clone());
                    let row = |&due| Outstanding {
                        revision: Arc::clone(&revision),
                        due,
                        status: Some(revision.status),
                        leaves: Leaves::Open,
                    };
                    rows.extend(revision.due.iter().map(row));
                }
            }
            // What is in a digest is no row of its own; one that goes alone says so.
            for bundle in bundles(&record) {
                let is_in = |row: &Outstanding| bundle.members.contains(&key(row));
                rows.retain(|row| !bundle.is_digest() || !is_in(row));
                rows.iter_mut().filter(|row| is_in(row)).for_each(|row| row.leaves = Leaves::Alone);
            }
            decided.extend(record.inputs.iter().filter_map(|input| match input {
                Input::Outcome(outcome) => Some(outcome.key),
                _ => None,
            }));
        }
        (rows, decided)
    }
}

impl FakeArchive {
    /// Digests without all their outcomes.
    pub(super) fn bundled(&self) -> Vec<Bundled> {
        let records = self.0.records();
        let (mut rows, decided) = (Vec::new(), self.deliveries(self.0.end()).1);
        for record in &records {
            for (_, decision) in &record.decisions {
                if let Decision::Revision(revision) = decision {
                    let (revision, leaves) = (Arc::new(revision.clone()), Leaves::Open);
                    let status = Some(revision.status);
                    let row = |&due| Outstanding { revision: Arc::clone(&revision), due, status, leaves };
                    rows.extend(revision.due.iter().map(row));
                }
            }
        }
        let digests = records.iter().flat_map(|record| bundles(record)).filter(|bundle| bundle.is_digest());
        let whole = digests.map(|bundle| Bundled {
            key: bundle.key,
            members: rows.iter().filter(|row| bundle.members.contains(&key(row))).cloned().collect(),
            decided: bundle.members.iter().copied().filter(|key| decided.contains(key)).collect(),
        });
        whole.filter(|digest| digest.decided.len() < digest.members.len()).collect()
    }

    /// What was said, oldest first.
    pub(super) fn said(&self) -> Vec<Said> {
        let records = self.0.records();
        let bundles =
            records.iter().flat_map(|record| bundles(record).map(move |bundle| (record.at, bundle)));
        bundles
            .map(|(at, bundle)| Said { target: bundle.target, at, is_digest: bundle.is_digest() })
            .collect()
    }
}

impl Archive for FakeArchive {
    fn reached(&self) -> anyhow::Result<Position> {
        let is_behind = self.0.inner.lock().unwrap().early > 0;
        Ok(if is_behind { Position(0) } else { self.0.end() })
    }

    fn revision(&self, warning: &OutputId, number: u32) -> anyhow::Result<Option<Arc<Revision>>> {
        let mut inner = self.0.inner.lock().unwrap();
        if inner.early > 0 {
            inner.early -= 1;
            return Ok(None);
        }
        drop(inner);
        let (rows, _) = self.deliveries(self.0.end());
        let found = rows.into_iter().map(|row| row.revision);
        Ok(found.into_iter().find(|revision| revision.warning == *warning && revision.number == number))
    }

    fn outstanding(
        &self,
        after: &Outstanding,
        upto: Position,
        limit: usize,
    ) -> anyhow::Result<Vec<Outstanding>> {
        let (rows, decided) = self.deliveries(upto);
        let place = |row: &Outstanding| (row.revision.id, row.due);
        let open = rows
            .into_iter()
            .filter(|row| place(row) > place(after))
            .filter(|row| !decided.contains(&key(row)));
        Ok(open.take(limit).collect())
    }
}

/// The delivery key of a row.
pub(super) fn key(row: &Outstanding) -> Key {
    Key::of_delivery(&row.revision.id, &target_id(row.due.target.0), row.due.round)
}

/// A target's opaque id.
pub(super) fn target_id(target: u32) -> String {
    format!("t-{target}")
}

/// A target's address, which must stay out of log, state and errors.
pub(super) fn address(target: u32) -> String {
    format!("person-{target}@example.org")
}

/// A setup with these targets, all on the fake channel, without those in `erased`.
pub(super) fn setup(targets: u32, erased: &[u32]) -> Arc<Setup> {
    let target = |index| PlanTarget {
        id: target_id(index),
        contact: format!("c-{index}"),
        roles: vec!["duty".into()],
        area: None,
        channel: "fake".into(),
        language: "en".into(),
        min_level: Level::Blue,
        hours: None,
    };
    let plan = Plan { targets: (0..targets).map(|index| Some(target(index))).collect(), ..Plan::default() };
    let addresses: BTreeMap<String, Address> = (0..targets)
        .filter(|index| !erased.contains(index))
        .map(|index| (target_id(index), Address { address: address(index), name: "A. Person".into() }))
        .collect();
    let bind = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    Arc::new(Setup {
        plan: Arc::new(plan),
        catalog: Arc::default(),
        sources: vec![],
        listener: None,
        http: Http { bind, tokens: vec![], operator_token: None, body_max: 1_024, source: SourceIx(0) },
        email: None,
        webhook: Webhook {
            secret: None,
            allow: vec![],
            plaintext: false,
            ca: None,
            timeout: Span::from_secs(15),
            connections_max: 4,
            digest: None,
        },
        chat: Chat::default(),
        heartbeat: Heartbeat { every: Span::from_mins(1), outside: None },
        influx: None,
        store: Store { keep: Span::from_hours(72) },
        log: Log { segment_bytes: 1 << 20, keep: Span::from_hours(72), gap: Span(400), reserve_segments: 1 },
        devices: Arc::new(Devices::default()),
        addresses: Arc::new(addresses),
        messages: Arc::default(),
        url: None,
        admits: Admits::All,
        data: PathBuf::new(),
        host: String::new(),
        shell_accounts: vec![],
        cap: Cap::default(),
        outlines: Arc::default(),
    })
}

/// Waits until something is so, a few seconds at most.
pub(super) async fn until(what: &str, so: impl Fn() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !so() {
        assert!(tokio::time::Instant::now() < deadline, "not within 10 s: {what}");
        tokio::task::yield_now().await;
    }
}

/// The index of every target.
pub(super) fn all(targets: u32) -> Vec<u32> {
    (0..targets).collect()
}
