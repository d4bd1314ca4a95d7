//! The board: pages for people on duty, behind the login; what they ask for by
//! its forms; and the stream that tells an open page when to look again.

mod live;

use std::pin::Pin;

use axum::extract::{FromRequestParts as _, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;

use super::Doors;
use super::caller::{Caller, Posted};
use super::problem::Problem;
pub use live::{Heard, Word};

/// The cookie that holds the language a reader chose: no secret, and lasting.
const LANGUAGE: &str = "forewarn-language";

/// A year, in seconds.
const LANGUAGE_LASTS_SECS: u32 = 31_536_000;

/// Longer ones are no language tag.
const TAG_BYTES_MAX: usize = 16;

/// A reason is a sentence or two.
const REASON_CHARS_MAX: usize = 500;

/// Which page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// What stands now.
    Home,
    /// The list of warnings.
    Warnings(List),
    /// One warning, by its id.
    Warning(String),
    /// The list of sensors.
    Sensors(List),
    /// One sensor, by its id.
    Sensor(String),
    /// What is on its way, and what did not arrive.
    Deliveries,
    /// What was not understood.
    Quarantine,
    /// What the signs mean.
    Help,
    /// None of these.
    Nowhere,
}

/// Which part of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct List {
    /// Words to look for.
    pub q: String,
    /// Sensors: how they stand.
    pub group: String,
    /// Warnings: `standing` or `all`.
    pub which: String,
    /// From 1.
    pub page: String,
}

/// A page that is asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Which.
    pub page: Page,
    /// By whom.
    pub caller: Caller,
    /// The language they chose, if they did.
    pub chosen: Option<String>,
    /// What their browser accepts.
    pub accepts: String,
    /// Path and query of it.
    pub place: String,
    /// What came of what they just did.
    pub done: Option<Done>,
}

/// What came of a request for a page.
#[derive(Debug)]
pub enum Drawn {
    /// The page, complete.
    Page(String),
    /// There is no such page; one that says so.
    Missing(String),
    /// It is not for them.
    Refused(Problem),
    /// It cannot be drawn now.
    Later,
}

/// What somebody asks to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Acknowledge a warning for a contact who was told.
    Acknowledge {
        /// The warning's id.
        warning: String,
        /// The contact's.
        contact: String,
        /// The revision that they had before them.
        number: u32,
    },
    /// End a warning by hand.
    AllClear {
        /// The warning's id.
        warning: String,
        /// Why.
        reason: String,
    },
    /// Say that it was issued in error.
    Cancel {
        /// The warning's id.
        warning: String,
        /// Why.
        reason: String,
    },
    /// Send what was given up again.
    Resend {
        /// The delivery's key.
        key: String,
    },
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// Somebody has it before them.
    Acknowledged,
    /// The all-clear goes out.
    Cleared,
    /// The cancellation goes out.
    Cancelled,
    /// It is sent again.
    Resent,
    /// Nothing followed from it.
    Refused,
}

impl Done {
    const ALL: [Done; 5] = [Done::Acknowledged, Done::Cleared, Done::Cancelled, Done::Resent, Done::Refused];

    /// As addresses and words call it.
    pub const fn word(self) -> &'static str {
        match self {
            Done::Acknowledged => "acknowledged",
            Done::Cleared => "cleared",
            Done::Cancelled => "cancelled",
            Done::Resent => "resent",
            Done::Refused => "refused",
        }
    }
}

/// A page that is being drawn.
pub type Drawing<'a> = Pin<Box<dyn Future<Output = Drawn> + Send + 'a>>;

/// An order that is being carried out; the error is for whoever may not give it.
pub type Ordering<'a> = Pin<Box<dyn Future<Output = Result<Done, Problem>> + Send + 'a>>;

/// Waits for the next word to an open page; `None` once there will be none.
pub type Waiting<'a> = Pin<Box<dyn Future<Output = Option<(Heard, Word)>> + Send + 'a>>;

/// Draws the pages, and carries out what is asked on them.
pub trait Board: Send + Sync + std::fmt::Debug {
    /// Draws a page. Changes nothing.
    fn page(&self, asked: Asked) -> Drawing<'_>;

    /// Carries out an order; resolves once it is durable and pages show it.
    fn order<'a>(&'a self, caller: &'a Caller, order: Order) -> Ordering<'a>;

    /// The next word to an open page that has heard so much.
    fn word(&self, heard: Heard) -> Waiting<'_>;
}

/// The paths of the board.
pub(super) fn routes() -> axum::Router<Doors> {
    axum::Router::new()
        .route("/", get(home))
        .route("/warnings", get(warnings))
        .route("/warnings/{id}", get(warning))
        .route("/warnings/{id}/acknowledge", post(acknowledge))
        .route("/warnings/{id}/all-clear", post(all_clear))
        .route("/warnings/{id}/cancel", post(cancel))
        .route("/sensors", get(sensors))
        .route("/sensors/{station}/{quantity}", get(sensor))
        .route("/deliveries", get(deliveries))
        .route("/deliveries/resend", post(resend))
        .route("/quarantine", get(quarantine))
        .route("/help", get(help))
        .route("/language/{tag}", get(language))
        .route("/live", get(live::live))
        .route("/assets/{edition}/board.css", get(styles))
        .route("/assets/{edition}/board.js", get(script))
}

async fn home(State(doors): State<Doors>, caller: Caller, parts: Parts) -> Response {
    draw(&doors, caller, &parts, Page::Home).await
}

async fn warnings(
    State(doors): State<Doors>,
    caller: Caller,
    Query(list): Query<List>,
    parts: Parts,
) -> Response {
    draw(&doors, caller, &parts, Page::Warnings(list)).await
}

async fn warning(
    State(doors): State<Doors>,
    caller: Caller,
    Path(id): Path<String>,
    parts: Parts,
) -> Response {
    draw(&doors, caller, &parts, Page::Warning(id)).await
}

async fn sensors(
    State(doors): State<Doors>,
    caller: Caller,
    Query(list): Query<List>,
    parts: Parts,
) -> Response {
    draw(&doors, caller, &parts, Page::Sensors(list)).await
}

async fn sensor(
    State(doors): State<Doors>,
    caller: Caller,
    Path((station, quantity)): Path<(String, String)>,
    parts: Parts,
) -> Response {
    draw(&doors, caller, &parts, Page::Sensor(format!("{station}/{quantity}"))).await
}

async fn deliveries(State(doors): State<Doors>, caller: Caller, parts: Parts) -> Response {
    draw(&doors, caller, &parts, Page::Deliveries).await
}

async fn quarantine(State(doors): State<Doors>, caller: Caller, parts: Parts) -> Response {
    draw(&doors, caller, &parts, Page::Quarantine).await
}

async fn help(State(doors): State<Doors>, caller: Caller, parts: Parts) -> Response {
    draw(&doors, caller, &parts, Page::Help).await
}

/// Where no path leads: people are told so in a page, programs in a problem.
pub(super) async fn nowhere(State(doors): State<Doors>, mut parts: Parts) -> Response {
    let accepts = parts.headers.get(header::ACCEPT).and_then(|it| it.to_str().ok()).unwrap_or_default();
    if parts.method == Method::GET
        && accepts.contains("text/html")
        && let Ok(caller) = Caller::from_request_parts(&mut parts, &doors).await
    {
        return draw(&doors, caller, &parts, Page::Nowhere).await;
    }
    Problem::not_found().into_response()
}

async fn draw(doors: &Doors, caller: Caller, parts: &Parts, page: Page) -> Response {
    let text = |name| parts.headers.get(name).and_then(|it: &HeaderValue| it.to_str().ok());
    let asked = Asked {
        page,
        caller,
        chosen: chosen(&parts.headers),
        accepts: text(header::ACCEPT_LANGUAGE).unwrap_or_default().to_owned(),
        place: place(parts),
        done: done(parts.uri.query().unwrap_or_default()),
    };
    match doors.board.page(asked).await {
        Drawn::Page(page) => Html(page).into_response(),
        Drawn::Missing(page) => (StatusCode::NOT_FOUND, Html(page)).into_response(),
        Drawn::Refused(problem) => problem.into_response(),
        Drawn::Later => Problem::later().into_response(),
    }
}

/// Where a switch of language comes back to: without what was just done, which is done.
fn place(parts: &Parts) -> String {
    let query = parts.uri.query().unwrap_or_default();
    let kept: Vec<&str> =
        query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("done=")).collect();
    let path = parts.uri.path();
    if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) }
}

fn done(query: &str) -> Option<Done> {
    let word = query.split('&').find_map(|pair| pair.strip_prefix("done="))?;
    Done::ALL.into_iter().find(|done| done.word() == word)
}

fn chosen(headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, tag) = pairs.find(|(name, _)| *name == LANGUAGE)?;
    is_tag(tag).then(|| tag.to_owned())
}

fn is_tag(tag: &str) -> bool {
    !tag.is_empty()
        && tag.len() <= TAG_BYTES_MAX
        && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[derive(Debug, Deserialize)]
struct Back {
    #[serde(default)]
    back: String,
}

/// Keeps the language a reader chose, and goes back to where they were.
async fn language(Path(tag): Path<String>, Query(back): Query<Back>) -> Response {
    let back = super::login::local(&back.back).to_owned();
    let cookie = format!("{LANGUAGE}={tag}; Path=/; Max-Age={LANGUAGE_LASTS_SECS}; SameSite=Lax; HttpOnly");
    let mut response = Redirect::to(&back).into_response();
    if is_tag(&tag)
        && let Ok(cookie) = HeaderValue::from_str(&cookie)
    {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

#[derive(Debug, Deserialize)]
struct ForWhom {
    contact: String,
    number: u32,
}

#[derive(Debug, Deserialize)]
struct Because {
    reason: String,
}

#[derive(Debug, Deserialize)]
struct Which {
    key: String,
}

async fn acknowledge(
    State(doors): State<Doors>,
    Path(warning): Path<String>,
    posted: Posted<ForWhom>,
) -> Result<Redirect, Problem> {
    let Posted { caller, form } = posted;
    let order = Order::Acknowledge { warning: warning.clone(), contact: form.contact, number: form.number };
    ordered(&doors, &caller, order, &warning_path(&warning)).await
}

async fn all_clear(
    State(doors): State<Doors>,
    Path(warning): Path<String>,
    posted: Posted<Because>,
) -> Result<Redirect, Problem> {
    let Posted { caller, form } = posted;
    let order = Order::AllClear { warning: warning.clone(), reason: reason(&form.reason) };
    ordered(&doors, &caller, order, &warning_path(&warning)).await
}

async fn cancel(
    State(doors): State<Doors>,
    Path(warning): Path<String>,
    posted: Posted<Because>,
) -> Result<Redirect, Problem> {
    let Posted { caller, form } = posted;
    let order = Order::Cancel { warning: warning.clone(), reason: reason(&form.reason) };
    ordered(&doors, &caller, order, &warning_path(&warning)).await
}

async fn resend(State(doors): State<Doors>, posted: Posted<Which>) -> Result<Redirect, Problem> {
    let Posted { caller, form } = posted;
    ordered(&doors, &caller, Order::Resend { key: form.key }, "/deliveries").await
}

/// Shown by its own address afterwards, so that loading it again orders nothing again.
async fn ordered(doors: &Doors, caller: &Caller, order: Order, back: &str) -> Result<Redirect, Problem> {
    let done = doors.board.order(caller, order).await?;
    Ok(Redirect::to(&format!("{back}?done={}", done.word())))
}

/// An id is hexadecimal; of anything else the page says that there is none.
fn warning_path(id: &str) -> String {
    let id: String = id.chars().filter(char::is_ascii_hexdigit).collect();
    format!("/warnings/{id}")
}

fn reason(given: &str) -> String {
    given.trim().chars().take(REASON_CHARS_MAX).collect()
}

async fn styles() -> Response {
    asset("text/css; charset=utf-8", crate::board::STYLES)
}

async fn script() -> Response {
    asset("text/javascript; charset=utf-8", crate::board::SCRIPT)
}

/// Its edition is part of its address, so that browsers may keep it for good.
fn asset(kind: &'static str, text: &'static str) -> Response {
    let headers =
        [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
    (headers, text).into_response()
}
