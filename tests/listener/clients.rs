//! Real clients: rumqttc in both versions, over TLS, and `mosquitto_pub`.

use std::time::Duration;

use forewarn::config::plan::{Listener, ServerTls};
use forewarn::ingest::listener::Reason;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rumqttc::{TlsConfiguration, Transport};
use tokio::time::timeout;

use crate::common::setup::secret;
use crate::inbox::{Durable, PATIENCE};
use crate::world::World;

const LEVEL: &str = r#"{"station":"a","level":1.5}"#;
const MESSAGES: usize = 50;

fn v4_options(port: u16) -> rumqttc::MqttOptions {
    let mut options = rumqttc::MqttOptions::new("rumqttc", "127.0.0.1", port);
    options.set_credentials("a", secret("a")).set_clean_session(false);
    options.set_keep_alive(Duration::from_secs(5));
    options
}

/// Publishes as a device would and counts the acknowledgements.
async fn publish_v4(options: rumqttc::MqttOptions) -> Result<usize, rumqttc::ConnectionError> {
    let (client, mut events) = rumqttc::AsyncClient::new(options, MESSAGES);
    for _ in 0..MESSAGES {
        client.publish("t", rumqttc::QoS::AtLeastOnce, false, LEVEL).await.expect("there is room");
    }
    let mut acks = 0;
    while acks < MESSAGES {
        let event = timeout(PATIENCE, events.poll()).await.expect("an event in time")?;
        if let rumqttc::Event::Incoming(rumqttc::Packet::PubAck(_)) = event {
            acks += 1;
        }
    }
    Ok(acks)
}

#[tokio::test]
async fn rumqttc_v4_publishes_and_is_acknowledged() {
    let world = World::new(Durable::AtOnce).await;
    assert_eq!(publish_v4(v4_options(world.address().port())).await.expect("served"), MESSAGES);
    assert_eq!(world.inbox.values().len(), MESSAGES);
}

#[tokio::test]
async fn rumqttc_v5_publishes_and_is_acknowledged() {
    use rumqttc::v5::mqttbytes::{QoS, v5::Packet};
    let world = World::new(Durable::AtOnce).await;
    let mut options = rumqttc::v5::MqttOptions::new("rumqttc", "127.0.0.1", world.address().port());
    options.set_credentials("a", secret("a")).set_keep_alive(Duration::from_secs(5));
    let (client, mut events) = rumqttc::v5::AsyncClient::new(options, MESSAGES);
    for _ in 0..MESSAGES {
        client.publish("t", QoS::AtLeastOnce, false, LEVEL).await.expect("there is room");
    }
    let mut acks = 0;
    while acks < MESSAGES {
        let event = timeout(PATIENCE, events.poll()).await.expect("an event in time").expect("served");
        if let rumqttc::v5::Event::Incoming(Packet::PubAck(_)) = event {
            acks += 1;
        }
    }
    assert_eq!(world.inbox.values().len(), MESSAGES);
}

#[tokio::test]
async fn rumqttc_keeps_what_was_not_acknowledged_and_sends_it_again() {
    let world = World::new(Durable::WhenTold).await;
    let (client, mut events) = rumqttc::AsyncClient::new(v4_options(world.address().port()), 10);
    client.publish("t", rumqttc::QoS::AtLeastOnce, false, LEVEL).await.expect("there is room");
    let polling = tokio::spawn(async move {
        while events.poll().await.is_ok() {}
        events
    });
    world.inbox.until("it came", |inbox| inbox.taken.len() == 1).await;
    // The power goes before the log has synced: the connection breaks unacknowledged.
    world.client_as(crate::raw::Version::V4, "rumqttc", "a").await;
    let mut events = timeout(PATIENCE, polling).await.expect("it breaks").expect("no panic");
    world.counted(Reason::TakenOver, 1).await;
    let inbox = world.inbox.clone();
    let polling = tokio::spawn(async move { while events.poll().await.is_ok() {} });
    // rumqttc forgets what was in flight when no session is present (measured);
    // a client of its own outbox repeats it.
    client.publish("t", rumqttc::QoS::AtLeastOnce, false, LEVEL).await.expect("there is room");
    inbox.until("it came again", |inbox| inbox.taken.len() == 2).await;
    polling.abort();
}

/// An authority, and what it signs.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Authority { issuer: CertifiedIssuer::self_signed(params, key).expect("an authority") }
    }

    /// Certificate and key in PEM.
    fn signs(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        let cert = params.signed_by(&key, &self.issuer).expect("a certificate");
        (cert.pem(), key.serialize_pem())
    }

    fn pem(&self) -> String {
        self.issuer.as_ref().pem()
    }
}

fn with_tls(
    listener: &mut Listener,
    directory: &std::path::Path,
    authority: &Authority,
    client_ca: Option<&Authority>,
) {
    let write = |name: &str, pem: String| {
        let file = directory.join(name);
        std::fs::write(&file, pem).expect("a writable directory");
        file
    };
    let (cert, key) = authority.signs("localhost");
    listener.bind_tls = Some("127.0.0.1:0".parse().expect("an address"));
    listener.tls = Some(ServerTls {
        cert: write("cert.pem", cert),
        key: write("key.pem", key),
        client_ca: client_ca.map(|authority| write("clients.pem", authority.pem())),
    });
}

fn tls_options(world: &World, ca: &Authority, identity: Option<(String, String)>) -> rumqttc::MqttOptions {
    // The client takes the process's default provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut options = v4_options(world.handle.local_addr_tls().expect("TLS is bound").port());
    options.set_transport(Transport::tls_with_config(TlsConfiguration::Simple {
        ca: ca.pem().into_bytes(),
        alpn: None,
        client_auth: identity.map(|(cert, key)| (cert.into_bytes(), key.into_bytes())),
    }));
    let port = options.broker_address().1;
    let mut named = rumqttc::MqttOptions::new("rumqttc", "localhost", port);
    named.set_credentials("a", secret("a")).set_transport(options.transport());
    named
}

#[tokio::test]
async fn tls_serves_and_a_silent_peer_in_its_handshake_holds_up_nobody() {
    let directory = tempfile::tempdir().expect("a directory");
    let authority = Authority::new();
    let world =
        World::with(Durable::AtOnce, |listener| with_tls(listener, directory.path(), &authority, None)).await;
    let silent = crate::raw::Client::dial(world.handle.local_addr_tls().expect("TLS is bound")).await;
    assert_eq!(publish_v4(tls_options(&world, &authority, None)).await.expect("served"), MESSAGES);
    assert_eq!(world.inbox.values().len(), MESSAGES);
    drop(silent);
    world.counted(Reason::TlsFailed, 1).await;
}

#[tokio::test]
async fn where_a_client_authority_is_named_its_certificate_is_needed_besides_the_secret() {
    let directory = tempfile::tempdir().expect("a directory");
    let (authority, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let world = World::with(Durable::AtOnce, |listener| {
        with_tls(listener, directory.path(), &authority, Some(&clients));
    })
    .await;
    for (identity, served) in
        [(None, false), (Some(strangers.signs("a")), false), (Some(clients.signs("a")), true)]
    {
        let published = publish_v4(tls_options(&world, &authority, identity)).await;
        assert_eq!(published.is_ok(), served, "{published:?}");
    }
    world.counted(Reason::TlsFailed, 2).await;
}

#[tokio::test]
async fn mosquitto_pub_is_served_where_it_is_installed() {
    let world = World::new(Durable::AtOnce).await;
    for (version, qos, expected) in [("311", "0", 1), ("311", "1", 2), ("5", "1", 3)] {
        let port = world.address().port().to_string();
        let mut command = std::process::Command::new("mosquitto_pub");
        command.args(["-h", "127.0.0.1", "-p", &port, "-V", version, "-q", qos, "-i", "mosq"]);
        command.args(["-u", "a", "-P", &secret("a"), "-t", "t", "-m", LEVEL]);
        let status = match timeout(PATIENCE, tokio::task::spawn_blocking(move || command.status()))
            .await
            .expect("it ends in time")
            .expect("no panic")
        {
            Ok(status) => status,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return crate::skip::skip("mosquitto_pub is missing", "apt-get install mosquitto-clients");
            }
            Err(error) => panic!("mosquitto_pub: {error}"),
        };
        assert!(status.success(), "version {version}, QoS {qos}");
        world.inbox.until("it came", |inbox| inbox.taken.len() == expected).await;
    }
}
