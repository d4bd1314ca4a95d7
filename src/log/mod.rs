//! The durable log: the ground state from which all else follows.

use std::sync::Arc;

use forewarn_core::event::{Decision, Input};
use forewarn_core::ids::{Position, RunId};
use forewarn_core::plan::PlanId;
use forewarn_core::reading::Checked;
use forewarn_core::time::{Span, Timestamp};

use crate::ports::Refused;

/// A batch of events and all that it decided: one checksum, one sync.
#[derive(Debug, Clone)]
pub struct Record {
    /// Position of the first event; the others follow without gaps.
    pub first: Position,
    /// Engine time of all of them.
    pub at: Timestamp,
    /// Civil minus engine time.
    pub offset: Span,
    /// The run that wrote it.
    pub run: RunId,
    /// Version of the engine that decided.
    pub engine: u32,
    /// The plan in force.
    pub plan: PlanId,
    /// What happened, in order.
    pub inputs: Vec<Input>,
    /// What was decided, each with the index of the input it followed from.
    pub decisions: Vec<(u32, Decision)>,
    /// Flag and final marks of each reading among the inputs, in order.
    pub flagged: Vec<Checked>,
    /// What came in and was not understood.
    pub refused: Vec<Refused>,
}

impl Record {
    /// Position of its last event.
    pub fn last(&self) -> Position {
        Position(self.first.0 + self.inputs.len().max(1) as u64 - 1)
    }
}

/// A record as handed from reader to reader.
pub type Shared = Arc<Record>;
