//! Readings over HTTP, and the pages for machines that watch.

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use forewarn::accounts::Accounts;
use forewarn::config::plan::{Decode, From, Http, Setup, Source};
use forewarn::config::secret::Secret;
use forewarn::formats::AnyFormat;
use forewarn::http::api::{Answering, Answers, Api, Commanding, Hub, SensorsAsked};
use forewarn::http::board::{Asked, Board, Drawing, Drawn, Heard, Order, Ordering, Waiting};
use forewarn::http::caller::Caller;
use forewarn::http::pages::{Acknowledging, Opened, Opening, Pages};
use forewarn::http::{Doors, Health, Keys, Limits, Problem, Readiness, Reload, Sensors, Server};
use forewarn::ports::{Batch, CivilClock, Inbox, Kept, Taken};
use forewarn::state::StateReader;
use forewarn::views::{SensorDetailView, SensorView, StatusView};
use forewarn_core::event::Input;
use forewarn_core::ids::{Position, SensorIx, SourceIx};
use forewarn_core::plan::Plan;
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::warning::Incident;
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::common::house::{Folder, Receiver, level};
use crate::common::setup;

const TOKEN: &str = "example-token-of-thirty-two-letters";

fn folder(receiver: &Receiver) -> Folder {
    let folder = Folder::new(&receiver.url, "");
    let toml = std::fs::read_to_string(folder.config().join("forewarn.toml")).expect("written just now");
    folder.write(
        "forewarn.toml",
        &toml.replace(
            "http = { bind = \"127.0.0.1:0\"",
            "http = { bind = \"127.0.0.1:0\", tokens = { telemetry = { file = \"token\" } }",
        ),
    );
    folder.write("token", TOKEN);
    folder
}

async fn post(url: String, token: &str, key: Option<&str>, body: String) -> (u16, Value) {
    let mut request = client().post(url).header("authorization", format!("Bearer {token}")).body(body);
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    let response = request.send().await.expect("the server answers");
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().await.expect("a body")).unwrap_or_default())
}

fn client() -> reqwest::Client {
    // The first to install it wins; the service may have done so already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

async fn get(url: String) -> (u16, String) {
    let response = client().get(url).send().await.expect("the server answers");
    (response.status().as_u16(), response.text().await.expect("a body"))
}

#[tokio::test(flavor = "multi_thread")]
async fn readings_are_answered_once_they_are_durable() {
    let receiver = Receiver::start().await;
    let folder = folder(&receiver);
    let service = folder.start().await;
    let base = format!("http://{}", service.http_addr());
    let json = format!("{base}/api/v1/readings");

    let (status, problem) = post(json.clone(), "wrong", None, level("qj-1", 55.0)).await;
    assert_eq!((status, problem["status"].as_u64()), (401, Some(401)));
    let before = service.pulse().borrow().position;
    assert_eq!(post(json.clone(), TOKEN, None, level("qj-1", 55.0)).await.0, 204);
    assert!(service.pulse().borrow().position > before, "in the log before the answer");

    // A neighbour that nobody configured does not cost the good reading.
    let both = format!("[{},{}]", level("qj-1", 59.3), level("qj-9", 1.0));
    let (status, problem) = post(json.clone(), TOKEN, None, both).await;
    assert_eq!(status, 422);
    assert!(problem["faults"][0].as_str().is_some_and(|fault| fault.contains("qj-9")), "{problem}");
    assert_eq!(problem["detail"], "1 reading was kept; what was not understood is in quarantine");
    receiver.wait_for("the alert", |got| !got.is_empty()).await;
    let (status, problem) = post(json, TOKEN, None, "{\"station\":\"qj-1\",\"level\":NaN}".into()).await;
    assert_eq!(status, 422, "{problem}");

    let now = forewarn::clock::wall().0 / 1_000_000;
    let line = format!("gauge,station=qj-1 level=59.4 {now}");
    assert_eq!(post(format!("{base}/api/v2/write?precision=s"), TOKEN, None, line.clone()).await.0, 204);
    assert_eq!(post(format!("{base}/api/v2/write?precision=weeks"), TOKEN, None, line).await.0, 400);
    service.stop().await;

    let records = forewarn::log::Records::open_read_only(&folder.data(), Position(0)).expect("a log");
    let kept: Vec<(f64, i64)> = records
        .flat_map(|record| record.expect("sound").inputs)
        .filter_map(|input| match input {
            Input::Reading(reading) => Some((reading.value, reading.observed.as_secs())),
            _ => None,
        })
        .collect();
    let values: Vec<f64> = kept.iter().map(|(value, _)| *value).collect();
    assert_eq!(values, [55.0, 59.3, 59.4], "what was answered with 204, and the neighbour");
    assert_eq!(kept[2].1, now, "in the precision asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_under_its_key_is_one_reading() {
    let receiver = Receiver::start().await;
    let folder = folder(&receiver);
    // One measurement must not meet "2 of 3", however often it is sent.
    folder.write(
        "rules/river.toml",
        "rule = { kind = \"threshold\", hazard = \"flood\", quantity = \"level\", limits = \"limits.csv\" }\n\
         raise = { default = \"2 of 3\" }\n",
    );
    let service = folder.start().await;
    let url = format!("http://{}/api/v1/readings", service.http_addr());
    let undated = r#"{"station":"qj-1","level":59.3}"#;
    for _ in 0..3 {
        assert_eq!(post(url.clone(), TOKEN, Some("the-same"), undated.into()).await.0, 204);
    }
    assert_eq!(service.picture().borrow().incidents.values().filter(|it| it.warning.is_some()).count(), 0);
    assert_eq!(post(url, TOKEN, Some("another"), r#"{"station":"qj-1","level":59.4}"#.into()).await.0, 204);
    receiver.wait_for("the second measurement alerts", |got| !got.is_empty()).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_watch_are_told_the_truth() {
    let receiver = Receiver::start().await;
    let folder = folder(&receiver);
    let service = folder.start().await;
    let base = format!("http://{}", service.http_addr());
    assert_eq!(get(format!("{base}/healthz")).await.0, 200);
    let (status, ready) = get(format!("{base}/readyz")).await;
    let ready: Value = serde_json::from_str(&ready).expect("JSON");
    assert_eq!((status, &ready["ready"], &ready["sensors"]["configured"]), (200, &true.into(), &1.into()));
    let (status, metrics) = get(format!("{base}/metrics")).await;
    assert_eq!(status, 200);
    assert!(metrics.contains("forewarn_log_sync_seconds"), "{metrics}");
    assert!(!metrics.contains(TOKEN));
    let (status, problem) = get(format!("{base}/nowhere")).await;
    assert_eq!(status, 404);
    assert!(problem.contains("expected /healthz"), "{problem}");
    let response = client().get(format!("{base}/api/v1/readings")).send().await.expect("the server answers");
    assert_eq!(response.headers()["allow"], "POST");
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let problem: Value = serde_json::from_str(&response.text().await.expect("a body")).expect("JSON");
    assert_eq!((&problem["status"], &problem["title"]), (&405.into(), &"no such method".into()));
    assert_eq!(
        post(format!("{base}/api/v1/reload"), TOKEN, None, String::new()).await.0,
        403,
        "not switched on"
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_operator_reloads_and_is_told_every_fault() {
    const OPERATOR: &str = "example-operator-token-of-many-letters";
    let receiver = Receiver::start().await;
    let folder = folder(&receiver);
    let toml = std::fs::read_to_string(folder.config().join("forewarn.toml")).expect("written just now");
    folder.write(
        "forewarn.toml",
        &toml.replace("tokens = {", "operator_token = { file = \"operator\" }, tokens = {"),
    );
    folder.write("operator", OPERATOR);
    let service = folder.start().await;
    let url = format!("http://{}/api/v1/reload", service.http_addr());
    assert_eq!(post(url.clone(), "", None, String::new()).await.0, 401);
    assert_eq!(post(url.clone(), TOKEN, None, String::new()).await.0, 401, "an integrator is no operator");
    assert_eq!(post(url.clone(), OPERATOR, None, String::new()).await.0, 200);
    let limits = std::fs::read_to_string(folder.config().join("limits.csv")).expect("written just now");
    folder.write("limits.csv", &limits.replace("58,59", "59,58"));
    folder.write("routes.toml", "rout = []");
    let (status, problem) = post(url, OPERATOR, None, String::new()).await;
    assert_eq!(status, 422);
    let faults: Vec<&str> =
        problem["faults"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for file in ["limits.csv:2", "routes.toml:1"] {
        assert!(faults.iter().any(|fault| fault.contains(file)), "{file}: {faults:?}");
    }
    service.stop().await;
}

/// An inbox without room, and a service that is not well.
#[derive(Debug)]
struct Full;

impl Inbox for Full {
    fn offer(&self, batch: Batch) -> Result<(), Batch> {
        Err(batch)
    }

    fn control(&self, _: Input) {}

    fn room(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::pending())
    }
}

/// Where the civil clock of these tests stands: not where the machine's does.
const CIVIL: Timestamp = Timestamp::from_secs(1_500_000_000);

impl CivilClock for Full {
    fn civil(&self) -> Timestamp {
        CIVIL
    }
}

impl Health for Full {
    fn readiness(&self) -> Readiness {
        Readiness {
            ready: false,
            reasons: vec!["no room on the disk: readings are not taken".into()],
            position: 7,
            sensors: Sensors::default(),
            incidents: 0,
            troubles: std::collections::BTreeMap::new(),
        }
    }
}

impl Reload for Full {
    fn reload(&self) -> Pin<Box<dyn Future<Output = Result<String, Vec<String>>> + Send + '_>> {
        Box::pin(std::future::ready(Err(vec![])))
    }
}

impl Pages for Full {
    fn page<'a>(&'a self, _: &'a str) -> Opening<'a> {
        Box::pin(std::future::ready(Opened::Later))
    }

    fn acknowledge<'a>(&'a self, _: &'a str, _: u64) -> Acknowledging<'a> {
        Box::pin(std::future::ready(Err(Opened::Later)))
    }
}

/// Of the API nothing is asked here.
fn api() -> Api {
    let hub = Arc::new(Hub::new(0, CancellationToken::new()));
    Api { answers: Arc::new(Full), hub, document: bytes::Bytes::new() }
}

impl Board for Full {
    fn page(&self, _: Asked) -> Drawing<'_> {
        Box::pin(std::future::ready(Drawn::Later))
    }

    fn order<'a>(&'a self, _: &'a Caller, _: Order) -> Ordering<'a> {
        Box::pin(std::future::ready(Err(Problem::later())))
    }

    fn word(&self, _: Heard) -> Waiting<'_> {
        Box::pin(std::future::ready(None))
    }
}

impl Answers for Full {
    fn plan(&self) -> Arc<Plan> {
        unimplemented!("nobody asks")
    }

    fn status(&self) -> StatusView {
        unimplemented!("nobody asks")
    }

    fn incidents(&self) -> (Vec<Incident>, Span) {
        unimplemented!("nobody asks")
    }

    fn state(&self) -> Arc<StateReader> {
        unimplemented!("nobody asks")
    }

    fn sensors(&self, _: SensorsAsked) -> Answering<'_, (Vec<SensorView>, Option<u32>)> {
        Box::pin(std::future::ready(None))
    }

    fn sensor(&self, _: SensorIx) -> Answering<'_, Option<SensorDetailView>> {
        Box::pin(std::future::ready(None))
    }

    fn readings(&self, _: SensorIx, _: Timestamp, _: Timestamp) -> Answering<'_, Vec<Kept>> {
        Box::pin(std::future::ready(None))
    }

    fn command<'a>(&'a self, _: &'a [u8], _: &'a Caller) -> Commanding<'a> {
        Box::pin(std::future::ready(Err(Problem::later())))
    }
}

/// A server over an inbox, with one format and one token.
pub(crate) struct Stand {
    pub(crate) server: Server,
    pub(crate) shutdown: CancellationToken,
    _setup: watch::Sender<Arc<Setup>>,
}

impl Stand {
    pub(crate) async fn new(inbox: Arc<dyn Inbox>, format: AnyFormat, limits: Limits) -> Stand {
        let mut setup = setup::setup(&["qj-1"]);
        // Sources have come and gone: the index is not the place.
        let source = SourceIx(7);
        let tokens = vec![("telemetry".into(), Secret::new(TOKEN))];
        setup.http = Http { tokens, body_max: 8 << 20, source, ..setup.http };
        let decode = Decode { format };
        setup.sources.push(Source { name: "http".into(), ix: source, from: From::Http, decode });
        let (kept, current) = watch::channel(Arc::new(setup));
        let metrics = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder().handle();
        let doors = Doors {
            current,
            inbox,
            civil: Arc::new(Full),
            health: Arc::new(Full),
            reload: Arc::new(Full),
            pages: Arc::new(Full),
            board: Arc::new(Full),
            api: Arc::new(api()),
            alerts: forewarn::http::Alerts::new(
                Arc::new(forewarn::cap::Shelf::in_memory().expect("memory")),
                forewarn_core::ids::LogId::default(),
            ),
            trail: forewarn::audit::Door::nowhere(),
            keys: Arc::new(Keys::new(Arc::new(Accounts::in_memory().expect("memory")))),
            metrics,
        };
        let shutdown = CancellationToken::new();
        let server = Server::start(doors, limits, shutdown.clone()).await.expect("a free port");
        Stand { server, shutdown, _setup: kept }
    }

    /// Nothing is taken in there.
    pub(crate) async fn full(limits: Limits) -> Stand {
        Stand::new(Arc::new(Full), setup::json("{}"), limits).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_inbox_is_answered_at_once_and_says_when_to_come_again() {
    let stand = Stand::full(Limits::default()).await;
    let base = format!("http://{}", stand.server.local_addr());
    let now = forewarn::clock::wall().0 * 1_000;
    for (path, body) in [
        ("/api/v1/readings", level("qj-1", 59.3)),
        ("/api/v2/write", format!("gauge,station=qj-1 level=59.3 {now}")),
    ] {
        let request =
            client().post(format!("{base}{path}")).header("authorization", format!("Token {TOKEN}"));
        let response = request.body(body).send().await.expect("the server answers");
        assert_eq!(response.status(), 503, "{path}");
        assert!(response.headers().contains_key("retry-after"), "{path}: {:?}", response.headers());
    }
    assert_eq!(get(format!("{base}/healthz")).await.0, 200, "it lives");
    let (status, body) = get(format!("{base}/readyz")).await;
    assert_eq!(status, 503);
    assert!(body.contains("no room on the disk"), "{body}");
    stand.shutdown.cancel();
    stand.server.ended().await;
}

/// An inbox that keeps what comes, and says at once that it is durable.
#[derive(Debug, Default)]
struct Keeper(Mutex<Vec<Taken>>);

impl Inbox for Keeper {
    fn offer(&self, batch: Batch) -> Result<(), Batch> {
        self.0.lock().expect("no test panics in it").extend(batch.taken);
        batch.acks.into_iter().for_each(|acks| acks.gate.durable(&acks.tokens));
        Ok(())
    }

    fn control(&self, _: Input) {}

    fn room(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readings_are_dated_by_the_services_own_clock_and_each_request_is_its_own() {
    let keeper = Arc::new(Keeper::default());
    let senml = AnyFormat::read("senml", &mut serde_json::Deserializer::from_str("{}"));
    let senml = senml.expect("senml is a format").expect("a sound configuration");
    let stand = Stand::new(keeper.clone(), senml, Limits::default()).await;
    let url = format!("http://{}/api/v1/readings", stand.server.local_addr());
    let relative = r#"[{"bn":"qj-1/","n":"level","v":4.5,"t":-60}]"#;
    assert_eq!(post(url, TOKEN, None, relative.into()).await.0, 204);
    let observed = keeper.0.lock().expect("no test panics in it")[0].observed;
    assert_eq!(observed, Some(CIVIL - Span::from_secs(60)));

    let keeper = Arc::new(Keeper::default());
    let stand = Stand::new(keeper.clone(), setup::json("{}"), Limits::default()).await;
    let url = format!("http://{}/api/v1/readings", stand.server.local_addr());
    for key in [None, None, Some("k"), Some("k")] {
        // The clock stands: the same microsecond.
        let undated = r#"{"station":"qj-1","level":4.5}"#;
        assert_eq!(post(url.clone(), TOKEN, key, undated.into()).await.0, 204);
    }
    let ids: Vec<u64> =
        keeper.0.lock().expect("no test panics in it").iter().map(|taken| taken.identity).collect();
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[2] == ids[3], "{ids:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_counter_stands_at_nought_before_it_first_rises() {
    let receiver = Receiver::start().await;
    let folder = folder(&receiver);
    let service = folder.start().await;
    let (_, metrics) = get(format!("http://{}/metrics", service.http_addr())).await;
    let document = std::fs::read_to_string("docs/metrics.md").expect("the tests run where it stands");
    let mut unlabelled = 0;
    for line in document.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, name, kind, labels, ..] = cells.as_slice() else { panic!("{line}") };
        let name = name.trim_matches('`');
        if *kind == "counter" && labels.is_empty() {
            unlabelled += 1;
            assert!(metrics.contains(&format!("\n{name} ")), "{name} in {metrics}");
        }
    }
    assert!(unlabelled > 5, "the search finds the counters");
    for series in [
        "forewarn_readings_not_judged_total{reason=\"not_in_plan\"}",
        "forewarn_dead_letters_total{cause=\"forbidden\"}",
        "forewarn_quarantined_total{source=\"listener\",reason=\"unknown_sensor\"}",
        "forewarn_revisions_total{kind=\"all-clear\"}",
        "forewarn_listener_refused_total{reason=\"credentials_wrong\"}",
        "forewarn_troubles{code=\"reload-refused\"}",
        "forewarn_courier_attempts_total{channel=\"email\",result=\"rejected\"}",
        "forewarn_courier_attempts_total{channel=\"none\",result=\"erased\"}",
        "forewarn_queue_items{queue=\"courier_records\"}",
        "forewarn_queue_max{queue=\"courier_notes\"}",
        "forewarn_http_connections_max",
        "process_resident_memory_bytes",
    ] {
        assert!(metrics.contains(&format!("\n{series} ")), "{series} in {metrics}");
    }
    service.stop().await;
}
