//! A kept reading in as few bytes as hold it exactly.

use super::Sample;
use crate::ids::SourceIx;
use crate::reading::{Flag, Marks};
use crate::time::{Span, Timestamp};

/// How far apart two readings of one window may be: 48 bits of microseconds,
/// 8.9 years. No rule looks back so far, and a slot is an eighth smaller for it.
pub(crate) const REACH: Span = Span((1 << 48) - 1);

/// How far a slot counts to either side.
const HALF: i64 = 1 << 47;

/// Time and value of a reading: fourteen bytes, of which a window has many.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C, packed(2))]
pub(crate) struct Slot {
    /// The time in microseconds from an instant that the window knows: bits 32 to 47.
    high: i16,
    /// Bits 0 to 31.
    low: u32,
    value: f64,
}

impl Slot {
    /// A reading so far from the window's instant; `None` where that is further than a slot counts.
    pub(super) fn new(offset: Span, value: f64) -> Option<Slot> {
        let Span(micros) = offset;
        (-HALF..HALF).contains(&micros).then_some(Slot {
            high: (micros >> 32) as i16,
            low: micros as u32,
            value,
        })
    }

    /// How far it is from that instant.
    pub(super) fn offset(self) -> Span {
        Span(i64::from(self.high) << 32 | i64::from(self.low))
    }

    pub(super) fn value(self) -> f64 {
        self.value
    }

    pub(super) fn set_value(&mut self, value: f64) {
        self.value = value;
    }
}

/// What a reading says besides its time and its value; of most windows, all readings say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Particulars {
    source: SourceIx,
    marks: Marks,
    flag: Flag,
    alone: Option<Flag>,
    unproven: bool,
}

impl Particulars {
    pub(super) fn of(sample: &Sample) -> Particulars {
        let Sample { source, marks, flag, alone, unproven, .. } = *sample;
        Particulars { source, marks, flag, alone, unproven }
    }

    pub(super) fn of_reading(self, observed: Timestamp, value: f64) -> Sample {
        let Particulars { source, marks, flag, alone, unproven } = self;
        Sample { observed, value, flag, marks, source, unproven, alone }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_counts_as_far_as_it_says_and_no_further() {
        for offset in [0, 1, -1, 1 << 32, -(1 << 32), (1 << 32) - 1, i64::from(u32::MAX) + 7, HALF - 1, -HALF]
        {
            let slot = Slot::new(Span(offset), -0.0).expect("it is within reach");
            assert_eq!((slot.offset(), slot.value().to_bits()), (Span(offset), (-0.0_f64).to_bits()));
        }
        for offset in [HALF, -HALF - 1, i64::MAX, i64::MIN] {
            assert!(Slot::new(Span(offset), 1.0).is_none(), "{offset}");
        }
        assert_eq!((size_of::<Slot>(), size_of::<Particulars>()), (14, 8));
    }
}
