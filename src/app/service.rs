//! One running service: built in order, stopped in reverse.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, bail};
use forewarn_core::ids::Position;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::alerts::Publisher;
use super::backbone::{Followers, Judging};
use super::clocks::{Civil, Ticking};
use super::desk::Desk;
use super::ends::Ends;
use super::listening::Listening;
use super::opening::{self, Opening};
use super::sources::Sources;
use super::stages::Stages;
use super::teller::Teller;
use super::{control, doors, heartbeat, metrics, undelivered};
use crate::accounts::Accounts;
use crate::cap::Shelf;
use crate::channels::door::{Drill, Live, World};
use crate::clock::Led;
use crate::config::Purpose;
use crate::config::plan::Setup;
use crate::config::secret::Secret;
use crate::courier::Standing;
use crate::driver::picture::{Picture, Pulse};
use crate::expiry;
use crate::http;
use crate::ingest::listener;
use crate::link::Links;
use crate::log::LogReader;
use crate::ports::{Current, Hold, Inbox};

/// How long the last commits may take after a stop was asked for.
const DRAIN_WITHIN: Duration = Duration::from_secs(20);

/// Which time a service runs on.
#[derive(Debug, Clone)]
pub enum Timekeeping {
    /// The machine's clocks.
    System,
    /// A player's; Exercise status only.
    Led(Led),
}

/// What to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder of the configuration.
    pub config: PathBuf,
    /// The data directory, where not the configuration's.
    pub data: Option<PathBuf>,
    /// What it runs for: to warn, to drill, to play.
    pub purpose: Purpose,
    /// Which time it runs on.
    pub time: Timekeeping,
}

/// A running service.
#[derive(Debug)]
pub struct Service {
    desk: Arc<Desk>,
    current: Current,
    judging: Judging,
    followers: Followers,
    sources: Arc<Sources>,
    listener: Option<listener::ListenerHandle>,
    http: http::Server,
    accounts: Arc<Accounts>,
    /// Until when it counts as making progress.
    lives: watch::Receiver<Instant>,
    /// Stops what takes things in.
    intake: CancellationToken,
}

impl Service {
    /// Builds it, from the lock of the data directory to the open ports. When
    /// this returns, readings are taken and warnings go out.
    pub async fn start(options: Options) -> anyhow::Result<Service> {
        if matches!(options.time, Timekeeping::Led(_)) && options.purpose == Purpose::Live {
            bail!("a led clock is for exercises only: a live service runs on the machine's clocks");
        }
        match options.purpose {
            Purpose::Live => Service::start_in::<Live>(options).await,
            Purpose::Drill | Purpose::Play => Service::start_in::<Drill>(options).await,
        }
    }

    async fn start_in<W: World>(options: Options) -> anyhow::Result<Service> {
        let metrics = metrics::install();
        let Opening { indices, loaded, driver, begin, reader, clock, targets, stamp, place, hold, upgrade } =
            opening::open(&options)?;
        let (current_sender, current) = watch::channel(Arc::new(loaded.setup));
        let data = current.borrow().data.clone();
        let judging = Judging::begin(driver, reader, begin).await?;
        let place = Judging::settle(place, &data)?;
        let ticking = Ticking::new(clock, judging.pulse.clone());
        let links = Links::open(&data).with_context(|| format!("link.key in {}", data.display()))?;
        let accounts = Arc::new(Accounts::open(&data).with_context(|| format!("in {}", data.display()))?);
        let followers =
            Followers::start::<W>(&judging, &current, &indices, &ticking, links.clone(), hold).await?;

        let intake = CancellationToken::new();
        let civil = Arc::new(Civil(ticking.clone()));
        let taking: Arc<dyn Inbox> = judging.inbox.clone();
        let sources = Arc::new(Sources::new(super::sources::Parts {
            current: current.clone(),
            inbox: taking.clone(),
            place: place.id,
            held: (hold == Hold::UntilResumed).into(),
            civil: civil.clone(),
            shutdown: intake.clone(),
        }));
        let desk = Arc::new(Desk::new(super::desk::Parts {
            options: options.clone(),
            data: data.clone(),
            current: current_sender,
            inbox: judging.inbox.clone(),
            indices,
            targets,
            picture: judging.picture.clone(),
            pulse: judging.pulse.clone(),
            state: followers.archive.clone(),
            sources: sources.clone(),
            upgrade,
            stages: Stages {
                driver: judging.pulse.clone(),
                projection: followers.state.position(),
                courier: followers.courier.standing(),
                stores: followers.stores.synced_cursors(),
            },
        }));
        let setup = current.borrow().clone();
        sources.follow(&setup).await;
        let ends = Ends {
            current: current.clone(),
            accounts: accounts.clone(),
            inbox: judging.inbox.clone(),
            ticking: ticking.clone(),
            served: expiry::served(&setup),
        };
        tokio::spawn(ends.watch(intake.clone()));
        let listener = listen(&setup, &current, &taking, &civil, &intake).await?;
        let hub = follow(&judging, &followers, &intake)?;
        let shelf = Shelf::open(&data, judging.reader.id(), judging.pulse.borrow().position)?;
        let shelf = Arc::new(shelf);
        tokio::spawn(metrics::keep_up(metrics.clone(), intake.clone()));
        let doors = doors::open(doors::Parts {
            current: &current,
            judging: &judging,
            followers: &followers,
            desk: &desk,
            civil: civil.clone(),
            links,
            accounts: accounts.clone(),
            hub,
            shelf: shelf.clone(),
            shutdown: intake.clone(),
            metrics,
        });
        tokio::spawn(undelivered::tell(
            followers.courier.standing(),
            judging.picture.clone(),
            judging.inbox.clone(),
            intake.clone(),
        ));
        let publisher = Publisher {
            shelf,
            current: current.clone(),
            state: followers.archive.clone(),
            picture: judging.picture.clone(),
            projected: followers.state.position(),
            courier: followers.courier.standing(),
            inbox: judging.inbox.clone(),
            civil,
        };
        tokio::spawn(publisher.run(intake.clone()));
        let http = http::Server::start(doors, http::Limits::default(), intake.clone()).await?;
        control::serve(&data, desk.clone(), intake.clone())
            .with_context(|| format!("control socket in {}", data.display()))?;
        note_down(&data, http.local_addr(), listener.as_ref());
        let lives = heartbeat::start(&options.time, &current, &judging, &followers, &intake);
        info!(%stamp, site = current.borrow().plan.settings.site, "service started");
        Ok(Service { desk, current, judging, followers, sources, listener, http, accounts, lives, intake })
    }

    /// Stops in reverse: nothing more is taken in, what was taken is committed,
    /// attempts in the air end, followers reach the log's end.
    pub async fn stop(self) -> Stopped {
        self.intake.cancel();
        if let Some(listener) = &self.listener {
            listener.stopped().await;
        }
        self.sources.stopped().await;
        self.http.ended().await;
        self.followers.courier.stop().await;
        self.judging.inbox.close();
        let driver = self.judging.thread;
        let drained =
            tokio::time::timeout(DRAIN_WITHIN, tokio::task::spawn_blocking(move || driver.join().is_ok()));
        let in_order = matches!(drained.await, Ok(Ok(true)));
        if !in_order {
            warn!("the driver did not end in order: the next start recovers from the log");
        }
        let undelivered = self.desk.undelivered();
        // The log is closed with the driver, so the followers come to its end by themselves.
        let Followers { state, stores, audit, .. } = self.followers;
        let ended = tokio::task::spawn_blocking(move || {
            stores.join();
            state.join();
            audit.join();
        });
        if tokio::time::timeout(DRAIN_WITHIN, ended).await.is_err() {
            warn!("a follower of the log did not end: it goes on where it was at the next start");
        }
        if let Err(error) = Listening::remove(&self.current.borrow().data) {
            warn!(%error, "where the service listened still stands in its data directory");
        }
        let position = self.judging.pulse.borrow().position;
        info!(position = position.0, undelivered, "service stopped");
        Stopped { position, undelivered }
    }

    /// Resolves when the driver has ended: after a stop, or by a bug of ours.
    pub async fn driver_ended(&self) {
        self.judging.ended.cancelled().await;
    }

    /// Where the built-in listener takes MQTT, if it is on.
    pub fn mqtt_addr(&self) -> Option<std::net::SocketAddr> {
        self.listener.as_ref().and_then(listener::ListenerHandle::local_addr)
    }

    /// Where the built-in listener takes MQTT over TLS, if it does.
    pub fn mqtt_tls_addr(&self) -> Option<std::net::SocketAddr> {
        self.listener.as_ref().and_then(listener::ListenerHandle::local_addr_tls)
    }

    /// Where HTTP is served.
    pub fn http_addr(&self) -> std::net::SocketAddr {
        self.http.local_addr()
    }

    /// The setup in force.
    pub fn setup(&self) -> Arc<Setup> {
        self.current.borrow().clone()
    }

    /// The state of things, as it changes.
    pub fn picture(&self) -> watch::Receiver<Arc<Picture>> {
        self.judging.picture.clone()
    }

    /// How far the driver is, as it changes.
    pub fn pulse(&self) -> watch::Receiver<Pulse> {
        self.judging.pulse.clone()
    }

    /// Where the courier stands, as it changes.
    pub fn courier(&self) -> watch::Receiver<Standing> {
        self.followers.courier.standing()
    }

    /// Reads the log from the beginning of what is kept.
    pub fn log(&self) -> LogReader {
        self.judging.reader.clone()
    }

    /// Wakes the driver to look at the clock again: after a player moved it.
    pub fn nudge(&self) {
        self.judging.inbox.nudge();
    }

    /// Until when the service counts as making progress, as it moves: a canary
    /// has come to the far end not long ago.
    pub fn lives(&self) -> watch::Receiver<Instant> {
        self.lives.clone()
    }

    /// Who may look and command.
    pub fn accounts(&self) -> &Arc<Accounts> {
        &self.accounts
    }

    /// Draws the token that makes the first administrator, as long as there is
    /// no account; for whoever started the service, and kept nowhere.
    pub fn first_token(&self) -> anyhow::Result<Option<Secret>> {
        let now = self.judging.pulse.borrow().moment.civil();
        Ok(self.accounts.first_token(now)?)
    }

    /// Who carries out what a person asks.
    pub fn desk(&self) -> &Arc<Desk> {
        &self.desk
    }
}

/// How a service stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// The last committed event.
    pub position: Position,
    /// Deliveries that have no outcome yet; the next start goes on with them.
    pub undelivered: usize,
}

/// Begins to tell what happens from here on to those who will follow.
fn follow(
    judging: &Judging,
    followers: &Followers,
    intake: &CancellationToken,
) -> anyhow::Result<Arc<http::api::Hub>> {
    let after = judging.pulse.borrow().position;
    let hub = Arc::new(http::api::Hub::new(after.0, intake.child_token()));
    let teller = Teller {
        hub: hub.clone(),
        picture: judging.picture.clone(),
        state: followers.archive.clone(),
        inbox: judging.inbox.clone(),
        places: Mutex::default(),
    };
    teller.start(&judging.reader, after, intake.clone())?;
    Ok(hub)
}

/// The built-in listener, where the setup has one.
async fn listen(
    setup: &Setup,
    current: &Current,
    inbox: &Arc<dyn Inbox>,
    civil: &Arc<Civil>,
    intake: &CancellationToken,
) -> anyhow::Result<Option<listener::ListenerHandle>> {
    let Some(settings) = &setup.listener else { return Ok(None) };
    let started =
        listener::start(settings, current.clone(), inbox.clone(), civil.clone(), intake.clone()).await?;
    Ok(Some(started))
}

/// Writes down where the service listens. Only for people and health checks: a
/// full disk must not keep the service from starting.
fn note_down(data: &Path, http: std::net::SocketAddr, listener: Option<&listener::ListenerHandle>) {
    let listening = Listening {
        pid: std::process::id(),
        http,
        mqtt: listener.and_then(listener::ListenerHandle::local_addr),
        mqtt_tls: listener.and_then(listener::ListenerHandle::local_addr_tls),
    };
    if let Err(error) = listening.write(data) {
        warn!(%error, "where the service listens is not written down");
    }
}
