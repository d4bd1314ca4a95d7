//! From what was taken in to what is judged: the sensor's own conversion under
//! the plan in force, and a time for what came without one.

use forewarn_core::ids::SourceIx;
use forewarn_core::plan::Plan;
use forewarn_core::reading::{Marks, Reading};
use forewarn_core::time::{Moment, Span, Timestamp};

use crate::ports::Taken;

/// Gives readings their final form.
#[derive(Debug, Default)]
pub struct Stamper {
    last_undated: Timestamp,
}

/// The sensor left the plan between decoding and appending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

impl Stamper {
    /// The reading that the log will hold.
    ///
    /// Without a device time it gets the time of receipt, a microsecond apart
    /// from the one before, so that two messages of one batch stay two readings.
    pub fn reading(
        &mut self,
        plan: &Plan,
        source: SourceIx,
        taken: &Taken,
        moment: Moment,
    ) -> Result<Reading, Gone> {
        let sensor = plan.sensor(taken.sensor).ok_or(Gone)?;
        let mut marks = taken.marks;
        let observed = if let Some(observed) = taken.observed {
            observed
        } else {
            marks = marks.with(Marks::NO_DEVICE_TIME);
            self.last_undated = moment.civil().max(self.last_undated + Span(1));
            self.last_undated
        };
        Ok(Reading {
            sensor: taken.sensor,
            source,
            observed,
            value: sensor.convert(taken.raw, observed),
            seq: taken.seq,
            identity: taken.identity,
            marks,
        })
    }

    /// Forgets the run of undated readings: after a step back of the clock they start anew.
    pub fn clock_stepped(&mut self) {
        self.last_undated = Timestamp::MIN;
    }
}
