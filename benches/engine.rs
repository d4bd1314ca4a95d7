//! The engine's step over 100,000 sensors in random order, beside a naive
//! evaluator that keeps a window of readings and computes everything anew, and
//! beside a bare loop that does nothing but touch as much memory.

mod common;
#[path = "engine/naive.rs"]
mod naive;
#[path = "../tests/transcripts/site.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "the sites of the transcripts; a few of their words are enough here"
)]
mod site;
#[path = "engine/world.rs"]
mod world;

use std::time::{Duration, Instant};

use common::figures::{Goal, add};
use common::memory::resident;
use common::table::{Contestant, Table};
use forewarn_core::ids::SensorIx;
use forewarn_core::sensing::bytes_per_sensor;

use naive::{Bare, Naive};
use world::{Rules, World, plan};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Far more than caches hold.
const SENSORS: u32 = 100_000;

/// From what a core's caches hold to what no cache does: the cost must not grow
/// with what is not touched.
const CURVE: [u32; 3] = [1_000, 100_000, 1_000_000];

/// Sensors of one area.
const AN_AREA: u32 = 100;

/// Gauges of one area that all breach.
const CROWD: u32 = 4_000;

fn main() {
    let mut table = Table::new("engine: a step");
    for (what, rules) in [("threshold", Rules::Threshold), ("threshold and slope", Rules::ThresholdAndSlope)]
    {
        quiet(&mut table, what, rules);
    }
    let curve: Vec<f64> = CURVE.into_iter().filter_map(|sensors| curve(&mut table, sensors)).collect();
    // The command line may have left some out.
    if curve.len() == CURVE.len() {
        let (least, most) =
            (curve.iter().copied().fold(f64::MAX, f64::min), curve.iter().copied().fold(0.0, f64::max));
        add(
            "engine step, the slowest of these over the fastest",
            "times",
            Goal::AtMost(2.0),
            most / least,
            None,
        );
    }
    crowd(&mut table);
    table.print();
}

/// The same step at several sizes. Returns the nanoseconds a reading.
fn curve(table: &mut Table, sensors: u32) -> Option<f64> {
    let mut world = World::new(plan(sensors, AN_AREA, Rules::ThresholdAndSlope), sensors);
    (0..world::WINDOW_FULL).for_each(|_| world.sweep(world::CALM));
    let what = format!("{sensors} sensors");
    let took = table.compare(
        &what,
        u64::from(sensors),
        vec![Contestant::new("forewarn", || world.sweep(world::CALM))],
    );
    let ours = *took.first()?;
    let what = format!("engine step, {sensors} sensors in random order");
    add(&what, "M readings/s", Goal::None, 1e3 / ours, None);
    Some(ours)
}

/// 100,000 sensors, none in breach.
fn quiet(table: &mut Table, what: &str, rules: Rules) {
    let plan = plan(SENSORS, AN_AREA, rules);
    let predicted = bytes_per_sensor(&plan, SensorIx(0)).usual;
    let before = resident();
    let mut world = World::new(plan, SENSORS);
    // Until every window is full.
    (0..world::WINDOW_FULL).for_each(|_| world.sweep(world::CALM));
    let each = match (before, resident()) {
        (Some(before), Some(after)) => after.saturating_sub(before) / SENSORS as usize,
        (None, _) | (_, None) => 0,
    };
    // Less than that, and it went into memory that an earlier part had left behind.
    let resident = if each >= predicted { format!(", {each} B resident in all") } else { String::new() };
    table.note(format!("{what:<34} {predicted} B a sensor by the plan{resident}"));
    let (mut naive, mut bare) = (Naive::new(SENSORS, rules), Bare::new(SENSORS, predicted, rules));
    (0..world::WINDOW_FULL).for_each(|_| naive.sweep());
    let took = table.compare(
        what,
        u64::from(SENSORS),
        vec![
            Contestant::new("forewarn", || world.sweep(world::CALM)),
            Contestant::new("naive", || naive.sweep()),
            Contestant::new("bare", || bare.sweep()),
        ],
    );
    if let (Rules::ThresholdAndSlope, [ours, _, bare]) = (rules, &took[..]) {
        let what = "engine step, 100,000 sensors in random order, threshold and slope of 12";
        add(what, "M readings/s", Goal::AtLeast(15.0), 1e3 / ours, Some(1e3 / bare));
    }
}

/// A flood over one area: every gauge of it crosses a level, then rises on.
fn crowd(table: &mut Table) {
    let rises = |rounds: u64| {
        let mut took = Duration::ZERO;
        for _ in 0..rounds {
            let mut world = World::new(plan(CROWD, CROWD, Rules::Threshold), CROWD);
            world.sweep(world::CALM);
            let began = Instant::now();
            world.sweep(world::CROSSED);
            world.sweep(world::RISEN);
            took += began.elapsed();
        }
        took
    };
    let mut naive = Naive::new(CROWD, Rules::Threshold);
    table.compare(
        "4,000 gauges of one area breach",
        2 * u64::from(CROWD),
        vec![
            Contestant::timing_itself("forewarn", rises),
            Contestant::new("naive", || (0..2).for_each(|_| naive.sweep())),
        ],
    );
}
