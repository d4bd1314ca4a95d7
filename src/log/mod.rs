//! The durable log: the ground state from which all else follows.
//!
//! A data directory holds `LOCK`, `log.meta` (id and stamp), `log/` (segments
//! in use, named by generation, and spares), `plans/` and `quarantine/`. A
//! segment is a preface, a checkpoint of the index assignments, and frames.

mod codec;
mod disk;
mod error;
mod follow;
mod frame;
mod indices;
mod lock;
mod memory;
mod meta;
mod names;
mod open;
mod packed;
mod plans;
mod readonly;
mod recent;
mod recover;
mod rot;
mod segment;
mod spares;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests;
mod walk;
mod writer;

use std::sync::Arc;

use forewarn_core::event::{Decision, Input};
use forewarn_core::ids::{Position, RunId};
use forewarn_core::plan::PlanId;
use forewarn_core::reading::Checked;
use forewarn_core::time::{Span, Timestamp};

use crate::ports::{Follow, Refused};

pub use codec::{INPUTS_MAX, READING_BYTES_MAX, RECORD_BYTES_BASE, bytes_at_most, decode, encode};
pub use disk::{Disk, DiskFile, RealDisk};
pub(crate) use disk::{put_file, sync_folder};
pub use error::LogError;
pub use follow::{Follower, LogReader};
pub use indices::Indices;
pub use lock::Lock;
pub use memory::{MemoryLog, Partition};
pub use meta::{Identity, Stamp};
pub use open::{Opened, SEGMENT_BYTES_MIN};
pub use plans::{forget_plans, kept_plans, load_plan, save_plan};
pub use readonly::{FrameIs, FrameSeen, Frames, Records, SegmentSeen, segments};
pub use recent::{RECENT_BYTES_MAX, RECENT_RECORDS_MAX, ROT_REPORTS_MAX};
pub use rot::{QUARANTINE_BYTES_MAX, Rot, Torn};
pub use spares::Allocation;
pub use writer::Log;

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

    /// What was decided on the input of this index.
    pub fn decided_on(&self, index: usize) -> impl Iterator<Item = &Decision> {
        // They stand in the order of their inputs.
        let from = self.decisions.partition_point(|(of, _)| (*of as usize) < index);
        let of_it = self.decisions[from..].iter().take_while(move |(of, _)| *of as usize == index);
        of_it.map(|(_, decision)| decision)
    }
}

/// A record as handed from reader to reader.
pub type Shared = Arc<Record>;

/// Which way a record's contents came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Commands, outcomes, clock, plan, ticks: they may use the disk's reserve.
    Control,
    /// Readings: they may not.
    Readings,
}

/// The way into a log (in a cluster: into one partition of the stream of inputs).
pub trait Appender {
    /// The position that the next record must begin at.
    fn next(&self) -> Position;

    /// Makes sure that a record of up to `bytes` can be appended; to be asked
    /// before anything is stepped. On `NoSpace` nothing has changed, and it may
    /// be asked again at any time.
    fn room_for(&mut self, bytes: usize, lane: Lane) -> Result<(), LogError>;

    /// Appends one record; once this returns it is durable, and readers have
    /// it. After [`LogError::Fatal`] the process must stop.
    fn append(&mut self, record: Shared) -> Result<(), LogError>;
}

/// The way out of a log.
pub trait Reader: Send + Sync {
    /// The newest durable position; 0 while there is none.
    fn last(&self) -> Position;

    /// Reads from the record that holds `from` on. Refuses where that was trimmed.
    fn follow(&self, from: Position) -> Result<Box<dyn Follow>, LogError>;
}

/// Where a judge commits what it decided, fenced. Embedded this is the same
/// record and the same sync as the inputs'; in a cluster, a stream of its own.
pub trait Decisions {
    /// Position of the last input whose decisions are committed.
    fn head(&self) -> Position;

    /// Commits what was decided on the inputs after `expected`, up to the
    /// record's last. Refused when the head is no longer there.
    fn commit(&mut self, expected: Position, judged: Shared) -> Result<(), CommitError>;
}

/// Why decisions were not committed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Another judge has committed: this one is no longer the owner.
    #[error("another judge has committed up to position {head}, expected to be the only one", head = head.0)]
    Fenced {
        /// Where the head stands now.
        head: Position,
    },
    /// Not known whether it is durable: release nothing, read the head again.
    #[error("not known whether the decisions are durable: {0}")]
    Unknown(LogError),
}

impl From<LogError> for CommitError {
    fn from(error: LogError) -> CommitError {
        CommitError::Unknown(error)
    }
}
