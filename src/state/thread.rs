//! The one thread that writes `state.db`: it follows the log and takes the
//! courier's notes. Whatever the disk does, it lags and never stops.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use forewarn_core::event::{Input, TroubleReport};
use forewarn_core::ids::Position;
use forewarn_core::warning::{TroubleCode, TroubleKey};
use tokio::sync::watch;

use super::{Projection, ROT_SUBJECT, StateError};
use crate::log::Record;
use crate::ports::{Inbox, Note, Reopen};

/// Notes on their way from the courier. Full: the courier drops the note and counts it.
pub const NOTES_MAX: usize = 4_096;
/// Records read ahead of the transaction. Full: the rest stays in the log.
pub const RECORDS_MAX: usize = 256;
/// How long notes wait for a record to share a transaction with.
const NOTES_WAIT: Duration = Duration::from_millis(100);
/// Rest after the first failed transaction; doubled each time.
const RETRY_FIRST: Duration = Duration::from_millis(100);
/// Longest rest between two tries of a transaction.
const RETRY_MAX: Duration = Duration::from_secs(5);
/// How often the ballast is put back, if it is gone.
const BALLAST_EVERY: Duration = Duration::from_mins(1);

/// Rest before a log that could not be read is opened again.
const FAULT_REST: Duration = Duration::from_secs(1);
/// So many faults in a row, without a record between them, end the writer.
const FAULTS_MAX: u32 = 10;

/// The writer of the projection.
#[derive(Debug)]
pub struct StateThread;

impl StateThread {
    /// Starts it. `reopen` gives the log after a position, or from the oldest
    /// record that is kept where that is trimmed; `inbox` takes troubles.
    pub fn start(
        projection: Projection,
        reopen: Reopen,
        notes: Receiver<Note>,
        inbox: Arc<dyn Inbox>,
    ) -> io::Result<StateHandle> {
        let (applied, position) = watch::channel(projection.cursor());
        let stop = Arc::new(AtomicBool::new(false));
        let records = follow(&reopen, projection.cursor())?;
        let writer = Writer { projection, reopen, records, notes, inbox, applied, stop: Arc::clone(&stop) };
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
    /// The position applied so far, as it moves. Closed once the writer has
    /// ended: before the log did, if it could not read it.
    pub fn position(&self) -> watch::Receiver<Position> {
        self.position.clone()
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

/// Follows the log after a position on a thread of its own.
fn follow(reopen: &Reopen, after: Position) -> io::Result<Receiver<Arc<Record>>> {
    let (sender, records) = sync_channel(RECORDS_MAX);
    let reopen = Arc::clone(reopen);
    let reading = std::thread::Builder::new().name("state-log".into());
    reading.spawn(move || read_log(&reopen, after, &sender))?;
    Ok(records)
}

/// Blocks on the log, so that the writer need not. Ends with the log, or at
/// its next record once the writer is gone.
fn read_log(reopen: &Reopen, after: Position, sender: &SyncSender<Arc<Record>>) {
    let (mut reached, mut faults) = (after, 0);
    while faults < FAULTS_MAX {
        let mut follow = reopen(reached);
        while let Some(record) = follow.next() {
            (reached, faults) = (record.last(), 0);
            if sender.send(record).is_err() {
                return;
            }
        }
        let Some(fault) = follow.fault() else { return };
        metrics::counter!("forewarn_state_log_faults_total").increment(1);
        tracing::error!(after = reached.0, fault, "the projection cannot read the log, trying again");
        faults += 1;
        std::thread::sleep(FAULT_REST);
    }
    tracing::error!(after = reached.0, "the projection gives the log up, it stands still");
}

struct Writer {
    projection: Projection,
    reopen: Reopen,
    records: Receiver<Arc<Record>>,
    notes: Receiver<Note>,
    inbox: Arc<dyn Inbox>,
    applied: watch::Sender<Position>,
    stop: Arc<AtomicBool>,
}

impl Writer {
    fn run(mut self) {
        self.tell_found();
        let mut ballast_at = Instant::now() + BALLAST_EVERY;
        while !self.stop.load(Ordering::Relaxed) {
            let (records, end) = self.gather();
            let notes: Vec<Note> = self.notes.try_iter().take(NOTES_MAX).collect();
            metrics::gauge!("forewarn_queue_items", "queue" => "state_records").set(records.len() as f64);
            metrics::gauge!("forewarn_queue_items", "queue" => "courier_notes").set(notes.len() as f64);
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

    /// Writes until it is written: the log keeps the rest meanwhile. A file
    /// beyond use is begun anew, and the log read again from its beginning.
    fn write(&mut self, records: &[Arc<Record>], notes: &[Note]) {
        let mut rest = RETRY_FIRST;
        let mut rot: Option<String> = None;
        loop {
            let began = Instant::now();
            let done = match &rot {
                None => self.projection.commit(records, notes),
                Some(_) => self.begin_anew(),
            };
            match (done, &rot) {
                (Ok(()), None) => break,
                (Ok(()), Some(detail)) => {
                    self.tell_rot(Some(detail));
                    break;
                }
                (Err(error), None) if error.is_rot() => {
                    tracing::error!(%error, "the projection is rotten, it is rebuilt from the log");
                    rot = Some(error.to_string());
                    continue;
                }
                (Err(error), _) => self.tell(&error, rest),
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

    /// What was read ahead is let go, to be read again; notes are not in the
    /// log, and those at hand go the way of those in the file.
    fn begin_anew(&mut self) -> Result<(), StateError> {
        self.projection.rebuild()?;
        let path = self.projection.path().to_owned();
        self.records = follow(&self.reopen, self.projection.cursor())
            .map_err(|source| StateError::File { path, source })?;
        Ok(())
    }

    /// Tells the operator that the file was rotten at the start, or takes back
    /// what a former run told of it.
    fn tell_found(&self) {
        match (self.projection.rot(), self.projection.has_told_rot()) {
            (Some(rot), _) => self.tell_rot(Some(rot)),
            (None, Ok(true)) => self.tell_rot(None),
            // One that cannot be asked says so at the first write.
            (None, Ok(false) | Err(_)) => {}
        }
    }

    fn tell_rot(&self, detail: Option<&str>) {
        let key = TroubleKey { code: TroubleCode::Rot, subject: ROT_SUBJECT.into() };
        let told = detail.map(|what| format!("{what}; it is rebuilt from the log"));
        let (present, detail) = (told.is_some(), told.unwrap_or_default());
        self.inbox.control(Input::Trouble(TroubleReport { key, present, detail }));
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
