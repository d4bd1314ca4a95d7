//! Connections: how many there may be, how long each step of one may take,
//! and how they end.

use std::io::Write;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use tracing::{debug, error, info, warn};

use super::{Doors, peer, router};

/// Rest after the system would not give a connection: it has no descriptors left.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// What one is told for whom there is no place.
const NO_PLACE: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\nretry-after: 1\r\n\r\n";

/// How much a server bears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once. Beyond: a newcomer is answered 503, closed and counted.
    pub connections: usize,
    /// From the end of one request, or the beginning of the connection, to the
    /// whole head of the next: who is slower, or idle, is closed.
    pub head_within: Duration,
    /// How long one connection lasts; a request under way is finished.
    pub lasts: Duration,
    /// How long requests under way may go on after a connection's time, or a
    /// stop; then they are cut off.
    pub wind_up: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 512,
            head_within: Duration::from_secs(15),
            lasts: Duration::from_mins(10),
            wind_up: Duration::from_secs(5),
        }
    }
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    /// Binds and serves until `shutdown`; requests under way are finished first.
    pub async fn start(doors: Doors, limits: Limits, shutdown: CancellationToken) -> std::io::Result<Server> {
        let (bind, body_max) = {
            let setup = doors.current.borrow();
            (setup.http.bind, setup.http.body_max)
        };
        let listener = TcpListener::bind(bind).await.map_err(|error| {
            std::io::Error::new(
                error.kind(),
                format!("http.bind {bind}: {error}, expected a free address of this machine"),
            )
        })?;
        let address = listener.local_addr()?;
        metrics::gauge!("forewarn_http_connections_max").set(limits.connections as f64);
        info!(%address, "HTTP server listens");
        let task = tokio::spawn(accept(listener, router(doors, body_max), limits, shutdown));
        Ok(Server { address, task })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it has ended, after `shutdown`: within [`Limits::wind_up`].
    pub async fn ended(self) {
        if let Err(error) = self.task.await {
            error!(%error, "HTTP server did not end in order");
        }
    }
}

async fn accept(listener: TcpListener, router: Router, limits: Limits, shutdown: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    while connections.try_join_next().is_some() {}
                    if connections.len() < limits.connections {
                        connections.spawn(serve(stream, peer, router.clone(), limits, shutdown.clone()));
                    } else {
                        turn_away(stream);
                    }
                }
                Err(error) => {
                    warn!(%error, "HTTP server gets no connection");
                    tokio::time::sleep(ACCEPT_REST).await;
                }
            },
        }
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    if timeout(limits.wind_up, all).await.is_err() {
        warn!(connections = connections.len(), "HTTP connections did not end in time: cut off");
        connections.shutdown().await;
    }
}

/// Counts a connection for as long as it is held.
struct Counted;

impl Counted {
    fn new() -> Counted {
        metrics::gauge!("forewarn_http_connections").increment(1.0);
        Counted
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::gauge!("forewarn_http_connections").decrement(1.0);
    }
}

async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let _counted = Counted::new();
    let service = router.map_request(move |request| peer::noted(peer.ip(), request));
    // Not the builder's guess between versions: it would wait for a first byte for ever.
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.head_within);
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = past(limits.lasts, &shutdown) => {
            connection.as_mut().graceful_shutdown();
            timeout(limits.wind_up, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = served {
        debug!(%error, "HTTP connection broke");
    }
}

/// Resolves once a connection's time is over, or the server's.
async fn past(lasts: Duration, shutdown: &CancellationToken) {
    // That it comes late is no fault: then the connection's time is over.
    let _ = timeout(lasts, shutdown.cancelled()).await;
}

fn turn_away(stream: TcpStream) {
    metrics::counter!("forewarn_http_refused_total").increment(1);
    // Best effort: a few bytes fit the buffer of a new connection, and nobody waits here.
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.write_all(NO_PLACE);
    }
}
