//! Time as data: instants and spans in whole microseconds.
//!
//! *Engine time* never jumps and drives every timer; *civil time* is engine
//! time plus an offset that only logged clock steps change. Both are a
//! [`Timestamp`]: microseconds since 1970-01-01T00:00:00Z.

use std::fmt;
use std::ops::{Add, Neg, Sub};

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// An instant: microseconds since the Unix epoch, UTC.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode, Serialize, Deserialize,
)]
#[cbor(transparent)]
pub struct Timestamp(#[n(0)] pub i64);

/// A length of time in microseconds; negative means backwards.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode, Serialize, Deserialize,
)]
#[cbor(transparent)]
pub struct Span(#[n(0)] pub i64);

impl Timestamp {
    /// Later than any instant the service can meet.
    pub const MAX: Timestamp = Timestamp(i64::MAX);
    /// Earlier than any instant the service can meet.
    pub const MIN: Timestamp = Timestamp(i64::MIN);

    /// From whole seconds since the epoch.
    pub const fn from_secs(secs: i64) -> Self {
        Timestamp(secs * 1_000_000)
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// How long ago `earlier` was; never less than nothing.
    pub fn since(self, earlier: Timestamp) -> Span {
        Span(self.0.saturating_sub(earlier.0).max(0))
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);

    /// From whole seconds.
    pub const fn from_secs(secs: i64) -> Self {
        Span(secs * 1_000_000)
    }

    /// From whole minutes.
    pub const fn from_mins(mins: i64) -> Self {
        Span(mins * 60_000_000)
    }

    /// From whole hours.
    pub const fn from_hours(hours: i64) -> Self {
        Span(hours * 3_600_000_000)
    }

    /// In seconds, with the fraction.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// This span `n` times over.
    #[must_use]
    pub const fn times(self, n: i64) -> Self {
        Span(self.0.saturating_mul(n))
    }

    /// Reads `"90 s"`, `"15 min"`, `"2 h"`, `"3 d"`, `"250 ms"`, `"40 us"`; a space is optional.
    pub fn parse(text: &str) -> Result<Self, SpanError> {
        let text = text.trim();
        let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-')).ok_or(SpanError)?;
        let (number, unit) = text.split_at(split);
        let number: f64 = number.parse().map_err(|_| SpanError)?;
        let micros = match unit.trim() {
            "us" => 1.0,
            "ms" => 1e3,
            "s" | "sec" => 1e6,
            "min" => 6e7,
            "h" => 3.6e9,
            "d" => 8.64e10,
            _ => return Err(SpanError),
        };
        let total = number * micros;
        if total.is_finite() && total.abs() < 9e18 { Ok(Span(total as i64)) } else { Err(SpanError) }
    }
}

/// The time of an event, both ways round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub struct Moment {
    /// Engine time.
    #[n(0)]
    pub at: Timestamp,
    /// Civil minus engine time.
    #[n(1)]
    pub offset: Span,
    /// Whether civil time can be trusted.
    #[n(2)]
    pub trusted: bool,
}

impl Moment {
    /// Civil time now.
    pub fn civil(self) -> Timestamp {
        self.at + self.offset
    }

    /// An instant of civil time as engine time.
    pub fn engine(self, civil: Timestamp) -> Timestamp {
        civil - self.offset
    }
}

/// The text is not a length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanError;

impl fmt::Display for SpanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a number and a unit, as in \"15 min\" (ms, s, min, h, d)")
    }
}

impl std::error::Error for SpanError {}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0;
        match micros {
            0 => f.write_str("0 s"),
            _ if micros % 86_400_000_000 == 0 => write!(f, "{} d", micros / 86_400_000_000),
            _ if micros % 3_600_000_000 == 0 => write!(f, "{} h", micros / 3_600_000_000),
            _ if micros % 60_000_000 == 0 => write!(f, "{} min", micros / 60_000_000),
            _ if micros % 1_000_000 == 0 => write!(f, "{} s", micros / 1_000_000),
            _ if micros.unsigned_abs() < 1_000 => write!(f, "{micros} us"),
            _ => write!(f, "{} ms", micros / 1_000),
        }
    }
}

impl Add<Span> for Timestamp {
    type Output = Timestamp;
    fn add(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Timestamp {
    type Output = Timestamp;
    fn sub(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_sub(span.0))
    }
}

impl Sub for Timestamp {
    type Output = Span;
    fn sub(self, other: Timestamp) -> Span {
        Span(self.0.saturating_sub(other.0))
    }
}

impl Add for Span {
    type Output = Span;
    fn add(self, other: Span) -> Span {
        Span(self.0.saturating_add(other.0))
    }
}

impl Sub for Span {
    type Output = Span;
    fn sub(self, other: Span) -> Span {
        Span(self.0.saturating_sub(other.0))
    }
}

impl Neg for Span {
    type Output = Span;
    fn neg(self) -> Span {
        Span(self.0.saturating_neg())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_write_them() {
        for (text, secs) in [("90 s", 90), ("15min", 900), ("2 h", 7200), ("1.5 h", 5400), ("3 d", 259_200)] {
            assert_eq!(Span::parse(text), Ok(Span::from_secs(secs)), "{text}");
        }
        for text in ["", "15", "min", "2 weeks", "1e99 h"] {
            assert_eq!(Span::parse(text), Err(SpanError), "{text}");
        }
    }

    #[test]
    fn spans_print_in_their_largest_whole_unit() {
        assert_eq!(Span::from_secs(5400).to_string(), "90 min");
        assert_eq!(Span::from_hours(48).to_string(), "2 d");
        assert_eq!(Span(250_000).to_string(), "250 ms");
        assert_eq!(Span(1_500).to_string(), "1 ms");
        assert_eq!(Span(-40).to_string(), "-40 us");
        assert_eq!(-Span(i64::MIN), Span(i64::MAX));
    }
}
