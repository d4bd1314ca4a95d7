//! Configuration as meant: what every other room goes by. Nothing downstream
//! sees the words as written; those stay in `config::raw`.

mod cap;
mod catalog;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use forewarn_core::ids::{AreaIx, SourceIx, StationIx};
use forewarn_core::level::Status;
use forewarn_core::plan::Plan;
use forewarn_core::time::Span;

use super::secret::Secret;
pub use cap::{Cap, Category, Outline, crosses_itself};
pub use catalog::{Catalog, CatalogEntry};

pub mod chat;

/// Everything a running service goes by. Replaced whole by a reload.
#[derive(Debug, Clone)]
pub struct Setup {
    /// What the engine goes by.
    pub plan: Arc<Plan>,
    /// From names in payloads to sensors.
    pub catalog: Arc<Catalog>,
    /// The ways readings come in.
    pub sources: Vec<Source>,
    /// The built-in MQTT listener, if it is on.
    pub listener: Option<Listener>,
    /// The HTTP server.
    pub http: Http,
    /// The mail server, if any contact has an address for it.
    pub email: Option<Email>,
    /// How webhooks are signed and where they may go.
    pub webhook: Webhook,
    /// How chats and text messages are reached.
    pub chat: chat::Chat,
    /// How it shows that all of it lives.
    pub heartbeat: Heartbeat,
    /// The long history, if it is on.
    pub influx: Option<Influx>,
    /// The embedded store.
    pub store: Store,
    /// The log.
    pub log: Log,
    /// Who may speak for which stations.
    pub devices: Arc<Devices>,
    /// Addresses and names of contacts, by opaque target id. Erasable; never in log, plan or outbox.
    pub addresses: Arc<BTreeMap<String, Address>>,
    /// Message templates and words, by language (`zh`, `en`) and file name.
    pub messages: Arc<BTreeMap<String, BTreeMap<String, String>>>,
    /// The site's public address, for links.
    pub url: Option<String>,
    /// Which readings count in this world.
    pub admits: Admits,
    /// Where log, state and stores stand.
    pub data: PathBuf,
    /// The machine's name, for what is told of the service itself; empty where the system does not say.
    pub host: String,
    /// Accounts that whoever owns this machine may speak as.
    pub shell_accounts: Vec<String>,
    /// How warnings are published as CAP alerts.
    pub cap: Cap,
    /// Where each area lies.
    pub outlines: Arc<BTreeMap<AreaIx, Outline>>,
}

/// The first level of the topics that belong to drills, everywhere: no live
/// service takes what comes below it.
pub const DRILL_TOPIC: &str = "drill";

/// The user property by which the listener tells its world to MQTT 5 clients.
pub const WORLD_PROPERTY: &str = "forewarn-world";

impl Setup {
    /// The world that this setup acts in: `live` or `drill`.
    pub fn world(&self) -> &'static str {
        match self.plan.settings.status {
            Status::Actual => "live",
            Status::Exercise | Status::Test => "drill",
        }
    }

    /// Goes by a plan that says the same as its own: of many sensors, one is enough in memory.
    pub fn share(&mut self, same: &Arc<Plan>) {
        self.plan = Arc::clone(same);
        Arc::make_mut(&mut self.catalog).share(same);
    }
}

/// Whether a topic, or a filter of topics, lies below [`DRILL_TOPIC`].
pub fn is_drill_topic(topic: &str) -> bool {
    topic.strip_prefix(DRILL_TOPIC).is_some_and(|rest| rest.starts_with('/'))
}

/// Which readings count in a world. One belongs to drills where it is marked as
/// simulated, or comes under a topic below [`DRILL_TOPIC`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admits {
    /// Those that do not belong to drills: a live service.
    Real,
    /// Those that do: a drill.
    Drilled,
    /// All: a drill that follows live gauges, and what plays by itself.
    All,
}

/// One way readings come in.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name and dense index.
    pub name: String,
    /// Dense.
    pub ix: SourceIx,
    /// Where from.
    pub from: From,
    /// How its payloads are read.
    pub decode: Decode,
}

/// Where a source's messages come from.
#[derive(Debug, Clone)]
pub enum From {
    /// An outside MQTT broker.
    Mqtt(Box<Mqtt>),
    /// The built-in listener.
    Listener,
    /// `POST /api/v1/readings` and `POST /api/v2/write`.
    Http,
}

/// A session with an outside MQTT broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mqtt {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// With TLS where set.
    pub tls: Option<ClientTls>,
    /// 3.1.1 or 5.
    pub version: MqttVersion,
    /// Topic filters.
    pub topics: Vec<String>,
    /// 0 or 1.
    pub qos: u8,
    /// Client id; `None` derives one from the data directory's place and the source's name.
    pub client_id: Option<String>,
    /// User name.
    pub user: Option<String>,
    /// Password.
    pub password: Option<Secret>,
    /// Largest packet taken, bytes; should equal the broker's limit.
    pub packet_max: u32,
    /// Keep-alive.
    pub keep_alive: Span,
}

/// Which MQTT is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MqttVersion {
    /// 3.1.1.
    V4,
    /// 5.
    V5,
}

/// TLS as a client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientTls {
    /// PEM file of the authorities to trust; `None` trusts the system's.
    pub ca: Option<PathBuf>,
    /// PEM files of a client certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// TLS as a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerTls {
    /// PEM file of the certificate chain.
    pub cert: PathBuf,
    /// PEM file of the key.
    pub key: PathBuf,
    /// PEM file of the authorities whose client certificates are asked for.
    pub client_ca: Option<PathBuf>,
}

/// How payloads are read: the family of formats reads its own part.
#[derive(Debug, Clone)]
pub struct Decode {
    /// The format, ready to use.
    pub format: crate::formats::AnyFormat,
}

/// The built-in MQTT listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Plain TCP, loopback unless configured.
    pub bind: Option<SocketAddr>,
    /// TLS.
    pub bind_tls: Option<SocketAddr>,
    /// For `bind_tls`.
    pub tls: Option<ServerTls>,
    /// Its source.
    pub source: SourceIx,
    /// Connections at once; further ones are closed and counted.
    pub connections_max: usize,
    /// Largest packet, bytes.
    pub packet_max: usize,
    /// Messages a second of one connection; 0 is no limit.
    pub rate_max: u32,
    /// From accept to a whole CONNECT.
    pub handshake_max: Span,
}

/// Who may speak for which stations.
#[derive(Debug, Clone, Default)]
pub struct Devices {
    /// By identity (the MQTT user name).
    pub by_identity: BTreeMap<Box<str>, Device>,
}

/// One device or gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The stations it may speak for, in order.
    pub stations: Box<[StationIx]>,
    /// SHA-256 of its secret.
    pub secret_sha256: [u8; 32],
}

/// The HTTP server.
#[derive(Debug, Clone)]
pub struct Http {
    /// Loopback unless configured.
    pub bind: SocketAddr,
    /// Tokens for `POST` of readings, by name of the integrator.
    pub tokens: Vec<(String, Secret)>,
    /// Token of the operator, for `POST /api/v1/reload`; absent: that path is off.
    pub operator_token: Option<Secret>,
    /// Largest body, bytes.
    pub body_max: usize,
    /// The source that its readings count as.
    pub source: SourceIx,
}

/// The mail server.
#[derive(Debug, Clone)]
pub struct Email {
    /// Host name.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How the connection is protected.
    pub security: MailSecurity,
    /// PEM file of an authority to trust besides the system's.
    pub ca: Option<PathBuf>,
    /// User name and password.
    pub login: Option<(String, Secret)>,
    /// The sender, as `Name <address>`.
    pub from: String,
    /// Connections at once.
    pub connections_max: usize,
    /// From how many messages on a person gets digests.
    pub digest: Digests,
}

/// How many messages a target takes: beyond them, what waits becomes one digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digests {
    /// Messages that go singly in each `every`; one red may go beyond them.
    pub after: u32,
    /// From one digest to the next, at least.
    pub every: Span,
    /// Warnings in one digest at most. Full: the rest goes in the next.
    pub members_max: usize,
}

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailSecurity {
    /// TLS from the first byte.
    Tls,
    /// STARTTLS, required.
    StartTls,
    /// None: switched off by name, for a server on the same machine.
    PlaintextUnsafe,
}

/// How webhooks are signed and where they may go.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// The signing secret (Standard Webhooks); absent: webhook contacts are a fault.
    pub secret: Option<Secret>,
    /// Networks beyond the public ones that may be reached, as CIDR: `127.0.0.0/8`.
    pub allow: Vec<(std::net::IpAddr, u8)>,
    /// Whether plain `http://` is allowed, and then only to `allow`.
    pub plaintext: bool,
    /// PEM file of an authority to trust besides the system's.
    pub ca: Option<PathBuf>,
    /// From connect to the last byte of the response.
    pub timeout: Span,
    /// Connections at once, per server.
    pub connections_max: usize,
    /// Absent: every warning goes by itself, since machines tire of nothing.
    pub digest: Option<Digests>,
}

/// How the service shows that all of it lives.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    /// How long a round is.
    pub every: Span,
    /// Who hears of it outside, if anybody does. A service that does not warn in
    /// earnest tells nobody: it would hide that the one that does has stopped.
    pub outside: Option<Outside>,
}

/// Who hears a heartbeat.
#[derive(Debug, Clone)]
pub struct Outside {
    /// Where it is posted to: a secret as well, as those of webhooks are.
    pub url: Secret,
    /// What it is signed with.
    pub secret: Secret,
}

/// `InfluxDB` 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Influx {
    /// Base address.
    pub url: String,
    /// Organisation.
    pub org: String,
    /// Bucket.
    pub bucket: String,
    /// Token.
    pub token: Secret,
}

/// The embedded store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Store {
    /// How long readings are kept.
    pub keep: Span,
}

/// What must be known to open the data directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keeping {
    /// Where log, state and stores stand.
    pub data: PathBuf,
    /// The log.
    pub log: Log,
}

/// The log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// Bytes a segment.
    pub segment_bytes: u64,
    /// How long it is kept at least.
    pub keep: Span,
    /// Least time between the starts of two syncs.
    pub gap: Span,
    /// Segments kept for control inputs when the disk is full.
    pub reserve_segments: u32,
}

/// Where a target is reached, and as whom. Erasable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The mail address, URL, telephone number, or the name of a robot.
    pub address: String,
    /// The contact's name.
    pub name: String,
}
