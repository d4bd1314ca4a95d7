//! One running service: built in order, stopped in reverse.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, bail};
use forewarn_core::ids::Position;
use forewarn_core::level::Status;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::clocks::{Civil, Ticking};
use super::desk::Desk;
use super::listening::Listening;
use super::opening::{self, Opening};
use super::place::Place;
use super::sources::Sources;
use super::stages::Stages;
use super::{control, metrics};
use crate::channels::door::{Drill, Live, World};
use crate::channels::{self, Now};
use crate::clock::Led;
use crate::config::plan::Setup;
use crate::courier::{Courier, CourierHandle, Limits, Opener, Parts, Standing};
use crate::driver::embedded::Embedded;
use crate::driver::inbox::DriverInbox;
use crate::driver::picture::{Picture, Pulse};
use crate::http::{self, Doors};
use crate::ingest::listener;
use crate::log::{LogReader, Shared};
use crate::ports::{Current, Follow, Inbox, Reopen};
use crate::state::{NOTES_MAX, Origin, Projection, StateHandle, StateReader, StateThread};
use crate::stores;

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
    /// Actual for a live service, Exercise for a demo or a drill.
    pub status: Status,
    /// Which time it runs on.
    pub time: Timekeeping,
}

/// A running service.
#[derive(Debug)]
pub struct Service {
    desk: Arc<Desk>,
    current: Current,
    inbox: Arc<DriverInbox>,
    driver: JoinHandle<()>,
    driver_ended: CancellationToken,
    state: StateHandle,
    stores: stores::StoresHandle,
    courier: CourierHandle,
    sources: Arc<Sources>,
    listener: Option<listener::ListenerHandle>,
    http: http::Server,
    reader: LogReader,
    picture: watch::Receiver<Arc<Picture>>,
    pulse: watch::Receiver<Pulse>,
    /// Stops what takes things in.
    intake: CancellationToken,
}

impl Service {
    /// Builds it, from the lock of the data directory to the open ports. When
    /// this returns, readings are taken and warnings go out.
    pub async fn start(options: Options) -> anyhow::Result<Service> {
        if matches!(options.time, Timekeeping::Led(_)) && options.status == Status::Actual {
            bail!("a led clock is for exercises only: a live service runs on the machine's clocks");
        }
        match options.status {
            Status::Actual => Service::start_in::<Live>(options).await,
            Status::Exercise | Status::Test => Service::start_in::<Drill>(options).await,
        }
    }

    async fn start_in<W: World>(options: Options) -> anyhow::Result<Service> {
        let metrics = metrics::install();
        let Opening { indices, loaded, driver, mut begin, reader, clock, targets, stamp, place, held } =
            opening::open(&options)?;
        let (current_sender, current) = watch::channel(Arc::new(loaded.setup));
        let data = current.borrow().data.clone();
        let inbox = driver.inbox.clone();
        let (picture, pulse) = (driver.picture.subscribe(), driver.pulse.subscribe());
        let (recovered, cursors) = (driver.position, driver.cursors.clone());

        let (driver, driver_ended) = drive(driver)?;
        for inputs in begin.drain(..) {
            inbox.answer(inputs).await.context("the driver stopped before the service had started")?;
        }
        // Now that the log holds that a restored directory is held, it stands here.
        let place = place.map_or_else(|| Place::settle(&data), Ok)?;

        let (notes, noted) = std::sync::mpsc::sync_channel(NOTES_MAX);
        let origin = Origin { log: reader.id(), end: recovered, stamp: W::STAMP };
        let projection = Projection::open(&data.join("state.db"), origin)?;
        let state = StateThread::start(projection, reopen_kept(reader.clone()), noted, inbox.clone())?;
        cursors.add(state.position());
        caught_up(&state, pulse.borrow().position).await?;
        let archive = Arc::new(StateReader::open_read_only(&data.join("state.db"))?);

        let stores = stores::start(&current.borrow(), reader.clone(), &data, inbox.clone())?;
        stores.synced_cursors().into_iter().for_each(|cursor| cursors.add(cursor));
        cursors.complete();
        let ticking = Ticking::new(clock.clone(), pulse.clone());
        let now = {
            let ticking = ticking.clone();
            Now::new(move || ticking.moment())
        };
        let mut resume = archive.resume(Limits::default().page)?;
        resume.held |= held;
        let courier = Courier::start(Parts::<W> {
            channels: channels::build(current.clone(), stores.history(), now),
            current: current.clone(),
            reopen: Opener(reopen(reader.clone())),
            resume,
            archive: archive.clone(),
            inbox: inbox.clone(),
            notes,
            clock: Arc::new(ticking.clone()),
            seed: getrandom::u64().context("the system gives no random numbers")?,
            limits: Limits::default(),
        })?;

        let intake = CancellationToken::new();
        let civil = Arc::new(Civil(ticking));
        let taking: Arc<dyn Inbox> = inbox.clone();
        let sources = Arc::new(Sources::new(super::sources::Parts {
            current: current.clone(),
            inbox: taking.clone(),
            place: place.id,
            held: held.into(),
            civil: civil.clone(),
            shutdown: intake.clone(),
        }));
        let desk = Arc::new(Desk::new(super::desk::Parts {
            options: options.clone(),
            data: data.clone(),
            current: current_sender,
            inbox: inbox.clone(),
            indices,
            targets,
            picture: picture.clone(),
            pulse: pulse.clone(),
            state: archive,
            sources: sources.clone(),
            stages: Stages {
                driver: pulse.clone(),
                projection: state.position(),
                courier: courier.standing(),
                stores: stores.synced_cursors(),
            },
        }));
        let setup = current.borrow().clone();
        sources.follow(&setup).await;
        let listener = listen(&setup, &current, &taking, &civil, &intake).await?;
        let doors = Doors {
            current: current.clone(),
            inbox: taking,
            civil,
            health: desk.clone(),
            reload: desk.clone(),
            metrics,
        };
        let http = http::Server::start(doors, http::Limits::default(), intake.clone()).await?;
        control::serve(&data, desk.clone(), intake.clone())
            .with_context(|| format!("control socket in {}", data.display()))?;
        note_down(&data, http.local_addr(), listener.as_ref());
        info!(%stamp, site = current.borrow().plan.settings.site, "service started");
        Ok(Service {
            desk,
            current,
            inbox,
            driver,
            driver_ended,
            state,
            stores,
            courier,
            sources,
            listener,
            http,
            reader,
            picture,
            pulse,
            intake,
        })
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
        self.courier.stop().await;
        self.inbox.close();
        let driver = self.driver;
        let drained =
            tokio::time::timeout(DRAIN_WITHIN, tokio::task::spawn_blocking(move || driver.join().is_ok()));
        let in_order = matches!(drained.await, Ok(Ok(true)));
        if !in_order {
            warn!("the driver did not end in order: the next start recovers from the log");
        }
        let undelivered = self.desk.undelivered();
        // The log is closed with the driver, so the followers come to its end by themselves.
        let (state, stores) = (self.state, self.stores);
        let ended = tokio::task::spawn_blocking(move || {
            stores.join();
            state.join();
        });
        if tokio::time::timeout(DRAIN_WITHIN, ended).await.is_err() {
            warn!("a follower of the log did not end: it goes on where it was at the next start");
        }
        if let Err(error) = Listening::remove(&self.current.borrow().data) {
            warn!(%error, "where the service listened still stands in its data directory");
        }
        let position = self.pulse.borrow().position;
        info!(position = position.0, undelivered, "service stopped");
        Stopped { position, undelivered }
    }

    /// Resolves when the driver has ended: after a stop, or by a bug of ours.
    pub async fn driver_ended(&self) {
        self.driver_ended.cancelled().await;
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
        self.picture.clone()
    }

    /// How far the driver is, as it changes.
    pub fn pulse(&self) -> watch::Receiver<Pulse> {
        self.pulse.clone()
    }

    /// Where the courier stands, as it changes.
    pub fn courier(&self) -> watch::Receiver<Standing> {
        self.courier.standing()
    }

    /// Reads the log from the beginning of what is kept.
    pub fn log(&self) -> LogReader {
        self.reader.clone()
    }

    /// Wakes the driver to look at the clock again: after a player moved it.
    pub fn nudge(&self) {
        self.inbox.nudge();
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

/// Starts the driver's thread. The token is cancelled when it has ended.
fn drive(driver: Embedded) -> std::io::Result<(JoinHandle<()>, CancellationToken)> {
    let ended = CancellationToken::new();
    let ending = ended.clone().drop_guard();
    let thread = std::thread::Builder::new().name("driver".into()).spawn(move || {
        // Told however it ends, by a panic as well.
        let _ending = ending;
        driver.run();
    })?;
    Ok((thread, ended))
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

async fn caught_up(state: &StateHandle, end: Position) -> anyhow::Result<()> {
    let mut position = state.position();
    position
        .wait_for(|at| *at >= end)
        .await
        .map(|_| ())
        .context("the projection's writer ended before it had reached the log's end")
}

fn reopen(reader: LogReader) -> Reopen {
    Arc::new(move |after| match reader.follow(after.next()) {
        Ok(follower) => Box::new(follower),
        Err(error) => Box::new(Ended(error.to_string())),
    })
}

/// As [`reopen`], but what is trimmed is passed over: a projection that is
/// rebuilt begins with the oldest record that is kept.
fn reopen_kept(reader: LogReader) -> Reopen {
    let open = reopen(reader.clone());
    Arc::new(move |after| open(after.max(Position(reader.first().0.saturating_sub(1)))))
}

/// A log that cannot be followed from where somebody wanted it.
struct Ended(String);

impl Follow for Ended {
    fn next(&mut self) -> Option<Shared> {
        None
    }

    fn try_next(&mut self) -> Option<Shared> {
        None
    }

    fn fault(&self) -> Option<String> {
        Some(self.0.clone())
    }
}
