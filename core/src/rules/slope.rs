//! Robust slope: the median of pairwise slopes, when the trend is significant.

use minicbor::{Decode, Encode};
use serde::Deserialize;

use super::{Memory, Needs, Recall, Rule, tells_trend};
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
    use super::*;

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
