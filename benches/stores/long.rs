//! The writer of `InfluxDB`, into a server that takes everything at once, and
//! into a real one; beside what the real one takes of whoever only posts.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use forewarn::config::plan::Influx as Settings;
use forewarn::config::secret::Secret;
use forewarn::ports::Store as _;
use forewarn::stores::Member as _;
use forewarn::stores::influx::Influx;
use forewarn_core::ids::{AreaIx, Position, StationIx};
use forewarn_core::plan::{Names, Plan, Sensor, Station, Terms};
use forewarn_core::time::Span;
use forewarn_core::units::Unit;
use tokio_util::sync::CancellationToken;

use crate::common::figures::{Goal, missing};
use crate::influx::InfluxServer;
use crate::{INTERVAL, LOG, batch, say};

const SENSORS: u64 = 10_000;
/// Readings handed over at once.
const A_BATCH: u64 = 5_000;
/// Batches in all: half a million readings.
const BATCHES: u64 = 100;

/// What the figures are called.
const WRITER: &str = "InfluxDB writer, over the server's own rate";
const THROUGH: &str = "InfluxDB writer, into a real server";

/// Bodies as they came.
type Bodies = Arc<Mutex<Vec<Bytes>>>;

pub(crate) fn measure() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let bodies = Bodies::default();
    let writer = write(&runtime.block_on(swallow(bodies.clone())));
    let bodies = std::mem::take(&mut *bodies.lock().unwrap_or_else(PoisonError::into_inner));
    assert_eq!(bodies.len() as u64, BATCHES, "a request a batch");
    let Some(server) = InfluxServer::any() else {
        let why = "InfluxDB 2 is missing";
        missing(WRITER, "readings/s", Goal::None, why);
        return missing(THROUGH, "readings/s", Goal::None, why);
    };
    let bare = runtime.block_on(post_all(&server.bucket(), bodies));
    say(WRITER, "readings/s", Goal::AtLeast(bare), writer, Some(bare));
    say(THROUGH, "readings/s", Goal::None, write(&server.bucket()), Some(bare));
}

/// A server that takes everything and keeps the bodies for later.
async fn swallow(bodies: Bodies) -> Settings {
    async fn take(State(bodies): State<Bodies>, body: Bytes) -> StatusCode {
        bodies.lock().unwrap_or_else(PoisonError::into_inner).push(body);
        StatusCode::NO_CONTENT
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let router = Router::new().route("/api/v2/write", post(take)).with_state(bodies);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let token = Secret::new("visibly no secret".to_owned());
    Settings { url, org: "bench".into(), bucket: "bench".into(), token }
}

/// Readings a second that the writer gets rid of.
fn write(to: &Settings) -> f64 {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory on a real disk");
    let ends = (LOG, Position(A_BATCH * BATCHES));
    let mut store = Influx::open(to, dir.path(), ends, CancellationToken::new()).expect("it opens");
    let plan = Arc::new(plan());
    store.plan_is(&|| Arc::clone(&plan));
    let batches: Vec<_> = (0..BATCHES).map(|n| batch(n, A_BATCH, SENSORS)).collect();
    let began = Instant::now();
    for rows in &batches {
        let upto = rows.last().map_or(Position(0), |row| row.position);
        store.keep(rows, upto).expect("the server takes it");
    }
    let took = began.elapsed();
    assert!(store.refusals().is_none(), "the server takes every point");
    (A_BATCH * BATCHES) as f64 / took.as_secs_f64()
}

/// Readings a second that the server takes of whoever has them ready.
async fn post_all(to: &Settings, bodies: Vec<Bytes>) -> f64 {
    let client = reqwest::Client::new();
    let mut url = reqwest::Url::parse(&format!("{}/api/v2/write", to.url)).expect("an address");
    url.query_pairs_mut().append_pair("org", &to.org).append_pair("bucket", &to.bucket);
    let began = Instant::now();
    for body in bodies {
        let token = format!("Token {}", to.token.expose());
        let answer = client.post(url.clone()).header("Authorization", token).body(body).send().await;
        let status = answer.expect("the server answers").status();
        assert!(status.is_success(), "{status}");
    }
    (A_BATCH * BATCHES) as f64 / began.elapsed().as_secs_f64()
}

/// A gauge a station.
fn plan() -> Plan {
    let name = |n: u64| format!("g-{n:05}");
    let station = |n| {
        let (names, domains) = (Names::default(), Box::default());
        Some(Station { id: name(n).into(), names, lat: 28.9, lon: 118.8, area: AreaIx(0), domains })
    };
    let sensor = |n: u64| {
        Some(Sensor {
            id: format!("{}/level", name(n)).into(),
            station: StationIx(n as u32),
            terms: Terms {
                quantity: "level".into(),
                unit: Unit::parse("m").expect("metres are a unit"),
                datum: None,
                interval: INTERVAL,
                lateness: Span::ZERO,
                max_age: Span::ZERO,
                span: None,
                suspect: None,
                outage_intervals: 3,
                conversions: vec![],
                flat: None,
            }
            .into(),
        })
    };
    Plan {
        stations: (0..SENSORS).map(station).collect(),
        sensors: (0..SENSORS).map(sensor).collect(),
        ..Plan::default()
    }
}
