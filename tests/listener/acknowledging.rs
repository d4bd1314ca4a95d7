//! PUBACK means durable.

use forewarn::ingest::listener::Reason;

use crate::inbox::{Durable, Room};
use crate::raw::{BOTH, Version, publish};
use crate::world::World;

const LEVEL: &str = r#"{"station":"a","level":1.5}"#;

#[tokio::test]
async fn a_puback_waits_for_the_log() {
    for version in BOTH {
        let world = World::new(Durable::WhenTold).await;
        let mut client = world.client(version, "a").await;
        client.publish(1, 9, "t", LEVEL).await;
        world.inbox.until("the reading came", |inbox| inbox.taken.len() == 1).await;
        client.hears_only_pong().await;
        world.inbox.sync();
        assert_eq!(client.acks(1).await, [9]);
        assert_eq!(world.inbox.values(), [1.5]);
    }
}

#[tokio::test]
async fn one_read_is_one_batch_and_its_acknowledgements_keep_their_order() {
    let world = World::new(Durable::WhenTold).await;
    let mut client = world.client(Version::V5, "a").await;
    let ids = [300, 1, 299, 2, 65_535];
    let burst: Vec<u8> =
        ids.iter().flat_map(|&id| publish(Version::V5, 1, id, "t", LEVEL.as_bytes())).collect();
    client.send(&burst).await;
    world.inbox.until("all came", |inbox| inbox.taken.len() == ids.len()).await;
    assert_eq!(world.inbox.look(|inbox| inbox.batches), 1);
    world.inbox.sync();
    assert_eq!(client.acks(ids.len()).await, ids);
}

#[tokio::test]
async fn a_later_batch_that_is_durable_first_waits_for_the_earlier() {
    let world = World::new(Durable::WhenTold).await;
    let mut client = world.client(Version::V4, "a").await;
    for (count, id) in [(1, 11), (2, 12)] {
        client.publish(1, id, "t", LEVEL).await;
        world.inbox.until("it came", |inbox| inbox.taken.len() == count).await;
    }
    let (first, second) = world.inbox.look(|inbox| {
        let gate = |at: usize| (inbox.waiting[at].gate.clone(), inbox.waiting[at].tokens.clone());
        (gate(0), gate(1))
    });
    second.0.durable(&second.1);
    client.hears_only_pong().await;
    first.0.durable(&first.1);
    assert_eq!(client.acks(2).await, [11, 12]);
}

#[tokio::test]
async fn qos_0_owes_nothing() {
    let world = World::new(Durable::WhenTold).await;
    let mut client = world.client(Version::V4, "a").await;
    client.publish(0, 0, "t", LEVEL).await;
    world.inbox.until("the reading came", |inbox| inbox.taken.len() == 1).await;
    assert!(world.inbox.look(|inbox| inbox.waiting.is_empty()));
    client.hears_only_pong().await;
}

#[tokio::test]
async fn word_from_the_log_never_reaches_a_later_connection() {
    let world = World::new(Durable::WhenTold).await;
    let mut earlier = world.client(Version::V5, "a").await;
    earlier.publish(1, 5, "t", LEVEL).await;
    world.inbox.until("the reading came", |inbox| inbox.taken.len() == 1).await;
    let mut later = world.client(Version::V5, "a").await;
    assert_eq!(earlier.closed().await, Some(0x8e), "session taken over");
    world.counted(Reason::TakenOver, 1).await;
    world.inbox.sync();
    later.hears_only_pong().await;
    later.publish(1, 5, "t", LEVEL).await;
    world.inbox.until("it came again", |inbox| inbox.taken.len() == 2).await;
    world.inbox.sync();
    assert_eq!(later.acks(1).await, [5]);
}

#[tokio::test]
async fn a_message_that_is_not_understood_is_kept_and_acknowledged() {
    let world = World::new(Durable::WhenTold).await;
    let mut client = world.client(Version::V4, "a").await;
    for (count, payload) in [(1, "not json"), (2, r#"{"station":"nobody","level":1}"#)] {
        client.publish(1, count, "t/x", payload).await;
        world.inbox.until("it is kept", |inbox| inbox.refused.len() == usize::from(count)).await;
        client.hears_only_pong().await;
        world.inbox.sync();
        assert_eq!(client.acks(1).await, [count]);
        world.inbox.look(|inbox| {
            let refused = inbox.refused.last().expect("kept");
            assert_eq!((refused.topic.as_str(), &refused.bytes[..]), ("t/x", payload.as_bytes()));
            assert!(!refused.reason.is_empty());
        });
    }
    assert!(world.inbox.values().is_empty());
}

#[tokio::test]
async fn a_full_inbox_holds_up_qos_1_and_loses_nothing() {
    let world = World::new(Durable::AtOnce).await;
    let mut client = world.client(Version::V4, "a").await;
    world.inbox.set_room(Room::Full);
    client.publish(1, 1, "t", LEVEL).await;
    world.inbox.until("it was offered", |inbox| inbox.offers == 1).await;
    for id in 2..=5 {
        client.publish(1, id, "t", LEVEL).await;
    }
    world.inbox.set_room(Room::Free);
    assert_eq!(client.acks(5).await, [1, 2, 3, 4, 5]);
    assert_eq!(world.inbox.values().len(), 5);
}

#[tokio::test]
async fn a_full_inbox_sheds_qos_0_and_counts_it() {
    let world = World::new(Durable::AtOnce).await;
    let mut client = world.client(Version::V4, "a").await;
    world.inbox.set_room(Room::Full);
    client.publish(0, 0, "t", LEVEL).await;
    world.counted(Reason::Shed, 1).await;
    client.hears_only_pong().await;
    world.inbox.set_room(Room::Free);
    client.publish(1, 1, "t", LEVEL).await;
    assert_eq!(client.acks(1).await, [1]);
    assert_eq!(world.inbox.values().len(), 1);
}

#[tokio::test]
async fn an_inbox_full_for_long_ends_the_connection_unacknowledged() {
    let world = World::new(Durable::AtOnce).await;
    let mut client = world.client(Version::V5, "a").await;
    world.inbox.set_room(Room::Full);
    client.publish(1, 1, "t", LEVEL).await;
    assert_eq!(client.closed().await, Some(0x89), "server busy");
    world.counted(Reason::InboxFull, 1).await;
    assert!(world.inbox.values().is_empty());
    world.inbox.set_room(Room::Free);
    world.still_serves().await;
}

#[tokio::test]
async fn v5_may_not_exceed_the_receive_maximum() {
    let world = World::new(Durable::WhenTold).await;
    let mut client = world.client(Version::V5, "a").await;
    for id in 1..=1_024 {
        client.publish(1, id, "t", LEVEL).await;
    }
    world.inbox.until("as many as announced came", |inbox| inbox.taken.len() == 1_024).await;
    client.hears_only_pong().await;
    client.publish(1, 1_025, "t", LEVEL).await;
    assert_eq!(client.closed().await, Some(0x93), "receive maximum exceeded");
    world.counted(Reason::ReceiveMaximum, 1).await;
}

#[tokio::test]
async fn v4_is_not_read_while_too_much_is_unacknowledged() {
    let world = World::new(Durable::WhenTold).await;
    let mut client = world.client(Version::V4, "a").await;
    let burst: Vec<u8> =
        (1..=2_000).flat_map(|id| publish(Version::V4, 1, id, "t", LEVEL.as_bytes())).collect();
    client.send(&burst).await;
    world.inbox.until("as many as may came", |inbox| inbox.taken.len() == 1_024).await;
    world.inbox.sync();
    assert_eq!(client.acks(1_024).await, (1..=1_024).collect::<Vec<_>>());
    world.inbox.until("the rest came", |inbox| inbox.taken.len() == 2_000).await;
    world.inbox.sync();
    assert_eq!(client.acks(976).await, (1_025..=2_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_stop_still_acknowledges_what_becomes_durable() {
    let world = World::new(Durable::WhenTold).await;
    let mut client = world.client(Version::V5, "a").await;
    client.publish(1, 3, "t", LEVEL).await;
    world.inbox.until("the reading came", |inbox| inbox.taken.len() == 1).await;
    world.stop.cancel();
    world.inbox.sync();
    assert_eq!(client.acks(1).await, [3]);
    assert_eq!(client.closed().await, Some(0x8b), "server shutting down");
    drop(client);
    tokio::time::timeout(crate::inbox::PATIENCE, world.handle.stopped()).await.expect("it stops");
    assert!(tokio::net::TcpStream::connect(world.address()).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn what_came_before_a_fault_in_the_same_read_counts() {
    let world = World::new(Durable::AtOnce).await;
    let mut client = world.client(Version::V5, "a").await;
    let mut bytes = publish(Version::V5, 0, 0, "t", LEVEL.as_bytes());
    bytes.extend(publish(Version::V5, 2, 1, "t", LEVEL.as_bytes()));
    client.send(&bytes).await;
    assert_eq!(client.closed().await, Some(0x9b), "QoS not supported");
    assert_eq!(world.inbox.values(), [1.5]);
}
