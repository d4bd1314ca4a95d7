//! The whole service, from bytes on a socket to what is durable, beside
//! stand-ins that do as little as can be done in its place.

#![expect(clippy::print_stdout, reason = "a bench's figures go to standard output")]

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
use tokio::sync::oneshot;

use common::figures::{Goal, add, missing};
use load::{BROKER_SETTINGS, Calendar, LOAD_MAX, Load, Sent};
use mosquitto::Mosquitto;
use site::{Site, Way};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

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

/// Where warnings would go: nothing alarms here.
const NOWHERE: &str = "http://127.0.0.1:9/hook";

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
    let site = Site::new(Way::Listener, NOWHERE);
    let service = site.start().await;
    let ours = service.mqtt_addr().expect("the listener is on");
    let (bare, _heard) = bare::acknowledger().await;
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
    service.stop().await;
}

/// Through mosquitto.
async fn broker() {
    let what = "through mosquitto, QoS 1, durable";
    let Some(broker) = Mosquitto::start(|_: &Path| BROKER_SETTINGS.into()) else {
        return missing(what, "readings/s", Goal::None, "mosquitto is missing");
    };
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
    let site = Site::new(Way::Broker(broker.port), NOWHERE);
    let service = site.start().await;
    be_heard(&service, address, &mut calendar).await;
    let mut by_us = vec![];
    for _ in 0..ROUNDS {
        let counting = committed(&service, messages);
        let (_, sent) = tokio::join!(BROKERED.send(address, &mut calendar), counting);
        by_us.push(sent);
    }
    let (ours, bare) = rates("through mosquitto, 20 publishers", BROKERED.readings, &by_us, &by_bare);
    add(what, "readings/s", Goal::None, ours, Some(bare));
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
