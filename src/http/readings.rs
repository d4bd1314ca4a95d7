//! Readings by HTTP: answered only once they are durable.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use forewarn_core::ids::SourceIx;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use super::problem::Problem;
use super::{Doors, auth};
use crate::clock;
use crate::config::plan::{Decode, Setup};
use crate::formats::{AnyFormat, LineProtocol, Message, Precision, Session};
use crate::ingest::intake::{self, Origin, Permit, Sending};
use crate::ports::{Acks, Batch, Gate};

/// `POST /api/v1/readings`: JSON in the source's own shape. 204 once durable.
pub(super) async fn json(
    State(doors): State<Doors>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let setup = doors.current.borrow().clone();
    let integrator = auth::integrator(&headers, &setup.http.tokens)?.to_owned();
    let source = setup.http.source;
    let decode = &setup.sources[source.index()].decode;
    let batch = read(&setup, decode, source, &integrator, "/api/v1/readings", &headers, &body);
    commit(&doors, batch).await
}

/// What InfluxDB's clients send along; organisation and bucket mean nothing here.
#[derive(Debug, Deserialize)]
pub(super) struct WriteQuery {
    precision: Option<String>,
}

/// `POST /api/v2/write`: line protocol, as for InfluxDB 2. 204 once durable.
pub(super) async fn write(
    State(doors): State<Doors>,
    Query(query): Query<WriteQuery>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let setup = doors.current.borrow().clone();
    let integrator = auth::integrator(&headers, &setup.http.tokens)?.to_owned();
    let precision = query.precision.as_deref().unwrap_or("ns");
    let precision = Precision::parse(precision).map_err(Problem::bad_query)?;
    let format = LineProtocol::default().with_precision(precision);
    let decode = Decode { format: AnyFormat::LineProtocol(format) };
    let batch = read(&setup, &decode, setup.http.source, &integrator, "/api/v2/write", &headers, &body);
    commit(&doors, batch).await
}

fn read(
    setup: &Setup,
    decode: &Decode,
    source: SourceIx,
    integrator: &str,
    path: &str,
    headers: &HeaderMap,
    body: &Bytes,
) -> Batch {
    let mut batch = Batch { source, ..Batch::default() };
    let message = Message { topic: path, payload: body, received: clock::wall(), retained: false };
    let sending = if headers.contains_key(IDEMPOTENCY_KEY) { Sending::PerhapsAgain } else { Sending::First };
    let origin = Origin { source, packet: request_id(integrator, headers), sending, permit: Permit::Any };
    intake::take(setup, decode, &mut Session::default(), origin, &message, &mut batch);
    batch
}

/// A request under a key that came before is the same request.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// What makes a retry the same request: its idempotency key, under its sender's
/// name. Without one every request is its own.
fn request_id(integrator: &str, headers: &HeaderMap) -> u64 {
    let mut hash = Sha256::new();
    hash.update(integrator.as_bytes());
    match headers.get(IDEMPOTENCY_KEY) {
        Some(key) => hash.update(key.as_bytes()),
        None => hash.update(clock::wall().0.to_be_bytes()),
    }
    let digest = hash.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first)
}

async fn commit(doors: &Doors, mut batch: Batch) -> Result<StatusCode, Problem> {
    let kept = batch.taken.len();
    let faults: Vec<String> = batch.refused.iter().map(|refused| refused.reason.clone()).collect();
    let (gate, durable) = Once::new();
    batch.acks = Some(Acks { gate, tokens: vec![0] });
    doors.inbox.offer(batch).map_err(|_| Problem::busy())?;
    durable.await.map_err(|_| Problem::unknown_outcome())?;
    if faults.is_empty() { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_understood(faults, kept)) }
}

/// The gate of one request.
#[derive(Debug)]
struct Once(Mutex<Option<oneshot::Sender<()>>>);

impl Once {
    fn new() -> (Arc<Self>, oneshot::Receiver<()>) {
        let (sender, receiver) = oneshot::channel();
        (Arc::new(Once(Mutex::new(Some(sender)))), receiver)
    }
}

impl Gate for Once {
    fn durable(&self, _: &[u64]) {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sender) = sender {
            // The client may have gone; the readings are kept all the same.
            let _ = sender.send(());
        }
    }
}
