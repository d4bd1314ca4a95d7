//! One connection over `rumqttc`, 3.1.1 or 5, behind one face. A connection is
//! never reused: what `rumqttc` keeps of a lost one (messages, queued
//! acknowledgements, collisions) goes with it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rumqttc::{NetworkOptions, TlsConfiguration, Transport, mqttbytes, v5};
use rustls::ClientConfig;

use super::gate::{Acknowledge, Full};
use crate::config::plan::{Mqtt, MqttVersion};

/// Requests waiting for the poll: an acknowledgement of every packet id.
const REQUESTS_MAX: usize = 65_535;

/// Room kept above a source's `packet_max`, so that a message too large can be
/// taken, quarantined and acknowledged without a reconnect for each.
pub(super) const OVERSIZE_TAKEN: u32 = 4 * 1024 * 1024;

/// The largest packet that MQTT knows.
pub(super) const PACKET_LIMIT: u32 = 268_435_455;

/// Unacknowledged messages asked of a broker at most (Receive Maximum, MQTT 5 only).
const RECEIVE_MAXIMUM: u16 = 8_192;

/// From the first packet to CONNACK.
const CONNECT_SECS: u64 = 10;

/// Keep-alives that both versions of the client accept.
const KEEP_ALIVE_SECS: std::ops::RangeInclusive<u64> = 5..=65_535;

/// Never expires (MQTT 5, section 3.1.2.11.2): as 3.1.1 has it.
const SESSION_FOR_EVER: u32 = u32::MAX;

/// A message as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arrived {
    pub(super) topic: Bytes,
    pub(super) payload: Bytes,
    /// Of a QoS 1 message; 0 for QoS 0.
    pub(super) packet: u16,
    pub(super) retained: bool,
    /// Whether it says that it may have come before.
    pub(super) again: bool,
}

/// What a poll brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// CONNACK.
    Connected { session_kept: bool },
    /// SUBACK, with how many filters were refused.
    Subscribed { refused: usize },
    /// A message.
    Message(Arrived),
    /// Pings, and our own packets gone out.
    Nothing,
}

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lost {
    /// A packet of so many bytes was beyond the limit.
    TooLarge(usize),
    /// Anything else, in words.
    Failed(String),
}

/// One connection.
pub(super) enum Client {
    V4(rumqttc::AsyncClient, Box<rumqttc::EventLoop>),
    V5(v5::AsyncClient, Box<v5::EventLoop>),
}

/// Largest packet that a connection takes: the source's own limit with room
/// above it, or what the last connection broke off for.
pub(super) fn incoming_limit(mqtt: &Mqtt, broke_off_at: Option<usize>) -> u32 {
    let usual = mqtt.packet_max.max(OVERSIZE_TAKEN);
    let needed = broke_off_at.map_or(0, |bytes| u32::try_from(bytes).unwrap_or(PACKET_LIMIT));
    usual.max(needed).min(PACKET_LIMIT)
}

fn network_options() -> NetworkOptions {
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    network.set_connection_timeout(CONNECT_SECS);
    network
}

fn keep_alive(mqtt: &Mqtt) -> Duration {
    let secs = u64::try_from(mqtt.keep_alive.0 / 1_000_000).unwrap_or(0);
    Duration::from_secs(secs.clamp(*KEEP_ALIVE_SECS.start(), *KEEP_ALIVE_SECS.end()))
}

/// As an address wants it: IPv6 in brackets.
fn host(mqtt: &Mqtt) -> String {
    match mqtt.host.parse::<std::net::Ipv6Addr>() {
        // With TLS the name is checked as it stands, and there brackets are no name.
        Ok(_) if mqtt.tls.is_none() => format!("[{}]", mqtt.host),
        Ok(_) | Err(_) => mqtt.host.clone(),
    }
}

fn options_v4(mqtt: &Mqtt, client_id: &str, limit: u32) -> rumqttc::MqttOptions {
    let mut options = rumqttc::MqttOptions::new(client_id, host(mqtt), mqtt.port);
    options
        .set_keep_alive(keep_alive(mqtt))
        .set_clean_session(false)
        .set_manual_acks(true)
        // Nothing is published here; a table for it would be memory for nothing.
        .set_inflight(1)
        .set_max_packet_size(limit as usize, limit as usize);
    if let Some(user) = &mqtt.user {
        options.set_credentials(user, mqtt.password.as_ref().map_or("", |secret| secret.expose()));
    }
    options
}

fn options_v5(mqtt: &Mqtt, client_id: &str, limit: u32) -> v5::MqttOptions {
    let mut options = v5::MqttOptions::new(client_id, host(mqtt), mqtt.port);
    options
        .set_keep_alive(keep_alive(mqtt))
        .set_clean_start(false)
        .set_session_expiry_interval(Some(SESSION_FOR_EVER))
        .set_manual_acks(true)
        .set_receive_maximum(Some(RECEIVE_MAXIMUM))
        .set_max_packet_size(Some(limit))
        // The client hands a message on before it looks its alias up.
        .set_topic_alias_max(Some(0))
        .set_connection_timeout(CONNECT_SECS)
        .set_outgoing_inflight_upper_limit(1)
        .set_network_options(network_options());
    if let Some(user) = &mqtt.user {
        options.set_credentials(user, mqtt.password.as_ref().map_or("", |secret| secret.expose()));
    }
    options
}

impl Client {
    /// Ready to connect at the first poll, with the line back for acknowledgements.
    pub(super) fn new(
        mqtt: &Mqtt,
        client_id: &str,
        limit: u32,
        tls: Option<Arc<ClientConfig>>,
    ) -> (Client, Box<dyn Acknowledge>) {
        let transport = tls.map(|config| Transport::tls_with_config(TlsConfiguration::Rustls(config)));
        match mqtt.version {
            MqttVersion::V4 => {
                let mut options = options_v4(mqtt, client_id, limit);
                if let Some(transport) = transport {
                    options.set_transport(transport);
                }
                let (client, mut eventloop) = rumqttc::AsyncClient::new(options, REQUESTS_MAX);
                eventloop.set_network_options(network_options());
                (Client::V4(client.clone(), Box::new(eventloop)), Box::new(LineV4(client)))
            }
            MqttVersion::V5 => {
                let mut options = options_v5(mqtt, client_id, limit);
                if let Some(transport) = transport {
                    options.set_transport(transport);
                }
                let (client, eventloop) = v5::AsyncClient::new(options, REQUESTS_MAX);
                (Client::V5(client.clone(), Box::new(eventloop)), Box::new(LineV5(client)))
            }
        }
    }

    /// Waits for the next thing. After an error the connection is over; only
    /// [`Client::buffered`] still gives what had come before it.
    pub(super) async fn poll(&mut self) -> Result<Heard, Lost> {
        match self {
            Client::V4(_, eventloop) => eventloop.poll().await.map(heard_v4).map_err(|fault| lost_v4(&fault)),
            Client::V5(_, eventloop) => eventloop.poll().await.map(heard_v5).map_err(|fault| lost_v5(&fault)),
        }
    }

    /// The next thing that came in with the same read, without waiting.
    pub(super) fn buffered(&mut self) -> Option<Heard> {
        match self {
            Client::V4(_, eventloop) => eventloop.state.events.pop_front().map(heard_v4),
            Client::V5(_, eventloop) => eventloop.state.events.pop_front().map(heard_v5),
        }
    }

    /// Asks for the topics, once the poll goes on.
    pub(super) fn subscribe(&self, topics: &[String], qos: u8) -> Result<(), String> {
        match self {
            Client::V4(client, _) => {
                let qos = if qos == 0 { mqttbytes::QoS::AtMostOnce } else { mqttbytes::QoS::AtLeastOnce };
                let filters = topics.iter().map(|topic| rumqttc::SubscribeFilter::new(topic.clone(), qos));
                client.try_subscribe_many(filters).map_err(|_| bad_filter(topics))
            }
            Client::V5(client, _) => {
                use v5::mqttbytes::QoS;
                use v5::mqttbytes::v5::{Filter, RetainForwardRule};
                let qos = if qos == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
                let filters = topics.iter().map(|topic| {
                    let mut filter = Filter::new(topic.clone(), qos);
                    // A resumed session has had its retained messages.
                    filter.retain_forward_rule = RetainForwardRule::OnNewSubscribe;
                    filter
                });
                client.try_subscribe_many(filters).map_err(|_| bad_filter(topics))
            }
        }
    }

    /// Says goodbye behind the acknowledgements that wait; the poll then ends.
    pub(super) fn disconnect(&self) {
        // No room: the connection is dropped without it, and the session stands all the same.
        match self {
            Client::V4(client, _) => drop(client.try_disconnect()),
            Client::V5(client, _) => drop(client.try_disconnect()),
        }
    }
}

fn bad_filter(topics: &[String]) -> String {
    format!("topics {topics:?} are not taken, expected filters such as \"river/#\"")
}

fn heard_v4(event: rumqttc::Event) -> Heard {
    use rumqttc::{Event, Packet, SubscribeReasonCode};
    match event {
        Event::Incoming(Packet::Publish(publish)) => Heard::Message(Arrived {
            topic: publish.topic.into(),
            payload: publish.payload,
            packet: publish.pkid,
            retained: publish.retain,
            again: publish.dup,
        }),
        Event::Incoming(Packet::ConnAck(connack)) => {
            Heard::Connected { session_kept: connack.session_present }
        }
        Event::Incoming(Packet::SubAck(suback)) => {
            let refused = |code: &&SubscribeReasonCode| !matches!(code, SubscribeReasonCode::Success(_));
            Heard::Subscribed { refused: suback.return_codes.iter().filter(refused).count() }
        }
        Event::Incoming(_) | Event::Outgoing(_) => Heard::Nothing,
    }
}

fn heard_v5(event: v5::Event) -> Heard {
    use v5::Event;
    use v5::mqttbytes::v5::{Packet, SubscribeReasonCode};
    match event {
        Event::Incoming(Packet::Publish(publish)) => Heard::Message(Arrived {
            topic: publish.topic,
            payload: publish.payload,
            packet: publish.pkid,
            retained: publish.retain,
            again: publish.dup,
        }),
        Event::Incoming(Packet::ConnAck(connack)) => {
            Heard::Connected { session_kept: connack.session_present }
        }
        Event::Incoming(Packet::SubAck(suback)) => {
            let refused = |code: &&SubscribeReasonCode| !matches!(code, SubscribeReasonCode::Success(_));
            Heard::Subscribed { refused: suback.return_codes.iter().filter(refused).count() }
        }
        Event::Incoming(_) | Event::Outgoing(_) => Heard::Nothing,
    }
}

fn lost_v4(fault: &rumqttc::ConnectionError) -> Lost {
    use rumqttc::{ConnectionError, StateError};
    match fault {
        ConnectionError::MqttState(StateError::Deserialization(
            mqttbytes::Error::PayloadSizeLimitExceeded(bytes),
        )) => Lost::TooLarge(*bytes),
        other => Lost::Failed(other.to_string()),
    }
}

fn lost_v5(fault: &v5::ConnectionError) -> Lost {
    use v5::{ConnectionError, StateError};
    match fault {
        ConnectionError::MqttState(
            StateError::Deserialization(v5::mqttbytes::Error::PayloadSizeLimitExceeded { pkt_size, .. })
            | StateError::IncomingPacketTooLarge { pkt_size, .. },
        ) => Lost::TooLarge(*pkt_size),
        other => Lost::Failed(other.to_string()),
    }
}

struct LineV4(rumqttc::AsyncClient);

impl Acknowledge for LineV4 {
    fn try_ack(&self, packet: u16) -> Result<(), Full> {
        let mut publish = rumqttc::Publish::new("", mqttbytes::QoS::AtLeastOnce, Vec::new());
        publish.pkid = packet;
        self.0.try_ack(&publish).map_err(|_| Full)
    }
}

struct LineV5(v5::AsyncClient);

impl Acknowledge for LineV5 {
    fn try_ack(&self, packet: u16) -> Result<(), Full> {
        let mut publish =
            v5::mqttbytes::v5::Publish::new("", v5::mqttbytes::QoS::AtLeastOnce, Bytes::new(), None);
        publish.pkid = packet;
        self.0.try_ack(&publish).map_err(|_| Full)
    }
}

macro_rules! named_debug {
    ($($line:ident),+) => {$(
        impl std::fmt::Debug for $line {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($line))
            }
        }
    )+};
}

named_debug!(LineV4, LineV5);

#[cfg(test)]
mod tests {
    use forewarn_core::time::Span;

    use super::*;
    use crate::config::secret::Secret;

    fn mqtt(packet_max: u32) -> Mqtt {
        Mqtt {
            host: "broker".into(),
            port: 1883,
            tls: None,
            version: MqttVersion::V4,
            topics: vec!["river/#".into()],
            qos: 1,
            client_id: None,
            user: Some("forewarn".into()),
            password: Some(Secret::new("secret")),
            packet_max,
            keep_alive: Span::from_secs(1),
        }
    }

    #[test]
    fn sessions_persist_sizes_are_set_and_nothing_is_acknowledged_by_itself() {
        let limit = incoming_limit(&mqtt(1 << 20), None);
        let v4 = options_v4(&mqtt(1 << 20), "f-1", limit);
        assert!(!v4.clean_session() && v4.manual_acks());
        assert_eq!(v4.max_packet_size(), 4 << 20);
        assert_eq!(v4.keep_alive(), Duration::from_secs(5));
        let v5 = options_v5(&mqtt(8 << 20), "f-1", incoming_limit(&mqtt(8 << 20), None));
        assert!(!v5.clean_start() && v5.manual_acks());
        assert_eq!(v5.max_packet_size(), Some(8 << 20));
        assert_eq!(v5.session_expiry_interval(), Some(SESSION_FOR_EVER));
        assert_eq!(v5.receive_maximum(), Some(RECEIVE_MAXIMUM));
    }

    /// The options tell nobody whether Nagle's delay is off; the socket does.
    #[tokio::test]
    async fn nagle_is_off() {
        for version in [MqttVersion::V4, MqttVersion::V5] {
            let broker = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
            let address = broker.local_addr().expect("an address");
            let mqtt = Mqtt { host: "127.0.0.1".into(), port: address.port(), version, ..mqtt(1024) };
            let (mut client, _) = Client::new(&mqtt, "f-1", OVERSIZE_TAKEN, None);
            let polling = tokio::spawn(async move { client.poll().await });
            let (accepted, peer) = tokio::task::spawn_blocking(move || broker.accept())
                .await
                .expect("no panic")
                .expect("a client");
            let socket = sockets().find(|socket| socket.local_addr().is_ok_and(|local| local == peer));
            assert!(socket.expect("ours").nodelay().expect("an option"), "{version:?}");
            polling.abort();
            drop(accepted);
        }
    }

    /// A second handle on every socket of this process.
    fn sockets() -> impl Iterator<Item = std::net::TcpStream> {
        use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
        let own = pidfd_open(getpid(), PidfdFlags::empty()).expect("this process");
        let numbers = std::fs::read_dir("/proc/self/fd").expect("procfs");
        numbers
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter_map(move |number| pidfd_getfd(&own, number, PidfdGetfdFlags::empty()).ok())
            .map(std::net::TcpStream::from)
    }

    #[test]
    fn a_connection_broken_off_for_size_takes_that_size_next_time() {
        assert_eq!(incoming_limit(&mqtt(1024), None), OVERSIZE_TAKEN);
        assert_eq!(incoming_limit(&mqtt(1024), Some(9 << 20)), 9 << 20);
        assert_eq!(incoming_limit(&mqtt(1024), Some(usize::MAX)), PACKET_LIMIT);
    }
}
