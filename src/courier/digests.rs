//! What is more than a target takes: held, put together, fixed in the log, and
//! from then on one message under one key, whatever happens.

use std::collections::BTreeSet;

use forewarn_core::event::{BUNDLED_MAX, Bundle};
use forewarn_core::ids::{Key, OutputId, TargetIx};
use forewarn_core::level::Level;
use forewarn_core::time::Timestamp;
use forewarn_core::warning::{Death, Outcome};

use super::delivery::{Action, Attempt, Delivery, Item, Stage};
use super::lane::{Place, Rank};
use super::lanes::Lanes;
use super::pace::{Message, Others};
use crate::config::plan::Digests;
use crate::ports::{Hold, Leaves, Said};

/// Deliveries that leave as one message.
#[derive(Debug, Clone)]
pub(super) struct Digest {
    /// To whom.
    pub(super) target: TargetIx,
    /// The worst first. Those with an outcome as well: it is the same message
    /// at every attempt.
    pub(super) members: Vec<Delivery>,
    /// Those that have no outcome in the log.
    open: usize,
    /// Those that a later revision waits for.
    overtaken: BTreeSet<Key>,
    stage: Stage,
    attempts: u32,
}

impl Digest {
    fn rank(&self, key: Key) -> Rank {
        self.members[0].rank(key, self.attempts)
    }

    /// As long as anything in it holds.
    fn expires(&self) -> Timestamp {
        self.members.iter().map(|member| member.revision.expires).max().unwrap_or_default()
    }

    fn is_waiting(&self) -> bool {
        match self.stage {
            Stage::Blocked | Stage::Held | Stage::Fixing | Stage::Ready | Stage::Resting(_) => true,
            Stage::Joined | Stage::Flying | Stage::Reported => false,
        }
    }
}

impl Lanes {
    /// How many messages the target of a delivery takes, where that bears on it.
    pub(super) fn terms(&self, item: &Item) -> Option<Digests> {
        let lane = self.by_target.get(&item.delivery.target)?;
        let terms = lane.place.as_ref()?.digests?;
        (item.leaves == Leaves::Open && item.delivery.is_counted()).then_some(terms)
    }

    /// By itself at once, or held for a digest.
    pub(super) fn pace(&mut self, key: Key, terms: Digests, now: Timestamp) {
        let item = &self.items[&key];
        let (rank, target) = (item.rank(), item.delivery.target);
        let lane = self.by_target.entry(target).or_default();
        let others = if lane.held.is_empty() { Others::None } else { Others::Wait };
        if self.paces.entry(target).or_default().admits(rank.level.0, others, terms, now) {
            self.fix_alone(key, now);
        } else {
            lane.held.insert(rank);
            self.set(key, Stage::Held);
            self.arm(target, now);
        }
    }

    fn fix_alone(&mut self, key: Key, now: Timestamp) {
        let Delivery { target, revision, .. } = &self.items[&key].delivery;
        let bundle = Bundle::alone(key, *target, revision.level);
        let pace = self.paces.entry(*target).or_default();
        pace.say(Message::Single, key, now);
        pace.begin(key);
        self.set(key, Stage::Fixing);
        self.fix(bundle);
    }

    fn fix(&mut self, bundle: Bundle) {
        self.fixing.insert(bundle.key);
        self.actions.push(Action::Fix(bundle));
    }

    /// Sets when what is held may go; after the digest that is under way, if there is one.
    pub(super) fn arm(&mut self, target: TargetIx, now: Timestamp) {
        let Some(lane) = self.by_target.get_mut(&target) else { return };
        if let Some(due) = lane.due.take() {
            self.dues.remove(&(due, target));
        }
        let Some(place) = lane.place.as_ref().filter(|_| lane.digest.is_none() && !lane.held.is_empty())
        else {
            return;
        };
        let pace = self.paces.entry(target).or_default();
        let due = place.digests.map_or(now, |terms| pace.due(terms, now));
        lane.due = Some(due);
        self.dues.insert((due, target));
    }

    /// What is held may go: as a digest, or singly where it is but one.
    pub(super) fn gather(&mut self, target: TargetIx, now: Timestamp) {
        let Some(lane) = self.by_target.get_mut(&target) else { return };
        lane.due = None;
        if lane.digest.is_some() {
            return;
        }
        let Some(place) = &lane.place else { return };
        let Some(terms) = place.digests else {
            // It takes as many as there are, since a reload.
            let held = std::mem::take(&mut lane.held);
            return held.iter().for_each(|rank| self.make_ready(rank.key, now));
        };
        let Some(status) = lane.held.first().map(|rank| self.items[&rank.key].delivery.revision.status)
        else {
            return;
        };
        // A drill shares no message with what is real.
        let alike = lane.held.iter().filter(|rank| self.items[&rank.key].delivery.revision.status == status);
        let keys: Vec<Key> = alike.take(terms.members_max.min(BUNDLED_MAX)).map(|rank| rank.key).collect();
        keys.iter().for_each(|&key| self.unqueue(key));
        match keys[..] {
            [one] => {
                self.expiries.insert((self.items[&one].delivery.revision.expires, one));
                self.fix_alone(one, now);
            }
            _ => self.form(target, keys, now),
        }
        self.arm(target, now);
    }

    fn form(&mut self, target: TargetIx, keys: Vec<Key>, now: Timestamp) {
        let members: Vec<Delivery> = keys.iter().map(|key| self.items[key].delivery.clone()).collect();
        let level = members.iter().map(|member| member.revision.level).max().unwrap_or(Level::Normal);
        let bundle = Bundle::digest(keys, target, level);
        for key in &bundle.members {
            self.set(*key, Stage::Joined);
            self.items.get_mut(key).expect("it was just set").digest = Some(bundle.key);
        }
        let (open, overtaken) = (members.len(), BTreeSet::new());
        let digest = Digest { target, members, open, overtaken, stage: Stage::Fixing, attempts: 0 };
        self.digests.insert(bundle.key, digest);
        self.by_target.entry(target).or_default().digest = Some(bundle.key);
        self.paces.entry(target).or_default().say(Message::Digest, bundle.key, now);
        self.fix(bundle);
    }

    /// The log says what leaves together.
    pub(super) fn fixed(&mut self, bundle: &Bundle, now: Timestamp) {
        if !self.fixing.remove(&bundle.key) {
            return;
        }
        if let Some(digest) = self.digests.get(&bundle.key).filter(|it| it.stage == Stage::Fixing) {
            self.expiries.insert((digest.expires(), bundle.key));
            self.digest_ready(bundle.key, now);
        } else if let Some(item) = self.items.get_mut(&bundle.key) {
            item.leaves = Leaves::Alone;
            if item.stage == Stage::Fixing {
                self.make_ready(bundle.key, now);
            }
        }
        self.advance(now);
    }

    /// A digest that was fixed before this courier began: the same again, under
    /// the same key. `members` are in order of release; those in `decided`
    /// have their outcome.
    pub(super) fn recall_digest(
        &mut self,
        key: Key,
        mut members: Vec<Delivery>,
        decided: &BTreeSet<Key>,
        place: Option<Place>,
        now: Timestamp,
    ) {
        let Some(target) = members.first().map(|member| member.target) else { return };
        let mut open = 0;
        for delivery in members.iter().filter(|member| !decided.contains(&member.key)) {
            if !self.items.contains_key(&delivery.key) {
                let (stage, leaves) = (Stage::Joined, Leaves::Open);
                let delivery = delivery.clone();
                self.enter(Item { delivery, stage, attempts: 0, leaves, digest: Some(key) });
                open += 1;
            }
        }
        if open == 0 || self.digests.contains_key(&key) {
            return;
        }
        members.sort_by_key(|member| member.rank(member.key, 0));
        let overtaken = BTreeSet::new();
        let digest = Digest { target, members, open, overtaken, stage: Stage::Blocked, attempts: 0 };
        self.expiries.insert((digest.expires(), key));
        self.digests.insert(key, digest);
        self.by_target.entry(target).or_default().digest = Some(key);
        // Without an address it is given up here.
        self.place(target, place, now);
        if self.digests.get(&key).is_some_and(|digest| digest.stage == Stage::Blocked) {
            self.digest_ready(key, now);
        }
        self.advance(now);
    }

    /// What was said before this courier began.
    pub(super) fn recall_said(&mut self, said: Said) {
        let message = if said.is_digest { Message::Digest } else { Message::Single };
        self.paces.entry(said.target).or_default().say(message, Key::default(), said.at);
    }

    /// Ready, or blocked while the directory is held.
    pub(super) fn digest_ready(&mut self, key: Key, now: Timestamp) {
        let Some(digest) = self.digests.get(&key) else { return };
        let (target, rank) = (digest.target, digest.rank(key));
        let is_barred = digest.members.iter().any(|member| self.is_barred(member));
        self.set_digest(key, if is_barred { Stage::Blocked } else { Stage::Ready });
        if !is_barred {
            self.by_target.entry(target).or_default().ready.insert(rank);
        }
        self.refresh(target, now);
    }

    /// The directory is held from now on, or no longer.
    pub(super) fn hold_digests(&mut self, now: Timestamp) {
        let turns = |stage| match (self.hold, stage) {
            (Hold::UntilResumed, Stage::Ready) | (Hold::No, Stage::Blocked) => true,
            (Hold::UntilResumed, Stage::Blocked)
            | (Hold::No, Stage::Ready)
            | (
                _,
                Stage::Held
                | Stage::Fixing
                | Stage::Joined
                | Stage::Resting(_)
                | Stage::Flying
                | Stage::Reported,
            ) => false,
        };
        let keys = self.digests.iter().filter(|(_, digest)| turns(digest.stage)).map(|(key, _)| *key);
        for key in keys.collect::<Vec<_>>() {
            self.unqueue_digest(key);
            self.expiries.insert((self.digests[&key].expires(), key));
            self.digest_ready(key, now);
        }
    }

    /// An attempt begins, of a delivery or of a digest.
    pub(super) fn take_off(&mut self, key: Key, now: Timestamp) {
        if let Some(digest) = self.digests.get_mut(&key) {
            digest.stage = Stage::Flying;
            if let Some(pace) = self.paces.get_mut(&digest.target).filter(|_| digest.attempts == 0) {
                pace.leave(key, Message::Digest, now);
            }
            for Delivery { target, revision, .. } in &digest.members {
                self.told.mark(&revision.warning, *target, revision.number);
            }
            return;
        }
        self.set(key, Stage::Flying);
        let item = self.items.get_mut(&key).expect("it was just set");
        // Whatever comes of it, it may have arrived by itself.
        item.leaves = Leaves::Alone;
        let Delivery { target, revision, .. } = &item.delivery;
        let target = *target;
        self.told.mark(&revision.warning, target, revision.number);
        if let Some(pace) = self.paces.get_mut(&target).filter(|_| item.attempts == 0) {
            pace.leave(key, Message::Single, now);
            self.arm(target, now);
        }
    }

    /// What came of an attempt of a digest came of all in it.
    pub(super) fn digest_finished(&mut self, key: Key, attempt: Attempt, now: Timestamp) {
        let Some(digest) = self.digests.get_mut(&key).filter(|it| it.stage == Stage::Flying) else { return };
        let asked = match attempt {
            Attempt::Accepted => return self.settle(key, Outcome::Accepted),
            Attempt::Dead(death) => return self.settle(key, Outcome::Dead(death)),
            Attempt::Failed(asked) => asked,
        };
        digest.attempts = digest.attempts.saturating_add(1);
        let (attempts, expires) = (digest.attempts, digest.expires());
        let is_overtaken = digest.overtaken.len() >= digest.open;
        let lane = self.by_target.get(&digest.target);
        if is_overtaken {
            self.settle(key, Outcome::Superseded);
        } else if lane.is_none_or(|lane| lane.place.is_none()) {
            self.settle(key, Outcome::Dead(Death::Erased));
        } else if self.trusted && expires <= now + self.offset {
            self.settle(key, Outcome::Dead(Death::Expired));
        } else {
            let until = now + self.backoff.rest(attempts, asked);
            self.rests.insert((until, key));
            self.expiries.insert((expires, key));
            self.set_digest(key, Stage::Resting(until));
        }
    }

    /// A later revision waits for one that may be in a digest. The digest goes
    /// on as it was fixed, unless it has failed and all in it is overtaken: one
    /// that was never tried may have an all-clear behind it already.
    pub(super) fn overtaken_in_digest(&mut self, delivery: Key) {
        let Some(item) = self.items.get(&delivery).filter(|item| item.stage == Stage::Joined) else { return };
        let Some(key) = item.digest else { return };
        let Some(digest) = self.digests.get_mut(&key) else { return };
        digest.overtaken.insert(delivery);
        if digest.attempts > 0 && digest.overtaken.len() >= digest.open {
            self.settle_waiting(Some(key), Outcome::Superseded);
        }
    }

    /// Whether a word on this warning is in a digest that is still to go out.
    pub(super) fn will_be_heard(&self, warning: &OutputId, target: TargetIx) -> bool {
        let chain = self.by_target.get(&target).and_then(|lane| lane.chains.get(warning));
        chain.into_iter().flatten().any(|key| self.items[key].stage == Stage::Joined)
    }

    /// Gives up a digest that is not in the air.
    pub(super) fn settle_waiting(&mut self, digest: Option<Key>, outcome: Outcome) {
        if let Some(key) = digest.filter(|key| self.digests.get(key).is_some_and(Digest::is_waiting)) {
            self.settle(key, outcome);
        }
    }

    /// Takes the outcome of all that is in a digest as decided and hands it over.
    fn settle(&mut self, key: Key, outcome: Outcome) {
        self.unqueue_digest(key);
        self.set_digest(key, Stage::Reported);
        let members = self.digests[&key].members.iter().map(|member| member.key);
        let is_open = |key: &Key| self.items.get(key).is_some_and(|item| item.stage == Stage::Joined);
        let open: Vec<Key> = members.filter(is_open).collect();
        let outcomes = open.into_iter().map(|member| self.decide(member, outcome)).collect();
        self.actions.push(Action::Settle(key, outcomes));
    }

    /// One that was in a digest has its outcome in the log. With the last of
    /// them the digest is over, and what was held meanwhile may follow.
    pub(super) fn leave_digest(&mut self, digest: Option<Key>, now: Timestamp) {
        let Some(key) = digest else { return };
        let Some(digest) = self.digests.get_mut(&key) else { return };
        digest.open = digest.open.saturating_sub(1);
        if digest.open > 0 {
            return;
        }
        self.unqueue_digest(key);
        let target = self.digests.remove(&key).expect("looked up above").target;
        if let Some(lane) = self.by_target.get_mut(&target) {
            lane.digest = lane.digest.filter(|other| *other != key);
        }
        self.arm(target, now);
    }

    /// Takes a digest out of every queue.
    pub(super) fn unqueue_digest(&mut self, key: Key) {
        let Some(digest) = self.digests.get(&key) else { return };
        let (target, rank) = (digest.target, digest.rank(key));
        self.expiries.remove(&(digest.expires(), key));
        match digest.stage {
            Stage::Ready => {
                self.withdraw(target);
                self.by_target.entry(target).or_default().ready.remove(&rank);
            }
            Stage::Resting(until) => {
                self.rests.remove(&(until, key));
            }
            Stage::Blocked
            | Stage::Held
            | Stage::Fixing
            | Stage::Joined
            | Stage::Flying
            | Stage::Reported => {}
        }
    }

    fn set_digest(&mut self, key: Key, stage: Stage) {
        self.digests.get_mut(&key).expect("only digests that are under way change").stage = stage;
    }
}
