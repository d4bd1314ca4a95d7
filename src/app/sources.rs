//! The sessions with outside brokers: as many as the setup in force names.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::config::plan::{From, Setup, Source};
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
}

#[derive(Debug)]
struct Running {
    /// As configured, with the client id; a change restarts the session.
    written: String,
    stop: CancellationToken,
    session: Session,
}

impl Sources {
    /// Nothing runs until the first [`Sources::follow`].
    pub(super) fn new(parts: Parts) -> Self {
        Sources { parts, running: Mutex::default() }
    }

    /// The directory is held no more: sessions go by the names that are configured.
    pub(super) async fn release(&self, setup: &Setup) {
        if self.parts.held.swap(false, Ordering::AcqRel) {
            self.follow(setup).await;
        }
    }

    /// Stops the sessions that are no longer wanted as they are, starts those that are.
    pub(super) async fn follow(&self, setup: &Setup) {
        let wanted: BTreeMap<&str, (&Source, String)> = setup
            .sources
            .iter()
            .filter_map(|source| match &source.from {
                From::Mqtt(mqtt) => {
                    let written = format!("{} {mqtt:?}", self.client_id(source));
                    Some((source.name.as_str(), (source, written)))
                }
                From::Listener | From::Http => None,
            })
            .collect();
        let unwanted: Vec<Running> = {
            let mut running = self.lock();
            let names: Vec<String> = running
                .iter()
                .filter(|(name, one)| {
                    wanted.get(name.as_str()).is_none_or(|(_, written)| *written != one.written)
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
        for (name, (source, written)) in wanted {
            if running.contains_key(name) {
                continue;
            }
            let stop = self.parts.shutdown.child_token();
            let started = Session::start(
                source,
                self.parts.current.clone(),
                self.parts.inbox.clone(),
                self.client_id(source),
                self.parts.civil.clone(),
                stop.clone(),
            );
            match started {
                Ok(session) => {
                    info!(source = name, "session with a broker started");
                    running.insert(name.to_owned(), Running { written, stop, session });
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
    fn client_id(&self, source: &Source) -> String {
        let own = match &source.from {
            From::Mqtt(mqtt) => mqtt.client_id.clone(),
            From::Listener | From::Http => None,
        };
        let place = &self.parts.place;
        match own {
            Some(own) if self.parts.held.load(Ordering::Acquire) => format!("{own}-held-{place}"),
            Some(own) => own,
            None => format!("forewarn-{place}-{}", source.name),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
