//! What is against the rules is closed, each with its reason counted.

use forewarn::ingest::listener::Reason;

use crate::common::setup::secret;
use crate::inbox::Durable;
use crate::raw::Version::{V4, V5};
use crate::raw::{Version, connect, connect_body, packet, publish, publish_flags, text};
use crate::world::World;

/// Sends bytes as a client that was let in; they must be refused for that
/// reason, in MQTT 5 with that code.
async fn check(cases: &[(Version, &str, Vec<u8>, Reason, u8)]) {
    for (version, name, bytes, reason, code) in cases {
        let world = World::with(Durable::AtOnce, |listener| listener.packet_max = 4_096).await;
        let mut client = world.client(*version, "a").await;
        client.send(bytes).await;
        let told = match version {
            V4 => None,
            V5 => Some(*code),
        };
        assert_eq!(client.closed().await, told, "{name} {version:?}");
        world.counted(*reason, 1).await;
        assert!(world.inbox.values().is_empty(), "{name}");
        world.still_serves().await;
    }
}

#[tokio::test]
async fn packets_against_the_rules_of_both_versions() {
    let mut cases = vec![];
    for version in [V4, V5] {
        let one = |topic: &str| publish(version, 0, 0, topic, b"{}");
        let long = "t".repeat(1_025);
        let properties: &[u8] = if version == V5 { &[0] } else { &[] };
        let subscribe =
            |filter: &str| packet(0x82, &[&[0, 1][..], properties, &text(filter.as_bytes()), &[0]].concat());
        cases.extend([
            (version, "a second CONNECT", connect(version, "a", None), Reason::SecondConnect, 0x82),
            (version, "CONNACK", vec![0x20, 2, 0, 0], Reason::UnexpectedPacket, 0x82),
            (version, "PUBACK", vec![0x40, 2, 0, 1], Reason::UnexpectedPacket, 0x82),
            (version, "PUBREL", vec![0x62, 2, 0, 1], Reason::UnexpectedPacket, 0x82),
            (version, "AUTH", vec![0xf0, 0], Reason::UnexpectedPacket, 0x82),
            (version, "type 0", vec![0, 0], Reason::UnexpectedPacket, 0x82),
            (version, "flags of PINGREQ", vec![0xc1, 0], Reason::ReservedFlags, 0x81),
            (version, "flags of SUBSCRIBE", vec![0x80, 0], Reason::ReservedFlags, 0x81),
            (version, "flags of DISCONNECT", vec![0xe2, 0], Reason::ReservedFlags, 0x81),
            (version, "content of PINGREQ", vec![0xc0, 1, 7], Reason::TrailingBytes, 0x81),
            (version, "QoS 3", publish_flags(version, 0b110, 1, "t", &[], b"{}"), Reason::Malformed, 0x81),
            (
                version,
                "QoS 0 with DUP",
                publish_flags(version, 0b1000, 0, "t", &[], b"{}"),
                Reason::DuplicateQosZero,
                0x81,
            ),
            (version, "packet id 0", publish(version, 1, 0, "t", b"{}"), Reason::PacketIdZero, 0x82),
            (version, "no topic", one(""), Reason::TopicEmpty, 0x82),
            (version, "topic +", one("a/+"), Reason::TopicCharacters, 0x90),
            (version, "long topic", one(&long), Reason::TopicTooLong, 0x90),
            (version, "topic not UTF-8", packet(0x30, &[0, 1, 0xff, 0, b'x']), Reason::Malformed, 0x81),
            (version, "topic beyond the end", packet(0x30, &[0, 9, b't']), Reason::Malformed, 0x81),
            (version, "five bytes of length", vec![0x30, 0xff, 0xff, 0xff, 0xff], Reason::Malformed, 0x81),
            (version, "larger than allowed", vec![0x30, 0x81, 0x20], Reason::PacketTooLarge, 0x95),
            (version, "subscription with packet id 0", packet(0x82, &[0, 0, 0]), Reason::PacketIdZero, 0x82),
            (version, "filter a/#/b", subscribe("a/#/b"), Reason::FilterInvalid, 0x8f),
            (version, "filter a+", subscribe("a+"), Reason::FilterInvalid, 0x8f),
        ]);
    }
    check(&cases).await;
}

#[tokio::test]
async fn packets_against_the_rules_of_one_version() {
    let aliased = |alias: u8, topic: &str| publish_flags(V5, 0, 0, topic, &[0x23, 0, alias], b"{}");
    let subscribe = packet(0x82, &[&[0, 1][..], &text(b"t"), &[0b0000_0100]].concat());
    check(&[
        (V4, "content of DISCONNECT", vec![0xe0, 1, 0], Reason::TrailingBytes, 0),
        (V4, "reserved bits of a subscription", subscribe, Reason::ReservedFlags, 0),
        (V4, "no filter", packet(0x82, &[0, 1]), Reason::Malformed, 0),
        (V5, "no filter", packet(0x82, &[0, 1, 0]), Reason::Malformed, 0x81),
        (V5, "alias never set", aliased(1, ""), Reason::TopicEmpty, 0x82),
        (V5, "alias too high", aliased(17, "t"), Reason::TopicAlias, 0x94),
        (V5, "alias 0", aliased(0, "t"), Reason::Malformed, 0x81),
        (
            V5,
            "alias twice",
            publish_flags(V5, 0, 0, "t", &[0x23, 0, 1, 0x23, 0, 1], b"{}"),
            Reason::Malformed,
            0x81,
        ),
        (V5, "subscription id", publish_flags(V5, 0, 0, "t", &[0x0b, 1], b"{}"), Reason::Malformed, 0x81),
        (
            V5,
            "response topic #",
            publish_flags(V5, 0, 0, "t", &[0x08, 0, 1, b'#'], b"{}"),
            Reason::TopicCharacters,
            0x90,
        ),
        (V5, "properties beyond the end", packet(0x30, &[0, 1, b't', 9]), Reason::Malformed, 0x81),
    ])
    .await;
}

/// Sends bytes as a first packet; the CONNACK's code, if there is an answer.
async fn check_connect(name: &str, bytes: &[u8], reason: Reason, code: Option<u8>) {
    let world = World::new(Durable::AtOnce).await;
    let mut client = world.dial().await;
    client.send(bytes).await;
    let answer = client.packet().await;
    assert_eq!(
        answer.as_ref().map(|connack| (connack[0], connack[3])),
        code.map(|code| (0x20, code)),
        "{name}"
    );
    if answer.is_some() {
        assert_eq!(client.packet().await, None, "{name}: closed behind the CONNACK");
    }
    world.counted(reason, 1).await;
}

#[tokio::test]
async fn first_packets_against_the_rules() {
    let first = |version, flags, tail: &[u8]| packet(0x10, &connect_body(version, flags, 60, tail));
    let login = [text(b"c"), text(b"a"), text(secret("a").as_bytes())].concat();
    let with_more = [&login[..], b"more"].concat();
    let clean_less = [text(b""), text(b"a"), text(secret("a").as_bytes())].concat();
    let old = [&text(b"MQIsdp")[..], &[3, 2, 0, 60], &text(b"c")].concat();
    let other = [&text(b"MQXX")[..], &[4, 2, 0, 60], &text(b"c")].concat();
    let level = |level| [&text(b"MQTT")[..], &[level, 2, 0, 60, 0], &text(b"c")].concat();
    let will_qos_3 = [text(b"c"), text(b"t"), text(b"x")].concat();
    for (name, bytes, reason, code) in [
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n".to_vec(), Reason::NotConnect, None),
        ("TLS", vec![0x16, 3, 1, 2, 0, 1], Reason::NotConnect, None),
        ("PUBLISH", publish(V4, 0, 0, "t", b"{}"), Reason::NotConnect, None),
        ("flags", packet(0x11, &[]), Reason::ReservedFlags, None),
        ("reserved flag", first(V4, 0b1100_0011, &login), Reason::ReservedFlags, None),
        ("3.1", packet(0x10, &old), Reason::Version, Some(1)),
        ("level 3", packet(0x10, &level(3)), Reason::Version, Some(1)),
        ("level 6", packet(0x10, &level(6)), Reason::Version, Some(0x84)),
        ("another name", packet(0x10, &other), Reason::Version, None),
        ("too short", packet(0x10, &text(b"MQTT")), Reason::Version, None),
        ("will QoS without will", first(V4, 0b1100_1010, &login), Reason::ConnectFlags, None),
        ("will QoS without will", first(V5, 0b1100_1010, &login), Reason::ConnectFlags, None),
        ("password alone", first(V4, 0b0100_0010, &login), Reason::ConnectFlags, None),
        ("will QoS 3", first(V4, 0b0001_1110, &will_qos_3), Reason::Malformed, None),
        ("trailing bytes", first(V4, 0b1100_0010, &with_more), Reason::TrailingBytes, None),
        ("trailing bytes", first(V5, 0b1100_0010, &with_more), Reason::TrailingBytes, None),
        ("no client id to keep", first(V4, 0b1100_0000, &clean_less), Reason::ClientId, Some(2)),
        ("no client id to keep", first(V5, 0b1100_0000, &clean_less), Reason::ClientId, Some(0x85)),
        ("too large", vec![0x10, 0x80, 0x80, 0x02], Reason::PacketTooLarge, None),
        (
            "receive maximum 0",
            packet(0x10, &[&text(b"MQTT")[..], &[5, 2, 0, 60, 3, 0x21, 0, 0], &text(b"c")].concat()),
            Reason::Malformed,
            None,
        ),
        (
            "method",
            packet(0x10, &[&text(b"MQTT")[..], &[5, 2, 0, 60, 4, 0x15, 0, 1, b'x'], &text(b"c")].concat()),
            Reason::AuthMethod,
            Some(0x8c),
        ),
    ] {
        check_connect(name, &bytes, reason, code).await;
    }
}

#[tokio::test]
async fn wrong_credentials_are_refused_in_the_words_of_each_version() {
    for (version, login, reason, code) in [
        (V4, Some(("a", "wrong")), Reason::CredentialsWrong, 4),
        (V4, Some(("nobody", "secret of nobody")), Reason::CredentialsWrong, 4),
        (V4, Some(("a", "secret of b")), Reason::CredentialsWrong, 4),
        (V4, Some(("a", "")), Reason::CredentialsWrong, 4),
        (V4, None, Reason::CredentialsMissing, 5),
        (V5, Some(("a", "wrong")), Reason::CredentialsWrong, 0x86),
        (V5, None, Reason::CredentialsMissing, 0x87),
    ] {
        check_connect(&format!("{login:?}"), &connect(version, "c", login), reason, Some(code)).await;
    }
}
