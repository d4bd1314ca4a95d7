//! Hundreds of crashes: nothing acknowledged is lost, nothing comes back, no
//! position is used twice.

use std::sync::Arc;

use forewarn_core::ids::Position;
use forewarn_core::time::Timestamp;

use super::sim::{Blow, Honesty, Met, SimDisk};
use super::{Rng, bytes_of, open, record, try_open};
use crate::log::{Appender as _, Log, LogError, SEGMENT_BYTES_MIN};
use crate::ports::Follow as _;

/// Histories in `make test`; `make torture` plays more.
const SEEDS: u64 = 300;
const LIVES: u64 = 5;

/// What is known of a log from outside.
#[derive(Debug, Default)]
struct Known {
    /// Acknowledged, or seen after a recovery: position and bytes.
    sure: Vec<(u64, Vec<u8>)>,
    /// Being written at the crash.
    open: Option<(u64, Vec<u8>)>,
}

impl Known {
    fn last(&self) -> u64 {
        self.sure.last().map_or(0, |(last, _)| *last)
    }

    /// Holds what a recovery found against what must be there.
    fn check(&mut self, log: &Log) -> Result<(), String> {
        let mut follower = log.follow(log.reader().first()).map_err(|error| error.to_string())?;
        let mut seen = vec![];
        while let Some(record) = follower.try_next() {
            // What was trimmed on purpose is missing at the front, in whole segments, and only there.
            if seen.is_empty() && record.first != log.reader().first() {
                return Err(format!("{:?} is missing", log.reader().first()));
            }
            seen.push((record.last().0, bytes_of(&record)));
        }
        if let Some(fault) = follower.fault() {
            return Err(fault.to_string());
        }
        self.sure.extend(self.open.take().filter(|open| seen.last() == Some(open)));
        if !self.sure.ends_with(&seen) || seen.is_empty() != self.sure.is_empty() {
            return Err(format!("{} records are there, of {} known", seen.len(), self.sure.len()));
        }
        Ok(())
    }
}

/// Appends until the fuse is through, or for a while.
fn live(log: &mut Log, known: &mut Known, rng: &mut Rng) {
    for _ in 0..40 {
        let size = 1 + rng.below(60) as usize;
        let record = record(log.next(), size);
        let (last, bytes) = (record.last().0, bytes_of(&record));
        if log.room_for(bytes.len(), crate::log::Lane::Readings).is_err() {
            return;
        }
        match log.append(record) {
            Ok(()) => known.sure.push((last, bytes)),
            Err(LogError::Fatal { .. }) => {
                known.open = Some((last, bytes));
                return;
            }
            Err(_) => return,
        }
        if rng.below(12) == 0 {
            let below = Position(known.last());
            if log.trim(below, Timestamp::from_secs(1 << 40)).is_err() {
                return;
            }
        }
    }
}

fn run(seed: u64, honesty: Honesty) -> Result<Met, String> {
    let disk = SimDisk::new(seed, honesty);
    let mut rng = Rng(seed ^ 0xf00d);
    let mut known = Known::default();
    drop(try_open(&disk, Position(0)));
    for _ in 0..LIVES {
        let floor = Position(rng.below(known.last() + 1));
        // A start may be struck as well; the next one must cope.
        if rng.below(3) == 0 {
            disk.light(rng.below(6), Blow::PowerCut);
            drop(try_open(&disk, floor));
            disk.restart_machine();
        }
        // A disk may be full from the start of a life, or become so in it.
        if rng.below(3) == 0 {
            disk.limit(disk.used() + rng.below(4 * SEGMENT_BYTES_MIN));
        }
        let begun = try_open(&disk, floor).or_else(|_| {
            disk.limit(u64::MAX);
            disk.restart_process();
            try_open(&disk, floor)
        });
        let (mut log, opened) = begun.map_err(|error| error.to_string())?;
        if !opened.rot.is_empty() {
            return Err(format!("a tear was taken for rot: {:?}", opened.rot));
        }
        known.check(&log)?;
        let blow = if rng.below(3) == 0 { Blow::Error } else { Blow::PowerCut };
        disk.light(rng.below(90), blow);
        live(&mut log, &mut known, &mut rng);
        drop(log);
        disk.limit(u64::MAX);
        if rng.below(3) == 0 {
            // Killed: the next start reads the page cache, then the power goes.
            disk.restart_process();
            let (log, _) = try_open(&disk, floor).map_err(|error| error.to_string())?;
            known.check(&log)?;
            drop(log);
        }
        disk.restart_machine();
    }
    let (log, _) = try_open(&disk, Position(known.last())).map_err(|error| error.to_string())?;
    known.check(&log)?;
    Ok(disk.met())
}

#[test]
fn nothing_acknowledged_is_lost_over_any_crash() {
    let seeds = std::env::var("FOREWARN_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    let mut all = Met::default();
    for seed in 0..seeds.unwrap_or(SEEDS) {
        let met = run(seed, Honesty::Honest).unwrap_or_else(|fault| panic!("seed {seed}: {fault}"));
        all.dropped += met.dropped;
        all.reordered += met.reordered;
        all.torn += met.torn;
        all.errors += met.errors;
        all.full += met.full;
        all.returned += met.returned;
    }
    let Met { dropped, reordered, torn, errors, full, returned } = all;
    let each = [dropped, reordered, torn, errors, full, returned];
    assert!(each.iter().all(|times| *times > 0), "the histories meet all that a disk may do: {all:?}");
}

#[test]
fn the_crash_test_finds_a_log_that_does_not_sync() {
    let found = (0..40).filter(|seed| run(*seed, Honesty::Lying).is_err());
    assert!(found.count() > 30, "the planted defect goes unseen");
}

#[test]
fn after_a_failed_write_nothing_more_is_written() {
    let disk = SimDisk::new(1, Honesty::Honest);
    let (mut log, _) = open(&disk, Position(0));
    for changes in [0, 1] {
        log.append(record(log.next(), 3)).unwrap();
        disk.light(changes, Blow::Error);
        let next = log.next();
        for _ in 0..3 {
            let failed = log.append(record(next, 3)).unwrap_err();
            assert!(matches!(failed, LogError::Fatal { .. }), "{failed}");
            assert_eq!(log.next(), next);
        }
        let restarted = Arc::clone(&disk);
        drop(log);
        restarted.restart_machine();
        log = open(&restarted, Position(0)).0;
    }
}
