//! The embedded store under late readings, kills, rot and a full disk, held
//! against a plain map.

use std::collections::BTreeMap;
use std::path::Path;

use forewarn_core::ids::{LogId, SourceIx};
use forewarn_core::reading::{Checked, Flag, Marks, Reading};
use forewarn_core::time::Span;

use super::*;

const LOG: Origin = Origin { log: LogId([7; 16]), end: Position(u64::MAX >> 1) };
/// Beginning of all tests.
const T0: i64 = 1_700_000_000_000_000;

/// `SplitMix64`: small, seeded, the same everywhere.
struct Rng(u64);

impl Rng {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

fn kept(sensor: u32, observed_s: i64, value: f64, position: u64) -> Kept {
    let reading = Reading {
        sensor: SensorIx(sensor),
        source: SourceIx(0),
        observed: Timestamp(T0 + observed_s * 1_000_000),
        value,
        seq: 0,
        identity: 0,
        marks: Marks::default(),
    };
    let received = Timestamp(T0 + position as i64 * 1_000_000);
    Kept { checked: Checked { reading, flag: Flag::Good }, received, position: Position(position) }
}

fn open(dir: &Path) -> Sqlite {
    Sqlite::open(&dir.join(FILE), LOG).unwrap()
}

/// What must be there: by sensor and instant, the highest position.
#[derive(Default)]
struct Model(BTreeMap<(u32, i64), Kept>);

impl Model {
    fn keep(&mut self, rows: &[Kept]) {
        for row in rows {
            let reading = row.checked.reading;
            let place = self.0.entry((reading.sensor.0, reading.observed.0)).or_insert(*row);
            if row.position >= place.position {
                *place = *row;
            }
        }
    }

    fn check(&self, store: &Sqlite, sensors: u32) {
        for sensor in 0..sensors {
            let want: Vec<Kept> =
                self.0.range((sensor, i64::MIN)..=(sensor, i64::MAX)).map(|(_, kept)| *kept).collect();
            let all = (Timestamp(0), Timestamp::MAX);
            assert_eq!(store.range(SensorIx(sensor), all.0, all.1, usize::MAX).unwrap(), want);
            assert_eq!(store.latest(SensorIx(sensor)).unwrap(), want.last().copied());
            let buckets =
                store.downsampled(SensorIx(sensor), Timestamp(T0), Timestamp(T0 + 1_000), 1).unwrap();
            assert!(buckets.len() <= 1);
        }
    }
}

/// A batch of readings: mostly in order, some late, some again.
fn batch(rng: &mut Rng, clock: &mut u64, sensors: u64, size: u64) -> Vec<Kept> {
    (0..size)
        .map(|_| {
            *clock += 1;
            let sensor = rng.below(sensors) as u32;
            let late = if rng.below(10) == 0 { rng.below(*clock) } else { 0 };
            kept(sensor, (*clock - late) as i64, rng.below(1_000) as f64 / 100.0, *clock)
        })
        .collect()
}

#[test]
fn late_and_repeated_readings_end_up_as_in_a_plain_map() {
    for seed in 0..6 {
        let dir = tempfile::tempdir().unwrap();
        let mut store = open(dir.path());
        let (mut model, mut rng, mut clock) = (Model::default(), Rng(seed), 0);
        for turn in 0..40 {
            let rows = batch(&mut rng, &mut clock, 3, 100);
            store.keep(&rows, Position(clock)).unwrap();
            model.keep(&rows);
            if turn % 7 == seed % 7 {
                store.finish().unwrap();
            }
        }
        model.check(&store, 3);
        store.finish().unwrap();
        model.check(&store, 3);
        assert_eq!(store.cursor().unwrap(), Position(clock));
        assert_eq!(store.synced(), Position(clock));
    }
}

#[test]
fn a_kill_at_any_point_loses_nothing_that_the_log_gives_again() {
    for seed in 0..8 {
        let dir = tempfile::tempdir().unwrap();
        let (mut model, mut rng, mut clock) = (Model::default(), Rng(100 + seed), 0);
        let mut log: Vec<Kept> = vec![];
        for _ in 0..6 {
            let mut store = open(dir.path());
            let cursor = store.cursor().unwrap();
            let again: Vec<Kept> = log.iter().filter(|row| row.position > cursor).copied().collect();
            if !again.is_empty() {
                store.keep(&again, Position(clock)).unwrap();
            }
            for _ in 0..rng.below(12) {
                let size = 1 + rng.below(4_000);
                let rows = batch(&mut rng, &mut clock, 9, size);
                log.extend(&rows);
                model.keep(&rows);
                store.keep(&rows, Position(clock)).unwrap();
                if rng.below(4) == 0 {
                    lock(&store.heads).pick_any(&mut store.picks);
                    let keep = store.picks.len() / 2;
                    let back = store.picks.split_off(keep);
                    lock(&store.heads).put_back(&back);
                    store.write_picks(Syncs::WhenDue).unwrap();
                }
            }
            model.check(&store, 9);
            // Dropped without a flush: what was in memory is gone.
        }
    }
}

#[test]
fn one_sensor_may_send_a_burst() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let mut model = Model::default();
    for turn in 0..40u64 {
        let rows: Vec<_> =
            (1..=1_000).map(|n| kept(1, (turn * 1_000 + n) as i64, 0.5, turn * 1_000 + n)).collect();
        model.keep(&rows);
        store.keep(&rows, Position(turn * 1_000 + 1_000)).unwrap();
    }
    store.finish().unwrap();
    model.check(&store, 2);
}

#[test]
fn what_is_older_than_its_time_goes_and_the_sensor_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let rows: Vec<_> = (1..=1_000).map(|n| kept(1, n, 1.0, n as u64)).collect();
    store.keep(&rows, Position(1_000)).unwrap();
    store.finish().unwrap();
    store.expire(Timestamp(T0) + Span::from_secs(500)).unwrap();
    let left = store.range(SensorIx(1), Timestamp(0), Timestamp::MAX, usize::MAX).unwrap();
    assert!((500..=628).contains(&left.len()), "{} left", left.len());
    // Even the chunk that the next readings would have been added to.
    store.expire(Timestamp::MAX).unwrap();
    store.keep(&[kept(1, 1_001, 2.0, 1_001)], Position(1_001)).unwrap();
    store.finish().unwrap();
    let left = store.range(SensorIx(1), Timestamp(0), Timestamp::MAX, usize::MAX).unwrap();
    assert_eq!(left, [kept(1, 1_001, 2.0, 1_001)]);
}

#[test]
fn a_full_disk_is_an_error_and_the_readings_stay_until_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let mut model = Model::default();
    let pages: i64 = store.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    store.connection.pragma_update(None, "max_page_count", pages + 8).unwrap();
    let mut rng = Rng(1);
    let mut clock = 0;
    let (mut failures, mut refused) = (0, None);
    for _ in 0..40 {
        let rows = refused.take().unwrap_or_else(|| batch(&mut rng, &mut clock, 50, 5_000));
        match store.keep(&rows, Position(clock)) {
            Ok(()) => model.keep(&rows),
            Err(error) => {
                assert!(format!("{error:#}").contains("full"), "{error:#}");
                failures += 1;
                refused = Some(rows);
                if failures == 3 {
                    model.check(&store, 50);
                    store.connection.pragma_update(None, "max_page_count", 1 << 30).unwrap();
                }
            }
        }
    }
    assert_eq!(failures, 3, "it fails while there is no room, and no longer");
    store.finish().unwrap();
    model.check(&store, 50);
}

#[test]
fn a_file_of_another_log_is_set_aside_and_one_ahead_of_its_log_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let rows: Vec<_> = (1..=300).map(|n| kept(n % 2, i64::from(n), 1.0, u64::from(n))).collect();
    store.keep(&rows, Position(300)).unwrap();
    store.finish().unwrap();
    drop(store);
    assert_eq!(Sqlite::cursor_of(&dir.path().join(FILE)), Some(Position(300)));

    let restored = Origin { end: Position(120), ..LOG };
    let store = Sqlite::open(&dir.path().join(FILE), restored).unwrap();
    assert_eq!(store.cursor().unwrap(), Position(120));
    let mut model = Model::default();
    model.keep(&rows[..120]);
    model.check(&store, 2);
    drop(store);

    let other = Origin { log: LogId([8; 16]), ..LOG };
    let store = Sqlite::open(&dir.path().join(FILE), other).unwrap();
    assert_eq!(store.cursor().unwrap(), Position(0));
    Model::default().check(&store, 2);
    assert!(dir.path().join("readings.db.aside").exists());
}

#[test]
fn a_file_that_does_not_read_back_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(FILE), vec![b'x'; 8_192]).unwrap();
    let mut store = open(dir.path());
    store.keep(&[kept(1, 1, 1.0, 1)], Position(1)).unwrap();
    assert!(dir.path().join("readings.db.aside").exists());
    assert!(store.rot().is_some());
}

#[test]
fn a_rotten_chunk_is_told_and_blocks_no_later_reading() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    store.keep(&[kept(1, 1, 1.0, 1), kept(1, 9, 1.0, 2)], Position(2)).unwrap();
    store.finish().unwrap();
    store.connection.execute("UPDATE c SET blob = x'0102030405060708'", []).unwrap();
    assert!(store.range(SensorIx(1), Timestamp(0), Timestamp::MAX, 10).is_err(), "never a gap unseen");
    store.keep(&[kept(1, 5, 3.0, 3), kept(1, 12, 4.0, 4)], Position(4)).unwrap();
    store.finish().unwrap();
    let left = store.range(SensorIx(1), Timestamp(0), Timestamp::MAX, 10).unwrap();
    assert_eq!(left, [kept(1, 5, 3.0, 3), kept(1, 12, 4.0, 4)]);
    let aside: i64 = store.connection.query_row("SELECT count(*) FROM rotten", [], |row| row.get(0)).unwrap();
    assert_eq!(aside, 1);
    assert!(store.rot().is_some());
}

#[test]
fn a_reader_beside_the_writer_sees_what_is_only_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let reader = store.reader().unwrap();
    store.keep(&[kept(1, 1, 1.0, 1)], Position(1)).unwrap();
    assert_eq!(reader.latest(SensorIx(1)).unwrap(), Some(kept(1, 1, 1.0, 1)));
    let without = Readings::open_read_only(&dir.path().join(FILE)).unwrap();
    assert_eq!(without.latest(SensorIx(1)).unwrap(), None);
    store.finish().unwrap();
    assert_eq!(without.latest(SensorIx(1)).unwrap(), Some(kept(1, 1, 1.0, 1)));
    assert_eq!(without.cursor().unwrap(), Position(1));
}

#[test]
fn downsampling_agrees_with_the_readings_themselves() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let (mut rng, mut clock) = (Rng(5), 0);
    for turn in 0..12 {
        let mut rows = batch(&mut rng, &mut clock, 2, 150);
        rows[3].checked.flag = Flag::Fail;
        rows[4].checked.flag = Flag::Suspect;
        store.keep(&rows, Position(clock)).unwrap();
        if turn % 5 == 0 {
            store.finish().unwrap();
        }
    }
    for (from_s, to_s, parts) in
        [(0, 1_800, 7), (100, 101, 1), (333, 1_500, 1_000), (5_000, 6_000, 3), (0, 1_800, 1)]
    {
        let span = (Timestamp(T0 + from_s * 1_000_000), Timestamp(T0 + to_s * 1_000_000));
        let buckets = store.downsampled(SensorIx(1), span.0, span.1, parts).unwrap();
        assert!(buckets.len() <= parts);
        let counted: u32 = buckets.iter().map(|bucket| bucket.n).sum();
        let readings = store.range(SensorIx(1), span.0, span.1, usize::MAX).unwrap();
        assert_eq!(counted as usize, readings.len());
        let width =
            buckets.windows(2).map(|pair| pair[1].from - pair[0].from).min().unwrap_or(Span(i64::MAX));
        for bucket in &buckets {
            let inside =
                |kept: &&Kept| (Span::ZERO..width).contains(&(kept.checked.reading.observed - bucket.from));
            let sound: Vec<f64> = readings
                .iter()
                .filter(inside)
                .filter(|kept| kept.checked.flag != Flag::Fail)
                .map(|kept| kept.checked.reading.value)
                .collect();
            if width == Span(i64::MAX) || sound.is_empty() {
                continue;
            }
            assert_eq!(bucket.max.to_bits(), sound.iter().copied().fold(f64::MIN, f64::max).to_bits());
            assert!((bucket.mean - sound.iter().sum::<f64>() / sound.len() as f64).abs() < 1e-9);
        }
    }
}
