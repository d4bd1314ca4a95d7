//! The alerts that were published, as they were published, in a file of their
//! own beside the log; and what was withheld, with the reason.
//!
//! What stands here is never written anew: an identifier means the same words
//! for good, whatever configuration says of names and outlines later. Were the
//! file lost, it would be made again from the log's rows, with the words of now.

mod change;
mod read;
mod schema;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use forewarn_core::ids::{AreaIx, LogId, Position};
use forewarn_core::level::Level;
use forewarn_core::warning::Revision;
use rusqlite::Connection;

use super::check::Unsound;
pub use change::Change;
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
