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
            "[sources.river]\nmqtt = {{ topic = \"river/#\", {mqtt} }}\ndecode = {{ format = \"json\" }}\n"
        ),
    )
}

/// Publishes at QoS 1 and waits for the broker's word.
async fn publish(port: u16, payloads: &[String]) {
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
async fn hear(folder: &Folder, port: u16) {
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

/// How often each trouble of a code was told and ended.
fn troubles(folder: &Folder, code: TroubleCode) -> Vec<bool> {
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
    publish(broker.port, &[level("qj-1", 59.4)]).await;
    receiver
        .wait_for("the alert", |got| got.iter().any(|post| post.body["revisions"][0]["level"]["id"] == "red"))
        .await;
    service.stop().await;
    assert_eq!(troubles(&folder, TroubleCode::SourceDown).first(), Some(&true));
    assert_eq!(troubles(&folder, TroubleCode::SourceDown).iter().filter(|present| **present).count(), 1);
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
            let sent = std::process::Command::new("mosquitto_pub")
                .args(["-h", "localhost", "-p", &broker.port.to_string(), "-q", "1", "-t", "river/qj-1"])
                .args([
                    "--cafile",
                    &file("ca.pem"),
                    "--cert",
                    &file("client.pem"),
                    "--key",
                    &file("client.key"),
                ])
                .args(["-m", &level("qj-1", 59.2)])
                .status();
            assert!(sent.expect("mosquitto_pub is there").success());
            (receiver.got().len() > before).then_some(())
        })
        .await;
        service.stop().await;
    }
}
