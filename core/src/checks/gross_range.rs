//! Gross range: outside what the sensor can measure, or what is credible.

use super::{Band, Check, Checkup, End};
use crate::plan::Sensor;
use crate::reading::Flag;

/// Flags a value outside the sensor's span 4, one outside its credible span 3
/// (QARTOD water level manual v2.1, test 4: bounds pass). A value at an end of
/// the span is 3 all the same: the truth is there or beyond.
#[derive(Debug, Clone, Copy)]
pub struct GrossRange;

/// Values this close to an end of the span, relative to it, stand at the end:
/// a conversion of units must not move them off it.
const AT_END: f64 = 1e-9;

impl Check for GrossRange {
    fn check(&self, value: f64, sensor: &Sensor) -> Checkup {
        if !value.is_finite() {
            return Checkup { flag: Flag::Missing, end: None };
        }
        let Some((low, high)) = sensor.span else {
            return Checkup { flag: credible(value, sensor, Flag::Unevaluated), end: None };
        };
        let slack = |end: f64| AT_END * end.abs().max(1.0);
        let end = if value >= high - slack(high) {
            Some(End::High)
        } else if value <= low + slack(low) {
            Some(End::Low)
        } else {
            None
        };
        let flag = if value > high + slack(high) || value < low - slack(low) {
            Flag::Fail
        } else if end.is_some() {
            Flag::Suspect
        } else {
            credible(value, sensor, Flag::Good)
        };
        Checkup { flag, end }
    }

    fn calm(&self, sensor: &Sensor) -> Option<Band> {
        let flag =
            if sensor.span.is_some() || sensor.suspect.is_some() { Flag::Good } else { Flag::Unevaluated };
        let spans = [sensor.span, sensor.suspect].into_iter().flatten();
        let all = Band { low: f64::NEG_INFINITY, high: f64::INFINITY, flag };
        Some(spans.fold(all, |band, (low, high)| Band {
            low: if low > band.low { low } else { band.low },
            high: if high < band.high { high } else { band.high },
            flag,
        }))
    }
}

fn credible(value: f64, sensor: &Sensor, otherwise: Flag) -> Flag {
    match sensor.suspect {
        Some((low, high)) if value < low || value > high => Flag::Suspect,
        Some(_) => Flag::Good,
        None => otherwise,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::StationIx;
    use crate::plan::Terms;
    use crate::time::Span;
    use crate::units::{Base, Unit};

    fn check(value: f64, span: Option<(f64, f64)>, suspect: Option<(f64, f64)>, flag: u8, end: Option<End>) {
        let sensor = Sensor {
            id: "a/level".into(),
            station: StationIx(0),
            terms: Terms {
                quantity: "level".into(),
                unit: Unit { base: Base::Metre, per_hour: false },
                datum: None,
                interval: Span::from_mins(15),
                lateness: Span::from_mins(30),
                max_age: Span::from_hours(2),
                span,
                suspect,
                outage_intervals: 3,
                conversions: vec![],
                flat: None,
            }
            .into(),
        };
        let got = GrossRange.check(value, &sensor);
        assert_eq!((got.flag.number(), got.end), (flag, end), "{value} in {span:?}, credible {suspect:?}");
    }

    #[test]
    fn a_value_is_flagged_by_span_and_credible_span() {
        let (span, narrow) = (Some((0.0, 10.0)), Some((1.0, 8.0)));
        // The vector of ioos_qc: [2, 2, 2, 11] and NaN in spans 1..8 and 0..10 gives 1, 1, 1, 4, 9.
        check(2.0, span, narrow, 1, None);
        check(11.0, span, narrow, 4, Some(End::High));
        check(f64::NAN, span, narrow, 9, None);
        check(8.0, span, narrow, 1, None);
        check(8.1, span, narrow, 3, None);
        check(0.5, span, narrow, 3, None);
        check(10.0, span, None, 3, Some(End::High));
        check(6.1 + 3.9 - 1e-12, span, None, 3, Some(End::High));
        check(0.0, span, None, 3, Some(End::Low));
        check(-9999.0, span, None, 4, Some(End::Low));
        check(5.0, None, None, 2, None);
        check(9.0, None, narrow, 3, None);
    }
}
