//! From the first byte to CONNACK: who is it, and may it come in?

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rmqtt_codec::error::DecodeError;
use rmqtt_codec::{MqttCodec, MqttPacket, v3, v5};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_util::codec::Decoder;
use tracing::warn;

use crate::config::plan::Devices;
use crate::ingest::credentials::{self, Verified};

use super::answer::{self, TurnedAway, Welcome};
use super::checks;
use super::desk::Desk;
use super::frame::{self, Header};
use super::limits::{CONNECT_BYTES_MAX, KEEP_ALIVE_SECS, SILENCE_MAX};
use super::refusal::{Fault, Reason};
use super::sessions::{Identity, Seat};
use super::stream;
use super::wire::{Version, Wire};

/// A client that was let in.
pub(super) struct Admitted {
    /// Its bytes from here on.
    pub(super) wire: Wire,
    /// Its place among the connected.
    pub(super) seat: Seat,
    /// Who it is.
    pub(super) identity: Identity,
    /// How long it may be silent.
    pub(super) silence: Duration,
    /// Largest packet it takes, bytes.
    pub(super) peer_max: usize,
}

/// How a handshake can fail.
#[derive(Debug)]
pub(super) enum Failed {
    /// The peer left.
    Left,
    /// Refused, with what the peer may be told.
    Refused(Fault, Option<(Version, TurnedAway)>),
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Failed::Refused(fault, None)
    }
}

/// Reads CONNECT, checks it and answers. The caller sets the time limit.
pub(super) async fn admit<S>(stream: &mut S, peer: SocketAddr, desk: &Desk) -> Result<Admitted, Failed>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut carry = BytesMut::new();
    let header = loop {
        if let Some(header) = connect_header(&carry, desk.packet_max)? {
            break header;
        }
        match stream::read(stream, &mut carry).await {
            Ok(0) | Err(_) => return Err(Failed::Left),
            Ok(_) => {}
        }
    };
    let hello = Hello::read(&mut carry, header)?;
    let told = |fault, why| Failed::Refused(fault, Some((hello.version, why)));
    checks::client_id(&hello.client).map_err(|fault| told(fault, TurnedAway::ClientId))?;
    if hello.auth_method {
        let fault = Fault::new(Reason::AuthMethod, "authentication method, expected user name and password");
        return Err(told(fault, TurnedAway::AuthMethod));
    }
    let identity = identify(&desk.current.borrow().devices, &hello).map_err(|(fault, why)| {
        note(peer, desk, &hello);
        told(fault, why)
    })?;
    let assigned = hello.client.is_empty().then(|| desk.sessions.unused());
    let client = assigned.as_deref().unwrap_or(&hello.client);
    let seat = desk
        .sessions
        .seat(client, &identity, desk.stop.child_token())
        .map_err(|fault| told(fault, TurnedAway::ClientId))?;
    if hello.will {
        desk.tally.count(Reason::Will, 1);
    }

    let mut out = BytesMut::new();
    let given_keep_alive = (hello.version == Version::V5 && hello.keep_alive == 0).then_some(KEEP_ALIVE_SECS);
    let welcome = Welcome {
        assigned: assigned.clone(),
        packet_max: desk.packet_max,
        keep_alive: given_keep_alive,
        expiry: (hello.expiry > 0).then_some(0),
        world: desk.current.borrow().world(),
    };
    answer::welcome(hello.version, welcome, &mut out);
    answer::fits(0, &out, hello.peer_max)?;
    match stream::write(stream, &mut out).await {
        Ok(()) => {}
        Err(stream::WriteError::Gone) => return Err(Failed::Left),
        Err(stream::WriteError::Slow(fault)) => return Err(fault.into()),
    }
    let silence = match given_keep_alive.unwrap_or(hello.keep_alive) {
        0 => SILENCE_MAX,
        secs => Duration::from_millis(u64::from(secs) * 1_500),
    };
    let wire = Wire::new(hello.version, carry, desk.packet_max);
    Ok(Admitted { wire, seat, identity, silence, peer_max: hello.peer_max })
}

/// The header of a CONNECT once all of it is there. Refuses by the first
/// bytes: nothing is kept for a peer that does not begin as a client would.
fn connect_header(carry: &[u8], packet_max: usize) -> Result<Option<Header>, Fault> {
    match carry.first() {
        None => return Ok(None),
        Some(0x10) => {}
        Some(0x16) => {
            return Err(Fault::new(Reason::NotConnect, "TLS on the port for plain TCP, expected CONNECT"));
        }
        Some(first) if first >> 4 == 1 => {
            return Err(Fault::new(Reason::ReservedFlags, "flags of CONNECT are set"));
        }
        Some(first) => {
            return Err(Fault::new(Reason::NotConnect, format!("first byte {first:#04x}, expected CONNECT")));
        }
    }
    let Some(header) = frame::header(carry)? else { return Ok(None) };
    let max = CONNECT_BYTES_MAX.min(packet_max);
    if header.total() > max {
        let detail = format!("CONNECT of {} bytes, expected at most {max}", header.total());
        return Err(Fault::new(Reason::PacketTooLarge, detail));
    }
    Ok((carry.len() >= header.total()).then_some(header))
}

/// What a client says of itself.
struct Hello {
    version: Version,
    client: String,
    user: Option<String>,
    password: Option<Bytes>,
    /// Seconds; 0 is none.
    keep_alive: u16,
    will: bool,
    /// Seconds its session should outlive the connection.
    expiry: u32,
    auth_method: bool,
    /// Largest packet it takes, bytes.
    peer_max: usize,
}

impl Hello {
    /// Takes a whole CONNECT off the carry.
    fn read(carry: &mut BytesMut, header: Header) -> Result<Hello, Failed> {
        let body = &carry[header.own..header.total()];
        let version = version(body)?;
        checks::connect(version, body)?;
        let mut codec = match version {
            Version::V4 => MqttCodec::V3(v3::Codec::new(0)),
            Version::V5 => MqttCodec::V5(v5::Codec::new(0, 0)),
        };
        let hello = match codec.decode(carry) {
            Ok(Some((MqttPacket::V3(v3::Packet::Connect(connect)), _))) => Hello::from_v3(&connect)?,
            Ok(Some((MqttPacket::V5(v5::Packet::Connect(connect)), _))) => Hello::from_v5(&connect)?,
            Ok(_) => return Err(Fault::new(Reason::NotConnect, "no CONNECT, expected one first").into()),
            Err(DecodeError::InvalidClientId) => {
                let detail = "no client id for a session to be kept, expected one";
                let fault = Fault::new(Reason::ClientId, detail);
                return Err(Failed::Refused(fault, Some((version, TurnedAway::ClientId))));
            }
            Err(error) => return Err(Fault::new(Reason::Malformed, error.to_string()).into()),
        };
        if carry.is_empty() {
            *carry = BytesMut::new();
        }
        Ok(hello)
    }

    fn from_v3(connect: &v3::Connect) -> Result<Hello, Fault> {
        if let Some(will) = &connect.last_will {
            checks::topic(&will.topic)?;
        }
        Ok(Hello {
            version: Version::V4,
            client: connect.client_id.to_string(),
            user: connect.username.as_ref().map(ToString::to_string),
            password: connect.password.clone(),
            keep_alive: connect.keep_alive,
            will: connect.last_will.is_some(),
            expiry: 0,
            auth_method: false,
            peer_max: usize::MAX,
        })
    }

    fn from_v5(connect: &v5::Connect) -> Result<Hello, Fault> {
        if let Some(will) = &connect.last_will {
            checks::topic(&will.topic)?;
        }
        Ok(Hello {
            version: Version::V5,
            client: connect.client_id.to_string(),
            user: connect.username.as_ref().map(ToString::to_string),
            password: connect.password.clone(),
            keep_alive: connect.keep_alive,
            will: connect.last_will.is_some(),
            expiry: connect.session_expiry_interval_secs,
            auth_method: connect.auth_method.is_some(),
            peer_max: connect.max_packet_size.map_or(usize::MAX, |max| max.get() as usize),
        })
    }
}

/// The version that a CONNECT asks for.
fn version(body: &[u8]) -> Result<Version, Failed> {
    let refused = |detail: String, told| Failed::Refused(Fault::new(Reason::Version, detail), told);
    if body.starts_with(b"\x00\x06MQIsdp") {
        let told = Some((Version::V4, TurnedAway::Version));
        return Err(refused("MQTT 3.1, expected 3.1.1 or 5".into(), told));
    }
    match (body.starts_with(b"\x00\x04MQTT"), body.get(6)) {
        (true, Some(4)) => Ok(Version::V4),
        (true, Some(5)) => Ok(Version::V5),
        (true, Some(&level)) => {
            let spoken = if level < 4 { Version::V4 } else { Version::V5 };
            let detail = format!("protocol level {level}, expected 4 (3.1.1) or 5");
            Err(refused(detail, Some((spoken, TurnedAway::Version))))
        }
        (_, _) => Err(refused("another protocol's name, expected \"MQTT\"".into(), None)),
    }
}

/// Who the client is, by user name and password.
fn identify(devices: &Devices, hello: &Hello) -> Result<Identity, (Fault, TurnedAway)> {
    let (Some(user), Some(password)) = (&hello.user, &hello.password) else {
        let detail = "no user name and password, expected those of a row of devices.csv";
        return Err((Fault::new(Reason::CredentialsMissing, detail), TurnedAway::Unauthorised));
    };
    let device = devices.by_identity.get(user.as_str());
    match (credentials::verify(device, password), device) {
        (Verified::Yes, Some(device)) => Ok(Identity::new(user, device)),
        (Verified::Yes | Verified::No, _) => {
            let detail = "user name or password is wrong, expected those of a row of devices.csv";
            Err((Fault::new(Reason::CredentialsWrong, detail), TurnedAway::BadCredentials))
        }
    }
}

/// Tells in the service's log of one that was not who it said, by the name of a
/// device: a name that no device has may be a password in the wrong place.
fn note(peer: SocketAddr, desk: &Desk, hello: &Hello) {
    let current = desk.current.borrow();
    let device = hello.user.as_deref().filter(|user| current.devices.by_identity.contains_key(*user));
    let why = match (device, &hello.user, &hello.password) {
        (Some(_), _, Some(_)) => "its password is not the device's",
        (Some(_), _, None) => "it gave no password",
        (None, Some(_), _) => "its user name is no identity of devices.csv",
        (None, None, _) => "it gave no user name",
    };
    let device = device.unwrap_or("none");
    if let Some(times) = desk.strangers.came(device, Instant::now()) {
        warn!(%peer, client = ?hello.client, device, why, times, "mqtt client turned away");
    }
}

/// Reads any bytes as a CONNECT, for the fuzzers.
#[cfg(any(fuzzing, debug_assertions))]
pub(super) fn read_any(bytes: &[u8]) {
    let mut carry = BytesMut::from(bytes);
    if let Ok(Some(header)) = connect_header(&carry, CONNECT_BYTES_MAX) {
        // A refusal is as good an end as any.
        let _ = Hello::read(&mut carry, header);
    }
}

#[cfg(test)]
mod tests {
    use super::super::mutating::Random;
    use super::*;

    #[test]
    fn a_broken_connect_is_refused_or_understood_and_never_panics() {
        const SAMPLES: &[&[u8]] = &[
            b"\x10\x13\0\x04MQTT\x04\xc2\0\x3c\0\x01c\0\x01u\0\x01p",
            b"\x10\x19\0\x04MQTT\x04\xc6\0\x3c\0\x01c\0\x01t\0\x01w\0\x01u\0\x01p",
            b"\x10\x1f\0\x04MQTT\x05\xc2\0\x3c\x0b\x11\0\0\0\x09\x21\0\x09\x22\0\x09\0\x01c\0\x01u\0\x01p",
            b"\x10\x1c\0\x04MQTT\x05\xc6\0\x3c\0\0\x01c\x02\x01\x01\0\x01t\0\x01w\0\x01u\0\x01p",
        ];
        let mut random = Random(0xc0de);
        let (mut refused, mut understood) = (0, 0);
        for _ in 0..20_000 {
            let mut carry = BytesMut::from(&random.broken(SAMPLES)[..]);
            match connect_header(&carry, 4_096) {
                Ok(Some(header)) => match Hello::read(&mut carry, header) {
                    Ok(_) => understood += 1,
                    Err(_) => refused += 1,
                },
                Ok(None) => {}
                Err(_) => refused += 1,
            }
        }
        assert!(refused > 5_000 && understood > 500, "{refused}, {understood}");
    }
}
