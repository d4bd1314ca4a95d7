//! The courier: carries out what the log released, at least once and under a
//! key that never changes, in order per target and warning, red first. What
//! became of a delivery is true only once it stands in the log.

mod arrivals;
mod backoff;
mod clock;
mod delivery;
mod digests;
mod door;
mod follow;
mod heard;
mod intake;
mod lane;
mod lanes;
mod outcomes;
mod overdue;
mod pace;
mod permits;
mod shell;
#[cfg(test)]
mod tests;
mod told;

pub use clock::{CourierClock, RunningClock};
pub use follow::RECORDS_MAX;
pub use overdue::Overdue;

use std::io;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use forewarn_core::ids::{LogId, Position};
use forewarn_core::time::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::channels::Channel;
use crate::channels::door::World;
use crate::link::Links;
use crate::ports::{Archive, Current, Inbox, Note, Reopen, Resume};

/// Deliveries held in memory. Full: those released later stay in the log
/// until half of these have their outcome, but for red ones.
pub const OUTSTANDING_MAX: usize = 65_536;

/// Red deliveries held beyond [`OUTSTANDING_MAX`]. Full: they stay in the log as well.
pub const RED_MAX: usize = 16_384;

/// Deliveries that wait for a digest, or are in one, held beside those: ten thousand
/// warnings for fifty people. Full: those released later stay in the log until half
/// of these have their outcome.
pub const GATHERED_MAX: usize = 524_288;

/// Rows of the projection read at once at the start.
pub const PAGE_MAX: usize = 4_096;

/// What a courier needs.
#[derive(Debug)]
pub struct Parts<W: World> {
    /// The setup in force. A reload must be seen here before the log names its
    /// plan: a target that is not in it counts as erased.
    pub current: Current,
    /// Every way out.
    pub channels: Vec<Arc<dyn Channel<W>>>,
    /// Whose log it is: what another decided is not sent.
    pub log: LogId,
    /// Opens the log.
    pub reopen: Opener,
    /// Where to go on, read after the projection has reached the log's end.
    pub resume: Resume,
    /// What else the projection knows.
    pub archive: Arc<dyn Archive>,
    /// Where outcomes go.
    pub inbox: Arc<dyn Inbox>,
    /// Where notes of attempts go. Full: the note is dropped and counted.
    pub notes: SyncSender<Note>,
    /// What links to a delivery's page are made with; `None`: there are no such pages.
    pub links: Option<Links>,
    /// Engine time.
    pub clock: Arc<dyn CourierClock>,
    /// Of the jitter; random in service, given in tests.
    pub seed: u64,
    /// How much it may hold; [`Limits::default`] in service.
    pub limits: Limits,
}

/// The log's opener, printable.
#[derive(Clone)]
pub struct Opener(pub Reopen);

impl std::fmt::Debug for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opener")
    }
}

/// How much a courier holds in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// As [`OUTSTANDING_MAX`].
    pub outstanding: usize,
    /// As [`RED_MAX`].
    pub red: usize,
    /// As [`GATHERED_MAX`].
    pub gathered: usize,
    /// As [`PAGE_MAX`]; the projection's first page must be no longer.
    pub page: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { outstanding: OUTSTANDING_MAX, red: RED_MAX, gathered: GATHERED_MAX, page: PAGE_MAX }
    }
}

/// Where the courier stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// The log has been followed to here.
    pub upto: Position,
    /// Whether every delivery released up to there has an outcome in the log
    /// or rests until its next attempt.
    pub idle: bool,
    /// Engine time of the next attempt, if any rests.
    pub next_attempt: Option<Timestamp>,
    /// Engine time at which it has something to do by itself: the next attempt
    /// or the next expiry.
    pub wake_at: Option<Timestamp>,
    /// Whether warnings have waited for longer than promised.
    pub overdue: Overdue,
}

impl Standing {
    /// Whether nothing is left to do at this engine time of all that the log
    /// released up to a position. A clock that is led moves on once this holds.
    pub fn is_settled(&self, upto: Position, now: Timestamp) -> bool {
        self.idle && self.upto >= upto && self.wake_at.is_none_or(|at| at > now)
    }
}

/// The courier.
#[derive(Debug)]
pub struct Courier;

impl Courier {
    /// Starts it on the runtime of the caller. Fails when the system gives no
    /// thread to follow the log with.
    pub fn start<W: World>(parts: Parts<W>) -> io::Result<CourierHandle> {
        let stop = CancellationToken::new();
        let (standing, watched) = watch::channel(Standing::default());
        let full = metrics::counter!("forewarn_courier_log_full_total");
        let records = follow::follow(&parts.reopen, parts.resume.cursor, full)?;
        let shell = shell::Shell::new(parts, standing);
        let task = tokio::spawn(shell.run(records, stop.clone()));
        Ok(CourierHandle { standing: watched, stop, task })
    }
}

/// A running courier.
#[derive(Debug)]
pub struct CourierHandle {
    standing: watch::Receiver<Standing>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl CourierHandle {
    /// Where it stands, as it changes. The led clock moves on once it
    /// [is settled](Standing::is_settled) up to the last commit.
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }

    /// Begins no further attempt, gives those in the air some seconds to end,
    /// reports them, and stops.
    pub async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the courier did not stop in order");
        }
    }

    /// Stops where it stands, as a crash would.
    pub fn abort(self) {
        self.task.abort();
    }
}
