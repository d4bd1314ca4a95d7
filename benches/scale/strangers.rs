//! A healthy device while a thousand others try what they must not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::child::{Place, Service};
use crate::client::{Client, connect_packet};
use crate::common::figures::Goal;
use crate::load::apart;
use crate::pace::Pace;
use crate::receiver::Receiver;
use crate::say;
use crate::site::{Site, Way, device, station};

/// How many try.
const STRANGERS: u32 = 1_000;
/// Each of them tries anew so long after the last time.
const AGAIN: Duration = Duration::from_secs(1);
/// Longer than this none of them waits for an answer.
const ANSWER_MAX: Duration = Duration::from_millis(900);

/// The healthy device sends so many, so far apart, and waits for each to be acknowledged.
const MESSAGES: u32 = 600;
const APART: Duration = Duration::from_millis(5);
/// Without them and with them, so often in turns; the medians are given.
const ROUNDS: usize = 3;

/// What a stranger tries.
#[derive(Debug, Clone, Copy)]
enum Trick {
    /// A device's name with another's secret.
    WrongSecret,
    /// A name that nobody has.
    NoDevice,
    /// Another protocol.
    Http,
    /// The largest CONNECT that MQTT can announce.
    Huge,
    /// Half a CONNECT.
    Half,
    /// Not a word.
    Silence,
}

const TRICKS: [Trick; 6] =
    [Trick::WrongSecret, Trick::NoDevice, Trick::Http, Trick::Huge, Trick::Half, Trick::Silence];

impl Trick {
    fn bytes(self, n: u32) -> Vec<u8> {
        let own = device(n % 100);
        match self {
            Trick::WrongSecret => connect_packet(&own, "no secret of its own"),
            Trick::NoDevice => connect_packet(&format!("stranger-{n}"), "no secret at all"),
            Trick::Http => b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".to_vec(),
            Trick::Huge => b"\x10\xff\xff\xff\x7f\0\x04MQTT\x04\xc2\0\x3c".to_vec(),
            Trick::Half => {
                let mut packet = connect_packet(&own, "no secret of its own");
                packet.truncate(packet.len() / 2);
                packet
            }
            Trick::Silence => vec![],
        }
    }
}

pub(crate) async fn measure() {
    let receiver = Receiver::start("reach-").await;
    let site = Site::new(Way::Listener, &receiver.url);
    let (service, _) = Service::start(&Place::from(&site)).await;
    let to: SocketAddr = ([127, 0, 0, 1], site.mqtt).into();
    let (mut without, mut with, mut tried) = (vec![], vec![], 0);
    for _ in 0..ROUNDS {
        without.push(apart(healthy(to)).await);
        let stop = Arc::new(AtomicBool::new(false));
        let strangers = tokio::spawn(apart(crowd(to, stop.clone())));
        tokio::time::sleep(AGAIN).await;
        with.push(apart(healthy(to)).await);
        stop.store(true, Ordering::Relaxed);
        tried += strangers.await.expect("no stranger panics");
    }
    let least = u64::from(STRANGERS) * ROUNDS as u64;
    assert!(tried >= least, "only {tried} tries, expected {least}");
    service.kill();
    let [without, with] = [without, with].map(|mut p99s: Vec<f64>| {
        p99s.sort_by(f64::total_cmp);
        p99s[p99s.len() / 2]
    });
    let what = format!("p99 of a healthy device, {STRANGERS} strangers trying (bare: none)");
    say(&what, "ms", Goal::AtMost(2.0 * without), with, Some(without));
}

/// Sends at a steady pace; the milliseconds within which all but one in a
/// hundred of its messages were acknowledged.
async fn healthy(to: SocketAddr) -> f64 {
    // The strangers use the names of the first ones.
    let n = 200;
    let mut client = Client::connect(to, &device(n)).await;
    let mut pace = Pace::new(APART);
    let mut took = vec![];
    for _ in 0..MESSAGES {
        pace.wait();
        let (began, time) = (Instant::now(), forewarn::clock::wall().0);
        let payload = format!(r#"{{"station":"{}","time":{time},"level":3.5}}"#, station(n * 10));
        client.publish("river/gauges", &payload);
        client.flush().await;
        assert_eq!(client.acknowledged().await, 1, "the healthy device keeps its connection");
        took.push(began.elapsed().as_secs_f64() * 1e3);
    }
    took.sort_by(f64::total_cmp);
    took[took.len() * 99 / 100]
}

/// All strangers, until they are told to stop. Returns how often they tried.
async fn crowd(to: SocketAddr, stop: Arc<AtomicBool>) -> u64 {
    let tried = Arc::new(AtomicU64::new(0));
    let mut strangers = JoinSet::new();
    for n in 0..STRANGERS {
        let (stop, tried) = (stop.clone(), tried.clone());
        strangers.spawn(async move {
            // Not all at the same moment.
            tokio::time::sleep(AGAIN * n / STRANGERS).await;
            let mut tick = tokio::time::interval(AGAIN);
            while !stop.load(Ordering::Relaxed) {
                tick.tick().await;
                attempt(to, TRICKS[n as usize % TRICKS.len()], n).await;
                tried.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    strangers.join_all().await;
    tried.load(Ordering::Relaxed)
}

/// One try: says what it has to say, and waits until it is thrown out or gives up.
async fn attempt(to: SocketAddr, trick: Trick, n: u32) {
    let Ok(mut stream) = TcpStream::connect(to).await else { return };
    // Whether it is still listened to does not matter to it.
    let _ = stream.write_all(&trick.bytes(n)).await;
    let mut answer = vec![];
    let _ = tokio::time::timeout(ANSWER_MAX, stream.read_to_end(&mut answer)).await;
    // A CONNACK that lets it in.
    assert!(!answer.starts_with(&[0x20, 2, 0, 0]), "{trick:?} is let in");
}
