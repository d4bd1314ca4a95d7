//! The two middle pieces of a service: the driver with its log, and what
//! follows that log.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Context;
use forewarn_core::event::Input;
use forewarn_core::ids::Position;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::clocks::Ticking;
use super::place::Place;
use crate::audit::{Trail, TrailHandle};
use crate::channels::door::World;
use crate::channels::heartbeat::Watched;
use crate::channels::{self, Now};
use crate::courier::{Courier, CourierHandle, Limits, Opener, Parts};
use crate::driver::cursors::Cursors;
use crate::driver::embedded::Embedded;
use crate::driver::inbox::DriverInbox;
use crate::driver::picture::{Picture, Pulse};
use crate::link::Links;
use crate::log::{Follower, Indices, LogError, LogReader, Shared};
use crate::ports::{Current, Follow, Hold, Reopen, Walk};
use crate::state::{NOTES_MAX, Origin, Projection, StateHandle, StateReader, StateThread};
use crate::stores;

/// The driver at work.
#[derive(Debug)]
pub(super) struct Judging {
    pub(super) inbox: Arc<DriverInbox>,
    pub(super) reader: LogReader,
    pub(super) picture: watch::Receiver<Arc<Picture>>,
    pub(super) pulse: watch::Receiver<Pulse>,
    pub(super) thread: JoinHandle<()>,
    /// Cancelled when the driver has ended.
    pub(super) ended: CancellationToken,
    cursors: Cursors,
    /// Where the log ended before this run.
    recovered: Position,
}

impl Judging {
    /// Starts the driver, and has it commit the first records of the run.
    pub(super) async fn begin(
        driver: Embedded,
        reader: LogReader,
        records: Vec<Vec<Input>>,
    ) -> anyhow::Result<Judging> {
        let (inbox, cursors, recovered) = (driver.inbox.clone(), driver.cursors.clone(), driver.position);
        let (picture, pulse) = (driver.picture.subscribe(), driver.pulse.subscribe());
        let ended = CancellationToken::new();
        let ending = ended.clone().drop_guard();
        let thread = std::thread::Builder::new().name("driver".into()).spawn(move || {
            // Told however it ends, by a panic as well.
            let _ending = ending;
            driver.run();
        })?;
        for inputs in records {
            inbox.answer(inputs).await.context("the driver stopped before the service had started")?;
        }
        Ok(Judging { inbox, reader, picture, pulse, thread, ended, cursors, recovered })
    }

    /// Where the data directory stands: one that was restored settles, now that
    /// the log holds that it is held.
    pub(super) fn settle(place: Option<Place>, data: &Path) -> anyhow::Result<Place> {
        place.map_or_else(|| Place::settle(data), Ok)
    }
}

/// What follows the log: the projection, the stores, the courier.
#[derive(Debug)]
pub(super) struct Followers {
    pub(super) state: StateHandle,
    pub(super) archive: Arc<StateReader>,
    pub(super) stores: stores::StoresHandle,
    pub(super) courier: CourierHandle,
    pub(super) audit: TrailHandle,
    /// How far the canary has come.
    pub(super) walked: watch::Receiver<Walk>,
}

impl Followers {
    /// Starts them in order: the courier once the projection has reached the log's end.
    pub(super) async fn start<W: World>(
        judging: &Judging,
        current: &Current,
        names: &Indices,
        ticking: &Ticking,
        links: Links,
        hold: Hold,
    ) -> anyhow::Result<Followers> {
        let Judging { inbox, reader, pulse, cursors, recovered, .. } = judging;
        let data = current.borrow().data.clone();
        let (notes, noted) = std::sync::mpsc::sync_channel(NOTES_MAX);
        let origin = Origin { log: reader.id(), end: *recovered, stamp: W::STAMP };
        let projection = Projection::open(&data.join("state.db"), origin)?;
        let state = StateThread::start(projection, reopen_kept(reader.clone()), noted, inbox.clone())?;
        cursors.add(state.position());
        let end = pulse.borrow().position;
        caught_up(&state, end).await?;
        let archive = Arc::new(StateReader::open_read_only(&data.join("state.db"))?);

        let setup = current.borrow().clone();
        let stores = stores::start(&setup, reader.clone(), &data, inbox.clone())?;
        stores.synced_cursors().into_iter().for_each(|cursor| cursors.add(cursor));
        let trail = Trail {
            data: data.clone(),
            log: reader.id().to_string(),
            names: names.clone(),
            inbox: inbox.clone(),
        };
        let audit = trail.start(reopen_kept(reader.clone()))?;
        cursors.add(audit.position());
        cursors.complete();

        let mut resume = archive.resume(Limits::default().page)?;
        if hold == Hold::UntilResumed {
            resume.hold = hold;
        }
        let now = {
            let ticking = ticking.clone();
            Now::new(move || ticking.moment())
        };
        let (walk, walked) = watch::channel(Walk::default());
        let canary = Watched { projected: state.position(), walk };
        let courier = Courier::start(Parts::<W> {
            channels: channels::build(current.clone(), stores.history(), now, canary),
            current: current.clone(),
            log: reader.id(),
            reopen: Opener(reopen(reader.clone())),
            resume,
            archive: archive.clone(),
            inbox: inbox.clone(),
            notes,
            links: Some(links),
            clock: Arc::new(ticking.clone()),
            seed: getrandom::u64().context("the system gives no random numbers")?,
            limits: Limits::default(),
        })?;
        Ok(Followers { state, archive, stores, courier, audit, walked })
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

/// For the courier.
fn reopen(reader: LogReader) -> Reopen {
    Arc::new(move |after| opened(reader.follow(after.next()).map(Follower::at_once)))
}

/// For who carries no warnings. What is trimmed is passed over: a projection that is
/// rebuilt begins with the oldest record that is kept.
fn reopen_kept(reader: LogReader) -> Reopen {
    Arc::new(move |after| opened(reader.follow(after.next().max(reader.first()))))
}

fn opened(follower: Result<Follower, LogError>) -> Box<dyn Follow> {
    match follower {
        Ok(follower) => Box::new(follower),
        Err(error) => Box::new(Ended(error.to_string())),
    }
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
