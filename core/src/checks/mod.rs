//! The family of quality checks: one file a check, one QARTOD flag each.
//!
//! A check never looks at what a limit would make of the value: real disasters
//! trip quality checks too, and flag 3 is kept for corroboration.

mod flat_line;
mod gross_range;

use minicbor::{Decode, Encode};

pub(crate) use flat_line::Patience;
pub use flat_line::{Flat, FlatLine, Run};
pub use gross_range::GrossRange;

use crate::plan::Sensor;
use crate::reading::Flag;
use crate::time::Timestamp;

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

/// A reading as checks see it that go by those before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// Civil time of the measurement.
    pub observed: Timestamp,
    /// In the sensor's unit.
    pub value: f64,
    /// What its value by itself was flagged.
    pub flag: Flag,
    /// Whether it stands at an end of the sensor's span, or beyond.
    pub at_end: bool,
}

/// What the checks remember of a sensor's readings up to one of them, in event
/// time: as many bytes, however long that goes back.
#[derive(Debug, Clone, Copy, PartialEq, Default, Encode, Decode)]
pub struct Past {
    /// The last readings that say the same.
    #[n(0)]
    pub(crate) flat: Run,
}

/// A test of quality.
pub trait Check: Sync {
    /// The flag of `value` by itself; it is in the sensor's unit.
    fn check(&self, value: f64, sensor: &Sensor) -> Checkup;

    /// The flag of a reading by those before it, of which `past` tells; takes it
    /// into the past. A test that does not look back finds nothing.
    fn follow(&self, _seen: &Seen, _past: &mut Past, _sensor: &Sensor) -> Flag {
        Flag::Missing
    }

    /// The values that pass by themselves; `None` where that cannot be said.
    fn calm(&self, sensor: &Sensor) -> Option<Band>;
}

/// Every check, in manual order, by the name that reports use.
pub static CHECKS: [(&str, &dyn Check); 2] = [("gross-range", &GrossRange), ("flat-line", &FlatLine)];

/// The values that pass every check by themselves.
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

/// The aggregate of every check of the value by itself, by QARTOD's precedence.
pub fn check(value: f64, sensor: &Sensor) -> Checkup {
    let nothing = Checkup { flag: Flag::Missing, end: None };
    CHECKS
        .iter()
        .map(|(_, test)| test.check(value, sensor))
        .fold(nothing, |all, one| Checkup { flag: all.flag.and(one.flag), end: all.end.or(one.end) })
}

/// Whether any check of this sensor goes by more than a value by itself.
pub fn look_back(sensor: &Sensor) -> bool {
    sensor.flat.is_some()
}

/// How long a sensor may say the same, where that is limited.
pub(crate) fn patience(sensor: &Sensor) -> Option<Patience> {
    sensor.flat.map(|flat| flat.patience(sensor.interval))
}

/// The aggregate of that and of every check that goes by the readings before
/// it; takes the reading into the past.
pub fn follow(seen: &Seen, past: &mut Past, sensor: &Sensor) -> Flag {
    match seen.flag {
        // It measured nothing: to those before and after it, it is as if it were not there.
        Flag::Fail | Flag::Missing => seen.flag,
        Flag::Good | Flag::Unevaluated | Flag::Suspect => {
            let flags = CHECKS.iter().map(|(_, test)| test.follow(seen, past, sensor));
            flags.fold(seen.flag, Flag::and)
        }
    }
}
