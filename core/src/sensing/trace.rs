//! What one rule remembers of one subject, and how a reading moves it on.

use minicbor::{Decode, Encode};

use super::judge::EVIDENCE_READINGS;
use super::ladder::{Ground, Ladder, Measure};
use super::limits::{Levels, in_force};
use super::seldom::Seldom;
use super::window::{Ring, Sample, View};
use crate::finding::{Verdict, Why};
use crate::ids::SensorIx;
use crate::level::Level;
use crate::plan::{Plan, Rule, Sensor, Side, Subject};
use crate::reading::{Flag, Marks};
use crate::rules::Memory;
use crate::time::{Moment, Span, Timestamp};

/// A rise is credible when this many good readings before it rise.
const RISING_READINGS: usize = 3;

/// All that a judgement needs besides what is remembered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bench<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) ix: SensorIx,
    pub(crate) sensor: &'a Sensor,
    pub(crate) moment: Moment,
}

impl Bench<'_> {
    /// Civil time before which a reading is too old to raise; while nobody knows the time, none is.
    pub(crate) fn oldest(&self) -> Timestamp {
        if self.moment.trusted { self.moment.civil() - self.sensor.max_age } else { Timestamp::MIN }
    }
}

/// What one rule remembers of one subject, up to one reading.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(crate) struct Trace {
    #[n(0)]
    memory: Seldom<Memory>,
    #[n(1)]
    pub(crate) ladder: Seldom<Ladder>,
    #[n(2)]
    pub(crate) verdict: Verdict,
    /// The reading with which the verdict came to be of its kind.
    #[n(3)]
    pub(crate) turned: Timestamp,
    #[n(4)]
    pub(crate) measured: Option<f64>,
}

impl Trace {
    pub(crate) fn new(moment: Moment) -> Trace {
        Trace {
            memory: Seldom::default(),
            ladder: Seldom::default(),
            verdict: Verdict::Unknown(Why::Warming),
            turned: moment.civil(),
            measured: None,
        }
    }

    /// One that has been clear since the reading of that time, with nothing else to remember.
    pub(crate) fn clear(turned: Timestamp, ladder: Ladder, measured: Option<f64>) -> Trace {
        Trace {
            memory: Seldom::default(),
            ladder: Seldom::from(ladder),
            verdict: Verdict::Clear,
            turned,
            measured,
        }
    }

    /// Judges the reading numbered `number`, the one after those judged before.
    pub(crate) fn advance(
        &mut self,
        ring: &Ring,
        number: u64,
        rule: &Rule,
        subject: &Subject,
        bench: &Bench<'_>,
    ) {
        let kind = rule.kind.as_dyn();
        let needs = kind.needs().of(bench.sensor.interval);
        let Some(view) = View::new(ring, number, needs) else { return };
        let sample = view.newest();
        let Some(ground) = self.ground(ring, number, &sample, rule, bench.sensor) else {
            return self.say(Verdict::Unknown(Why::BadData), &sample);
        };
        let measured = match ground {
            Ground::Good => self.memory.change(|memory| kind.measure(&view, memory)),
            // No suspect value stays in a sum.
            Ground::Suspect | Ground::Censored => kind.measure(&view, &mut { *self.memory }),
        };
        let verdict = match measured {
            Ok(value) => {
                let value = in_rule_unit(value, rule, bench.sensor);
                self.measured = Some(value);
                let limits = limits(rule, subject, sample.observed, bench);
                let measure = Measure { value, ground, observed: sample.observed, news: sample.is_news() };
                self.ladder.change(|ladder| ladder.step(measure, &limits, rule))
            }
            // At the end of the span what was reached stands, measurable or not.
            Err(_) if ground == Ground::Censored && self.ladder.all.level() > Level::Normal => {
                Verdict::Breach(self.ladder.all.level())
            }
            Err(why) => Verdict::Unknown(why),
        };
        self.say(verdict, &sample);
    }

    fn say(&mut self, verdict: Verdict, sample: &Sample) {
        let same_kind = match (self.verdict, verdict) {
            (Verdict::Breach(_), Verdict::Breach(_)) => true,
            (old, new) => old == new,
        };
        if !same_kind {
            self.turned = sample.observed;
        }
        self.verdict = verdict;
    }

    /// What a measure of this reading rests on; `None` where it says nothing at all.
    fn ground(
        &self,
        ring: &Ring,
        number: u64,
        sample: &Sample,
        rule: &Rule,
        sensor: &Sensor,
    ) -> Option<Ground> {
        if sample.is_good() {
            return Some(Ground::Good);
        }
        if is_saturated(sample, rule.side, sensor)
            && (self.ladder.is_breaching() || is_rising(ring, number, rule.side))
        {
            return Some(Ground::Censored);
        }
        (sample.flag == Flag::Suspect).then_some(Ground::Suspect)
    }
}

/// Whether a reading stands at the dangerous end of the sensor's span, or beyond.
pub(crate) fn is_saturated(sample: &Sample, side: Side, sensor: &Sensor) -> bool {
    let Some((low, high)) = sensor.span.filter(|_| sample.marks.has(Marks::SATURATED)) else {
        return false;
    };
    let at_high = sample.value > f64::midpoint(low, high);
    match side {
        Side::Above => at_high,
        Side::Below => !at_high,
    }
}

/// Whether the last good readings before this one move to the dangerous side, none of them back.
fn is_rising(ring: &Ring, number: u64, side: Side) -> bool {
    let mut later = None;
    let mut moved = false;
    let from = number.saturating_sub(EVIDENCE_READINGS as u64);
    let good = (from..number).rev().filter_map(|at| ring.get(at)).filter(Sample::is_good);
    for sample in good.take(RISING_READINGS) {
        let Some(next) = later.replace(sample.value) else { continue };
        let rise = match side {
            Side::Above => next - sample.value,
            Side::Below => sample.value - next,
        };
        if rise < 0.0 {
            return false;
        }
        moved |= rise > 0.0;
    }
    moved
}

pub(crate) fn in_rule_unit(value: f64, rule: &Rule, sensor: &Sensor) -> f64 {
    let (scale, offset) = to_rule_unit(rule, sensor);
    value * scale + offset
}

/// Scale and offset by which what was measured comes into the rule's unit.
pub(crate) fn to_rule_unit(rule: &Rule, sensor: &Sensor) -> (f64, f64) {
    let unit = if rule.kind.as_dyn().measures_rate() { sensor.unit.per_hour() } else { Some(sensor.unit) };
    // The plan guarantees a conversion; without one, the number is taken as it is.
    unit.and_then(|unit| unit.convert(rule.unit)).unwrap_or((1.0, 0.0))
}

pub(crate) fn limits(rule: &Rule, subject: &Subject, observed: Timestamp, bench: &Bench<'_>) -> Levels {
    in_force(&subject.limits, rule.side, observed, &bench.plan.settings, bench.moment)
}

/// A trend goes no further back than this, if it has enough readings without.
const TREND_SPAN: Span = Span::from_hours(1);

/// Enough readings for a trend.
const TREND_READINGS: usize = 4;

/// A gap of more intervals than this ends it: nobody knows what happened in there.
const TREND_GAP_INTERVALS: i64 = 3;

/// Least-squares slope of the last good readings, in the sensor's unit an hour.
///
/// Goes back an hour, or further where that holds fewer than four readings,
/// but never over a gap. `None` where they lie within less than an interval:
/// noise over a blink is no trend.
pub(crate) fn trend(ring: &Ring, interval: Span) -> Option<f64> {
    let origin = ring.newest()?;
    let mut before = origin.observed;
    let (mut n, mut t, mut y, mut tt, mut ty) = (0.0, 0.0, 0.0, 0.0, 0.0);
    let good = ring.iter().rev().take(EVIDENCE_READINGS).filter(Sample::is_good);
    for (count, sample) in good.enumerate() {
        let is_far = origin.observed - sample.observed > TREND_SPAN && count >= TREND_READINGS;
        if is_far || before - sample.observed > interval.times(TREND_GAP_INTERVALS) {
            break;
        }
        before = sample.observed;
        let at = (sample.observed - origin.observed).as_secs_f64() / 3600.0;
        let value = sample.value - origin.value;
        n += 1.0;
        t += at;
        y += value;
        tt += at * at;
        ty += at * value;
    }
    let spread = tt - t * t / n;
    let lasts = origin.observed - before >= interval;
    (n >= 2.0 && spread > 0.0 && lasts).then(|| (ty - t * y / n) / spread)
}
