//! The service for an hour under a steady load, while it is reloaded, devices
//! come and go, the receiver is away again and again, and areas cross: what it
//! holds must not grow.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::child::Service;
use crate::client::Client;
use crate::common::figures::Goal;
use crate::crowd::{AREA, Crowd, Size, station};
use crate::load::apart;
use crate::pace::Pace;
use crate::receiver::Receiver;
use crate::site::device;
use crate::{CALM, say};

/// What it watches over.
const SIZE: Size = Size { sensors: 5_000, areas: 100, devices: 10 };
/// Readings of one message, and from one message to the next: 5,000 readings a second.
const A_MESSAGE: u32 = 10;
const APART: Duration = Duration::from_millis(2);
/// Messages of a device before it connects anew: every 20 s.
const A_CONNECTION: u32 = 10_000;
/// Messages that may wait for their acknowledgement before it is read.
const UNREAD_MAX: u32 = 100;
/// Memory and descriptors are looked at so often.
const LOOK: Duration = Duration::from_secs(15);
/// Looks from one reload to the next, and from one crossing to the next.
const RELOAD_EVERY: u32 = 2;
const CROSS_EVERY: u32 = 16;
/// Looks of which the receiver is away for the first.
const AWAY_EVERY: u32 = 3;
/// The part of the time that is not counted: windows, stores and pools fill.
const WARM_UP: f64 = 0.2;
/// Metres: above every limit.
const RED: f64 = 9.5;

/// What was seen at one look.
struct Look {
    hours: f64,
    resident_mb: f64,
    private_mb: f64,
    descriptors: usize,
}

/// For so long.
pub(crate) async fn measure(lasts: Duration) {
    let receiver = Receiver::start(AREA).await;
    let site = Crowd::new(SIZE, &receiver.url);
    let (service, _) = Service::start(&site.place()).await;
    let over = Arc::new(AtomicBool::new(false));
    let load = apart(publish(site.mqtt(), Arc::clone(&over)));
    let looks = async {
        let looks = look(&service, &receiver, lasts).await;
        over.store(true, Ordering::Relaxed);
        looks
    };
    let (looks, sent) = tokio::join!(looks, load);
    let readings = service.readings().await;
    assert!(readings >= sent, "{readings} readings of {sent} that were acknowledged");
    let steady: Vec<&Look> = looks.iter().skip((looks.len() as f64 * WARM_UP) as usize).collect();
    let minutes = lasts.as_secs() / 60;
    let what = format!("{minutes} minutes at 5,000 readings/s, reloads, reconnects, a receiver that flaps");
    let rate = sent as f64 / lasts.as_secs_f64();
    say(&format!("{what}: readings"), "readings/s", Goal::None, rate, None);
    say("  its memory grows", "MB/h", Goal::AtMost(1.0), slope(&steady, |look| look.resident_mb), None);
    say("  of which no file stands behind", "MB/h", Goal::None, slope(&steady, |look| look.private_mb), None);
    let most = steady.iter().map(|look| look.resident_mb).fold(0.0, f64::max);
    let least = steady.iter().map(|look| look.resident_mb).fold(f64::MAX, f64::min);
    say("  its memory, least and most (as bare)", "MB", Goal::None, least, Some(most));
    let [first, last] = [steady.first(), steady.last()].map(|look| look.map_or(0, |look| look.descriptors));
    say("  its descriptors, at first and at last (as bare)", "", Goal::None, first as f64, Some(last as f64));
    service.kill();
}

/// Looks at it again and again, and does to it what an operator and the world do.
async fn look(service: &Service, receiver: &Receiver, lasts: Duration) -> Vec<Look> {
    let began = Instant::now();
    let mut looks = vec![];
    for turn in 0.. {
        if began.elapsed() >= lasts {
            break;
        }
        receiver.is_away(turn % AWAY_EVERY == 0);
        if turn % RELOAD_EVERY == 1 {
            service.reload();
        }
        if turn % CROSS_EVERY == 2 {
            // A gauge each time, so that its area is the next one.
            let gauge = (turn / CROSS_EVERY * 50) % SIZE.sensors;
            service.read(gauge..gauge + 1, RED).await;
        }
        tokio::time::sleep(LOOK).await;
        let hours = began.elapsed().as_secs_f64() / 3_600.0;
        let (resident_mb, private_mb) = (service.resident_mb(), service.private_mb());
        let descriptors = service.descriptors();
        let minutes = hours * 60.0;
        println!(
            "    {minutes:>5.1} min {resident_mb:>6.1} MB, {private_mb:>5.1} private, {descriptors:>4} descriptors"
        );
        looks.push(Look { hours, resident_mb, private_mb, descriptors });
    }
    receiver.is_away(false);
    looks
}

/// Sends readings at a steady pace until it is over, as one device after the
/// other, and says how many were acknowledged.
async fn publish(to: SocketAddr, over: Arc<AtomicBool>) -> u64 {
    let mut pace = Pace::new(APART);
    let each = SIZE.sensors / SIZE.devices;
    let mut sent = 0;
    for turn in 0.. {
        let n = turn % SIZE.devices;
        let mut client = Client::connect(to, &device(n)).await;
        let mut unread = 0;
        for message in 0..A_CONNECTION {
            if over.load(Ordering::Relaxed) {
                break;
            }
            pace.wait();
            let at = forewarn::clock::wall().0;
            let first = message * A_MESSAGE % each;
            let reading = |k| {
                let gauge = station(n * each + (first + k) % each);
                let metres = CALM + f64::from((message + k) % 89) / 1e3;
                format!(r#"{{"station":"{gauge}","time":{at},"level":{metres:.3}}}"#)
            };
            let readings: Vec<String> = (0..A_MESSAGE).map(reading).collect();
            client.publish("river/gauges", &format!("[{}]", readings.join(",")));
            client.flush().await;
            unread += 1;
            while unread > UNREAD_MAX {
                unread -= acknowledged(&mut client).await.min(unread);
            }
            sent += u64::from(A_MESSAGE);
        }
        while unread > 0 {
            unread -= acknowledged(&mut client).await.min(unread);
        }
        if over.load(Ordering::Relaxed) {
            break;
        }
    }
    sent
}

async fn acknowledged(client: &mut Client) -> u32 {
    let acknowledged = client.acknowledged().await;
    assert!(acknowledged > 0, "the listener keeps the connection");
    acknowledged
}

/// How this grows by the hour: the straight line that fits best.
fn slope(looks: &[&Look], of: fn(&Look) -> f64) -> f64 {
    let count = looks.len() as f64;
    let mean = |of: fn(&Look) -> f64| looks.iter().map(|look| of(look)).sum::<f64>() / count;
    let (hours, megabytes) = (mean(|look| look.hours), mean(of));
    let above: f64 = looks.iter().map(|look| (look.hours - hours) * (of(look) - megabytes)).sum();
    let below: f64 = looks.iter().map(|look| (look.hours - hours).powi(2)).sum();
    above / below
}
