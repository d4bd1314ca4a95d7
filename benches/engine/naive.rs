//! What the engine is held against.

use std::hint::black_box;

use crate::site::LEVELS;
use crate::world::{CALM, INTERVAL, Rules, START, WINDOW, shuffled, wave};

/// Keeps each sensor's readings in a list and computes everything anew at each
/// reading: the level by four limits, and Theil-Sen by sorting all pairs.
pub(crate) struct Naive {
    windows: Vec<Vec<(i64, f64)>>,
    order: Vec<u32>,
    round: u32,
    rules: Rules,
}

impl Naive {
    pub(crate) fn new(sensors: u32, rules: Rules) -> Naive {
        Naive { windows: vec![vec![]; sensors as usize], order: shuffled(sensors), round: 0, rules }
    }

    pub(crate) fn sweep(&mut self) {
        self.round += 1;
        let at = START.0 + INTERVAL.0 * i64::from(self.round);
        for &sensor in &self.order {
            let window = &mut self.windows[sensor as usize];
            window.push((at, CALM + wave(sensor, self.round)));
            window.retain(|(observed, _)| *observed >= at - WINDOW.0);
            black_box(level(window));
            if self.rules == Rules::ThresholdAndSlope {
                black_box(slope(window));
            }
        }
    }
}

fn level(window: &[(i64, f64)]) -> usize {
    let newest = window.last().map_or(0.0, |(_, value)| *value);
    LEVELS.iter().filter(|limit| newest >= **limit).count()
}

fn slope(window: &[(i64, f64)]) -> Option<f64> {
    let mut slopes = vec![];
    let mut rises = 0;
    for (at, (t, y)) in window.iter().enumerate() {
        for (later, other) in &window[at + 1..] {
            slopes.push((other - y) / ((later - t) as f64 / 3.6e9));
            rises += i64::from(other > y) - i64::from(other < y);
        }
    }
    let n = window.len() as f64;
    let deviation = (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
    if slopes.is_empty() || (rises.abs() - 1) as f64 <= 1.96 * deviation {
        return None;
    }
    slopes.sort_by(f64::total_cmp);
    Some(slopes[slopes.len() / 2])
}

/// Does nothing but touch memory: puts each reading into a ring as large as
/// the engine's, holds it against four limits, and looks back over the window.
pub(crate) struct Bare {
    rings: Vec<u64>,
    /// Words of one sensor.
    words: usize,
    order: Vec<u32>,
    round: u32,
    back: usize,
}

/// Words of one reading as the engine keeps it.
const WORDS_A_READING: usize = 3;

impl Bare {
    pub(crate) fn new(sensors: u32, bytes: usize, rules: Rules) -> Bare {
        let words = bytes / 8;
        // The engine looks back sixteen readings for evidence, and as far again for a slope.
        let back = if rules == Rules::ThresholdAndSlope { 28 } else { 16 };
        Bare { rings: vec![0; sensors as usize * words], words, order: shuffled(sensors), round: 0, back }
    }

    pub(crate) fn sweep(&mut self) {
        self.round += 1;
        let room = self.words / WORDS_A_READING;
        for &sensor in &self.order {
            let ring = &mut self.rings[sensor as usize * self.words..][..self.words];
            let at = self.round as usize % room;
            let value = CALM + wave(sensor, self.round);
            ring[at * WORDS_A_READING..][..WORDS_A_READING].fill(value.to_bits());
            let level = LEVELS.iter().filter(|limit| value >= **limit).count();
            let back = (0..self.back.min(room)).map(|ago| (at + room - ago) % room * WORDS_A_READING);
            let sum: f64 = back.map(|word| f64::from_bits(ring[word])).sum();
            black_box((level, sum));
        }
    }
}
