//! How long to wait before trying again.

use forewarn_core::time::Span;

/// Longest rest before the first retry.
pub(super) const BACKOFF_FIRST: Span = Span(500_000);
/// Longest rest between two attempts of an unexpired delivery.
pub(super) const BACKOFF_MAX: Span = Span::from_secs(30);
/// Longest rest a receiver may ask for (`Retry-After`); it is not obeyed beyond.
pub(super) const RETRY_AFTER_MAX: Span = Span::from_secs(120);

/// Exponential back-off with equal jitter, from a generator with a given
/// seed, so that a history can be repeated.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    state: u64,
}

impl Backoff {
    /// The same seed gives the same rests.
    pub(super) fn new(seed: u64) -> Self {
        Backoff { state: seed }
    }

    /// The rest after `failures` failed attempts in a row (1 or more): between
    /// half and all of 0.5 s doubled each time, 30 s at most; and not less
    /// than the receiver asked for, up to [`RETRY_AFTER_MAX`].
    pub(super) fn rest(&mut self, failures: u32, asked: Option<Span>) -> Span {
        let doublings = failures.saturating_sub(1).min(16);
        let longest = BACKOFF_FIRST.times(1 << doublings).min(BACKOFF_MAX);
        let half = longest.0 / 2;
        let jittered = Span(half + (self.next() % (half.unsigned_abs() + 1)) as i64);
        jittered.max(asked.unwrap_or(Span::ZERO).min(RETRY_AFTER_MAX))
    }

    /// `SplitMix64` (Steele, Lea, Flood 2014): spreads retries, guards no secret.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_double_up_to_the_cap_and_obey_the_receiver_within_reason() {
        // failures, asked for (s), least (ms), most (ms)
        for (failures, asked, least, most) in [
            (1, None, 250, 500),
            (2, None, 500, 1_000),
            (6, None, 8_000, 16_000),
            (7, None, 15_000, 30_000),
            (u32::MAX, None, 15_000, 30_000),
            (1, Some(7), 7_000, 7_000),
            (7, Some(1), 15_000, 30_000),
            (1, Some(86_400), 120_000, 120_000),
        ] {
            let mut backoff = Backoff::new(7);
            for _ in 0..100 {
                let rest = backoff.rest(failures, asked.map(Span::from_secs)).0 / 1_000;
                assert!((least..=most).contains(&rest), "{failures} failures, asked {asked:?}: {rest} ms");
            }
        }
    }
}
