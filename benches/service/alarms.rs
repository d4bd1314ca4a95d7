//! From a publish to its webhook, at five thousand readings a second.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;

use crate::client::Client;
use crate::load::apart;
use crate::site::{ALARMED, EDGE, STATIONS, area, device, station};

/// From one reading to the next: five thousand a second.
const PACE: Duration = Duration::from_micros(200);

/// One reading in so many is an alarm.
const ALARM_EVERY: u32 = 50;

/// Alarms in all: half of the areas that have some.
const ALARMS: u32 = ALARMED / 2;

/// How long the last posts are waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Readings that may wait for their acknowledgement before it is read.
const UNREAD_MAX: u32 = 100;

/// When each area was first posted about.
type Came = Arc<Mutex<BTreeMap<String, Instant>>>;

/// A webhook receiver that notes when it first heard of an area.
#[derive(Debug, Clone)]
pub(crate) struct Receiver {
    /// Where it listens.
    pub(crate) url: String,
    came: Came,
}

impl Receiver {
    /// Listens on a free port.
    pub(crate) async fn start() -> Receiver {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/hook", listener.local_addr().expect("bound"));
        let came = Came::default();
        let router = Router::new().route("/hook", post(take)).with_state(came.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Receiver { url, came }
    }

    fn came(&self) -> BTreeMap<String, Instant> {
        self.came.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn take(State(came): State<Came>, body: Bytes) -> StatusCode {
    let now = Instant::now();
    let text = String::from_utf8_lossy(&body);
    if let Some(at) = text.find("reach-") {
        let area = text[at..].chars().take("reach-000".len()).collect();
        came.lock().unwrap_or_else(PoisonError::into_inner).entry(area).or_insert(now);
    }
    StatusCode::NO_CONTENT
}

/// Which half of the areas is alarmed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Half {
    /// That of the service.
    First,
    /// That of its stand-in.
    Second,
}

/// How long the posts took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Latency {
    /// Half of them came within.
    pub(crate) p50: Duration,
    /// All but one in a hundred came within.
    pub(crate) p99: Duration,
    /// How many came.
    pub(crate) came: usize,
    /// How many should have.
    pub(crate) sent: usize,
}

/// Sends readings at a steady pace, alarms among them, and measures how long
/// each of those took to its post.
pub(crate) async fn measure(to: SocketAddr, receiver: &Receiver, half: Half) -> Latency {
    let sent = apart(pace(to, half)).await;
    let deadline = Instant::now() + PATIENCE;
    let took = loop {
        let came = receiver.came();
        let took = |(area, sent): &(String, Instant)| Some(came.get(area)?.saturating_duration_since(*sent));
        let mut took: Vec<Duration> = sent.iter().filter_map(took).collect();
        if took.len() == sent.len() || Instant::now() > deadline {
            took.sort();
            break took;
        }
        tokio::time::sleep(PACE * 20).await;
    };
    let within = |share: usize| took.get(took.len() * share / 100).copied().unwrap_or_default();
    Latency { p50: within(50), p99: within(99), came: took.len(), sent: sent.len() }
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
    let mut tick = tokio::time::interval(PACE);
    let mut sent = vec![];
    let (mut at_edge, mut at_calm) = (0, 0);
    for n in 0..ALARMS * ALARM_EVERY {
        tick.tick().await;
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
