//! What a reading says besides its time and its value.

use super::Sample;
use crate::ids::SourceIx;
use crate::reading::{Flag, Marks};
use crate::time::Timestamp;

/// What a reading says besides its time and its value; of most windows, all readings say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Particulars {
    /// Of a plan's few: `SOURCES_MAX`. One beyond all sixteen bits, of a damaged
    /// snapshot, is the last of them.
    source: u16,
    marks: Marks,
    flag: Flag,
    alone: Option<Flag>,
    unproven: bool,
}

impl Particulars {
    pub(super) fn of(sample: &Sample) -> Particulars {
        let Sample { source: SourceIx(source), marks, flag, alone, unproven, .. } = *sample;
        Particulars { source: u16::try_from(source).unwrap_or(u16::MAX), marks, flag, alone, unproven }
    }

    pub(super) fn of_reading(self, observed: Timestamp, value: f64) -> Sample {
        let Particulars { source, marks, flag, alone, unproven } = self;
        Sample { observed, value, flag, marks, source: SourceIx(u32::from(source)), unproven, alone }
    }
}
