//! A reading as the embedded store holds it, in memory and in chunks.

use forewarn_core::ids::{Position, SensorIx, SourceIx};
use forewarn_core::reading::{Checked, Flag, Marks, Reading};
use forewarn_core::time::Timestamp;

use crate::ports::Kept;

/// One reading without its sensor. Source, `seq` and `identity` served
/// admission and stand in the log; they are not kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Row {
    /// Civil time of the measurement, microseconds.
    pub(super) observed: i64,
    /// Civil time of its commit, microseconds.
    pub(super) received: i64,
    /// In the sensor's unit.
    pub(super) value: f64,
    /// Where it stands in the log.
    pub(super) position: u64,
    pub(super) flag: Flag,
    pub(super) marks: u8,
}

impl Row {
    pub(super) fn of(kept: &Kept) -> Row {
        let Checked { reading, flag } = kept.checked;
        Row {
            observed: reading.observed.0,
            received: kept.received.0,
            value: reading.value,
            position: kept.position.0,
            flag,
            marks: reading.marks.0,
        }
    }

    pub(super) fn kept(&self, sensor: SensorIx) -> Kept {
        let reading = Reading {
            sensor,
            source: SourceIx::default(),
            observed: Timestamp(self.observed),
            value: self.value,
            seq: 0,
            identity: 0,
            marks: Marks(self.marks),
        };
        Kept {
            checked: Checked { reading, flag: self.flag },
            received: Timestamp(self.received),
            position: Position(self.position),
        }
    }
}

/// Puts rows in order of their instants, one an instant: that of the highest
/// log position, and of two at one position the one that was handed over later.
pub(super) fn settle(rows: &mut Vec<Row>) {
    if rows.is_sorted_by(|a, b| a.observed < b.observed) {
        return;
    }
    // Stable, so that what was handed over later stands later.
    rows.sort_by_key(|row| (row.observed, row.position));
    rows.dedup_by(|later, kept| {
        let same = later.observed == kept.observed;
        if same {
            *kept = *later;
        }
        same
    });
}
