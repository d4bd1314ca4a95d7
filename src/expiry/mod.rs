//! What ends: certificates that the configuration names, tokens of machines.
//! Each is told of a month, a week and a day before, and once it is over.

mod certificates;

use forewarn_core::plan::Settings;
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::warning::{TroubleCode, TroubleKey};

pub use self::certificates::{certificates, served};

const DAY: Span = Span::from_hours(24);

/// Something that ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thing {
    /// Its name among those that end: a key of the configuration, a token's beginning.
    pub subject: String,
    /// What it is, in words: no name of a person.
    pub what: String,
    /// Civil time it began.
    pub began: Timestamp,
    /// Civil time from which it is worth nothing.
    pub ends: Timestamp,
}

/// Something of which nobody can say now when it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// As [`Thing::subject`].
    pub subject: String,
}

/// How near its end something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Thirty days at most.
    Month,
    /// Seven.
    Week,
    /// One.
    Day,
    /// It is over.
    Over,
}

impl Stage {
    /// From the farthest to the nearest, with how long before the end it begins.
    const BEFORE: [(Stage, Span); 3] =
        [(Stage::Month, DAY.times(30)), (Stage::Week, DAY.times(7)), (Stage::Day, DAY)];
}

impl Thing {
    /// How near its end it is at this civil time; `None` while that is far. What
    /// lives hardly longer than a stage is not told of it: it would be as soon as it is made.
    pub fn stage(&self, now: Timestamp) -> Option<Stage> {
        if now >= self.ends {
            return Some(Stage::Over);
        }
        let (left, life) = (self.ends.since(now), self.ends.since(self.began));
        let reached =
            Stage::BEFORE.into_iter().filter(|&(_, before)| left <= before && life > before.times(2));
        reached.map(|(stage, _)| stage).next_back()
    }

    /// What is told of it, and under which name; `None` while its end is far.
    pub fn told(&self, now: Timestamp, settings: &Settings) -> Option<(TroubleKey, String)> {
        let (what, on) = (&self.what, date(self.ends, settings));
        // In words that differ from stage to stage: the engine takes other words for news.
        let (code, detail) = match self.stage(now)? {
            Stage::Month => (TroubleCode::EndsSoon, format!("{what} ends within a month, on {on}")),
            Stage::Week => (TroubleCode::EndsSoon, format!("{what} ends within a week, on {on}")),
            Stage::Day => (TroubleCode::EndsSoon, format!("{what} ends within a day, on {on}")),
            Stage::Over => (TroubleCode::HasEnded, format!("{what} has ended, on {on}")),
        };
        Some((TroubleKey { code, subject: self.subject.clone() }, detail))
    }
}

/// As clocks at the site show it.
fn date(civil: Timestamp, settings: &Settings) -> String {
    jiff::Timestamp::from_microsecond(settings.local(civil).0)
        .map_or_else(|_| String::new(), |at| at.strftime("%Y-%m-%d %H:%M").to_string())
}

#[cfg(test)]
mod tests;
