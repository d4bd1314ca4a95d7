//! A webhook receiver that remembers every attempt, also those it refuses.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::common::house::PATIENCE;

/// What it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Accepts,
    Refuses,
    /// Refuses every other attempt.
    Wavers,
    /// Says that it is gone for good.
    Gone,
}

/// One attempt that reached it.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    /// `webhook-id`: the delivery key.
    pub(crate) key: String,
    pub(crate) revision: Value,
    pub(crate) accepted: bool,
}

impl Attempt {
    /// Whether it tells of an incident.
    pub(crate) fn is_warning(&self) -> bool {
        self.revision["about"] == "incident"
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    pub(crate) url: String,
    address: SocketAddr,
    /// Ends the present serving.
    down: watch::Sender<CancellationToken>,
    mood: watch::Sender<Mood>,
    seen: watch::Sender<Vec<Attempt>>,
}

impl Recorder {
    pub(crate) async fn start(mood: Mood) -> Recorder {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let recorder = Recorder {
            url: format!("http://{address}/hook"),
            address,
            down: watch::Sender::new(CancellationToken::new()),
            mood: watch::Sender::new(mood),
            seen: watch::Sender::new(vec![]),
        };
        recorder.serve(listener);
        recorder
    }

    fn serve(&self, listener: TcpListener) {
        let router = Router::new().route("/hook", post(take)).with_state(self.clone());
        let down = CancellationToken::new();
        self.down.send_replace(down.clone());
        let serving = axum::serve(listener, router).with_graceful_shutdown(down.cancelled_owned());
        tokio::spawn(async move { serving.await });
    }

    /// Nothing listens on its port any more, and no connection is left.
    pub(crate) async fn stop(&self) {
        self.down.borrow().cancel();
        while TcpStream::connect(self.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }

    /// Listens again.
    pub(crate) async fn go(&self) {
        self.serve(TcpListener::bind(self.address).await.expect("its port is free"));
    }

    pub(crate) fn turns(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    pub(crate) fn seen(&self) -> Vec<Attempt> {
        self.seen.borrow().clone()
    }

    /// To hear of each attempt.
    pub(crate) fn attempts(&self) -> watch::Receiver<Vec<Attempt>> {
        self.seen.subscribe()
    }

    /// How often each warning's key was accepted, by key.
    pub(crate) fn accepted(&self) -> BTreeMap<String, usize> {
        let mut keys = BTreeMap::new();
        for attempt in self.seen.borrow().iter().filter(|attempt| attempt.accepted && attempt.is_warning()) {
            *keys.entry(attempt.key.clone()).or_default() += 1;
        }
        keys
    }

    /// The warnings' attempts so far that were accepted, as (kind, level, number).
    pub(crate) fn told(&self) -> Vec<(String, String, u64)> {
        let seen = self.seen.borrow();
        let warnings = seen.iter().filter(|attempt| attempt.accepted && attempt.is_warning());
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        warnings
            .map(|attempt| {
                let revision = &attempt.revision;
                (
                    word(&revision["kind"]),
                    word(&revision["level"]["id"]),
                    revision["number"].as_u64().unwrap_or(0),
                )
            })
            .collect()
    }

    /// Waits until what it saw satisfies a test.
    pub(crate) async fn wait_for(&self, what: &str, is_there: impl Fn(&[Attempt]) -> bool) -> Vec<Attempt> {
        let mut seen = self.seen.subscribe();
        let there = async {
            loop {
                // Not while it is borrowed: whoever looks may look here as well.
                let now = seen.borrow_and_update().clone();
                if is_there(&now) {
                    return now;
                }
                seen.changed().await.expect("we hold the sender");
            }
        };
        let waited = tokio::time::timeout(PATIENCE, there).await;
        waited.unwrap_or_else(|_| panic!("{what}: did not come within {PATIENCE:?}: {:#?}", self.seen()))
    }

    /// Waits until so many warnings were accepted.
    pub(crate) async fn wait_for_told(&self, count: usize) {
        let accepted = |seen: &[Attempt]| seen.iter().filter(|it| it.accepted && it.is_warning()).count();
        self.wait_for(&format!("{count} warnings"), |seen| accepted(seen) >= count).await;
    }
}

async fn take(State(recorder): State<Recorder>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let key = headers.get("webhook-id").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let mut body: Value = serde_json::from_slice(&body).expect("the body is JSON");
    let revision = body["revisions"][0].take();
    let mood = *recorder.mood.borrow();
    let mut accepted = false;
    recorder.seen.send_modify(|seen| {
        accepted = match mood {
            Mood::Accepts => true,
            Mood::Refuses | Mood::Gone => false,
            Mood::Wavers => seen.len() % 2 == 1,
        };
        seen.push(Attempt { key, revision, accepted });
    });
    match mood {
        _ if accepted => StatusCode::NO_CONTENT,
        Mood::Gone => StatusCode::GONE,
        Mood::Accepts | Mood::Refuses | Mood::Wavers => StatusCode::SERVICE_UNAVAILABLE,
    }
}
