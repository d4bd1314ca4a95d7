//! What becomes of deliveries: by an attempt, by a later revision, by time; and
//! what is true of it once the log has it.

use std::sync::Arc;

use forewarn_core::event::DeliveryOutcome;
use forewarn_core::ids::{Key, OutputId, TargetIx};
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::warning::{Death, Outcome};

use super::delivery::{Action, Admission, Attempt, Delivery, Flight, Stage};
use super::lane::{Health, Sick};
use super::lanes::Lanes;

impl Lanes {
    /// What came of an attempt that [`Action::Send`] asked for.
    pub(super) fn finished(&mut self, key: Key, attempt: Attempt, now: Timestamp) {
        let Some(flight) = self.flights.remove(&key) else { return };
        self.land(&flight, attempt, now);
        if self.digests.contains_key(&key) {
            self.digest_finished(key, attempt, now);
        } else if self.items.get(&key).is_some_and(|item| item.stage == Stage::Flying) {
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
        self.gathered -= usize::from(item.stage.is_gathered());
        self.ages.remove(&(item.delivery.revision.sent, outcome.key));
        self.told.close(&warning);
        if let Some(pace) = self.paces.get_mut(&target) {
            pace.end(outcome.key);
        }
        self.leave_digest(item.digest, now);
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

    /// What is decided of a delivery before it could be sent at all.
    pub(super) fn fate(&self, delivery: &Delivery) -> Option<Outcome> {
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
    pub(super) fn overtake(&mut self, by: Key, target: TargetIx, warning: &OutputId) {
        let chain = self.by_target.get(&target).and_then(|lane| lane.chains.get(warning));
        let keys: Vec<Key> = chain.into_iter().flatten().copied().filter(|key| *key != by).collect();
        keys.iter().for_each(|key| self.overtaken_in_digest(*key));
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

    pub(super) fn report_waiting(&mut self, keys: Vec<Key>, outcome: Outcome) {
        for key in keys {
            if self.items[&key].is_waiting() {
                self.report(key, outcome);
            }
        }
    }

    /// Takes a delivery's outcome as decided and hands it over.
    pub(super) fn report(&mut self, key: Key, outcome: Outcome) {
        let outcome = self.decide(key, outcome);
        self.actions.push(Action::Report(outcome));
    }

    /// Takes a delivery's outcome as decided.
    pub(super) fn decide(&mut self, key: Key, outcome: Outcome) -> DeliveryOutcome {
        self.unqueue(key);
        self.set(key, Stage::Reported);
        self.reported += 1;
        let Delivery { target, revision, .. } = &self.items[&key].delivery;
        let (warning, number) = (revision.warning, revision.number);
        DeliveryOutcome { key, warning, number, target: *target, outcome }
    }
}
