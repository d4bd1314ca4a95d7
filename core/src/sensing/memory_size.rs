//! How many readings a sensor's window holds, and what that costs.

use super::judge::{EVIDENCE_READINGS, Judge};
use super::watch::Watch;
use super::window::{Edition, Particulars, Slot};
use crate::ids::SensorIx;
use crate::plan::{Plan, Rule, Sensor};

/// A window keeps at most this many readings that late ones may still precede.
/// Full: the oldest of them settle early.
pub(crate) const UNSETTLED_MAX: usize = 4096;

/// Readings to spare: an early one, a repeat, one out of rhythm.
const SLACK: usize = 4;

/// The size of one sensor's window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// Settled readings that rules and evidence still look back on.
    pub(crate) kept: u32,
    /// Readings that are not settled yet.
    unsettled: u32,
}

impl Room {
    /// What the sensor's own lateness and the rules on it ask for.
    pub(crate) fn of<'a>(sensor: &Sensor, rules: impl Iterator<Item = &'a Rule>) -> Room {
        let kept = rules
            .map(|rule| rule.kind.as_dyn().needs().of(sensor.interval))
            .fold(EVIDENCE_READINGS, usize::max);
        // Twice the expected number: a device in alarm often reports faster.
        let late = 2 * (sensor.lateness.0.max(0) / sensor.interval.0.max(1));
        let unsettled = usize::try_from(late).unwrap_or(usize::MAX).min(UNSETTLED_MAX) + SLACK;
        // One more than a rule sees, so that what leaves its view can be taken out of its sums.
        Room { kept: kept as u32 + 1, unsettled: unsettled as u32 }
    }

    pub(crate) fn capacity(self) -> usize {
        (self.kept + self.unsettled) as usize + 1
    }
}

/// Bytes of memory that the station stage takes for one sensor, at most; 0 for
/// one that is not in the plan. Fixed by the plan, whatever comes in.
pub fn bytes_per_sensor(plan: &Plan, sensor: SensorIx) -> usize {
    let Some(known) = plan.sensor(sensor) else { return size_of::<Watch>() };
    let on_it = || {
        plan.rules
            .iter()
            .flatten()
            .filter(|rule| rule.subjects.iter().any(|subject| subject.sensor == sensor))
    };
    size_of::<Watch>()
        + Room::of(known, on_it()).capacity()
            * (size_of::<Slot>() + size_of::<Edition>() + size_of::<Particulars>())
        + on_it().count() * size_of::<Judge>()
}
