//! The released service with many sensors: memory, recovery, and every area at
//! once. `FOREWARN_BENCH_SENSORS` says how many sensors, 100,000 otherwise.

#![expect(clippy::print_stdout, reason = "a bench's figures go to standard output")]

mod child;
#[path = "../common/mod.rs"]
mod common;
mod site;
mod storm;

use std::time::{Duration, Instant};

use child::Service;
use common::figures::{Goal, add};
use site::{Site, Size};
use storm::Receiver;

/// Sensors unless the environment says otherwise.
const SENSORS: u32 = 100_000;
/// Readings of each, after which every window is full and every rule at rest.
const READINGS: u32 = 30;
/// Areas that cross at once, a gauge each.
const AREAS: u32 = 10_000;
/// Metres: below every limit, and above every one.
const CALM: f64 = 3.0;
const RED: f64 = 9.5;
/// How long memory is left to settle before it is looked at.
const SETTLE: Duration = Duration::from_secs(3);

fn main() {
    let sensors = std::env::var("FOREWARN_BENCH_SENSORS").ok().and_then(|count| count.parse().ok());
    // The client speaks no TLS here, and wants to know who would.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        println!("\nscale: the service as a process of its own");
        many(sensors.unwrap_or(SENSORS)).await;
        all_at_once().await;
    });
}

/// Memory and recovery with many sensors.
async fn many(sensors: u32) {
    let receiver = Receiver::start().await;
    let site = Site::new(Size { sensors, areas: sensors.div_ceil(100) }, &receiver.url);
    let (service, took) = Service::start(&site).await;
    say(&format!("{sensors} sensors: from nothing to ready"), "s", Goal::None, took.as_secs_f64());
    tokio::time::sleep(SETTLE).await;
    say(&format!("{sensors} sensors: memory, just started"), "MB", Goal::None, service.resident_mb());
    let began = Instant::now();
    for _ in 0..READINGS {
        service.read(0..sensors, CALM).await;
    }
    let rate = f64::from(sensors) * f64::from(READINGS) / began.elapsed().as_secs_f64();
    say("line protocol over HTTP, one client, durable", "readings/s", Goal::None, rate);
    tokio::time::sleep(SETTLE).await;
    let most = f64::from(sensors) / 1e3 * if sensors > SENSORS { 0.8 } else { 1.0 };
    let what = format!("{sensors} sensors: memory after {READINGS} readings each");
    say(&what, "MB", Goal::AtMost(most), service.resident_mb());
    say(&format!("{sensors} sensors: most memory till then"), "MB", Goal::None, service.peak_mb());
    service.kill();
    let (service, took) = Service::start(&site).await;
    let what = format!("{sensors} sensors: from a kill to ready");
    say(&what, "s", Goal::AtMost(3.0), took.as_secs_f64());
    service.kill();
}

/// Every area crosses with one reading each.
async fn all_at_once() {
    let receiver = Receiver::start().await;
    let site = Site::new(Size { sensors: AREAS, areas: AREAS }, &receiver.url);
    let (service, _) = Service::start(&site).await;
    for _ in 0..READINGS {
        service.read(0..AREAS, CALM).await;
    }
    tokio::time::sleep(SETTLE).await;
    let at_rest = service.resident_mb();
    let began = Instant::now();
    service.read(0..AREAS, RED).await;
    let (first, last) = receiver.wait(AREAS as usize, began).await;
    let what = format!("{AREAS} areas cross at once");
    say(&format!("{what}: first red"), "s", Goal::AtMost(0.2), first.as_secs_f64());
    say(&format!("{what}: all of them"), "s", Goal::AtMost(0.8), last.as_secs_f64());
    say(&format!("{what}: memory above rest"), "MB", Goal::AtMost(64.0), service.resident_mb() - at_rest);
    service.kill();
}

fn say(what: &str, unit: &str, goal: Goal, figure: f64) {
    println!("  {what:<50} {figure:>12.2} {unit}");
    add(what, unit, goal, figure, None);
}
