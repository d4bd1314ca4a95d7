//! The time a courier goes by, from outside.

use std::pin::Pin;

use forewarn_core::time::Timestamp;

/// Engine time for the courier. Civil time follows from the log, which alone
/// says how the two stand to each other.
pub trait CourierClock: Send + Sync + std::fmt::Debug {
    /// Engine time now.
    fn now(&self) -> Timestamp;

    /// Resolves once engine time has reached `at`.
    fn sleep_until(&self, at: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// Engine time that runs on with the machine's monotonic clock from an instant on.
#[derive(Debug)]
pub struct RunningClock {
    start: Timestamp,
    began: tokio::time::Instant,
}

impl RunningClock {
    /// Engine time is `start` now.
    pub fn starting_at(start: Timestamp) -> Self {
        RunningClock { start, began: tokio::time::Instant::now() }
    }
}

impl CourierClock for RunningClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.start.0.saturating_add(self.began.elapsed().as_micros() as i64))
    }

    fn sleep_until(&self, at: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let rest = std::time::Duration::from_micros(at.since(self.now()).0.unsigned_abs());
        Box::pin(tokio::time::sleep(rest))
    }
}
