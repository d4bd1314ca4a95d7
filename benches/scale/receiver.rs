//! Who is warned by webhook, and when.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;

/// A webhook receiver that notes when it first heard of an area.
#[derive(Debug, Clone)]
pub(crate) struct Receiver {
    /// Where it listens.
    pub(crate) url: String,
    heard: Arc<Mutex<Heard>>,
}

#[derive(Debug, Default)]
struct Heard {
    /// What the names of areas begin with.
    prefix: &'static str,
    /// When each area was first posted about.
    first: BTreeMap<String, Instant>,
    /// The newest post.
    newest: String,
    /// Whether it takes nothing.
    is_away: bool,
}

impl Receiver {
    /// Listens on a free port for areas whose names begin with this.
    pub(crate) async fn start(prefix: &'static str) -> Receiver {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/hook", listener.local_addr().expect("bound"));
        let heard = Arc::new(Mutex::new(Heard { prefix, ..Heard::default() }));
        let router = Router::new().route("/hook", post(take)).with_state(heard.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Receiver { url, heard }
    }

    /// When each area was first posted about.
    pub(crate) fn first(&self) -> BTreeMap<String, Instant> {
        lock(&self.heard).first.clone()
    }

    /// How many areas were posted about.
    pub(crate) fn areas(&self) -> usize {
        lock(&self.heard).first.len()
    }

    /// From now on it takes nothing, or takes it again.
    pub(crate) fn is_away(&self, is_away: bool) {
        lock(&self.heard).is_away = is_away;
    }

    /// What the newest post says.
    pub(crate) fn newest(&self) -> String {
        lock(&self.heard).newest.clone()
    }
}

async fn take(State(heard): State<Arc<Mutex<Heard>>>, body: String) -> StatusCode {
    let now = Instant::now();
    let mut heard = lock(&heard);
    if heard.is_away {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    if let Some(at) = body.find(heard.prefix) {
        let name = |character: &char| character.is_ascii_alphanumeric() || *character == '-';
        let area = body[at..].chars().take_while(name).collect();
        heard.first.entry(area).or_insert(now);
        heard.newest = body;
    }
    StatusCode::NO_CONTENT
}

fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}
