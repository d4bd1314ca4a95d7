//! From a publish to its webhook, at five thousand readings a second.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::bare::acknowledger;
use crate::child::{Place, Service};
use crate::client::Client;
use crate::common::figures::Goal;
use crate::load::apart;
use crate::pace::Pace;
use crate::receiver::Receiver;
use crate::say;
use crate::site::{ALARMED, EDGE, STATIONS, Site, Way, area, device, station};

/// From one reading to the next: five thousand a second.
pub(crate) const APART: Duration = Duration::from_micros(200);

/// One reading in so many is an alarm.
const ALARM_EVERY: u32 = 50;

/// Alarms in all: half of the areas that have some.
const ALARMS: u32 = ALARMED / 2;

/// How long the last posts are waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two looks at what came.
const LOOK: Duration = Duration::from_millis(5);

/// Readings that may wait for their acknowledgement before it is read.
const UNREAD_MAX: u32 = 100;

/// The service, and who acknowledges and posts what it hears at once.
pub(crate) async fn measure() {
    let receiver = Receiver::start("reach-").await;
    let site = Site::new(Way::Listener, &receiver.url);
    let (service, _) = Service::start(&Place::from(&site)).await;
    let ours = measure_one(([127, 0, 0, 1], site.mqtt).into(), &receiver, Half::First).await;
    service.kill();
    let (bare, alarms) = acknowledger().await;
    let bridge = tokio::spawn(post_all(alarms, receiver.url.clone()));
    let bare = measure_one(bare, &receiver, Half::Second).await;
    bridge.abort();
    for (what, most, share) in [("half of them", 0.8, 50), ("all but one in a hundred", 5.0, 99)] {
        let what = format!("publish to webhook at 5,000/s: {what} within");
        let [ours, bare] = [&ours, &bare].map(|took| took[took.len() * share / 100].as_secs_f64() * 1e3);
        say(&what, "ms", Goal::AtMost(most), ours, Some(bare));
    }
}

/// Posts what the acknowledger hears, one after the other over one connection.
async fn post_all(mut alarms: mpsc::Receiver<String>, url: String) {
    let client = reqwest::Client::new();
    while let Some(payload) = alarms.recv().await {
        client.post(&url).body(payload).send().await.expect("the receiver answers");
    }
}

/// Which half of the areas is alarmed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Half {
    /// That of the service.
    First,
    /// That of its stand-in.
    Second,
}

/// Sends readings at a steady pace, alarms among them, and measures how long
/// each of those took to its post, shortest first.
async fn measure_one(to: SocketAddr, receiver: &Receiver, half: Half) -> Vec<Duration> {
    let sent = apart(pace(to, half)).await;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let came = receiver.first();
        let took = |(area, sent): &(String, Instant)| Some(came.get(area)?.saturating_duration_since(*sent));
        let mut took: Vec<Duration> = sent.iter().filter_map(took).collect();
        if took.len() == sent.len() {
            took.sort();
            return took;
        }
        assert!(Instant::now() < deadline, "{} of {} alarms were posted", took.len(), sent.len());
        tokio::time::sleep(LOOK).await;
    }
}

/// The area of each alarm, and when it was sent.
async fn pace(to: SocketAddr, half: Half) -> Vec<(String, Instant)> {
    let part = match half {
        Half::First => 0,
        Half::Second => 1,
    };
    let first = STATIONS - ALARMED + part * ALARMS;
    let mut calm = Client::connect(to, &device(part)).await;
    let mut edge = Client::connect(to, EDGE).await;
    let mut pace = Pace::new(APART);
    let mut sent = vec![];
    let (mut at_edge, mut at_calm) = (0, 0);
    for n in 0..ALARMS * ALARM_EVERY {
        pace.wait();
        let now = forewarn::clock::wall().0;
        let (client, unread) = if n % ALARM_EVERY == 0 {
            let at = first + n / ALARM_EVERY;
            let (station, area) = (station(at), area(at));
            let payload = format!(r#"{{"station":"{station}","time":{now},"level":9.5,"area":"{area}"}}"#);
            edge.publish("alarm/gauges", &payload);
            sent.push((area, Instant::now()));
            (&mut edge, &mut at_edge)
        } else {
            let payload = format!(r#"{{"station":"{}","time":{now},"level":3.5}}"#, station(part * 10));
            calm.publish("river/gauges", &payload);
            (&mut calm, &mut at_calm)
        };
        client.flush().await;
        *unread += 1;
        // Read now and then, so that no buffer fills.
        while *unread > UNREAD_MAX {
            *unread -= client.acknowledged().await.min(*unread);
        }
    }
    while at_edge > 0 {
        let acknowledged = edge.acknowledged().await;
        assert!(acknowledged > 0, "the listener keeps the connection");
        at_edge -= acknowledged.min(at_edge);
    }
    sent
}
