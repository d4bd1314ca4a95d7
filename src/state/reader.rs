//! The reading side: what commands, pages and couriers ask of `state.db`.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use forewarn_core::ids::{Key, OutputId, Position, SourceIx, TargetIx};
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::warning::{Due, Incident, Revision, TroubleCode};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Params, Row, params};

use super::rows::{
    DeliveryRow, LedgerRow, Notice, QuarantineRow, TroubleRow, WarningDetail, WarningRow, id_blob, id_from,
    state_from, status_from,
};
use super::{BUSY_MAX, StateError, meta};
use crate::ports::{Archive, Hold, Leaves, Outstanding, Resume};

pub(super) const DELIVERY: &str =
    "SELECT d.key, d.warning, d.number, d.target, coalesce(t.id, ''), d.round, d.state, d.death,
        (SELECT count(*) FROM attempts a WHERE a.key IN (d.key, d.digest)),
        (SELECT a.at FROM attempts a WHERE a.key IN (d.key, d.digest) ORDER BY a.id DESC LIMIT 1),
        (SELECT a.outcome FROM attempts a WHERE a.key IN (d.key, d.digest) ORDER BY a.id DESC LIMIT 1),
        nullif(d.digest, d.key)
    FROM deliveries d LEFT JOIN targets t ON t.ix = d.target";

/// A read-only view of `state.db`, beside a running writer or without one.
/// Each call reads one consistent state; none holds a transaction open.
#[derive(Debug)]
pub struct StateReader {
    path: PathBuf,
    opened: Mutex<Opened>,
}

/// A connection, and the file it was made to.
#[derive(Debug)]
struct Opened {
    file: Option<FileId>,
    connection: Connection,
}

/// Device and inode.
type FileId = (u64, u64);

pub(super) type Read<T> = Result<T, StateError>;

impl StateReader {
    /// Opens an existing file; writes nothing to it.
    pub fn open_read_only(path: &Path) -> Read<StateReader> {
        let opened = Opened::open(path).map_err(|source| StateError::sqlite(path, source))?;
        Ok(StateReader { path: path.to_owned(), opened: Mutex::new(opened) })
    }

    /// The position of the last event in it.
    pub fn cursor(&self) -> Read<Position> {
        let connection = self.lock();
        self.cursor_of(&connection)
    }

    /// Warnings that have not ended, newest first.
    pub fn active_warnings(&self, limit: usize) -> Read<Vec<WarningRow>> {
        self.warnings("WHERE w.ended = 0", limit)
    }

    /// Warnings by hand that have not ended, newest first.
    pub fn standing_by_hand(&self, limit: usize) -> Read<Vec<WarningRow>> {
        self.warnings("WHERE w.ended = 0 AND w.about = 'manual'", limit)
    }

    /// All warnings, newest first.
    pub fn recent_warnings(&self, limit: usize) -> Read<Vec<WarningRow>> {
        self.warnings("", limit)
    }

    /// One warning by the digest of its id, with revisions and deliveries.
    pub fn warning(&self, digest: Key) -> Read<Option<WarningDetail>> {
        let connection = self.lock();
        let select = "SELECT id, ended FROM warnings WHERE digest = ?1";
        let found: Option<([u8; 36], bool)> = connection
            .query_row(select, [digest.0], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
            .map_err(|source| self.fault(source))?;
        let Some((id, ended)) = found else { return Ok(None) };
        let revisions = "SELECT body FROM revisions WHERE warning = ?1 ORDER BY number";
        let revisions: Vec<Vec<u8>> = self.rows(&connection, revisions, [id], |row| row.get(0))?;
        let revisions = revisions.iter().map(|body| self.decode(body)).collect::<Read<_>>()?;
        let select = format!("{DELIVERY} WHERE d.warning = ?1 ORDER BY d.number, d.target, d.round");
        let deliveries = self.rows(&connection, &select, [id], delivery)?;
        let acknowledgements = self.acknowledgements(&connection, id)?;
        let select = "SELECT body FROM orders WHERE warning = ?1 ORDER BY position, id";
        let notes: Vec<Vec<u8>> = self.rows(&connection, select, [id], |row| row.get(0))?;
        let notes = notes.iter().map(|body| self.decode(body)).collect::<Read<_>>()?;
        Ok(Some(WarningDetail { digest, ended, revisions, deliveries, acknowledgements, notes }))
    }

    /// Deliveries without an outcome, oldest first.
    pub fn outstanding_deliveries(&self, limit: usize) -> Read<Vec<DeliveryRow>> {
        let select =
            format!("{DELIVERY} WHERE d.state = 'queued' ORDER BY d.position, d.ordinal, d.target LIMIT ?1");
        self.rows(&self.lock(), &select, [limit as i64], delivery)
    }

    /// Deliveries that were given up, newest first; without those whose receiver has it by now.
    pub fn dead_letters(&self, limit: usize) -> Read<Vec<DeliveryRow>> {
        let select = format!(
            "{DELIVERY} WHERE d.state = 'dead' AND NOT EXISTS (
                 SELECT 1 FROM deliveries later WHERE later.warning = d.warning AND later.target = d.target
                     AND later.state = 'accepted' AND (later.number, later.round) > (d.number, d.round))
             ORDER BY d.decided DESC LIMIT ?1"
        );
        self.rows(&self.lock(), &select, [limit as i64], delivery)
    }

    /// The courier's notes of one delivery, oldest first: civil time and words.
    pub fn attempts(&self, key: Key) -> Read<Vec<(Timestamp, String)>> {
        let select = "SELECT at, outcome FROM attempts WHERE key = ?1 ORDER BY id";
        self.rows(&self.lock(), select, [key.0], |row| Ok((Timestamp(row.get(0)?), row.get(1)?)))
    }

    /// What was not understood, newest first.
    pub fn quarantine(&self, limit: usize) -> Read<Vec<QuarantineRow>> {
        let select = "SELECT id, position, source, topic, bytes, reason, received FROM quarantine
                      ORDER BY id DESC LIMIT ?1";
        self.rows(&self.lock(), select, [limit as i64], quarantined)
    }

    /// One message in quarantine.
    pub fn quarantined(&self, id: i64) -> Read<Option<QuarantineRow>> {
        let select =
            "SELECT id, position, source, topic, bytes, reason, received FROM quarantine WHERE id = ?1";
        Ok(self.rows(&self.lock(), select, [id], quarantined)?.pop())
    }

    /// Every incident as it stands, by hazard and area.
    pub fn incidents(&self) -> Read<Vec<Incident>> {
        let select = "SELECT body FROM incidents ORDER BY hazard, area";
        let bodies: Vec<Vec<u8>> = self.rows(&self.lock(), select, [], |row| row.get(0))?;
        bodies.iter().map(|body| self.decode(body)).collect()
    }

    /// Every trouble that is there, oldest first.
    pub fn troubles(&self) -> Read<Vec<TroubleRow>> {
        let select = "SELECT code, subject, detail, since FROM troubles ORDER BY since, code, subject";
        self.rows(&self.lock(), select, [], |row| {
            Ok(TroubleRow {
                code: row.get(0)?,
                subject: row.get(1)?,
                detail: row.get(2)?,
                since: Timestamp(row.get(3)?),
            })
        })
    }

    /// Breaches that came too late to warn, newest first.
    pub fn ledger(&self, limit: usize) -> Read<Vec<LedgerRow>> {
        let select = "SELECT at, body FROM ledger ORDER BY position DESC, ordinal DESC LIMIT ?1";
        let rows: Vec<(i64, Vec<u8>)> =
            self.rows(&self.lock(), select, [limit as i64], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let row = |(at, body): &(i64, Vec<u8>)| {
            Ok(LedgerRow { at: Timestamp(*at), would_have: self.decode(body)? })
        };
        rows.iter().map(row).collect()
    }

    /// Refused plans and conflicts, newest first.
    pub fn notices(&self, limit: usize) -> Read<Vec<Notice>> {
        let select = "SELECT at, kind, words FROM notices ORDER BY position DESC, ordinal DESC LIMIT ?1";
        self.rows(&self.lock(), select, [limit as i64], |row| {
            Ok(Notice { at: Timestamp(row.get(0)?), kind: row.get(1)?, words: row.get(2)? })
        })
    }

    /// Where a courier goes on from, with the first `page` of what is outstanding.
    pub fn resume(&self, page: usize) -> Read<Resume> {
        let connection = self.lock();
        let transaction = connection.unchecked_transaction().map_err(|source| self.fault(source))?;
        let cursor = self.cursor_of(&transaction)?;
        let number = |name| meta::<i64>(&transaction, name).map_err(|source| self.fault(source));
        let offset = Span(number("offset")?.unwrap_or_default());
        let trusted = number("trusted")? == Some(1);
        let held = "SELECT 1 FROM troubles WHERE code = ?1";
        let held = self.rows(&transaction, held, [TroubleCode::Held.word()], |_| Ok(()))?;
        let hold = if held.is_empty() { Hold::No } else { Hold::UntilResumed };
        let targets = self.rows(&transaction, "SELECT ix, id FROM targets", [], |row| {
            Ok((TargetIx(row.get(0)?), row.get(1)?))
        })?;
        let told = "SELECT d.warning, d.target, max(d.number) FROM warnings w
                    JOIN deliveries d ON d.warning = w.id
                    WHERE w.ended = 0 AND d.state <> 'superseded' GROUP BY d.warning, d.target";
        let told = self.rows(&transaction, told, [], |row| {
            Ok((id_from(row.get(0)?), TargetIx(row.get(1)?), row.get(2)?))
        })?;
        let outstanding = self.page(&transaction, (-1, 0, 0, 0), cursor, page)?;
        let (bundled, said) = (self.bundled(&transaction)?, self.said(&transaction)?);
        Ok(Resume {
            cursor,
            offset,
            trusted,
            hold,
            targets: targets.into_iter().collect(),
            outstanding,
            bundled,
            said,
            told,
        })
    }

    pub(super) fn cursor_of(&self, connection: &Connection) -> Read<Position> {
        let cursor: Option<i64> = meta(connection, "cursor").map_err(|source| self.fault(source))?;
        Ok(Position(cursor.unwrap_or_default().unsigned_abs()))
    }

    fn warnings(&self, which: &str, limit: usize) -> Read<Vec<WarningRow>> {
        let select = format!(
            "SELECT w.digest, w.ended, r.body FROM warnings w
             JOIN revisions r ON r.warning = w.id AND r.number = w.number
             {which} ORDER BY w.position DESC, w.id DESC LIMIT ?1"
        );
        let rows: Vec<([u8; 16], bool, Vec<u8>)> =
            self.rows(&self.lock(), &select, [limit as i64], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
        let row = |(digest, ended, body): &([u8; 16], bool, Vec<u8>)| {
            Ok(WarningRow { newest: self.decode(body)?, digest: Key(*digest), ended: *ended })
        };
        rows.iter().map(row).collect()
    }

    /// What was released up to `upto` and has no outcome, after a place in the order of release;
    /// without what is in a digest, which is taken as a whole.
    fn page(
        &self,
        connection: &Connection,
        after: (i64, u32, u32, u32),
        upto: Position,
        limit: usize,
    ) -> Read<Vec<Outstanding>> {
        let select = "SELECT d.warning, d.number, d.target, d.round, r.body, d.status, d.digest IS NOT NULL
                      FROM deliveries d
                      JOIN revisions r ON r.warning = d.warning AND r.number = d.number
                      WHERE d.state = 'queued' AND d.released <= ?5 AND (d.digest IS NULL OR d.digest = d.key)
                          AND (d.position, d.ordinal, d.target, d.round) > (?1, ?2, ?3, ?4)
                      ORDER BY d.position, d.ordinal, d.target, d.round LIMIT ?6";
        let values = params![after.0, after.1, after.2, after.3, upto.0 as i64, limit as i64];
        let rows: Vec<Released> = self.rows(connection, select, values, |row| {
            let due = Due { target: TargetIx(row.get(2)?), round: row.get(3)? };
            let leaves = if row.get(6)? { Leaves::Alone } else { Leaves::Open };
            Ok((row.get(0)?, row.get(1)?, (due, row.get(5)?, leaves), row.get(4)?))
        })?;
        let mut page: Vec<Outstanding> = Vec::with_capacity(rows.len());
        for (_, _, (due, status, leaves), body) in &rows {
            let (due, status, leaves) = (*due, status_from(status), *leaves);
            // Rows of one revision stand together and share its body.
            let revision: Revision = match page.last() {
                Some(last) if same_revision(&rows, page.len()) => {
                    page.push(Outstanding { revision: Arc::clone(&last.revision), due, status, leaves });
                    continue;
                }
                Some(_) | None => self.decode(body)?,
            };
            page.push(Outstanding { revision: Arc::new(revision), due, status, leaves });
        }
        Ok(page)
    }

    pub(super) fn rows<T, P: Params>(
        &self,
        connection: &Connection,
        select: &str,
        values: P,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Read<Vec<T>> {
        let rows = || -> rusqlite::Result<Vec<T>> {
            let mut statement = connection.prepare_cached(select)?;
            statement.query_map(values, read)?.collect()
        };
        rows().map_err(|source| self.fault(source))
    }

    pub(super) fn decode<'b, T: minicbor::Decode<'b, ()>>(&self, body: &'b [u8]) -> Read<T> {
        minicbor::decode(body).map_err(|source| StateError::Body { path: self.path.clone(), source })
    }

    pub(super) fn fault(&self, source: rusqlite::Error) -> StateError {
        StateError::sqlite(&self.path, source)
    }

    pub(super) fn lock(&self) -> Locked<'_> {
        // A panic in a read leaves nothing half done: the connection is as good as before.
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        // A rebuild puts another file in its place; until that is whole, the old one answers.
        if file_id(&self.path).is_some_and(|now| opened.file != Some(now))
            && let Ok(new) = Opened::open(&self.path)
        {
            *opened = new;
        }
        Locked(opened)
    }
}

/// The connection to the file that stands there now.
pub(super) struct Locked<'a>(MutexGuard<'a, Opened>);

impl std::ops::Deref for Locked<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0.connection
    }
}

impl Opened {
    fn open(path: &Path) -> rusqlite::Result<Opened> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        // Before it is opened: one that is replaced in between is opened once more.
        let file = file_id(path);
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_MAX)?;
        Ok(Opened { file, connection })
    }
}

fn file_id(path: &Path) -> Option<FileId> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

impl Archive for StateReader {
    fn reached(&self) -> anyhow::Result<Position> {
        Ok(self.cursor()?)
    }

    fn revision(&self, warning: &OutputId, number: u32) -> anyhow::Result<Option<Arc<Revision>>> {
        let select = "SELECT body FROM revisions WHERE warning = ?1 AND number = ?2";
        let bodies: Vec<Vec<u8>> =
            self.rows(&self.lock(), select, params![id_blob(warning), number], |row| row.get(0))?;
        Ok(bodies.first().map(|body| self.decode(body)).transpose()?.map(Arc::new))
    }

    fn outstanding(
        &self,
        after: &Outstanding,
        upto: Position,
        limit: usize,
    ) -> anyhow::Result<Vec<Outstanding>> {
        let id = &after.revision.id;
        let place = (id.position.0 as i64, id.ordinal, after.due.target.0, after.due.round);
        Ok(self.page(&self.lock(), place, upto, limit)?)
    }
}

/// A row of what was released: warning, number, to whom under which status and how, revision.
type Released = ([u8; 36], u32, (Due, String, Leaves), Vec<u8>);

fn same_revision<A: PartialEq, B: PartialEq, C, D>(rows: &[(A, B, C, D)], at: usize) -> bool {
    at > 0 && rows[at].0 == rows[at - 1].0 && rows[at].1 == rows[at - 1].1
}

pub(super) fn delivery(row: &Row<'_>) -> rusqlite::Result<DeliveryRow> {
    let (state, death): (String, Option<String>) = (row.get(6)?, row.get(7)?);
    let state = state_from(&state, death.as_deref())
        .ok_or_else(|| rusqlite::Error::InvalidColumnName(format!("state {state:?}, death {death:?}")))?;
    let note: (Option<i64>, Option<String>) = (row.get(9)?, row.get(10)?);
    Ok(DeliveryRow {
        key: Key(row.get(0)?),
        warning: id_from(row.get(1)?),
        number: row.get(2)?,
        target: TargetIx(row.get(3)?),
        target_id: row.get(4)?,
        round: row.get(5)?,
        state,
        attempts: row.get(8)?,
        note: note.0.map(Timestamp).zip(note.1),
        digest: row.get::<_, Option<[u8; 16]>>(11)?.map(Key),
    })
}

pub(super) fn quarantined(row: &Row<'_>) -> rusqlite::Result<QuarantineRow> {
    Ok(QuarantineRow {
        id: row.get(0)?,
        position: Position(row.get::<_, i64>(1)?.unsigned_abs()),
        source: SourceIx(row.get(2)?),
        topic: row.get(3)?,
        bytes: row.get(4)?,
        reason: row.get(5)?,
        received: Timestamp(row.get(6)?),
    })
}
