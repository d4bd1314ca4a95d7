//! How many readings a sensor's window holds, and what that costs.

use super::judge::{EVIDENCE_READINGS, Judge};
use super::ladder::Ladder;
use super::watch::{Packed, Rare, Watch};
use super::window::{Columns, Edition, NARROW, NARROW_LASTS_MAX, Particulars, WIDE};
use crate::ids::SensorIx;
use crate::plan::{Plan, Rule, Sensor};
use crate::rules::{Corridor, Memory, Recall};

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

/// Bytes of memory that the station stage takes for one sensor. Fixed by the
/// plan, whatever comes in; what an allocator rounds up is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SensorBytes {
    /// While nothing stirs, all readings are of one kind and the device numbers
    /// none: of almost every sensor, almost always. Where values are neither short
    /// decimals nor of single precision (most that were converted), five more a
    /// reading of the window.
    pub usual: usize,
    /// At most: where every rule has all of its memory, readings differ in flag,
    /// marks or source, are of many digits, and each has a number of its own.
    pub most: usize,
}

/// What the station stage takes for one sensor; a row and no more for one that is not in the plan.
pub fn bytes_per_sensor(plan: &Plan, sensor: SensorIx) -> SensorBytes {
    let row = size_of::<Watch>();
    let Some(known) = plan.sensor(sensor) else { return SensorBytes { usual: row, most: row } };
    let on_it = || {
        plan.rules
            .iter()
            .flatten()
            .filter(|rule| rule.subjects.iter().any(|subject| subject.sensor == sensor))
    };
    let recalls = |recall| on_it().any(|rule| rule.kind.as_dyn().recall() == recall);
    let (slots, rules) = (Room::of(known, on_it()).capacity(), on_it().count());
    let usual_rules = match rules {
        _ if recalls(Recall::Memory) => rules * (size_of::<Judge>() + 2 * size_of::<Memory>()),
        // One alone rests in the row.
        0 | 1 => 0,
        _ => rules * size_of::<Packed>(),
    };
    let corridor = if recalls(Recall::View) { size_of::<Corridor>() } else { 0 };
    let rare = if known.flat.is_some() { size_of::<Rare>() } else { 0 };
    let lasts = known.interval.times(slots as i64 - 1);
    let usual = row + slots * if lasts <= NARROW_LASTS_MAX { NARROW } else { WIDE } + corridor;
    let each = WIDE + size_of::<Edition>() + size_of::<Particulars>();
    let most = row + size_of::<Columns>() + slots * each + corridor;
    let rule_max = size_of::<Judge>() + 2 * (size_of::<Memory>() + size_of::<Ladder>());
    SensorBytes { usual: usual + usual_rules + rare, most: most + rules * rule_max + size_of::<Rare>() }
}

#[cfg(test)]
mod tests {
    use super::super::window::Ring;
    use super::*;

    #[test]
    fn a_row_and_what_it_points_at_are_as_small_as_they_look() {
        // Of a million sensors, eight bytes more are eight million.
        assert_eq!((size_of::<Watch>(), size_of::<Ring>(), size_of::<Packed>()), (216, 56, 24));
        // While a service warms up every judge sits.
        assert_eq!(size_of::<Judge>(), 320);
    }
}
