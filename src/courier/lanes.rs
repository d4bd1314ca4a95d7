//! The courier as a state machine: what happened goes in with its engine time,
//! what to do comes out. No IO, no clock, no tasks.
//!
//! A delivery is *blocked* while an earlier one of its target and warning has
//! no outcome in the log, or the directory is held, *ready* when only permits and the receiver's health
//! hold it, *resting* between two attempts, *flying* during one, *reported*
//! once its outcome was handed to the driver, and forgotten when that outcome
//! is seen in the log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use forewarn_core::event::DeliveryOutcome;
use forewarn_core::ids::{Key, OutputId, TargetIx};
use forewarn_core::time::{Moment, Span, Timestamp};
use forewarn_core::warning::{About, Death, Outcome};

use super::backoff::Backoff;
use super::delivery::{Action, Admission, Attempt, Delivery, Flight, Item, Stage};
use super::lane::{Health, Lane, Place, Server, Sick};
use super::told::Told;
use crate::ports::Hold;

/// All lanes, all servers.
#[derive(Debug, Clone)]
pub(super) struct Lanes {
    offset: Span,
    trusted: bool,
    hold: Hold,
    backoff: Backoff,
    pub(super) items: BTreeMap<Key, Item>,
    pub(super) by_target: BTreeMap<TargetIx, Lane>,
    pub(super) servers: BTreeMap<Arc<str>, Server>,
    pub(super) flights: BTreeMap<Key, Flight>,
    pub(super) told: Told,
    reported: usize,
    rests: BTreeSet<(Timestamp, Key)>,
    pub(super) probes: BTreeSet<(Timestamp, TargetIx)>,
    expiries: BTreeSet<(Timestamp, Key)>,
    ages: BTreeSet<(Timestamp, Key)>,
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
                (Hold::UntilResumed, Stage::Ready) | (Hold::No, Stage::Blocked) => {
                    self.unqueue(key);
                    self.expiries.insert((self.items[&key].delivery.revision.expires, key));
                    self.make_ready(key, now);
                }
                (
                    Hold::UntilResumed,
                    Stage::Blocked | Stage::Resting(_) | Stage::Flying | Stage::Reported,
                )
                | (Hold::No, Stage::Ready | Stage::Resting(_) | Stage::Flying | Stage::Reported) => {}
            }
        }
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
            let keys: Vec<Key> = lane.chains.values().flatten().copied().collect();
            self.report_waiting(keys, Outcome::Dead(Death::Erased));
        }
        self.refresh(target, now);
        self.advance(now);
    }

    /// A delivery was released by the log, its target being reached at `place`.
    /// One that is known already is ignored.
    pub(super) fn release(&mut self, delivery: Delivery, place: Option<Place>, now: Timestamp) {
        let (key, target, warning) = (delivery.key, delivery.target, delivery.revision.warning);
        if self.items.contains_key(&key) {
            return;
        }
        self.told.open(&delivery.revision);
        let is_last = delivery.revision.kind.is_last();
        let fate = self.fate(&delivery);
        self.expiries.insert((delivery.revision.expires, key));
        // That a heartbeat waits is told by the heartbeat itself: no warning is late for it.
        if target != TargetIx::HEARTBEAT {
            self.ages.insert((delivery.revision.sent, key));
        }
        self.items.insert(key, Item { delivery, stage: Stage::Blocked, attempts: 0 });
        self.by_target.entry(target).or_default().chains.entry(warning).or_default().push_back(key);
        if let Some(outcome) = fate {
            self.report(key, outcome);
        } else {
            self.overtake(key, target, &warning);
            if is_last && !self.told.may_have_heard(&warning, target) {
                // No all-clear for what was never said.
                self.report(key, Outcome::Superseded);
            }
        }
        self.place(target, place, now);
        self.promote(target, &warning, now);
        self.advance(now);
    }

    /// What came of an attempt that [`Action::Send`] asked for.
    pub(super) fn finished(&mut self, key: Key, attempt: Attempt, now: Timestamp) {
        let Some(flight) = self.flights.remove(&key) else { return };
        self.land(&flight, attempt, now);
        if self.items.get(&key).is_some_and(|item| item.stage == Stage::Flying) {
            match attempt {
                Attempt::Accepted => self.report(key, Outcome::Accepted),
                Attempt::Dead(death) => self.report(key, Outcome::Dead(death)),
                Attempt::Failed(asked) => self.failed(key, asked, now),
            }
        }
        self.refresh(flight.target, now);
        self.advance(now);
    }

    /// An outcome stands in the log.
    pub(super) fn logged(&mut self, outcome: &DeliveryOutcome, now: Timestamp) {
        let Some(item) = self.items.get(&outcome.key) else { return };
        let (target, warning) = (item.delivery.target, item.delivery.revision.warning);
        self.unqueue(outcome.key);
        let item = self.items.remove(&outcome.key).expect("looked up above");
        self.reported -= usize::from(item.stage == Stage::Reported);
        self.ages.remove(&(item.delivery.revision.sent, outcome.key));
        self.told.close(&warning);
        if let Some(lane) = self.by_target.get_mut(&target)
            && let Some(chain) = lane.chains.get_mut(&warning)
        {
            chain.retain(|key| *key != outcome.key);
            if chain.is_empty() {
                lane.chains.remove(&warning);
            }
        }
        self.promote(target, &warning, now);
        self.advance(now);
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

    /// A delivery without an outcome in the log.
    pub(super) fn delivery(&self, key: Key) -> Option<&Delivery> {
        self.items.get(&key).map(|item| &item.delivery)
    }

    /// Targets with something outstanding.
    pub(super) fn targets(&self) -> Vec<TargetIx> {
        self.by_target.keys().copied().collect()
    }

    /// Deliveries without an outcome in the log.
    pub(super) fn outstanding(&self) -> usize {
        self.items.len()
    }

    /// Whether each of them rests until a known time.
    pub(super) fn is_idle(&self) -> bool {
        self.flights.is_empty() && self.reported == 0
    }

    /// Engine time of the next attempt.
    pub(super) fn next_attempt(&self) -> Option<Timestamp> {
        let rest = self.rests.first().map(|&(until, _)| until);
        let probe = self.probes.first().map(|&(until, _)| until);
        rest.into_iter().chain(probe).min()
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

    /// What is decided of a delivery before it could be sent at all.
    fn fate(&self, delivery: &Delivery) -> Option<Outcome> {
        let (target, revision) = (delivery.target, &delivery.revision);
        let order = (revision.number, delivery.round);
        let later = self
            .by_target
            .get(&target)
            .and_then(|lane| lane.chains.get(&revision.warning))
            .is_some_and(|chain| chain.iter().any(|key| self.items[key].order() > order));
        let sent = self.told.latest(&revision.warning, target).is_some_and(|sent| sent > revision.number);
        if delivery.admission == Admission::Refused {
            Some(Outcome::Dead(Death::Forbidden))
        } else if later || sent {
            Some(Outcome::Superseded)
        } else {
            None
        }
    }

    /// A later revision is complete in itself: those before it that are not in
    /// the air give way.
    fn overtake(&mut self, by: Key, target: TargetIx, warning: &OutputId) {
        let chain = self.by_target.get(&target).and_then(|lane| lane.chains.get(warning));
        let keys: Vec<Key> = chain.into_iter().flatten().copied().filter(|key| *key != by).collect();
        self.report_waiting(keys, Outcome::Superseded);
    }

    /// An attempt failed: rest, unless there is no point in another.
    fn failed(&mut self, key: Key, asked: Option<Span>, now: Timestamp) {
        let item = self.items.get_mut(&key).expect("the caller looked it up");
        item.attempts = item.attempts.saturating_add(1);
        let (attempts, expires) = (item.attempts, item.delivery.revision.expires);
        let lane = self.by_target.get(&item.delivery.target).expect("a delivery has a lane");
        let overtaken = lane.chains.get(&item.delivery.revision.warning).and_then(|chain| chain.back());
        if overtaken.is_some_and(|last| *last != key) {
            self.report(key, Outcome::Superseded);
        } else if lane.place.is_none() {
            self.report(key, Outcome::Dead(Death::Erased));
        } else if self.trusted && expires <= now + self.offset {
            self.report(key, Outcome::Dead(Death::Expired));
        } else {
            let until = now + self.backoff.rest(attempts, asked);
            self.rests.insert((until, key));
            self.expiries.insert((expires, key));
            self.set(key, Stage::Resting(until));
        }
    }

    /// Gives the permit back and notes the receiver's health.
    fn land(&mut self, flight: &Flight, attempt: Attempt, now: Timestamp) {
        if let Some(server) = self.servers.get_mut(&flight.server) {
            server.flying -= 1;
            server.probing -= usize::from(flight.health == Health::Sick);
            self.dirty.insert(Arc::clone(&flight.server));
        }
        let Some(lane) = self.by_target.get_mut(&flight.target) else { return };
        lane.flying -= 1;
        match attempt {
            // Whoever refuses is there.
            Attempt::Accepted | Attempt::Dead(Death::Rejected) => lane.sick = None,
            Attempt::Dead(Death::Expired | Death::Erased | Death::Forbidden) => {}
            Attempt::Failed(asked) => {
                let failures = lane.sick.map_or(0, |sick| sick.failures);
                if failures == flight.failures {
                    let failures = failures.saturating_add(1);
                    let until = now + self.backoff.rest(failures, asked);
                    lane.sick = Some(Sick { failures, until });
                }
            }
        }
    }

    fn report_waiting(&mut self, keys: Vec<Key>, outcome: Outcome) {
        for key in keys {
            if self.items[&key].is_waiting() {
                self.report(key, outcome);
            }
        }
    }

    /// Takes a delivery's outcome as decided and hands it over.
    fn report(&mut self, key: Key, outcome: Outcome) {
        self.unqueue(key);
        self.set(key, Stage::Reported);
        self.reported += 1;
        let Delivery { target, revision, .. } = &self.items[&key].delivery;
        let (warning, number) = (revision.warning, revision.number);
        self.actions.push(Action::Report(DeliveryOutcome { key, warning, number, target: *target, outcome }));
    }

    /// Lets the first of a chain go, once all before it have their outcome in the log.
    fn promote(&mut self, target: TargetIx, warning: &OutputId, now: Timestamp) {
        let chain = self.by_target.get(&target).and_then(|lane| lane.chains.get(warning));
        if let Some(&key) = chain.and_then(|chain| chain.front())
            && self.items[&key].stage == Stage::Blocked
        {
            self.make_ready(key, now);
        } else {
            self.refresh(target, now);
        }
    }

    /// Ready, or blocked while the directory is held.
    fn make_ready(&mut self, key: Key, now: Timestamp) {
        let item = &self.items[&key];
        let (rank, target) = (item.rank(), item.delivery.target);
        let revision = &item.delivery.revision;
        if self.hold == Hold::UntilResumed && !matches!(revision.about, About::Trouble(_)) {
            self.set(key, Stage::Blocked);
        } else {
            self.set(key, Stage::Ready);
            self.by_target.entry(target).or_default().ready.insert(rank);
        }
        self.refresh(target, now);
    }

    /// Takes a delivery out of every queue but its chain.
    pub(super) fn unqueue(&mut self, key: Key) {
        let item = &self.items[&key];
        let target = item.delivery.target;
        self.expiries.remove(&(item.delivery.revision.expires, key));
        match item.stage {
            Stage::Ready => {
                let rank = item.rank();
                self.withdraw(target);
                self.by_target.entry(target).or_default().ready.remove(&rank);
            }
            Stage::Resting(until) => {
                self.rests.remove(&(until, key));
            }
            Stage::Blocked | Stage::Flying | Stage::Reported => {}
        }
    }

    pub(super) fn set(&mut self, key: Key, stage: Stage) {
        self.items.get_mut(&key).expect("only outstanding deliveries change").stage = stage;
    }
}
