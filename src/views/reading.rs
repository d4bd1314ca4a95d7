//! Readings.

use forewarn_core::reading::Marks;
use schemars::JsonSchema;
use serde::Serialize;

use super::names::Names;
use crate::ports::Kept;

/// One reading, as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ReadingView {
    /// When it was measured.
    pub observed: String,
    /// When it was committed.
    pub received: String,
    /// In the sensor's unit; `null` where it is no finite number.
    pub value: Option<f64>,
    /// QARTOD: 1 good, 2 not evaluated, 3 suspect, 4 fail, 9 missing.
    pub flag: u8,
    /// Whether the sensor is at the end of its span: the truth is there or beyond.
    pub saturated: bool,
    /// Where it stands in the log.
    pub position: u64,
}

impl ReadingView {
    /// As the store has it.
    pub fn of(kept: &Kept, names: Names<'_>) -> ReadingView {
        let reading = &kept.checked.reading;
        ReadingView {
            observed: names.time(reading.observed),
            received: names.time(kept.received),
            value: reading.value.is_finite().then_some(reading.value),
            flag: kept.checked.flag.number(),
            saturated: reading.marks.has(Marks::SATURATED),
            position: kept.position.0,
        }
    }
}
