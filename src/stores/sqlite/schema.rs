//! `readings.db`: its tables, how it is opened, and what becomes of a file
//! that is not of this log.

use std::path::{Path, PathBuf};
use std::time::Duration;

use forewarn_core::ids::{LogId, Position};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params};

use super::chunk::Codec;

/// Raised when the tables change; a file of another version is set aside.
const SCHEMA_VERSION: i64 = 1;

/// How long the writer waits for a checkpoint, or a reader for recovery.
const BUSY_MAX: Duration = Duration::from_secs(2);

/// The write-ahead log is copied back at this many pages of 4 KiB.
const CHECKPOINT_PAGES: u32 = 4_000;
/// What its file is cut to once it was copied back whole, if somebody's long
/// reading let it grow beyond: twice what it usually takes.
const WAL_BYTES_MAX: u32 = 32 << 20;

/// Pages that the writer keeps in memory, in KiB: what a transaction changes.
const WRITER_CACHE_KIB: i32 = 2_000;
/// Those that a reader keeps: the ways to one sensor's chunks.
const READER_CACHE_KIB: i32 = 500;

/// Chunks of a sensor never overlap. `p1` is the highest log position in one.
/// Rows are appended, so that a transaction dirties few pages.
const SCHEMA: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE c (
    id INTEGER PRIMARY KEY, sensor INTEGER NOT NULL, t0 INTEGER NOT NULL, t1 INTEGER NOT NULL,
    n INTEGER NOT NULL, p1 INTEGER NOT NULL, blob BLOB NOT NULL);
CREATE UNIQUE INDEX c_sensor ON c (sensor, t0);
CREATE INDEX c_end ON c (t1);
CREATE TABLE gap (first INTEGER PRIMARY KEY, last INTEGER NOT NULL);
CREATE TABLE rotten (
    id INTEGER PRIMARY KEY, sensor INTEGER NOT NULL, t0 INTEGER NOT NULL, t1 INTEGER NOT NULL,
    n INTEGER NOT NULL, blob BLOB NOT NULL);
";

/// The log a store follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Its id.
    pub log: LogId,
    /// Position of its last event at the start.
    pub end: Position,
}

/// A file, open for its one writer.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) connection: Connection,
    /// Up to where it has kept the log.
    pub(super) cursor: Position,
    /// What did not read back, in words.
    pub(super) rot: Option<String>,
}

/// Opens or creates the file. A file of another log or version, or beyond reading, is set
/// aside as `readings.db.aside`: its sensors are numbered otherwise. One that
/// is ahead of its log (a restored backup) loses what the log does not know of.
pub(super) fn open(path: &Path, origin: Origin) -> anyhow::Result<Opened> {
    let mut rot = None;
    let standing = connect(path).and_then(|connection| {
        let standing = standing(&connection)?;
        Ok((connection, standing))
    });
    match standing {
        Ok((connection, Some(standing))) if standing.log == origin.log.0 => {
            let cursor = cut(&connection, standing.cursor, origin.end)?;
            make_durable(&connection, cursor)?;
            return Ok(Opened { connection, cursor, rot });
        }
        Ok((connection, None)) if is_empty(&connection)? => {
            begin(&connection, origin.log)?;
            return Ok(Opened { connection, cursor: Position(0), rot });
        }
        Ok((connection, _)) => {
            drop(connection);
            tracing::warn!(path = %path.display(), "the readings are not of this log, the file is set aside");
        }
        Err(error) if is_rot(&error) => {
            tracing::error!(path = %path.display(), %error, "the readings do not read back, the file is set aside");
            rot = Some(format!(
                "{} does not read back, it is set aside and begun anew from the log: {error}",
                path.display()
            ));
        }
        Err(error) => return Err(error.into()),
    }
    set_aside(path)?;
    let connection = connect(path)?;
    begin(&connection, origin.log)?;
    Ok(Opened { connection, cursor: Position(0), rot })
}

/// Opens an existing file for reading beside its writer.
pub(super) fn open_read_only(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_MAX)?;
    set_cache(&connection, READER_CACHE_KIB)?;
    Ok(connection)
}

/// Bounds the pages in memory; below zero, the setting counts KiB.
fn set_cache(connection: &Connection, kib: i32) -> rusqlite::Result<()> {
    connection.pragma_update(None, "cache_size", -kib)
}

/// Up to where a file has kept the log; `None` when there is no such file, or
/// it does not say.
pub(super) fn cursor_of(path: &Path) -> Option<Position> {
    let connection = open_read_only(path).ok()?;
    standing(&connection).ok()?.map(|standing| standing.cursor)
}

/// Whether the file itself is beyond use.
fn is_rot(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_MAX)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES_MAX)?;
    set_cache(&connection, WRITER_CACHE_KIB)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

struct Standing {
    log: [u8; 16],
    cursor: Position,
}

/// What a file says of itself; `None` when it is of another version, or says nothing.
fn standing(connection: &Connection) -> rusqlite::Result<Option<Standing>> {
    let exists = "SELECT 1 FROM sqlite_schema WHERE name = 'meta'";
    if connection.query_row(exists, [], |_| Ok(())).optional()?.is_none() {
        return Ok(None);
    }
    let schema: Option<i64> = meta(connection, "schema")?;
    let log: Option<[u8; 16]> = meta(connection, "log")?;
    let cursor: Option<i64> = meta(connection, "cursor")?;
    let (Some(log), Some(cursor), Some(SCHEMA_VERSION)) = (log, cursor, schema) else { return Ok(None) };
    Ok(Some(Standing { log, cursor: Position(cursor.unsigned_abs()) }))
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
}

fn begin(connection: &Connection, log: LogId) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(SCHEMA)?;
    put_meta(&transaction, "schema", SCHEMA_VERSION)?;
    put_meta(&transaction, "log", log.0)?;
    put_meta(&transaction, "cursor", 0i64)?;
    transaction.commit()
}

/// What was only in the cache of the system is on the disk after this: one
/// full sync of the write-ahead log makes all earlier commits durable.
fn make_durable(connection: &Connection, cursor: Position) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", "FULL")?;
    put_meta(connection, "cursor", cursor.0 as i64)?;
    connection.pragma_update(None, "synchronous", "NORMAL")
}

/// Removes what stands behind the end of the log. Returns the cursor.
fn cut(connection: &Connection, cursor: Position, end: Position) -> anyhow::Result<Position> {
    if cursor <= end {
        return Ok(cursor);
    }
    tracing::warn!(cursor = cursor.0, end = end.0, "the readings are ahead of the log, the rest is cut off");
    let transaction = connection.unchecked_transaction()?;
    let mut codec = Codec::default();
    let mut rows = vec![];
    let ahead: Vec<(i64, Vec<u8>)> = transaction
        .prepare("SELECT id, blob FROM c WHERE p1 > ?1")?
        .query_map([end.0 as i64], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (id, blob) in ahead {
        rows.clear();
        // One that does not read back is no loss here: the log has what it still knows of.
        codec.decode(&blob, &mut rows).unwrap_or_default();
        rows.retain(|row| row.position <= end.0);
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
            transaction.execute("DELETE FROM c WHERE id = ?1", [id])?;
            continue;
        };
        let p1 = rows.iter().map(|row| row.position).max().unwrap_or_default();
        transaction.execute(
            "UPDATE c SET t0 = ?2, t1 = ?3, n = ?4, p1 = ?5, blob = ?6 WHERE id = ?1",
            params![id, first.observed, last.observed, rows.len() as i64, p1 as i64, codec.encode(&rows)],
        )?;
    }
    put_meta(&transaction, "cursor", end.0 as i64)?;
    transaction.commit()?;
    Ok(end)
}

fn set_aside(path: &Path) -> std::io::Result<()> {
    let with = |suffix: &str| {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        PathBuf::from(file)
    };
    for (from, to) in [("", ".aside"), ("-wal", ".aside-wal"), ("-shm", ".aside-shm")] {
        match std::fs::rename(with(from), with(to)) {
            Ok(()) => {}
            // A former one must not be read with the newer one's log.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                std::fs::remove_file(with(to)).or_else(|error| match error.kind() {
                    std::io::ErrorKind::NotFound => Ok(()),
                    _ => Err(error),
                })?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn meta<T: rusqlite::types::FromSql>(connection: &Connection, name: &str) -> rusqlite::Result<Option<T>> {
    connection.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0)).optional()
}

pub(super) fn put_meta(
    connection: &Connection,
    name: &str,
    value: impl rusqlite::ToSql,
) -> rusqlite::Result<()> {
    let mut put = connection.prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")?;
    put.execute(params![name, value]).map(|_| ())
}
