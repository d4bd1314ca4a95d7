//! Two gateways that report without rest, whatever fails: one to the service's
//! own listener, one to a broker. What is not acknowledged they send again.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::common::house::PATIENCE;
use crate::publisher::{Message, Publisher};
use crate::valley::stations;

/// Ways in: listener and broker.
pub(crate) const WAYS: usize = 2;
/// Each gateway reports so often.
const EVERY: Duration = Duration::from_millis(10);
/// And so many readings then.
const READINGS: usize = 2;
/// Not acknowledged, at most: packet ids are two bytes.
const WAITING_MAX: usize = 60_000;

/// Station and instant of a reading: no two have the same.
pub(crate) type Reported = (String, i64);

/// How it stands, to be looked at while they report.
#[derive(Debug, Default)]
struct Tally {
    /// How far the water has risen.
    stage: AtomicUsize,
    is_over: AtomicBool,
    /// Of the broker's.
    sent: AtomicUsize,
    acked: AtomicUsize,
}

/// Both of them, at work.
#[derive(Debug)]
pub(crate) struct Carriers {
    tally: Arc<Tally>,
    tasks: [JoinHandle<Vec<Message>>; WAYS],
}

impl Carriers {
    /// Starts them: the gauges with even numbers report to the first address,
    /// the others to the second.
    pub(crate) fn start(listener: Publisher, addresses: [SocketAddr; WAYS], gauges: usize) -> Carriers {
        let tally = Arc::<Tally>::default();
        let broker = Publisher::new("broker-gateway", "of no secret");
        let tasks = [(listener, 0), (broker, 1)].map(|(publisher, way)| {
            let mine =
                stations(gauges).into_iter().enumerate().filter(|(number, _)| number % WAYS == way).collect();
            let carrier =
                Carrier { publisher, address: addresses[way], way, gauges: mine, at: 0, connected: false };
            tokio::spawn(carrier.carry(tally.clone()))
        });
        Carriers { tally, tasks }
    }

    /// Another few gauges go to yellow, and those that were yellow to red.
    pub(crate) fn rise(&mut self) {
        self.tally.stage.fetch_add(1, Ordering::Relaxed);
    }

    /// So many wait at the broker's gateway.
    pub(crate) fn waiting(&self) -> usize {
        self.sent().saturating_sub(self.acked())
    }

    /// So many has the broker's gateway sent.
    pub(crate) fn sent(&self) -> usize {
        self.tally.sent.load(Ordering::Relaxed)
    }

    /// So many of them were acknowledged.
    pub(crate) fn acked(&self) -> usize {
        self.tally.acked.load(Ordering::Relaxed)
    }

    /// Ends them, once all is acknowledged: what was.
    pub(crate) async fn finish(self) -> BTreeSet<Reported> {
        self.tally.is_over.store(true, Ordering::Relaxed);
        let mut reported = BTreeSet::new();
        for task in self.tasks {
            for message in timeout(PATIENCE, task).await.expect("in time").expect("no gateway panics") {
                let read: serde_json::Value = serde_json::from_str(&message.payload).expect("our own JSON");
                reported.insert((message.station, read["time"].as_i64().expect("our own time")));
            }
        }
        reported
    }
}

struct Carrier {
    publisher: Publisher,
    address: SocketAddr,
    way: usize,
    /// Its gauges, with their numbers.
    gauges: Vec<(usize, String)>,
    at: i64,
    connected: bool,
}

impl Carrier {
    async fn carry(mut self, tally: Arc<Tally>) -> Vec<Message> {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut turn = 0;
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    if !self.connected {
                        self.connected = self.publisher.connect(self.address).await.is_ok();
                    }
                    let is_over = tally.is_over.load(Ordering::Relaxed);
                    if is_over && self.publisher.waiting() == 0 {
                        return self.publisher.acked;
                    }
                    for _ in 0..READINGS {
                        if is_over || self.publisher.waiting() >= WAITING_MAX {
                            break;
                        }
                        let message = self.next(turn, tally.stage.load(Ordering::Relaxed));
                        turn += 1;
                        // Where it fails it waits, and is sent again with the next connection.
                        self.connected &= self.publisher.send(message).await.is_ok();
                    }
                }
                heard = self.publisher.hear(), if self.connected && self.publisher.waiting() > 0 => {
                    if heard.is_err() {
                        self.connected = false;
                    }
                }
            }
            if self.way == 1 {
                tally.sent.store(self.publisher.acked.len() + self.publisher.waiting(), Ordering::Relaxed);
                tally.acked.store(self.publisher.acked.len(), Ordering::Relaxed);
            }
        }
    }

    /// The gauges report in turn. Each pair of them crosses at a stage of its own.
    fn next(&mut self, turn: usize, stage: usize) -> Message {
        let (number, station) = &self.gauges[turn % self.gauges.len()];
        let metres = match stage.cmp(&(1 + number / WAYS)) {
            std::cmp::Ordering::Less => 50.0,
            std::cmp::Ordering::Equal => 57.2,
            std::cmp::Ordering::Greater => 59.2,
        };
        self.at = forewarn::clock::wall().0.max(self.at + 1);
        let payload = format!(r#"{{"station":"{station}","time":{},"level":{metres}}}"#, self.at);
        Message { station: station.clone(), payload, value: metres }
    }
}
