//! The alerts that were published, as they were published, in a file of their
//! own beside the log; and what was withheld, with the reason.
//!
//! What stands here is never written anew: an identifier means the same words
//! for good, whatever configuration says of names and outlines later. Were the
//! file lost, it would be made again from the log's rows, with the words of now.

mod read;
mod schema;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use forewarn_core::ids::{AreaIx, Key, LogId, Position};
use forewarn_core::level::Level;
use forewarn_core::warning::Revision;
use rusqlite::{Connection, Transaction, params};

use super::alert::{Alert, Scope};
use super::check::Unsound;
use super::{check, xml};
pub use read::{Listed, Published, Readers, Withheld};

/// The file's name in the data directory.
pub const FILE: &str = "cap.db";

/// Alerts kept; the oldest go.
pub const ALERTS_MAX: i64 = 50_000;

/// Bytes of all alerts kept; the oldest go.
pub const ALERTS_BYTES_MAX: i64 = 512 * 1024 * 1024;

/// Why the shelf could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// The database refused.
    #[error("{FILE}: {0}")]
    Database(#[from] rusqlite::Error),
    /// The file could not be made.
    #[error("{FILE}: {0}")]
    Io(#[from] std::io::Error),
    /// It is of a later release.
    #[error("{FILE} has form {0}, expected one up to {expected}: it was written by a later release", expected = schema::FORM)]
    Form(i64),
}

type Result<T, E = ShelfError> = std::result::Result<T, E>;

/// Where a revision stands in the log, as its id has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    /// Of the event that it was decided on.
    pub position: Position,
    /// Which of the decisions on it.
    pub ordinal: u32,
}

impl Place {
    /// Of a revision.
    pub fn of(revision: &Revision) -> Place {
        Place { position: revision.id.position, ordinal: revision.id.ordinal }
    }
}

/// What was made of one revision.
#[derive(Debug)]
pub enum Made {
    /// A sound alert.
    Published,
    /// One that is not.
    Withheld(Unsound),
}

/// The shelf of one data directory.
#[derive(Debug)]
pub struct Shelf {
    connection: Mutex<Connection>,
}

impl Shelf {
    /// Opens the file of a data directory, or makes it. One of another log
    /// starts empty; one that knows more than the log goes on from its end.
    pub fn open(data: &Path, log: LogId, end: Position) -> Result<Shelf> {
        Shelf::begin(schema::open(&data.join(FILE))?, log, end)
    }

    /// One that lasts as long as the process: for tests of rooms that publish nothing.
    #[doc(hidden)]
    pub fn in_memory() -> Result<Shelf> {
        Shelf::begin(schema::in_memory()?, LogId([0; 16]), Position(0))
    }

    fn begin(mut connection: Connection, log: LogId, end: Position) -> Result<Shelf> {
        let transaction = connection.transaction()?;
        schema::belong(&transaction, log, end)?;
        transaction.commit()?;
        Ok(Shelf { connection: Mutex::new(connection) })
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // Every change is a transaction, so that a panic leaves nothing half done.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last revision that something was made of, or that there is nothing to make of.
    pub fn place(&self) -> Result<Place> {
        schema::place(&self.lock())
    }

    /// Notes that all revisions up to a place have been looked at.
    pub fn pass(&self, place: Place) -> Result<()> {
        schema::pass(&self.lock(), place)
    }

    /// A warning that nothing was published of is over: what was withheld of it holds no longer.
    pub fn over(&self, warning: Key) -> Result<()> {
        let delete = "DELETE FROM alerts WHERE warning = ?1 AND fault IS NOT NULL";
        self.lock().prepare_cached(delete)?.execute([warning.0])?;
        Ok(())
    }

    /// Keeps the alert of a revision, if it is a sound one; and else that it is not.
    pub fn put(&self, alert: &Alert, revision: &Revision) -> Result<Made> {
        let made = match check::check(alert) {
            Ok(()) => Made::Published,
            Err(unsound) => Made::Withheld(unsound),
        };
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        insert(&transaction, alert, revision, &made)?;
        schema::pass(&transaction, Place::of(revision))?;
        schema::trim(&transaction, ALERTS_MAX, ALERTS_BYTES_MAX)?;
        transaction.commit()?;
        Ok(made)
    }
}

fn insert(transaction: &Transaction<'_>, alert: &Alert, revision: &Revision, made: &Made) -> Result<()> {
    let (body, fault) = match made {
        Made::Published => (Some(xml::xml(alert)), None),
        Made::Withheld(unsound) => (None, Some(unsound.words())),
    };
    let areas: Vec<u32> = revision.about.cells().iter().map(|cell| cell.area.0).collect();
    let headlines: Vec<&str> = alert.infos.iter().map(|info| info.headline.as_str()).collect();
    let instructions: Vec<&str> = alert.infos.iter().map(|info| info.instruction.as_str()).collect();
    let insert = "INSERT OR IGNORE INTO alerts (identifier, warning, number, sender, sent, sent_text, expires,
                      status, kind, public, level, last, areas, title, summary, position, ordinal, bytes, body, fault)
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)";
    transaction.prepare_cached(insert)?.execute(params![
        alert.identifier,
        revision.warning.digest().0,
        revision.number,
        alert.sender,
        alert.sent.at.0,
        alert.sent.text,
        revision.expires.0,
        alert.status.word(),
        alert.kind.word(),
        alert.scope == Scope::Public,
        revision.level.index() as i64,
        revision.kind.is_last(),
        serde_json::to_string(&areas).unwrap_or_default(),
        headlines.join(" | "),
        instructions.join("\n"),
        revision.id.position.0 as i64,
        revision.id.ordinal,
        body.as_ref().map_or(0, String::len) as i64,
        body,
        fault,
    ])?;
    Ok(())
}

/// A level as it stands in a row.
fn level(index: i64) -> Level {
    Level::from_index(index.unsigned_abs() as usize).unwrap_or_default()
}

/// Areas as they stand in a row.
fn areas(text: &str) -> Vec<AreaIx> {
    let numbers: Vec<u32> = serde_json::from_str(text).unwrap_or_default();
    numbers.into_iter().map(AreaIx).collect()
}
