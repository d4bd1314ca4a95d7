//! A client that sends whatever bytes it is told to.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub(crate) use crate::common::packet::{packet, text};
use crate::inbox::PATIENCE;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V4,
    V5,
}

pub(crate) const BOTH: [Version; 2] = [Version::V4, Version::V5];

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    pub(crate) version: Version,
}

impl Client {
    pub(crate) async fn dial(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).await.expect("the listener accepts");
        stream.set_nodelay(true).expect("a socket option");
        Client { stream, version: Version::V4 }
    }

    /// Sends CONNECT; the code of the CONNACK.
    pub(crate) async fn connect(
        &mut self,
        version: Version,
        client: &str,
        login: Option<(&str, &str)>,
    ) -> u8 {
        self.version = version;
        self.send(&connect(version, client, login)).await;
        let connack = self.packet().await.expect("an answer to CONNECT");
        assert_eq!(connack[0], 0x20, "CONNACK");
        assert_eq!(connack[2], 0, "no session is ever present");
        connack[3]
    }

    pub(crate) async fn publish(&mut self, qos: u8, packet: u16, topic: &str, payload: &str) {
        let bytes = publish(self.version, qos, packet, topic, payload.as_bytes());
        self.send(&bytes).await;
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        // A listener that closes early is seen by what it answers.
        let _ = self.stream.write_all(bytes).await;
    }

    /// The next packet; `None` when the listener closed.
    pub(crate) async fn packet(&mut self) -> Option<Vec<u8>> {
        let read = timeout(PATIENCE, async {
            let mut packet = vec![0; 2];
            self.stream.read_exact(&mut packet).await.ok()?;
            assert!(packet[1] < 0x80, "answers are short");
            let body = usize::from(packet[1]);
            packet.resize(2 + body, 0);
            self.stream.read_exact(&mut packet[2..]).await.ok()?;
            Some(packet)
        });
        read.await.expect("an answer or a close in time")
    }

    /// The packet ids of the next PUBACKs.
    pub(crate) async fn acks(&mut self, count: usize) -> Vec<u16> {
        let mut ids = vec![];
        for _ in 0..count {
            let ack = self.packet().await.expect("a PUBACK");
            assert_eq!(&ack[..2], [0x40, 2], "PUBACK");
            ids.push(u16::from_be_bytes([ack[2], ack[3]]));
        }
        ids
    }

    /// Shows that nothing is waiting: a ping is answered by the pong alone.
    pub(crate) async fn hears_only_pong(&mut self) {
        self.send(&[0xc0, 0]).await;
        assert_eq!(self.packet().await.as_deref(), Some(&[0xd0, 0][..]), "only the pong");
    }

    /// Expects the close; the code of the DISCONNECT before it, in MQTT 5.
    pub(crate) async fn closed(&mut self) -> Option<u8> {
        let last = self.packet().await;
        match &last {
            None => None,
            Some(packet) => {
                assert_eq!(packet[0], 0xe0, "DISCONNECT, not {packet:x?}");
                assert_eq!(self.packet().await, None, "closed behind the DISCONNECT");
                Some(packet[2])
            }
        }
    }
}

pub(crate) fn connect(version: Version, client: &str, login: Option<(&str, &str)>) -> Vec<u8> {
    let flags = if login.is_some() { 0b1100_0010 } else { 0b0000_0010 };
    let mut tail = text(client.as_bytes());
    if let Some((user, password)) = login {
        tail.extend(text(user.as_bytes()));
        tail.extend(text(password.as_bytes()));
    }
    packet(0x10, &connect_body(version, flags, 60, &tail))
}

/// CONNECT up to its properties, and what follows them.
pub(crate) fn connect_body(version: Version, flags: u8, keep_alive: u16, tail: &[u8]) -> Vec<u8> {
    let mut body = text(b"MQTT");
    body.push(if version == Version::V4 { 4 } else { 5 });
    body.push(flags);
    body.extend(keep_alive.to_be_bytes());
    if version == Version::V5 {
        body.push(0);
    }
    body.extend_from_slice(tail);
    body
}

pub(crate) fn publish(version: Version, qos: u8, id: u16, topic: &str, payload: &[u8]) -> Vec<u8> {
    publish_flags(version, qos << 1, id, topic, &[], payload)
}

pub(crate) fn publish_flags(
    version: Version,
    flags: u8,
    id: u16,
    topic: &str,
    properties: &[u8],
    payload: &[u8],
) -> Vec<u8> {
    let mut body = text(topic.as_bytes());
    if flags & 0b110 != 0 {
        body.extend(id.to_be_bytes());
    }
    if version == Version::V5 {
        body.push(u8::try_from(properties.len()).expect("short"));
        body.extend_from_slice(properties);
    }
    body.extend_from_slice(payload);
    packet(0x30 | flags, &body)
}
