//! Which failed attempts the service's own log tells of: the first of a target
//! on a channel, then one in a while, and that it works again.

use std::collections::BTreeMap;

use forewarn_core::ids::TargetIx;
use forewarn_core::time::{Span, Timestamp};

/// Targets that fail at once and are kept in mind. Full: all are forgotten,
/// and each that fails on is told once more.
pub(super) const FAILING_MAX: usize = 65_536;

/// While a target goes on failing it is told this often.
pub(super) const TOLD_APART: Span = Span::from_mins(5);

/// The targets whose last attempt failed.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard {
    failing: BTreeMap<(TargetIx, &'static str), Failing>,
}

#[derive(Debug, Clone, Copy)]
struct Failing {
    /// Failures in a row.
    failures: u64,
    /// Engine time at which it was told.
    told: Timestamp,
}

impl Heard {
    /// An attempt failed; how many in a row if it is to be told.
    pub(super) fn failed(&mut self, target: TargetIx, channel: &'static str, now: Timestamp) -> Option<u64> {
        if let Some(failing) = self.failing.get_mut(&(target, channel)) {
            failing.failures = failing.failures.saturating_add(1);
            if now.since(failing.told) < TOLD_APART {
                return None;
            }
            failing.told = now;
            return Some(failing.failures);
        }
        if self.failing.len() >= FAILING_MAX {
            self.failing.clear();
        }
        self.failing.insert((target, channel), Failing { failures: 1, told: now });
        Some(1)
    }

    /// An attempt succeeded; after how many failures, if there were any.
    pub(super) fn works(&mut self, target: TargetIx, channel: &'static str) -> Option<u64> {
        self.failing.remove(&(target, channel)).map(|failing| failing.failures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_is_told_then_one_in_a_while_and_the_end_once() {
        let mut heard = Heard::default();
        // seconds, target, what is told
        for (secs, target, expected) in [
            (0, 0, Some(1)),
            (1, 0, None),
            (1, 1, Some(1)),
            (299, 0, None),
            (300, 0, Some(4)),
            (301, 0, None),
            (301, 1, Some(2)),
        ] {
            let told = heard.failed(TargetIx(target), "email", Timestamp::from_secs(secs));
            assert_eq!(told, expected, "target {target} at {secs} s");
        }
        assert_eq!(heard.works(TargetIx(0), "webhook"), None);
        assert_eq!(heard.works(TargetIx(0), "email"), Some(5));
        assert_eq!(heard.works(TargetIx(0), "email"), None);
        assert_eq!(heard.failed(TargetIx(0), "email", Timestamp::from_secs(302)), Some(1));
    }

    #[test]
    fn what_fails_is_bounded() {
        let mut heard = Heard::default();
        for target in 0..=FAILING_MAX as u32 {
            heard.failed(TargetIx(target), "email", Timestamp(0));
        }
        assert!(heard.failing.len() <= FAILING_MAX);
    }
}
