//! What the listener says, as bytes.

use std::num::NonZeroU16;

use bytes::{BufMut, BytesMut};
use rmqtt_codec::types::QoS;
use rmqtt_codec::{v3, v5};
use tokio_util::codec::Encoder;

use super::limits::{IN_FLIGHT_MAX, TOPIC_ALIAS_MAX};
use super::refusal::{Fault, Reason};
use super::wire::Version;
use crate::config::plan::WORLD_PROPERTY;

/// Why a CONNECT is turned away, where the peer can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TurnedAway {
    /// A version that is not spoken.
    Version,
    /// The client id.
    ClientId,
    /// User name and password missing.
    Unauthorised,
    /// User name or password wrong.
    BadCredentials,
    /// An authentication method that is not offered.
    AuthMethod,
}

/// What is announced to an MQTT 5 client that was let in.
#[derive(Debug, Clone)]
pub(super) struct Welcome {
    /// The client id that was given to a client without one.
    pub(super) assigned: Option<String>,
    /// Largest packet taken, bytes.
    pub(super) packet_max: usize,
    /// The keep-alive given to a client that asked for none, seconds.
    pub(super) keep_alive: Option<u16>,
    /// How long its session is kept, seconds, where it asked for more.
    pub(super) expiry: Option<u32>,
    /// `live` or `drill`: a drill's publisher leaves a live listener alone.
    pub(super) world: &'static str,
}

/// Lets a client in. The session is never present: it would hold messages to
/// the client, of which there are none. What a publisher must not lose are its
/// own unacknowledged messages, and those it sends again on any connection.
pub(super) fn welcome(version: Version, welcome: Welcome, out: &mut BytesMut) {
    match version {
        Version::V4 => out.put_slice(&[0x20, 2, 0, 0]),
        Version::V5 => encode_v5(
            v5::Packet::ConnectAck(Box::new(v5::ConnectAck {
                max_qos: QoS::AtLeastOnce,
                receive_max: IN_FLIGHT_MAX,
                max_packet_size: u32::try_from(welcome.packet_max).ok(),
                assigned_client_id: welcome.assigned.map(Into::into),
                topic_alias_max: TOPIC_ALIAS_MAX,
                server_keepalive_sec: welcome.keep_alive,
                session_expiry_interval_secs: welcome.expiry,
                wildcard_subscription_available: false,
                subscription_identifiers_available: false,
                shared_subscription_available: false,
                user_properties: vec![(WORLD_PROPERTY.into(), welcome.world.into())],
                ..v5::ConnectAck::default()
            })),
            out,
        ),
    }
}

/// Turns a client away.
pub(super) fn turn_away(version: Version, why: TurnedAway, out: &mut BytesMut) {
    match version {
        Version::V4 => {
            let code = match why {
                TurnedAway::Version => v3::ConnectAckReason::UnacceptableProtocolVersion,
                TurnedAway::ClientId => v3::ConnectAckReason::IdentifierRejected,
                TurnedAway::BadCredentials => v3::ConnectAckReason::BadUserNameOrPassword,
                TurnedAway::Unauthorised | TurnedAway::AuthMethod => v3::ConnectAckReason::NotAuthorized,
            };
            out.put_slice(&[0x20, 2, 0, code.into()]);
        }
        Version::V5 => {
            let reason_code = match why {
                TurnedAway::Version => v5::ConnectAckReason::UnsupportedProtocolVersion,
                TurnedAway::ClientId => v5::ConnectAckReason::ClientIdentifierNotValid,
                TurnedAway::BadCredentials => v5::ConnectAckReason::BadUserNameOrPassword,
                TurnedAway::Unauthorised => v5::ConnectAckReason::NotAuthorized,
                TurnedAway::AuthMethod => v5::ConnectAckReason::BadAuthenticationMethod,
            };
            let ack = v5::ConnectAck { reason_code, ..v5::ConnectAck::default() };
            encode_v5(v5::Packet::ConnectAck(Box::new(ack)), out);
        }
    }
}

/// Acknowledges a message of QoS 1. In MQTT 5 the short form means success.
pub(super) fn acknowledge(packet: NonZeroU16, out: &mut BytesMut) {
    let [high, low] = packet.get().to_be_bytes();
    out.put_slice(&[0x40, 2, high, low]);
}

/// Refuses every filter of a subscription.
pub(super) fn refuse_subscription(version: Version, packet: NonZeroU16, filters: usize, out: &mut BytesMut) {
    match version {
        Version::V4 => encode_v3(
            v3::Packet::SubscribeAck {
                packet_id: packet,
                status: vec![v3::SubscribeReturnCode::Failure; filters],
            },
            out,
        ),
        Version::V5 => encode_v5(
            v5::Packet::SubscribeAck(v5::SubscribeAck {
                packet_id: packet,
                properties: vec![],
                reason_string: None,
                status: vec![v5::SubscribeAckReason::NotAuthorized; filters],
            }),
            out,
        ),
    }
}

/// Answers a wish to unsubscribe from what was never subscribed to.
pub(super) fn unsubscribed(version: Version, packet: NonZeroU16, filters: usize, out: &mut BytesMut) {
    match version {
        Version::V4 => encode_v3(v3::Packet::UnsubscribeAck { packet_id: packet }, out),
        Version::V5 => encode_v5(
            v5::Packet::UnsubscribeAck(v5::UnsubscribeAck {
                packet_id: packet,
                properties: vec![],
                reason_string: None,
                status: vec![v5::UnsubscribeAckReason::NoSubscriptionExisted; filters],
            }),
            out,
        ),
    }
}

/// Answers a ping.
pub(super) fn pong(out: &mut BytesMut) {
    out.put_slice(&[0xd0, 0]);
}

/// Says goodbye with a reason, where the version has words for it.
pub(super) fn goodbye(version: Version, code: v5::DisconnectReasonCode, out: &mut BytesMut) {
    match version {
        Version::V4 => {}
        Version::V5 => out.put_slice(&[0xe0, 1, code.into()]),
    }
}

/// Refuses an answer that the client said it would not take.
pub(super) fn fits(from: usize, out: &BytesMut, peer_max: usize) -> Result<(), Fault> {
    let size = out.len() - from;
    if size <= peer_max {
        return Ok(());
    }
    let detail = format!("answer of {size} bytes, the client takes {peer_max}");
    Err(Fault::new(Reason::AnswerTooLarge, detail))
}

fn encode_v3(packet: v3::Packet, out: &mut BytesMut) {
    v3::Codec::default().encode(packet, out).expect("only messages can fail to encode");
}

fn encode_v5(packet: v5::Packet, out: &mut BytesMut) {
    v5::Codec::default().encode(packet, out).expect("answers are far below the largest packet");
}
