//! A setup for tests, complete and small; a test changes what it is about.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use forewarn::config::plan::{
    Admits, Cap, Catalog, Decode, Device, Devices, From, Heartbeat, Http, Listener, Log, Setup, Source,
    Store, Webhook,
};
use forewarn::formats::AnyFormat;
use forewarn::ingest::credentials;
use forewarn_core::ids::{SourceIx, StationIx};
use forewarn_core::plan::{Plan, Sensor, Terms};
use forewarn_core::time::Span;
use forewarn_core::units::Unit;

/// A setup with the listener on a free loopback port, JSON without mapping,
/// one sensor `level` in metres for each station, and a device for each
/// station that goes by the station's name with the secret `secret of <name>`.
pub(crate) fn setup(stations: &[&str]) -> Setup {
    let listener = listener();
    let any_port = "127.0.0.1:0".parse().expect("an address");
    Setup {
        plan: Arc::new(Plan::default()),
        catalog: Arc::new(catalog(stations)),
        sources: vec![Source {
            name: "listener".into(),
            ix: listener.source,
            from: From::Listener,
            decode: Decode { format: json("{}") },
        }],
        http: Http {
            bind: any_port,
            tokens: vec![],
            operator_token: None,
            body_max: 1 << 20,
            source: SourceIx(1),
        },
        listener: Some(listener),
        email: None,
        webhook: Webhook {
            secret: None,
            allow: vec![],
            plaintext: false,
            ca: None,
            timeout: Span::from_secs(15),
            connections_max: 8,
            digest: None,
        },
        chat: forewarn::config::plan::chat::Chat::default(),
        heartbeat: Heartbeat { every: Span::from_mins(1), outside: None },
        influx: None,
        store: Store { keep: Span::from_hours(72) },
        log: Log { segment_bytes: 1 << 20, keep: Span::from_hours(72), gap: Span(400), reserve_segments: 1 },
        devices: Arc::new(devices(stations)),
        addresses: Arc::new(BTreeMap::new()),
        messages: Arc::new(BTreeMap::new()),
        url: None,
        admits: Admits::All,
        data: PathBuf::new(),
        host: String::new(),
        shell_accounts: vec![],
        cap: Cap::default(),
        outlines: Arc::default(),
    }
}

/// A listener on a free loopback port with generous limits.
pub(crate) fn listener() -> Listener {
    Listener {
        bind: Some("127.0.0.1:0".parse().expect("an address")),
        bind_tls: None,
        tls: None,
        source: SourceIx(0),
        connections_max: 1_000,
        packet_max: 64 * 1024,
        rate_max: 0,
        handshake_max: Span::from_secs(10),
    }
}

/// The JSON format as configured by this document.
pub(crate) fn json(config: &str) -> AnyFormat {
    AnyFormat::read("json", &mut serde_json::Deserializer::from_str(config))
        .expect("json is a format")
        .expect("a sound configuration")
}

/// The secret of a device.
pub(crate) fn secret(identity: &str) -> String {
    format!("secret of {identity}")
}

/// A device that may speak for these stations, by their place in the setup's.
pub(crate) fn device(identity: &str, stations: &[u32]) -> (Box<str>, Device) {
    let device = Device {
        stations: stations.iter().copied().map(StationIx).collect(),
        secret_sha256: credentials::hash(secret(identity).as_bytes()),
    };
    (identity.into(), device)
}

fn devices(stations: &[&str]) -> Devices {
    Devices { by_identity: (0..).zip(stations).map(|(number, station)| device(station, &[number])).collect() }
}

fn catalog(stations: &[&str]) -> Catalog {
    let terms = Arc::new(Terms {
        quantity: "level".into(),
        unit: Unit::parse("m").expect("a unit"),
        datum: None,
        interval: Span::from_mins(10),
        lateness: Span::ZERO,
        max_age: Span::ZERO,
        span: None,
        suspect: None,
        outage_intervals: 3,
        conversions: vec![],
        flat: None,
    });
    let sensor = |(number, station): (u32, &&str)| {
        let id = format!("{station}/level").into();
        Some(Sensor { id, station: StationIx(number), terms: terms.clone() })
    };
    let plan = Plan { sensors: (0..).zip(stations).map(sensor).collect(), ..Plan::default() };
    Catalog::new(plan.into(), &BTreeMap::new())
}
