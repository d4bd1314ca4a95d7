//! What takes down the decisions of one event.

use crate::event::{Decision, Output};
use crate::ids::Position;

/// One event yields at most this many decisions. What is left stays due, and
/// further ticks carry it on.
pub const OUTPUTS_MAX: usize = 1024;

/// Room kept below [`OUTPUTS_MAX`] for one piece of work and for what an input
/// decides at once.
const WORK_DECISIONS_MAX: usize = 16;

/// Takes decisions down: makes them so in a live step; holds them against the
/// record, which decides, in recovery.
pub(super) struct Pen<'a> {
    pub(super) position: Position,
    pub(super) decided: u32,
    pub(super) record: Option<Record<'a>>,
    pub(super) outputs: &'a mut Vec<Output>,
}

/// What the log recorded for an event.
pub(super) struct Record<'a> {
    pub(super) rest: &'a [Decision],
    pub(super) differs: bool,
}

impl Pen<'_> {
    pub(super) fn is_full(&self) -> bool {
        self.decided as usize + WORK_DECISIONS_MAX > OUTPUTS_MAX
    }
}
