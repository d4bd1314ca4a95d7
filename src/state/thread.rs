//! The one thread that writes `state.db`: it follows the log and takes the
//! courier's notes. Whatever the disk does, it lags and never stops.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use forewarn_core::ids::Position;
use tokio::sync::watch;

use super::{Projection, StateError};
use crate::log::Record;
use crate::ports::{Follow, Note};

/// Notes on their way from the courier. Full: the courier drops the note and counts it.
pub const NOTES_MAX: usize = 4_096;
/// Records read ahead of the transaction. Full: the rest stays in the log.
const RECORDS_MAX: usize = 256;
/// How long notes wait for a record to share a transaction with.
const NOTES_WAIT: Duration = Duration::from_millis(100);
/// Rest after the first failed transaction; doubled each time.
const RETRY_FIRST: Duration = Duration::from_millis(100);
/// Longest rest between two tries of a transaction.
const RETRY_MAX: Duration = Duration::from_secs(5);
/// How often the ballast is put back, if it is gone.
const BALLAST_EVERY: Duration = Duration::from_mins(1);

/// The writer of the projection.
#[derive(Debug)]
pub struct StateThread;

impl StateThread {
    /// Starts it: `follow` gives the log after the projection's cursor.
    pub fn start(
        projection: Projection,
        follow: Box<dyn Follow>,
        notes: Receiver<Note>,
    ) -> io::Result<StateHandle> {
        let (applied, position) = watch::channel(projection.cursor());
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, records) = sync_channel(RECORDS_MAX);
        let reading = std::thread::Builder::new().name("state-log".into());
        reading.spawn(move || read_log(follow, &sender))?;
        let writer = Writer { projection, records, notes, applied, stop: Arc::clone(&stop) };
        let writing = std::thread::Builder::new().name("state".into());
        let thread = writing.spawn(move || writer.run())?;
        Ok(StateHandle { position, stop, thread })
    }
}

/// A running writer. It ends by itself once the log is closed and applied.
#[derive(Debug)]
pub struct StateHandle {
    position: watch::Receiver<Position>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl StateHandle {
    /// The position applied so far, as it moves.
    pub fn position(&self) -> watch::Receiver<Position> {
        self.position.clone()
    }

    /// Whether the writer still runs. One that ended before the log did could
    /// not read it: the service is not ready then.
    pub fn is_running(&self) -> bool {
        !self.thread.is_finished()
    }

    /// Waits for the end of the log and of the writer. Blocks.
    pub fn join(self) {
        if self.thread.join().is_err() {
            tracing::error!("the projection's writer ended in a panic");
        }
    }

    /// Ends it where it stands; it goes on from there at the next start. Blocks.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.join();
    }
}

/// Blocks on the log, so that the writer need not. Ends with the log, or at
/// its next record once the writer is gone.
fn read_log(mut follow: Box<dyn Follow>, sender: &SyncSender<Arc<Record>>) {
    while let Some(record) = follow.next() {
        if sender.send(record).is_err() {
            return;
        }
    }
    if let Some(fault) = follow.fault() {
        metrics::counter!("forewarn_state_log_faults_total").increment(1);
        tracing::error!(fault, "the projection cannot read the log any further, it stands still");
    }
}

#[derive(Debug)]
struct Writer {
    projection: Projection,
    records: Receiver<Arc<Record>>,
    notes: Receiver<Note>,
    applied: watch::Sender<Position>,
    stop: Arc<AtomicBool>,
}

impl Writer {
    fn run(mut self) {
        let mut ballast_at = Instant::now() + BALLAST_EVERY;
        while !self.stop.load(Ordering::Relaxed) {
            let (records, end) = self.gather();
            let notes: Vec<Note> = self.notes.try_iter().take(NOTES_MAX).collect();
            if !records.is_empty() || !notes.is_empty() {
                self.write(&records, &notes);
            }
            if end == End::Closed {
                break;
            }
            if Instant::now() >= ballast_at {
                self.projection.restore_ballast();
                ballast_at = Instant::now() + BALLAST_EVERY;
            }
        }
    }

    /// What is there, after waiting a little for the first.
    fn gather(&self) -> (Vec<Arc<Record>>, End) {
        let mut records = match self.records.recv_timeout(NOTES_WAIT) {
            Ok(record) => vec![record],
            Err(RecvTimeoutError::Timeout) => return (vec![], End::Open),
            Err(RecvTimeoutError::Disconnected) => return (vec![], End::Closed),
        };
        while records.len() < RECORDS_MAX {
            match self.records.try_recv() {
                Ok(record) => records.push(record),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return (records, End::Closed),
            }
        }
        (records, End::Open)
    }

    /// Writes until it is written: the log keeps the rest meanwhile.
    fn write(&mut self, records: &[Arc<Record>], notes: &[Note]) {
        let mut rest = RETRY_FIRST;
        loop {
            let began = Instant::now();
            match self.projection.commit(records, notes) {
                Ok(()) => break,
                Err(error) => self.tell(&error, rest),
            }
            // A stop must not wait for a disk that stays full.
            let until = began + rest;
            while Instant::now() < until {
                if self.stop.load(Ordering::Relaxed) {
                    return;
                }
                std::thread::sleep(RETRY_FIRST.min(until.saturating_duration_since(Instant::now())));
            }
            rest = (rest * 2).min(RETRY_MAX);
        }
        metrics::gauge!("forewarn_state_position").set(self.projection.cursor().0 as f64);
        self.applied.send_replace(self.projection.cursor());
    }

    fn tell(&self, error: &StateError, rest: Duration) {
        metrics::counter!("forewarn_state_failures_total").increment(1);
        tracing::error!(
            %error,
            cursor = self.projection.cursor().0,
            retry_ms = rest.as_millis() as u64,
            "the projection cannot be written, it lags behind the log"
        );
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Closed,
}
