//! The HTTP server: readings in, health and metrics out, and reload.

mod auth;
mod health;
mod problem;
mod readings;

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;
use tracing::{error, info};

use crate::ports::{Current, Inbox};
pub use health::{Health, Readiness, Sensors};
pub use problem::Problem;

/// A request that has no answer by then is given up; its sender tries again.
const REQUEST_WITHIN: Duration = Duration::from_secs(35);

/// What the server needs of the rest of the house.
#[derive(Debug, Clone)]
pub struct Doors {
    /// The setup in force.
    pub current: Current,
    /// Where readings go.
    pub inbox: Arc<dyn Inbox>,
    /// How the service is.
    pub health: Arc<dyn Health>,
    /// Reads the configuration again.
    pub reload: Arc<dyn Reload>,
    /// The metrics as Prometheus reads them.
    pub metrics: metrics_exporter_prometheus::PrometheusHandle,
}

/// Reads the configuration again and says what came of it.
pub trait Reload: Send + Sync + std::fmt::Debug {
    /// `Err` holds the faults, one a line; the old configuration then stays in force.
    fn reload(&self) -> Pin<Box<dyn Future<Output = Result<String, Vec<String>>> + Send + '_>>;
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    /// Binds and serves until `shutdown`; requests under way are finished first.
    pub async fn start(doors: Doors, shutdown: CancellationToken) -> std::io::Result<Server> {
        let (bind, body_max) = {
            let setup = doors.current.borrow();
            (setup.http.bind, setup.http.body_max)
        };
        let listener = TcpListener::bind(bind).await.map_err(|error| {
            std::io::Error::new(error.kind(), format!("http.bind {bind}: {error}, expected a free address"))
        })?;
        let address = listener.local_addr()?;
        let router = router(doors, body_max);
        info!(%address, "HTTP server listens");
        let task = tokio::spawn(async move {
            let served =
                axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned()).await;
            if let Err(error) = served {
                error!(%error, "HTTP server ended");
            }
        });
        Ok(Server { address, task })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it has ended, after `shutdown`.
    pub async fn ended(self) {
        // A panic in a handler was answered with 500 already; here nothing is left to do about it.
        let _ = self.task.await;
    }
}

fn router(doors: Doors, body_max: usize) -> Router {
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(scrape))
        .route("/api/v1/readings", post(readings::json))
        .route("/api/v2/write", post(readings::write))
        .route("/api/v1/reload", post(reload))
        .fallback(|| async { Problem::not_found() })
        .layer(DefaultBodyLimit::max(body_max))
        .layer(TimeoutLayer::with_status_code(axum::http::StatusCode::GATEWAY_TIMEOUT, REQUEST_WITHIN))
        .layer(CatchPanicLayer::new())
        .with_state(doors)
}

async fn scrape(State(doors): State<Doors>) -> Response {
    ([("content-type", "text/plain; version=0.0.4")], doors.metrics.render()).into_response()
}

async fn reload(State(doors): State<Doors>, headers: HeaderMap) -> Result<String, Problem> {
    {
        let setup = doors.current.borrow();
        let token = setup.http.operator_token.as_ref().ok_or_else(Problem::no_operator_token)?;
        auth::operator(&headers, token)?;
    }
    doors.reload.reload().await.map_err(|faults| Problem::refused_reload(&faults))
}
