//! A whole service in a temporary directory, with real ends: a webhook
//! receiver that verifies signatures, the SMTP server of `tests/smtp`, and an
//! MQTT client that counts acknowledgements.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use forewarn::app::service::{Options, Service, Timekeeping};
use forewarn::config::Purpose;
use hmac::{Hmac, KeyInit, Mac};
use rumqttc::{AsyncClient, Event, MqttOptions, Outgoing, Packet, QoS};
use serde_json::Value;
use sha2::Sha256;

/// How long a test waits for what must come: a target that failed rests up to 30 s.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// The webhook secret of tests: visibly no secret.
pub(crate) const WEBHOOK_SECRET: &str = "whsec_dGhpcy1pcy1hbi1leGFtcGxlLXNlY3JldC0wMTIz";

/// One gauge, one contact with a webhook and a mail address, limits from blue to red.
#[derive(Debug)]
pub(crate) struct Folder {
    dir: tempfile::TempDir,
}

impl Folder {
    /// The smallest configuration that warns; `extra` is appended to forewarn.toml.
    pub(crate) fn new(webhook: &str, extra: &str) -> Folder {
        let folder = Folder { dir: tempfile::tempdir().expect("a temporary directory") };
        std::fs::create_dir(folder.config()).expect("writable");
        std::fs::create_dir(folder.config().join("rules")).expect("writable");
        folder.write("secret", WEBHOOK_SECRET);
        let secret = folder.config().join("secret");
        folder.write(
            "forewarn.toml",
            &format!(
                r#"
site = {{ name = "Test river", zone = "Asia/Shanghai" }}
operator = {{ contact = "it" }}
listener = {{ bind = "127.0.0.1:0", decode = {{ format = "json" }} }}
http = {{ bind = "127.0.0.1:0" }}
webhook = {{ secret = {{ file = "{}" }}, allow = ["127.0.0.0/8"], plaintext = true }}
log = {{ segment = "4 MiB" }}
{extra}
"#,
                secret.display()
            ),
        );
        folder.write(
            "sensors.csv",
            "station,quantity,name_zh,name_en,lat,lon,area,unit,datum,interval,lateness,min,max\n\
             qj-1,level,曲江站,Qujiang gauge,28.9,118.8,town,m,1985-national,1 min,30 min,40,80\n",
        );
        folder.write(
            "limits.csv",
            "sensor,season,valid_from,blue,yellow,orange,red,unit,datum\n\
             qj-1/level,,,56,57,58,59,m,1985-national\n",
        );
        folder.write(
            "areas.geojson",
            r#"{"type":"FeatureCollection","features":[{"type":"Feature",
               "properties":{"id":"town","name_zh":"曲江镇","name_en":"Qujiang town"},
               "geometry":{"type":"Polygon","coordinates":[[[118,28],[119,28],[119,29],[118,29],[118,28]]]}}]}"#,
        );
        folder.write(
            "rules/river.toml",
            r#"
rule = { kind = "threshold", hazard = "flood", quantity = "level", limits = "limits.csv" }
clear = { below = "0.10 m", hold = "60 min" }
"#,
        );
        folder.write(
            "routes.toml",
            r#"route = [{ hazard = "flood", level = "blue..red", to = "{area}/duty", via = ["webhook", "email"] }]"#,
        );
        folder.write(
            "contacts.csv",
            &format!(
                "id,name,roles,area,language,email,webhook,min_level,hours\n\
                 it,值班,it,,zh,,{webhook},,\n\
                 duty,防汛办,duty,town,zh,,{webhook},,\n"
            ),
        );
        folder
    }

    /// Where the configuration stands.
    pub(crate) fn config(&self) -> PathBuf {
        self.dir.path().join("config")
    }

    /// Where the data stand.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Writes one of its files.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.config().join(name);
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        if name == "secret" {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("its owner");
        }
    }

    /// Adds a device and gives its secret.
    pub(crate) fn add_device(&self, identity: &str, stations: &str) -> String {
        let (secret, sha256) = forewarn::ingest::credentials::generate().expect("random numbers");
        let hash = forewarn::config::targets::hex(&sha256);
        self.write(
            "devices.csv",
            &format!("identity,stations,secret_sha256\n{identity},{stations},{hash}\n"),
        );
        secret.expose().to_owned()
    }

    /// Starts the service on it.
    pub(crate) async fn start(&self) -> Service {
        self.try_start().await.unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// Starts the service on it, or says why not.
    pub(crate) async fn try_start(&self) -> anyhow::Result<Service> {
        Service::start(Options {
            config: self.config(),
            data: Some(self.data()),
            purpose: Purpose::Live,
            time: Timekeeping::System,
        })
        .await
    }

    /// The folder both stand in.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// A webhook receiver that verifies every signature, and keeps what is not of
/// this machine's own disk.
#[derive(Debug, Clone)]
pub(crate) struct Receiver {
    /// Where it listens.
    pub(crate) url: String,
    got: Arc<Mutex<Vec<Posted>>>,
    mode: Arc<Mutex<StatusCode>>,
}

/// One post that verified.
#[derive(Debug, Clone)]
pub(crate) struct Posted {
    /// `webhook-id`.
    pub(crate) id: String,
    /// The body.
    pub(crate) body: Value,
}

impl Receiver {
    /// Listens on a free port.
    pub(crate) async fn start() -> Receiver {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/hook", listener.local_addr().expect("bound"));
        let receiver =
            Receiver { url, got: Arc::default(), mode: Arc::new(Mutex::new(StatusCode::NO_CONTENT)) };
        let router = Router::new().route("/hook", post(take)).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    /// Answers with this from now on.
    pub(crate) fn answer_with(&self, code: StatusCode) {
        *self.mode.lock().expect("no test panics in it") = code;
    }

    /// What was accepted so far.
    pub(crate) fn got(&self) -> Vec<Posted> {
        self.got.lock().expect("no test panics in it").clone()
    }

    /// Waits until what was accepted satisfies a test.
    pub(crate) async fn wait_for(&self, what: &str, is_there: impl Fn(&[Posted]) -> bool) -> Vec<Posted> {
        wait_for(what, || {
            let got = self.got();
            is_there(&got).then_some(got)
        })
        .await
    }
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mode = *receiver.mode.lock().expect("no test panics in it");
    if !mode.is_success() {
        return mode;
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (id, timestamp) = (text("webhook-id"), text("webhook-timestamp"));
    let secret = base64::engine::general_purpose::STANDARD
        .decode(WEBHOOK_SECRET.trim_start_matches("whsec_"))
        .expect("the test's own secret");
    let mut mac = Hmac::<Sha256>::new_from_slice(&secret).expect("any length");
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(&body);
    let expected =
        format!("v1,{}", base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes()));
    if text("webhook-signature") != expected {
        return StatusCode::UNAUTHORIZED;
    }
    let body: Value = serde_json::from_slice(&body).expect("the body is JSON");
    if is_of_this_machine(&body) {
        return mode;
    }
    receiver.got.lock().expect("no test panics in it").push(Posted { id: id.to_owned(), body });
    mode
}

/// Whether it tells of this machine's own disk alone: whether that is low
/// decides no test, so no test is to count it.
fn is_of_this_machine(body: &Value) -> bool {
    let revisions = body["revisions"].as_array().map_or(&[][..], Vec::as_slice);
    let of_disk = |revision: &Value| {
        let trouble = &revision["trouble"];
        trouble["code"] == "disk-low" && trouble["subject"] == "disk"
    };
    !revisions.is_empty() && revisions.iter().all(of_disk)
}

/// Waits, without sleeping longer than a blink, until something is there.
pub(crate) async fn wait_for<T>(what: &str, mut is_there: impl FnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(there) = is_there() {
            return there;
        }
        assert!(tokio::time::Instant::now() < deadline, "{what}: did not come within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// An MQTT client that counts what was acknowledged.
#[derive(Debug)]
pub(crate) struct Device {
    client: AsyncClient,
    acked: tokio::sync::watch::Receiver<usize>,
    sent: usize,
    task: tokio::task::JoinHandle<()>,
}

impl Device {
    /// Connects with credentials.
    pub(crate) fn connect(address: std::net::SocketAddr, identity: &str, secret: &str) -> Device {
        let mut options = MqttOptions::new(identity, address.ip().to_string(), address.port());
        options.set_credentials(identity, secret);
        options.set_keep_alive(Duration::from_secs(30));
        let (client, mut events) = AsyncClient::new(options, 100);
        let (counted, acked) = tokio::sync::watch::channel(0);
        let task = tokio::spawn(async move {
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Packet::PubAck(_))) => counted.send_modify(|count| *count += 1),
                    Ok(Event::Outgoing(Outgoing::Disconnect)) => break,
                    Ok(_) => {}
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        });
        Device { client, acked, sent: 0, task }
    }

    /// Publishes at QoS 1, without waiting.
    pub(crate) async fn publish(&mut self, topic: &str, payload: impl Into<Vec<u8>>) {
        self.client.publish(topic, QoS::AtLeastOnce, false, payload).await.expect("the client runs");
        self.sent += 1;
    }

    /// Waits until all that was published is acknowledged.
    pub(crate) async fn acknowledged(&mut self) {
        let sent = self.sent;
        tokio::time::timeout(PATIENCE, self.acked.wait_for(|acked| *acked >= sent))
            .await
            .expect("acknowledged in time")
            .expect("the client runs");
    }

    /// How many are acknowledged so far.
    pub(crate) fn acked(&self) -> usize {
        *self.acked.borrow()
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A level now, as the default JSON shape has it.
pub(crate) fn level(station: &str, metres: f64) -> String {
    let now = forewarn::clock::wall();
    level_at(station, metres, now)
}

/// A level at an instant.
pub(crate) fn level_at(station: &str, metres: f64, at: forewarn_core::time::Timestamp) -> String {
    // Sixteen digits are microseconds: two levels of one blink stay two.
    format!(r#"{{"station":"{station}","time":{},"level":{metres}}}"#, at.0)
}
