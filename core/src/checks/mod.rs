//! The family of quality checks: one file a check, one QARTOD flag each.
//!
//! A check never looks at what a limit would make of the value: real disasters
//! trip quality checks too, and flag 3 is kept for corroboration.

mod gross_range;

pub use gross_range::GrossRange;

use crate::plan::Sensor;
use crate::reading::Flag;

/// What one check says of one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkup {
    /// QARTOD's flag.
    pub flag: Flag,
    /// The end of the sensor's span that the value stands at, or beyond.
    pub end: Option<End>,
}

/// An end of a sensor's span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The least it can measure.
    Low,
    /// The most it can measure.
    High,
}

/// Values, the ends not included, that always get the same flag.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    /// In the sensor's unit; may be infinite.
    pub low: f64,
    /// In the sensor's unit; may be infinite.
    pub high: f64,
    /// The flag: 1, or 2 where nothing is configured.
    pub flag: Flag,
}

/// A test of quality.
pub trait Check: Sync {
    /// The flag of `value`, which is in the sensor's unit.
    fn check(&self, value: f64, sensor: &Sensor) -> Checkup;

    /// The values that pass, whatever came before them; `None` where that cannot be said.
    fn calm(&self, sensor: &Sensor) -> Option<Band>;
}

/// Every check, in manual order, by the name that reports use.
pub static CHECKS: [(&str, &dyn Check); 1] = [("gross-range", &GrossRange)];

/// The values that pass every check, whatever came before them.
pub fn calm(sensor: &Sensor) -> Option<Band> {
    let all = Band { low: f64::NEG_INFINITY, high: f64::INFINITY, flag: Flag::Missing };
    CHECKS.iter().try_fold(all, |all, (_, test)| {
        let one = test.calm(sensor)?;
        // Of two infinities the one in both bands: neither is a number that could be lost.
        let low = if one.low > all.low { one.low } else { all.low };
        let high = if one.high < all.high { one.high } else { all.high };
        Some(Band { low, high, flag: all.flag.and(one.flag) })
    })
}

/// The aggregate of every check, by QARTOD's precedence.
pub fn check(value: f64, sensor: &Sensor) -> Checkup {
    let nothing = Checkup { flag: Flag::Missing, end: None };
    CHECKS
        .iter()
        .map(|(_, test)| test.check(value, sensor))
        .fold(nothing, |all, one| Checkup { flag: all.flag.and(one.flag), end: all.end.or(one.end) })
}
