//! The embedded store, `readings.db`: per-sensor chunks in `SQLite`, and the
//! newest readings in memory until there are enough of them for a chunk.
//!
//! The cursor on the disk stands before the oldest reading that is only in
//! memory: after a crash the log is read again from there, and nothing is lost.

mod begun;
mod chunk;
mod column;
mod head;
mod heads;
mod paged;
mod pool;
mod read;
mod row;
mod schema;
mod step;
mod write;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use forewarn_core::ids::{Position, SensorIx};
use forewarn_core::plan::Plan;
use forewarn_core::time::Timestamp;
use rusqlite::{Connection, TransactionBehavior, params};

use super::bucket::Bucket;
use super::{Batching, Member};
use crate::ports::{Kept, Store};
use heads::{Heads, SENSORS_MAX};
use read::{SharedHeads, View, lock};
use row::{Row, settle};
use write::{Chunks, empty};

pub use schema::Origin;

/// The file's name in the data directory.
pub const FILE: &str = "readings.db";

/// Readings handed over at once; more go in portions.
const PORTION: usize = 1 << 16;
/// A commit is synced when the last synced one is so long ago; the others
/// follow with it.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// Chunks removed by one transaction, so that none takes long.
const EXPIRED_MAX: u32 = 1_024;
/// Gaps that are remembered; beyond, the oldest are forgotten.
const GAPS_MAX: u32 = 1_000;

/// Whether a commit is on the disk once it returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Syncs {
    WhenDue,
    Now,
}

/// The one writer of `readings.db`.
#[derive(Debug)]
pub struct Sqlite {
    path: PathBuf,
    connection: Connection,
    heads: SharedHeads,
    chunks: Chunks,
    /// The cursor as last committed, and as last known to be on the disk.
    committed: Position,
    synced: Position,
    synced_at: Instant,
    picks: Vec<u32>,
    rows: Vec<Row>,
    rot: Option<String>,
}

impl Sqlite {
    /// Opens or creates the file; see [`Origin`] for one that is of another log.
    pub fn open(path: &Path, origin: Origin) -> anyhow::Result<Sqlite> {
        let opened = schema::open(path, origin);
        let schema::Opened { connection, cursor, rot } =
            opened.with_context(|| format!("cannot open {}", path.display()))?;
        Ok(Sqlite {
            path: path.to_owned(),
            connection,
            heads: Arc::new(Mutex::new(Heads::new(cursor))),
            chunks: Chunks::default(),
            committed: cursor,
            synced: cursor,
            synced_at: Instant::now(),
            picks: vec![],
            rows: vec![],
            rot,
        })
    }

    /// What a closed file says it has kept up to, for the log to know what it
    /// must still have; `None` when there is none that says.
    pub fn cursor_of(path: &Path) -> Option<Position> {
        schema::cursor_of(path)
    }

    /// A reader beside this writer, which sees what is only in memory as well.
    pub fn reader(&self) -> anyhow::Result<Readings> {
        Readings::open(&self.path, Some(Arc::clone(&self.heads)))
    }

    /// The history of a sensor in at most so many parts of equal length.
    pub fn downsampled(
        &self,
        sensor: SensorIx,
        from: Timestamp,
        to: Timestamp,
        buckets: usize,
    ) -> anyhow::Result<Vec<Bucket>> {
        self.view().downsampled(sensor, (from, to), buckets)
    }

    /// Positions that were never kept: the log no longer had them.
    pub fn gaps(&self) -> anyhow::Result<Vec<(Position, Position)>> {
        let mut select = self.connection.prepare("SELECT first, last FROM gap ORDER BY first")?;
        let gap = |row: &rusqlite::Row<'_>| {
            let (first, last): (i64, i64) = (row.get(0)?, row.get(1)?);
            Ok((Position(first as u64), Position(last as u64)))
        };
        let gaps = select.query_map([], gap)?.collect::<Result<_, _>>()?;
        Ok(gaps)
    }

    fn view(&self) -> View<'_> {
        View { connection: &self.connection, heads: Some(&self.heads) }
    }

    /// Writes the picked heads and the cursor in one transaction. On an error
    /// the readings stay in memory and none of them is in the file.
    fn write_picks(&mut self, syncs: Syncs) -> anyhow::Result<()> {
        let picks = std::mem::take(&mut self.picks);
        let written = self.transact(&picks, syncs);
        if written.is_ok() {
            lock(&self.heads).clear(&picks);
        } else {
            lock(&self.heads).put_back(&picks);
            self.chunks.forget(&picks);
            self.chunks.rotten = 0;
        }
        self.picks = picks;
        written.with_context(|| format!("cannot write {}", self.path.display()))
    }

    fn transact(&mut self, picks: &[u32], syncs: Syncs) -> rusqlite::Result<()> {
        let sync = match syncs {
            Syncs::WhenDue => self.synced_at.elapsed() >= SYNC_EVERY,
            Syncs::Now => true,
        };
        // In the write-ahead log, one full sync makes all earlier commits durable too.
        self.connection.pragma_update(None, "synchronous", if sync { "FULL" } else { "NORMAL" })?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for &sensor in picks {
            empty(&mut self.rows);
            lock(&self.heads).read(SensorIx(sensor), &mut self.rows);
            settle(&mut self.rows);
            self.chunks.put(&transaction, sensor, &self.rows)?;
        }
        let cursor = lock(&self.heads).cursor();
        schema::put_meta(&transaction, "cursor", cursor.0 as i64)?;
        transaction.commit()?;
        self.committed = cursor;
        if sync {
            self.synced = cursor;
            self.synced_at = Instant::now();
        }
        if self.chunks.rotten > 0 {
            let chunks = std::mem::take(&mut self.chunks.rotten);
            metrics::counter!("forewarn_store_rotten_chunks_total").increment(chunks);
            tracing::error!(
                chunks,
                "chunks of readings do not read back, they are set aside in table rotten"
            );
            self.rot = Some(format!("chunks of readings in {} do not read back", self.path.display()));
        }
        Ok(())
    }

    /// Whether all that was committed is on the disk too.
    fn is_synced(&self) -> bool {
        self.synced == self.committed
    }
}

impl Store for Sqlite {
    fn keep(&mut self, rows: &[Kept], upto: Position) -> anyhow::Result<()> {
        if let Some(stray) = rows.iter().find(|row| row.checked.reading.sensor.index() >= SENSORS_MAX) {
            bail!("sensor #{}, expected an index below {SENSORS_MAX}", stray.checked.reading.sensor.0);
        }
        let before = lock(&self.heads).kept();
        let mut portions = rows.chunks(PORTION).peekable();
        loop {
            let portion = portions.next().unwrap_or_default();
            loop {
                lock(&self.heads).pick(portion.len(), &mut self.picks);
                if !self.picks.is_empty() {
                    self.write_picks(Syncs::WhenDue)?;
                }
                if !lock(&self.heads).is_full(portion.len()) {
                    break;
                }
            }
            let last = portions.peek().is_none();
            lock(&self.heads).put(portion, if last { upto } else { before });
            if last {
                return Ok(());
            }
        }
    }

    fn cursor(&self) -> anyhow::Result<Position> {
        Ok(self.committed)
    }

    fn range(
        &self,
        sensor: SensorIx,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> anyhow::Result<Vec<Kept>> {
        self.view().range(sensor, (from, to), limit)
    }

    fn latest(&self, sensor: SensorIx) -> anyhow::Result<Option<Kept>> {
        self.view().latest(sensor)
    }
}

impl Member for Sqlite {
    fn name(&self) -> &'static str {
        "embedded"
    }

    fn batching(&self) -> Batching {
        Batching { readings: 1 << 14, wait: Duration::from_millis(20) }
    }

    /// Sensors are kept by index; what they are called does not matter here.
    fn plan_is(&mut self, _: &dyn Fn() -> Arc<Plan>) {}

    fn gap(&mut self, first: Position, last: Position) -> anyhow::Result<()> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let insert = "INSERT OR REPLACE INTO gap (first, last) VALUES (?1, ?2)";
        transaction.execute(insert, params![first.0 as i64, last.0 as i64])?;
        let forget =
            "DELETE FROM gap WHERE first NOT IN (SELECT first FROM gap ORDER BY first DESC LIMIT ?1)";
        transaction.execute(forget, [GAPS_MAX])?;
        transaction.commit()?;
        Ok(())
    }

    fn expire(&mut self, before: Timestamp) -> anyhow::Result<()> {
        let sensors: Vec<u32> = {
            let mut delete = self.connection.prepare_cached(
                "DELETE FROM c WHERE id IN (SELECT id FROM c WHERE t1 < ?1 LIMIT ?2) RETURNING sensor",
            )?;
            delete.query_map(params![before.0, EXPIRED_MAX], |row| row.get(0))?.collect::<Result<_, _>>()?
        };
        self.chunks.forget(&sensors);
        Ok(())
    }

    fn rest(&mut self) -> anyhow::Result<()> {
        if !self.is_synced() && self.synced_at.elapsed() >= SYNC_EVERY {
            self.picks.clear();
            self.write_picks(Syncs::Now)?;
        }
        Ok(())
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        loop {
            lock(&self.heads).pick_any(&mut self.picks);
            if self.picks.is_empty() {
                break;
            }
            self.write_picks(Syncs::WhenDue)?;
        }
        self.write_picks(Syncs::Now)
    }

    fn synced(&self) -> Position {
        self.synced
    }

    fn rot(&self) -> Option<String> {
        self.rot.clone()
    }
}

/// Reads `readings.db` beside its writer or without one. Each call sees one
/// consistent state; none holds a transaction open.
#[derive(Debug)]
pub struct Readings {
    connection: Connection,
    heads: Option<SharedHeads>,
}

impl Readings {
    /// Opens an existing file; writes nothing to it. What its writer has only
    /// in memory (at most some hours) is not seen: that stands in the log.
    pub fn open_read_only(path: &Path) -> anyhow::Result<Readings> {
        Readings::open(path, None)
    }

    fn open(path: &Path, heads: Option<SharedHeads>) -> anyhow::Result<Readings> {
        let connection = schema::open_read_only(path);
        let connection = connection.with_context(|| format!("cannot open {} to read", path.display()))?;
        Ok(Readings { connection, heads })
    }

    /// Up to where the file has kept the log.
    pub fn cursor(&self) -> anyhow::Result<Position> {
        let select = "SELECT value FROM meta WHERE name = 'cursor'";
        let cursor: i64 = self.connection.query_row(select, [], |row| row.get(0))?;
        Ok(Position(cursor as u64))
    }

    /// Readings in `[from, to)`, oldest first, at most `limit` of the newest.
    pub fn range(
        &self,
        sensor: SensorIx,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> anyhow::Result<Vec<Kept>> {
        self.view().range(sensor, (from, to), limit)
    }

    /// The newest reading of a sensor.
    pub fn latest(&self, sensor: SensorIx) -> anyhow::Result<Option<Kept>> {
        self.view().latest(sensor)
    }

    /// The history of a sensor in at most so many parts of equal length.
    pub fn downsampled(
        &self,
        sensor: SensorIx,
        from: Timestamp,
        to: Timestamp,
        buckets: usize,
    ) -> anyhow::Result<Vec<Bucket>> {
        self.view().downsampled(sensor, (from, to), buckets)
    }

    fn view(&self) -> View<'_> {
        View { connection: &self.connection, heads: self.heads.as_ref() }
    }
}
