//! Sessions with outside MQTT brokers, 3.1.1 and 5, over `rumqttc`.
//!
//! `rumqttc` is fast, but its defaults lose or stall data. What was seen, and
//! the rule for each, so that nobody takes one out for tidiness:
//!
//! | seen | rule |
//! |---|---|
//! | Nagle's delay is on by default: QoS 1 falls to a fortieth | `set_tcp_nodelay(true)`, [`client`] |
//! | a message above the limit is redelivered for ever, and nothing behind it arrives | room for it, quarantined and acknowledged; Trouble, [`session`] |
//! | publishes in flight are dropped when the broker lost the session | nothing is published here |
//! | messages of a lost connection come out after the next CONNACK; acknowledging them acknowledges others | a new client for each connection; acknowledgements carry their epoch, [`gate`] |
//! | tens of thousands of messages wait for acknowledgement; waiting for room to acknowledge blocks the poll | `try_ack`, wide channel, bounded backlog, `receive_maximum` in 5, [`gate`] |
//! | acknowledgements queue behind publishes | this client only subscribes |
//! | subscriptions are not restored | subscribed on every CONNACK, [`session`] |
//! | no poll, no ping | the poll has a task of its own and waits on nothing else, [`session`] |

mod client;
mod gate;
mod session;
mod supervisor;
mod tls;

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

pub use self::gate::BACKLOG_MAX;
use self::session::Taking;
use self::supervisor::Supervisor;
use crate::config::plan::{self, Source};
use crate::ports::{CivilClock, Current, Inbox};

/// A running session with an outside broker: it reconnects for ever, until told to stop.
///
/// It has a thread of its own. Among the others' tasks each message and each
/// acknowledgement would wake one worker, which wakes the next to look for
/// more: that cost more than the session itself.
#[derive(Debug)]
pub struct Session {
    ended: oneshot::Receiver<()>,
}

/// A source that is no session with a broker, or cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The source is read some other way.
    #[error("source {0:?} is no MQTT broker, expected one with mqtt = {{ url = ... }}")]
    NotMqtt(String),
    /// A persistent session needs a name.
    #[error("source {0:?} has an empty client id, expected one of its own")]
    NoClientId(String),
    /// The system gives no thread, or nothing to wait on sockets with.
    #[error("source {source_name:?} has no thread of its own: {reason}")]
    NoThread {
        /// Which source.
        source_name: String,
        /// What the system says.
        reason: String,
    },
}

impl Session {
    /// Starts it. `client_id` names the persistent session at the broker: the
    /// source's own if it has one, else derived from the data directory's place, so that a
    /// restored or cloned directory never takes over another's session.
    pub fn start(
        source: &Source,
        current: Current,
        inbox: Arc<dyn Inbox>,
        client_id: String,
        clock: Arc<dyn CivilClock>,
        shutdown: CancellationToken,
    ) -> Result<Session, StartError> {
        let plan::From::Mqtt(mqtt) = &source.from else {
            return Err(StartError::NotMqtt(source.name.clone()));
        };
        if client_id.is_empty() {
            return Err(StartError::NoClientId(source.name.clone()));
        }
        let no_thread = |error: std::io::Error| StartError::NoThread {
            source_name: source.name.clone(),
            reason: error.to_string(),
        };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(no_thread)?;
        let thread = std::thread::Builder::new().name("mqtt-session".into());
        let (from, mqtt) = (source.clone(), (**mqtt).clone());
        let life = move || {
            let taking = Taking::new(&from, &mqtt, current.clone(), inbox.clone(), clock.clone());
            Supervisor::new(mqtt.clone(), client_id.clone(), taking, shutdown.clone())
        };
        let (ends, ended) = oneshot::channel();
        let session = move || {
            runtime.block_on(keep_alive(life));
            // Whoever waits for it may have gone.
            let _ = ends.send(());
        };
        thread.spawn(session).map_err(no_thread)?;
        Ok(Session { ended })
    }

    /// Resolves once it has stopped: cancel its token first.
    pub async fn stopped(self) {
        // What goes wrong in a life of it was reported there.
        let _ = self.ended.await;
    }
}

/// Lives until one life ends in order. One that a bug of ours ends is followed
/// by the next: a source must not fall silent for good.
async fn keep_alive(life: impl Fn() -> Supervisor) {
    loop {
        let supervisor = life();
        let after = supervisor.after();
        match tokio::spawn(supervisor.run()).await {
            Err(error) if error.is_panic() => after.stumble(&error).await,
            Ok(()) | Err(_) => return,
        }
    }
}
