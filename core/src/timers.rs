//! A hierarchical timer wheel, and on it the engine's timers.
//!
//! Fires come ordered by (due, key). Timers are an index over what the stages
//! know, never knowledge of their own: one may ring early (its subject then
//! says when it is really due, and is armed again) but never late. So they are
//! not part of a snapshot; loading one arms everything anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::ids::SensorIx;
use crate::time::Timestamp;
use crate::warning::Cell;

/// Bits of a due time that one level of the wheel tells apart.
const SLOT_BITS: u32 = 6;
/// Slots of one level.
const SLOTS: usize = 1 << SLOT_BITS;
/// Levels until all 64 bits of a due time are told apart.
const LEVELS: usize = 64usize.div_ceil(SLOT_BITS as usize);

/// Entries by due time. Cloning copies one pointer a slot.
#[derive(Debug, Clone)]
pub struct Wheel<K> {
    /// All that is due at or before this instant is in `ready`.
    cursor: u64,
    ready: BTreeSet<(u64, K)>,
    slots: Vec<Slot<K>>,
    /// By level, the slots that hold something, one bit each.
    held: [u64; LEVELS],
}

#[derive(Debug, Clone)]
struct Slot<K> {
    /// The earliest due time in it; only meaningful while it holds something.
    first: u64,
    entries: Arc<Vec<(u64, K)>>,
}

impl<K: Ord + Copy> Default for Wheel<K> {
    fn default() -> Self {
        let empty = Slot { first: u64::MAX, entries: Arc::new(Vec::new()) };
        Wheel { cursor: 0, ready: BTreeSet::new(), slots: vec![empty; LEVELS * SLOTS], held: [0; LEVELS] }
    }
}

impl<K: Ord + Copy> Wheel<K> {
    /// Adds an entry; the same one twice rings twice unless both wait at or before now.
    pub fn insert(&mut self, due: Timestamp, key: K) {
        self.place(ordered(due), key);
    }

    /// The earliest due time of all.
    pub fn next(&self) -> Option<Timestamp> {
        let due = match self.ready.first() {
            Some(&(due, _)) => due,
            None => self.slots[self.nearest()?].first,
        };
        Some(instant(due))
    }

    /// Takes out the first entry due at or before `at`.
    pub fn pop(&mut self, at: Timestamp) -> Option<(Timestamp, K)> {
        while self.ready.is_empty() {
            let slot = self.nearest()?;
            let first = self.slots[slot].first;
            if first > ordered(at) {
                return None;
            }
            self.cascade(slot, first);
        }
        let &(due, key) = self.ready.first()?;
        if due > ordered(at) {
            return None;
        }
        self.ready.pop_first();
        Some((instant(due), key))
    }

    /// Moves the cursor to `first`, the earliest of all, and spreads its slot anew.
    fn cascade(&mut self, slot: usize, first: u64) {
        let entries = std::mem::replace(&mut self.slots[slot].entries, Arc::new(Vec::new()));
        self.held[slot / SLOTS] &= !(1 << (slot % SLOTS));
        self.cursor = first;
        entries.iter().for_each(|&(due, key)| self.place(due, key));
    }

    fn place(&mut self, due: u64, key: K) {
        if due <= self.cursor {
            self.ready.insert((due, key));
            return;
        }
        // The highest bit in which it differs from the cursor picks the level:
        // all of a lower level is due before all of a higher one.
        let level = (due ^ self.cursor).ilog2() / SLOT_BITS;
        let at = (due >> (level * SLOT_BITS)) as usize % SLOTS;
        let slot = &mut self.slots[level as usize * SLOTS + at];
        slot.first = if slot.entries.is_empty() { due } else { slot.first.min(due) };
        Arc::make_mut(&mut slot.entries).push((due, key));
        self.held[level as usize] |= 1 << at;
    }

    /// The slot that holds the earliest entry.
    fn nearest(&self) -> Option<usize> {
        let level = self.held.iter().position(|&held| held != 0)?;
        Some(level * SLOTS + self.held[level].trailing_zeros() as usize)
    }
}

/// Signed instants in the order of unsigned numbers.
const fn ordered(at: Timestamp) -> u64 {
    (at.0 as u64) ^ (1 << 63)
}

const fn instant(ordered: u64) -> Timestamp {
    Timestamp((ordered ^ (1 << 63)) as i64)
}

/// Sensors in a row that share one timer. Every reading moves its sensor's
/// silence on: a timer of its own would have to be moved with each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row(u32);

impl Row {
    /// The row that a sensor stands in.
    pub fn of(sensor: SensorIx) -> Row {
        Row(sensor.0 / SENSORS_A_ROW)
    }

    /// Its sensors, in order.
    pub fn sensors(self) -> impl Iterator<Item = SensorIx> + use<> {
        (0..SENSORS_A_ROW).map(move |at| SensorIx(self.0 * SENSORS_A_ROW + at))
    }
}

/// Few enough to look through when one of them may be silent, many enough that
/// the timers of a million take little room.
const SENSORS_A_ROW: u32 = 64;

/// What can fall due. At one instant silences come first, so that an outage is
/// judged with all that fell silent at that instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// Some sensor of the row may have been silent for too long.
    Silence(Row),
    /// An outage is to be told, or its end, or a trouble is to be renewed.
    Outage,
    /// A hold, a pending level, a telling or a renewal of one cell.
    Cell(Cell),
}

/// The engine's timers: at most one a subject.
#[derive(Debug, Clone, Default)]
pub struct Timers {
    wheel: Wheel<Timer>,
    /// By row; [`Timestamp::MAX`] while it has none.
    rows: Vec<Timestamp>,
    cells: BTreeMap<Cell, Timestamp>,
    outage: Option<Timestamp>,
}

impl Timers {
    /// Makes sure that `timer` rings at `due` or before.
    pub fn arm(&mut self, timer: Timer, due: Timestamp) {
        let armed = self.armed(timer);
        if due < *armed {
            *armed = due;
            self.wheel.insert(due, timer);
        }
    }

    /// The earliest ring; it may turn out to be early.
    pub fn next(&self) -> Option<Timestamp> {
        self.wheel.next()
    }

    /// The first timer that rings at or before `at`. It is no longer armed.
    pub fn pop(&mut self, at: Timestamp) -> Option<(Timestamp, Timer)> {
        loop {
            let (rung, timer) = self.wheel.pop(at)?;
            // What was armed again for an earlier instant rang then.
            if self.disarm(timer, rung) {
                return Some((rung, timer));
            }
        }
    }

    /// Whether a timer was armed for `rung`; it is no longer.
    fn disarm(&mut self, timer: Timer, rung: Timestamp) -> bool {
        match timer {
            Timer::Silence(Row(row)) => {
                let armed = self.rows.get_mut(row as usize).filter(|armed| **armed == rung);
                armed.map(|armed| *armed = Timestamp::MAX).is_some()
            }
            Timer::Outage => self.outage.take_if(|armed| *armed == rung).is_some(),
            // Of those that are not armed nothing is kept: cells come and go with plans.
            Timer::Cell(cell) => self.cells.get(&cell) == Some(&rung) && self.cells.remove(&cell).is_some(),
        }
    }

    /// When a timer rings; [`Timestamp::MAX`] while it is not armed.
    fn armed(&mut self, timer: Timer) -> &mut Timestamp {
        match timer {
            Timer::Silence(Row(row)) => {
                let row = row as usize;
                if self.rows.len() <= row {
                    self.rows.resize(row + 1, Timestamp::MAX);
                }
                &mut self.rows[row]
            }
            Timer::Outage => self.outage.get_or_insert(Timestamp::MAX),
            Timer::Cell(cell) => self.cells.entry(cell).or_insert(Timestamp::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::{AreaIx, HazardIx};

    /// Insert at an instant, or pop all up to an instant.
    fn deeds() -> impl Strategy<Value = Vec<(bool, i64, u16)>> {
        let due = prop_oneof![0..200i64, 0..1_000_000_000i64, any::<i64>()];
        proptest::collection::vec((any::<bool>(), due, 0..20u16), 0..200)
    }

    proptest! {
        #[test]
        fn the_wheel_is_an_ordered_set(deeds in deeds()) {
            let mut wheel = Wheel::default();
            let mut set = BTreeSet::new();
            for (insert, at, key) in deeds {
                let at = Timestamp(at);
                if insert {
                    if set.insert((at, key)) {
                        wheel.insert(at, key);
                    }
                } else {
                    while set.first().is_some_and(|&(due, _)| due <= at) {
                        prop_assert_eq!(wheel.pop(at), set.pop_first());
                    }
                    prop_assert_eq!(wheel.pop(at), None);
                }
                prop_assert_eq!(wheel.next(), set.first().map(|&(due, _)| due));
            }
        }
    }

    #[test]
    fn a_timer_rings_once_at_its_earliest() {
        let cell = |area| Timer::Cell(Cell { hazard: HazardIx(0), area: AreaIx(area) });
        let mut timers = Timers::default();
        for (timer, secs) in [
            (cell(1), 50),
            (Timer::Silence(Row(7)), 50),
            (cell(1), 20),
            (cell(1), 30),
            (Timer::Outage, 50),
            (Timer::Silence(Row(3)), 50),
        ] {
            timers.arm(timer, Timestamp::from_secs(secs));
        }
        let photograph = timers.clone();
        for mut timers in [timers, photograph] {
            let rung: Vec<_> = std::iter::from_fn(|| timers.pop(Timestamp::from_secs(60)))
                .map(|(due, timer)| (due.as_secs(), timer))
                .collect();
            assert_eq!(
                rung,
                [
                    (20, cell(1)),
                    (50, Timer::Silence(Row(3))),
                    (50, Timer::Silence(Row(7))),
                    (50, Timer::Outage)
                ]
            );
        }
    }
}
