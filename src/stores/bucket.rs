//! A sensor's history in a few parts of equal length, for charts of long spans.

use forewarn_core::reading::Flag;
use forewarn_core::time::{Span, Timestamp};

use crate::ports::Kept;

/// Parts that a history may be cut into at most; a larger wish gets this many.
pub const BUCKETS_MAX: usize = 10_000;

/// One part that has at least one reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// Its beginning, civil time.
    pub from: Timestamp,
    /// Readings in it, failed ones included.
    pub n: u32,
    /// Lowest value, in the sensor's unit. This, `max` and `mean` are of the
    /// readings that did not fail (flag 4 or 9), or of all where all did.
    pub min: f64,
    /// Highest value.
    pub max: f64,
    /// Arithmetic mean.
    pub mean: f64,
    /// The worst flag of any reading in it, by QARTOD's precedence.
    pub worst: Flag,
}

/// Sums of the values of one part.
#[derive(Debug, Clone, Copy)]
struct Sums {
    n: u32,
    min: f64,
    max: f64,
    mean: f64,
}

impl Sums {
    const NONE: Sums = Sums { n: 0, min: f64::INFINITY, max: f64::NEG_INFINITY, mean: 0.0 };

    fn add(&mut self, value: f64) {
        self.n += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        // A running mean cannot overflow where a sum would.
        self.mean += (value - self.mean) / f64::from(self.n);
    }
}

/// Buckets in the making: readings are added oldest first.
#[derive(Debug)]
pub(super) struct Buckets {
    from: Timestamp,
    width: Span,
    done: Vec<Bucket>,
    /// Number of the part under way, with its sound and its failed readings.
    current: Option<(i64, Sums, Sums, Flag)>,
}

impl Buckets {
    pub(super) fn new(from: Timestamp, to: Timestamp, buckets: usize) -> Buckets {
        let parts = buckets.clamp(1, BUCKETS_MAX) as i64;
        let whole = (to - from).0.max(1);
        let width = Span(whole / parts + i64::from(whole % parts != 0));
        Buckets { from, width, done: vec![], current: None }
    }

    pub(super) fn add(&mut self, kept: &Kept) {
        let reading = &kept.checked.reading;
        let number = (reading.observed - self.from).0 / self.width.0;
        if self.current.as_ref().is_some_and(|(current, ..)| *current != number) {
            self.close();
        }
        let flag = kept.checked.flag;
        let (_, sound, failed, worst) =
            self.current.get_or_insert((number, Sums::NONE, Sums::NONE, Flag::Missing));
        *worst = worst.and(flag);
        match flag {
            Flag::Good | Flag::Unevaluated | Flag::Suspect => sound.add(reading.value),
            Flag::Fail | Flag::Missing => failed.add(reading.value),
        }
    }

    fn close(&mut self) {
        let Some((number, sound, failed, worst)) = self.current.take() else { return };
        let shown = if sound.n > 0 { sound } else { failed };
        self.done.push(Bucket {
            from: self.from + self.width.times(number),
            n: sound.n + failed.n,
            min: shown.min,
            max: shown.max,
            mean: shown.mean,
            worst,
        });
    }

    pub(super) fn finish(mut self) -> Vec<Bucket> {
        self.close();
        self.done
    }
}
