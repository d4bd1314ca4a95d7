//! A webhook receiver on this machine: verifies signatures, writes what came
//! into a folder.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use tokio::net::TcpListener;

use crate::channels::webhook::signature;
use crate::config::secret::Secret;

/// The receiver.
#[derive(Debug)]
pub(super) struct Receiver {
    address: SocketAddr,
    desk: Arc<Desk>,
}

#[derive(Debug)]
struct Desk {
    folder: PathBuf,
    secret: Secret,
    verified: AtomicUsize,
    refused: AtomicUsize,
}

impl Receiver {
    /// Listens on a free loopback port and writes into `folder`.
    pub(super) async fn start(folder: &Path, secret: Secret) -> anyhow::Result<Receiver> {
        std::fs::create_dir_all(folder).with_context(|| format!("webhook folder {}", folder.display()))?;
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no free port for the receiver")?;
        let address = listener.local_addr()?;
        let (verified, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let desk = Arc::new(Desk { folder: folder.to_owned(), secret, verified, refused });
        let router = Router::new().route("/warnings", post(take)).with_state(desk.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Receiver { address, desk })
    }

    /// Where warnings are posted.
    pub(super) fn url(&self) -> String {
        format!("http://{}/warnings", self.address)
    }

    /// How many posts bore a good signature, and how many did not.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.desk.verified.load(Ordering::Relaxed), self.desk.refused.load(Ordering::Relaxed))
    }
}

async fn take(State(desk): State<Arc<Desk>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let id = text("webhook-id");
    let is_key = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let expected = signature(&desk.secret, id, text("webhook-timestamp"), &body);
    if !is_key || text("webhook-signature") != expected {
        desk.refused.fetch_add(1, Ordering::Relaxed);
        return StatusCode::UNAUTHORIZED;
    }
    let number = desk.verified.fetch_add(1, Ordering::Relaxed) + 1;
    let file = desk.folder.join(format!("{number:04}-{id}.json"));
    match tokio::fs::write(file, &body).await {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
