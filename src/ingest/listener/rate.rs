//! Packets a second of one connection.

use std::time::Duration;

use tokio::time::Instant;

/// An allowance that fills up with time, to one second's worth. Whoever has
/// used it up is not read until it has filled again; nothing is dropped.
#[derive(Debug)]
pub(super) struct Rate {
    per_sec: u32,
    allowance: f64,
    at: Instant,
}

impl Rate {
    /// So many packets a second; 0 is no limit.
    pub(super) fn new(per_sec: u32, now: Instant) -> Self {
        Rate { per_sec, allowance: f64::from(per_sec), at: now }
    }

    /// Takes one packet off the allowance, or says when there will be one.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Instant> {
        if self.per_sec == 0 {
            return Ok(());
        }
        let per_sec = f64::from(self.per_sec);
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * per_sec;
        self.allowance = (self.allowance + gained).min(per_sec);
        self.at = now;
        if self.allowance >= 1.0 {
            self.allowance -= 1.0;
            return Ok(());
        }
        // Rounded up to the timer's millisecond, else it would wake a moment too early.
        let wait = Duration::from_secs_f64((1.0 - self.allowance) / per_sec);
        Err(now + wait.max(Duration::from_millis(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_s_worth_passes_at_once_and_the_rest_in_its_time() {
        let start = Instant::now();
        let mut rate = Rate::new(10, start);
        let passed_at = |rate: &mut Rate, now| std::iter::from_fn(|| rate.take(now).ok()).count();
        for (after_ms, passed) in [(0, 10), (50, 0), (100, 1), (1_100, 10), (60_000, 10)] {
            assert_eq!(
                passed_at(&mut rate, start + Duration::from_millis(after_ms)),
                passed,
                "{after_ms} ms"
            );
        }
        let mut unlimited = Rate::new(0, start);
        assert_eq!((0..100_000).filter(|_| unlimited.take(start).is_ok()).count(), 100_000);
    }
}
