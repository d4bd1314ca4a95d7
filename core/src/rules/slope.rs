//! Robust slope: the median of pairwise slopes, when the trend is significant.

use minicbor::{Decode, Encode};
use serde::Deserialize;

use super::{Corridor, Memory, Needs, REACH_PART_MIN, Recall, Rule, tells_trend};
use crate::finding::Why;
use crate::sensing::window::View;
use crate::time::{Span, Timestamp};

/// Measures the Theil-Sen slope of the readings in `window`, in the sensor's
/// unit an hour; 0 where the Mann-Kendall test does not find a trend (p < 0.05,
/// two-sided, ties corrected).
///
/// It needs five readings, the fewest that can be significant, that reach over
/// half the window at least, and looks at 64 of them at most; where they come so
/// fast that the window has room for no more, they may reach over less.
#[derive(Debug, Clone, PartialEq, Encode, Decode, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slope {
    /// How far back it looks.
    #[n(0)]
    #[serde(deserialize_with = "crate::rules::window")]
    pub window: Span,
}

impl Slope {
    /// A rule of this kind, as configuration writes it.
    pub const EXAMPLE: &'static str = r#"rule = { kind = "slope", hazard = "flood", quantity = "level", window = "1 h", limits = { orange = "0.5 m/h" } }"#;
}

/// A window holds at most this many readings; of a denser one, the newest. It
/// bounds the pairs that one reading costs.
pub const SLOPE_READINGS_MAX: usize = 64;

/// As many readings as most windows hold.
const FEW: usize = 16;

/// Pairs of so many readings.
const fn pairs(readings: usize) -> usize {
    readings * readings.saturating_sub(1) / 2
}

/// With four readings even a strict rise has p > 0.05.
const READINGS_MIN: usize = 5;

/// Standard normal quantile of 0.975: two-sided p < 0.05.
const SIGNIFICANT: f64 = 1.959_963_984_540_054;

impl Rule for Slope {
    fn needs(&self) -> Needs {
        Needs { readings: SLOPE_READINGS_MAX, span: self.window }
    }

    fn measure(&self, view: &View<'_>, _memory: &mut Memory) -> Result<f64, Why> {
        // Room for few readings where they are few: it has to be cleared each time.
        match Points::<FEW>::gather(view, self.window) {
            Some(points) => points.slope(view, self.window),
            None => Points::<SLOPE_READINGS_MAX>::gather(view, self.window)
                .expect("a view has no more readings than the rule needs")
                .slope(view, self.window),
        }
    }

    fn measures_rate(&self) -> bool {
        true
    }

    fn recall(&self) -> Recall {
        Recall::View
    }

    fn corridor(&self, view: &View<'_>, (falling, rising): (f64, f64)) -> Option<Corridor> {
        let steepest = if rising < -falling { rising } else { -falling };
        // Where there is no trend it measures 0.
        if steepest > 0.0 {
            Course::of(view, self.window)?.corridor(steepest, view, self.window)
        } else {
            None
        }
    }
}

/// How the readings of one window lie.
struct Course {
    low: f64,
    high: f64,
    apart_min: Span,
    apart_max: Span,
}

/// Two ends of a corridor are apart by this much less than they might be,
/// relative to that: more than any rounding in a slope.
const CORRIDOR_SPARE: f64 = 1e-6;

impl Course {
    /// Where all of them are good and they fill the window, or all that is seen of it.
    fn of(view: &View<'_>, window: Span) -> Option<Course> {
        let mut later = view.newest();
        let from = later.observed - window;
        let (low, high) = (later.value, later.value);
        let mut course = Course { low, high, apart_min: Span(i64::MAX), apart_max: Span::ZERO };
        for number in (view.first()..view.last()).rev() {
            let sample = view.sample(number)?;
            let apart = later.observed - sample.observed;
            course.apart_min = course.apart_min.min(apart);
            course.apart_max = course.apart_max.max(apart);
            if sample.observed < from {
                return Some(course);
            }
            course.low = if sample.value < course.low { sample.value } else { course.low };
            course.high = if sample.value > course.high { sample.value } else { course.high };
            later = sample;
        }
        view.room().map(|_| course)
    }

    /// A slope as steep as a limit needs half of the pairs as steep. Of readings
    /// that all lie within `steepest` times a span, only pairs closer in time
    /// than that span can be, and of readings at least so far apart there are
    /// only so many close pairs.
    fn corridor(self, steepest: f64, view: &View<'_>, window: Span) -> Option<Corridor> {
        // Some room, so that a little out of rhythm is no reason to look again.
        let apart_min = Span(self.apart_min.0 - self.apart_min.0 / 8);
        let apart_max = Span(self.apart_max.0.saturating_add(self.apart_max.0 / 8));
        let seen = (view.last() + 1 - view.first()) as i64;
        let fills = window.0 / apart_max.0.max(1) + 1;
        // Where all that is seen falls short of the window, it must still tell a trend.
        let reach = apart_min.times(if view.room().is_some() { seen - 1 } else { fills - 1 });
        let fewest = if view.room().is_some() { fills.min(seen) } else { fills };
        if fewest < READINGS_MIN as i64 || reach.times(REACH_PART_MIN) < window {
            return None;
        }
        let close = (1..fewest).take_while(|&lag| outnumbered(lag, fewest)).last().unwrap_or(0);
        let apart = apart_min.times(close + 1).as_secs_f64() / 3600.0;
        let height = steepest * apart * (1.0 - CORRIDOR_SPARE);
        let spare = (height * (1.0 - CORRIDOR_SPARE) - (self.high - self.low)) / 2.0;
        let (low, high) = (self.low - spare, self.high + spare);
        // Far from zero, ends may have been rounded apart.
        (spare > 0.0 && high - low <= height).then_some(Corridor { low, high, apart_min, apart_max })
    }
}

/// Whether of so many readings, or of more, less than half of the pairs are
/// `lag` readings apart or closer.
const fn outnumbered(lag: i64, readings: i64) -> bool {
    let (close, all) = (lag * readings - lag * (lag + 1) / 2, readings * (readings - 1) / 2);
    lag < readings && 2 * close < all
}

/// Readings of one window, the newest first.
struct Points<const ROOM: usize> {
    observed: [Timestamp; ROOM],
    values: [f64; ROOM],
    count: usize,
}

impl<const ROOM: usize> Points<ROOM> {
    /// Reads them off a view; `None` where there are more than there is room for.
    fn gather(view: &View<'_>, window: Span) -> Option<Self> {
        let mut points = Points { observed: [Timestamp(0); ROOM], values: [0.0; ROOM], count: 0 };
        for sample in view.back(window) {
            *points.observed.get_mut(points.count)? = sample.observed;
            points.values[points.count] = sample.value;
            points.count += 1;
        }
        Some(points)
    }

    fn slope(&self, view: &View<'_>, window: Span) -> Result<f64, Why> {
        let (observed, values) = (&self.observed[..self.count], &self.values[..self.count]);
        let newest = view.newest().observed;
        let reach = observed.last().map_or(Span::ZERO, |&oldest| newest - oldest);
        if self.count < READINGS_MIN || !tells_trend(view, reach, window) {
            return Err(Why::TooFew);
        }
        if !has_trend(values) {
            return Ok(0.0);
        }
        let mut hours = [0.0; ROOM];
        for (hour, &at) in hours.iter_mut().zip(observed) {
            *hour = -(newest - at).as_secs_f64() / 3600.0;
        }
        let hours = &hours[..self.count];
        Ok(if self.count <= FEW {
            median_slope::<{ pairs(FEW) }>(hours, values)
        } else {
            median_slope::<{ pairs(SLOPE_READINGS_MAX) }>(hours, values)
        })
    }
}

/// Mann-Kendall, with the variance corrected for ties (Kendall 1975). The newest value comes first.
fn has_trend(values: &[f64]) -> bool {
    let (mut rises, mut falls) = (0_u64, 0_u64);
    for (at, value) in values.iter().enumerate() {
        for earlier in &values[at + 1..] {
            rises += u64::from(value > earlier);
            falls += u64::from(value < earlier);
        }
    }
    let s = rises as i64 - falls as i64;
    let ties = if (rises + falls) as usize == pairs(values.len()) { 0.0 } else { ties(values) };
    let n = values.len() as f64;
    let variance = (n * (n - 1.0) * (2.0 * n + 5.0) - ties) / 18.0;
    variance > 0.0 && (s.abs() - 1) as f64 > SIGNIFICANT * libm::sqrt(variance)
}

/// What groups of equal values take from the variance: t(t-1)(2t+5) for one of t.
fn ties(values: &[f64]) -> f64 {
    let mut ties = 0.0;
    for (at, value) in values.iter().enumerate() {
        // Exactly equal, both zeros alike, as the signs of the pairs take them.
        let equal = |other: &&f64| other.partial_cmp(&value).is_some_and(std::cmp::Ordering::is_eq);
        // Counted at its first member.
        if !values[..at].iter().any(|other| equal(&other)) {
            let t = values.iter().filter(equal).count() as f64;
            ties += t * (t - 1.0) * (2.0 * t + 5.0);
        }
    }
    ties
}

fn median_slope<const PAIRS: usize>(hours: &[f64], values: &[f64]) -> f64 {
    let mut slopes = [0.0; PAIRS];
    let mut count = 0;
    for (at, (t, y)) in hours.iter().zip(values).enumerate() {
        for (earlier, other) in hours[at + 1..].iter().zip(&values[at + 1..]) {
            slopes[count] = (y - other) / (t - earlier);
            count += 1;
        }
    }
    let middle = count / 2;
    let (below, &mut upper, _) = slopes[..count].select_nth_unstable_by(middle, f64::total_cmp);
    if count % 2 == 1 {
        return upper;
    }
    // By total order: which zero `f64::max` gives, it does not promise.
    let lower = below.iter().copied().max_by(f64::total_cmp).unwrap_or(upper);
    f64::midpoint(lower, upper)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reading::Flag;
    use crate::sensing::window::{Ring, Sample};

    /// Puts a good reading in, and looks at it.
    fn measured(
        ring: &mut Ring,
        observed: i64,
        value: f64,
        rule: &Slope,
        readings: usize,
    ) -> Result<f64, Why> {
        if ring.is_full() {
            ring.pop_oldest();
        }
        let sample = Sample { observed: Timestamp(observed), value, flag: Flag::Good, ..Sample::default() };
        ring.insert(ring.end(), sample);
        let view = View::new(ring, ring.end() - 1, readings).expect("it was just put in");
        rule.measure(&view, &mut Memory::default())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever keeps to a corridor is measurable and stays within the limits it was made for.
        #[test]
        fn a_corridor_keeps_its_promise(
            (window, readings) in (prop::sample::select(vec![5_i64, 10, 12, 30]), prop::sample::select(vec![8_usize, 22, 64])),
            before in prop::collection::vec((0.7..1.4_f64, -1.0..1.0_f64), 5..70),
            limit in prop_oneof![0.05..1.0_f64, 1.0..20.0_f64],
            datum in prop::sample::select(vec![0.0, 3_000.0]),
            // How far across the corridor and its spans, now at one end and now at the other.
            after in prop::collection::vec((0.0..=1.0_f64, prop_oneof![Just(0.0), Just(1.0), 0.0..=1.0_f64]), 1..100),
            climbs in any::<bool>(),
        ) {
            const MINUTE: f64 = 6e7;
            let rule = Slope { window: Span::from_mins(window) };
            let mut ring = Ring::with_capacity(readings + 5);
            let mut at = 0_i64;
            for (apart, value) in before {
                at += (apart * MINUTE) as i64;
                let _ = measured(&mut ring, at, datum + value * limit / 60.0, &rule, readings);
            }
            let view = View::new(&ring, ring.end() - 1, readings).expect("it holds readings");
            let Some(corridor) = rule.corridor(&view, (-limit, limit)) else { return Ok(()) };
            let (mut nth, count) = (0.0, after.len() as f64);
            for (apart, across) in after {
                nth += 1.0;
                // From one end to the other in one go is as steep as it can get.
                let across = if climbs { nth / count } else { across };
                let value = corridor.low + (corridor.high - corridor.low) * (0.000_001 + 0.999_998 * across);
                let Span(room) = corridor.apart_max - corridor.apart_min;
                let apart = Span(corridor.apart_min.0 + (room as f64 * if climbs { apart * 0.01 } else { apart }) as i64);
                prop_assert!(corridor.holds(value, apart));
                at += apart.0;
                let slope = measured(&mut ring, at, value, &rule, readings);
                prop_assert!(slope.is_ok_and(|slope| slope.abs() < limit), "{slope:?} at limit {limit}");
            }
        }
    }

    #[test]
    fn a_quiet_gauge_has_a_corridor_worth_having() {
        let rule = Slope { window: Span::from_hours(2) };
        let mut ring = Ring::with_capacity(40);
        for nth in 0..20_i64 {
            let _ = measured(&mut ring, nth * 600_000_000, f64::from(nth as i32 % 3) * 0.04, &rule, 26);
        }
        let view = View::new(&ring, ring.end() - 1, 26).expect("it holds readings");
        let corridor = rule.corridor(&view, (f64::NEG_INFINITY, 0.5)).expect("it lies quiet");
        // Three lags of thirteen points are no half of the pairs: four gaps of seven eighths, at 0.5 m/h.
        assert!(corridor.high - corridor.low > 0.29, "{corridor:?}");
        assert_eq!(rule.corridor(&view, (f64::NEG_INFINITY, 0.0)), None, "no trend would be one");
        assert_eq!(rule.corridor(&view, (f64::NEG_INFINITY, 0.1)), None, "it moves too much");
    }

    /// Values a minute apart, oldest first, as the rule sees them.
    fn points(values: &[f64]) -> (Vec<f64>, Vec<f64>) {
        values.iter().rev().enumerate().map(|(at, y)| (-(at as f64) / 60.0, *y)).unzip()
    }

    /// In the sensor's unit a minute, with room for few readings where they are few.
    fn a_minute(values: &[f64]) -> f64 {
        let (hours, values) = points(values);
        let whole = median_slope::<{ pairs(SLOPE_READINGS_MAX) }>(&hours, &values);
        if hours.len() <= FEW {
            let few = median_slope::<{ pairs(FEW) }>(&hours, &values);
            assert_eq!(few.to_bits(), whole.to_bits(), "the room makes no difference");
        }
        whole / 60.0
    }

    #[test]
    fn a_trend_needs_significance_and_ties_weaken_it() {
        for (values, trend) in [
            (&[1.0, 2.0, 3.0, 4.0][..], false),
            (&[1.0, 2.0, 3.0, 4.0, 5.0], true),
            (&[5.0, 4.0, 3.0, 2.0, 1.0], true),
            (&[1.0, 2.0, 3.0, 5.0, 4.0], false),
            (&[1.0, 1.0, 1.0, 1.0, 1.0, 1.0], false),
            (&[0.0, -0.0, 0.0, -0.0, 0.0], false),
            // S = 9, variance (300 - 18) / 18: Z = 2.02.
            (&[1.0, 2.0, 3.0, 4.0, 4.0], true),
            // S = 8, variance (300 - 36) / 18: Z = 1.83.
            (&[1.0, 1.0, 2.0, 3.0, 3.0], false),
        ] {
            assert_eq!(has_trend(&points(values).1), trend, "{values:?}");
        }
    }

    #[test]
    fn one_spike_barely_moves_the_slope() {
        // 60 points, slope 0.02 a minute, one spike of 3 (science.md, section 3).
        let mut values: Vec<f64> = (0..60).map(|at| f64::from(at) * 0.02).collect();
        assert!((a_minute(&values) - 0.02).abs() < 1e-12);
        values[40] += 3.0;
        assert!((a_minute(&values) - 0.02).abs() < 1e-4);
        for n in 2..=FEW {
            assert!((a_minute(&values[..n]) - 0.02).abs() < 1e-12);
        }
    }
}
