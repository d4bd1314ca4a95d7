//! The released service as a process of its own: memory, recovery, every area
//! at once, latency to the webhook, and what it costs. `FOREWARN_BENCH_SENSORS`
//! says how many sensors, 100,000 otherwise, and `FOREWARN_BENCH_MILLIONS` how
//! many millions of readings a start goes through, ten otherwise; a word on the
//! command line chooses the parts whose names it is in. `edge` and `soak` take so
//! many minutes as `FOREWARN_BENCH_MINUTES` says, and run where it is set alone.

#![expect(clippy::print_stdout, reason = "a bench's figures go to standard output")]

mod alarms;
#[path = "../service/bare.rs"]
mod bare;
mod broker;
mod child;
#[path = "../service/client.rs"]
mod client;
#[path = "../common/mod.rs"]
mod common;
mod crowd;
mod edge;
mod idle;
#[path = "../service/load.rs"]
#[allow(dead_code, reason = "the load of the bench beside this one; a few of its words are enough here")]
mod load;
mod many;
#[path = "../../tests/common/mosquitto.rs"]
#[allow(dead_code, reason = "the broker of the tests; a few of its words are enough here")]
mod mosquitto;
mod pace;
mod people;
mod receiver;
#[path = "../service/site.rs"]
#[allow(dead_code, reason = "here the service is no part of the bench's own process")]
mod site;
#[path = "../../tests/common/skip.rs"]
mod skip;
mod soak;
mod storm;
mod strangers;

use std::time::Duration;

use common::figures::{Goal, add};

/// Sensors unless the environment says otherwise.
const SENSORS: u32 = 100_000;
/// Millions of readings that a start goes through, unless the environment says otherwise.
const MILLIONS: u32 = 10;
/// Readings of each, after which every window is full and every rule at rest.
const READINGS: u32 = 30;
/// Metres: below every limit.
const CALM: f64 = 3.0;
/// How long memory is left to settle before it is looked at.
const SETTLE: Duration = Duration::from_secs(3);

fn main() {
    // Cargo adds a flag that only criterion knows.
    let word = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let wanted = |part: &str| part.contains(&word);
    let sensors = told("FOREWARN_BENCH_SENSORS").unwrap_or(SENSORS);
    let millions = told("FOREWARN_BENCH_MILLIONS").unwrap_or(MILLIONS);
    // The client speaks no TLS here, and wants to know who would.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        println!("\nscale: the service as a process of its own (the last column: ours over this one)");
        if wanted("many") {
            many::measure(sensors, u64::from(millions) * 1_000_000).await;
        }
        if wanted("areas") {
            storm::measure().await;
        }
        if wanted("people") {
            people::measure().await;
        }
        if wanted("idle") {
            idle::measure().await;
        }
        if wanted("webhook") {
            alarms::measure().await;
        }
        if wanted("strangers") {
            strangers::measure().await;
        }
        if wanted("broker") {
            broker::measure().await;
        }
        let Some(minutes) = told("FOREWARN_BENCH_MINUTES") else { return };
        let lasts = Duration::from_mins(u64::from(minutes));
        if wanted("edge") {
            edge::measure(sensors, lasts).await;
        }
        if wanted("soak") {
            soak::measure(lasts).await;
        }
    });
}

/// The number that a variable of the environment holds.
fn told(variable: &str) -> Option<u32> {
    let number = std::env::var(variable).ok()?;
    Some(number.parse().unwrap_or_else(|error| panic!("{variable}={number}: {error}")))
}

/// Prints a figure, and adds it to the one table.
fn say(what: &str, unit: &str, goal: Goal, ours: f64, bare: Option<f64>) {
    let beside = bare.map_or_else(String::new, |bare| format!("{bare:>12.2} bare {:>6.2}", ours / bare));
    println!("  {what:<78} {ours:>12.2} {unit:<12} {beside}");
    add(what, unit, goal, ours, bare);
}
