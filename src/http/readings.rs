//! Readings by HTTP: answered only once they are durable.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use forewarn_core::time::Timestamp;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use super::Doors;
use super::auth::Integrator;
use super::problem::Problem;
use crate::config::plan::{Decode, Setup};
use crate::formats::{AnyFormat, LineProtocol, Message, Precision, Session};
use crate::ingest::intake::{self, Origin, Permit, Sending};
use crate::ports::{Acks, Batch, Gate};

/// `POST /api/v1/readings`: JSON in the source's own shape. 204 once durable.
pub(super) async fn json(
    State(doors): State<Doors>,
    integrator: Integrator,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let setup = doors.current.borrow().clone();
    // By its index for good, not by its place: sources come and go.
    let source = setup.sources.iter().find(|it| it.ix == setup.http.source).ok_or_else(Problem::no_source)?;
    let request = Request { path: "/api/v1/readings", id: id(&integrator, &headers)?, body: &body };
    let batch = request.read(&setup, &source.decode, doors.civil.civil());
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
    integrator: Integrator,
    Query(query): Query<WriteQuery>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let precision = query.precision.as_deref().unwrap_or("ns");
    let precision = Precision::parse(precision).map_err(Problem::bad_query)?;
    let format = LineProtocol::default().with_precision(precision);
    let decode = Decode { format: AnyFormat::LineProtocol(format) };
    let request = Request { path: "/api/v2/write", id: id(&integrator, &headers)?, body: &body };
    let setup = doors.current.borrow().clone();
    let batch = request.read(&setup, &decode, doors.civil.civil());
    commit(&doors, batch).await
}

/// One request with readings.
struct Request<'a> {
    path: &'static str,
    id: RequestId,
    body: &'a Bytes,
}

impl Request<'_> {
    fn read(&self, setup: &Setup, decode: &Decode, received: Timestamp) -> Batch {
        let source = setup.http.source;
        let mut batch = Batch { source, ..Batch::default() };
        let message = Message { topic: self.path, payload: self.body, received, retained: false };
        let RequestId { packet, sending } = self.id;
        let origin = Origin { source, packet, sending, permit: Permit::Any };
        intake::take(setup, decode, &mut Session::default(), origin, &message, &mut batch);
        batch
    }
}

/// What makes a retry the same request.
#[derive(Debug, Clone, Copy)]
struct RequestId {
    packet: u64,
    sending: Sending,
}

/// A request under a key that came before is the same request.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// A request's idempotency key, under its sender's name. Without one every
/// request is its own, whatever it holds and whenever it comes.
fn id(integrator: &Integrator, headers: &HeaderMap) -> Result<RequestId, Problem> {
    let Some(key) = headers.get(IDEMPOTENCY_KEY) else {
        let packet = getrandom::u64().map_err(|_| Problem::busy())?;
        return Ok(RequestId { packet, sending: Sending::First });
    };
    let mut hash = Sha256::new();
    hash.update(integrator.0.as_bytes());
    hash.update([0]);
    hash.update(key.as_bytes());
    let digest = hash.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    Ok(RequestId { packet: u64::from_be_bytes(first), sending: Sending::PerhapsAgain })
}

async fn commit(doors: &Doors, mut batch: Batch) -> Result<StatusCode, Problem> {
    let kept = batch.taken.len();
    let faults: Vec<String> = batch.refused.iter().map(|refused| refused.reason.clone()).collect();
    let (gate, durable) = Once::new();
    batch.acks = Some(Acks { gate, tokens: vec![0] });
    doors.inbox.offer(batch).map_err(|_| {
        metrics::counter!("forewarn_http_full_total").increment(1);
        Problem::busy()
    })?;
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
