//! What keeps the file from growing for ever. Every transaction that adds rows
//! takes old ones away, in bounded steps.

use forewarn_core::time::{Span, Timestamp};
use rusqlite::{OptionalExtension, Result, Transaction, params};

use super::apply::put;
use super::digests;
use super::meta;
use super::orders::STANDING;
use super::schema::{
    ATTEMPTS_ROWS_MAX, ENDED_KEPT, ENDED_STEP, NEWS_ROWS_MAX, ORDERS_ROWS_MAX, QUARANTINE_BYTES_MAX,
    QUARANTINE_ROWS_MAX,
};

/// In `meta`: bytes of all messages in quarantine.
const QUARANTINE_BYTES: &str = "quarantine_bytes";

/// Which warnings that have ended stay.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    /// So many of the newest, however old.
    pub(super) rows: i64,
    /// And all whose last revision is younger, however many.
    pub(super) age: Span,
    /// So many go in one transaction at most.
    pub(super) step: i64,
}

impl Ended {
    pub(super) const KEPT: Ended = Ended { rows: ENDED_KEPT.0, age: ENDED_KEPT.1, step: ENDED_STEP };
}

/// Warnings that ended long ago go with their revisions, deliveries and
/// attempts; never one that has a delivery without an outcome. `now` is the
/// civil time of the newest record.
pub(super) fn warnings(transaction: &Transaction<'_>, kept: &Ended, now: Timestamp) -> Result<()> {
    let before = now - kept.age;
    // In order of the log, hence nearly of time: mostly the oldest is young enough.
    let oldest = "SELECT sent FROM warnings WHERE ended = 1 ORDER BY position LIMIT 1";
    let oldest: Option<i64> =
        transaction.prepare_cached(oldest)?.query_row([], |row| row.get(0)).optional()?;
    if oldest.is_none_or(|sent| sent >= before.0) {
        return Ok(());
    }
    let gone = "SELECT id FROM warnings w WHERE ended = 1 AND sent < ?1
                    AND position < (SELECT position FROM warnings WHERE ended = 1
                                    ORDER BY position DESC LIMIT 1 OFFSET ?2)
                    AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.warning = w.id AND d.state = 'queued')
                ORDER BY position LIMIT ?3";
    let values = params![before.0, (kept.rows - 1).max(0), kept.step];
    let gone: Vec<[u8; 36]> =
        transaction.prepare_cached(gone)?.query_map(values, |row| row.get(0))?.collect::<Result<_>>()?;
    for id in &gone {
        for delete in [
            "DELETE FROM attempts WHERE key IN (SELECT key FROM deliveries WHERE warning = ?1)",
            "DELETE FROM deliveries WHERE warning = ?1",
            "DELETE FROM revisions WHERE warning = ?1",
            "DELETE FROM acknowledgements WHERE warning = ?1",
            "DELETE FROM orders WHERE warning = ?1",
            "DELETE FROM warnings WHERE id = ?1",
        ] {
            transaction.prepare_cached(delete)?.execute([*id])?;
        }
    }
    if !gone.is_empty() {
        digests::trim(transaction)?;
    }
    Ok(())
}

/// The newest of the ledger and of the notices are kept.
pub(super) fn news(transaction: &Transaction<'_>) -> Result<()> {
    for table in ["ledger", "notices"] {
        let trim = format!(
            "DELETE FROM {table} WHERE (position, ordinal) IN (SELECT position, ordinal FROM {table}
             ORDER BY position DESC, ordinal DESC LIMIT -1 OFFSET ?1)"
        );
        transaction.prepare_cached(&trim)?.execute([NEWS_ROWS_MAX])?;
    }
    Ok(())
}

/// The newest drafts, mutes and notes are kept, and all that is not over.
pub(super) fn orders(transaction: &Transaction<'_>) -> Result<()> {
    let trim = format!(
        "DELETE FROM orders WHERE state NOT IN ({STANDING}) AND (kind, id) IN
             (SELECT kind, id FROM orders ORDER BY position DESC LIMIT -1 OFFSET ?1)"
    );
    transaction.prepare_cached(&trim)?.execute([ORDERS_ROWS_MAX])?;
    Ok(())
}

/// The newest attempts are kept.
pub(super) fn attempts(transaction: &Transaction<'_>) -> Result<()> {
    let trim = "DELETE FROM attempts WHERE id <= (SELECT max(id) FROM attempts) - ?1";
    transaction.prepare_cached(trim)?.execute([ATTEMPTS_ROWS_MAX])?;
    Ok(())
}

/// The newest messages are kept, by number and by bytes. `added` bytes came in
/// with this transaction; the oldest go one by one, about as many as came.
pub(super) fn quarantine(transaction: &Transaction<'_>, added: i64) -> Result<()> {
    let mut bytes = match meta::<i64>(transaction, QUARANTINE_BYTES)? {
        Some(before) => before + added,
        // A file from before the sum was kept.
        None => {
            transaction
                .query_row("SELECT coalesce(sum(length(bytes)), 0) FROM quarantine", [], |row| row.get(0))?
        }
    };
    let ends =
        "SELECT id, length(bytes), (SELECT max(id) FROM quarantine) FROM quarantine ORDER BY id LIMIT 1";
    let mut ends = transaction.prepare_cached(ends)?;
    let mut delete = transaction.prepare_cached("DELETE FROM quarantine WHERE id = ?1")?;
    while let Some((oldest, length, newest)) = ends
        .query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)))
        .optional()?
    {
        if bytes <= QUARANTINE_BYTES_MAX && newest - oldest < QUARANTINE_ROWS_MAX {
            break;
        }
        delete.execute([oldest])?;
        bytes -= length;
    }
    put(transaction, QUARANTINE_BYTES, bytes)
}
