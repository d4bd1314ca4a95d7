//! Places for connections. Those that have said who they are keep theirs;
//! among the rest the oldest gives way, so that thousands of peers that say
//! nothing cannot shut out one that does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::gauge;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::limits::GRACE;
use super::refusal::{Reason, Tally};

/// All places of a listener.
#[derive(Debug)]
pub(super) struct Slots {
    max: usize,
    taken: Mutex<Taken>,
    tally: Arc<Tally>,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    admitted: usize,
    /// By order of arrival.
    waiting: BTreeMap<u64, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    since: Instant,
    give_way: CancellationToken,
}

impl Slots {
    /// So many places.
    pub(super) fn new(max: usize, tally: Arc<Tally>) -> Arc<Self> {
        gauge!("forewarn_listener_connections_max").set(max as f64);
        Arc::new(Slots { max, taken: Mutex::default(), tally })
    }

    /// A place for a new connection, if there is one or the oldest of those
    /// that have not yet said who they are can be made to leave.
    pub(super) fn enter(self: &Arc<Self>, now: Instant) -> Option<Slot> {
        let mut taken = self.lock();
        if taken.admitted + taken.waiting.len() >= self.max {
            let oldest = taken.waiting.first_entry()?;
            if now.saturating_duration_since(oldest.get().since) < GRACE {
                return None;
            }
            oldest.remove().give_way.cancel();
        }
        let number = taken.next;
        taken.next += 1;
        let give_way = CancellationToken::new();
        taken.waiting.insert(number, Waiting { since: now, give_way: give_way.clone() });
        Some(Slot { slots: Arc::clone(self), number, give_way, standing: Standing::Waiting })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place, held until dropped.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Arc<Slots>,
    number: u64,
    /// Cancelled when the place is needed for another.
    pub(super) give_way: CancellationToken,
    standing: Standing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Waiting,
    Admitted,
}

impl Slot {
    /// Keeps the place for good. `None` when it was given away a moment before.
    pub(super) fn admit(mut self) -> Option<Slot> {
        let mut taken = self.slots.lock();
        taken.waiting.remove(&self.number)?;
        taken.admitted += 1;
        drop(taken);
        gauge!("forewarn_listener_connections").increment(1.0);
        self.standing = Standing::Admitted;
        Some(self)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.lock();
        match self.standing {
            Standing::Waiting => {
                taken.waiting.remove(&self.number);
            }
            Standing::Admitted => {
                taken.admitted -= 1;
                gauge!("forewarn_listener_connections").decrement(1.0);
            }
        }
        drop(taken);
        if std::thread::panicking() {
            self.slots.tally.count(Reason::Defect, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_those_who_said_nothing_for_a_while_give_way() {
        let start = Instant::now();
        let later = start + GRACE + Duration::from_millis(1);
        let slots = Slots::new(2, Arc::default());
        let admitted = slots.enter(start).and_then(Slot::admit).expect("two places");
        let silent = slots.enter(start).expect("two places");
        assert!(slots.enter(start).is_none(), "the silent one has its grace");
        let newer = slots.enter(later).expect("the silent one gives way");
        assert!(silent.give_way.is_cancelled() && silent.admit().is_none());
        let newer = newer.admit().expect("its place is its own");
        assert!(slots.enter(later + GRACE).is_none(), "nobody is left to give way");
        drop((admitted, newer));
        assert_eq!(slots.lock().admitted, 0);
        assert!(slots.lock().waiting.is_empty());
    }
}
