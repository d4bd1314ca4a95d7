//! `state.db`: what the log says of incidents, warnings and deliveries, in
//! rows that people and couriers can ask for. A projection: whatever stands
//! here can be rebuilt from the log, but for the courier's notes.

mod apply;
mod ballast;
mod digests;
mod orders;
mod pages;
mod reader;
mod rows;
mod schema;
mod seen;
#[cfg(test)]
mod tests;
mod thread;
mod trim;

pub use ballast::BALLAST_BYTES;
pub use digests::{DigestPage, DigestWarnings};
pub use orders::OrderRow;
pub use pages::{DeliveriesAsked, DeliveryPlace, WarningPlace, WarningsAsked};
pub use reader::StateReader;
pub(crate) use rows::phase_word;
pub use rows::{
    Acknowledgement, DeliveryPage, DeliveryRow, DeliveryState, LedgerRow, Notice, QuarantineRow,
    REACH_WITHIN, TroubleRow, WarningDetail, WarningRow,
};
pub use schema::{
    ATTEMPTS_ROWS_MAX, ENDED_KEPT, NEWS_ROWS_MAX, ORDERS_ROWS_MAX, QUARANTINE_BYTES_MAX, QUARANTINE_ROWS_MAX,
};
pub use seen::Told;
pub use thread::{NOTES_MAX, RECORDS_MAX, StateHandle, StateThread};

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use forewarn_core::ids::{LogId, Position};
use forewarn_core::warning::TroubleCode;
use rusqlite::{Connection, ErrorCode, OptionalExtension};

use crate::log::Record;
use crate::ports::Note;
use ballast::Ballast;

/// How long the writer waits for a reader or a checkpoint before it says busy.
const BUSY_MAX: Duration = Duration::from_secs(2);

/// What a trouble about this file's rot is about.
const ROT_SUBJECT: &str = "state.db";

/// What a projection is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The log it follows.
    pub log: LogId,
    /// Position of the log's last event.
    pub end: Position,
    /// The world of the data directory: `live` or `drill`.
    pub stamp: &'static str,
}

/// Why the projection could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The disk is full; the ballast has been freed. Try again.
    #[error("{path}: disk is full, expected room for the projection")]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The file belongs to the other world.
    #[error("{path}: stamped {found:?}, expected {expected:?}")]
    Stamp {
        /// The file.
        path: PathBuf,
        /// The stamp in it.
        found: String,
        /// The stamp of the data directory.
        expected: &'static str,
    },
    /// `SQLite` refused. Try again, or rebuild.
    #[error("{path}: {source}")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: rusqlite::Error,
    },
    /// The file reads, but not as it was written: only a rebuild helps.
    #[error("{path}: {what}, expected a sound file")]
    Rot {
        /// The file.
        path: PathBuf,
        /// What the check said.
        what: String,
    },
    /// A row's body does not read back.
    #[error("{path}: a body does not decode, expected what this version or an earlier one wrote: {source}")]
    Body {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        source: minicbor::decode::Error,
    },
    /// The file could not be removed for a rebuild.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl StateError {
    fn sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StateError::Full { path },
            _ => StateError::Sqlite { path, source },
        }
    }

    /// Whether the file itself is beyond use, so that only a rebuild helps.
    fn is_rot(&self) -> bool {
        match self {
            StateError::Sqlite { source, .. } => matches!(
                source.sqlite_error_code(),
                Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)
            ),
            StateError::Rot { .. } => true,
            StateError::Full { .. }
            | StateError::Stamp { .. }
            | StateError::Body { .. }
            | StateError::File { .. } => false,
        }
    }
}

/// The one writer of `state.db`.
#[derive(Debug)]
pub struct Projection {
    path: PathBuf,
    connection: Connection,
    origin: Origin,
    cursor: Position,
    ballast: Ballast,
    rot: Option<String>,
}

impl Projection {
    /// Opens or creates it. A file of another log, of another version, ahead
    /// of its log, or beyond reading, is rebuilt: it starts empty and wants
    /// the log from its beginning. A file of the other world is refused.
    pub fn open(path: &Path, origin: Origin) -> Result<Projection, StateError> {
        let opened = connect(path).and_then(|connection| {
            let cursor = standing(path, &connection, &origin)?;
            if cursor.is_some() {
                intact(path, &connection)?;
            }
            Ok((connection, cursor))
        });
        let mut rot = None;
        let (connection, cursor) = match opened {
            Ok((connection, Some(cursor))) => (connection, cursor),
            Ok((connection, None)) => {
                drop(connection);
                fresh(path, &origin)?
            }
            Err(error) if error.is_rot() => {
                tracing::error!(%error, "the projection does not read back, it is rebuilt from the log");
                rot = Some(error.to_string());
                fresh(path, &origin)?
            }
            Err(error) => return Err(error),
        };
        let mut ballast = Ballast::beside(path);
        ballast.restore();
        Ok(Projection { path: path.to_owned(), connection, origin, cursor, ballast, rot })
    }

    /// Starts again from nothing: the log is wanted from its beginning. After
    /// an error it is nowhere, and must be tried again.
    pub fn rebuild(&mut self) -> Result<(), StateError> {
        let nowhere = Connection::open_in_memory().map_err(|it| StateError::sqlite(&self.path, it))?;
        // The file is let go of before it is removed.
        drop(std::mem::replace(&mut self.connection, nowhere));
        self.cursor = Position(0);
        (self.connection, self.cursor) = fresh(&self.path, &self.origin)?;
        Ok(())
    }

    /// What was wrong with the file when it was opened; it was rebuilt then.
    fn rot(&self) -> Option<&str> {
        self.rot.as_deref()
    }

    /// Whether a trouble stands that tells of this file's rot.
    fn has_told_rot(&self) -> Result<bool, StateError> {
        let select = "SELECT 1 FROM troubles WHERE code = ?1 AND subject = ?2";
        let told = self.connection.query_row(select, [TroubleCode::Rot.word(), ROT_SUBJECT], |_| Ok(()));
        Ok(told.optional().map_err(|it| StateError::sqlite(&self.path, it))?.is_some())
    }

    /// The position of the last event in it; the log is wanted after it.
    pub fn cursor(&self) -> Position {
        self.cursor
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes records in, with the cursor, in one transaction. Those at or
    /// before the cursor are skipped, so that a record may come again.
    /// On an error nothing of them is in it.
    pub fn apply(&mut self, records: &[Arc<Record>]) -> Result<(), StateError> {
        self.commit(records, &[])
    }

    /// As [`Projection::apply`], with the courier's notes.
    pub fn commit(&mut self, records: &[Arc<Record>], notes: &[Note]) -> Result<(), StateError> {
        let reached = apply::commit(&mut self.connection, self.cursor, records, notes);
        let reached = reached.map_err(|source| StateError::sqlite(&self.path, source));
        match reached {
            Ok(cursor) => self.cursor = cursor,
            Err(error) => {
                if matches!(error, StateError::Full { .. }) {
                    self.ballast.free();
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// Puts the ballast back that a full disk took, if there is room again.
    fn restore_ballast(&mut self) {
        self.ballast.restore();
    }
}

fn connect(path: &Path) -> Result<Connection, StateError> {
    let fault = |source| StateError::sqlite(path, source);
    let connection = Connection::open(path).map_err(fault)?;
    connection.busy_timeout(BUSY_MAX).map_err(fault)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(fault)?;
    connection.pragma_update(None, "synchronous", "NORMAL").map_err(fault)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Where a file stands; `None` when it is empty or must be rebuilt.
fn standing(path: &Path, connection: &Connection, origin: &Origin) -> Result<Option<Position>, StateError> {
    let fault = |source| StateError::sqlite(path, source);
    let exists = "SELECT 1 FROM sqlite_schema WHERE name = 'meta'";
    if connection.query_row(exists, [], |_| Ok(())).optional().map_err(fault)?.is_none() {
        return Ok(None);
    }
    let found: Option<String> = meta(connection, "stamp").map_err(fault)?;
    if let Some(found) = found.filter(|found| found != origin.stamp) {
        return Err(StateError::Stamp { path: path.to_owned(), found, expected: origin.stamp });
    }
    let schema: Option<i64> = meta(connection, "schema").map_err(fault)?;
    let log: Option<[u8; 16]> = meta(connection, "log").map_err(fault)?;
    let cursor: Option<i64> = meta(connection, "cursor").map_err(fault)?;
    let cursor = Position(cursor.unwrap_or_default().unsigned_abs());
    let same = schema == Some(schema::SCHEMA_VERSION) && log == Some(origin.log.0);
    if same && cursor <= origin.end {
        return Ok(Some(cursor));
    }
    tracing::warn!(
        cursor = cursor.0,
        end = origin.end.0,
        "the projection is not of this log, it is rebuilt from the log"
    );
    Ok(None)
}

/// Refuses a file whose trees do not hold together. What was overwritten with
/// zeroes or cut off shows only here or when a write comes upon it.
fn intact(path: &Path, connection: &Connection) -> Result<(), StateError> {
    let fault = |source| StateError::sqlite(path, source);
    let said: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(fault)?;
    if said == "ok" { Ok(()) } else { Err(StateError::Rot { path: path.to_owned(), what: said }) }
}

fn fresh(path: &Path, origin: &Origin) -> Result<(Connection, Position), StateError> {
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        match std::fs::remove_file(&file) {
            Ok(()) => {}
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(StateError::File { path: file.into(), source }),
        }
    }
    let mut connection = connect(path)?;
    let fault = |source| StateError::sqlite(path, source);
    let transaction = connection.transaction().map_err(fault)?;
    transaction.execute_batch(schema::SCHEMA).map_err(fault)?;
    for (name, value) in [("schema", schema::SCHEMA_VERSION), ("cursor", 0), ("offset", 0), ("trusted", 0)] {
        apply::put(&transaction, name, value).map_err(fault)?;
    }
    apply::put(&transaction, "log", origin.log.0).map_err(fault)?;
    apply::put(&transaction, "stamp", origin.stamp).map_err(fault)?;
    transaction.commit().map_err(fault)?;
    Ok((connection, Position(0)))
}

fn meta<T: rusqlite::types::FromSql>(connection: &Connection, name: &str) -> rusqlite::Result<Option<T>> {
    let select = "SELECT value FROM meta WHERE name = ?1";
    connection.query_row(select, [name], |row| row.get(0)).optional()
}
