//! The one thread that feeds a store: it follows the log from the store's own
//! cursor, in batches. Whatever the store does, it lags and never stops, and
//! nobody waits for it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use forewarn_core::event::Input;
use forewarn_core::ids::Position;
use forewarn_core::plan::{Plan, PlanId};
use forewarn_core::time::{Span, Timestamp};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::health::{Bounds, Health};
use super::records::rows_of;
use super::{Member, Source};
use crate::log::{LogError, Reader, Record, load_plan};
use crate::ports::{Inbox, Kept};

/// Records read ahead of a store. Full: the rest stays in the log.
const RECORDS_MAX: usize = 16;
/// How long the thread waits for a record before it looks around.
const LOOK_AROUND: Duration = Duration::from_millis(100);
/// Rest before the log is asked again for what could not be read.
const LOG_RETRY: Duration = Duration::from_secs(5);

/// What a writer goes by.
#[derive(Debug, Clone, Copy)]
pub struct Tuning {
    /// How long readings are kept there; `None` leaves that to the store.
    pub keep: Option<Span>,
    /// Rest after the first failure; doubled each time.
    pub retry_first: Duration,
    /// Longest rest between two tries.
    pub retry_max: Duration,
    /// Failing for so long is Trouble.
    pub patience: Duration,
    /// So many log positions behind is Trouble.
    pub behind_max: u64,
    /// A Trouble stands at least so long.
    pub hold: Duration,
}

impl Default for Tuning {
    fn default() -> Tuning {
        Tuning {
            keep: None,
            retry_first: Duration::from_millis(250),
            retry_max: Duration::from_secs(15),
            patience: Duration::from_secs(20),
            behind_max: 8_000_000,
            hold: Duration::from_mins(10),
        }
    }
}

/// What a writer is made of.
#[derive(Debug)]
pub struct Parts {
    /// The log.
    pub log: Source,
    /// The data directory, where the plans are.
    pub data: PathBuf,
    /// Stands in for a plan that is gone.
    pub plan: Arc<Plan>,
    /// Where troubles go.
    pub inbox: Arc<dyn Inbox>,
    /// What it goes by.
    pub tuning: Tuning,
    /// Ends it, and whatever the store waits for.
    pub stop: CancellationToken,
}

impl Parts {
    /// The plan of a hash.
    fn plan_of(&self, id: PlanId) -> Arc<Plan> {
        match load_plan(&self.data, id) {
            Ok(plan) => Arc::new(plan),
            Err(error) => {
                // Before its first plan a log has none, and no readings either.
                if id != PlanId::default() {
                    tracing::warn!(%error, "a plan of the log cannot be read, the one in force stands in for it");
                }
                Arc::clone(&self.plan)
            }
        }
    }
}

/// A running writer. It ends by itself once the log is closed and kept.
#[derive(Debug)]
pub struct StoreWriter {
    synced: watch::Receiver<Position>,
    stop: CancellationToken,
    drain: CancellationToken,
    thread: JoinHandle<()>,
}

impl StoreWriter {
    /// Starts feeding a store from its cursor on.
    pub fn start(member: Box<dyn Member>, parts: Parts) -> anyhow::Result<StoreWriter> {
        let cursor = member.cursor()?;
        let (synced, receiver) = watch::channel(member.synced());
        let (sender, records) = sync_channel(RECORDS_MAX);
        let (stop, drain) = (parts.stop.clone(), CancellationToken::new());
        let (reader, stopped) = (Arc::clone(&parts.log.reader), stop.clone());
        let reading = std::thread::Builder::new().name(format!("log-{}", member.name()));
        reading.spawn(move || read_log(&*reader, cursor.next(), &sender, &stopped))?;
        let bounds = Bounds {
            patience: parts.tuning.patience,
            behind_max: parts.tuning.behind_max,
            hold: parts.tuning.hold,
        };
        let health = Health::new(member.name(), Arc::clone(&parts.inbox), bounds);
        let name = format!("store-{}", member.name());
        let writer = Writer {
            member,
            parts,
            records,
            pending: None,
            rows: vec![],
            upto: cursor,
            plan: None,
            civil: None,
            trusted: false,
            health,
            synced,
            drain: drain.clone(),
        };
        let thread = std::thread::Builder::new().name(name).spawn(move || writer.run())?;
        Ok(StoreWriter { synced: receiver, stop, drain, thread })
    }

    /// The position up to which the log may forget, as it moves.
    pub fn synced(&self) -> watch::Receiver<Position> {
        self.synced.clone()
    }

    /// Makes it end where it stands.
    pub fn ask_to_stop(&self) {
        self.stop.cancel();
    }

    /// Waits for its end. From now on what fails is not tried again. Blocks.
    pub fn join(self) {
        self.drain.cancel();
        if self.thread.join().is_err() {
            tracing::error!("the writer of a store ended in a panic");
        }
    }
}

/// What comes from the log.
enum Read {
    Record(Arc<Record>),
    Gap(Position, Position),
    Fault(String),
}

/// Blocks on the log, so that the writer need not. Ends with the log, or at
/// its next record once the writer is gone.
fn read_log(reader: &dyn Reader, from: Position, sender: &SyncSender<Read>, stop: &CancellationToken) {
    let mut from = from;
    let rest = || {
        let until = Instant::now() + LOG_RETRY;
        while Instant::now() < until && !stop.is_cancelled() {
            std::thread::sleep(LOOK_AROUND);
        }
    };
    while !stop.is_cancelled() {
        let began = from;
        let mut follow = match reader.follow(from) {
            Ok(follow) => follow,
            Err(LogError::Trimmed { first, .. }) if first > from => {
                if sender.send(Read::Gap(from, Position(first.0 - 1))).is_err() {
                    return;
                }
                from = first;
                continue;
            }
            Err(error) => {
                if sender.send(Read::Fault(error.to_string())).is_err() {
                    return;
                }
                rest();
                continue;
            }
        };
        while let Some(record) = follow.next() {
            // What does not read back is passed over, and reported by the log.
            let missing = record.first > from;
            if missing && sender.send(Read::Gap(from, Position(record.first.0 - 1))).is_err() {
                return;
            }
            from = record.last().next();
            if sender.send(Read::Record(record)).is_err() {
                return;
            }
        }
        let Some(fault) = follow.fault() else { return };
        if from == began {
            if sender.send(Read::Fault(fault)).is_err() {
                return;
            }
            rest();
        }
    }
}

/// What gathering came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gathered {
    Batch,
    Nothing,
    /// The log is closed and all of it was read.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    Yes,
    Stopped,
}

struct Writer {
    member: Box<dyn Member>,
    parts: Parts,
    records: Receiver<Read>,
    /// Came while what goes before it was not kept yet.
    pending: Option<Read>,
    rows: Vec<Kept>,
    /// Where the batch ends.
    upto: Position,
    plan: Option<PlanId>,
    /// Newest civil time that could be trusted.
    civil: Option<Timestamp>,
    trusted: bool,
    health: Health,
    synced: watch::Sender<Position>,
    drain: CancellationToken,
}

impl Writer {
    fn run(mut self) {
        let mut kept = self.upto;
        loop {
            let gathered = self.gather(kept);
            if self.upto > kept {
                if self.keep() == Done::Stopped {
                    break;
                }
                kept = self.upto;
            }
            if gathered == Gathered::End || self.parts.stop.is_cancelled() {
                break;
            }
            self.tend();
        }
        if let Err(error) = self.member.finish() {
            let store = self.member.name();
            tracing::error!(store, %error, "a store could not be closed, it goes on from its cursor");
        }
        self.synced.send_replace(self.member.synced());
    }

    /// Gathers records until there are enough readings, or the first has waited long enough.
    fn gather(&mut self, kept: Position) -> Gathered {
        let batching = self.member.batching();
        let mut until = Instant::now() + LOOK_AROUND;
        loop {
            let read = match self.pending.take() {
                Some(read) => read,
                None => match self.records.recv_timeout(until.saturating_duration_since(Instant::now())) {
                    Ok(read) => read,
                    Err(RecvTimeoutError::Disconnected) => return Gathered::End,
                    Err(RecvTimeoutError::Timeout) if self.upto > kept => return Gathered::Batch,
                    Err(RecvTimeoutError::Timeout) => return Gathered::Nothing,
                },
            };
            let begun = self.upto > kept;
            match read {
                // The batch ends before what belongs to another plan, or is no record.
                Read::Record(record) if begun && self.plan != Some(record.plan) => {
                    self.pending = Some(Read::Record(record));
                    return Gathered::Batch;
                }
                Read::Gap(..) if begun => {
                    self.pending = Some(read);
                    return Gathered::Batch;
                }
                Read::Record(record) => {
                    if !begun {
                        until = Instant::now() + batching.wait;
                    }
                    self.take(&record);
                    if self.rows.len() >= batching.readings {
                        return Gathered::Batch;
                    }
                }
                Read::Gap(first, last) => {
                    self.gap(first, last);
                    return Gathered::Nothing;
                }
                Read::Fault(what) => self.health.failed(&what, LOG_RETRY),
            }
        }
    }

    fn take(&mut self, record: &Record) {
        if self.plan != Some(record.plan) {
            self.plan = Some(record.plan);
            let parts = &self.parts;
            self.member.plan_is(&|| parts.plan_of(record.plan));
        }
        for input in &record.inputs {
            match input {
                Input::Started(started) => self.trusted = started.trusted,
                Input::Clock(step) => self.trusted = step.trusted,
                Input::Reading(_)
                | Input::Tick
                | Input::Plan(_)
                | Input::Source(..)
                | Input::Outcome(_)
                | Input::Command(..)
                | Input::Trouble(_)
                | Input::Assign(_)
                | Input::Intake(_)
                | Input::Bundled(_)
                | Input::Canary(_) => {}
            }
        }
        if self.trusted {
            self.civil = Some(record.at + record.offset);
        }
        if self.rows.is_empty() {
            rows_of(record, &mut self.rows);
            self.tell_oldest();
        } else {
            rows_of(record, &mut self.rows);
        }
        self.upto = record.last();
    }

    /// Since when the oldest reading waits that is not kept yet. Its age grows
    /// while the store is away, so the instant is told and not the age.
    fn tell_oldest(&self) {
        let since = self.rows.first().map_or(0.0, |row| row.received.0 as f64 / 1e6);
        metrics::gauge!("forewarn_store_oldest_unkept_secs", "store" => self.member.name()).set(since);
    }

    /// Keeps the batch, however often it takes.
    fn keep(&mut self) -> Done {
        let mut rest = self.parts.tuning.retry_first;
        while let Err(error) = self.member.keep(&self.rows, self.upto) {
            self.health.failed(&format!("{error:#}"), rest);
            self.health.refusals(self.member.refusals().as_ref());
            let until = Instant::now() + rest;
            while Instant::now() < until && !self.gives_up() {
                std::thread::sleep(LOOK_AROUND.min(rest));
            }
            if self.gives_up() {
                return Done::Stopped;
            }
            rest = (rest * 2).min(self.parts.tuning.retry_max);
        }
        let store = self.member.name();
        metrics::counter!("forewarn_store_readings_total", "store" => store)
            .increment(self.rows.len() as u64);
        metrics::gauge!("forewarn_store_position", "store" => store).set(self.upto.0 as f64);
        self.rows.clear();
        self.tell_oldest();
        let lag = self.parts.log.reader.last().0.saturating_sub(self.upto.0);
        self.health.kept(lag);
        self.health.refusals(self.member.refusals().as_ref());
        self.health.rot(self.member.rot());
        self.expire();
        Done::Yes
    }

    fn gives_up(&self) -> bool {
        self.parts.stop.is_cancelled() || self.drain.is_cancelled()
    }

    fn gap(&mut self, first: Position, last: Position) {
        if let Err(error) = self.member.gap(first, last) {
            tracing::error!(store = self.member.name(), %error, "a gap could not be recorded");
        }
        if first == Position(1) {
            // A store that is new beside an old log has lost nothing.
            tracing::info!(
                store = self.member.name(),
                last = last.0,
                "a new store begins where the log does"
            );
        } else {
            self.health.gap(first, last);
        }
    }

    /// What is too old goes, but never by a clock that nobody trusts.
    fn expire(&mut self) {
        let (Some(keep), Some(civil), true) = (self.parts.tuning.keep, self.civil, self.trusted) else {
            return;
        };
        if let Err(error) = self.member.expire(civil - keep) {
            tracing::warn!(store = self.member.name(), %error, "old readings cannot be removed");
        }
    }

    fn tend(&mut self) {
        if let Err(error) = self.member.rest() {
            self.health.failed(&format!("{error:#}"), LOOK_AROUND);
        }
        self.health.refusals(self.member.refusals().as_ref());
        let synced = self.member.synced();
        self.synced.send_if_modified(|before| std::mem::replace(before, synced) != synced);
    }
}
