//! From the bytes of one connection to packets: the codec of either version,
//! with the checks that it leaves to its user.

use std::num::NonZeroU16;

use bytes::BytesMut;
use rmqtt_codec::types::{Publish, QoS};
use rmqtt_codec::{MqttCodec, MqttPacket, v3, v5};
use tokio_util::codec::Decoder;

use super::checks;
use super::frame;
use super::refusal::{Fault, Reason};

/// Which MQTT a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// 3.1.1.
    V4,
    /// 5.
    V5,
}

/// What a publisher sends once it is connected.
#[derive(Debug)]
pub(super) enum Packet {
    /// A message.
    Publish(Box<Publish>),
    /// A wish to subscribe to so many filters.
    Subscribe {
        /// To be answered.
        packet: NonZeroU16,
        /// How many.
        filters: usize,
    },
    /// A wish to unsubscribe from so many filters.
    Unsubscribe {
        /// To be answered.
        packet: NonZeroU16,
        /// How many.
        filters: usize,
    },
    /// A sign of life.
    Ping,
    /// Goodbye.
    Disconnect,
}

/// Cuts the bytes of a connection into packets.
pub(super) struct Wire {
    /// Which MQTT is spoken.
    pub(super) version: Version,
    /// What was read and not yet understood. Holds no memory while it is empty.
    pub(super) carry: BytesMut,
    codec: MqttCodec,
    packet_max: usize,
}

impl Wire {
    /// Goes on with what was read beyond the CONNECT.
    pub(super) fn new(version: Version, carry: BytesMut, packet_max: usize) -> Self {
        // Sizes are checked here, before the codec sees a packet: it would
        // reserve what the header declares.
        let codec = match version {
            Version::V4 => MqttCodec::V3(v3::Codec::new(0)),
            Version::V5 => MqttCodec::V5(v5::Codec::new(0, 0)),
        };
        Wire { version, carry, codec, packet_max }
    }

    /// Whether a whole packet is there. Refuses by the first bytes what need not be read further.
    pub(super) fn has_packet(&self) -> Result<bool, Fault> {
        let Some(&first) = self.carry.first() else { return Ok(false) };
        checks::first_byte(first)?;
        let Some(header) = frame::header(&self.carry)? else { return Ok(false) };
        if header.total() > self.packet_max {
            let detail = format!("packet of {} bytes, expected at most {}", header.total(), self.packet_max);
            return Err(Fault::new(Reason::PacketTooLarge, detail));
        }
        Ok(self.carry.len() >= header.total())
    }

    /// The next whole packet.
    pub(super) fn next(&mut self) -> Result<Option<Packet>, Fault> {
        if !self.has_packet()? {
            return Ok(None);
        }
        let Some(header) = frame::header(&self.carry)? else { return Ok(None) };
        checks::body(self.version, header.first, &self.carry[header.own..header.total()])?;
        let packet = match decode(&mut self.codec, &mut self.carry)? {
            MqttPacket::V3(packet) => from_v3(packet)?,
            MqttPacket::V5(packet) => from_v5(packet)?,
            MqttPacket::Version(_) => return Err(unexpected()),
        };
        if self.carry.is_empty() {
            self.carry = BytesMut::new();
        }
        Ok(Some(packet))
    }
}

/// One whole packet through the codec.
pub(super) fn decode(codec: &mut MqttCodec, bytes: &mut BytesMut) -> Result<MqttPacket, Fault> {
    match codec.decode(bytes) {
        Ok(Some((packet, _))) => Ok(packet),
        Ok(None) => Err(Fault::new(Reason::Malformed, "packet ends before its content does")),
        Err(error) => Err(Fault::new(Reason::Malformed, error.to_string())),
    }
}

fn from_v3(packet: v3::Packet) -> Result<Packet, Fault> {
    match packet {
        v3::Packet::Publish(publish) => message(publish),
        v3::Packet::Subscribe { packet_id, topic_filters } => {
            topic_filters.iter().try_for_each(|(filter, _)| checks::filter(filter))?;
            Ok(Packet::Subscribe { packet: packet_id, filters: topic_filters.len() })
        }
        v3::Packet::Unsubscribe { packet_id, topic_filters } => {
            topic_filters.iter().try_for_each(|filter| checks::filter(filter))?;
            Ok(Packet::Unsubscribe { packet: packet_id, filters: topic_filters.len() })
        }
        v3::Packet::PingRequest => Ok(Packet::Ping),
        v3::Packet::Disconnect => Ok(Packet::Disconnect),
        v3::Packet::Connect(_)
        | v3::Packet::ConnectAck(_)
        | v3::Packet::PublishAck { .. }
        | v3::Packet::PublishReceived { .. }
        | v3::Packet::PublishRelease { .. }
        | v3::Packet::PublishComplete { .. }
        | v3::Packet::SubscribeAck { .. }
        | v3::Packet::UnsubscribeAck { .. }
        | v3::Packet::PingResponse => Err(unexpected()),
    }
}

fn from_v5(packet: v5::Packet) -> Result<Packet, Fault> {
    match packet {
        v5::Packet::Publish(publish) => {
            publisher_properties(&publish)?;
            message(publish)
        }
        v5::Packet::Subscribe(subscribe) => {
            subscribe.topic_filters.iter().try_for_each(|(filter, _)| checks::filter(filter))?;
            Ok(Packet::Subscribe { packet: subscribe.packet_id, filters: subscribe.topic_filters.len() })
        }
        v5::Packet::Unsubscribe(unsubscribe) => {
            unsubscribe.topic_filters.iter().try_for_each(|filter| checks::filter(filter))?;
            Ok(Packet::Unsubscribe {
                packet: unsubscribe.packet_id,
                filters: unsubscribe.topic_filters.len(),
            })
        }
        v5::Packet::PingRequest => Ok(Packet::Ping),
        v5::Packet::Disconnect(_) => Ok(Packet::Disconnect),
        v5::Packet::Connect(_)
        | v5::Packet::ConnectAck(_)
        | v5::Packet::PublishAck(_)
        | v5::Packet::PublishReceived(_)
        | v5::Packet::PublishRelease(_)
        | v5::Packet::PublishComplete(_)
        | v5::Packet::SubscribeAck(_)
        | v5::Packet::UnsubscribeAck(_)
        | v5::Packet::PingResponse
        | v5::Packet::Auth(_) => Err(unexpected()),
    }
}

/// What only a server may say about a message.
fn publisher_properties(publish: &Publish) -> Result<(), Fault> {
    let Some(properties) = &publish.properties else { return Ok(()) };
    if !properties.subscription_ids.is_empty() {
        return Err(Fault::new(Reason::Malformed, "subscription identifier in a publisher's message"));
    }
    match &properties.response_topic {
        Some(topic) => checks::topic(topic),
        None => Ok(()),
    }
}

fn message(publish: Box<Publish>) -> Result<Packet, Fault> {
    checks::topic(&publish.topic)?;
    // First bytes with another quality were refused before.
    match publish.qos {
        QoS::AtMostOnce | QoS::AtLeastOnce => Ok(Packet::Publish(publish)),
        QoS::ExactlyOnce => Err(Fault::new(Reason::QosTwo, "message of QoS 2, expected QoS 0 or 1")),
    }
}

fn unexpected() -> Fault {
    Fault::new(Reason::UnexpectedPacket, "packet that a publisher has no reason to send")
}

/// Reads any bytes as the packets of a connected client, for the fuzzers.
#[cfg(any(fuzzing, debug_assertions))]
pub(super) fn read_any(version: Version, bytes: &[u8]) {
    const PACKET_MAX: usize = 64 * 1024;
    let mut wire = Wire::new(version, BytesMut::from(bytes), PACKET_MAX);
    while let Ok(Some(_)) = wire.next() {}
    assert!(wire.carry.capacity() <= 2 * bytes.len() + 64, "memory follows what came");
}

#[cfg(test)]
mod tests {
    use super::super::mutating::Random;
    use super::*;

    #[test]
    fn broken_packets_are_refused_or_understood_and_never_panic() {
        const V4: &[&[u8]] = &[
            b"\x32\x0f\0\x07a/level\0\x01{}  ",
            b"\x30\x0b\0\x07a/level{}",
            b"\x82\x10\0\x01\0\x05a/+/#\x01\0\x01b\0",
            b"\xa2\x05\0\x02\0\x01b",
            b"\xc0\0",
            b"\xe0\0",
        ];
        const V5: &[&[u8]] = &[
            b"\x32\x0e\0\x07a/level\0\x01\0{}",
            b"\x30\x16\0\x01a\x10\x23\0\x01\x26\0\x01k\0\x01v\x08\0\x02rt{}",
            b"\x30\x0e\0\0\x09\x02\0\0\0\x09\x23\0\x01\x01{}",
            b"\x82\x0b\0\x01\x02\x0b\x01\0\x02a+\x01",
            b"\xa2\x06\0\x02\0\0\x01b",
            b"\xc0\0",
            b"\xe0\x07\0\x05\x11\0\0\0\0",
        ];
        let mut random = Random(0x5eed);
        for (version, samples) in [(Version::V4, V4), (Version::V5, V5)] {
            let (mut refused, mut understood) = (0, 0);
            for _ in 0..20_000 {
                let bytes = random.broken(samples);
                let length = bytes.len();
                let mut wire = Wire::new(version, BytesMut::from(&bytes[..]), 4_096);
                loop {
                    match wire.next() {
                        Ok(Some(_)) => understood += 1,
                        Ok(None) => break,
                        Err(_) => {
                            refused += 1;
                            break;
                        }
                    }
                }
                assert!(wire.carry.capacity() <= length + 64, "memory follows what came, {bytes:x?}");
            }
            assert!(refused > 5_000 && understood > 1_000, "{version:?}: {refused}, {understood}");
        }
    }

    #[test]
    fn a_declared_length_reserves_nothing() {
        let mut wire = Wire::new(Version::V4, BytesMut::from(&b"\x30\xff\xff\x03"[..]), 1 << 20);
        assert!(matches!(wire.next(), Ok(None)), "within the limit, so it is awaited");
        assert!(wire.carry.capacity() < 64);
    }
}
