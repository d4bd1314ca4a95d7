//! TLS with an own authority and a client certificate.

use std::path::Path;

use forewarn::config::plan::{ClientTls, Mqtt, MqttVersion};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType,
};

use crate::mosquitto::Mosquitto;
use crate::world::{Durable, FakeInbox, UnderTest, mqtt};

fn write(dir: &Path, name: &str, text: &str) {
    std::fs::write(dir.join(name), text).expect("a file");
}

/// Writes `ca.pem`, and `server` and `client` certificates with their keys.
fn certificates(dir: &Path) {
    let mut params = CertificateParams::new(vec![]).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, "test authority");
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
    write(dir, "ca.pem", &ca.pem());
    for (name, usage) in
        [("server", ExtendedKeyUsagePurpose::ServerAuth), ("client", ExtendedKeyUsagePurpose::ClientAuth)]
    {
        let mut params = CertificateParams::new(vec![]).expect("parameters");
        params.subject_alt_names = vec![SanType::IpAddress("127.0.0.1".parse().expect("an address"))];
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &ca).expect("a certificate");
        write(dir, &format!("{name}.pem"), &certificate.pem());
        write(dir, &format!("{name}.key"), &key.serialize_pem());
    }
}

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
