//! Sessions with a real mosquitto: what is acknowledged, what comes again, and
//! what becomes of it when broker, network or inbox fail.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/mosquitto.rs"]
mod mosquitto;
#[path = "../common/skip.rs"]
mod skip;
mod tls;
#[path = "../common/tls.rs"]
mod tls_files;
mod world;

use common::house::wait_for;
use forewarn::config::plan::MqttVersion;
use forewarn_core::reading::Marks;
use mosquitto::Mosquitto;
use world::{Durable, FakeInbox, Publisher, UnderTest, mqtt, sync};

const BOTH: [MqttVersion; 2] = [MqttVersion::V4, MqttVersion::V5];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_durable_comes_again_and_what_is_does_not() {
    for version in BOTH {
        let Some(broker) = Mosquitto::open() else { return };
        let inbox = FakeInbox::new(Durable::WhenTold);
        let session = UnderTest::start(mqtt(broker.port, version), &inbox);
        inbox.until("up", |came| came.standings == [true]).await;
        let publisher = Publisher::connect(broker.port).await;
        // One batch a message: each is waited for.
        for (value, all) in [("1", &[1.0][..]), ("2", &[1.0, 2.0]), ("3", &[1.0, 2.0, 3.0])] {
            publisher.publish(value).await;
            inbox.until("each", |came| came.values == all).await;
        }
        let mut waiting = inbox.waiting();
        let third = waiting.split_off(2);
        sync(&waiting);
        session.stop().await;

        let inbox = FakeInbox::new(Durable::AtOnce);
        let session = UnderTest::start(mqtt(broker.port, version), &inbox);
        inbox.until("the third again", |came| came.values.contains(&3.0)).await;
        publisher.publish("4").await;
        inbox.until("and on", |came| came.values.contains(&4.0)).await;
        assert_eq!(inbox.look(|came| came.values.clone()), [3.0, 4.0], "{version:?}");
        session.stop().await;
        drop(third);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_stumbles_is_told_as_down_and_comes_back() {
    let Some(broker) = Mosquitto::open() else { return };
    let inbox = FakeInbox::new(Durable::AtOnce);
    let session = UnderTest::start(mqtt(broker.port, MqttVersion::V4), &inbox);
    inbox.until("up", |came| came.standings == [true]).await;
    inbox.stumble();
    Publisher::connect(broker.port).await.publish("1").await;
    inbox.until("down, and up again", |came| came.standings == [true, false, true]).await;
    inbox.until("what it stumbled over comes again", |came| came.values == [1.0]).await;
    session.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_comes_again_is_the_same_reading_and_two_alike_of_qos_0_are_not() {
    let Some(broker) = Mosquitto::open() else { return };
    let mut identities = vec![];
    for _ in 0..2 {
        let inbox = FakeInbox::new(Durable::WhenTold);
        let session = UnderTest::start(mqtt(broker.port, MqttVersion::V4), &inbox);
        inbox.until("up", |came| came.standings == [true]).await;
        if identities.is_empty() {
            Publisher::connect(broker.port).await.publish("1").await;
        }
        inbox.until("the message", |came| came.values == [1.0]).await;
        identities.push(inbox.look(|came| came.identities[0]));
        session.stop().await;
    }
    assert_eq!(identities[0], identities[1]);

    let inbox = FakeInbox::new(Durable::AtOnce);
    let session = UnderTest::start(mqtt(broker.port, MqttVersion::V4), &inbox);
    inbox.until("the message", |came| came.values == [1.0]).await;
    let publisher = Publisher::connect(broker.port).await;
    publisher.send(rumqttc::QoS::AtMostOnce, false, "5").await;
    publisher.send(rumqttc::QoS::AtMostOnce, false, "5").await;
    inbox.until("both", |came| came.values == [1.0, 5.0, 5.0]).await;
    inbox.look(|came| assert_ne!(came.identities[1], came.identities[2]));
    session.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_of_a_lost_connection_goes_nowhere() {
    for version in BOTH {
        let Some(mut broker) = Mosquitto::open() else { return };
        let inbox = FakeInbox::new(Durable::WhenTold);
        let session = UnderTest::start(mqtt(broker.port, version), &inbox);
        inbox.until("up", |came| came.standings == [true]).await;
        Publisher::connect(broker.port).await.publish("1").await;
        inbox.until("message A", |came| came.values == [1.0]).await;
        let of_a = inbox.waiting();

        // The broker forgets everything: message B gets A's packet id.
        broker.stop();
        broker.forget();
        broker.go();
        inbox.until("down and up", |came| came.standings == [true, false, true]).await;
        Publisher::connect(broker.port).await.publish("2").await;
        inbox.until("message B", |came| came.values == [1.0, 2.0]).await;
        sync(&of_a);
        session.stop().await;

        let inbox = FakeInbox::new(Durable::AtOnce);
        let session = UnderTest::start(mqtt(broker.port, version), &inbox);
        inbox.until("B again: nobody had kept it", |came| came.values == [2.0]).await;
        session.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_broker_is_subscribed_again_whether_it_remembers_or_not() {
    for version in BOTH {
        let Some(mut broker) = Mosquitto::open() else { return };
        let inbox = FakeInbox::new(Durable::AtOnce);
        let session = UnderTest::start(mqtt(broker.port, version), &inbox);
        inbox.until("up", |came| came.standings == [true]).await;
        broker.stop();
        inbox.until("told down at once, and once", |came| came.standings == [true, false]).await;
        broker.go();
        inbox.until("up again", |came| came.standings == [true, false, true]).await;
        Publisher::connect(broker.port).await.publish("1").await;
        inbox.until("subscribed", |came| came.values == [1.0]).await;
        broker.stop();
        broker.forget();
        broker.go();
        inbox.until("up a third time", |came| came.standings.len() == 5).await;
        Publisher::connect(broker.port).await.publish("2").await;
        inbox.until("subscribed anew", |came| came.values == [1.0, 2.0]).await;
        session.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_too_large_is_told_quarantined_and_stops_nothing() {
    let Some(broker) = Mosquitto::open() else { return };
    let inbox = FakeInbox::new(Durable::AtOnce);
    let session = UnderTest::start(mqtt(broker.port, MqttVersion::V4), &inbox);
    inbox.until("up", |came| came.standings == [true]).await;
    let publisher = Publisher::connect(broker.port).await;
    // Above the source's limit, and above even the room that is kept for such.
    for bytes in [100_000, 6 << 20] {
        publisher.publish(vec![b' '; bytes]).await;
    }
    publisher.publish("1").await;
    inbox.until("what came behind", |came| came.values == [1.0]).await;
    inbox.look(|came| {
        assert_eq!(came.refused.len(), 2, "{:?}", came.refused);
        assert!(came.refused[0].0.contains("100000 bytes, expected at most 65536 (packet_max"));
        assert_eq!(came.refused[1].1, forewarn::ports::REFUSED_BYTES_MAX);
        // Told once, not for every one of them.
        assert_eq!(came.troubles.len(), 1, "{:?}", came.troubles);
        assert!(came.troubles[0].0 && came.troubles[0].1.contains("100000 bytes"));
    });
    session.stop().await;

    let inbox = FakeInbox::new(Durable::AtOnce);
    let session = UnderTest::start(mqtt(broker.port, MqttVersion::V4), &inbox);
    publisher.publish("2").await;
    inbox.until("none of them again", |came| came.values == [2.0]).await;
    assert!(inbox.look(|came| came.refused.is_empty()), "they were acknowledged");
    session.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_inbox_drops_the_session_and_loses_nothing() {
    const MESSAGES: usize = 300;
    for version in BOTH {
        let Some(broker) = Mosquitto::open() else { return };
        let inbox = FakeInbox::new(Durable::WhenTold);
        inbox.set_room(7);
        let session = UnderTest::start(mqtt(broker.port, version), &inbox);
        inbox.until("up", |came| came.standings == [true]).await;
        let publisher = Publisher::connect(broker.port).await;
        for value in 0..MESSAGES {
            publisher.publish(value.to_string()).await;
        }
        inbox.until("full", |came| came.full > 0).await;
        // Drained seven at a time, with what they were durable only then.
        inbox.set_durable(Durable::AtOnce);
        sync(&inbox.waiting());
        let every = |came: &world::Contents| {
            (0..MESSAGES).all(|value| came.values.iter().any(|came| (*came - value as f64).abs() < 0.5))
        };
        while !inbox.look(every) {
            inbox.set_room(25);
            inbox.until("used up, or done", |came| came.room_for == 0 || came.full > 0 || every(came)).await;
            tokio::task::yield_now().await;
        }
        // Our own stop is no outage of the source.
        assert_eq!(inbox.look(|came| came.standings.clone()), [true], "{version:?}");
        session.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn qos_0_is_shed_when_the_inbox_is_full_and_the_session_stays() {
    let Some(broker) = Mosquitto::open() else { return };
    let inbox = FakeInbox::new(Durable::AtOnce);
    let session = UnderTest::start(
        forewarn::config::plan::Mqtt { qos: 0, ..mqtt(broker.port, MqttVersion::V4) },
        &inbox,
    );
    inbox.until("up", |came| came.standings == [true]).await;
    inbox.set_room(0);
    let publisher = Publisher::connect(broker.port).await;
    publisher.publish("1").await;
    inbox.until("shed", |came| came.full == 1).await;
    inbox.set_room(9);
    publisher.publish("2").await;
    inbox.until("the next", |came| came.values == [2.0]).await;
    session.stop().await;
}

/// Faults e and h of rumqttc: whoever waits for a sync goes on polling, so that
/// the broker hears of us, and what it sent is acknowledged on the same connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_stalls_beyond_the_keep_alive_costs_no_connection() {
    let Some(broker) = Mosquitto::open() else { return };
    let inbox = FakeInbox::new(Durable::WhenTold);
    let keep_alive = forewarn_core::time::Span::from_secs(5);
    let session = UnderTest::start(
        forewarn::config::plan::Mqtt { keep_alive, ..mqtt(broker.port, MqttVersion::V4) },
        &inbox,
    );
    inbox.until("up", |came| came.standings == [true]).await;
    let publisher = Publisher::connect(broker.port).await;
    publisher.publish("1").await;
    inbox.until("the reading", |came| came.values == [1.0]).await;
    // A broker gives a client up after one and a half keep-alives of silence.
    let pings = || {
        broker
            .said()
            .lines()
            .filter(|line| line.contains("Received PINGREQ from forewarn-test-river"))
            .count()
    };
    let begun = std::time::Instant::now();
    wait_for("two pings meanwhile", || (pings() >= 2).then_some(())).await;
    assert!(begun.elapsed() > std::time::Duration::from_millis(7_500), "longer than it would wait for us");
    sync(&inbox.waiting());
    let acknowledged = || broker.said().contains("Received PUBACK from forewarn-test-river");
    wait_for("the acknowledgement", || acknowledged().then_some(())).await;
    assert_eq!(inbox.look(|came| came.standings.clone()), [true], "one connection all the while");
    session.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_broker_had_kept_is_marked() {
    for version in BOTH {
        let Some(broker) = Mosquitto::open() else { return };
        let publisher = Publisher::connect(broker.port).await;
        // Before the broker has it, whoever subscribes gets it as new.
        publisher.publish_to_keep("1").await;
        let inbox = FakeInbox::new(Durable::AtOnce);
        let session = UnderTest::start(mqtt(broker.port, version), &inbox);
        inbox.until("the retained", |came| came.values == [1.0]).await;
        publisher.publish("2").await;
        inbox.until("the new", |came| came.values == [1.0, 2.0]).await;
        inbox.look(|came| {
            assert!(came.marks[0].has(Marks::RETAINED));
            assert!(!came.marks[1].has(Marks::RETAINED));
        });
        session.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_refuses_is_down_and_tried_again() {
    let Some(mut broker) = Mosquitto::start(|_| "allow_anonymous false\n".into()) else { return };
    let inbox = FakeInbox::new(Durable::AtOnce);
    let session = UnderTest::start(mqtt(broker.port, MqttVersion::V4), &inbox);
    inbox.until("down", |came| came.standings == [false]).await;
    broker.stop();
    let config = broker.dir.path().join("mosquitto.conf");
    let text = std::fs::read_to_string(&config).expect("its configuration");
    std::fs::write(&config, text.replace("anonymous false", "anonymous true")).expect("a file");
    broker.go();
    inbox.until("up", |came| came.standings == [false, true]).await;
    session.stop().await;
}
