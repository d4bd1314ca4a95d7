//! `/cap/` and `/feed.atom`: warnings as they were published.

use std::sync::Arc;

use axum::extract::{FromRequestParts as _, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use forewarn_core::ids::{Key, LogId};
use forewarn_core::time::Timestamp;
use sha2::{Digest, Sha256};

use super::Doors;
use super::api::{areas, may_see_any};
use super::caller::Caller;
use super::problem::Problem;
use crate::cap::feed::{self, FEED_TYPE, Feed, RECENT_MAX, STANDING_MAX};
use crate::cap::shelf::{Readers, ShelfError};
use crate::cap::{Shelf, xml};
use crate::channels::kept::PerSetup;
use crate::channels::words::Messages;
use crate::config::targets::hex;

/// What is served, and the words it takes.
#[derive(Debug, Clone)]
pub struct Alerts {
    shelf: Arc<Shelf>,
    log: LogId,
    messages: Arc<PerSetup<Messages>>,
}

impl Alerts {
    /// Of the log that they were made of.
    pub fn new(shelf: Arc<Shelf>, log: LogId) -> Alerts {
        Alerts { shelf, log, messages: Arc::new(PerSetup::new(|setup| Messages::read(&setup.messages))) }
    }
}

/// `GET /feed.atom`.
pub(super) async fn feed(State(doors): State<Doors>, mut parts: Parts) -> Result<Response, Response> {
    let caller = reader(&doors, &mut parts).await?;
    let plan = doors.api.answers.plan();
    let readers = match &caller {
        None => Readers::Everybody,
        Some(caller) => Readers::Holder(areas(caller, &plan, None).map_err(Problem::into_response)?),
    };
    let now = doors.civil.civil();
    let listed = rows(&doors, move |shelf| shelf.listed(&readers, now, STANDING_MAX, RECENT_MAX)).await?;
    let setup = doors.current.borrow().clone();
    let messages = doors.alerts.messages.of(&setup);
    let drawn = feed::feed(&Feed { setup: &setup, messages: &messages, log: doors.alerts.log }, &listed);
    let changed = listed.first().map(|newest| newest.sent);
    Ok(served(&parts.headers, caller.is_none(), FEED_TYPE, changed, drawn))
}

/// `GET /cap/{id}.xml`.
pub(super) async fn newest(
    State(doors): State<Doors>,
    Path(file): Path<String>,
    parts: Parts,
) -> Result<Response, Response> {
    let id = file.strip_suffix(".xml").ok_or_else(|| nothing(&file))?;
    alert(&doors, parts, id, None).await
}

/// `GET /cap/{id}/{number}.xml`.
pub(super) async fn numbered(
    State(doors): State<Doors>,
    Path((id, file)): Path<(String, String)>,
    parts: Parts,
) -> Result<Response, Response> {
    let number = file.strip_suffix(".xml").and_then(|number| number.parse().ok());
    let number = number.ok_or_else(|| nothing(&file))?;
    alert(&doors, parts, &id, Some(number)).await
}

async fn alert(doors: &Doors, mut parts: Parts, id: &str, number: Option<u32>) -> Result<Response, Response> {
    let caller = reader(doors, &mut parts).await?;
    let key = Key::parse(id).ok_or_else(|| nothing(id))?;
    let found = rows(doors, move |shelf| shelf.published(key, number)).await?.ok_or_else(|| nothing(id))?;
    match &caller {
        // A stranger is not told what there is for others.
        None if !found.public => return Err(nothing(id)),
        Some(caller) if !found.public => {
            let plan = doors.api.answers.plan();
            may_see_any(caller, &plan, &found.areas).map_err(Problem::into_response)?;
        }
        None | Some(_) => {}
    }
    Ok(served(&parts.headers, caller.is_none(), xml::MEDIA_TYPE, Some(found.sent), found.body))
}

fn nothing(id: &str) -> Response {
    Problem::no_such("alert", id).into_response()
}

/// Who reads: somebody who may look, or anybody where configuration says so.
/// Of a copy nobody does: what it publishes would be taken for the original's.
async fn reader(doors: &Doors, parts: &mut Parts) -> Result<Option<Caller>, Response> {
    let public = doors.current.borrow().cap.public;
    let caller = match Caller::from_request_parts(parts, doors).await {
        Ok(caller) => Some(caller),
        Err(_) if public => None,
        Err(nobody) => return Err(nobody),
    };
    if doors.api.answers.status().held {
        return Err(Problem::held().into_response());
    }
    Ok(caller)
}

/// Reads the shelf beside the runtime: it waits for a disk.
async fn rows<T: Send + 'static>(
    doors: &Doors,
    read: impl FnOnce(&Shelf) -> Result<T, ShelfError> + Send + 'static,
) -> Result<T, Response> {
    let shelf = doors.alerts.shelf.clone();
    match tokio::task::spawn_blocking(move || read(&shelf)).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => {
            tracing::warn!(%error, "alerts cannot be read");
            Err(Problem::later().into_response())
        }
        Err(_) => Err(Problem::later().into_response()),
    }
}

/// What is served, or that it is as it was. Asked by content, never by time:
/// two alerts may be of one second.
fn served(
    asked: &HeaderMap,
    everybody: bool,
    kind: &'static str,
    changed: Option<Timestamp>,
    body: String,
) -> Response {
    let digest = Sha256::digest(body.as_bytes());
    let etag = format!("\"{}\"", hex(&digest));
    let control = if everybody { "public, no-cache" } else { "private, no-cache" };
    let mut headers = vec![
        (header::ETAG, etag.clone()),
        (header::CACHE_CONTROL, control.to_owned()),
        (header::VARY, "authorization, cookie".to_owned()),
    ];
    headers.extend(changed.and_then(http_date).map(|date| (header::LAST_MODIFIED, date)));
    let headers = axum::response::AppendHeaders(headers);
    let known = asked.get_all(header::IF_NONE_MATCH).into_iter().filter_map(|it| it.to_str().ok());
    let mut known = known.flat_map(|it| it.split(',')).map(str::trim);
    if known.any(|it| it == "*" || it.trim_start_matches("W/") == etag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    ([(header::CONTENT_TYPE, format!("{kind}; charset=utf-8"))], headers, body).into_response()
}

fn http_date(at: Timestamp) -> Option<String> {
    let at = jiff::Timestamp::from_microsecond(at.0).ok()?;
    Some(at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
}
