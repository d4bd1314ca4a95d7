//! Laws of the lanes over random histories, with crashes in them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use forewarn_core::event::{Bundle, DeliveryOutcome};
use forewarn_core::ids::{Key, TargetIx};
use forewarn_core::level::Level;
use forewarn_core::time::{Moment, Span, Timestamp};
use forewarn_core::warning::{Kind, Outcome, Revision};
use proptest::prelude::*;

use super::revision;
use crate::config::plan::Digests;
use crate::courier::delivery::{Action, Admission, Attempt, Delivery};
use crate::courier::lane::Place;
use crate::courier::lanes::Lanes;
use crate::ports::{Leaves, Said};

const TARGETS: u32 = 4;
const WARNINGS: u64 = 3;
const CONNECTIONS_MAX: usize = 2;

/// Of every other target; the others take as many messages as there are.
const TERMS: Digests = Digests { after: 1, every: Span::from_secs(30), members_max: 10_000 };

/// One step of a history; the numbers choose among what is possible.
#[derive(Debug, Clone)]
enum Step {
    Release { warning: u64, level: usize },
    Finish { which: usize, good: usize },
    Log { count: usize },
    Wait { millis: i64 },
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..WARNINGS, 1_usize..5).prop_map(|(warning, level)| Step::Release { warning, level }),
        5 => (0_usize..64, 0_usize..4).prop_map(|(which, good)| Step::Finish { which, good }),
        3 => (0_usize..4).prop_map(|count| Step::Log { count }),
        2 => (0_i64..40_000).prop_map(|millis| Step::Wait { millis }),
        1 => Just(Step::Crash),
    ]
}

/// What the lanes hand to the driver.
#[derive(Debug, Clone)]
enum Reported {
    Outcome(DeliveryOutcome),
    Bundle(Bundle, Timestamp),
}

/// A log beside the lanes, and what the receivers saw.
struct World {
    lanes: Lanes,
    now: Timestamp,
    position: u64,
    numbers: BTreeMap<u64, u32>,
    ended: BTreeSet<u64>,
    released: Vec<(Key, TargetIx, Arc<Revision>)>,
    logged: BTreeMap<Key, Outcome>,
    /// On its way into the log, in order.
    reported: Vec<Reported>,
    /// What the log fixed, and when.
    bundles: Vec<(Bundle, Timestamp)>,
    /// By delivery: the key of the message that carried it.
    carried: BTreeMap<Key, Key>,
    flying: Vec<Key>,
    /// By target and warning: the numbers attempted, in order.
    seen: BTreeMap<(TargetIx, u64), Vec<u32>>,
    accepted: BTreeSet<Key>,
    crashes: u32,
}

impl World {
    fn new() -> Self {
        let mut world = World {
            lanes: Lanes::new(5),
            now: Timestamp(0),
            position: 1_000,
            numbers: BTreeMap::new(),
            ended: BTreeSet::new(),
            released: vec![],
            logged: BTreeMap::new(),
            reported: vec![],
            bundles: vec![],
            carried: BTreeMap::new(),
            flying: vec![],
            seen: BTreeMap::new(),
            accepted: BTreeSet::new(),
            crashes: 0,
        };
        world.lanes.civil_is(Moment { at: world.now, offset: Span::ZERO, trusted: false });
        world
    }

    fn place(target: TargetIx) -> Place {
        let server = if target.0 < TARGETS / 2 { "one" } else { "two" };
        let digests = target.0.is_multiple_of(2).then_some(TERMS);
        Place { server: server.into(), connections_max: CONNECTIONS_MAX, digests }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Release { warning, level } => self.decide(*warning, *level),
            Step::Finish { which, good } => {
                if !self.flying.is_empty() {
                    let key = self.flying.remove(which % self.flying.len());
                    let attempt = if *good == 0 { Attempt::Failed(None) } else { Attempt::Accepted };
                    self.finish(key, attempt);
                }
            }
            Step::Log { count } => {
                for reported in self.reported.drain(..(*count).min(self.reported.len())).collect::<Vec<_>>() {
                    self.log(reported);
                }
            }
            Step::Wait { millis } => {
                self.now = self.now + Span(millis * 1_000);
                self.lanes.advance(self.now);
            }
            Step::Crash => self.crash(),
        }
        self.act();
    }

    fn decide(&mut self, warning: u64, level: usize) {
        if self.ended.contains(&warning) {
            return;
        }
        let number = self.numbers.entry(warning).or_default();
        *number += 1;
        self.position += 1;
        let kind = match (*number, level) {
            (1, _) => Kind::Alert,
            (_, 1) => Kind::AllClear,
            _ => Kind::Update,
        };
        if kind.is_last() {
            self.ended.insert(warning);
        }
        let level = Level::from_index(level).expect("a level");
        let targets: Vec<u32> = (0..TARGETS).collect();
        let revision = revision(warning, *number, self.position, kind, level, &targets);
        for target in (0..TARGETS).map(TargetIx) {
            let key = Key::of_delivery(&revision.id, &target.0.to_string(), 0);
            self.released.push((key, target, Arc::clone(&revision)));
            let delivery = self.delivery(key);
            self.lanes.release(delivery, Leaves::Open, Some(World::place(target)), self.now);
        }
    }

    fn delivery(&self, key: Key) -> Delivery {
        let found = self.released.iter().find(|(known, ..)| *known == key);
        let (key, target, revision) = found.expect("only what was released").clone();
        Delivery { key, target, round: 0, revision, admission: Admission::Admitted }
    }

    /// What a message of this key carries, by the log.
    fn members(&self, key: Key) -> Vec<Key> {
        let bundle = self.bundles.iter().find(|(bundle, _)| bundle.key == key);
        bundle.map_or_else(|| vec![key], |(bundle, _)| bundle.members.clone())
    }

    fn finish(&mut self, key: Key, attempt: Attempt) {
        if attempt == Attempt::Accepted {
            let members = self.members(key);
            self.accepted.extend(members);
        }
        self.lanes.finished(key, attempt, self.now);
    }

    fn log(&mut self, reported: Reported) {
        match reported {
            Reported::Outcome(outcome) => {
                self.logged.entry(outcome.key).or_insert(outcome.outcome);
                self.lanes.logged(&outcome, self.now);
            }
            Reported::Bundle(bundle, at) => {
                for member in &bundle.members {
                    let others = self.bundles.iter().any(|(other, _)| other.members.contains(member));
                    assert!(!others, "put together twice");
                }
                self.bundles.push((bundle.clone(), at));
                self.lanes.fixed(&bundle, self.now);
            }
        }
    }

    /// Memory is gone, and what was reported but not logged; the log is not.
    fn crash(&mut self) {
        self.crashes += 1;
        self.lanes = Lanes::new(6);
        self.lanes.civil_is(Moment { at: self.now, offset: Span::ZERO, trusted: false });
        self.reported.clear();
        self.flying.clear();
        let released = self.released.clone();
        for (key, target, revision) in &released {
            if self.logged.get(key) != Some(&Outcome::Superseded) {
                self.lanes.recall(revision.warning, *target, revision.number);
            }
        }
        for (bundle, at) in &self.bundles {
            let said = Said { target: bundle.target, at: *at, is_digest: bundle.is_digest() };
            self.lanes.recall_said(said);
        }
        let open = |key: &Key| !self.logged.contains_key(key);
        for (bundle, _) in self.bundles.iter().filter(|(it, _)| it.is_digest() && it.members.iter().any(open))
        {
            let mut members: Vec<Delivery> = bundle.members.iter().map(|key| self.delivery(*key)).collect();
            members.sort_by_key(|member| member.revision.id.position);
            let decided: BTreeSet<Key> =
                bundle.members.iter().copied().filter(|key| self.logged.contains_key(key)).collect();
            let place = Some(World::place(bundle.target));
            self.lanes.recall_digest(bundle.key, members, &decided, place, self.now);
        }
        for (key, target, _) in &released {
            let bundle = self.bundles.iter().find(|(bundle, _)| bundle.members.contains(key));
            let leaves = match bundle {
                Some((bundle, _)) if bundle.is_digest() => continue,
                Some(_) => Leaves::Alone,
                None => Leaves::Open,
            };
            if !self.logged.contains_key(key) {
                let delivery = self.delivery(*key);
                self.lanes.release(delivery, leaves, Some(World::place(*target)), self.now);
            }
        }
    }

    fn act(&mut self) {
        for action in self.lanes.take_actions() {
            match action {
                Action::Fix(bundle) => self.fix(bundle),
                Action::Report(outcome) => self.reported.push(Reported::Outcome(outcome)),
                Action::Settle(_, outcomes) => {
                    self.reported.extend(outcomes.into_iter().map(Reported::Outcome));
                }
                Action::Send(key) => self.attempt(key),
            }
        }
        for server in [0..TARGETS / 2, TARGETS / 2..TARGETS] {
            let flying = self.flying.iter().filter(|key| {
                let target = self.delivery(self.members(**key)[0]).target;
                server.contains(&target.0)
            });
            assert!(flying.count() <= CONNECTIONS_MAX, "more connections than the server stands");
        }
    }

    /// Fixed before it leaves, and no more of it in a while than a target takes.
    fn fix(&mut self, bundle: Bundle) {
        let pending = self.reported.iter().filter_map(|reported| match reported {
            Reported::Bundle(bundle, at) => Some((bundle, at)),
            Reported::Outcome(_) => None,
        });
        let known = self.bundles.iter().map(|(bundle, at)| (bundle, at)).chain(pending);
        let late = known.filter(|(other, at)| {
            other.target == bundle.target && **at + TERMS.every > self.now && other.key != bundle.key
        });
        assert!(late.count() <= TERMS.after as usize, "more than a target takes");
        self.reported.push(Reported::Bundle(bundle, self.now));
    }

    fn attempt(&mut self, message: Key) {
        let members = self.members(message);
        let target = self.delivery(members[0]).target;
        if World::place(target).digests.is_some() {
            let is_fixed = self.bundles.iter().any(|(bundle, _)| bundle.key == message);
            assert!(is_fixed, "sent before the log says what it carries");
        }
        for member in &members {
            let was = self.carried.insert(*member, message);
            assert!(was.is_none_or(|was| was == message), "repeated under another key");
            self.carry(*member, message);
        }
        self.flying.push(message);
    }

    fn carry(&mut self, key: Key, message: Key) {
        let Delivery { target, revision, .. } = self.delivery(key);
        for (earlier, ..) in self.released.iter().filter(|(_, to, other)| {
            *to == target && other.warning == revision.warning && other.number < revision.number
        }) {
            assert!(
                self.logged.contains_key(earlier),
                "sent before the one before had its outcome in the log"
            );
        }
        let seen = self.seen.entry((target, revision.warning.position.0)).or_default();
        // A digest goes out whole, and so may repeat what the log has of it.
        if key == message || !self.logged.contains_key(&key) {
            assert!(
                seen.last().is_none_or(|&last| last <= revision.number),
                "an older revision after a newer"
            );
            assert!(
                !self.logged.contains_key(&key),
                "sent although the log has its outcome: {:?}",
                self.logged.get(&key)
            );
        }
        let unheard = seen.is_empty() && self.crashes == 0;
        assert!(!(unheard && revision.kind.is_last()), "an all-clear for what was never said");
        seen.push(revision.number);
    }

    /// The faults stop; everything must come to its end.
    fn settle(&mut self) {
        for _ in 0..100_000 {
            if let Some(key) = self.flying.pop() {
                self.finish(key, Attempt::Accepted);
            } else if !self.reported.is_empty() {
                let reported = self.reported.remove(0);
                self.log(reported);
            } else if let Some(at) = self.lanes.wake_at() {
                self.now = at.max(self.now);
                self.lanes.advance(self.now);
            } else {
                return;
            }
            self.act();
        }
        panic!("the lanes never come to rest");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Order per target and warning, bounded connections, nothing lost,
    /// nothing repeated once the log knows or under another key, no more messages
    /// than a target takes, across crashes anywhere.
    #[test]
    fn every_history_ends_with_every_target_told_in_order(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        world.settle();
        prop_assert_eq!(world.lanes.outstanding(), 0);
        for (key, target, revision) in &world.released {
            prop_assert!(world.logged.contains_key(key), "lost: {} of {:?}", revision.number, target);
            let newest = world.numbers[&revision.warning.position.0] == revision.number;
            let heard = world.seen.contains_key(&(*target, revision.warning.position.0));
            if newest && heard {
                prop_assert!(world.accepted.contains(key), "the newest word never came");
            }
            if newest && !heard {
                prop_assert!(revision.kind.is_last(), "only what is over may stay unsaid");
            }
        }
    }
}
