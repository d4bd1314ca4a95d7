//! Very many sensors, all of which report in batches through the listener, for
//! minutes: nothing is lost, nobody is called silent, and who is warned is warned in time.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::child::Service;
use crate::client::Client;
use crate::common::figures::Goal;
use crate::crowd::{AREA, Crowd, Size, area, station};
use crate::load::apart;
use crate::pace::Pace;
use crate::receiver::Receiver;
use crate::site::device;
use crate::{CALM, say};

/// Sensors of an area, and devices that speak for all of them.
const AN_AREA: u32 = 100;
const DEVICES: u32 = 20;
/// Readings of a message.
const A_MESSAGE: u32 = 50;
/// Each sensor reports once in so long.
const INTERVAL: Duration = Duration::from_mins(1);
/// Messages that may wait for their acknowledgement before it is read.
const UNREAD_MAX: u32 = 64;
/// Metres: above every limit.
const RED: f64 = 9.5;
/// How long a warning is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// With so many sensors, for so long.
pub(crate) async fn measure(sensors: u32, lasts: Duration) {
    let receiver = Receiver::start(AREA).await;
    let size = Size { sensors, areas: sensors.div_ceil(AN_AREA), devices: DEVICES };
    let site = Crowd::new(size, &receiver.url);
    let (service, took) = Service::start(&site.place()).await;
    let what = format!("{sensors} sensors report through the listener");
    say(&format!("{what}: from nothing to ready"), "s", Goal::None, took.as_secs_f64(), None);
    let rounds = (lasts.as_secs() / INTERVAL.as_secs()).max(1) as u32;
    let load = apart(publish(site.mqtt(), sensors, rounds));
    let (sent, slowest) = tokio::join!(load, cross(&service, &receiver, rounds));
    let readings = service.readings().await;
    assert!(readings >= sent, "{readings} readings of {sent} that were acknowledged");
    let cpu = service.cpu_secs();
    say(&format!("{what}, once a minute, {rounds} times: readings"), "", Goal::None, readings as f64, None);
    say("  a crossing meanwhile: to its webhook at most", "ms", Goal::None, slowest * 1e3, None);
    say("  memory at last", "MB", Goal::None, service.resident_mb(), None);
    say("  memory at most", "MB", Goal::None, service.peak_mb(), None);
    say("  processor time in all", "s", Goal::None, cpu, None);
    service.kill();
}

/// Lets an area cross in each round, and says how long the slowest took to be told, in seconds.
async fn cross(service: &Service, receiver: &Receiver, rounds: u32) -> f64 {
    let mut slowest: f64 = 0.0;
    for round in 0..rounds {
        tokio::time::sleep(INTERVAL / 2).await;
        let began = Instant::now();
        service.read(round * AN_AREA..round * AN_AREA + 1, RED).await;
        let told = loop {
            if let Some(&at) = receiver.first().get(&area(round)) {
                break at;
            }
            assert!(began.elapsed() < PATIENCE, "{} is not warned", area(round));
            tokio::time::sleep(Duration::from_millis(2)).await;
        };
        slowest = slowest.max(told.saturating_duration_since(began).as_secs_f64());
        tokio::time::sleep(INTERVAL / 2).await;
    }
    assert_eq!(receiver.areas(), rounds as usize, "nobody is warned of nothing");
    slowest
}

/// Every sensor reports once a round, at a steady pace; says how many readings were acknowledged.
async fn publish(to: SocketAddr, sensors: u32, rounds: u32) -> u64 {
    let each = sensors / DEVICES;
    let messages = each / A_MESSAGE;
    let mut pace = Pace::new(INTERVAL / (messages * DEVICES));
    let mut clients = vec![];
    for n in 0..DEVICES {
        clients.push((Client::connect(to, &device(n)).await, 0_u32));
    }
    for round in 0..rounds {
        for message in 0..messages {
            for (n, (client, unread)) in clients.iter_mut().enumerate() {
                pace.wait();
                let first = n as u32 * each + message * A_MESSAGE;
                client.publish("river/gauges", &batch(first, round));
                client.flush().await;
                *unread += 1;
                if *unread > UNREAD_MAX {
                    *unread -= acknowledged(client).await.min(*unread);
                }
            }
        }
    }
    for (client, unread) in &mut clients {
        while *unread > 0 {
            *unread -= acknowledged(client).await.min(*unread);
        }
    }
    u64::from(messages * A_MESSAGE * DEVICES * rounds)
}

/// The readings of one message.
fn batch(first: u32, round: u32) -> String {
    let at = forewarn::clock::wall().0;
    let reading = |n| {
        let metres = CALM + f64::from((n + round) % 89) / 1e3;
        format!(r#"{{"station":"{}","time":{at},"level":{metres:.3}}}"#, station(n))
    };
    let readings: Vec<String> = (first..first + A_MESSAGE).map(reading).collect();
    format!("[{}]", readings.join(","))
}

async fn acknowledged(client: &mut Client) -> u32 {
    let acknowledged = client.acknowledged().await;
    assert!(acknowledged > 0, "the listener keeps the connection");
    acknowledged
}
