//! The one thread that writes the trail: it follows the log and takes what is
//! reported at the door. Whatever the disk does, it lags and never stops.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use forewarn_core::event::{Input, TroubleReport};
use forewarn_core::ids::Position;
use forewarn_core::warning::{TroubleCode, TroubleKey};
use tokio::sync::watch;

use super::AuditError;
use super::deed::{Deed, deeds};
use super::door::{Door, Report};
use super::files::{Files, Place};
use crate::log::{Indices, Record};
use crate::ports::{Inbox, Reopen};

/// Records read ahead of the trail. Full: the rest stays in the log.
const RECORDS_MAX: usize = 256;
/// How long a report waits to be looked at: a login has its password hashed meanwhile.
const LOOK: Duration = Duration::from_millis(20);
/// What the log holds is synced so often: until then it can be told anew.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// Failed logins are told so often, by their number: whoever guesses must not
/// wash out what others did.
const FAILED_EVERY: Duration = Duration::from_secs(10);
/// How often it is noted how far it followed the log, where nothing was told.
const NOTE_EVERY: Duration = Duration::from_mins(1);
/// Rest after a failed write, and before a log that could not be read is opened again.
const REST: Duration = Duration::from_secs(1);
/// The subject of the trouble where lines are missing.
const SUBJECT: &str = "audit";

/// What a trail is made of.
#[derive(Debug)]
pub struct Trail {
    /// The data directory.
    pub data: PathBuf,
    /// The log's id, which the first line is bound to.
    pub log: String,
    /// Names as the log assigned them so far.
    pub names: Indices,
    /// Takes the trouble, where lines are missing.
    pub inbox: Arc<dyn Inbox>,
}

/// A running trail. It ends by itself once the log is closed and told.
#[derive(Debug)]
pub struct TrailHandle {
    door: Door,
    position: watch::Receiver<Position>,
    thread: JoinHandle<()>,
}

impl TrailHandle {
    /// Where logins are reported.
    pub fn door(&self) -> Door {
        self.door.clone()
    }

    /// The position of the log up to which everything is told and synced, as it moves.
    pub fn position(&self) -> watch::Receiver<Position> {
        self.position.clone()
    }

    /// Waits for the end of the log and of the trail. Blocks.
    pub fn join(self) {
        let TrailHandle { door, thread, .. } = self;
        drop(door);
        if thread.join().is_err() {
            tracing::error!("the audit trail ended in a panic");
        }
    }
}

impl Trail {
    /// Starts it. `reopen` gives the log after a position, or from the oldest
    /// record that is kept where that is trimmed.
    pub fn start(self, reopen: Reopen) -> Result<TrailHandle, AuditError> {
        let (files, place) = Files::open(&self.data, &self.log)?;
        let (door, reported) = Door::new();
        let synced = watch::Sender::new(Position(files.head().log));
        let position = synced.subscribe();
        let data = self.data.clone();
        let writer =
            Writer { names: self.names.clone(), door: door.clone(), trail: self, reopen, reported, synced };
        let spawn = std::thread::Builder::new().name("audit".into());
        let thread = spawn.spawn(move || writer.run(files, place));
        let thread = thread.map_err(|error| AuditError::Io(data, error))?;
        Ok(TrailHandle { door, position, thread })
    }
}

struct Writer {
    trail: Trail,
    /// For what it counts.
    door: Door,
    names: Indices,
    reopen: Reopen,
    reported: Receiver<Report>,
    synced: watch::Sender<Position>,
}

/// Why a stretch of writing ended.
enum End {
    /// The log was closed, and all of it is told.
    Closed,
    /// The log could not be read: it is to be opened again.
    Fault,
}

impl Writer {
    fn run(mut self, files: Files, place: Place) {
        self.tell_missing(&files);
        let mut opened = Some((files, place));
        loop {
            let ended = match opened.take() {
                Some((files, place)) => self.write(files, place),
                None => Files::open(&self.trail.data, &self.trail.log)
                    .and_then(|(files, place)| self.write(files, place)),
            };
            match ended {
                Ok(End::Closed) => return,
                Ok(End::Fault) => {}
                Err(error) => {
                    metrics::counter!("forewarn_audit_faults_total").increment(1);
                    tracing::error!(%error, "the audit trail cannot be written, trying again");
                }
            }
            std::thread::sleep(REST);
        }
    }

    fn tell_missing(&self, files: &Files) {
        let missing = files.missing();
        let key = TroubleKey { code: TroubleCode::Rot, subject: SUBJECT.into() };
        let detail = format!("{missing} lines of the audit trail are missing");
        if missing > 0 {
            tracing::error!(missing, "lines of the audit trail are missing");
        }
        self.trail.inbox.control(Input::Trouble(TroubleReport { key, present: missing > 0, detail }));
    }

    /// Writes until the log ends, or something fails.
    fn write(&mut self, mut files: Files, place: Place) -> Result<End, AuditError> {
        // What is told in part is read again.
        let after = place.told.map_or(place.position, |_| place.position.saturating_sub(1));
        let records = self.follow(Position(after));
        let mut told = place.told.unwrap_or_default();
        let (mut dirty, mut noted, mut counted) = (None::<Instant>, Instant::now(), Instant::now());
        loop {
            let ended = match records.recv_timeout(LOOK) {
                Ok(Ok(record)) => {
                    for deed in self.deeds(&record) {
                        let position = deed.position.unwrap_or_default();
                        if position < place.position && place.told.is_some() {
                            continue;
                        }
                        if position == place.position && told > 0 {
                            told -= 1;
                            continue;
                        }
                        files.append(&deed)?;
                        dirty.get_or_insert_with(Instant::now);
                    }
                    files.reached(record.last().0);
                    None
                }
                Ok(Err(())) => Some(End::Fault),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => Some(End::Closed),
            };
            let reports: Vec<Report> = self.reported.try_iter().collect();
            for report in &reports {
                files.append(&report.deed)?;
            }
            if counted.elapsed() >= FAILED_EVERY || ended.is_some() {
                counted = Instant::now();
                if let Some(failed) = self.door.failures() {
                    files.append(&failed)?;
                    dirty.get_or_insert(counted);
                }
            }
            let is_due = dirty.is_some_and(|since| since.elapsed() >= SYNC_EVERY)
                || noted.elapsed() >= NOTE_EVERY
                || !reports.is_empty();
            if is_due || ended.is_some() {
                files.sync()?;
                (dirty, noted) = (None, Instant::now());
                self.synced.send_replace(Position(files.head().log));
                metrics::gauge!("forewarn_audit_lines").set(files.head().lines as f64);
            }
            for report in reports {
                // Whoever asked may have gone.
                let _ = report.told.send(());
            }
            if let Some(end) = ended {
                return Ok(end);
            }
        }
    }

    fn deeds(&mut self, record: &Record) -> Vec<Deed> {
        for input in &record.inputs {
            if let Input::Assign(assignment) = input
                && let Err(error) = self.names.learn(assignment)
            {
                tracing::error!(%error, "a name of the log is not learnt");
            }
        }
        deeds(record, &self.names)
    }

    /// Follows the log after a position on a thread of its own. Ends with the
    /// log, at a fault, or at its next record once nobody listens.
    fn follow(&self, after: Position) -> Receiver<Result<Arc<Record>, ()>> {
        let (sender, records) = sync_channel(RECORDS_MAX);
        let reopen = Arc::clone(&self.reopen);
        let read = move || {
            let mut follow = reopen(after);
            while let Some(record) = follow.next() {
                if sender.send(Ok(record)).is_err() {
                    return;
                }
            }
            if let Some(fault) = follow.fault() {
                tracing::error!(after = after.0, fault, "the audit trail cannot read the log, trying again");
                let _ = sender.send(Err(()));
            }
        };
        if let Err(error) = std::thread::Builder::new().name("audit-log".into()).spawn(read) {
            failed(&error);
        }
        records
    }
}

fn failed(error: &io::Error) {
    tracing::error!(%error, "the audit trail cannot follow the log");
}
