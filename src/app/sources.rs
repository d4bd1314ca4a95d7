//! The sessions with outside brokers: as many as the setup in force names.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::config::plan::{From, Mqtt, Setup, Source};
use crate::ingest::mqtt::Session;
use crate::ports::{CivilClock, Current, Inbox};

/// What sessions need.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) current: Current,
    pub(super) inbox: Arc<dyn Inbox>,
    /// Id of the place where the data directory stands.
    pub(super) place: String,
    /// While the directory is held, the original may be alive: its sessions are not taken over.
    pub(super) held: AtomicBool,
    pub(super) civil: Arc<dyn CivilClock>,
    pub(super) shutdown: CancellationToken,
}

/// The running sessions by name of source.
#[derive(Debug)]
pub(super) struct Sources {
    parts: Parts,
    running: Mutex<BTreeMap<String, Running>>,
    /// One change of the sessions at a time: between a stop and its start another
    /// could start a session under the name that is being given up.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Running {
    /// As configured, with the client id; a change restarts the session.
    wanted: Wanted,
    stop: CancellationToken,
    session: Session,
}

/// What a session is started with; secrets included, so that a new password is another session.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    client_id: String,
    mqtt: Box<Mqtt>,
}

impl Sources {
    /// Nothing runs until the first [`Sources::follow`].
    pub(super) fn new(parts: Parts) -> Self {
        Sources { parts, running: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }

    /// The directory is held no more: sessions go by the names that are configured.
    pub(super) async fn release(&self, setup: &Setup) {
        if self.parts.held.swap(false, Ordering::AcqRel) {
            self.follow(setup).await;
        }
    }

    /// Stops the sessions that are no longer wanted as they are, starts those that are.
    pub(super) async fn follow(&self, setup: &Setup) {
        let _turn = self.turn.lock().await;
        let wanted: BTreeMap<&str, (&Source, Wanted)> = setup
            .sources
            .iter()
            .filter_map(|source| match &source.from {
                From::Mqtt(mqtt) => {
                    let wanted = Wanted { client_id: self.client_id(source, mqtt), mqtt: mqtt.clone() };
                    Some((source.name.as_str(), (source, wanted)))
                }
                From::Listener | From::Http => None,
            })
            .collect();
        let unwanted: Vec<Running> = {
            let mut running = self.lock();
            let names: Vec<String> = running
                .iter()
                .filter(|(name, one)| {
                    wanted.get(name.as_str()).is_none_or(|(_, wanted)| *wanted != one.wanted)
                })
                .map(|(name, _)| name.clone())
                .collect();
            names.iter().filter_map(|name| running.remove(name)).collect()
        };
        for one in unwanted {
            one.stop.cancel();
            one.session.stopped().await;
        }
        let mut running = self.lock();
        for (name, (source, wanted)) in wanted {
            if running.contains_key(name) {
                continue;
            }
            let stop = self.parts.shutdown.child_token();
            let started = Session::start(
                source,
                self.parts.current.clone(),
                self.parts.inbox.clone(),
                wanted.client_id.clone(),
                self.parts.civil.clone(),
                stop.clone(),
            );
            match started {
                Ok(session) => {
                    info!(source = name, "session with a broker started");
                    running.insert(name.to_owned(), Running { wanted, stop, session });
                }
                Err(error) => error!(source = name, %error, "session with a broker not started"),
            }
        }
    }

    /// Waits until all have stopped, after the shutdown.
    pub(super) async fn stopped(&self) {
        let running = std::mem::take(&mut *self.lock());
        for (_, one) in running {
            one.session.stopped().await;
        }
    }

    /// The source's own, or else one that no other place has; while held, in any case another.
    fn client_id(&self, source: &Source, mqtt: &Mqtt) -> String {
        let place = &self.parts.place;
        match &mqtt.client_id {
            Some(own) if self.parts.held.load(Ordering::Acquire) => format!("{own}-held-{place}"),
            Some(own) => own.clone(),
            None => format!("forewarn-{place}-{}", source.name),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
