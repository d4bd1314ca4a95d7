//! The courier as a state machine: what happened goes in with its engine time,
//! what to do comes out. No IO, no clock, no tasks.
//!
//! A delivery is *blocked* while an earlier one of its target and warning has
//! no outcome in the log, or the directory is held, *held* while its target was
//! told as much as it takes, *joined* once it is in a digest, *fixing* while the
//! log is to say how it leaves, *ready* when only permits and the receiver's
//! health hold it, *resting* between two attempts, *flying* during one, *reported*
//! once its outcome was handed to the driver, and forgotten when that outcome
//! is seen in the log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use forewarn_core::ids::{Key, OutputId, TargetIx};
use forewarn_core::time::{Moment, Span, Timestamp};
use forewarn_core::warning::{About, Death, Outcome};

use super::backoff::Backoff;
use super::delivery::{Action, Delivery, Flight, Item, Stage};
use super::digests::Digest;
use super::lane::{Lane, Place, Server};
use super::pace::Pace;
use super::told::Told;
use crate::ports::{Hold, Leaves};

/// All lanes, all servers.
#[derive(Debug, Clone)]
pub(super) struct Lanes {
    pub(super) offset: Span,
    pub(super) trusted: bool,
    pub(super) hold: Hold,
    pub(super) backoff: Backoff,
    pub(super) items: BTreeMap<Key, Item>,
    pub(super) by_target: BTreeMap<TargetIx, Lane>,
    pub(super) servers: BTreeMap<Arc<str>, Server>,
    pub(super) flights: BTreeMap<Key, Flight>,
    pub(super) told: Told,
    /// Digests that are fixed, or being fixed, and have not all their outcomes in the log.
    pub(super) digests: BTreeMap<Key, Digest>,
    /// One a target that takes only so many messages.
    pub(super) paces: BTreeMap<TargetIx, Pace>,
    /// What is on its way into the log to be fixed there.
    pub(super) fixing: BTreeSet<Key>,
    /// When what waits for a digest may go.
    pub(super) dues: BTreeSet<(Timestamp, TargetIx)>,
    /// Items that wait for a digest or are in one.
    pub(super) gathered: usize,
    pub(super) reported: usize,
    pub(super) rests: BTreeSet<(Timestamp, Key)>,
    pub(super) probes: BTreeSet<(Timestamp, TargetIx)>,
    pub(super) expiries: BTreeSet<(Timestamp, Key)>,
    pub(super) ages: BTreeSet<(Timestamp, Key)>,
    pub(super) dirty: BTreeSet<Arc<str>>,
    pub(super) actions: Vec<Action>,
}

impl Lanes {
    /// Nothing outstanding; civil time equal to engine time and untrusted.
    pub(super) fn new(seed: u64) -> Self {
        Lanes {
            offset: Span::ZERO,
            trusted: false,
            hold: Hold::No,
            backoff: Backoff::new(seed),
            items: BTreeMap::new(),
            by_target: BTreeMap::new(),
            servers: BTreeMap::new(),
            flights: BTreeMap::new(),
            told: Told::default(),
            digests: BTreeMap::new(),
            paces: BTreeMap::new(),
            fixing: BTreeSet::new(),
            dues: BTreeSet::new(),
            gathered: 0,
            reported: 0,
            rests: BTreeSet::new(),
            probes: BTreeSet::new(),
            expiries: BTreeSet::new(),
            ages: BTreeSet::new(),
            dirty: BTreeSet::new(),
            actions: Vec::new(),
        }
    }

    /// Civil time as the log has it: nothing expires while it is not trusted.
    pub(super) fn civil_is(&mut self, moment: Moment) {
        (self.offset, self.trusted) = (moment.offset, moment.trusted);
        self.advance(moment.at);
    }

    /// Whether a restored directory is held. While it is, nothing but Trouble is attempted.
    pub(super) fn hold(&mut self, hold: Hold, now: Timestamp) {
        if self.hold == hold {
            return;
        }
        self.hold = hold;
        let fronts = |lane: &Lane| lane.chains.values().filter_map(|chain| chain.front().copied()).collect();
        let keys: Vec<Vec<Key>> = self.by_target.values().map(fronts).collect();
        for key in keys.into_iter().flatten() {
            match (hold, self.items[&key].stage) {
                (Hold::UntilResumed, Stage::Ready | Stage::Held) | (Hold::No, Stage::Blocked) => {
                    self.unqueue(key);
                    self.expiries.insert((self.items[&key].delivery.revision.expires, key));
                    self.make_ready(key, now);
                }
                // What is fixed meanwhile is blocked then.
                (Hold::UntilResumed, Stage::Blocked)
                | (Hold::No, Stage::Ready | Stage::Held)
                | (_, Stage::Fixing | Stage::Joined | Stage::Resting(_) | Stage::Flying | Stage::Reported) => {
                }
            }
        }
        self.hold_digests(now);
        self.advance(now);
    }

    /// Whether nothing but Trouble is attempted.
    pub(super) fn is_held(&self) -> bool {
        self.hold == Hold::UntilResumed
    }

    /// What the projection knows of a warning that has not ended.
    pub(super) fn recall(&mut self, warning: OutputId, target: TargetIx, number: u32) {
        self.told.recall(warning, target, number);
    }

    /// Where a target with something outstanding is reached from now on;
    /// `None`: its address is gone.
    pub(super) fn place(&mut self, target: TargetIx, place: Option<Place>, now: Timestamp) {
        self.withdraw(target);
        let Some(lane) = self.by_target.get_mut(&target) else { return };
        let erased = place.is_none();
        lane.place = place;
        if erased {
            let (keys, digest): (Vec<Key>, _) =
                (lane.chains.values().flatten().copied().collect(), lane.digest);
            self.report_waiting(keys, Outcome::Dead(Death::Erased));
            self.settle_waiting(digest, Outcome::Dead(Death::Erased));
        }
        self.arm(target, now);
        self.refresh(target, now);
        self.advance(now);
    }

    /// A delivery was released by the log, its target being reached at `place`.
    /// One that is known already is ignored.
    pub(super) fn release(
        &mut self,
        delivery: Delivery,
        leaves: Leaves,
        place: Option<Place>,
        now: Timestamp,
    ) {
        let (key, target, warning) = (delivery.key, delivery.target, delivery.revision.warning);
        if self.items.contains_key(&key) {
            return;
        }
        let is_last = delivery.revision.kind.is_last();
        let fate = self.fate(&delivery);
        self.expiries.insert((delivery.revision.expires, key));
        if leaves == Leaves::Alone && place.as_ref().is_some_and(|place| place.digests.is_some()) {
            self.paces.entry(target).or_default().begin(key);
        }
        self.enter(Item { delivery, stage: Stage::Blocked, attempts: 0, leaves, digest: None });
        if let Some(outcome) = fate {
            self.report(key, outcome);
        } else {
            self.overtake(key, target, &warning);
            if is_last && !self.told.may_have_heard(&warning, target) && !self.will_be_heard(&warning, target)
            {
                // No all-clear for what was never said.
                self.report(key, Outcome::Superseded);
            }
        }
        self.place(target, place, now);
        self.promote(target, &warning, now);
        self.advance(now);
    }

    /// Something outstanding, the last of its target and warning.
    pub(super) fn enter(&mut self, item: Item) {
        let (key, target, revision) = (item.delivery.key, item.delivery.target, &item.delivery.revision);
        let warning = revision.warning;
        self.told.open(revision);
        // That a heartbeat waits is told by the heartbeat itself: no warning is late for it.
        if target != TargetIx::HEARTBEAT {
            self.ages.insert((revision.sent, key));
        }
        self.gathered += usize::from(item.stage.is_gathered());
        self.items.insert(key, item);
        self.by_target.entry(target).or_default().chains.entry(warning).or_default().push_back(key);
    }

    /// Time passed: what expired dies, what rested is ready, who may send sends.
    pub(super) fn advance(&mut self, now: Timestamp) {
        while let Some(&(expires, key)) = self.expiries.first()
            && self.trusted
            && expires <= now + self.offset
        {
            self.expiries.pop_first();
            if self.items.get(&key).is_some_and(Item::is_waiting) {
                self.report(key, Outcome::Dead(Death::Expired));
            }
            self.settle_waiting(Some(key), Outcome::Dead(Death::Expired));
        }
        while let Some(&(due, target)) = self.dues.first()
            && due <= now
        {
            self.dues.pop_first();
            self.gather(target, now);
        }
        while let Some(&(until, key)) = self.rests.first()
            && until <= now
        {
            self.rests.pop_first();
            self.make_ready(key, now);
        }
        while let Some(&(until, target)) = self.probes.first()
            && until <= now
        {
            self.refresh(target, now);
        }
        while let Some(server) = self.dirty.pop_first() {
            self.give_permits(&server, now);
        }
    }

    /// What there is to do since the last call.
    pub(super) fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// What an attempt under this key carries: a delivery without an outcome in
    /// the log, all that is in a digest, or nothing any more.
    pub(super) fn deliveries(&self, key: Key) -> &[Delivery] {
        match (self.items.get(&key), self.digests.get(&key)) {
            (Some(item), _) => std::slice::from_ref(&item.delivery),
            (None, Some(digest)) => &digest.members,
            (None, None) => &[],
        }
    }

    /// Targets with something outstanding.
    pub(super) fn targets(&self) -> Vec<TargetIx> {
        self.by_target.keys().copied().collect()
    }

    /// Deliveries without an outcome in the log.
    pub(super) fn outstanding(&self) -> usize {
        self.items.len()
    }

    /// Those of them that wait for a digest, or are in one.
    pub(super) fn gathered(&self) -> usize {
        self.gathered
    }

    /// Whether each of them rests until a known time.
    pub(super) fn is_idle(&self) -> bool {
        self.flights.is_empty() && self.reported == 0 && self.fixing.is_empty()
    }

    /// Engine time of the next attempt.
    pub(super) fn next_attempt(&self) -> Option<Timestamp> {
        let rest = self.rests.first().map(|&(until, _)| until);
        let probe = self.probes.first().map(|&(until, _)| until);
        let due = self.dues.first().map(|&(due, _)| due);
        [rest, probe, due].into_iter().flatten().min()
    }

    /// Engine time at which [`Lanes::advance`] has something to do.
    pub(super) fn wake_at(&self) -> Option<Timestamp> {
        let expiry = self.expiries.first().filter(|_| self.trusted).map(|&(at, _)| at - self.offset);
        self.next_attempt().into_iter().chain(expiry).min()
    }

    /// Civil time of the oldest revision that has no outcome for somebody.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        self.ages.first().map(|&(sent, _)| sent)
    }

    /// Civil time at an instant of engine time.
    pub(super) fn civil(&self, now: Timestamp) -> Timestamp {
        now + self.offset
    }

    /// Whether a target's warnings wait for their digest, and it is not due yet.
    pub(super) fn is_early(&self, target: TargetIx, now: Timestamp) -> bool {
        self.by_target.get(&target).and_then(|lane| lane.due).is_some_and(|due| due > now)
    }

    /// Lets the first of a chain go, once all before it have their outcome in the log.
    pub(super) fn promote(&mut self, target: TargetIx, warning: &OutputId, now: Timestamp) {
        let chain = self.by_target.get(&target).and_then(|lane| lane.chains.get(warning));
        if let Some(&key) = chain.and_then(|chain| chain.front())
            && self.items[&key].stage == Stage::Blocked
        {
            self.make_ready(key, now);
        } else {
            self.refresh(target, now);
        }
    }

    /// Ready, or held for a digest, or blocked while the directory is held.
    pub(super) fn make_ready(&mut self, key: Key, now: Timestamp) {
        let Some(item) = self.items.get(&key) else { return self.digest_ready(key, now) };
        let (rank, target) = (item.rank(), item.delivery.target);
        if self.is_barred(&item.delivery) {
            self.set(key, Stage::Blocked);
        } else if let Some(terms) = self.terms(item) {
            self.pace(key, terms, now);
        } else {
            self.set(key, Stage::Ready);
            self.by_target.entry(target).or_default().ready.insert(rank);
        }
        self.refresh(target, now);
    }

    /// Whether the directory is held, and that holds this.
    pub(super) fn is_barred(&self, delivery: &Delivery) -> bool {
        self.hold == Hold::UntilResumed && !matches!(delivery.revision.about, About::Trouble(_))
    }

    /// Takes a delivery, or a digest, out of every queue but its chain.
    pub(super) fn unqueue(&mut self, key: Key) {
        let Some(item) = self.items.get(&key) else { return self.unqueue_digest(key) };
        let target = item.delivery.target;
        self.expiries.remove(&(item.delivery.revision.expires, key));
        match item.stage {
            Stage::Ready => {
                let rank = item.rank();
                self.withdraw(target);
                self.by_target.entry(target).or_default().ready.remove(&rank);
            }
            Stage::Held => {
                let rank = item.rank();
                self.by_target.entry(target).or_default().held.remove(&rank);
            }
            Stage::Resting(until) => {
                self.rests.remove(&(until, key));
            }
            Stage::Blocked | Stage::Fixing | Stage::Joined | Stage::Flying | Stage::Reported => {}
        }
    }

    pub(super) fn set(&mut self, key: Key, stage: Stage) {
        let item = self.items.get_mut(&key).expect("only outstanding deliveries change");
        self.gathered += usize::from(stage.is_gathered());
        self.gathered -= usize::from(item.stage.is_gathered());
        let age = (item.delivery.revision.sent, key);
        // What is kept on purpose is not late.
        if stage == Stage::Held {
            self.ages.remove(&age);
        } else if item.stage == Stage::Held {
            self.ages.insert(age);
        }
        item.stage = stage;
    }
}
