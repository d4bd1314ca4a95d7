//! Turns at a steady pace.

use std::time::{Duration, Instant};

/// Gives turns so far apart. It holds up its whole thread, because the
/// runtime's timer counts in milliseconds and would give several at once.
#[derive(Debug)]
pub(crate) struct Pace {
    began: Instant,
    apart: Duration,
    turns: u32,
}

impl Pace {
    /// The first turn is at once.
    pub(crate) fn new(apart: Duration) -> Pace {
        Pace { began: Instant::now(), apart, turns: 0 }
    }

    /// Waits for the next turn; one that is late is made up for.
    pub(crate) fn wait(&mut self) {
        let due = self.began + self.apart * self.turns;
        self.turns += 1;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}
