//! The built-in MQTT ingest listener: 3.1.1 and 5 on one port, over TCP and
//! TLS, QoS 0 and 1. It only takes in; it is no broker.
//!
//! A PUBACK says *durable*: it is withheld until the log has synced the message.
//! What is not acknowledged (a crash, a full inbox, a takeover) the device
//! still has and sends again, on whatever connection. For this reason no
//! session is kept between connections: a session holds what is owed to a
//! *subscriber*, and nobody subscribes here. A client that asks for its
//! session is told that there is none, and then sends again what it has not
//! seen acknowledged.

mod alias;
mod answer;
mod checks;
mod connection;
mod desk;
mod frame;
mod gate;
mod handshake;
mod limits;
#[cfg(test)]
mod mutating;
mod rate;
mod refusal;
mod sessions;
mod slots;
mod stream;
mod taking;
mod tls;
mod wire;

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use crate::config::plan;
use crate::ports::{CivilClock, Current, Inbox};

pub use refusal::Reason;

use connection::{Connection, End};
use desk::Desk;
use handshake::Failed;
use refusal::Fault;
use slots::Slot;

/// Why the listener does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is not to be had.
    #[error("{key} {address}: {error}, expected a free address of this machine")]
    Bind {
        /// Which key of `forewarn.toml` names it.
        key: &'static str,
        /// As configured.
        address: SocketAddr,
        /// What the system says.
        error: std::io::Error,
    },
    /// A certificate or key cannot be used.
    #[error("{}: {error}, expected {expected}", file.display())]
    Tls {
        /// Which file.
        file: PathBuf,
        /// What should be in it.
        expected: &'static str,
        /// What is wrong with it.
        error: String,
    },
    /// `bind_tls` without certificate and key.
    #[error("mqtt listener: bind_tls without certificate, expected tls = {{ cert = ..., key = ... }}")]
    NoCertificate,
}

impl StartError {
    fn tls(file: &Path, expected: &'static str, error: &dyn Display) -> Self {
        StartError::Tls { file: file.to_owned(), expected, error: error.to_string() }
    }
}

/// A running listener.
#[derive(Debug)]
pub struct ListenerHandle {
    tcp: Option<SocketAddr>,
    tls: Option<SocketAddr>,
    desk: Arc<Desk>,
    tasks: TaskTracker,
}

impl ListenerHandle {
    /// The address bound for TCP; its port is real also where 0 was configured.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.tcp
    }

    /// The address bound for TLS.
    pub fn local_addr_tls(&self) -> Option<SocketAddr> {
        self.tls
    }

    /// How often something was refused for this reason since the start.
    pub fn refused(&self, reason: Reason) -> u64 {
        self.desk.tally.of(reason)
    }

    /// Resolves once the shutdown token is cancelled and every connection is
    /// closed: acknowledgements still owed go out for at most five seconds.
    pub async fn stopped(&self) {
        self.tasks.wait().await;
    }
}

/// Reads any bytes as what a client sends, for the fuzzers: the first says
/// whether it has connected yet, and with which MQTT.
#[cfg(any(fuzzing, debug_assertions))]
pub(crate) fn read_any(bytes: &[u8]) {
    match bytes.split_first() {
        Some((0, rest)) => handshake::read_any(rest),
        Some((1, rest)) => wire::read_any(wire::Version::V4, rest),
        Some((_, rest)) => wire::read_any(wire::Version::V5, rest),
        None => {}
    }
}

/// Binds what the settings name and starts to take in. Limits and addresses
/// are those of the start; devices, catalog and format follow `current`.
pub async fn start(
    settings: &plan::Listener,
    current: Current,
    inbox: Arc<dyn Inbox>,
    clock: Arc<dyn CivilClock>,
    shutdown: CancellationToken,
) -> Result<ListenerHandle, StartError> {
    let tcp = match settings.bind {
        Some(address) => Some(bind("listener.bind", address).await?),
        None => None,
    };
    let tls = match (settings.bind_tls, &settings.tls) {
        (None, _) => None,
        (Some(address), Some(files)) => {
            let acceptor = tls::acceptor(files)?;
            let (listener, address) = bind("listener.bind_tls", address).await?;
            Some((listener, address, acceptor))
        }
        (Some(_), None) => return Err(StartError::NoCertificate),
    };
    let desk = Arc::new(Desk::new(settings, current, inbox, clock, shutdown));
    let handle = ListenerHandle {
        tcp: tcp.as_ref().map(|(_, address)| *address),
        tls: tls.as_ref().map(|(_, address, _)| *address),
        desk: Arc::clone(&desk),
        tasks: TaskTracker::new(),
    };
    if let Some((listener, address)) = tcp {
        info!(%address, "mqtt listener takes in");
        let tasks = handle.tasks.clone();
        handle.tasks.spawn(accept(listener, None, Arc::clone(&desk), tasks));
    }
    if let Some((listener, address, acceptor)) = tls {
        info!(%address, "mqtt listener takes in over TLS");
        let tasks = handle.tasks.clone();
        handle.tasks.spawn(accept(listener, Some(acceptor), desk, tasks));
    }
    handle.tasks.close();
    Ok(handle)
}

async fn bind(key: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let fault = |error| StartError::Bind { key, address, error };
    let listener = TcpListener::bind(address).await.map_err(fault)?;
    let address = listener.local_addr().map_err(fault)?;
    Ok((listener, address))
}

/// Accepts until the stop; never waits for a peer.
async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, desk: Arc<Desk>, tasks: TaskTracker) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = desk.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                if let Some(slot) = desk.slots.enter(Instant::now()) {
                    let desk = Arc::clone(&desk);
                    match tls.clone() {
                        None => tasks.spawn(attend(stream, peer, slot, desk)),
                        Some(acceptor) => tasks.spawn(attend_secured(stream, peer, acceptor, slot, desk)),
                    };
                } else {
                    desk.tally.count(Reason::TooManyConnections, 1);
                    debug!(%peer, "mqtt connection closed at accept: all places are taken");
                }
            }
            Err(error) => {
                warn!(%error, "mqtt connection cannot be accepted");
                sleep(limits::ACCEPT_PAUSE).await;
            }
        }
    }
}

/// One connection from accept to close.
async fn attend(stream: TcpStream, peer: SocketAddr, slot: Slot, desk: Arc<Desk>) {
    let deadline = begin(&stream, peer, &desk);
    greet(stream, peer, slot, desk, deadline).await;
}

/// The same over TLS. A task of another kind: a plain connection should not
/// carry room for what it will never be.
async fn attend_secured(
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: TlsAcceptor,
    slot: Slot,
    desk: Arc<Desk>,
) {
    let deadline = begin(&stream, peer, &desk);
    // Apart from the accept loop: a peer that is silent here holds up nobody.
    let handshake = async {
        acceptor.accept(stream).await.map_err(|error| {
            Failed::from(Fault::new(Reason::TlsFailed, format!("TLS handshake failed: {error}")))
        })
    };
    match within(deadline, &slot, &desk, Box::pin(handshake)).await {
        Ok(stream) => greet(stream, peer, slot, desk, deadline).await,
        Err(failed) => turned_away(peer, &failed, &desk),
    }
}

/// Prepares the socket, and says by when the peer must have said who it is.
fn begin(stream: &TcpStream, peer: SocketAddr, desk: &Desk) -> Instant {
    // Without it each PUBACK waits for the peer's delayed ACK.
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%peer, %error, "mqtt connection keeps its delay");
    }
    Instant::now() + desk.handshake_max
}

/// The handshake, then the connection.
async fn greet<S>(mut stream: S, peer: SocketAddr, slot: Slot, desk: Arc<Desk>, deadline: Instant)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // Boxed, so that its variables do not weigh on the connection's whole life.
    let admitted = within(deadline, &slot, &desk, Box::pin(handshake::admit(&mut stream, peer, &desk))).await;
    let client = match admitted {
        Ok(client) => client,
        Err(failed) => {
            turned_away(peer, &failed, &desk);
            let mut last = bytes::BytesMut::new();
            if let Failed::Refused(_, Some((version, why))) = failed {
                answer::turn_away(version, why, &mut last);
            }
            stream::close(&mut stream, &last).await;
            return;
        }
    };
    let Some(_slot) = slot.admit() else {
        turned_away(peer, &gave_way().into(), &desk);
        return;
    };
    let name = client.seat.client.clone();
    let identity = client.identity.name().to_owned();
    debug!(%peer, client = ?name, identity, "mqtt client connected");
    let mut connection = Connection::new(stream, client, Arc::clone(&desk));
    let end = connection.run().await;
    match &end {
        End::Left | End::Stopping => debug!(%peer, client = ?name, identity, "mqtt client left"),
        End::Refused(Fault { reason, detail }) => {
            desk.tally.count(*reason, 1);
            let reason = reason.label();
            warn!(%peer, client = ?name, identity, reason, ?detail, "mqtt connection closed");
        }
    }
    connection.close(&end).await;
}

/// A step of the handshake, for as long as it may take.
async fn within<T>(
    deadline: Instant,
    slot: &Slot,
    desk: &Desk,
    step: impl Future<Output = Result<T, Failed>>,
) -> Result<T, Failed> {
    tokio::select! {
        biased;
        () = desk.stop.cancelled() => Err(Failed::Left),
        () = slot.give_way.cancelled() => Err(gave_way().into()),
        done = timeout_at(deadline, step) => done.unwrap_or_else(|_| {
            let detail = format!("no whole CONNECT within {} ms", desk.handshake_max.as_millis());
            Err(Fault::new(Reason::HandshakeSlow, detail).into())
        }),
    }
}

fn gave_way() -> Fault {
    Fault::new(Reason::GaveWay, "all places are taken, and this one had not said who it is")
}

/// Counts and tells; at the level of debug, since anybody can cause it.
fn turned_away(peer: SocketAddr, failed: &Failed, desk: &Desk) {
    match failed {
        Failed::Left => debug!(%peer, "mqtt peer left before it was let in"),
        Failed::Refused(Fault { reason, detail }, _) => {
            desk.tally.count(*reason, 1);
            debug!(%peer, reason = reason.label(), ?detail, "mqtt peer turned away");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the task of a connection takes, which it keeps for its whole life.
    fn bytes_of<A, B, C, D, F: Future>(_: impl FnOnce(A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }

    /// Thousands are connected and silent most of the time.
    #[test]
    fn a_plain_connection_is_small() {
        let bytes = bytes_of(attend);
        assert!(bytes <= 3 * 1024, "{bytes} bytes");
    }
}
