//! A publisher that knows which of its messages were acknowledged, and sends
//! the others again after every reconnect, as MQTT 3.1.1 has it.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::common::house::PATIENCE;
use crate::common::packet::{packet, text};

/// What is published.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Message {
    pub(crate) station: String,
    pub(crate) payload: String,
    /// The value in it: each its own, so that it is found again in the log.
    pub(crate) value: f64,
}

/// A device, or a gateway, with its memory of what is not acknowledged yet.
#[derive(Debug)]
pub(crate) struct Publisher {
    identity: String,
    secret: String,
    next: u16,
    /// Sent, perhaps several times, and not acknowledged.
    waiting: VecDeque<(u16, Message)>,
    /// Acknowledged, in order.
    pub(crate) acked: Vec<Message>,
    stream: Option<TcpStream>,
    /// Read, and no whole acknowledgement yet.
    heard: Vec<u8>,
}

impl Publisher {
    pub(crate) fn new(identity: &str, secret: &str) -> Publisher {
        Publisher {
            identity: identity.into(),
            secret: secret.into(),
            next: 1,
            waiting: VecDeque::new(),
            acked: vec![],
            stream: None,
            heard: vec![],
        }
    }

    /// How many are not acknowledged.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Connects, and sends again what was not acknowledged.
    pub(crate) async fn connect(&mut self, address: SocketAddr) -> io::Result<()> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut body = text(b"MQTT");
        body.extend([4, 0b1100_0000, 0, 60]);
        for part in [&self.identity, &self.identity, &self.secret] {
            body.extend(text(part.as_bytes()));
        }
        stream.write_all(&packet(0x10, &body)).await?;
        let mut connack = [0; 4];
        timeout(PATIENCE, stream.read_exact(&mut connack)).await.expect("an answer in time")?;
        // Whether a session was present is the broker's to say: we send all again.
        assert_eq!([connack[0], connack[1], connack[3]], [0x20, 2, 0], "CONNACK");
        self.stream = Some(stream);
        self.heard.clear();
        let again: Vec<u8> =
            self.waiting.iter().flat_map(|(id, message)| publish(0b1010, *id, message)).collect();
        self.write(&again).await
    }

    /// Sends one; it counts as waiting even where sending fails.
    pub(crate) async fn send(&mut self, message: Message) -> io::Result<()> {
        let id = self.next;
        self.next = self.next.checked_add(1).unwrap_or(1);
        let bytes = publish(0b0010, id, &message);
        self.waiting.push_back((id, message));
        self.write(&bytes).await
    }

    /// Takes in the next acknowledgement. May be given up half-way.
    pub(crate) async fn hear(&mut self) -> io::Result<()> {
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        while self.heard.len() < 4 {
            let read = timeout(PATIENCE, stream.read_buf(&mut self.heard)).await;
            if read.expect("an acknowledgement in time")? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let ack: Vec<u8> = self.heard.drain(..4).collect();
        assert_eq!(ack[..2], [0x40, 2], "PUBACK");
        let id = u16::from_be_bytes([ack[2], ack[3]]);
        let at = self.waiting.iter().position(|(waiting, _)| *waiting == id).expect("of one that waits");
        self.acked.extend(self.waiting.remove(at).map(|(_, message)| message));
        Ok(())
    }

    /// Takes in all that is on its way still, up to the end of the connection.
    pub(crate) async fn hear_out(&mut self) {
        while self.hear().await.is_ok() {}
        self.stream = None;
    }

    /// Takes in acknowledgements until none is missing.
    pub(crate) async fn acknowledged(&mut self) {
        while self.waiting() > 0 {
            self.hear().await.expect("the service serves");
        }
    }

    /// Sends one and waits for its acknowledgement.
    pub(crate) async fn deliver(&mut self, message: Message) {
        self.send(message).await.expect("the service serves");
        self.acknowledged().await;
    }

    /// Gives up what was not acknowledged.
    pub(crate) fn forget(&mut self) {
        self.waiting.clear();
    }

    /// Forgets that the last `count` were acknowledged: what a crash between
    /// the sync and PUBACK leaves a sender with.
    pub(crate) fn was_not_told(&mut self, count: usize) {
        let from = self.acked.len() - count;
        let first = self.next - u16::try_from(count).expect("few");
        self.waiting = (first..).zip(self.acked.drain(from..)).collect();
        self.stream = None;
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?.write_all(bytes).await
    }
}

fn publish(flags: u8, id: u16, message: &Message) -> Vec<u8> {
    let mut body = text(format!("river/{}", message.station).as_bytes());
    body.extend(id.to_be_bytes());
    body.extend(message.payload.as_bytes());
    packet(0x30 | flags, &body)
}
