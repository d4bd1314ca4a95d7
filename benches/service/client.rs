//! As much of an MQTT 3.1.1 client as a load needs.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::site::secret;

/// Bytes of a PUBACK.
const PUBACK: usize = 4;

/// One connection.
pub(crate) struct Client {
    stream: TcpStream,
    out: Vec<u8>,
    packet: u16,
    /// Bytes of an acknowledgement that has not come whole.
    part: usize,
    read: Vec<u8>,
}

impl Client {
    /// Connects as a device.
    pub(crate) async fn connect(to: SocketAddr, device: &str) -> Client {
        let stream = TcpStream::connect(to).await.expect("the listener accepts");
        stream.set_nodelay(true).expect("a socket option");
        let mut client = Client { stream, out: vec![], packet: 0, part: 0, read: vec![0; 4096] };
        client.out = connect_packet(device, &secret(device));
        client.flush().await;
        let mut connack = [0; 4];
        client.stream.read_exact(&mut connack).await.expect("an answer to CONNECT");
        assert_eq!(connack[3], 0, "{device} is let in");
        client
    }

    /// Appends a QoS 1 message to what the next flush sends.
    pub(crate) fn publish(&mut self, topic: &str, payload: &str) {
        self.packet = if self.packet == u16::MAX { 1 } else { self.packet + 1 };
        head(&mut self.out, 0x32, 2 + topic.len() + 2 + payload.len());
        self.out.extend((topic.len() as u16).to_be_bytes());
        self.out.extend_from_slice(topic.as_bytes());
        self.out.extend(self.packet.to_be_bytes());
        self.out.extend_from_slice(payload.as_bytes());
    }

    /// Sends what was published.
    pub(crate) async fn flush(&mut self) {
        if !self.out.is_empty() {
            self.stream.write_all(&self.out).await.expect("the listener reads");
            self.out.clear();
        }
    }

    /// How many acknowledgements the next read brings; 0 when the connection is closed.
    pub(crate) async fn acknowledged(&mut self) -> u32 {
        loop {
            let Ok(read @ 1..) = self.stream.read(&mut self.read).await else { return 0 };
            let whole = self.part + read;
            self.part = whole % PUBACK;
            if whole >= PUBACK {
                return (whole / PUBACK) as u32;
            }
        }
    }
}

/// A CONNECT of MQTT level 4: user, password and a clean session; a minute of keep-alive.
pub(crate) fn connect_packet(device: &str, secret: &str) -> Vec<u8> {
    let mut body = b"\0\x04MQTT\x04\xc2\0\x3c".to_vec();
    for text in [device, device, secret] {
        body.extend((text.len() as u16).to_be_bytes());
        body.extend_from_slice(text.as_bytes());
    }
    let mut packet = vec![];
    head(&mut packet, 0x10, body.len());
    packet.extend(body);
    packet
}

/// The fixed header of a packet.
fn head(out: &mut Vec<u8>, kind: u8, mut length: usize) {
    out.push(kind);
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}
