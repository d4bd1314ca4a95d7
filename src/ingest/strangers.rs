//! Who was turned away for a wrong name or secret. The service's log has a line
//! of each, and one in a while as long as it goes on: a slip is found, and an
//! attack fills no disk.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Names kept in mind. Full: all are forgotten, and each is told once more.
const NAMES_MAX: usize = 65_536;

/// As long as it goes on, a name is told this often.
const TOLD_APART: Duration = Duration::from_mins(5);

/// Those who were turned away, by name.
#[derive(Debug, Default)]
pub struct Strangers(Mutex<BTreeMap<String, Knocks>>);

#[derive(Debug, Clone, Copy)]
struct Knocks {
    told: Instant,
    /// How often it came since then.
    since: u64,
}

impl Strangers {
    /// Somebody was turned away under a name that the configuration knows, or
    /// one that stands for all others; how often since the last line if there
    /// is to be another.
    pub fn came(&self, name: &str, now: Instant) -> Option<u64> {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(knocks) = names.get_mut(name) {
            knocks.since += 1;
            if now.duration_since(knocks.told) < TOLD_APART {
                return None;
            }
            let times = std::mem::take(&mut knocks.since);
            knocks.told = now;
            return Some(times);
        }
        if names.len() >= NAMES_MAX {
            names.clear();
        }
        names.insert(name.to_owned(), Knocks { told: now, since: 0 });
        Some(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_has_a_line_at_once_and_one_in_a_while() {
        let (strangers, start) = (Strangers::default(), Instant::now());
        for (secs, name, expected) in [
            (0, "gauge-1", Some(1)),
            (1, "gauge-1", None),
            (1, "gauge-2", Some(1)),
            (299, "gauge-1", None),
            (300, "gauge-1", Some(3)),
            (301, "gauge-1", None),
            (301, "gauge-2", Some(1)),
        ] {
            let now = start + Duration::from_secs(secs);
            assert_eq!(strangers.came(name, now), expected, "{name} at {secs} s");
        }
    }

    #[test]
    fn names_are_bounded() {
        let (strangers, now) = (Strangers::default(), Instant::now());
        for nth in 0..=NAMES_MAX {
            strangers.came(&nth.to_string(), now);
        }
        assert!(strangers.0.lock().expect("nobody panicked").len() <= NAMES_MAX);
    }
}
