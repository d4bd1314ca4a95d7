//! The HTTP server: readings in, the pages of deliveries, login, health and
//! metrics out, and reload.

mod audit;
mod auth;
pub mod board;
pub mod caller;
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
use axum::extract::{DefaultBodyLimit, State};
use axum::http::HeaderMap;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use pages::Pages;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use crate::ingest::strangers::Strangers;
use crate::ports::{CivilClock, Current, Inbox};
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
    /// The metrics as Prometheus reads them.
    pub metrics: metrics_exporter_prometheus::PrometheusHandle,
}

/// Reads the configuration again and says what came of it.
pub trait Reload: Send + Sync + std::fmt::Debug {
    /// `Err` holds the faults, one a line; the old configuration then stays in force.
    fn reload(&self) -> Pin<Box<dyn Future<Output = Result<String, Vec<String>>> + Send + '_>>;
}

fn router(doors: Doors, body_max: usize) -> Router {
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(scrape))
        .route("/api/v1/readings", post(readings::json))
        .route("/api/v2/write", post(readings::write))
        .route("/api/v1/reload", post(reload))
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

async fn reload(State(doors): State<Doors>, headers: HeaderMap) -> Result<String, Problem> {
    {
        let setup = doors.current.borrow();
        let token = setup.http.operator_token.as_ref().ok_or_else(Problem::no_operator_token)?;
        auth::operator(&headers, token)?;
    }
    doors.reload.reload().await.map_err(|faults| Problem::refused_reload(&faults))
}
