//! The stream of an open page: a word whenever something changed, and a beat in
//! between, so that the page knows that what it shows holds. Of both there is
//! none where the service itself gets no answer from what judges.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::time::{Instant, timeout};
use tokio_util::codec::{BytesCodec, FramedRead};

use crate::http::Doors;
use crate::http::caller::Caller;

/// Streams at once; a further one is refused, and its page looks again by itself every five seconds.
const STREAMS_MAX: usize = 200;

/// Bytes on their way to one page. Full for longer than [`TAKEN_WITHIN`]: it is given up, and comes again.
const BYTES_MAX: usize = 4096;

/// How long a page may take to take a word.
const TAKEN_WITHIN: Duration = Duration::from_secs(5);

/// A stream ends by itself, shortly before its connection would be ended.
const LASTS: Duration = Duration::from_mins(9);

/// How soon a browser comes again, milliseconds.
const RETRY_MS: u32 = 1000;

/// How far an open page has heard: which state of things, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Heard {
    /// Position of the log.
    pub position: u64,
    /// A digest of what stands.
    pub stands: u64,
    /// When it was last told to look.
    pub told: Option<Instant>,
}

/// A word to an open page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// Something changed: look again.
    Changed,
    /// Nothing did, as of this local time.
    Beat(String),
}

/// Streams that are open.
static OPEN: AtomicUsize = AtomicUsize::new(0);

/// Counts a stream for as long as it is open.
struct Place;

impl Place {
    fn take() -> Option<Place> {
        // Counted first, so that two that come at once cannot both take the last.
        let place = Place;
        if OPEN.fetch_add(1, Ordering::AcqRel) >= STREAMS_MAX {
            return None;
        }
        metrics::gauge!("forewarn_board_streams").set(OPEN.load(Ordering::Acquire) as f64);
        Some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let left = OPEN.fetch_sub(1, Ordering::AcqRel) - 1;
        metrics::gauge!("forewarn_board_streams").set(left as f64);
    }
}

/// `GET /live`.
pub(super) async fn live(State(doors): State<Doors>, _caller: Caller) -> Response {
    let Some(place) = Place::take() else {
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "30")]).into_response();
    };
    let (sender, receiver) = tokio::io::duplex(BYTES_MAX);
    let board = Arc::clone(&doors.board);
    tokio::spawn(async move {
        // Whoever reads it has gone, or the time is over: either way it is the end.
        let _ = timeout(LASTS, tell(board.as_ref(), sender)).await;
        drop(place);
    });
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    (headers, Body::from_stream(FramedRead::new(receiver, BytesCodec::new()))).into_response()
}

async fn tell(board: &dyn super::Board, mut sender: DuplexStream) -> std::io::Result<()> {
    let mut heard = Heard::default();
    put(&mut sender, &format!("retry: {RETRY_MS}\n\n")).await?;
    while let Some((now, word)) = board.word(heard).await {
        heard = now;
        let line = match word {
            Word::Changed => "event: changed\ndata: \n\n".to_owned(),
            Word::Beat(time) => format!("event: beat\ndata: {time}\n\n"),
        };
        put(&mut sender, &line).await?;
    }
    Ok(())
}

async fn put(sender: &mut DuplexStream, text: &str) -> std::io::Result<()> {
    timeout(TAKEN_WITHIN, sender.write_all(text.as_bytes())).await?
}
