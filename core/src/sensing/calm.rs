//! What makes a reading a quiet one: all is as it was, only later.
//!
//! A quiet reading costs little: it is put in its place, and no rule is asked.
//! That it would have changed nothing is certain beforehand, by a band of
//! values that keeps its distance from every limit. One outside the band is not
//! yet a breach; the rules see to it.

use super::judge::Rest;
use super::limits::{holds_until, in_force};
use super::trace::{Bench, to_rule_unit};
use super::window::{Ring, View};
use crate::checks::{self, Band};
use crate::plan::{LimitRow, Rule, Side};
use crate::reading::{Flag, Marks, Reading};
use crate::rules::{Corridor, Recall};
use crate::time::{Moment, Span, Timestamp};

/// How far a quiet value stays from what it must not reach, relative to it:
/// more than any rounding or slack in how that is compared.
const DISTANCE: f64 = 1e-6;

/// What a reading of one sensor must be to be quiet, and what else it takes to
/// put it in its place. Made from the plan, and made anew when that changes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Calm {
    /// Between these, neither included, in the sensor's unit.
    low: f64,
    high: f64,
    /// Observed before this: from then on other limits may hold.
    until: Timestamp,
    pub(crate) flag: Flag,
    /// Whether a rule looks back over the window, and has to be asked about
    /// readings that leave the corridor.
    pub(crate) looks_back: bool,
    /// Readings that none of those has to be asked about; `None` where they have to be about every one.
    corridor: Option<Box<Corridor>>,
    pub(crate) lateness: Span,
    pub(crate) outage_after: Span,
    max_age: Span,
    /// When the newest reading was observed, here too, so that the window need not be looked at.
    pub(crate) newest: Timestamp,
}

impl Calm {
    /// By the limits in force at the newest reading, which was a quiet one;
    /// `None` where there is no telling.
    pub(crate) fn of(rests: impl Iterator<Item = Rest>, ring: &Ring, bench: &Bench<'_>) -> Option<Calm> {
        let newest = ring.newest()?;
        let Band { low, high, flag } = checks::calm(bench.sensor)?;
        let mut calm = Calm {
            low: low + margin(low),
            high: high - margin(high),
            until: Timestamp::MAX,
            flag,
            looks_back: false,
            corridor: None,
            lateness: bench.sensor.lateness,
            outage_after: super::watch::outage_after(bench),
            max_age: bench.sensor.max_age,
            newest: newest.observed,
        };
        let settings = &bench.plan.settings;
        let mut asks_beyond = Some(Corridor::OPEN);
        for rest in rests {
            let (rule, subject) = rest.terms(bench.plan)?;
            let kind = rule.kind.as_dyn();
            let within = clear(rule, &subject.limits, newest.observed, bench)?;
            calm.until = calm.until.min(holds_until(&subject.limits, newest.observed, settings));
            let view = View::new(ring, ring.end() - 1, kind.needs().of(bench.sensor.interval))?;
            let corridor = kind.corridor(&view, within);
            match kind.recall() {
                Recall::Newest => {
                    let Corridor { low, high, .. } =
                        corridor?.and(Corridor { low: calm.low, high: calm.high, ..Corridor::OPEN });
                    (calm.low, calm.high) = (low, high);
                }
                Recall::View => {
                    calm.looks_back = true;
                    asks_beyond = asks_beyond.zip(corridor).map(|(one, other)| one.and(other));
                }
                Recall::Memory => return None,
            }
        }
        calm.corridor = asks_beyond.filter(|_| calm.looks_back).map(Box::new);
        Some(calm)
    }

    /// Whether a reading is quiet, unless a rule that looks back objects.
    pub(crate) fn holds(&self, reading: &Reading, moment: Moment, future_tolerance: Span) -> bool {
        let civil = moment.civil();
        reading.value > self.low
            && reading.value < self.high
            && reading.marks == Marks::default()
            && reading.observed > self.newest
            && reading.observed < self.until
            && reading.observed <= civil + future_tolerance
            && reading.observed >= civil - self.max_age
    }

    /// Whether a rule that looks back may object to a quiet reading.
    pub(crate) fn has_to_ask(&self, reading: &Reading) -> bool {
        let apart = reading.observed - self.newest;
        self.looks_back
            && !self.corridor.as_ref().is_some_and(|corridor| corridor.holds(reading.value, apart))
    }
}

/// Between which measures, neither included, a rule reaches nothing; in the
/// sensor's unit, or that an hour.
fn clear(rule: &Rule, rows: &[LimitRow], at: Timestamp, bench: &Bench<'_>) -> Option<(f64, f64)> {
    let (scale, offset) = to_rule_unit(rule, bench.sensor);
    if scale <= 0.0 {
        return None;
    }
    let (mut low, mut high) = (f64::NEG_INFINITY, f64::INFINITY);
    for limit in in_force(rows, rule.side, at, &bench.plan.settings, bench.moment).into_iter().flatten() {
        let value = (limit - offset) / scale;
        let distance = margin(value) + margin(limit) / scale;
        match rule.side {
            Side::Above => high = f64::min(high, value - distance),
            Side::Below => low = f64::max(low, value + distance),
        }
    }
    Some((low, high))
}

fn margin(value: f64) -> f64 {
    // At infinity there is nothing to keep off.
    if value.is_finite() { DISTANCE * value.abs().max(1.0) } else { 0.0 }
}
