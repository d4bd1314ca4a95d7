//! Readings through a real mosquitto.

use forewarn_core::event::{Decision, Input};
use forewarn_core::ids::Position;
use forewarn_core::warning::TroubleCode;
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};

use crate::common::house::{Folder, PATIENCE, Receiver, level, wait_for};
use crate::mosquitto::Mosquitto;
use crate::tls_files::certificates;

fn folder(receiver: &Receiver, mqtt: &str) -> Folder {
    Folder::new(
        &receiver.url,
        &format!(
            "warnings = {{ outage_tell_max = \"1 s\" }}\n[sources.river]\nmqtt = {{ topic = \"river/#\", {mqtt} }}\ndecode = {{ format = \"json\" }}\n"
        ),
    )
}

/// Publishes at QoS 1 and waits for the broker's word.
pub(crate) async fn publish(port: u16, payloads: &[String]) {
    let mut options = MqttOptions::new("a-gauge", "127.0.0.1", port);
    options.set_clean_session(true);
    let (client, mut events) = AsyncClient::new(options, 100);
    for payload in payloads {
        client
            .publish("river/qj-1", QoS::AtLeastOnce, false, payload.clone())
            .await
            .expect("the client runs");
    }
    let mut acked = 0;
    while acked < payloads.len() {
        if let Event::Incoming(Packet::PubAck(_)) = events.poll().await.expect("the broker runs") {
            acked += 1;
        }
    }
}

/// Publishes until the service has a reading: what comes before it has subscribed goes to nobody.
pub(crate) async fn hear(folder: &Folder, port: u16) {
    let heard = || {
        let records = forewarn::log::Records::open_read_only(&folder.data(), Position(0)).expect("a log");
        records
            .flat_map(|record| record.expect("sound").inputs)
            .any(|input| matches!(input, Input::Reading(_)))
    };
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !heard() {
        assert!(tokio::time::Instant::now() < deadline, "the service hears nothing of the broker");
        publish(port, &[level("qj-1", 55.0)]).await;
    }
}

/// The values in the log that lie in a range, each once, in order.
fn values(folder: &Folder, range: std::ops::Range<f64>) -> Vec<f64> {
    let records = forewarn::log::Records::open_read_only(&folder.data(), Position(0)).expect("a log");
    let mut values: Vec<f64> = records
        .flat_map(|record| record.expect("sound").inputs)
        .filter_map(|input| match input {
            Input::Reading(reading) => Some(reading.value),
            _ => None,
        })
        .filter(|value| range.contains(value))
        .collect();
    values.sort_by(f64::total_cmp);
    // What the broker had sent and never heard of again may come twice: the step tells it apart.
    values.dedup();
    values
}

/// So many values from a first one on, told apart by their last digits.
fn series(first: f64, count: u32) -> Vec<f64> {
    (0..count).map(|number| (first * 1_000.0 + f64::from(number)).round() / 1_000.0).collect()
}

fn levels(values: &[f64]) -> Vec<String> {
    values.iter().map(|value| level("qj-1", *value)).collect()
}

/// How often each trouble of a code was told and ended.
pub(crate) fn troubles(folder: &Folder, code: TroubleCode) -> Vec<bool> {
    forewarn::log::Records::open_read_only(&folder.data(), Position(0))
        .expect("a log")
        .flat_map(|record| record.expect("sound").decisions)
        .filter_map(|(_, decision)| match decision {
            Decision::Trouble(report) if report.key.code == code => Some(report.present),
            _ => None,
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_while_the_service_was_down_is_warned_of_when_it_is_up() {
    let Some(broker) = Mosquitto::open() else { return };
    let receiver = Receiver::start().await;
    let folder = folder(&receiver, &format!("url = \"mqtt://127.0.0.1:{}\"", broker.port));
    let service = folder.start().await;
    hear(&folder, broker.port).await;
    service.stop().await;

    publish(broker.port, &[level("qj-1", 58.9), level("qj-1", 59.4)]).await;
    let service = folder.start().await;
    let got = receiver
        .wait_for("the alert", |got| got.iter().any(|post| post.body["revisions"][0]["level"]["id"] == "red"))
        .await;
    assert!(got.iter().all(|post| post.id.len() == 32));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_restarts_is_one_outage_and_loses_nothing() {
    let Some(mut broker) = Mosquitto::open() else { return };
    let receiver = Receiver::start().await;
    let folder = folder(&receiver, &format!("url = \"mqtt://127.0.0.1:{}\"", broker.port));
    let service = folder.start().await;
    hear(&folder, broker.port).await;
    // It stops with what it has just acknowledged still on its way to us.
    let (before, after) = (series(50.0, 60), series(51.0, 20));
    publish(broker.port, &levels(&before)).await;
    broker.stop();
    wait_for("the outage is told", || {
        receiver
            .got()
            .iter()
            .any(|post| post.body["revisions"][0]["trouble"]["code"] == "source-down")
            .then_some(())
    })
    .await;
    broker.go();
    publish(broker.port, &levels(&after)).await;
    publish(broker.port, &[level("qj-1", 59.4)]).await;
    receiver
        .wait_for("the alert", |got| got.iter().any(|post| post.body["revisions"][0]["level"]["id"] == "red"))
        .await;
    receiver
        .wait_for("the outage ends", |got| {
            got.iter().any(|post| {
                post.body["type"] == "trouble.ended"
                    && post.body["revisions"][0]["trouble"]["code"] == "source-down"
            })
        })
        .await;
    service.stop().await;
    assert_eq!(troubles(&folder, TroubleCode::SourceDown), [true, false], "told once, ended once");
    let acknowledged: Vec<f64> = before.into_iter().chain(after).collect();
    assert_eq!(values(&folder, 50.0..52.0), acknowledged, "all that the broker had acknowledged");
}

fn publish_with_certificate(broker: &Mosquitto, metres: f64) {
    let file = |name: &str| broker.dir.path().join(name);
    let sent = std::process::Command::new("mosquitto_pub")
        .args(["-h", "localhost", "-p", &broker.port.to_string(), "-q", "1", "-t", "river/qj-1"])
        .arg("--cafile")
        .arg(file("ca.pem"))
        .arg("--cert")
        .arg(file("client.pem"))
        .arg("--key")
        .arg(file("client.key"))
        .args(["-m", &level("qj-1", metres)])
        .status();
    assert!(sent.expect("mosquitto_pub is there").success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_with_tls_wants_our_certificate_and_we_its_authority() {
    let started = Mosquitto::start(|dir| {
        certificates(dir);
        let dir = dir.display();
        format!(
            "cafile {dir}/ca.pem\ncertfile {dir}/server.pem\nkeyfile {dir}/server.key\n\
             require_certificate true\nuse_identity_as_username true\nallow_anonymous false\n"
        )
    });
    let Some(broker) = started else { return };
    let receiver = Receiver::start().await;
    let file = |name: &str| broker.dir.path().join(name).display().to_string();
    for version in ["3.1.1", "5"] {
        let mqtt = format!(
            "url = \"mqtts://localhost:{}\", version = \"{version}\", ca = \"{}\", cert = \"{}\", key = \"{}\"",
            broker.port,
            file("ca.pem"),
            file("client.pem"),
            file("client.key")
        );
        let folder = folder(&receiver, &mqtt);
        let service = folder.start().await;
        let before = receiver.got().len();
        // What is published before the session has subscribed goes to nobody.
        wait_for("the alert", || {
            publish_with_certificate(&broker, 59.2);
            (receiver.got().len() > before).then_some(())
        })
        .await;
        service.stop().await;

        // The broker keeps the session for us: by TLS as well, with either protocol.
        let meanwhile = series(53.0, 3);
        meanwhile.iter().for_each(|metres| publish_with_certificate(&broker, *metres));
        let service = folder.start().await;
        wait_for("what came meanwhile", || (values(&folder, 53.0..54.0) == meanwhile).then_some(())).await;
        service.stop().await;
    }
}
