//! The log under crash, rot, a full disk and many readers.

mod codec;
mod crash;
mod follow;
mod recovery;
mod sim;
mod space;

use std::sync::Arc;

use forewarn_core::event::Input;
use forewarn_core::ids::{Position, RunId, SensorIx, SourceIx};
use forewarn_core::plan::PlanId;
use forewarn_core::reading::{Checked, Flag, Marks, Reading};
use forewarn_core::time::{Span, Timestamp};

use super::{Allocation, Appender as _, Log, Opened, Record, SEGMENT_BYTES_MIN, Shared, Stamp, encode};
use crate::config::plan::Log as Settings;

/// The smallest segments, and one in reserve.
const SMALL: Settings =
    Settings { segment_bytes: SEGMENT_BYTES_MIN, keep: Span::ZERO, gap: Span::ZERO, reserve_segments: 1 };

/// `SplitMix64`: small, seeded, the same everywhere.
#[derive(Debug)]
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// A record of that many readings, one second after the position it begins at.
fn record(first: Position, readings: usize) -> Shared {
    let at = Timestamp::from_secs(first.0 as i64);
    let reading = |n: usize| Reading {
        sensor: SensorIx(n as u32 * 7 % 1000),
        source: SourceIx(1),
        observed: Timestamp::from_secs(1_700_000_000 + first.0 as i64) + Span(n as i64 * 1_000),
        value: 4.2 + first.0 as f64 + n as f64 / 100.0,
        seq: 0,
        identity: 0,
        marks: Marks::default(),
    };
    let readings: Vec<_> = (0..readings).map(reading).collect();
    Arc::new(Record {
        first,
        at,
        offset: Span::ZERO,
        run: RunId(9),
        engine: 1,
        plan: PlanId([3; 32]),
        flagged: readings.iter().map(|&reading| Checked { reading, flag: Flag::Good }).collect(),
        inputs: readings.into_iter().map(Input::Reading).collect(),
        decisions: vec![],
        refused: vec![],
    })
}

fn bytes_of(record: &Record) -> Vec<u8> {
    let mut bytes = vec![];
    encode(record, &mut bytes);
    bytes
}

/// Opens a simulated log, which it makes if there is none.
fn open(disk: &Arc<sim::SimDisk>, floor: Position) -> (Log, Opened) {
    try_open(disk, floor).unwrap()
}

fn try_open(disk: &Arc<sim::SimDisk>, floor: Position) -> Result<(Log, Opened), super::LogError> {
    let disk = Arc::clone(disk) as Arc<dyn super::Disk>;
    if !super::open::exists(&*disk) {
        super::open::create_meta(&*disk, Stamp::Live)?;
    }
    Log::open_on(disk, &SMALL, Stamp::Live, floor, Allocation::OnDemand)
}

/// Appends records of these many readings each.
fn append(log: &mut Log, sizes: &[usize]) {
    for size in sizes {
        log.append(record(log.next(), *size)).unwrap();
    }
}

/// First positions of all that can be read, from the oldest on.
fn firsts(log: &Log) -> Vec<u64> {
    let mut follower = log.follow(log.reader().first()).unwrap();
    let read =
        std::iter::from_fn(|| crate::ports::Follow::try_next(&mut follower)).map(|it| it.first.0).collect();
    assert!(follower.fault().is_none(), "{:?}", follower.fault());
    read
}
