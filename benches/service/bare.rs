//! The least that can stand in the service's place: acknowledges what it
//! reads, keeps nothing and judges nothing; and a subscriber that does as little.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rumqttc::{AsyncClient, Event, MqttOptions, NetworkOptions, Packet, QoS};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

use crate::load::Sent;

/// Payloads of alarms on their way to whoever posts them. Full: the reader waits.
const ALARMS_MAX: usize = 1024;

/// Accepts MQTT and acknowledges every message as soon as it is read. Payloads
/// of topics that begin with `alarm` come out at the other end.
pub(crate) async fn acknowledger() -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (alarms, heard) = mpsc::channel(ALARMS_MAX);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(acknowledge(stream, alarms.clone()));
        }
    });
    (address, heard)
}

async fn acknowledge(mut stream: TcpStream, alarms: mpsc::Sender<String>) {
    stream.set_nodelay(true).expect("a socket option");
    let (mut carry, mut out, mut heard) = (Vec::with_capacity(64 * 1024), vec![], vec![]);
    while let Ok(1..) = stream.read_buf(&mut carry).await {
        let mut rest = &carry[..];
        while let Some((kind, body, after)) = packet(rest) {
            rest = after;
            match kind >> 4 {
                1 => out.extend([0x20, 2, 0, 0]),
                3 => {
                    let topic = usize::from(u16::from_be_bytes([body[0], body[1]]));
                    out.extend([0x40, 2, body[2 + topic], body[3 + topic]]);
                    if body[2..2 + topic].starts_with(b"alarm") {
                        heard.push(String::from_utf8_lossy(&body[4 + topic..]).into_owned());
                    }
                }
                _ => return,
            }
        }
        let left = rest.len();
        carry.drain(..carry.len() - left);
        if stream.write_all(&out).await.is_err() {
            return;
        }
        out.clear();
        for payload in heard.drain(..) {
            if alarms.send(payload).await.is_err() {
                return;
            }
        }
    }
}

/// The first packet: its first byte, its body, and what comes after it.
fn packet(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&kind, mut rest) = bytes.split_first()?;
    let mut length = 0;
    for shift in (0..28).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        rest = after;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let (body, after) = rest.split_at_checked(length)?;
    Some((kind, body, after))
}

/// Subscribes to the river of a broker, acknowledges by hand, and counts until
/// so many messages have come or the time is up.
pub(crate) async fn subscriber(
    port: u16,
    messages: u64,
    subscribed: oneshot::Sender<()>,
    most: Duration,
) -> Sent {
    let mut options = MqttOptions::new("bare", "127.0.0.1", port);
    options.set_manual_acks(true).set_max_packet_size(1 << 20, 1 << 20);
    let (client, mut events) = AsyncClient::new(options, 65_535);
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    events.set_network_options(network);
    client.try_subscribe("river/#", QoS::AtLeastOnce).expect("room in a new queue");
    let (mut subscribed, mut began, mut sent) = (Some(subscribed), None, Sent::default());
    let counting = async {
        while sent.messages < messages {
            match events.poll().await.expect("the broker runs") {
                Event::Incoming(Packet::SubAck(_)) => {
                    // The load waits for it.
                    let _ = subscribed.take().map(|it| it.send(()));
                }
                Event::Incoming(Packet::Publish(publish)) => {
                    let began = *began.get_or_insert_with(Instant::now);
                    client.try_ack(&publish).expect("room for as many as the broker leaves unacknowledged");
                    sent.messages += 1;
                    sent.took = began.elapsed();
                }
                Event::Incoming(_) | Event::Outgoing(_) => {}
            }
        }
    };
    // What had come by then counts.
    let _ = tokio::time::timeout(most, counting).await;
    sent
}
