//! The whole service, from bytes on a socket to acknowledgements and webhooks,
//! beside stand-ins that do as little as can be done in its place.

#![expect(clippy::print_stdout, reason = "a bench's figures go to standard output")]

mod alarms;
mod bare;
mod client;
#[path = "../common/mod.rs"]
mod common;
mod load;
#[path = "../../tests/common/mosquitto.rs"]
#[allow(dead_code, reason = "the broker of the tests; a few of its words are enough here")]
mod mosquitto;
mod site;
#[path = "../../tests/common/skip.rs"]
mod skip;

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use forewarn::app::service::Service;
use tokio::sync::{mpsc, oneshot};

use alarms::{Half, Latency, Receiver};
use common::figures::{Goal, add};
use load::{Calendar, LOAD_MAX, Load, Sent};
use mosquitto::Mosquitto;
use site::{Site, Way};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Each load is sent so often to each, in turns; the medians are given.
const ROUNDS: usize = 3;

/// What goes through the listener, and how many readings a second it should reach.
const LOADS: [(&str, Load, f64); 3] = [
    (
        "50 connections, window 20",
        Load { connections: 50, window: 20, messages: 4_000, readings: 1 },
        500_000.0,
    ),
    ("500 connections, window 1", Load { connections: 500, window: 1, messages: 100, readings: 1 }, 60_000.0),
    (
        "50 readings a message, window 20",
        Load { connections: 50, window: 20, messages: 200, readings: 50 },
        1_500_000.0,
    ),
];

/// What goes through the broker.
const BROKERED: Load = Load { connections: 20, window: 50, messages: 2_000, readings: 1 };

/// As a broker is run: nothing is dropped, many are under way, and what it
/// keeps is written down now and then, not at every change as in the tests.
const BROKER_SETTINGS: &str = "allow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 1000\n\
                               autosave_on_changes false\nautosave_interval 1800\n";

/// Tries until the service must have heard the broker.
const TRIES: u32 = 100;

fn main() {
    // What goes wrong in the service should be seen here too.
    tracing_subscriber::fmt().with_max_level(tracing::Level::ERROR).with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        println!("\nservice: end to end (the last column: ours over this one)");
        listener().await;
        broker().await;
    });
}

/// Through the built-in listener.
async fn listener() {
    let receiver = Receiver::start().await;
    let site = Site::new(Way::Listener, &receiver.url);
    let service = site.start().await;
    let ours = service.mqtt_addr().expect("the listener is on");
    let (bare, alarms) = bare::acknowledger().await;
    let mut calendar = Calendar::default();
    for (what, load, goal) in LOADS {
        let (mut by_us, mut by_bare) = (vec![], vec![]);
        for _ in 0..ROUNDS {
            by_bare.push(load.send(bare, &mut calendar).await);
            by_us.push(load.send(ours, &mut calendar).await);
        }
        let (ours, bare) = rates(what, load.readings, &by_us, &by_bare);
        add(
            &format!("listener, QoS 1, durable, {what}"),
            "readings/s",
            Goal::AtLeast(goal),
            ours,
            Some(bare),
        );
    }
    let by_us = alarms::measure(ours, &receiver, Half::First).await;
    let bridge = tokio::spawn(post_all(alarms, receiver.url.clone()));
    let by_bare = alarms::measure(bare, &receiver, Half::Second).await;
    bridge.abort();
    latencies(by_us, by_bare);
    service.stop().await;
}

/// Posts what the acknowledger hears, one after the other over one connection.
async fn post_all(mut alarms: mpsc::Receiver<String>, url: String) {
    let client = reqwest::Client::new();
    while let Some(payload) = alarms.recv().await {
        client.post(&url).body(payload).send().await.expect("the receiver answers");
    }
}

/// Through mosquitto.
async fn broker() {
    let Some(broker) = Mosquitto::start(|_: &Path| BROKER_SETTINGS.into()) else { return };
    let address = ([127, 0, 0, 1], broker.port).into();
    let messages = u64::from(BROKERED.connections * BROKERED.messages);
    let mut calendar = Calendar::default();
    let mut by_bare = vec![];
    for _ in 0..ROUNDS {
        let (subscribed, ready) = oneshot::channel();
        let counting = tokio::spawn(bare::subscriber(broker.port, messages, subscribed, LOAD_MAX));
        ready.await.expect("the broker grants the subscription");
        BROKERED.send(address, &mut calendar).await;
        by_bare.push(counting.await.expect("no subscriber panics"));
    }
    let receiver = Receiver::start().await;
    let site = Site::new(Way::Broker(broker.port), &receiver.url);
    let service = site.start().await;
    be_heard(&service, address, &mut calendar).await;
    let mut by_us = vec![];
    for _ in 0..ROUNDS {
        let counting = committed(&service, messages);
        let (_, sent) = tokio::join!(BROKERED.send(address, &mut calendar), counting);
        by_us.push(sent);
    }
    let (ours, bare) = rates("through mosquitto, 20 publishers", BROKERED.readings, &by_us, &by_bare);
    add("through mosquitto, QoS 1, durable", "readings/s", Goal::None, ours, Some(bare));
    service.stop().await;
}

/// Sends single messages until the service has committed one: it is subscribed then.
async fn be_heard(service: &Service, address: SocketAddr, calendar: &mut Calendar) {
    let single = Load { connections: 1, window: 1, messages: 1, readings: 1 };
    let mut pulse = service.pulse();
    let before = pulse.borrow().position;
    for _ in 0..TRIES {
        single.send(address, calendar).await;
        let wait = pulse.wait_for(|pulse| pulse.position > before);
        if matches!(tokio::time::timeout(Duration::from_millis(100), wait).await, Ok(Ok(_))) {
            return;
        }
    }
    panic!("the service does not hear the broker");
}

/// How fast the service commits so many further readings.
async fn committed(service: &Service, messages: u64) -> Sent {
    let mut pulse = service.pulse();
    let before = pulse.borrow().position.0;
    let begin = pulse.wait_for(|pulse| pulse.position.0 > before).await;
    let first = begin.expect("the driver runs").position.0;
    let began = Instant::now();
    let all = pulse.wait_for(|pulse| pulse.position.0 >= before + messages);
    // What had come by then counts.
    let _ = tokio::time::timeout(LOAD_MAX, all).await.is_ok();
    let took = began.elapsed();
    let reached = pulse.borrow().position.0;
    Sent { messages: reached - first, took }
}

/// Prints both, and returns their readings a second.
fn rates(what: &str, readings: u32, ours: &[Sent], bare: &[Sent]) -> (f64, f64) {
    let (by_us, by_bare) = (median(ours), median(bare));
    for (name, rate) in [("forewarn", by_us), ("bare", by_bare)] {
        let readings = rate * f64::from(readings);
        let ratio = by_us / rate;
        println!("  {what:<34} {name:<10} {rate:>9.0} messages/s {readings:>11.0} readings/s {ratio:>6.2}");
    }
    (by_us * f64::from(readings), by_bare * f64::from(readings))
}

fn median(sent: &[Sent]) -> f64 {
    let mut rates: Vec<f64> = sent.iter().map(|sent| sent.rate()).collect();
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or_default()
}

fn latencies(ours: Latency, bare: Latency) {
    for (name, latency) in [("forewarn", ours), ("bare", bare)] {
        let Latency { p50, p99, came, sent } = latency;
        let [p50_ms, p99_ms] = [p50, p99].map(|took| took.as_secs_f64() * 1e3);
        let ratio = ours.p50.as_secs_f64() / p50.as_secs_f64();
        println!(
            "  {:<34} {name:<10} p50 {p50_ms:>6.2} ms, p99 {p99_ms:>6.2} ms, {came} of {sent} came {ratio:>9.2}",
            "publish to webhook at 5,000/s"
        );
    }
    let millis = |took: Duration| took.as_secs_f64() * 1e3;
    for (what, most, ours, bare) in
        [("half of them", 0.8, ours.p50, bare.p50), ("all but one in a hundred", 5.0, ours.p99, bare.p99)]
    {
        let what = format!("publish to webhook at 5,000/s, {what} within");
        add(&what, "ms", Goal::AtMost(most), millis(ours), Some(millis(bare)));
    }
}
