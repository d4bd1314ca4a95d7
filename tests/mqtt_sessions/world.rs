//! What the tests play with: an inbox whose durability they control, a session
//! under test, and a publisher.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use forewarn::config::plan::{Decode, From, Mqtt, MqttVersion, Setup, Source};
use forewarn::config::secret::Secret;
use forewarn::ingest::mqtt::Session;
use forewarn::ports::{Acks, Batch, CivilClock, Inbox};
use forewarn_core::event::Input;
use forewarn_core::ids::SourceIx;
use forewarn_core::reading::Marks;
use forewarn_core::time::{Span, Timestamp};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::common::setup;

/// Longest wait for anything that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The source under test.
pub(crate) const SOURCE: SourceIx = SourceIx(3);

/// When what came in is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durable {
    /// At once.
    AtOnce,
    /// When the test says so.
    WhenTold,
}

/// What came in.
#[derive(Debug)]
pub(crate) struct Contents {
    /// Values in order of arrival.
    pub(crate) values: Vec<f64>,
    pub(crate) marks: Vec<Marks>,
    pub(crate) identities: Vec<u64>,
    /// Reasons and lengths of what was refused.
    pub(crate) refused: Vec<(String, usize)>,
    pub(crate) waiting: Vec<Acks>,
    /// Up and down, in order.
    pub(crate) standings: Vec<bool>,
    /// Whether it is there, and its words.
    pub(crate) troubles: Vec<(bool, String)>,
    /// Batches given back.
    pub(crate) full: usize,
    pub(crate) room_for: usize,
    /// Whether the next batch trips a bug.
    stumbles: bool,
    durable: Durable,
}

#[derive(Debug)]
pub(crate) struct FakeInbox {
    contents: watch::Sender<Contents>,
    room: Notify,
}

impl FakeInbox {
    pub(crate) fn new(durable: Durable) -> Arc<Self> {
        let contents = Contents {
            values: vec![],
            marks: vec![],
            identities: vec![],
            refused: vec![],
            waiting: vec![],
            standings: vec![],
            troubles: vec![],
            full: 0,
            room_for: usize::MAX,
            stumbles: false,
            durable,
        };
        Arc::new(FakeInbox { contents: watch::Sender::new(contents), room: Notify::new() })
    }

    /// Waits until what came in is as expected.
    pub(crate) async fn until(&self, what: &str, mut expected: impl FnMut(&Contents) -> bool) {
        let mut watching = self.contents.subscribe();
        let waited = tokio::time::timeout(PATIENCE, watching.wait_for(|contents| expected(contents))).await;
        assert!(waited.is_ok(), "{what}: {:?}", self.contents.borrow());
    }

    pub(crate) fn look<T>(&self, look: impl FnOnce(&Contents) -> T) -> T {
        look(&self.contents.borrow())
    }

    /// Takes what waits to be told durable.
    pub(crate) fn waiting(&self) -> Vec<Acks> {
        let mut due = vec![];
        self.contents.send_modify(|contents| due.append(&mut contents.waiting));
        due
    }

    /// Room for so many more messages.
    pub(crate) fn set_room(&self, room_for: usize) {
        self.contents.send_modify(|contents| contents.room_for = room_for);
        self.room.notify_waiters();
    }

    /// Panics at the next batch, as a bug on its way would.
    pub(crate) fn stumble(&self) {
        self.contents.send_modify(|contents| contents.stumbles = true);
    }

    pub(crate) fn set_durable(&self, durable: Durable) {
        self.contents.send_modify(|contents| contents.durable = durable);
    }
}

/// Says of messages that they are durable.
pub(crate) fn sync(acks: &[Acks]) {
    for acks in acks {
        acks.gate.durable(&acks.tokens);
    }
}

impl Inbox for FakeInbox {
    fn offer(&self, batch: Batch) -> Result<(), Batch> {
        let mut stumbles = false;
        self.contents.send_modify(|contents| stumbles = std::mem::take(&mut contents.stumbles));
        assert!(!stumbles, "a bug, as the test asked for");
        let mut given_back = None;
        let mut durable = vec![];
        self.contents.send_modify(|contents| {
            if batch.taken.len() > contents.room_for {
                contents.full += 1;
                given_back = Some(batch);
                return;
            }
            contents.room_for -= batch.taken.len();
            contents.values.extend(batch.taken.iter().map(|taken| taken.raw));
            contents.marks.extend(batch.taken.iter().map(|taken| taken.marks));
            contents.identities.extend(batch.taken.iter().map(|taken| taken.identity));
            contents.refused.extend(batch.refused.iter().map(|one| (one.reason.clone(), one.bytes.len())));
            match contents.durable {
                Durable::AtOnce => durable.extend(batch.acks),
                Durable::WhenTold => contents.waiting.extend(batch.acks),
            }
        });
        sync(&durable);
        given_back.map_or(Ok(()), Err)
    }

    fn control(&self, input: Input) {
        self.contents.send_modify(|contents| match input {
            Input::Source(SOURCE, up) => contents.standings.push(up),
            Input::Trouble(report) => contents.troubles.push((report.present, report.detail)),
            other => panic!("a session says nothing such as {other:?}"),
        });
    }

    fn room(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let notified = self.room.notified();
        let open = self.look(|contents| contents.room_for > 0);
        Box::pin(async move {
            if !open {
                notified.await;
            }
        })
    }
}

/// Always the same minute.
#[derive(Debug)]
struct StoppedClock;

impl CivilClock for StoppedClock {
    fn civil(&self) -> Timestamp {
        Timestamp::from_secs(1_782_892_800)
    }
}

/// How a source of these tests reads its broker.
pub(crate) fn mqtt(port: u16, version: MqttVersion) -> Mqtt {
    Mqtt {
        host: "127.0.0.1".into(),
        port,
        tls: None,
        version,
        topics: vec!["river/#".into()],
        qos: 1,
        client_id: None,
        user: None,
        password: None::<Secret>,
        packet_max: 64 * 1024,
        keep_alive: Span::from_secs(30),
    }
}

/// A running session; stopped, it leaves its session at the broker.
pub(crate) struct UnderTest {
    session: Session,
    shutdown: CancellationToken,
    _current: watch::Sender<Arc<Setup>>,
}

impl UnderTest {
    pub(crate) fn start(mqtt: Mqtt, inbox: &Arc<FakeInbox>) -> UnderTest {
        let source = Source {
            name: "river".into(),
            ix: SOURCE,
            from: From::Mqtt(Box::new(mqtt)),
            decode: Decode { format: setup::json(r#"{"topic": "river/{station}/{quantity}"}"#) },
        };
        let setup = Setup { sources: vec![source.clone()], listener: None, ..setup::setup(&["qj-017"]) };
        let (current, watching) = watch::channel(Arc::new(setup));
        let shutdown = CancellationToken::new();
        let session = Session::start(
            &source,
            watching,
            inbox.clone(),
            "forewarn-test-river".into(),
            Arc::new(StoppedClock),
            shutdown.clone(),
        )
        .expect("an MQTT source");
        UnderTest { session, shutdown, _current: current }
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(PATIENCE, self.session.stopped()).await.expect("it stops");
    }
}

/// Somebody who publishes values of `qj-017/level`.
pub(crate) struct Publisher {
    client: rumqttc::AsyncClient,
    acknowledged: watch::Receiver<usize>,
    published: Mutex<usize>,
    task: tokio::task::JoinHandle<()>,
}

impl Publisher {
    pub(crate) async fn connect(port: u16) -> Publisher {
        let mut options = rumqttc::MqttOptions::new("publisher", "127.0.0.1", port);
        options.set_max_packet_size(16 << 20, 16 << 20);
        let (client, mut eventloop) = rumqttc::AsyncClient::new(options, 1_000);
        let (told, acknowledged) = watch::channel(0);
        let (connected, mut up) = watch::channel(());
        let task = tokio::spawn(async move {
            use rumqttc::{Event, Packet};
            loop {
                match eventloop.poll().await {
                    Ok(Event::Incoming(Packet::PubAck(_))) => told.send_modify(|count| *count += 1),
                    Ok(Event::Incoming(Packet::ConnAck(_))) => drop(connected.send(())),
                    Ok(_) => {}
                    Err(fault) => panic!("publisher: {fault}"),
                }
            }
        });
        tokio::time::timeout(PATIENCE, up.changed()).await.expect("in time").expect("connected");
        Publisher { client, acknowledged, published: Mutex::new(0), task }
    }

    /// One message with QoS 1; returns once the broker has it.
    pub(crate) async fn publish(&self, payload: impl Into<Vec<u8>>) {
        self.publish_as(false, payload).await;
    }

    /// The same of a message that the broker keeps for who comes later.
    pub(crate) async fn publish_to_keep(&self, payload: impl Into<Vec<u8>>) {
        self.publish_as(true, payload).await;
    }

    async fn publish_as(&self, retained: bool, payload: impl Into<Vec<u8>>) {
        self.send(rumqttc::QoS::AtLeastOnce, retained, payload).await;
        let published = {
            let mut published = self.published.lock().expect("lock");
            *published += 1;
            *published
        };
        let mut acknowledged = self.acknowledged.clone();
        let waited = acknowledged.wait_for(|count| *count >= published);
        tokio::time::timeout(PATIENCE, waited).await.expect("in time").expect("a broker");
    }

    pub(crate) async fn send(&self, qos: rumqttc::QoS, retained: bool, payload: impl Into<Vec<u8>>) {
        self.client.publish("river/qj-017/level", qos, retained, payload).await.expect("a connection");
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.task.abort();
    }
}
