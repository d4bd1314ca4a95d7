//! The page of one delivery, for whoever got a message: reading it changes
//! nothing, so that a mail scanner acknowledges nothing; only its form does.

use std::pin::Pin;

use axum::extract::{Form, Path, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::Doors;

/// What keeps a page to itself: its address is the only key to it.
const HEADERS: [(HeaderName, &str); 5] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'",
    ),
];

/// Whoever opens a link that leads nowhere may read either language.
const NOWHERE: &str = "<!DOCTYPE html><html lang=\"zh\"><meta charset=\"utf-8\">\
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>404</title>\
<body style=\"font:1rem/1.6 sans-serif;max-width:36rem;margin:2rem auto;padding:0 1rem\">\
<p>此链接无效或已过期。请直接联系值班室；链接失效不表示危险已解除。</p>\
<p lang=\"en\">This link opens nothing, or nothing any more. Call the duty desk; that a link has ended \
does not mean that the danger has.</p>";

const LATER: &str = "<!DOCTYPE html><html lang=\"zh\"><meta charset=\"utf-8\">\
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>503</title>\
<body style=\"font:1rem/1.6 sans-serif;max-width:36rem;margin:2rem auto;padding:0 1rem\">\
<p>暂时无法处理，请稍后再试。</p><p lang=\"en\">This cannot be done just now. Please try again.</p>";

/// What became of a request for a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// The page, complete.
    Page(String),
    /// The link opens none.
    Nothing,
    /// It cannot be told now.
    Later,
}

/// A page that is being opened.
pub type Opening<'a> = Pin<Box<dyn Future<Output = Opened> + Send + 'a>>;

/// An acknowledgement on its way.
pub type Acknowledging<'a> = Pin<Box<dyn Future<Output = Result<(), Opened>> + Send + 'a>>;

/// Opens the pages of deliveries.
pub trait Pages: Send + Sync + std::fmt::Debug {
    /// The page that a link's token opens. Changes nothing.
    fn page<'a>(&'a self, token: &'a str) -> Opening<'a>;

    /// Acknowledges what the page shows for whoever the link was sent to, as of
    /// what they had before them: `number` is what the page's form said. Resolves
    /// once that is durable and its page shows it; `Err` says why there is none.
    fn acknowledge<'a>(&'a self, token: &'a str, number: u64) -> Acknowledging<'a>;
}

/// What the form sends: a revision's number, or from a digest's page a log position.
#[derive(Debug, Deserialize)]
pub(super) struct Acknowledgement {
    number: u64,
}

pub(super) async fn show(State(doors): State<Doors>, Path(token): Path<String>) -> Response {
    answer(doors.pages.page(&token).await)
}

pub(super) async fn acknowledge(
    State(doors): State<Doors>,
    Path(token): Path<String>,
    Form(form): Form<Acknowledgement>,
) -> Response {
    match doors.pages.acknowledge(&token, form.number).await {
        // Shown by its own address, so that loading it again sends nothing again.
        Ok(()) => (HEADERS, Redirect::to(&token)).into_response(),
        Err(opened) => answer(opened),
    }
}

fn answer(opened: Opened) -> Response {
    let (code, page) = match opened {
        Opened::Page(page) => (StatusCode::OK, page),
        Opened::Nothing => (StatusCode::NOT_FOUND, NOWHERE.to_owned()),
        Opened::Later => (StatusCode::SERVICE_UNAVAILABLE, LATER.to_owned()),
    };
    (code, HEADERS, Html(page)).into_response()
}
