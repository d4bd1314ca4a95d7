//! What leaves together: which deliveries are in which digest, as the log fixed it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use forewarn_core::event::Bundle;
use forewarn_core::ids::{Key, OutputId, Position, TargetIx};
use forewarn_core::time::Timestamp;
use forewarn_core::warning::{Due, Revision};
use rusqlite::{Connection, Result, Transaction, params};

use super::reader::{Read, StateReader};
use super::rows::{id_from, status_from};
use super::seen::holds_now;
use crate::ports::{Bundled, Leaves, Outstanding, SAID_KEPT, Said};

/// Takes in what the log fixed at an engine time. What stands in a message
/// already is in no other.
pub(super) fn fixed(
    transaction: &Transaction<'_>,
    bundle: &Bundle,
    at: Timestamp,
    position: Position,
) -> Result<()> {
    let insert = "INSERT OR IGNORE INTO digests (key, target, members, level, position, at_engine)
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    transaction.prepare_cached(insert)?.execute(params![
        bundle.key.0,
        bundle.target.0,
        bundle.members.len() as i64,
        bundle.level.index() as i64,
        position.0 as i64,
        at.0,
    ])?;
    let mut update =
        transaction.prepare_cached("UPDATE deliveries SET digest = ?2 WHERE key = ?1 AND digest IS NULL")?;
    for member in &bundle.members {
        update.execute(params![member.0, bundle.key.0])?;
    }
    // One that went alone is remembered for the pace of its target alone.
    let old = "DELETE FROM digests WHERE members = 1 AND at_engine < ?1";
    transaction.prepare_cached(old)?.execute([(at - SAID_KEPT).0])?;
    Ok(())
}

/// Digests of which no delivery is left go with the last.
pub(super) fn trim(transaction: &Transaction<'_>) -> Result<()> {
    let gone = "DELETE FROM digests WHERE members > 1
                AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.digest = digests.key)";
    transaction.prepare_cached(gone)?.execute([])?;
    Ok(())
}

/// What a digest's page shows: the newest revision of each warning in it.
#[derive(Debug, Clone, PartialEq)]
pub struct DigestPage {
    /// Whose page it is.
    pub target: TargetIx,
    /// The newest revision of each warning, and the delivery that brought it here.
    pub newest: Vec<(Revision, Key)>,
    /// Which of these deliveries' warnings were acknowledged as they hold now, and where that had reached them.
    pub acknowledged: Vec<(Key, TargetIx)>,
    /// The position of the log that all of it holds at.
    pub upto: Position,
}

/// Whose a digest is, and the warnings in it with the number of a revision of each.
pub type DigestWarnings = (TargetIx, Vec<(OutputId, u32)>);

/// A delivery in a digest: its key, warning and number, to whom, under which status.
struct Member {
    delivery: Key,
    of: ([u8; 36], u32),
    due: Due,
    status: String,
    is_open: bool,
}

impl StateReader {
    /// Digests of which some deliveries have no outcome, each whole.
    pub(super) fn bundled(&self, connection: &Connection) -> Read<Vec<Bundled>> {
        let keys = "SELECT DISTINCT digest FROM deliveries
                    WHERE state = 'queued' AND digest IS NOT NULL AND digest <> key";
        let keys: Vec<[u8; 16]> = self.rows(connection, keys, [], |row| row.get(0))?;
        // Fifty people are told of the same ten thousand warnings.
        let mut known: BTreeMap<([u8; 36], u32), Arc<Revision>> = BTreeMap::new();
        keys.into_iter().map(|key| self.bundled_one(connection, Key(key), &mut known)).collect()
    }

    fn bundled_one(
        &self,
        connection: &Connection,
        key: Key,
        known: &mut BTreeMap<([u8; 36], u32), Arc<Revision>>,
    ) -> Read<Bundled> {
        let select = "SELECT d.key, d.warning, d.number, d.target, d.round, d.status, d.state = 'queued'
                      FROM deliveries d WHERE d.digest = ?1 ORDER BY d.position, d.ordinal, d.round";
        let rows: Vec<Member> = self.rows(connection, select, [key.0], |row| {
            let due = Due { target: TargetIx(row.get(3)?), round: row.get(4)? };
            let (delivery, status) = (Key(row.get(0)?), row.get(5)?);
            Ok(Member { delivery, of: (row.get(1)?, row.get(2)?), due, status, is_open: row.get(6)? })
        })?;
        let (mut members, mut decided) = (Vec::with_capacity(rows.len()), BTreeSet::new());
        for Member { delivery, of, due, status, is_open } in rows {
            let revision = if let Some(revision) = known.get(&of) {
                Arc::clone(revision)
            } else {
                let select = "SELECT body FROM revisions WHERE warning = ?1 AND number = ?2";
                let bodies: Vec<Vec<u8>> =
                    self.rows(connection, select, params![of.0, of.1], |row| row.get(0))?;
                let Some(body) = bodies.first() else { continue };
                let revision: Arc<Revision> = Arc::new(self.decode(body)?);
                known.insert(of, Arc::clone(&revision));
                revision
            };
            if !is_open {
                decided.insert(delivery);
            }
            members.push(Outstanding { revision, due, status: status_from(&status), leaves: Leaves::Open });
        }
        Ok(Bundled { key, members, decided })
    }

    /// What was said lately, oldest first.
    pub(super) fn said(&self, connection: &Connection) -> Read<Vec<Said>> {
        let select = "SELECT target, at_engine, members > 1 FROM digests
                      WHERE at_engine > (SELECT max(at_engine) FROM digests) - ?1 ORDER BY at_engine, key";
        self.rows(connection, select, [SAID_KEPT.0], |row| {
            Ok(Said { target: TargetIx(row.get(0)?), at: Timestamp(row.get(1)?), is_digest: row.get(2)? })
        })
    }

    /// The page of a digest; `None` for one that is not known, or no longer.
    pub fn digest_page(&self, key: Key) -> Read<Option<DigestPage>> {
        let connection = self.lock();
        let transaction = connection.unchecked_transaction().map_err(|source| self.fault(source))?;
        let select = "SELECT target FROM digests WHERE key = ?1 AND members > 1";
        let target = self.rows(&transaction, select, [key.0], |row| Ok(TargetIx(row.get(0)?)))?;
        let Some(&target) = target.first() else { return Ok(None) };
        let select = "SELECT r.body, d.key FROM deliveries d
                      JOIN warnings w ON w.id = d.warning
                      JOIN revisions r ON r.warning = w.id AND r.number = w.number
                      WHERE d.digest = ?1 ORDER BY d.position, d.ordinal, d.round";
        let rows: Vec<(Vec<u8>, [u8; 16])> =
            self.rows(&transaction, select, [key.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let newest: Vec<(Revision, Key)> =
            rows.iter().map(|(body, key)| Ok((self.decode(body)?, Key(*key)))).collect::<Read<_>>()?;
        let select = format!(
            "SELECT d.key, a.target FROM deliveries d
             JOIN acknowledgements a ON a.warning = d.warning WHERE d.digest = ?1 AND {}",
            holds_now()
        );
        let acknowledged =
            self.rows(&transaction, &select, [key.0], |row| Ok((Key(row.get(0)?), TargetIx(row.get(1)?))))?;
        let upto = self.cursor_of(&transaction)?;
        Ok(Some(DigestPage { target, newest, acknowledged, upto }))
    }

    /// The warnings of a digest, each with the number of its newest revision up to
    /// a position, and whose digest it is; `None` for one that is not known, or no longer.
    pub fn digest_upto(&self, key: Key, upto: Position) -> Read<Option<DigestWarnings>> {
        let connection = self.lock();
        let select = "SELECT target FROM digests WHERE key = ?1 AND members > 1";
        let target = self.rows(&connection, select, [key.0], |row| Ok(TargetIx(row.get(0)?)))?;
        let Some(&target) = target.first() else { return Ok(None) };
        let select = "SELECT d.warning, max(r.number) FROM deliveries d
                      JOIN revisions r ON r.warning = d.warning AND r.position <= ?2
                      WHERE d.digest = ?1 GROUP BY d.warning ORDER BY d.warning";
        let values = params![key.0, i64::try_from(upto.0).unwrap_or(i64::MAX)];
        let warnings =
            self.rows(&connection, select, values, |row| Ok((id_from(row.get(0)?), row.get(1)?)))?;
        Ok(Some((target, warnings)))
    }
}
