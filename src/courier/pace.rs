//! How much is said to one target: so many messages in a while, and one red
//! beyond them. What is more waits, and becomes a digest.

use std::collections::{BTreeSet, VecDeque};

use forewarn_core::ids::Key;
use forewarn_core::level::Level;
use forewarn_core::time::{Span, Timestamp};

use crate::config::plan::Digests;

/// What was said to a target lately, and what of it is not through yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Pace {
    /// Engine times of its messages within the last `every`, oldest first.
    said: VecDeque<(Timestamp, Key)>,
    /// That of the last digest.
    digest: Option<Timestamp>,
    /// Deliveries that leave alone and have no outcome in the log.
    alone: BTreeSet<Key>,
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    /// One delivery.
    Single,
    /// Several.
    Digest,
}

/// Whether others wait already; none but red goes past them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
    /// None does.
    None,
    /// Some do.
    Wait,
}

impl Pace {
    /// Whether a warning of this level goes by itself now. The extra place is
    /// red's: the first red of a storm waits for nothing.
    pub(super) fn admits(&mut self, level: Level, others: Others, terms: Digests, now: Timestamp) -> bool {
        self.forget(now, terms.every);
        let taken = self.said.len().max(self.alone.len());
        let places = terms.after as usize;
        match level {
            Level::Red => taken <= places,
            Level::Normal | Level::Blue | Level::Yellow | Level::Orange => {
                others == Others::None && taken < places
            }
        }
    }

    /// A message is about to be said.
    pub(super) fn say(&mut self, message: Message, key: Key, at: Timestamp) {
        self.said.push_back((at, key));
        if message == Message::Digest {
            self.digest = Some(at);
        }
    }

    /// A message is tried for the first time: its minute begins now, however
    /// long it took to get so far.
    pub(super) fn leave(&mut self, key: Key, message: Message, at: Timestamp) {
        let before = self.said.len();
        self.said.retain(|(_, other)| *other != key);
        if self.said.len() < before {
            self.say(message, key, at);
        }
    }

    /// A delivery leaves alone from now on.
    pub(super) fn begin(&mut self, delivery: Key) {
        self.alone.insert(delivery);
    }

    /// A delivery has its outcome in the log.
    pub(super) fn end(&mut self, delivery: Key) {
        self.alone.remove(&delivery);
    }

    /// From when on what waits may be said.
    pub(super) fn due(&mut self, terms: Digests, now: Timestamp) -> Timestamp {
        self.forget(now, terms.every);
        let place = match self.said.len().checked_sub(terms.after as usize) {
            None => now,
            Some(beyond) => self.said[beyond].0 + terms.every,
        };
        let apart = self.digest.map_or(now, |digest| digest + terms.every);
        place.max(apart).max(now)
    }

    fn forget(&mut self, now: Timestamp, every: Span) {
        while self.said.front().is_some_and(|&(at, _)| at + every <= now) {
            self.said.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Digests = Digests { after: 2, every: Span::from_mins(1), members_max: 10 };

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn two_go_singly_one_red_beyond_them_and_the_rest_waits_its_minute() {
        let mut pace = Pace::default();
        // seconds, level, whether others wait, whether it goes by itself
        for (secs, level, others, goes) in [
            (0, Level::Yellow, Others::None, true),
            (10, Level::Orange, Others::None, true),
            (11, Level::Orange, Others::None, false),
            (12, Level::Red, Others::Wait, true),
            (13, Level::Red, Others::Wait, false),
            (60, Level::Yellow, Others::Wait, false),
            (71, Level::Yellow, Others::None, true),
        ] {
            assert_eq!(pace.admits(level, others, TERMS, at(secs)), goes, "{level} at {secs}");
            if goes {
                pace.say(Message::Single, Key::default(), at(secs));
            }
        }
    }

    #[test]
    fn digests_are_a_minute_apart_and_take_a_place_themselves() {
        let mut pace = Pace::default();
        assert_eq!(pace.due(TERMS, at(5)), at(5), "nothing was said");
        pace.say(Message::Single, Key::default(), at(5));
        pace.say(Message::Single, Key::default(), at(6));
        assert_eq!(pace.due(TERMS, at(7)), at(65), "a place is free a minute after the first");
        pace.say(Message::Digest, Key::default(), at(65));
        assert_eq!(pace.due(TERMS, at(66)), at(125), "a minute after the last digest");
        assert!(pace.admits(Level::Yellow, Others::None, TERMS, at(66)));
        pace.say(Message::Single, Key::default(), at(66));
        assert!(!pace.admits(Level::Yellow, Others::None, TERMS, at(67)), "the digest has the other place");
    }

    #[test]
    fn the_minute_of_a_message_begins_when_it_leaves() {
        let mut pace = Pace::default();
        for key in [1, 2] {
            pace.say(Message::Single, Key([key; 16]), at(0));
        }
        pace.leave(Key([1; 16]), Message::Single, at(30));
        pace.leave(Key([2; 16]), Message::Single, at(31));
        pace.leave(Key([9; 16]), Message::Single, at(40));
        assert_eq!(pace.due(TERMS, at(60)), at(90), "what was never counted is not");
    }

    #[test]
    fn what_does_not_get_through_takes_its_place_for_as_long() {
        let mut pace = Pace::default();
        for key in 1..=3 {
            pace.begin(Key([key; 16]));
        }
        assert!(
            !pace.admits(Level::Red, Others::None, TERMS, at(600)),
            "three red already wait for a dead server"
        );
        pace.end(Key([1; 16]));
        assert!(pace.admits(Level::Red, Others::None, TERMS, at(600)));
        assert!(!pace.admits(Level::Yellow, Others::None, TERMS, at(600)));
        assert_eq!(pace.due(TERMS, at(600)), at(600), "a digest does not wait for what is stuck");
    }
}
