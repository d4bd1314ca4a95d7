//! The HTTP server: readings in, the pages of deliveries, login, health and
//! metrics out, and reload.

pub mod api;
mod audit;
mod auth;
pub mod board;
pub mod caller;
mod cap;
mod cookie;
mod health;
mod keys;
mod login;
mod origin;
pub mod pages;
mod peer;
mod problem;
mod process;
mod readings;
mod server;
mod shield;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequestParts as _, State};

use axum::http::request::Parts;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use caller::Caller;
use forewarn_core::authority::{Ground, Role};
use pages::Pages;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use crate::ingest::strangers::Strangers;
use crate::ports::{CivilClock, Current, Inbox};
pub use cap::Alerts;
pub use health::{Health, Readiness, Sensors};
pub use keys::Keys;
pub use problem::Problem;
pub use server::{Limits, Server};

/// A request that has no answer by then is given up; its sender tries again.
const REQUEST_WITHIN: Duration = Duration::from_secs(35);

/// What the server needs of the rest of the house.
#[derive(Debug, Clone)]
pub struct Doors {
    /// The setup in force.
    pub current: Current,
    /// Where readings go.
    pub inbox: Arc<dyn Inbox>,
    /// Civil time, as readings are received at.
    pub civil: Arc<dyn CivilClock>,
    /// How the service is.
    pub health: Arc<dyn Health>,
    /// Reads the configuration again.
    pub reload: Arc<dyn Reload>,
    /// The pages of deliveries.
    pub pages: Arc<dyn Pages>,
    /// The board.
    pub board: Arc<dyn board::Board>,
    /// Who may come in.
    pub keys: Arc<Keys>,
    /// What programs ask.
    pub api: Arc<api::Api>,
    /// What is published as CAP alerts.
    pub alerts: Alerts,
    /// Where it is kept who came.
    pub trail: crate::audit::Door,
    /// The metrics as Prometheus reads them.
    pub metrics: metrics_exporter_prometheus::PrometheusHandle,
}

/// Reads the configuration again and says what came of it.
pub trait Reload: Send + Sync + std::fmt::Debug {
    /// `Err` holds the faults, one a line; the old configuration then stays in force.
    fn reload(&self) -> Pin<Box<dyn Future<Output = Result<String, Vec<String>>> + Send + '_>>;
}

fn router(doors: Doors, body_max: usize) -> Router {
    let routes = api::table::<()>().into_iter();
    routes
        .fold(Router::new(), |router, route| router.route(route.path, route.handler))
        .route("/api", get(api::show))
        .route("/a/{token}", get(pages::show).post(pages::acknowledge))
        .route("/login", get(login::show).post(login::enter))
        .route("/logout", get(login::ask_to_leave).post(login::leave))
        .route("/setup", get(login::first).post(login::make_first))
        .route("/plain.css", get(login::style))
        .merge(board::routes())
        .fallback(board::nowhere)
        .method_not_allowed_fallback(|| async { Problem::no_such_method() })
        .layer(from_fn_with_state(Arc::new(Strangers::default()), auth::note))
        .layer(DefaultBodyLimit::max(body_max))
        .layer(TimeoutLayer::with_status_code(axum::http::StatusCode::GATEWAY_TIMEOUT, REQUEST_WITHIN))
        .layer(CatchPanicLayer::new())
        .layer(from_fn(shield::shield))
        .with_state(doors)
}

async fn scrape(State(doors): State<Doors>) -> Response {
    health::tell(&doors.health.readiness());
    ([("content-type", "text/plain; version=0.0.4")], doors.metrics.render() + &process::metrics())
        .into_response()
}

async fn reload(State(doors): State<Doors>, mut parts: Parts) -> Result<String, Response> {
    let token = doors.current.borrow().http.operator_token.clone();
    let is_operator = token.as_ref().map(|token| auth::operator(&parts.headers, token));
    if !matches!(is_operator, Some(Ok(()))) {
        // Not the machine's own token: then an administrator, or nobody.
        let caller =
            Caller::from_request_parts(&mut parts, &doors).await.map_err(|nobody| match is_operator {
                None => Problem::no_operator_token().into_response(),
                Some(_) => nobody,
            })?;
        let plan = doors.current.borrow().plan.clone();
        let allowed = caller.check(Role::Administrator, Ground::Service, &plan);
        allowed.map_err(IntoResponse::into_response)?;
    }
    let reloaded = doors.reload.reload().await;
    reloaded.map_err(|faults| Problem::refused_reload(&faults).into_response())
}
