//! The newest readings of every sensor, in memory, until there are enough of
//! them for a chunk. They are not lost in a crash: the log keeps them, and the
//! cursor on the disk stands before the oldest of them.

use forewarn_core::ids::{Position, SensorIx};
use forewarn_core::time::{Span, Timestamp};

use super::begun::{Begun, Order};
use super::chunk::CHUNK_READINGS;
use super::head::{Head, Leaving};
use super::paged::Paged;
use super::pool::Pool;
use super::row::Row;
use crate::ports::Kept;

/// Readings in all heads together, of some ten bytes each, 44 at most, beside a
/// block of 64 a head. Full: the oldest heads are written, however short they are.
const HEADS_READINGS_MAX: usize = 1 << 20;
/// How far the cursor may stand behind, in log positions. Beyond: as above.
const LAG_POSITIONS_MAX: u64 = 1 << 20;
/// By how much more the oldest heads are written at once, in log positions.
const LAG_STEP: u64 = 1 << 14;
/// How long readings stay in memory alone, by the times of their commits.
const HEAD_AGE_MAX: Span = Span::from_hours(6);
/// Neighbours' numbers times this lie far apart in their upper bits (Knuth, multiplicative hashing).
const SCATTER: u32 = 0x9E37_79B1;
/// Leaves five bits: a head is full up to 31 readings sooner, and a chunk has 112 on average.
const SCATTER_SHIFT: u32 = 27;
/// Readings in full heads that are worth a transaction.
const FULL_READINGS: usize = 1 << 14;
/// Heads written by one transaction, so that none takes long.
const PICKS_MAX: usize = 1_024;
/// Dense indices beyond this are nobody's.
pub(super) const SENSORS_MAX: usize = 1 << 24;

/// The heads, with what is needed to empty them in the right order.
#[derive(Debug)]
pub(super) struct Heads {
    by_sensor: Paged<Head>,
    pool: Pool,
    /// Those of emptied heads are passed over.
    begun: Order,
    full: Vec<u32>,
    full_readings: usize,
    readings: usize,
    kept: Position,
    received: Timestamp,
}

impl Heads {
    /// Empty, with all up to `kept` in chunks.
    pub(super) fn new(kept: Position) -> Heads {
        Heads {
            by_sensor: Paged::default(),
            pool: Pool::new(),
            begun: Order::default(),
            full: vec![],
            full_readings: 0,
            readings: 0,
            kept,
            received: Timestamp::MIN,
        }
    }

    /// Takes readings in; `upto` is where in the log they end.
    pub(super) fn put(&mut self, rows: &[Kept], upto: Position) {
        for kept in rows {
            let index = kept.checked.reading.sensor.index();
            let head = self.by_sensor.grown(index);
            if head.is_empty() {
                head.begun = self.begun.push(index as u32, self.kept, kept.received);
            }
            head.push(&Row::of(kept), &mut self.pool);
            let enough = enough(index as u32);
            if head.len() == enough {
                self.full.push(index as u32);
                self.full_readings += enough;
            } else if head.len() > enough {
                self.full_readings += 1;
            }
            self.received = self.received.max(kept.received);
        }
        self.readings += rows.len();
        self.kept = self.kept.max(upto);
    }

    /// Appends the readings of one sensor to `rows`, as they came.
    pub(super) fn read(&self, sensor: SensorIx, rows: &mut Vec<Row>) {
        if let Some(head) = self.by_sensor.get(sensor.index()) {
            head.read(&self.pool, rows);
        }
    }

    /// All handed over so far.
    pub(super) fn kept(&self) -> Position {
        self.kept
    }

    /// All up to here is in chunks, but for what is picked.
    pub(super) fn cursor(&mut self) -> Position {
        let heads = &self.by_sensor;
        self.begun.pop_while(|sensor, number| !is_current(&heads[sensor as usize], number));
        let staying = self.begun.iter().find(|begun| self.stays(begun));
        staying.map_or(self.kept, |begun| begun.after)
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
            self.begun.iter().find(|it| self.stays(it)).is_some_and(|it| lag(&it) > LAG_POSITIONS_MAX);
        let lag_max = if lagging { LAG_POSITIONS_MAX - LAG_STEP } else { LAG_POSITIONS_MAX };
        let old = |begun: &Begun| self.received - begun.received > HEAD_AGE_MAX;
        let fresh = picks.len();
        for begun in self.begun.iter() {
            if !self.stays(&begun) {
                continue;
            }
            let crowded = readings + more > HEADS_READINGS_MAX;
            if picks.len() - fresh >= PICKS_MAX || !(crowded || lag(&begun) > lag_max || old(&begun)) {
                break;
            }
            readings -= self.by_sensor[begun.sensor as usize].len();
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
        let head = &self.by_sensor[begun.sensor as usize];
        is_current(head, begun.number) && head.leaving == Leaving::No
    }

    fn set_leaving(&mut self, picks: &[u32], leaving: Leaving) {
        for &sensor in picks {
            self.by_sensor[sensor as usize].leaving = leaving;
        }
    }

    fn count(&self, picks: &[u32]) -> usize {
        picks.iter().map(|&sensor| self.by_sensor[sensor as usize].len()).sum()
    }

    /// The picked heads are in chunks.
    pub(super) fn clear(&mut self, picks: &[u32]) {
        self.readings -= self.count(picks);
        for &sensor in picks {
            let head = &mut self.by_sensor[sensor as usize];
            if head.len() >= enough(sensor) {
                self.full_readings -= head.len();
            }
            head.clear(&mut self.pool);
        }
        let Heads { full, by_sensor, .. } = self;
        full.retain(|&sensor| by_sensor[sensor as usize].len() >= enough(sensor));
    }

    /// The transaction failed: they are to be picked again.
    pub(super) fn put_back(&mut self, picks: &[u32]) {
        self.set_leaving(picks, Leaving::No);
    }

    /// What they hold of the machine's memory.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        let full = self.full.capacity() * size_of::<u32>();
        self.by_sensor.bytes() + self.pool.bytes() + self.begun.bytes() + full
    }
}

/// Readings of a full head. Not as many for each sensor: of those that report in step,
/// all would fill in step, which takes more memory at its height and is written in one go.
fn enough(sensor: u32) -> usize {
    CHUNK_READINGS - (sensor.wrapping_mul(SCATTER) >> SCATTER_SHIFT) as usize
}

fn is_current(head: &Head, number: u32) -> bool {
    head.begun == number && !head.is_empty()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

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

    #[test]
    fn sensors_in_step_are_full_at_different_times() {
        let lengths: BTreeSet<usize> = (0..32).map(enough).collect();
        assert!(lengths.len() > 16, "{lengths:?}");
        assert!(lengths.iter().all(|length| (CHUNK_READINGS - 31..=CHUNK_READINGS).contains(length)));
        let (mut heads, mut picks, mut written) = (Heads::new(Position(0)), vec![], BTreeSet::new());
        let (sensors, mut position) = (400, 0);
        for round in 0..2 * CHUNK_READINGS {
            for sensor in 0..sensors {
                position += 1;
                heads.put(&rows(sensor, position, 1), Position(position));
            }
            heads.pick(1, &mut picks);
            heads.clear(&picks);
            written.extend((!picks.is_empty()).then_some(round));
            let length = |sensor: &u32| heads.by_sensor[*sensor as usize].len();
            let full: Vec<u32> = (0..sensors).filter(|sensor| length(sensor) >= enough(*sensor)).collect();
            let all: Vec<u32> = (0..sensors).collect();
            assert_eq!(heads.readings, heads.count(&all), "round {round}");
            assert_eq!(heads.full.len(), full.len(), "round {round}");
            assert_eq!(heads.full_readings, heads.count(&full), "round {round}");
        }
        assert!(written.len() > 2, "not all in one go: {written:?}");
    }

    /// The `round`th reading of each sensor: every ten minutes, in centimetres,
    /// received some milliseconds later, in batches as they come.
    fn put_round(heads: &mut Heads, round: u64, sensors: u64) {
        let minute = 60_000_000;
        let mut batch = vec![];
        for sensor in 0..sensors {
            let chance = (round * sensors + sensor + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
            let observed = (29_000_000 + round as i64 * 10) * minute;
            let row = Row {
                observed,
                received: observed + (chance % 250_000) as i64,
                value: f64::from(400 + (chance % 40) as i32) / 100.0,
                position: 1 + (round * sensors + sensor) * 2 + chance % 2,
                flag: forewarn_core::reading::Flag::Good,
                marks: 0,
            };
            batch.push(row.kept(SensorIx(sensor as u32)));
            if batch.len() == 5_000 || sensor + 1 == sensors {
                let upto = batch.last().map_or(Position(0), |kept| kept.position);
                heads.put(&batch, upto);
                batch.clear();
            }
        }
    }

    #[test]
    fn ten_readings_of_each_sensor_take_less_than_190_bytes_and_one_less_than_60() {
        for (sensors, rounds, bytes_max) in [(100_000, 10, 190), (1_000_000, 1, 60)] {
            let mut heads = Heads::new(Position(0));
            (0..rounds).for_each(|round| put_round(&mut heads, round, sensors));
            let bytes = heads.bytes() as f64 / sensors as f64;
            assert!(bytes < f64::from(bytes_max), "{bytes} bytes a sensor");
        }
    }

    #[test]
    fn they_take_no_more_after_many_hours_than_after_some() {
        let mut heads = Heads::new(Position(0));
        let mut picks = vec![];
        let mut after_some = 0;
        for round in 0..400 {
            for _ in 0..8 {
                heads.pick(1_000, &mut picks);
                heads.clear(&picks);
            }
            put_round(&mut heads, round, 2_000);
            heads.cursor();
            if round == 150 {
                after_some = heads.bytes();
            }
        }
        assert_eq!(heads.bytes(), after_some);
    }
}
