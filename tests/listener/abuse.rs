//! The abuse cases of the threat model that concern the listener, by their numbers.

use std::time::Duration;

use forewarn::ingest::listener::Reason;
use forewarn_core::reading::Marks;
use forewarn_core::time::Span;

use crate::common::setup;
use crate::inbox::{Durable, PATIENCE};
use crate::raw::Version::{V4, V5};
use crate::raw::{BOTH, connect_body, packet, publish, publish_flags, text};
use crate::world::World;

#[tokio::test]
async fn abuse_01_connect_without_credentials() {
    let world = World::new(Durable::AtOnce).await;
    for (version, code) in [(V4, 5), (V5, 0x87)] {
        let mut client = world.dial().await;
        assert_eq!(client.connect(version, "c", None).await, code);
        client.publish(1, 1, "t", r#"{"station":"a","level":1}"#).await;
        assert_eq!(client.packet().await, None, "closed");
    }
    world.counted(Reason::CredentialsMissing, 2).await;
    assert!(world.inbox.look(|inbox| inbox.offers == 0));
}

#[tokio::test]
async fn abuse_02_client_id_that_is_a_pattern() {
    let world = World::new(Durable::AtOnce).await;
    let ids = ["+", "#", "a/b", "a\0b", "a\u{ffff}b", "a\nb", &"x".repeat(257)];
    for id in ids {
        for (version, code) in [(V4, 2), (V5, 0x85)] {
            let mut client = world.dial().await;
            assert_eq!(client.connect(version, id, Some(("a", &setup::secret("a")))).await, code, "{id:?}");
        }
    }
    world.counted(Reason::ClientId, 2 * ids.len() as u64).await;
}

#[tokio::test]
async fn abuse_03_another_devices_station() {
    let world = World::new(Durable::AtOnce).await;
    let mut client = world.client(V4, "a").await;
    client.publish(1, 1, "b/level", r#"{"station":"b","level":9.9}"#).await;
    assert_eq!(client.acks(1).await, [1], "refused for good: sending it again would not help");
    assert!(world.inbox.values().is_empty());
    world.inbox.look(|inbox| {
        let [refused] = &inbox.refused[..] else { panic!("one entry, not {:?}", inbox.refused) };
        assert!(refused.reason.contains("\"b\""), "{}", refused.reason);
    });
    // In one message with a reading of its own, only the foreign one is refused.
    client.publish(1, 2, "t", r#"[{"station":"a","level":1},{"station":"b","level":9.9}]"#).await;
    assert_eq!(client.acks(1).await, [2]);
    assert_eq!(world.inbox.values(), [1.0]);
    assert_eq!(world.inbox.look(|inbox| inbox.refused.len()), 2);
}

#[tokio::test]
async fn abuse_03_gateway_speaks_for_its_stations_only() {
    let mut setup = setup::setup(&["a", "b", "c"]);
    let devices = std::sync::Arc::make_mut(&mut setup.devices);
    devices.by_identity = [setup::device("gateway", &[0, 1])].into();
    let world = World::of(setup, Durable::AtOnce, |_| {}).await;
    let mut client = world.client(V4, "gateway").await;
    for (id, station) in [(1, "a"), (2, "b"), (3, "c")] {
        client.publish(1, id, "t", &format!(r#"{{"station":"{station}","level":{id}}}"#)).await;
    }
    assert_eq!(client.acks(3).await, [1, 2, 3]);
    assert_eq!(world.inbox.values(), [1.0, 2.0]);
}

#[tokio::test]
async fn abuse_04_subscribe_as_a_sensor() {
    let world = World::new(Durable::AtOnce).await;
    let mut spy = world.client_as(V4, "spy", "a").await;
    for filter in ["#", "$SYS/#"] {
        spy.send(&packet(0x82, &[&[0, 1][..], &text(filter.as_bytes()), &[1]].concat())).await;
        assert_eq!(spy.packet().await.as_deref(), Some(&[0x90, 3, 0, 1, 0x80][..]));
    }
    let mut client = world.client(V4, "b").await;
    client.publish(1, 1, "t", r#"{"station":"b","level":1}"#).await;
    assert_eq!(client.acks(1).await, [1]);
    spy.hears_only_pong().await;
}

#[tokio::test]
async fn abuse_06_retain_is_no_statement_of_age() {
    let world = World::new(Durable::AtOnce).await;
    let mut client = world.client(V4, "a").await;
    client.send(&publish_flags(V4, 0b0011, 1, "t", &[], br#"{"station":"a","level":1}"#)).await;
    assert_eq!(client.acks(1).await, [1]);
    assert!(world.inbox.look(|inbox| !inbox.taken[0].marks.has(Marks::RETAINED)));
    // Nothing was kept: who connects and asks gets nothing.
    let mut later = world.client(V4, "b").await;
    later.send(&packet(0x82, &[&[0, 1][..], &text(b"#"), &[1]].concat())).await;
    assert_eq!(later.packet().await.as_deref(), Some(&[0x90, 3, 0, 1, 0x80][..]));
    later.hears_only_pong().await;
}

#[tokio::test]
async fn abuse_10_declared_length_of_256_mib() {
    for version in BOTH {
        let world = World::new(Durable::AtOnce).await;
        let mut client = world.client(version, "a").await;
        // The header alone: nothing else need come for the close.
        client.send(&[0x32, 0xff, 0xff, 0xff, 0x7f]).await;
        assert_eq!(client.closed().await, (version == V5).then_some(0x95));
        let mut stranger = world.dial().await;
        stranger.send(&[0x10, 0xff, 0xff, 0xff, 0x7f]).await;
        assert_eq!(stranger.closed().await, None);
        world.counted(Reason::PacketTooLarge, 2).await;
        world.still_serves().await;
    }
}

#[tokio::test]
async fn abuse_13_slow_connects_by_the_hundred() {
    const SLOW: usize = 300;
    let world = World::with(Durable::AtOnce, |listener| {
        listener.handshake_max = Span(1_500_000);
        listener.connections_max = SLOW + 1;
    })
    .await;
    let bytes = connect_body(V4, 0b0000_0010, 60, &text(b"slow"));
    let mut slow = vec![];
    for _ in 0..SLOW {
        slow.push(world.dial().await);
    }
    let started = std::time::Instant::now();
    let drip = async {
        let mut tick = tokio::time::interval(Duration::from_millis(500));
        for byte in packet(0x10, &bytes) {
            tick.tick().await;
            for client in &mut slow {
                client.send(&[byte]).await;
            }
            if started.elapsed() > Duration::from_secs(3) {
                break;
            }
        }
    };
    let served = async {
        let mut client = world.client(V4, "a").await;
        client.publish(1, 1, "t", r#"{"station":"a","level":1}"#).await;
        assert_eq!(client.acks(1).await, [1]);
        assert!(started.elapsed() < Duration::from_secs(1), "served beside them");
        client.hears_only_pong().await;
    };
    tokio::join!(drip, served);
    world.counted(Reason::HandshakeSlow, SLOW as u64).await;
    for client in &mut slow {
        assert_eq!(client.packet().await, None, "closed");
    }
}

#[tokio::test]
async fn abuse_13_silent_peers_on_every_place_give_way() {
    let world = World::with(Durable::AtOnce, |listener| {
        listener.handshake_max = Span::from_secs(600);
        listener.connections_max = 2;
    })
    .await;
    let mut silent = [world.dial().await, world.dial().await];
    let admitted = tokio::time::timeout(PATIENCE, async {
        loop {
            let mut client = world.dial().await;
            let hello = crate::raw::connect(V4, "a", Some(("a", &setup::secret("a"))));
            client.send(&hello).await;
            if client.packet().await.is_some() {
                return client;
            }
        }
    });
    let mut admitted = admitted.await.expect("a place becomes free");
    assert_eq!(silent[0].packet().await, None, "the oldest gave way");
    world.counted(Reason::GaveWay, 1).await;
    assert!(world.handle.refused(Reason::TooManyConnections) > 0, "before its grace was over");
    admitted.hears_only_pong().await;
}

#[tokio::test]
async fn abuse_13_places_of_the_admitted_are_their_own() {
    let world = World::with(Durable::AtOnce, |listener| listener.connections_max = 2).await;
    let mut clients = [world.client(V4, "a").await, world.client(V4, "b").await];
    let mut third = world.dial().await;
    assert_eq!(third.packet().await, None, "closed at accept");
    world.counted(Reason::TooManyConnections, 1).await;
    for client in &mut clients {
        client.hears_only_pong().await;
    }
}

#[tokio::test]
async fn abuse_15_qos_2_holds_nothing() {
    for (version, code) in [(V4, None), (V5, Some(0x9b))] {
        let world = World::new(Durable::AtOnce).await;
        let mut client = world.client(version, "a").await;
        let flood: Vec<u8> = (1..=1_000)
            .flat_map(|id| publish(version, 2, id, "t", br#"{"station":"a","level":1}"#))
            .collect();
        client.send(&flood).await;
        assert_eq!(client.closed().await, code);
        world.counted(Reason::QosTwo, 1).await;
        assert!(world.inbox.look(|inbox| inbox.offers == 0));
        world.still_serves().await;
    }
}

#[tokio::test]
async fn abuse_16_topics_against_the_rules() {
    let payload = br#"{"station":"a","level":1}"#;
    for topic in ["a\0b", "a\u{ffff}", "a\u{fdd0}", "a\u{1fffe}", "a\u{7}b", "a\u{85}b", "a/#", "+"] {
        for version in BOTH {
            let world = World::new(Durable::AtOnce).await;
            let mut client = world.client(version, "a").await;
            client.send(&publish(version, 1, 1, topic, payload)).await;
            assert_eq!(client.closed().await, (version == V5).then_some(0x90), "{topic:?}");
            world.counted(Reason::TopicCharacters, 1).await;
            assert!(world.inbox.look(|inbox| inbox.offers == 0));
        }
    }
    // Lawful but unusual: kept with its bytes, so that somebody sees it.
    let world = World::new(Durable::AtOnce).await;
    let mut client = world.client(V4, "a").await;
    let unusual = ["a b", "a/../b", "..", "a//b", "a\u{2003}b"];
    for (id, topic) in (1..).zip(unusual) {
        client.send(&publish(V4, 1, id, topic, payload)).await;
        assert_eq!(client.acks(1).await, [id], "{topic:?}");
    }
    world.counted(Reason::TopicUnusual, unusual.len() as u64).await;
    assert!(world.inbox.values().is_empty());
    let kept: Vec<_> = world.inbox.look(|inbox| inbox.refused.iter().map(|r| r.topic.clone()).collect());
    assert_eq!(kept, unusual);
}

#[tokio::test]
async fn abuse_17_a_will_is_never_evidence() {
    let will = br#"{"station":"a","level":99}"#;
    let world = World::new(Durable::AtOnce).await;
    for version in BOTH {
        let mut client = world.dial().await;
        let properties: &[u8] = if version == V5 { &[0] } else { &[] };
        let tail = [
            &text(b"doomed")[..],
            properties,
            &text(b"alarm"),
            &text(will),
            &text(b"a"),
            &text(setup::secret("a").as_bytes()),
        ];
        client.send(&packet(0x10, &connect_body(version, 0b1110_1110, 60, &tail.concat()))).await;
        let connack = client.packet().await.expect("CONNACK");
        assert_eq!(connack[3], 0, "let in");
        drop(client);
    }
    world.counted(Reason::Will, 2).await;
    world.still_serves().await;
    assert_eq!(world.inbox.values(), [42.0], "only the witness was heard");
}
