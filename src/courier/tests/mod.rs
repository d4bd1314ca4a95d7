//! Tests of the courier: the lanes alone by tables and over random histories,
//! then the whole courier against a log, channels and a clock of their own.

mod arrivals;
mod bounds;
mod digests;
mod doubles;
mod histories;
mod lanes;
mod laws;
mod log;
mod overdue;
mod stage;
mod storm;
mod telling;

use std::sync::Arc;

use forewarn_core::ids::{LogId, OutputId, Position, RunId, TargetIx};
use forewarn_core::level::{Certainty, Level, Severity, Status, Urgency};
use forewarn_core::time::Timestamp;
use forewarn_core::warning::{About, Cell, Due, Kind, Reason, Revision};

/// The output at a position of the test's log.
pub(super) fn output(position: u64) -> OutputId {
    OutputId { log: LogId([7; 16]), run: RunId(3), position: Position(position), ordinal: 0 }
}

/// A revision that starts at second 0 and expires at second 3,600.
pub(super) fn revision(
    warning: u64,
    number: u32,
    position: u64,
    kind: Kind,
    level: Level,
    targets: &[u32],
) -> Arc<Revision> {
    Arc::new(Revision {
        id: output(position),
        warning: output(warning),
        number,
        kind,
        reason: Reason::Raised,
        about: About::Incident(Cell::default()),
        status: Status::Actual,
        level,
        urgency: Urgency::Immediate,
        severity: Severity::Severe,
        certainty: Certainty::Observed,
        onset: Timestamp(0),
        sent: Timestamp(0),
        expires: Timestamp::from_secs(3_600),
        stale: false,
        evidence: vec![],
        sensors: 1,
        detail: String::new(),
        due: targets.iter().map(|&target| Due { target: TargetIx(target), round: 0 }).collect(),
        peak: level,
        seen: None,
        texts: None,
        muted: None,
        lost: 0,
    })
}
