//! Bounded history of one sensor in event time order.

use crate::reading::Flag;
use crate::time::Timestamp;

/// One kept reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Civil time of the measurement.
    pub observed: Timestamp,
    /// In the sensor's unit.
    pub value: f64,
    /// Its quality.
    pub flag: Flag,
}

/// The readings of a window up to one of them, for a rule to measure.
#[derive(Debug)]
pub struct View<'a> {
    samples: &'a [Sample],
}

impl View<'_> {
    /// The reading to be judged.
    pub fn newest(&self) -> Option<&Sample> {
        self.samples.last()
    }
}
