//! Every area crosses at once: when each of them was posted about.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;

/// How long the last posts are waited for.
const PATIENCE: Duration = Duration::from_mins(1);

/// When each area was first posted about.
type Came = Arc<Mutex<BTreeMap<String, Instant>>>;

/// A webhook receiver that notes when it first heard of an area.
pub(crate) struct Receiver {
    /// Where it listens.
    pub(crate) url: String,
    came: Came,
}

impl Receiver {
    /// Listens on a free port.
    pub(crate) async fn start() -> Receiver {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/hook", listener.local_addr().expect("bound"));
        let came = Came::default();
        let router = Router::new().route("/hook", post(take)).with_state(came.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Receiver { url, came }
    }

    /// How long after `began` the first came, and the last of so many.
    pub(crate) async fn wait(&self, areas: usize, began: Instant) -> (Duration, Duration) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let came = self.came.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if came.len() >= areas || Instant::now() > deadline {
                assert!(came.len() >= areas, "{} of {areas} areas were posted about", came.len());
                let after = |at: Option<&Instant>| at.map_or(Duration::ZERO, |at| at.duration_since(began));
                return (after(came.values().min()), after(came.values().max()));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn take(State(came): State<Came>, body: Bytes) -> StatusCode {
    let now = Instant::now();
    let text = String::from_utf8_lossy(&body);
    if let Some(at) = text.find("area-") {
        let area = text[at..].chars().take("area-00000".len()).collect();
        came.lock().unwrap_or_else(PoisonError::into_inner).entry(area).or_insert(now);
    }
    StatusCode::NO_CONTENT
}
