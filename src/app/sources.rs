//! The sessions with outside brokers: as many as the setup in force names.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use forewarn_core::ids::LogId;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::config::plan::{From, Setup, Source};
use crate::ingest::mqtt::Session;
use crate::ports::{CivilClock, Current, Inbox};

/// The running sessions by name of source.
#[derive(Debug)]
pub(super) struct Sources {
    current: Current,
    inbox: Arc<dyn Inbox>,
    log: LogId,
    civil: Arc<dyn CivilClock>,
    shutdown: CancellationToken,
    running: Mutex<BTreeMap<String, Running>>,
}

#[derive(Debug)]
struct Running {
    /// As configured; a change restarts the session.
    written: String,
    stop: CancellationToken,
    session: Session,
}

impl Sources {
    /// Nothing runs until the first [`Sources::follow`].
    pub(super) fn new(
        current: Current,
        inbox: Arc<dyn Inbox>,
        log: LogId,
        civil: Arc<dyn CivilClock>,
        shutdown: CancellationToken,
    ) -> Self {
        Sources { current, inbox, log, civil, shutdown, running: Mutex::default() }
    }

    /// Stops the sessions that are no longer wanted as they are, starts those that are.
    pub(super) async fn follow(&self, setup: &Setup) {
        let wanted: BTreeMap<&str, (&Source, String)> = setup
            .sources
            .iter()
            .filter_map(|source| match &source.from {
                From::Mqtt(mqtt) => Some((source.name.as_str(), (source, format!("{mqtt:?}")))),
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
            let stop = self.shutdown.child_token();
            let started = Session::start(
                source,
                self.current.clone(),
                self.inbox.clone(),
                self.client_id(source),
                self.civil.clone(),
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

    /// The source's own, or else one that no other log has.
    fn client_id(&self, source: &Source) -> String {
        let own = match &source.from {
            From::Mqtt(mqtt) => mqtt.client_id.clone(),
            From::Listener | From::Http => None,
        };
        own.unwrap_or_else(|| format!("forewarn-{}-{}", &self.log.to_string()[..12], source.name))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
