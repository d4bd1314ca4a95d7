//! How much memory a plan will take.

use std::collections::BTreeMap;
use std::fmt;

use forewarn_core::ids::SensorIx;
use forewarn_core::plan::Plan;
use forewarn_core::sensing::{SensorBytes, bytes_per_sensor};

/// Memory that sensors and rules take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Memory {
    /// Sensors in the plan.
    pub sensors: usize,
    /// Of all of them at most, bytes.
    pub bytes: u64,
    /// The same while nothing stirs, and devices number no readings.
    pub usual: u64,
    /// Of the one that takes most, bytes.
    pub sensor_max: u64,
}

/// The memory that a plan's sensors and rules take.
pub fn memory(plan: &Plan) -> Memory {
    let mut on = vec![vec![]; plan.sensors.len()];
    for (rule, at) in plan.rules.iter().zip(0u32..) {
        for subject in rule.iter().flat_map(|rule| &rule.subjects) {
            if let Some(rules) = on.get_mut(subject.sensor.index()) {
                rules.push(at);
            }
        }
    }
    // Sensors alike in rhythm, flat lines and rules take the same, and there are few kinds of them.
    let mut alike = BTreeMap::new();
    let mut memory = Memory::default();
    for ((sensor, rules), at) in plan.sensors.iter().zip(on).zip(0u32..) {
        let Some(sensor) = sensor else { continue };
        let bytes: SensorBytes = *alike
            .entry((sensor.interval, sensor.lateness, sensor.flat.is_some(), rules))
            .or_insert_with(|| bytes_per_sensor(plan, SensorIx(at)));
        memory.sensors += 1;
        memory.bytes += bytes.most as u64;
        memory.usual += bytes.usual as u64;
        memory.sensor_max = memory.sensor_max.max(bytes.most as u64);
    }
    memory
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Memory { sensors, bytes: all, usual, sensor_max } = *self;
        let [all, usual, sensor_max] = [all, usual, sensor_max].map(bytes);
        write!(
            f,
            "{usual} for {sensors} sensors while nothing stirs, {all} at most; {sensor_max} a sensor at most"
        )
    }
}

/// A number of bytes as people read it.
pub fn bytes(bytes: u64) -> String {
    let (unit, symbol) = match bytes {
        0..0x400 => return format!("{bytes} B"),
        0x400..0x10_0000 => (0x400u64, "KiB"),
        0x10_0000..0x4000_0000 => (0x10_0000, "MiB"),
        _ => (0x4000_0000, "GiB"),
    };
    format!("{:.1} {symbol}", bytes as f64 / unit as f64)
}

#[cfg(test)]
mod tests {
    use forewarn_core::checks::Flat;
    use forewarn_core::ids::StationIx;
    use forewarn_core::plan::{Sensor, Terms};
    use forewarn_core::time::Span;
    use forewarn_core::units::{Base, Unit};

    use super::*;

    #[test]
    fn all_sensors_take_what_each_of_them_takes() {
        let flat = Flat { suspect: Span::from_hours(1), fail: None, within: 0.0, normal: None };
        let sensor = |lateness: Span, flat: Option<Flat>| Sensor {
            id: "ford/level".into(),
            station: StationIx(0),
            terms: Terms {
                quantity: "level".into(),
                unit: Unit { base: Base::Metre, per_hour: false },
                datum: None,
                interval: Span::from_mins(10),
                lateness,
                max_age: Span::from_mins(30),
                span: None,
                suspect: None,
                outage_intervals: 3,
                conversions: vec![],
                flat,
            }
            .into(),
        };
        let (short, long) = (Span::from_mins(10), Span::from_hours(10));
        let sensors = [(short, None), (short, Some(flat)), (short, None), (long, None), (long, Some(flat))];
        let sensors = sensors.into_iter().map(|(lateness, flat)| Some(sensor(lateness, flat))).collect();
        let plan = Plan { sensors, ..Plan::default() };
        let each = || (0..5).map(|at| bytes_per_sensor(&plan, SensorIx(at)));
        let memory = memory(&plan);
        assert_eq!(memory.usual, each().map(|bytes| bytes.usual as u64).sum::<u64>());
        assert_eq!(memory.bytes, each().map(|bytes| bytes.most as u64).sum::<u64>());
        assert_eq!(Some(memory.sensor_max), each().map(|bytes| bytes.most as u64).max());
    }
}
