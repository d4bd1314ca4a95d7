//! Through mosquitto: what the service's processor time is, at a steady pace
//! and when the broker gives all it can, beside a bare subscriber's.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::alarms::APART;
use crate::bare::subscriber;
use crate::child::{Place, Service};
use crate::client::Client;
use crate::common::cpu;
use crate::common::figures::{Goal, missing};
use crate::load::{BROKER_SETTINGS, Calendar, Load, apart};
use crate::mosquitto::Mosquitto;
use crate::pace::Pace;
use crate::receiver::Receiver;
use crate::say;
use crate::site::{STATIONS, Site, Way, device, station};

/// Messages at the steady pace, to the service and to the bare subscriber.
const STEADY: u64 = 200_000;
const STEADY_BARE: u64 = 50_000;
/// Who sends them, in turns.
const PUBLISHERS: u32 = 50;
/// As much as the broker takes.
const FLOOD: Load = Load { connections: 20, window: 50, messages: 3_000, readings: 1 };
/// How long a load may take to come through.
const PATIENCE: Duration = Duration::from_mins(2);
/// Between two looks at how far the service is: each costs it time.
const LOOK: Duration = Duration::from_millis(50);

/// What these figures are called, and what they should reach.
const COST: (&str, &str, Goal) =
    ("processor time of a million QoS 1 singles through mosquitto at 5,000/s", "s", Goal::AtMost(60.0));
const RATE: (&str, &str, Goal) =
    ("all that mosquitto gives, as a process of its own", "readings/s", Goal::None);
const CORES: (&str, &str, Goal) =
    ("all that mosquitto gives: processors of ours", "cores", Goal::AtMost(0.5));

pub(crate) async fn measure() {
    let Some(broker) = Mosquitto::start(|_: &Path| BROKER_SETTINGS.into()) else {
        return [COST, RATE, CORES]
            .into_iter()
            .for_each(|(what, unit, goal)| missing(what, unit, goal, "mosquitto is missing"));
    };
    let bare = Used::by_bare(broker.port, STEADY_BARE, steady(broker.port, STEADY_BARE)).await;
    let flood = async |calendar: &mut Calendar| {
        FLOOD.send(([127, 0, 0, 1], broker.port).into(), calendar).await.messages
    };
    let mut calendar = Calendar::default();
    let all = u64::from(FLOOD.connections * FLOOD.messages);
    let bare_flood = Used::by_bare(broker.port, all, flood(&mut calendar)).await;

    let receiver = Receiver::start("reach-").await;
    let site = Site::new(Way::Broker(broker.port), &receiver.url);
    let (service, _) = Service::start(&Place::from(&site)).await;
    be_heard(&service, broker.port).await;
    let ours = Used::by_us(&service, steady(broker.port, STEADY)).await;
    let ours_flood = Used::by_us(&service, flood(&mut calendar)).await;
    service.kill();

    for ((what, unit, goal), ours, bare) in [
        (COST, ours.cpu_secs_a_million(), bare.cpu_secs_a_million()),
        (RATE, ours_flood.rate(), bare_flood.rate()),
        (CORES, ours_flood.cores(), bare_flood.cores()),
    ] {
        say(what, unit, goal, ours, Some(bare));
    }
}

/// What a load took.
#[derive(Debug, Clone, Copy)]
struct Used {
    messages: u64,
    cpu_secs: f64,
    secs: f64,
}

impl Used {
    /// From the first message until the service has committed the last.
    async fn by_us(service: &Service, load: impl Future<Output = u64>) -> Used {
        let (before, cpu, began) = (service.readings().await, service.cpu_secs(), Instant::now());
        let messages = load.await;
        while service.readings().await < before + messages {
            assert!(began.elapsed() < PATIENCE, "the service has not committed all in time");
            tokio::time::sleep(LOOK).await;
        }
        Used { messages, cpu_secs: service.cpu_secs() - cpu, secs: began.elapsed().as_secs_f64() }
    }

    /// The same of a subscriber that only acknowledges.
    async fn by_bare(port: u16, messages: u64, load: impl Future<Output = u64>) -> Used {
        let (subscribed, ready) = oneshot::channel();
        let counting = tokio::spawn(apart(async move {
            let sent = subscriber(port, messages, subscribed, PATIENCE).await;
            // The thread was begun for this, and has done nothing else.
            (sent.messages, cpu::used_secs(cpu::THREAD).expect("procfs"))
        }));
        ready.await.expect("the broker grants the subscription");
        let began = Instant::now();
        load.await;
        let (came, cpu_secs) = counting.await.expect("no subscriber panics");
        assert_eq!(came, messages, "all of them come");
        Used { messages, cpu_secs, secs: began.elapsed().as_secs_f64() }
    }

    fn cpu_secs_a_million(self) -> f64 {
        self.cpu_secs / self.messages as f64 * 1e6
    }

    fn rate(self) -> f64 {
        self.messages as f64 / self.secs
    }

    fn cores(self) -> f64 {
        self.cpu_secs / self.secs
    }
}

/// Sends single messages until the service has committed one, and then for as
/// long as it goes on committing: it is subscribed then, and nothing is on its way.
async fn be_heard(service: &Service, port: u16) {
    let deadline = Instant::now() + PATIENCE;
    let mut sent = 0;
    while service.readings().await == 0 {
        assert!(Instant::now() < deadline, "the service does not hear the broker");
        sent += steady(port, 1).await;
        tokio::time::sleep(LOOK).await;
    }
    let mut committed = 0;
    while committed < service.readings().await {
        committed = service.readings().await;
        tokio::time::sleep(LOOK).await;
    }
    assert!(committed <= sent, "{committed} of {sent} messages");
}

/// Sends so many messages at a steady pace from many publishers in turns.
/// Returns how many the broker acknowledged: all of them.
async fn steady(port: u16, messages: u64) -> u64 {
    let to: SocketAddr = ([127, 0, 0, 1], port).into();
    apart(async move {
        let mut publishers = vec![];
        for n in 0..PUBLISHERS {
            publishers.push((Client::connect(to, &device(n)).await, 0));
        }
        let mut pace = Pace::new(APART);
        for n in 0..messages as u32 {
            pace.wait();
            let (client, unread) = &mut publishers[(n % PUBLISHERS) as usize];
            let time = forewarn::clock::wall().0;
            let metres = 3.0 + f64::from(n % 97) / 100.0;
            let station = station(n % STATIONS);
            let payload = format!(r#"{{"station":"{station}","time":{time},"level":{metres:.2}}}"#);
            client.publish("river/gauges", &payload);
            client.flush().await;
            *unread += 1;
            // Read now and then, so that no buffer fills.
            if *unread > UNREAD_MAX {
                *unread -= client.acknowledged().await;
            }
        }
        for (mut client, mut unread) in publishers {
            while unread > 0 {
                let acknowledged = client.acknowledged().await;
                assert!(acknowledged > 0, "the broker keeps the connection");
                unread -= acknowledged;
            }
        }
        messages
    })
    .await
}

/// Messages of a publisher that may wait for their acknowledgement before it is read.
const UNREAD_MAX: u32 = 100;
