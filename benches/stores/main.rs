//! Where readings are kept: the embedded store, beside a plain table; and the
//! writer of `InfluxDB`, beside the server that it writes to.

#![expect(clippy::print_stdout, reason = "a bench's figures go to standard output")]

#[path = "../common/mod.rs"]
mod common;
mod embedded;
#[cfg(feature = "influxdb")]
#[path = "../../tests/common/influx.rs"]
#[allow(dead_code, reason = "the server of the tests; a few of its words are enough here")]
mod influx;
#[cfg(feature = "influxdb")]
mod long;
#[cfg(feature = "influxdb")]
#[path = "../../tests/common/skip.rs"]
mod skip;

use forewarn::ports::Kept;
use forewarn_core::ids::{LogId, Position, SensorIx, SourceIx};
use forewarn_core::reading::{Checked, Flag, Marks, Reading};
use forewarn_core::time::{Span, Timestamp};

use common::figures::{Goal, add};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The log that all readings are of.
const LOG: LogId = LogId([7; 16]);
/// 2026-07-01T00:00:00Z.
const START: Timestamp = Timestamp::from_secs(1_782_864_000);
/// From one reading of a sensor to the next.
const INTERVAL: Span = Span::from_mins(10);

fn main() {
    // The client speaks no TLS here, and wants to know who would.
    let _ = rustls::crypto::ring::default_provider().install_default();
    println!("\nstores: readings kept (the last column: ours over this one)");
    embedded::measure();
    #[cfg(feature = "influxdb")]
    long::measure();
}

/// The n-th reading of all, of so many sensors in turns: millimetres of waves,
/// at times that no two clocks agree on, which is what takes room.
fn kept(n: u64, sensors: u64) -> Kept {
    let (sensor, round) = ((n % sensors) as u32, (n / sensors) as i64);
    let chance = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let late = Span((chance % 1_000) as i64 * 1_000);
    let observed = START + INTERVAL.times(round) + late;
    let millimetres = sensor.wrapping_mul(37) ^ (round as u32).wrapping_mul(101);
    let reading = Reading {
        sensor: SensorIx(sensor),
        source: SourceIx(0),
        observed,
        value: 3.0 + f64::from(millimetres % 89) / 1e3,
        seq: 0,
        identity: 0,
        marks: Marks::default(),
    };
    let received = observed + Span((chance % 2_000_003) as i64);
    Kept { checked: Checked { reading, flag: Flag::Good }, received, position: Position(n + 1) }
}

/// The n-th batch of so many readings.
fn batch(n: u64, size: u64, sensors: u64) -> Vec<Kept> {
    (n * size..(n + 1) * size).map(|n| kept(n, sensors)).collect()
}

/// Prints a figure, and adds it to the one table.
fn say(what: &str, unit: &str, goal: Goal, ours: f64, bare: Option<f64>) {
    let beside = bare.map_or_else(String::new, |bare| format!("{bare:>12.1} bare {:>6.2}", ours / bare));
    println!("  {what:<50} {ours:>12.1} {unit:<12} {beside}");
    add(what, unit, goal, ours, bare);
}
