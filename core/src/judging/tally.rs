//! Running counts over the votes of one cell. In a flood thousands of them
//! change one after the other, and each change has the cell judged anew: what
//! they support together must be known without asking every one of them again.

use std::collections::{BTreeMap, BTreeSet};

use super::vote::{Vote, Word};
use crate::ids::{RuleIx, SensorIx};
use crate::level::Level;
use crate::plan::Plan;
use crate::time::{Span, Timestamp};

/// Whose vote it is.
pub(super) type Key = (RuleIx, SensorIx);

/// The votes by whose they are. Most cells have one, and a map makes room for
/// eleven at once: so that this costs little, each stands in a box.
pub(super) type Cast = BTreeMap<Key, Box<Vote>>;

/// How many, by level.
type Counts = [u32; 5];

/// What the votes come to, as of one instant. Follows from them, and is never part of a snapshot.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tally {
    /// Engine time that they are counted at. A vote changes with time alone
    /// only when what it awaits falls due.
    at: Timestamp,
    /// When the incident opened that contributions are to.
    opened: Timestamp,
    /// In order; only those with votes.
    rules: Vec<OfRule>,
    /// What awaits a level, by when that is due.
    awaited: BTreeSet<(Timestamp, Key)>,
    awaited_levels: Counts,
    /// Of those that contribute, by the highest level they stood at: how many are unsure.
    unsure: Counts,
    /// Of those that contribute, likewise: when their data came back, and how often then.
    backs: [BTreeMap<Timestamp, u32>; 5],
    blind: BTreeSet<Key>,
    /// How late a reading may come, of all sensors that vote, and how many there are of each.
    lateness: BTreeMap<Span, u32>,
}

/// The votes of one rule.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OfRule {
    pub(super) rule: RuleIx,
    votes: u32,
    contributing: u32,
    /// By word: what every value supports.
    levels: [Counts; Word::ALL.len()],
    /// By word: what good values alone support.
    sound: [Counts; Word::ALL.len()],
}

/// Whether a vote is counted in or out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    In,
    Out,
}

impl Default for Tally {
    fn default() -> Tally {
        Tally {
            at: Timestamp::MIN,
            opened: Timestamp::MAX,
            rules: vec![],
            awaited: BTreeSet::new(),
            awaited_levels: [0; 5],
            unsure: [0; 5],
            backs: Default::default(),
            blind: BTreeSet::new(),
            lateness: BTreeMap::new(),
        }
    }
}

impl Tally {
    /// Counted anew, for an incident that opened then.
    pub(super) fn of(cast: &Cast, opened: Timestamp, at: Timestamp, plan: &Plan) -> Tally {
        let mut tally = Tally { at, opened, ..Tally::default() };
        for (&key, vote) in cast {
            tally.count(key, vote, Turn::In);
            tally.count_lateness(key, plan, Turn::In);
        }
        tally
    }

    /// The same for an incident that opened at another time.
    pub(super) fn for_another(&self, cast: &Cast, opened: Timestamp) -> Tally {
        let mut tally = Tally { at: self.at, opened, lateness: self.lateness.clone(), ..Tally::default() };
        cast.iter().for_each(|(&key, vote)| tally.count(key, vote, Turn::In));
        tally
    }

    /// When the incident opened that contributions are to.
    pub(super) fn opened(&self) -> Timestamp {
        self.opened
    }

    /// Whether the counts hold at `at` as they are.
    pub(super) fn holds_at(&self, at: Timestamp) -> bool {
        self.awaited().is_none_or(|due| due > at)
    }

    /// Moves on in time. What was counted must still be as it was.
    pub(super) fn advance(&mut self, at: Timestamp, cast: &Cast) {
        let due: Vec<Key> =
            self.awaited.iter().take_while(|(due, _)| *due <= at).map(|&(_, key)| key).collect();
        let votes = due.iter().filter_map(|&key| Some((key, cast.get(&key)?)));
        votes.clone().for_each(|(key, vote)| self.count(key, vote, Turn::Out));
        self.at = self.at.max(at);
        votes.for_each(|(key, vote)| self.count(key, vote, Turn::In));
    }

    /// Counts a vote in, or one that was counted out again.
    pub(super) fn count(&mut self, key: Key, vote: &Vote, turn: Turn) {
        let (at, opened) = (self.at, self.opened);
        let of = self.rule(key.0);
        of.votes = turn.moved(of.votes);
        for word in Word::ALL {
            turn.count(&mut of.levels[word as usize], vote.level(word, at));
            turn.count(&mut of.sound[word as usize], vote.sound(word, at));
        }
        if vote.contributes(opened, at) {
            of.contributing = turn.moved(of.contributing);
            let peak = vote.peak(at);
            turn.count_in(&mut self.backs[peak.index()], vote.back());
            if vote.is_unsure() {
                turn.count(&mut self.unsure, peak);
            }
        }
        if vote.is_blind() {
            turn.put(&mut self.blind, key);
        }
        if let (Some(due), Some(pending)) = (vote.awaits(at), vote.finding.pending) {
            turn.put(&mut self.awaited, (due, key));
            turn.count(&mut self.awaited_levels, pending.level);
        }
        self.rules.retain(|of| of.votes > 0);
    }

    /// Counts how late the sensor's readings may come.
    pub(super) fn count_lateness(&mut self, (_, sensor): Key, plan: &Plan, turn: Turn) {
        if let Some(sensor) = plan.sensor(sensor) {
            turn.count_in(&mut self.lateness, sensor.lateness);
        }
    }

    fn rule(&mut self, rule: RuleIx) -> &mut OfRule {
        let at = match self.rules.binary_search_by_key(&rule, |of| of.rule) {
            Ok(at) => at,
            Err(at) => {
                let none = [[0; 5]; Word::ALL.len()];
                let fresh = OfRule { rule, votes: 0, contributing: 0, levels: none, sound: none };
                // Seldom more than one: no room for four at first.
                if self.rules.is_empty() {
                    self.rules.reserve_exact(1);
                }
                self.rules.insert(at, fresh);
                at
            }
        };
        &mut self.rules[at]
    }

    /// By rule.
    pub(super) fn rules(&self) -> &[OfRule] {
        &self.rules
    }

    /// The rules that something contributes by.
    pub(super) fn contributing(&self) -> impl Iterator<Item = RuleIx> {
        self.rules.iter().filter(|of| of.contributing > 0).map(|of| of.rule)
    }

    /// Whether any that contributes and stood at `level` or above is unsure.
    pub(super) fn is_unsure(&self, level: Level) -> bool {
        at_least(&self.unsure, level) > 0
    }

    /// Whether any that contributes stood at `level` or above.
    pub(super) fn is_carried(&self, level: Level) -> bool {
        self.backs[level.index()..].iter().any(|backs| !backs.is_empty())
    }

    /// When data last came back of those that contribute and stood at `level` or above.
    pub(super) fn back(&self, level: Level) -> Option<Timestamp> {
        let latest = |backs: &BTreeMap<Timestamp, u32>| backs.keys().next_back().copied();
        self.backs[level.index()..].iter().filter_map(latest).max()
    }

    /// Those that are blind, in order.
    pub(super) fn blind(&self) -> impl Iterator<Item = Key> {
        self.blind.iter().copied()
    }

    /// When the next level is due.
    pub(super) fn awaited(&self) -> Option<Timestamp> {
        self.awaited.first().map(|&(due, _)| due)
    }

    /// The highest level that is on its way.
    pub(super) fn awaited_level(&self) -> Level {
        let awaited = |level: &Level| self.awaited_levels[level.index()] > 0;
        Level::WARNING.into_iter().rev().find(awaited).unwrap_or(Level::Normal)
    }

    /// The longest that a reading may come late.
    pub(super) fn lateness(&self) -> Option<Span> {
        self.lateness.keys().next_back().copied()
    }
}

impl OfRule {
    /// How many support `level` by a word.
    pub(super) fn supporting(&self, word: Word, level: Level) -> usize {
        at_least(&self.levels[word as usize], level)
    }

    /// How many do so by good values alone.
    pub(super) fn soundly_supporting(&self, word: Word, level: Level) -> usize {
        at_least(&self.sound[word as usize], level)
    }
}

fn at_least(counts: &Counts, level: Level) -> usize {
    counts[level.index()..].iter().sum::<u32>() as usize
}

impl Turn {
    fn moved(self, count: u32) -> u32 {
        match self {
            Turn::In => count + 1,
            Turn::Out => count.saturating_sub(1),
        }
    }

    fn count(self, counts: &mut Counts, level: Level) {
        let count = &mut counts[level.index()];
        *count = self.moved(*count);
    }

    fn count_in<K: Ord>(self, counts: &mut BTreeMap<K, u32>, key: K) {
        let left = match self {
            Turn::In => counts.get(&key).map_or(1, |count| count + 1),
            Turn::Out => counts.get(&key).map_or(0, |count| count.saturating_sub(1)),
        };
        if left == 0 {
            counts.remove(&key);
        } else {
            counts.insert(key, left);
        }
    }

    fn put<K: Ord>(self, set: &mut BTreeSet<K>, key: K) {
        match self {
            Turn::In => drop(set.insert(key)),
            Turn::Out => drop(set.remove(&key)),
        }
    }
}
