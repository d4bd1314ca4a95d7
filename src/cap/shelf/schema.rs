//! The tables of `cap.db`.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use forewarn_core::ids::{LogId, Position};
use rusqlite::{Connection, OptionalExtension, params};

use super::{Place, Result, ShelfError};

/// The form that this release writes and reads.
pub(super) const FORM: i64 = 1;

/// How long a writer waits for a reader's checkpoint.
const BUSY_MAX: Duration = Duration::from_secs(5);

/// Times are civil, microseconds. A row without `fault` was published, as `body`.
const TABLES: &str = "
CREATE TABLE alerts (
    identifier TEXT PRIMARY KEY, warning BLOB NOT NULL, number INTEGER NOT NULL, sender TEXT NOT NULL,
    sent INTEGER NOT NULL, sent_text TEXT NOT NULL, expires INTEGER NOT NULL, status TEXT NOT NULL,
    kind TEXT NOT NULL, public INTEGER NOT NULL, level INTEGER NOT NULL, last INTEGER NOT NULL,
    areas TEXT NOT NULL, title TEXT NOT NULL, summary TEXT NOT NULL, position INTEGER NOT NULL,
    ordinal INTEGER NOT NULL, bytes INTEGER NOT NULL, body TEXT, fault TEXT
) STRICT;
CREATE INDEX alerts_of_warning ON alerts (warning, number);
CREATE INDEX alerts_in_order ON alerts (position, ordinal, bytes);
CREATE INDEX alerts_that_hold ON alerts (expires);
CREATE TABLE place (
    one INTEGER PRIMARY KEY CHECK (one = 1), log BLOB NOT NULL, position INTEGER NOT NULL, ordinal INTEGER NOT NULL
) STRICT;
";

/// Opens the file, or makes it, for its owner alone.
pub(super) fn open(path: &Path) -> Result<Connection> {
    File::options().append(true).create(true).mode(0o600).open(path)?;
    prepared(Connection::open(path)?)
}

pub(super) fn in_memory() -> Result<Connection> {
    prepared(Connection::open_in_memory()?)
}

fn prepared(mut connection: Connection) -> Result<Connection> {
    connection.busy_timeout(BUSY_MAX)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // What a power cut takes is made again from the same rows.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.set_prepared_statement_cache_capacity(32);
    let transaction = connection.transaction()?;
    let form: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match form {
        0 => {
            transaction.execute_batch(TABLES)?;
            transaction.pragma_update(None, "user_version", FORM)?;
        }
        FORM => {}
        other => return Err(ShelfError::Form(other)),
    }
    transaction.commit()?;
    Ok(connection)
}

/// Makes it the shelf of this log, which ends there.
pub(super) fn belong(connection: &Connection, log: LogId, end: Position) -> Result<()> {
    let select = "SELECT log, position FROM place";
    let found: Option<([u8; 16], i64)> =
        connection.query_row(select, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    match found {
        Some((own, position)) if own == log.0 => {
            // It knows of what the log has lost: what the log decides from here on is news.
            if position > end.0 as i64 {
                pass(connection, Place { position: end, ordinal: u32::MAX })?;
            }
        }
        Some(_) | None => {
            connection.execute("DELETE FROM alerts", [])?;
            let insert = "INSERT OR REPLACE INTO place (one, log, position, ordinal) VALUES (1, ?1, 0, 0)";
            connection.execute(insert, [log.0])?;
        }
    }
    Ok(())
}

pub(super) fn place(connection: &Connection) -> Result<Place> {
    let select = "SELECT position, ordinal FROM place";
    let read = |row: &rusqlite::Row<'_>| {
        let position: i64 = row.get(0)?;
        Ok(Place { position: Position(position.unsigned_abs()), ordinal: row.get(1)? })
    };
    Ok(connection.query_row(select, [], read)?)
}

pub(super) fn pass(connection: &Connection, place: Place) -> Result<()> {
    let update = "UPDATE place SET position = ?1, ordinal = ?2";
    connection.prepare_cached(update)?.execute(params![place.position.0 as i64, place.ordinal])?;
    Ok(())
}

/// Lets the oldest go, beyond so many or so many bytes.
pub(super) fn trim(connection: &Connection, alerts: i64, bytes: i64) -> Result<()> {
    let sums = "SELECT count(*), coalesce(sum(bytes), 0) FROM alerts";
    let (mut count, mut sum): (i64, i64) =
        connection.prepare_cached(sums)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    while count > alerts || sum > bytes {
        let oldest = "DELETE FROM alerts WHERE rowid =
                          (SELECT rowid FROM alerts ORDER BY position, ordinal LIMIT 1) RETURNING bytes";
        let gone: Option<i64> =
            connection.prepare_cached(oldest)?.query_row([], |row| row.get(0)).optional()?;
        let Some(gone) = gone else { break };
        (count, sum) = (count - 1, sum - gone);
    }
    Ok(())
}
