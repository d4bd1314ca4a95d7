//! What a connection may do and go on.

use std::sync::Arc;

use forewarn::config::plan::Devices;
use forewarn::ingest::listener::Reason;

use crate::common::setup;
use crate::inbox::Durable;
use crate::raw::Version::{V4, V5};
use crate::raw::{BOTH, Client, connect_body, packet, publish, publish_flags, text};
use crate::world::World;

const LEVEL: &[u8] = br#"{"station":"a","level":1.5}"#;

#[tokio::test]
async fn v5_is_told_what_it_may_do() {
    let world = World::new(Durable::AtOnce).await;
    let mut client = world.dial().await;
    // Session expiry 600 s, keep-alive 0, no client id.
    let body = [
        &text(b"MQTT")[..],
        &[5, 0b1100_0010, 0, 0, 5, 0x11, 0, 0, 2, 0x58],
        &text(b""),
        &text(b"a"),
        &text(setup::secret("a").as_bytes()),
    ];
    client.send(&packet(0x10, &body.concat())).await;
    let connack = client.packet().await.expect("CONNACK");
    assert_eq!(connack[..4], [0x20, connack[1], 0, 0]);
    let announced = |property: &[u8]| connack[5..].windows(property.len()).any(|part| part == property);
    for (name, property) in [
        ("session expiry 0", &[0x11, 0, 0, 0, 0][..]),
        ("receive maximum 1,024", &[0x21, 4, 0]),
        ("maximum QoS 1", &[0x24, 1]),
        ("maximum packet size 64 KiB", &[0x27, 0, 1, 0, 0]),
        ("topic alias maximum 16", &[0x22, 0, 16]),
        ("server keep-alive 3,600 s", &[0x13, 0x0e, 0x10]),
        ("no wildcards", &[0x28, 0]),
        ("no subscription ids", &[0x29, 0]),
        ("no shared subscriptions", &[0x2a, 0]),
        ("a client id", b"forewarn-"),
    ] {
        assert!(announced(property), "{name} in {connack:x?}");
    }
    assert!(!announced(&[0x25, 0]), "retained messages are ordinary ones");
}

#[tokio::test]
async fn wishes_to_subscribe_are_refused_and_the_connection_stays() {
    let world = World::new(Durable::AtOnce).await;
    for (version, properties, suback, unsuback) in [
        (V4, &[][..], &[0x90, 4, 0, 8, 0x80, 0x80][..], &[0xb0, 2, 0, 9][..]),
        (V5, &[0][..], &[0x90, 5, 0, 8, 0, 0x87, 0x87][..], &[0xb0, 4, 0, 9, 0, 0x11][..]),
    ] {
        let mut client = world.client(version, "a").await;
        let filters = [&text(b"a/+/c")[..], &[1], &text(b"$SYS/#"), &[0]].concat();
        client.send(&packet(0x82, &[&[0, 8][..], properties, &filters].concat())).await;
        assert_eq!(client.packet().await.as_deref(), Some(suback));
        client.send(&packet(0xa2, &[&[0, 9][..], properties, &text(b"t")].concat())).await;
        assert_eq!(client.packet().await.as_deref(), Some(unsuback));
        client.hears_only_pong().await;
    }
    world.counted(Reason::Subscription, 2).await;
}

#[tokio::test]
async fn an_alias_stands_for_its_topic() {
    let mut setup = setup::setup(&["a"]);
    setup.sources[0].decode.format = setup::json(r#"{"topic":"{station}/{quantity}"}"#);
    let world = World::of(setup, Durable::AtOnce, |_| {}).await;
    let mut client = world.client(V5, "a").await;
    for (id, topic) in [(1, "a/level"), (2, "")] {
        client.send(&publish_flags(V5, 0b10, id, topic, &[0x23, 0, 1], b"2.5")).await;
    }
    assert_eq!(client.acks(2).await, [1, 2]);
    assert_eq!(world.inbox.values(), [2.5, 2.5]);
}

#[tokio::test]
async fn messages_may_come_with_the_connect_and_in_pieces() {
    for version in BOTH {
        let world = World::new(Durable::AtOnce).await;
        let mut client = world.dial().await;
        client.version = version;
        let login = [text(b"c"), text(b"a"), text(setup::secret("a").as_bytes())].concat();
        let mut bytes = packet(0x10, &connect_body(version, 0b1100_0010, 0, &login));
        bytes.extend(publish(version, 1, 1, "t", LEVEL));
        bytes.extend(publish(version, 1, 2, "t", LEVEL));
        for byte in bytes {
            client.send(&[byte]).await;
        }
        client.packet().await.expect("CONNACK");
        assert_eq!(client.acks(2).await, [1, 2]);
        assert_eq!(world.inbox.values(), [1.5, 1.5]);
    }
}

#[tokio::test]
async fn a_large_message_is_read_whole() {
    let world = World::with(Durable::AtOnce, |listener| listener.packet_max = 1 << 20).await;
    let mut client = world.client(V4, "a").await;
    let mut payload = LEVEL.to_vec();
    payload.resize(900_000, b' ');
    client.send(&publish(V4, 1, 1, "t", &payload)).await;
    assert_eq!(client.acks(1).await, [1]);
    assert_eq!(world.inbox.values(), [1.5]);
}

#[tokio::test]
async fn a_silent_client_is_closed_after_one_and_a_half_keep_alives() {
    let world = World::new(Durable::AtOnce).await;
    let mut client = world.dial().await;
    client.version = V5;
    let login = [text(b"c"), text(b"a"), text(setup::secret("a").as_bytes())].concat();
    client.send(&packet(0x10, &connect_body(V5, 0b1100_0010, 1, &login))).await;
    client.packet().await.expect("CONNACK");
    let start = std::time::Instant::now();
    assert_eq!(client.closed().await, Some(0x8d), "keep alive timeout");
    assert!(start.elapsed().as_millis() >= 1_400);
    world.counted(Reason::KeepAlive, 1).await;
}

#[tokio::test]
async fn a_fast_client_is_slowed_and_loses_nothing() {
    let world = World::with(Durable::AtOnce, |listener| listener.rate_max = 50).await;
    let mut client = world.client(V4, "a").await;
    let start = std::time::Instant::now();
    let burst: Vec<u8> = (1..=100).flat_map(|id| publish(V4, 1, id, "t", LEVEL)).collect();
    client.send(&burst).await;
    assert_eq!(client.acks(100).await, (1..=100).collect::<Vec<_>>());
    assert!(start.elapsed().as_millis() >= 900, "the second half takes a second");
}

#[tokio::test]
async fn credentials_that_are_withdrawn_end_the_connection() {
    let world = World::new(Durable::AtOnce).await;
    let mut client = world.client(V5, "a").await;
    world.setup.send_modify(|setup| Arc::make_mut(setup).devices = Arc::new(Devices::default()));
    client.publish(1, 1, "t", "{}").await;
    assert_eq!(client.closed().await, Some(0x87), "not authorised");
    world.counted(Reason::CredentialsWithdrawn, 1).await;
    assert!(world.inbox.look(|inbox| inbox.batches == 0));
}

#[tokio::test]
async fn the_client_id_of_another_identity_is_taken() {
    let world = World::new(Durable::AtOnce).await;
    let mut first = world.client_as(V4, "gauge", "a").await;
    let mut other = world.dial().await;
    assert_eq!(other.connect(V5, "gauge", Some(("b", &setup::secret("b")))).await, 0x85);
    world.counted(Reason::ClientIdTaken, 1).await;
    first.hears_only_pong().await;
    drop(first);
    // The seat is free once the listener has seen the first one leave.
    let seated = tokio::time::timeout(crate::inbox::PATIENCE, async {
        while Client::dial(world.address()).await.connect(V4, "gauge", Some(("b", &setup::secret("b")))).await
            != 0
        {}
    });
    seated.await.expect("the seat becomes free");
}
