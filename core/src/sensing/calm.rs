//! What makes a reading a quiet one: all is as it was, only later.
//!
//! A quiet reading costs little: it is put in its place, and no rule is asked.
//! That it would have changed nothing is certain beforehand, by a band of
//! values that keeps its distance from every limit. One outside the band is not
//! yet a breach; the rules see to it.

use super::judge::Rest;
use super::limits::{holds_until, in_force};
use super::trace::Bench;
use super::window::Ring;
use crate::checks::{self, Band};
use crate::plan::{LimitRow, Rule, Side};
use crate::reading::{Flag, Marks, Reading};
use crate::rules::Recall;
use crate::time::{Moment, Span, Timestamp};

/// How far a quiet value stays from what it must not reach, relative to it:
/// more than any rounding or slack in how that is compared.
const DISTANCE: f64 = 1e-6;

/// What a reading of one sensor must be to be quiet, and what else it takes to
/// put it in its place. Made from the plan, and made anew when that changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Calm {
    /// Between these, neither included, in the sensor's unit.
    low: f64,
    high: f64,
    /// Observed before this: from then on other limits may hold.
    until: Timestamp,
    pub(crate) flag: Flag,
    /// Whether a rule looks back over the window, and has to be asked after all.
    pub(crate) looks_back: bool,
    pub(crate) lateness: Span,
    pub(crate) outage_after: Span,
    max_age: Span,
}

impl Calm {
    /// By the limits in force at the newest reading, which was a quiet one;
    /// `None` where there is no telling.
    pub(crate) fn of(rests: &[Rest], ring: &Ring, bench: &Bench<'_>) -> Option<Calm> {
        let newest = ring.newest()?;
        let Band { low, high, flag } = checks::calm(bench.sensor)?;
        let mut calm = Calm {
            low: low + margin(low),
            high: high - margin(high),
            until: Timestamp::MAX,
            flag,
            looks_back: false,
            lateness: bench.sensor.lateness,
            outage_after: super::watch::outage_after(bench),
            max_age: bench.sensor.max_age,
        };
        for rest in rests {
            let (rule, subject) = rest.terms(bench.plan)?;
            match rule.kind.as_dyn().recall() {
                Recall::Newest => calm.keep_off(rule, &subject.limits, newest.observed, bench)?,
                Recall::View => calm.looks_back = true,
                Recall::Memory => return None,
            }
        }
        Some(calm)
    }

    /// Narrows the band by the limits of one rule on the newest value itself.
    fn keep_off(&mut self, rule: &Rule, rows: &[LimitRow], at: Timestamp, bench: &Bench<'_>) -> Option<()> {
        let settings = &bench.plan.settings;
        self.until = self.until.min(holds_until(rows, at, settings));
        // Without a conversion the number is taken as it is, as by the rule itself.
        let (scale, offset) = bench.sensor.unit.convert(rule.unit).unwrap_or((1.0, 0.0));
        if scale <= 0.0 {
            return None;
        }
        for limit in in_force(rows, rule.side, at, settings, bench.moment).into_iter().flatten() {
            let value = (limit - offset) / scale;
            let distance = margin(value) + margin(limit) / scale;
            match rule.side {
                Side::Above => self.high = self.high.min(value - distance),
                Side::Below => self.low = self.low.max(value + distance),
            }
        }
        Some(())
    }

    /// Whether a reading after `newest` is quiet, unless a rule that looks back objects.
    pub(crate) fn holds(
        &self,
        reading: &Reading,
        newest: Timestamp,
        moment: Moment,
        future_tolerance: Span,
    ) -> bool {
        let civil = moment.civil();
        reading.value > self.low
            && reading.value < self.high
            && reading.marks == Marks::default()
            && reading.observed > newest
            && reading.observed < self.until
            && reading.observed <= civil + future_tolerance
            && reading.observed >= civil - self.max_age
    }
}

fn margin(value: f64) -> f64 {
    // At infinity there is nothing to keep off.
    if value.is_finite() { DISTANCE * value.abs().max(1.0) } else { 0.0 }
}
