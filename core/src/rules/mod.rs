//! The family of rule kinds: one file a kind. A kind says what is *measured*
//! of a subject's recent readings; raising, clearing and voting are the same
//! for all and stand in `sensing` and `judging`.

mod rate;
mod slope;
mod threshold;

pub use rate::{RATE_READINGS_MAX, Rate};
pub use slope::{SLOPE_READINGS_MAX, Slope};
pub use threshold::Threshold;

use minicbor::{Decode, Encode};

use crate::family;
use crate::finding::Why;
use crate::sensing::window::{REACH, View};
use crate::time::Span;

/// What one rule kind can do.
pub trait Rule {
    /// What of a sensor's past it needs to see.
    fn needs(&self) -> Needs;

    /// What the newest reading of `view`, with the good ones before it, measures.
    ///
    /// Called once a good reading, in event time order, with the memory it left
    /// at the good reading before. For a suspect reading it is called with a
    /// copy of that memory which is then thrown away, so that no suspect value
    /// stays in a sum. A pure function of the two; allocates nothing.
    fn measure(&self, view: &View<'_>, memory: &mut Memory) -> Result<f64, Why>;

    /// Whether what it measures is a rate: the sensor's unit an hour.
    fn measures_rate(&self) -> bool;

    /// What a measure rests on: the less, the less has to be kept of a sensor where nothing stirs.
    fn recall(&self) -> Recall;

    /// Readings by which, after those of `view`, what is measured is sure to
    /// stay between `within`, neither included (in the sensor's unit, or that an
    /// hour), and to be measurable; `None` where that cannot be said. The newest
    /// reading of the view is a good one that measures so itself.
    fn corridor(&self, view: &View<'_>, within: (f64, f64)) -> Option<Corridor>;
}

/// Readings that change nothing, as long as every one of them is such a one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Corridor {
    /// Between these, neither included, in the sensor's unit.
    pub low: f64,
    /// In the sensor's unit.
    pub high: f64,
    /// Observed at least so long after the one before.
    pub apart_min: Span,
    /// Observed at most so long after the one before.
    pub apart_max: Span,
}

impl Corridor {
    /// Any reading at all.
    pub const OPEN: Corridor = Corridor {
        low: f64::NEG_INFINITY,
        high: f64::INFINITY,
        apart_min: Span::ZERO,
        apart_max: Span(i64::MAX),
    };

    /// What lies in both.
    #[must_use]
    pub fn and(self, other: Corridor) -> Corridor {
        Corridor {
            // Written out: no end is NaN, and which zero comes out makes no difference.
            low: if self.low > other.low { self.low } else { other.low },
            high: if self.high < other.high { self.high } else { other.high },
            apart_min: self.apart_min.max(other.apart_min),
            apart_max: self.apart_max.min(other.apart_max),
        }
    }

    /// Whether a value observed so long after the one before lies in it.
    pub fn holds(&self, value: f64, apart: Span) -> bool {
        value > self.low && value < self.high && apart >= self.apart_min && apart <= self.apart_max
    }
}

/// What the measure of a rule kind rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recall {
    /// It is the newest value itself.
    Newest,
    /// The view alone: with any memory it comes out the same.
    View,
    /// What was measured before.
    Memory,
}

/// How much of the past a rule needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// At most this many readings, the newest included.
    pub readings: usize,
    /// At most this far back from the newest.
    pub span: Span,
}

impl Needs {
    /// How many readings that is of a sensor that reports every `interval`, or
    /// up to twice as often; beyond that the oldest ones are left out.
    pub fn of(self, interval: Span) -> usize {
        let expected = self.span.0.max(0) / interval.0.max(1);
        let room = usize::try_from(expected.saturating_mul(2).saturating_add(2)).unwrap_or(usize::MAX);
        room.min(self.readings).max(1)
    }
}

/// A trend needs readings that reach over this part of its window, or of as
/// much of it as the view has room for: a device in alarm often reports many
/// times faster than planned, and must still be judged.
const REACH_PART: i64 = 2;

/// By less than this part of the window, noise would pass for a trend.
const REACH_PART_MIN: i64 = 16;

/// Whether good readings that reach so far back tell the trend over a window.
fn tells_trend(view: &View<'_>, reach: Span, window: Span) -> bool {
    let seen = view.room().map_or(window, |room| room.min(window));
    reach.times(REACH_PART) >= seen && reach.times(REACH_PART_MIN) >= window
}

/// What a rule remembers of one subject between readings: fixed in size,
/// versioned, held twice (settled and tip). All zero is nothing yet.
#[derive(Debug, Clone, Copy, PartialEq, Default, Encode, Decode)]
pub struct Memory {
    /// Running sums and the like; each rule kind says what is in which.
    #[n(0)]
    pub sums: [f64; 6],
    /// Counts and numbers of readings.
    #[n(1)]
    pub counts: [u64; 4],
}

family! {
    /// Every rule kind, in manual order.
    #[derive(Debug, Clone, PartialEq, Encode, Decode)]
    pub enum AnyRule: Rule {
        #[n(0)] Threshold("threshold", #[n(0)] Threshold),
        #[n(1)] Rate("rate", #[n(0)] Rate),
        #[n(2)] Slope("slope", #[n(0)] Slope),
    }
}

/// Reads how far back a rule looks, as people write it; for the members' `deserialize_with`.
fn window<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
    let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
    let window = Span::parse(&text).map_err(serde::de::Error::custom)?;
    if window > REACH {
        let why = format!(
            "window \"{text}\" is longer than readings are kept together, expected 8.9 years at most"
        );
        return Err(serde::de::Error::custom(why));
    }
    if window > Span::ZERO {
        return Ok(window);
    }
    Err(serde::de::Error::custom(format!(
        "window \"{text}\" is no time at all, expected more, as in \"1 h\""
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_its_own_fields_and_no_others() {
        for (kind, fields) in [("threshold", ""), ("rate", "window = '1 h'"), ("slope", "window = '90 min'")]
        {
            let read = |text: &str| {
                let table = toml::Deserializer::parse(text).expect("it is TOML");
                AnyRule::read(kind, table).expect("the kind is registered")
            };
            assert_eq!(read(fields).expect(kind).name(), kind);
            assert!(read(&format!("{fields}\nbogus = 1")).is_err(), "{kind}");
            let refused = read("window = '80000 h'").map_err(|error| error.to_string());
            assert!(
                refused.is_err_and(|why| fields.is_empty() || why.contains("8.9 years at most")),
                "{kind}"
            );
            for window in ["0 s", "-1 h"] {
                let refused = read(&format!("window = '{window}'")).expect_err(kind).to_string();
                let why = format!("window \"{window}\" is no time at all, expected more");
                assert!(fields.is_empty() || refused.contains(&why), "{refused}");
            }
        }
        for (kind, example) in AnyRule::KINDS {
            assert!(example.contains(&format!("kind = \"{kind}\"")), "{kind}");
        }
    }

    #[test]
    fn a_rule_keeps_room_for_twice_what_it_expects() {
        let needs = |span| Needs { readings: 64, span: Span::from_mins(span) };
        for (span, interval, readings) in [(0, 15, 2), (60, 15, 10), (60, 1, 64), (60, 0, 64)] {
            assert_eq!(needs(span).of(Span::from_mins(interval)), readings);
        }
        assert_eq!(Needs { readings: 1, span: Span::ZERO }.of(Span::from_mins(1)), 1);
    }
}
