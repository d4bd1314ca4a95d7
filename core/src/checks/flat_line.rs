//! Flat line: the same value for longer than anything measured stands still.

use minicbor::{Decode, Encode};

use super::{Band, Check, Checkup, Past, Seen};
use crate::plan::Sensor;
use crate::reading::Flag;
use crate::time::{Span, Timestamp};

/// Flags a value 3 that has been the same for `suspect`, and 4 after `fail`
/// (QARTOD water level manual v2.1, test 8, which counts repeats: here it takes
/// the time *and* as many readings as it holds intervals, so that neither a gap
/// nor a device in a hurry makes two equal readings a flat line). The value at
/// which a sensor rests, and the ends of its span, may stay for ever.
#[derive(Debug, Clone, Copy)]
pub struct FlatLine;

/// How much more than the distance counts as at it: 1.01 and 1.00 are a bit more
/// than 0.01 apart, since neither is a binary number. No distance stays none.
const AT_DISTANCE: f64 = 1.0 + 1e-6;

/// How long a sensor may say the same.
#[derive(Debug, Clone, Copy, PartialEq, Encode, Decode)]
pub struct Flat {
    /// From then on it is suspect (flag 3).
    #[n(0)]
    pub suspect: Span,
    /// From then on it has failed (flag 4); longer than `suspect`. `None`: it never has.
    #[n(1)]
    pub fail: Option<Span>,
    /// How far from the first of them values count as the same, in the
    /// sensor's unit; 0 is the very same. At that distance they still do.
    #[n(2)]
    pub within: f64,
    /// The value that may stay: no rain, the bed of a dry gauge.
    #[n(3)]
    pub normal: Option<f64>,
}

/// What is the same, and for how long and how often it may be, as a quiet
/// reading is held against it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Patience {
    within: f64,
    /// Not a number where nothing is.
    normal: f64,
    lasting: Span,
    readings: u32,
}

impl Flat {
    /// How long it takes a sensor of this interval to be suspect.
    pub(crate) fn patience(&self, interval: Span) -> Patience {
        Patience {
            within: self.within * AT_DISTANCE,
            normal: self.normal.unwrap_or(f64::NAN),
            lasting: self.suspect,
            readings: readings(self.suspect, interval),
        }
    }
}

/// How many readings hold a span between them.
fn readings(lasting: Span, interval: Span) -> u32 {
    u32::try_from(lasting.0 / interval.0.max(1)).unwrap_or(u32::MAX).saturating_add(1)
}

/// Readings in a row that say the same, up to one of them.
#[derive(Debug, Clone, Copy, PartialEq, Default, Encode, Decode)]
pub struct Run {
    /// Civil time of the first.
    #[n(0)]
    since: Timestamp,
    /// What the first said, in the sensor's unit.
    #[n(1)]
    value: f64,
    /// How many they are; none where the last one may stay as it is.
    #[n(2)]
    count: u32,
}

impl Run {
    /// The run up to the next reading.
    pub(crate) fn next(self, seen: &Seen, patience: &Patience) -> Run {
        let Seen { observed, value, flag, at_end } = *seen;
        let is_same = |other: f64| (value - other).abs() <= patience.within;
        match flag {
            // It measured nothing, and neither breaks nor begins anything.
            Flag::Fail | Flag::Missing => self,
            Flag::Good | Flag::Unevaluated | Flag::Suspect if at_end || is_same(patience.normal) => {
                Run::default()
            }
            Flag::Good | Flag::Unevaluated | Flag::Suspect if self.count > 0 && is_same(self.value) => {
                Run { count: self.count.saturating_add(1), ..self }
            }
            Flag::Good | Flag::Unevaluated | Flag::Suspect => Run { since: observed, value, count: 1 },
        }
    }

    /// Whether a reading of that time, the last of the run, is one too many.
    pub(crate) fn outlasts(&self, patience: &Patience, observed: Timestamp) -> bool {
        self.count >= patience.readings && observed - self.since >= patience.lasting
    }

    /// Civil time of its first reading, where it has gone on for too long at `observed`.
    pub(crate) fn flat_since(&self, observed: Timestamp, sensor: &Sensor) -> Option<Timestamp> {
        let patience = sensor.flat?.patience(sensor.interval);
        self.outlasts(&patience, observed).then_some(self.since)
    }
}

impl Check for FlatLine {
    fn check(&self, _value: f64, _sensor: &Sensor) -> Checkup {
        // By itself, every value is as good as any other.
        Checkup { flag: Flag::Missing, end: None }
    }

    fn follow(&self, seen: &Seen, past: &mut Past, sensor: &Sensor) -> Flag {
        let Some(flat) = sensor.flat else {
            past.flat = Run::default();
            return Flag::Missing;
        };
        let suspect = flat.patience(sensor.interval);
        past.flat = past.flat.next(seen, &suspect);
        let fail = flat.fail.map(|lasting| Patience {
            lasting,
            readings: readings(lasting, sensor.interval),
            ..suspect
        });
        if fail.is_some_and(|fail| past.flat.outlasts(&fail, seen.observed)) {
            Flag::Fail
        } else if past.flat.outlasts(&suspect, seen.observed) {
            Flag::Suspect
        } else {
            Flag::Good
        }
    }

    fn calm(&self, sensor: &Sensor) -> Option<Band> {
        let flag = if sensor.flat.is_some() { Flag::Good } else { Flag::Missing };
        Some(Band { low: f64::NEG_INFINITY, high: f64::INFINITY, flag })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::follow;
    use crate::ids::StationIx;
    use crate::plan::Terms;
    use crate::units::{Base, Unit};

    const MINUTE: i64 = 60;

    fn gauge(flat: Flat) -> Sensor {
        Sensor {
            id: "a/level".into(),
            station: StationIx(0),
            terms: Terms {
                quantity: "level".into(),
                unit: Unit { base: Base::Metre, per_hour: false },
                datum: None,
                interval: Span::from_mins(15),
                lateness: Span::from_mins(30),
                max_age: Span::from_hours(2),
                span: None,
                suspect: None,
                outage_intervals: 3,
                conversions: vec![],
                flat: Some(flat),
            }
            .into(),
        }
    }

    /// Flags of readings, each so many seconds after the first and with this value.
    fn flags(flat: Flat, readings: &[(i64, f64)]) -> Vec<u8> {
        let sensor = gauge(flat);
        let mut past = Past::default();
        let flag = |(secs, value): &(i64, f64)| {
            let checkup = super::super::check(*value, &sensor);
            let seen = Seen {
                observed: Timestamp::from_secs(*secs),
                value: *value,
                flag: checkup.flag,
                at_end: checkup.end.is_some(),
            };
            follow(&seen, &mut past, &sensor).number()
        };
        readings.iter().map(flag).collect()
    }

    fn check(flat: Flat, values: &[f64], expected: &[u8]) {
        let every: Vec<(i64, f64)> = (0..).map(|nth| nth * 15 * MINUTE).zip(values.iter().copied()).collect();
        assert_eq!(flags(flat, &every), expected, "{values:?} by {flat:?}");
    }

    fn flat(suspect: i64, fail: Option<i64>) -> Flat {
        let fail = fail.map(Span::from_mins);
        Flat { suspect: Span::from_mins(suspect), fail, within: 0.0, normal: None }
    }

    #[test]
    fn the_same_for_long_is_suspect_and_for_longer_has_failed() {
        check(flat(45, Some(75)), &[2.0; 8], &[1, 1, 1, 3, 3, 4, 4, 4]);
        check(flat(45, None), &[2.0; 8], &[1, 1, 1, 3, 3, 3, 3, 3]);
        // One bit is a difference, and what it begins counts from itself.
        let above = 2.0_f64.next_up();
        check(flat(45, None), &[2.0, 2.0, 2.0, above, above, above, above], &[1, 1, 1, 1, 1, 1, 3]);
        // Half an interval more is the next reading.
        check(flat(52, None), &[2.0; 6], &[1, 1, 1, 1, 3, 3]);
    }

    #[test]
    fn flat_lines_are_those_of_the_vector_of_ioos_qc() {
        // Its 3000 s and 4800 s are whole intervals of 15 min there: 45 and 75 min.
        let flat = Flat { within: 0.01, ..flat(45, Some(75)) };
        check(
            flat,
            &[1.0, 2.0, 2.0001, 2.0, 2.0001, 2.0, 2.0001, 2.0, 4.0, 5.0, 3.0, 3.0001, 3.0005, 3.00001],
            &[1, 1, 1, 1, 3, 3, 4, 4, 1, 1, 1, 1, 1, 3],
        );
    }

    #[test]
    fn at_the_distance_values_are_the_same_whatever_binary_makes_of_them() {
        let jitters = Flat { within: 0.01, ..flat(45, None) };
        check(jitters, &[1.0, 1.01, 1.0, 0.99, 1.0], &[1, 1, 1, 3, 3]);
        check(jitters, &[57.3, 57.31, 57.3, 57.29, 57.32], &[1, 1, 1, 3, 1]);
    }

    #[test]
    fn what_may_stay_never_is_flat() {
        let rain = Flat { normal: Some(0.0), ..flat(45, Some(75)) };
        check(rain, &[0.0; 9], &[1; 9]);
        check(rain, &[0.0, 0.0, 0.4, 0.4, 0.4, 0.4, 0.0], &[1, 1, 1, 1, 1, 3, 1]);
        check(Flat { within: 0.02, ..rain }, &[0.01, 0.0, 0.02, -0.02, 0.01, 0.0], &[1; 6]);
        check(rain, &[-0.0; 6], &[1; 6]);
    }

    #[test]
    fn it_takes_the_time_and_the_readings() {
        let hour = flat(60, None);
        // Two equal readings with a gap between them say nothing of the hours they leave out.
        check_at(hour, &[(0, 2.0), (180, 2.0), (195, 2.0), (210, 2.0), (225, 2.0)], &[1, 1, 1, 1, 3]);
        // Nor do many in a minute.
        let hurried: Vec<(i64, f64)> = (0..60).map(|minute| (minute, 2.0)).collect();
        check_at(hour, &hurried, &[1; 60]);
    }

    fn check_at(flat: Flat, readings: &[(i64, f64)], expected: &[u8]) {
        let readings: Vec<(i64, f64)> = readings.iter().map(|(at, value)| (at * MINUTE, *value)).collect();
        assert_eq!(flags(flat, &readings), expected, "{readings:?} by {flat:?}");
    }

    #[test]
    fn what_is_no_number_neither_breaks_nor_begins_anything() {
        check(flat(45, None), &[2.0, 2.0, f64::NAN, 2.0, 2.0, 2.0], &[1, 1, 9, 1, 3, 3]);
    }
}
