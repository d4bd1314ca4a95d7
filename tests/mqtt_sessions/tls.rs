//! TLS with an own authority and a client certificate.

use forewarn::config::plan::{ClientTls, Mqtt, MqttVersion};

use crate::mosquitto::Mosquitto;
use crate::tls_files::certificates;
use crate::world::{Durable, FakeInbox, UnderTest, mqtt};

fn with_tls(broker: &Mosquitto, version: MqttVersion, tls: ClientTls) -> Mqtt {
    Mqtt { tls: Some(tls), ..mqtt(broker.port, version) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_of_the_own_authority_lets_in_and_nothing_else_does() {
    let started = Mosquitto::start(|dir| {
        certificates(dir);
        let dir = dir.display();
        format!(
            "cafile {dir}/ca.pem\ncertfile {dir}/server.pem\nkeyfile {dir}/server.key\n\
             require_certificate true\nuse_identity_as_username true\nallow_anonymous false\n"
        )
    });
    let Some(broker) = started else { return };
    let file = |name: &str| broker.dir.path().join(name);
    let identity = Some((file("client.pem"), file("client.key")));
    for version in [MqttVersion::V4, MqttVersion::V5] {
        let inbox = FakeInbox::new(Durable::AtOnce);
        let tls = ClientTls { ca: Some(file("ca.pem")), identity: identity.clone() };
        let session = UnderTest::start(with_tls(&broker, version, tls), &inbox);
        inbox.until("up", |came| came.standings == [true]).await;
        session.stop().await;
    }
    for (why, tls) in [
        ("no client certificate", ClientTls { ca: Some(file("ca.pem")), identity: None }),
        ("another authority", ClientTls { ca: Some(file("client.pem")), identity }),
        ("no such file", ClientTls { ca: Some(file("nowhere.pem")), identity: None }),
    ] {
        let inbox = FakeInbox::new(Durable::AtOnce);
        let session = UnderTest::start(with_tls(&broker, MqttVersion::V4, tls), &inbox);
        inbox.until(why, |came| came.standings == [false]).await;
        session.stop().await;
    }
}
