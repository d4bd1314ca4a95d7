//! What is measured: one value of one sensor at one time, and its quality.

use minicbor::{Decode, Encode};

use crate::ids::{SensorIx, SourceIx};
use crate::time::Timestamp;

/// One value of one sensor at one time, in the sensor's own unit and datum.
#[derive(Debug, Clone, Copy, PartialEq, Encode, Decode)]
pub struct Reading {
    /// Whose value it is.
    #[n(0)]
    pub sensor: SensorIx,
    /// Which way it came in.
    #[n(1)]
    pub source: SourceIx,
    /// Civil time of the measurement: the device's, or else the time of receipt.
    #[n(2)]
    pub observed: Timestamp,
    /// In the sensor's unit; never NaN or infinite.
    #[n(3)]
    pub value: f64,
    /// The device's own counter where it sends one; the highest wins for one instant.
    #[n(4)]
    pub seq: u64,
    /// Stands in for identity where the device gives no time: a hash of source,
    /// packet id and payload. Zero when the device gave its time.
    #[n(5)]
    pub identity: u64,
    /// What else is known of it.
    #[n(6)]
    pub marks: Marks,
}

/// A set of marks on a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Marks(#[n(0)] pub u8);

impl Marks {
    /// The broker kept it and gave it out at subscription: history, not news.
    pub const RETAINED: Marks = Marks(1);
    /// The device says it is from its memory.
    pub const HISTORICAL: Marks = Marks(2);
    /// Not measured at all; never warns live.
    pub const SIMULATED: Marks = Marks(4);
    /// `observed` is the time of receipt: the device gave none.
    pub const NO_DEVICE_TIME: Marks = Marks(8);
    /// At the end of the sensor's span: the truth is there or beyond.
    pub const SATURATED: Marks = Marks(16);
    /// Judged by nobody: it came behind the watermark, too old, or from the future.
    pub const UNJUDGED: Marks = Marks(32);
    /// Known already: the same measurement again, or an older edition of it.
    pub const DUPLICATE: Marks = Marks(64);
    /// The sender says that it may have sent it before (MQTT's DUP flag, an HTTP
    /// idempotency key): its `identity` counts for as long as the window remembers.
    pub const REPEATED: Marks = Marks(128);
    /// Another value for an instant that is known already, and no higher `seq`:
    /// the first in the log stays.
    pub const CONFLICT: Marks = Marks(64 | 32);

    /// Whether every mark of `other` is set.
    pub const fn has(self, other: Marks) -> bool {
        self.0 & other.0 == other.0
    }

    /// These marks and those of `other`.
    #[must_use]
    pub const fn with(self, other: Marks) -> Marks {
        Marks(self.0 | other.0)
    }
}

/// A QARTOD flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
pub enum Flag {
    /// 1: passed.
    #[n(1)]
    Good,
    /// 2: not evaluated.
    #[default]
    #[n(2)]
    Unevaluated,
    /// 3: suspect, or of high interest.
    #[n(3)]
    Suspect,
    /// 4: failed.
    #[n(4)]
    Fail,
    /// 9: missing.
    #[n(9)]
    Missing,
}

impl Flag {
    /// QARTOD's number.
    pub const fn number(self) -> u8 {
        match self {
            Flag::Good => 1,
            Flag::Unevaluated => 2,
            Flag::Suspect => 3,
            Flag::Fail => 4,
            Flag::Missing => 9,
        }
    }

    /// The flag of QARTOD's number.
    pub const fn from_number(number: u8) -> Option<Flag> {
        match number {
            1 => Some(Flag::Good),
            2 => Some(Flag::Unevaluated),
            3 => Some(Flag::Suspect),
            4 => Some(Flag::Fail),
            9 => Some(Flag::Missing),
            _ => None,
        }
    }

    /// The aggregate of two tests' flags, by QARTOD's precedence 4 > 3 > 1 > 2 > 9.
    #[must_use]
    pub fn and(self, other: Flag) -> Flag {
        const fn rank(flag: Flag) -> u8 {
            match flag {
                Flag::Fail => 4,
                Flag::Suspect => 3,
                Flag::Good => 2,
                Flag::Unevaluated => 1,
                Flag::Missing => 0,
            }
        }
        if rank(other) > rank(self) { other } else { self }
    }
}

/// A reading with its aggregate flag, as the store and the windows keep it.
#[derive(Debug, Clone, Copy, PartialEq, Encode, Decode)]
pub struct Checked {
    /// The reading.
    #[n(0)]
    pub reading: Reading,
    /// The aggregate of every check.
    #[n(1)]
    pub flag: Flag,
}

impl Checked {
    /// Whether it carries no mark, and its flag does not keep it from counting.
    pub fn is_plain(&self) -> bool {
        let passes = match self.flag {
            Flag::Good | Flag::Unevaluated | Flag::Suspect => true,
            Flag::Fail | Flag::Missing => false,
        };
        passes && self.reading.marks == Marks::default()
    }
}

#[cfg(test)]
mod tests {
    use super::Flag::{Fail, Good, Missing, Suspect, Unevaluated};

    #[test]
    fn flags_aggregate_by_qartod_precedence() {
        for (a, b, both) in [
            (Good, Missing, Good),
            (Suspect, Good, Suspect),
            (Fail, Suspect, Fail),
            (Unevaluated, Good, Good),
            (Missing, Unevaluated, Unevaluated),
        ] {
            assert_eq!(a.and(b), both);
            assert_eq!(b.and(a), both);
        }
    }
}
