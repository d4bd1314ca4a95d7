//! Appending a record: encode, checksum, one write, one sync; beside a bare
//! write of as many bytes with `fdatasync`, into a file of zeroes like a segment.

mod common;

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::table::{Contestant, Table};
use forewarn::config::plan::Log as Settings;
use forewarn::log::{Appender, Lane, Lock, Log, Record, Stamp, encode};
use forewarn_core::engine::ENGINE_VERSION;
use forewarn_core::event::Input;
use forewarn_core::ids::{Position, RunId, SensorIx, SourceIx};
use forewarn_core::plan::PlanId;
use forewarn_core::reading::{Checked, Flag, Marks, Reading};
use forewarn_core::time::{Span, Timestamp};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// 2026-07-01T00:00:00Z.
const START: Timestamp = Timestamp::from_secs(1_782_864_000);

/// A segment, as configured by default.
const SEGMENT: u64 = 64 << 20;

fn main() {
    let mut table = Table::new("log: an append with its sync");
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory on a real disk");
    let settings = Settings { segment_bytes: SEGMENT, keep: Span::ZERO, gap: Span(400), reserve_segments: 1 };
    let lock = Lock::take(dir.path()).expect("nobody else is here");
    let (mut log, _) = Log::create(lock, &settings, Stamp::Drill).expect("an empty directory");
    let file = zeroes(&dir.path().join("bare"));
    for readings in [1, 50, 1_000_u32] {
        let mut bytes = vec![];
        encode(&record(Position(1), readings), &mut bytes);
        let each = bytes.len() as f64 / f64::from(readings);
        table.note(format!("{:<34} {} B a record, {each:.1} B a reading", what(readings), bytes.len()));
        let mut at = 0;
        table.compare(
            &what(readings),
            u64::from(readings),
            vec![
                Contestant::timing_itself("forewarn", |rounds| append(&mut log, readings, rounds)),
                Contestant::timing_itself("bare", |rounds| write(&file, &mut at, &bytes, rounds)),
                Contestant::new("encoding", || {
                    let mut out = Vec::with_capacity(bytes.len());
                    encode(&record(Position(1), readings), &mut out);
                    std::hint::black_box(out);
                }),
            ],
        );
    }
    table.print();
}

fn what(readings: u32) -> String {
    format!("{readings} readings a record")
}

/// Readings of sensors in random order, each with a time of its own, judged good.
fn record(first: Position, readings: u32) -> Record {
    let reading = |n: u32| Reading {
        sensor: SensorIx((first.0 as u32).wrapping_add(n).wrapping_mul(2_654_435_761) % 100_000),
        source: SourceIx(0),
        observed: START + Span(first.0 as i64 * 1_000_000 + i64::from(n % 30) * 1_000_000),
        value: f64::from(n % 977) / 100.0,
        seq: 0,
        identity: 0,
        marks: Marks::default(),
    };
    let readings: Vec<Reading> = (0..readings).map(reading).collect();
    Record {
        first,
        at: START + Span(first.0 as i64),
        offset: Span::ZERO,
        run: RunId(1),
        engine: ENGINE_VERSION,
        plan: PlanId([7; 32]),
        flagged: readings.iter().map(|&reading| Checked { reading, flag: Flag::Good }).collect(),
        inputs: readings.into_iter().map(Input::Reading).collect(),
        decisions: vec![],
        refused: vec![],
    }
}

fn append(log: &mut Log, readings: u32, rounds: u64) -> Duration {
    let mut took = Duration::ZERO;
    for _ in 0..rounds {
        let record = Arc::new(record(log.next(), readings));
        make_room(log);
        let began = Instant::now();
        log.append(record).expect("a sound disk");
        took += began.elapsed();
    }
    took
}

/// Lets go of what is old, and waits for the next segment to be ready.
fn make_room(log: &mut Log) {
    while log.room_for(1 << 20, Lane::Readings).is_err() {
        let newest = Position(log.next().0 - 1);
        log.trim(newest, Timestamp::MAX).expect("a sound disk");
        std::thread::yield_now();
    }
}

fn write(file: &File, at: &mut u64, bytes: &[u8], rounds: u64) -> Duration {
    let began = Instant::now();
    for _ in 0..rounds {
        if *at + bytes.len() as u64 > SEGMENT {
            *at = 0;
        }
        file.write_all_at(bytes, *at).and_then(|()| file.sync_data()).expect("a sound disk");
        *at += bytes.len() as u64;
    }
    began.elapsed()
}

fn zeroes(path: &std::path::Path) -> File {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).expect("a new file");
    let zeroes = vec![0; 1 << 20];
    for _ in 0..SEGMENT >> 20 {
        file.write_all(&zeroes).expect("room on the disk");
    }
    file.sync_all().expect("a sound disk");
    file
}
