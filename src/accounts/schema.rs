//! The tables of `accounts.db`.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::{AccountsError, Result};

/// The form that this release writes and reads.
pub(super) const FORM: i64 = 1;

/// How long a change waits for another one.
const BUSY_MAX: Duration = Duration::from_secs(5);

/// Times are civil, microseconds; hashes are SHA-256 but for `password`.
const TABLES: &str = "
CREATE TABLE accounts (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE COLLATE NOCASE, role TEXT NOT NULL, areas TEXT,
    password TEXT NOT NULL, created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE tokens (
    id TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE, name TEXT NOT NULL, prefix TEXT NOT NULL,
    role TEXT NOT NULL, areas TEXT, created INTEGER NOT NULL, expires INTEGER NOT NULL, revoked INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE sessions (
    hash BLOB PRIMARY KEY, account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    begun INTEGER NOT NULL, seen INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_of ON sessions (account, seen);
CREATE TABLE first (
    one INTEGER PRIMARY KEY CHECK (one = 1), hash BLOB NOT NULL, expires INTEGER NOT NULL
) STRICT;
";

/// Opens the file, or makes it.
pub(super) fn open(path: &Path) -> Result<Connection> {
    // Made first and for its owner alone: SQLite gives its side files the same mode.
    File::options().append(true).create(true).mode(0o600).open(path)?;
    prepared(Connection::open(path)?)
}

pub(super) fn in_memory() -> Result<Connection> {
    prepared(Connection::open_in_memory()?)
}

fn prepared(mut connection: Connection) -> Result<Connection> {
    connection.busy_timeout(BUSY_MAX)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // What was revoked stays revoked after a power cut.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "secure_delete", true)?;
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let form: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match form {
        0 => {
            transaction.execute_batch(TABLES)?;
            transaction.pragma_update(None, "user_version", FORM)?;
        }
        FORM => {}
        other => return Err(AccountsError::Form(other)),
    }
    transaction.commit()?;
    Ok(connection)
}
