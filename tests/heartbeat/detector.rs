//! Somebody outside: takes heartbeats whose signature and count are right, and
//! fires when none has come for too long.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::common::house::{Folder, WEBHOOK_SECRET, wait_for};

/// It fires after so many rounds without a heartbeat: one that is lost on its
/// way is no alarm, and three rounds are what is promised.
pub(crate) const FIRES_AFTER_ROUNDS: f64 = 2.5;

/// A heartbeat that was right.
#[derive(Debug, Clone)]
pub(crate) struct Beat {
    pub(crate) at: Instant,
    pub(crate) counter: u64,
    pub(crate) body: Value,
}

#[derive(Debug, Default)]
struct Heard {
    beats: Vec<Beat>,
    /// Those that were not right.
    wrong: usize,
    answer: Option<StatusCode>,
}

/// The detector.
#[derive(Debug, Clone)]
pub(crate) struct Detector {
    pub(crate) url: String,
    heard: Arc<Mutex<Heard>>,
}

impl Detector {
    /// Listens on a free port.
    pub(crate) async fn start() -> Detector {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/beat", listener.local_addr().expect("bound"));
        let detector = Detector { url, heard: Arc::default() };
        let router = Router::new().route("/beat", post(take)).with_state(detector.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        detector
    }

    /// A folder whose service beats for it, in rounds of so many whole seconds.
    pub(crate) fn folder(&self, webhook: &str, round: Duration) -> Folder {
        let every = format!("{} s", round.as_secs());
        Folder::new(webhook, &format!("heartbeat = {{ url = \"{}\", every = \"{every}\" }}", self.url))
    }

    /// Answers with this from now on, and takes nothing; `None` takes again.
    pub(crate) fn answer_with(&self, code: Option<StatusCode>) {
        self.heard.lock().expect("no test panics in it").answer = code;
    }

    pub(crate) fn beats(&self) -> Vec<Beat> {
        self.heard.lock().expect("no test panics in it").beats.clone()
    }

    pub(crate) fn wrong(&self) -> usize {
        self.heard.lock().expect("no test panics in it").wrong
    }

    /// Waits until so many have come.
    pub(crate) async fn hears(&self, count: usize) -> Vec<Beat> {
        wait_for(&format!("{count} heartbeats"), || {
            let beats = self.beats();
            (beats.len() >= count).then_some(beats)
        })
        .await
    }

    /// Waits until it fires, and says when it did.
    pub(crate) async fn fires(&self, round: Duration) -> Instant {
        wait_for("the detector fires", || {
            let due = self.beats().last().expect("it has heard one").at + round.mul_f64(FIRES_AFTER_ROUNDS);
            (Instant::now() >= due).then_some(due)
        })
        .await
    }
}

async fn take(State(detector): State<Detector>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let at = Instant::now();
    let mut heard = detector.heard.lock().expect("no test panics in it");
    if let Some(code) = heard.answer {
        return code;
    }
    let body = genuine(&headers, &body);
    let counter = body.as_ref().and_then(|body| body["counter"].as_u64());
    let last = heard.beats.last().map_or(0, |beat| beat.counter);
    if counter == Some(last) {
        // Its sender did not hear that it was taken. It is no news.
        return StatusCode::NO_CONTENT;
    }
    let (Some(body), Some(counter)) = (body, counter.filter(|counter| *counter > last)) else {
        heard.wrong += 1;
        return StatusCode::UNAUTHORIZED;
    };
    heard.beats.push(Beat { at, counter, body });
    StatusCode::NO_CONTENT
}

/// The body of one whose signature is right.
fn genuine(headers: &HeaderMap, body: &[u8]) -> Option<Value> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let coded = WEBHOOK_SECRET.trim_start_matches("whsec_");
    let secret = base64::engine::general_purpose::STANDARD.decode(coded).expect("the test's own secret");
    let mut mac = Hmac::<Sha256>::new_from_slice(&secret).expect("any length");
    mac.update(format!("{}.{}.", text("webhook-id"), text("webhook-timestamp")).as_bytes());
    mac.update(body);
    let signed = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
    (text("webhook-signature") == format!("v1,{signed}")).then(|| serde_json::from_slice(body).ok())?
}
