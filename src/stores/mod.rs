//! Where readings are kept: the embedded store always, `InfluxDB` beside it for
//! the long history. Each follows the log with a cursor of its own; an outage
//! here delays history, never a warning.

mod bucket;
mod health;
mod history;
#[cfg(feature = "influxdb")]
pub mod influx;
mod records;
pub mod sqlite;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use forewarn_core::ids::{LogId, Position};
use forewarn_core::plan::Plan;
use forewarn_core::time::{Span, Timestamp};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::plan::Setup;
use crate::log::{LogReader, Reader};
use crate::ports::{History, Inbox, Store};
use sqlite::Sqlite;

pub use bucket::{BUCKETS_MAX, Bucket};
pub use history::{QUESTIONS_MAX, READINGS_MAX, StoreHistory};
pub use writer::{Parts, StoreWriter, Tuning};

/// How a store likes its readings handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batching {
    /// As soon as there are so many.
    pub readings: usize,
    /// Or so long after the first of them.
    pub wait: Duration,
}

/// Points that a store would not take, one by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusals {
    /// How many since the start.
    pub points: u64,
    /// What was said of the last, and where it is kept.
    pub reason: String,
}

/// What every store of the family does beside [`Store`], for the one writer
/// that feeds it.
pub trait Member: Store {
    /// For logs, metrics and Trouble.
    fn name(&self) -> &'static str;

    /// How it likes its readings handed over.
    fn batching(&self) -> Batching;

    /// What is handed over from now on was read under another plan; it is read
    /// for whoever asks.
    fn plan_is(&mut self, plan: &dyn Fn() -> Arc<Plan>);

    /// These positions will never come: the log no longer has them.
    fn gap(&mut self, first: Position, last: Position) -> anyhow::Result<()>;

    /// Readings observed before that instant need not be kept any longer. It
    /// may remove a part of them only, and will be called again.
    fn expire(&mut self, before: Timestamp) -> anyhow::Result<()>;

    /// Called now and then, when nothing comes.
    fn rest(&mut self) -> anyhow::Result<()>;

    /// Makes all that was kept durable, at an orderly end.
    fn finish(&mut self) -> anyhow::Result<()>;

    /// Up to here, what was kept is durable: the log may forget it.
    fn synced(&self) -> Position;

    /// What of it does not read back as it was written, in words for the
    /// operator; `None` while all does.
    fn rot(&self) -> Option<String> {
        None
    }

    /// What it would not take since the start; `None` while there is nothing.
    fn refusals(&self) -> Option<Refusals> {
        None
    }
}

/// The log as the stores follow it.
#[derive(Clone)]
pub struct Source {
    /// Its id.
    pub log: LogId,
    /// The way out of it.
    pub reader: Arc<dyn Reader>,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("log", &self.log).finish_non_exhaustive()
    }
}

/// The running stores.
#[derive(Debug)]
pub struct StoresHandle {
    history: Arc<dyn History>,
    writers: Vec<StoreWriter>,
}

impl StoresHandle {
    /// The last hours of a sensor, from the embedded store.
    pub fn history(&self) -> Arc<dyn History> {
        Arc::clone(&self.history)
    }

    /// Of each store the position up to which the log may forget.
    pub fn synced_cursors(&self) -> Vec<watch::Receiver<Position>> {
        self.writers.iter().map(StoreWriter::synced).collect()
    }

    /// Waits until the log is closed and the stores have what they can take
    /// of it. A store whose server is away ends with a try. Blocks.
    pub fn join(self) {
        self.writers.into_iter().for_each(StoreWriter::join);
    }
}

/// The highest position that any store in this directory has synced: the log
/// must still reach it. To be asked before the log is opened.
pub fn floor(data: &Path) -> Position {
    let embedded = Sqlite::cursor_of(&data.join(sqlite::FILE));
    #[cfg(feature = "influxdb")]
    let embedded = embedded.max(influx::cursor_of(data));
    embedded.unwrap_or_default()
}

/// Takes from every store what the log, ending here, does not have: beside a
/// restored log, the readings of another life. To be asked before the log goes on.
pub fn cut(data: &Path, log: LogId, end: Position) -> anyhow::Result<()> {
    let readings = data.join(sqlite::FILE);
    if readings.exists() {
        drop(Sqlite::open(&readings, sqlite::Origin { log, end })?);
    }
    #[cfg(feature = "influxdb")]
    influx::forget_after(data, end)?;
    Ok(())
}

/// Starts every store that the setup asks for.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the stores keep a share each; the caller gives its own away"
)]
pub fn start(
    setup: &Setup,
    reader: LogReader,
    data: &Path,
    inbox: Arc<dyn Inbox>,
) -> anyhow::Result<StoresHandle> {
    let log = Source { log: reader.id(), reader: Arc::new(reader) };
    let stop = CancellationToken::new();
    let origin = sqlite::Origin { log: log.log, end: log.reader.last() };
    let embedded = Sqlite::open(&data.join(sqlite::FILE), origin)?;
    let history = Arc::new(StoreHistory::start(embedded.reader()?)?);
    let mut writers = vec![];
    let mut feed = |member: Box<dyn Member>, keep: Option<Span>| -> anyhow::Result<()> {
        let parts = writer::Parts {
            log: log.clone(),
            data: data.to_owned(),
            plan: Arc::clone(&setup.plan),
            inbox: Arc::clone(&inbox),
            tuning: Tuning { keep, ..Tuning::default() },
            stop: stop.clone(),
        };
        writers.push(StoreWriter::start(member, parts)?);
        Ok(())
    };
    // Every store of the family, in one line each.
    feed(Box::new(embedded), Some(setup.store.keep))?;
    #[cfg(feature = "influxdb")]
    if let Some(settings) = &setup.influx {
        let ends = (origin.log, origin.end);
        feed(Box::new(influx::Influx::open(settings, data, ends, stop.clone())?), None)?;
    }
    Ok(StoresHandle { history, writers })
}
