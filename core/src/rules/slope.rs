//! Robust slope: the median of pairwise slopes, when the trend is significant.

use minicbor::{Decode, Encode};
use serde::Deserialize;

use super::{Memory, Needs, Rule};
use crate::finding::Why;
use crate::sensing::window::View;
use crate::time::Span;

/// Measures the Theil-Sen slope of the readings in `window`, in the sensor's
/// unit an hour; 0 where the Mann-Kendall test does not find a trend (p < 0.05,
/// two-sided, ties corrected).
///
/// It needs five readings, the fewest that can be significant, that reach over
/// half the window at least, and looks at 64 of them at most.
#[derive(Debug, Clone, PartialEq, Encode, Decode, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slope {
    /// How far back it looks.
    #[n(0)]
    #[serde(deserialize_with = "crate::rules::span")]
    pub window: Span,
}

impl Slope {
    /// A rule of this kind, as configuration writes it.
    pub const EXAMPLE: &'static str = r#"rule = { kind = "slope", hazard = "flood", quantity = "level", window = "1 h", limits = { orange = "0.5 m/h" } }"#;
}

/// A window holds at most this many readings; of a denser one, the newest. It
/// bounds the pairs that one reading costs.
pub const SLOPE_READINGS_MAX: usize = 64;

const PAIRS_MAX: usize = SLOPE_READINGS_MAX * (SLOPE_READINGS_MAX - 1) / 2;

/// With four readings even a strict rise has p > 0.05.
const READINGS_MIN: usize = 5;

/// Standard normal quantile of 0.975: two-sided p < 0.05.
const SIGNIFICANT: f64 = 1.959_963_984_540_054;

impl Rule for Slope {
    fn needs(&self) -> Needs {
        Needs { readings: SLOPE_READINGS_MAX, span: self.window }
    }

    fn measure(&self, view: &View<'_>, _memory: &mut Memory) -> Result<f64, Why> {
        let mut points = [(0.0, 0.0); SLOPE_READINGS_MAX];
        let mut n = 0;
        let mut reach = Span::ZERO;
        for (point, sample) in points.iter_mut().zip(view.back(self.window)) {
            let ago = view.newest().observed - sample.observed;
            *point = (-ago.as_secs_f64() / 3600.0, sample.value);
            reach = ago;
            n += 1;
        }
        if n < READINGS_MIN || reach.times(2) < self.window {
            return Err(Why::TooFew);
        }
        let points = &points[..n];
        Ok(if has_trend(points) { median_slope(points) } else { 0.0 })
    }

    fn measures_rate(&self) -> bool {
        true
    }
}

/// Mann-Kendall, with the variance corrected for ties (Kendall 1975).
fn has_trend(points: &[(f64, f64)]) -> bool {
    let mut s = 0_i64;
    let mut ties = 0.0;
    for (at, (_, y)) in points.iter().enumerate() {
        for (_, other) in &points[at + 1..] {
            // Points run backwards in time: `other` is the earlier one.
            s += i64::from(y > other) - i64::from(y < other);
        }
        // A group of t equal values adds t(t-1)(2t+5); it is counted at its first member.
        // Exactly equal, both zeros alike, as the signs above take them.
        let equal = |(_, other): &&(f64, f64)| other.partial_cmp(y).is_some_and(std::cmp::Ordering::is_eq);
        if !points[..at].iter().any(|point| equal(&point)) {
            let t = points.iter().filter(equal).count() as f64;
            ties += t * (t - 1.0) * (2.0 * t + 5.0);
        }
    }
    let n = points.len() as f64;
    let variance = (n * (n - 1.0) * (2.0 * n + 5.0) - ties) / 18.0;
    variance > 0.0 && (s.abs() - 1) as f64 > SIGNIFICANT * libm::sqrt(variance)
}

fn median_slope(points: &[(f64, f64)]) -> f64 {
    let mut slopes = [0.0; PAIRS_MAX];
    let mut pairs = 0;
    for (at, (t, y)) in points.iter().enumerate() {
        for (earlier, other) in &points[at + 1..] {
            slopes[pairs] = (y - other) / (t - earlier);
            pairs += 1;
        }
    }
    let middle = pairs / 2;
    let (below, &mut upper, _) = slopes[..pairs].select_nth_unstable_by(middle, f64::total_cmp);
    if pairs % 2 == 1 {
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
    fn points(values: &[f64]) -> Vec<(f64, f64)> {
        values.iter().rev().enumerate().map(|(at, y)| (-(at as f64) / 60.0, *y)).collect()
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
            assert_eq!(has_trend(&points(values)), trend, "{values:?}");
        }
    }

    #[test]
    fn one_spike_barely_moves_the_slope() {
        // 60 points, slope 0.02 a minute, one spike of 3 (science.md, section 3).
        let mut values: Vec<f64> = (0..60).map(|at| f64::from(at) * 0.02).collect();
        assert!((median_slope(&points(&values)) / 60.0 - 0.02).abs() < 1e-12);
        values[40] += 3.0;
        assert!((median_slope(&points(&values)) / 60.0 - 0.02).abs() < 1e-4);
    }
}
