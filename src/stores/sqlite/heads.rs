//! The newest readings of every sensor, in memory, until there are enough of
//! them for a chunk. They are not lost in a crash: the log keeps them, and the
//! cursor on the disk stands before the oldest of them.

use std::collections::VecDeque;

use forewarn_core::ids::{Position, SensorIx};
use forewarn_core::time::{Span, Timestamp};

use super::chunk::CHUNK_READINGS;
use super::row::Row;
use crate::ports::Kept;

/// Readings in all heads together, of 40 bytes each. Full: the oldest heads
/// are written, however short they are.
pub const HEADS_READINGS_MAX: usize = 1 << 20;
/// How far the cursor may stand behind, in log positions. Beyond: as above.
const LAG_POSITIONS_MAX: u64 = 1 << 20;
/// By how much more the oldest heads are written at once, in log positions.
const LAG_STEP: u64 = 1 << 14;
/// How long readings stay in memory alone, by the times of their commits.
const HEAD_AGE_MAX: Span = Span::from_hours(6);
/// Readings in full heads that are worth a transaction.
const FULL_READINGS: usize = 1 << 14;
/// Heads written by one transaction, so that none takes long.
const PICKS_MAX: usize = 1_024;
/// Dense indices beyond this are nobody's.
pub(super) const SENSORS_MAX: usize = 1 << 24;
/// By how many readings a head grows at least.
const ROWS_MORE: usize = 4;
/// Emptied buffers kept for the next heads.
const SPARES_MAX: usize = 1_024;

/// Whether a head is picked for the transaction under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Leaving {
    Yes,
    #[default]
    No,
}

#[derive(Debug, Default)]
struct Head {
    rows: Vec<Row>,
    /// Raised each time it is emptied.
    generation: u32,
    leaving: Leaving,
}

/// When a head took its first reading.
#[derive(Debug, Clone, Copy)]
struct Begun {
    sensor: u32,
    generation: u32,
    /// All up to here had been handed over before it.
    after: Position,
    received: Timestamp,
}

/// The heads, with what is needed to empty them in the right order.
#[derive(Debug)]
pub(super) struct Heads {
    by_sensor: Vec<Head>,
    /// In order of `after`; those of emptied heads are passed over.
    begun: VecDeque<Begun>,
    full: Vec<u32>,
    full_readings: usize,
    readings: usize,
    kept: Position,
    received: Timestamp,
    spares: Vec<Vec<Row>>,
}

impl Heads {
    /// Empty, with all up to `kept` in chunks.
    pub(super) fn new(kept: Position) -> Heads {
        Heads {
            by_sensor: vec![],
            begun: VecDeque::new(),
            full: vec![],
            full_readings: 0,
            readings: 0,
            kept,
            received: Timestamp::MIN,
            spares: vec![],
        }
    }

    /// Takes readings in; `upto` is where in the log they end.
    pub(super) fn put(&mut self, rows: &[Kept], upto: Position) {
        for kept in rows {
            let index = kept.checked.reading.sensor.index();
            if index >= self.by_sensor.len() {
                self.by_sensor.resize_with(index + 1, Head::default);
            }
            let head = &mut self.by_sensor[index];
            if head.rows.is_empty() {
                if let Some(spare) = self.spares.pop() {
                    head.rows = spare;
                }
                self.begun.push_back(Begun {
                    sensor: index as u32,
                    generation: head.generation,
                    after: self.kept,
                    received: kept.received,
                });
            }
            if head.rows.len() == head.rows.capacity() {
                // Doubled, all heads together would have half as much room again for nothing.
                head.rows.reserve_exact(ROWS_MORE.max(head.rows.len() / 4));
            }
            head.rows.push(Row::of(kept));
            if head.rows.len() == CHUNK_READINGS {
                self.full.push(index as u32);
                self.full_readings += CHUNK_READINGS;
            } else if head.rows.len() > CHUNK_READINGS {
                self.full_readings += 1;
            }
            self.received = self.received.max(kept.received);
        }
        self.readings += rows.len();
        self.kept = self.kept.max(upto);
    }

    /// The readings of one sensor, as they came.
    pub(super) fn of(&self, sensor: SensorIx) -> &[Row] {
        self.by_sensor.get(sensor.index()).map_or(&[], |head| &head.rows)
    }

    /// All handed over so far.
    pub(super) fn kept(&self) -> Position {
        self.kept
    }

    /// All up to here is in chunks, but for what is picked.
    pub(super) fn cursor(&mut self) -> Position {
        while let Some(oldest) = self.begun.front() {
            if self.is_current(oldest) {
                break;
            }
            self.begun.pop_front();
        }
        let staying = self.begun.iter().find(|begun| {
            self.is_current(begun) && self.by_sensor[begun.sensor as usize].leaving == Leaving::No
        });
        staying.map_or(self.kept, |begun| begun.after)
    }

    fn is_current(&self, begun: &Begun) -> bool {
        let head = &self.by_sensor[begun.sensor as usize];
        head.generation == begun.generation && !head.rows.is_empty()
    }

    /// Whether so many more would be too many.
    pub(super) fn is_full(&self, more: usize) -> bool {
        self.readings + more > HEADS_READINGS_MAX
    }

    /// Picks heads that should be written by now: none, some, or those that
    /// make room for `more` readings. They stay readable until [`Heads::clear`].
    pub(super) fn pick(&mut self, more: usize, picks: &mut Vec<u32>) {
        picks.clear();
        if self.full_readings >= FULL_READINGS {
            let full = self.full.iter().copied().take(PICKS_MAX);
            picks.extend(full);
        }
        self.set_leaving(picks, Leaving::Yes);
        let mut readings = self.readings - self.count(picks);
        let lag = |begun: &Begun| self.kept.0.saturating_sub(begun.after.0);
        let lagging =
            self.begun.iter().find(|it| self.stays(it)).is_some_and(|it| lag(it) > LAG_POSITIONS_MAX);
        let lag_max = if lagging { LAG_POSITIONS_MAX - LAG_STEP } else { LAG_POSITIONS_MAX };
        let old = |begun: &Begun| self.received - begun.received > HEAD_AGE_MAX;
        let fresh = picks.len();
        for begun in &self.begun {
            if !self.stays(begun) {
                continue;
            }
            let crowded = readings + more > HEADS_READINGS_MAX;
            if picks.len() - fresh >= PICKS_MAX || !(crowded || lag(begun) > lag_max || old(begun)) {
                break;
            }
            readings -= self.by_sensor[begun.sensor as usize].rows.len();
            picks.push(begun.sensor);
        }
        self.set_leaving(&picks[fresh..], Leaving::Yes);
    }

    /// Picks up to a transaction's worth of whatever there is.
    pub(super) fn pick_any(&mut self, picks: &mut Vec<u32>) {
        picks.clear();
        let staying = self.begun.iter().filter(|it| self.stays(it)).map(|it| it.sensor);
        picks.extend(staying.take(PICKS_MAX));
        self.set_leaving(picks, Leaving::Yes);
    }

    fn stays(&self, begun: &Begun) -> bool {
        self.is_current(begun) && self.by_sensor[begun.sensor as usize].leaving == Leaving::No
    }

    fn set_leaving(&mut self, picks: &[u32], leaving: Leaving) {
        for &sensor in picks {
            self.by_sensor[sensor as usize].leaving = leaving;
        }
    }

    fn count(&self, picks: &[u32]) -> usize {
        picks.iter().map(|&sensor| self.by_sensor[sensor as usize].rows.len()).sum()
    }

    /// The picked heads are in chunks.
    pub(super) fn clear(&mut self, picks: &[u32]) {
        self.readings -= self.count(picks);
        for &sensor in picks {
            let head = &mut self.by_sensor[sensor as usize];
            if head.rows.len() >= CHUNK_READINGS {
                self.full_readings -= head.rows.len();
            }
            head.generation = head.generation.wrapping_add(1);
            head.leaving = Leaving::No;
            let mut rows = std::mem::take(&mut head.rows);
            // One that had to hold a whole burst would pin its memory for ever.
            if self.spares.len() < SPARES_MAX && rows.capacity() <= 2 * CHUNK_READINGS {
                rows.clear();
                self.spares.push(rows);
            }
        }
        let Heads { full, by_sensor, .. } = self;
        full.retain(|&sensor| by_sensor[sensor as usize].rows.len() >= CHUNK_READINGS);
    }

    /// The transaction failed: they are to be picked again.
    pub(super) fn put_back(&mut self, picks: &[u32]) {
        self.set_leaving(picks, Leaving::No);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(sensor: u32, from: u64, count: u64) -> Vec<Kept> {
        (from..from + count)
            .map(|n| {
                let row = Row {
                    observed: n as i64,
                    received: n as i64,
                    value: 1.0,
                    position: n,
                    flag: forewarn_core::reading::Flag::Good,
                    marks: 0,
                };
                row.kept(SensorIx(sensor))
            })
            .collect()
    }

    #[test]
    fn the_cursor_stands_before_the_oldest_head() {
        let mut heads = Heads::new(Position(0));
        heads.put(&rows(3, 1, 1), Position(1));
        heads.put(&rows(5, 2, 1), Position(2));
        heads.put(&rows(3, 3, 1), Position(3));
        assert_eq!(heads.cursor(), Position(0));
        heads.clear(&[3]);
        assert_eq!(heads.cursor(), Position(1), "sensor 5 came after position 1");
        heads.put(&rows(3, 4, 1), Position(9));
        heads.clear(&[5]);
        assert_eq!(heads.cursor(), Position(3));
        heads.clear(&[3]);
        assert_eq!(heads.cursor(), Position(9));
    }

    #[test]
    fn they_are_bounded_in_readings_and_in_lag() {
        let mut heads = Heads::new(Position(0));
        let mut picks = vec![];
        let mut position = 1;
        for turn in 0..3_000u64 {
            let batch = rows((turn % 50_000) as u32, position, 1_000);
            position += 1_000;
            heads.pick(batch.len(), &mut picks);
            heads.clear(&picks);
            assert!(!heads.is_full(batch.len()), "turn {turn}");
            heads.put(&batch, Position(position - 1));
            assert!(heads.kept().0 - heads.cursor().0 <= LAG_POSITIONS_MAX + 1_000);
        }
    }

    #[test]
    fn a_quiet_sensor_is_written_after_some_hours() {
        let mut heads = Heads::new(Position(0));
        let mut picks = vec![];
        heads.put(&rows(1, 1, 1), Position(1));
        let later = HEAD_AGE_MAX.0 as u64 + 5;
        heads.put(&rows(2, later, 1), Position(2));
        heads.pick(1, &mut picks);
        assert_eq!(picks, [1]);
        heads.put_back(&picks);
        heads.pick(1, &mut picks);
        assert_eq!(picks, [1], "what failed is picked again");
    }
}
