//! Rate of change: the least-squares slope over a window.

use minicbor::{Decode, Encode};
use serde::Deserialize;

use super::{Corridor, Memory, Needs, Recall, Rule, tells_trend};
use crate::finding::Why;
use crate::sensing::window::{Sample, View};
use crate::time::{Span, Timestamp};

/// Measures the ordinary least-squares slope of the readings in `window`, in
/// the sensor's unit an hour.
///
/// It needs three readings that reach over half the window at least, or over
/// less where they come so fast that the window has room for no more. Running
/// sums make it cost the same whatever the window holds.
#[derive(Debug, Clone, PartialEq, Encode, Decode, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// How far back it looks.
    #[n(0)]
    #[serde(deserialize_with = "crate::rules::window")]
    pub window: Span,
}

impl Rate {
    /// A rule of this kind, as configuration writes it.
    pub const EXAMPLE: &'static str = r#"rule = { kind = "rate", hazard = "flood", quantity = "level", window = "1 h", limits = { orange = "0.5 m/h" } }"#;
}

/// A window holds at most this many readings; of a denser one, the newest.
pub const RATE_READINGS_MAX: usize = 4096;

/// A line through fewer readings says nothing.
const READINGS_MIN: u64 = 3;

/// After this many readings the sums are made anew from the window, so that
/// rounding never adds up. A count of readings, never of time: the same on
/// every machine and in every order of arrival.
const REBUILD_EVERY: u64 = 256;

impl Rule for Rate {
    fn needs(&self) -> Needs {
        Needs { readings: RATE_READINGS_MAX, span: self.window }
    }

    fn measure(&self, view: &View<'_>, memory: &mut Memory) -> Result<f64, Why> {
        let mut sums = Sums(memory);
        let from = view.newest().observed - self.window;
        if !(sums.can_go_on() && sums.drop_before(view, from)) {
            sums.restart(&view.newest(), view.last());
            for (sample, number) in (view.first()..view.last())
                .rev()
                .filter_map(|number| Some((view.sample(number)?, number)))
                .take_while(|(sample, _)| sample.observed >= from)
            {
                sums.add(&sample);
                sums.set_oldest(number);
            }
        }
        sums.add(&view.newest());
        sums.count_step();

        let oldest = sums.oldest();
        let reach = view.sample(oldest).map_or(Span::ZERO, |sample| view.newest().observed - sample.observed);
        if sums.readings() < READINGS_MIN || !tells_trend(view, reach, self.window) {
            return Err(Why::TooFew);
        }
        sums.slope().ok_or(Why::TooFew)
    }

    fn measures_rate(&self) -> bool {
        true
    }

    fn recall(&self) -> Recall {
        Recall::Memory
    }

    fn corridor(&self, _view: &View<'_>, _within: (f64, f64)) -> Option<Corridor> {
        // Its sums have to take every reading in.
        None
    }
}

/// The running sums, in hours and the sensor's unit from an origin near by:
/// `sums` are t, y, t*t, t*y and the origin's y; `counts` are readings, the
/// oldest one's number, steps since the last restart and the origin's time.
struct Sums<'a>(&'a mut Memory);

impl Sums<'_> {
    fn readings(&self) -> u64 {
        self.0.counts[0]
    }

    fn oldest(&self) -> u64 {
        self.0.counts[1]
    }

    fn set_oldest(&mut self, number: u64) {
        self.0.counts[1] = number;
    }

    fn count_step(&mut self) {
        self.0.counts[2] += 1;
    }

    fn can_go_on(&self) -> bool {
        self.readings() > 0 && self.0.counts[2] < REBUILD_EVERY
    }

    fn restart(&mut self, origin: &Sample, number: u64) {
        *self.0 = Memory::default();
        self.0.sums[4] = origin.value;
        self.0.counts[1] = number;
        self.0.counts[3] = origin.observed.0 as u64;
    }

    /// Takes out what has left the window; false when that can no longer be seen.
    fn drop_before(&mut self, view: &View<'_>, from: Timestamp) -> bool {
        let mut oldest = self.oldest();
        while oldest < view.last() {
            let Some(sample) = view.kept(oldest) else { return false };
            if sample.is_good() {
                if oldest >= view.first() && sample.observed >= from {
                    break;
                }
                self.weigh(&sample, -1.0);
                self.0.counts[0] -= 1;
            }
            oldest += 1;
        }
        self.set_oldest(oldest);
        // With nothing left, the next sums start from a fresh origin.
        self.readings() > 0
    }

    fn add(&mut self, sample: &Sample) {
        self.weigh(sample, 1.0);
        self.0.counts[0] += 1;
    }

    fn weigh(&mut self, sample: &Sample, sign: f64) {
        let origin = Timestamp(self.0.counts[3] as i64);
        let t = (sample.observed - origin).as_secs_f64() / 3600.0;
        let y = sample.value - self.0.sums[4];
        for (sum, term) in self.0.sums.iter_mut().zip([t, y, t * t, t * y]) {
            *sum += sign * term;
        }
    }

    fn slope(&self) -> Option<f64> {
        let n = self.readings() as f64;
        let [t, y, tt, ty, ..] = self.0.sums;
        let spread = tt - t * t / n;
        (spread > 0.0).then(|| (ty - t * y / n) / spread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::Flag;
    use crate::sensing::window::Ring;

    #[test]
    fn running_sums_stay_with_the_direct_fit_for_ever() {
        let rate = Rate { window: Span::from_hours(1) };
        let mut ring = Ring::with_capacity(80);
        let mut memory = Memory::default();
        for nth in 0..20_000_u32 {
            // High above its datum, with small movements: where sums lose most.
            let value = 3000.0 + f64::from(nth * 37 % 101) / 1000.0;
            let observed = Timestamp::from_secs(1_782_864_000 + i64::from(nth) * 60 + i64::from(nth % 7));
            if ring.is_full() {
                ring.pop_oldest();
            }
            ring.insert(ring.end(), Sample { observed, value, flag: Flag::Good, ..Sample::default() });
            let view = View::new(&ring, ring.end() - 1, 70).expect("it was just put in");
            let Ok(slope) = rate.measure(&view, &mut memory) else { continue };
            let points: Vec<(f64, f64)> = view
                .back(rate.window)
                .map(|sample| ((sample.observed - observed).as_secs_f64() / 3600.0, sample.value))
                .collect();
            let n = points.len() as f64;
            let (t, y) = points.iter().fold((0.0, 0.0), |(t, y), (a, b)| (t + a / n, y + b / n));
            let over: f64 = points.iter().map(|(a, b)| (a - t) * (b - y)).sum();
            let direct = over / points.iter().map(|(a, _)| (a - t) * (a - t)).sum::<f64>();
            assert!((slope - direct).abs() < 1e-9, "reading {nth}: {slope}, directly {direct}");
        }
    }
}
