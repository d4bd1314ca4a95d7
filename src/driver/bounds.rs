//! How much one record may hold, by the size of the log's segments.

use crate::log::{Log, READING_BYTES_MAX};

/// Inputs a record holds at most; further ones go into the next.
const INPUTS_A_RECORD_MAX: usize = 16_384;

/// Bytes of decisions after which a record takes no further input; what one
/// input may lead to comes on top.
const DECISIONS_BYTES_ENOUGH: usize = 4 * 1024 * 1024;

/// What a record may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) inputs: usize,
    pub(super) decisions_bytes: usize,
    pub(super) refused_bytes: usize,
}

impl Bounds {
    /// A quarter of a record is for readings, a quarter for what was decided on
    /// them, a quarter for what was refused; the rest is room for the last
    /// input's decisions.
    pub(super) fn of(log: &Log) -> Self {
        let quarter = log.record_bytes_max() as usize / 4;
        Bounds {
            inputs: (quarter / READING_BYTES_MAX).clamp(1, INPUTS_A_RECORD_MAX),
            decisions_bytes: quarter.min(DECISIONS_BYTES_ENOUGH),
            refused_bytes: quarter,
        }
    }

    /// The most bytes that a record within these bounds takes.
    pub(super) fn worst(self) -> usize {
        self.inputs * READING_BYTES_MAX + self.decisions_bytes + self.refused_bytes
    }
}
