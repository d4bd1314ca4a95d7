//! Reading a sensor's history: chunks and head as one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use forewarn_core::ids::SensorIx;
use forewarn_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::chunk::Codec;
use super::heads::Heads;
use super::row::{Row, settle};
use crate::ports::Kept;
use crate::stores::bucket::{Bucket, Buckets};

/// Heads as the writer and its readers share them.
pub(super) type SharedHeads = Arc<Mutex<Heads>>;

/// Nobody panics while holding it.
pub(super) fn lock(heads: &SharedHeads) -> MutexGuard<'_, Heads> {
    heads.lock().expect("no holder of this lock panics")
}

/// What can be asked of a file, with or without the heads of its writer.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub(super) connection: &'a Connection,
    pub(super) heads: Option<&'a SharedHeads>,
}

impl View<'_> {
    /// Readings in `[from, to)`, oldest first, at most `limit` of the newest.
    pub(super) fn range(
        &self,
        sensor: SensorIx,
        (from, to): (Timestamp, Timestamp),
        limit: usize,
    ) -> anyhow::Result<Vec<Kept>> {
        // Heads first: what leaves them meanwhile is then in the chunks.
        let mut rows = self.head(sensor, from, to);
        let head = rows.len();
        let mut codec = Codec::default();
        let mut select = self
            .connection
            .prepare_cached("SELECT t1, blob FROM c WHERE sensor = ?1 AND t0 < ?2 ORDER BY t0 DESC")?;
        let mut chunks = select.query(params![sensor.0, to.0])?;
        let mut chunk = vec![];
        while rows.len() - head < limit {
            let Some(found) = chunks.next()? else { break };
            let t1: i64 = found.get(0)?;
            if t1 < from.0 {
                break;
            }
            chunk.clear();
            codec.decode(found.get_ref(1)?.as_blob()?, &mut chunk)?;
            rows.extend(chunk.iter().filter(|row| (from.0..to.0).contains(&row.observed)));
        }
        settle(&mut rows);
        let newest = rows.len().saturating_sub(limit);
        Ok(rows[newest..].iter().map(|row| row.kept(sensor)).collect())
    }

    /// The newest reading.
    pub(super) fn latest(&self, sensor: SensorIx) -> anyhow::Result<Option<Kept>> {
        let mut rows = self.head(sensor, Timestamp::MIN, Timestamp::MAX);
        let select = "SELECT blob FROM c WHERE sensor = ?1 ORDER BY t0 DESC LIMIT 1";
        let blob: Option<Vec<u8>> =
            self.connection.prepare_cached(select)?.query_row([sensor.0], |row| row.get(0)).optional()?;
        if let Some(blob) = blob {
            Codec::default().decode(&blob, &mut rows)?;
        }
        settle(&mut rows);
        Ok(rows.last().map(|row| row.kept(sensor)))
    }

    /// `[from, to)` in `buckets` parts of equal length; those without a reading are left out.
    pub(super) fn downsampled(
        &self,
        sensor: SensorIx,
        (from, to): (Timestamp, Timestamp),
        buckets: usize,
    ) -> anyhow::Result<Vec<Bucket>> {
        let mut out = Buckets::new(from, to, buckets);
        let mut head = self.head(sensor, from, to);
        settle(&mut head);
        let mut head = VecDeque::from(head);
        let mut codec = Codec::default();
        let mut select = self.connection.prepare_cached(
            "SELECT blob FROM c WHERE sensor = ?1 AND t0 < ?3 AND t0 >= coalesce(
                (SELECT max(t0) FROM c WHERE sensor = ?1 AND t0 <= ?2), ?2)
             ORDER BY t0",
        )?;
        let mut chunks = select.query(params![sensor.0, from.0, to.0])?;
        let mut chunk: Vec<Row> = vec![];
        while let Some(found) = chunks.next()? {
            chunk.clear();
            codec.decode(found.get_ref(0)?.as_blob()?, &mut chunk)?;
            for row in chunk.iter().filter(|row| (from.0..to.0).contains(&row.observed)) {
                while let Some(before) = head.pop_front_if(|it| it.observed < row.observed) {
                    out.add(&before.kept(sensor));
                }
                let same = head.pop_front_if(|it| it.observed == row.observed);
                out.add(&same.filter(|it| it.position >= row.position).unwrap_or(*row).kept(sensor));
            }
        }
        for row in &head {
            out.add(&row.kept(sensor));
        }
        Ok(out.finish())
    }

    fn head(&self, sensor: SensorIx, from: Timestamp, to: Timestamp) -> Vec<Row> {
        let Some(heads) = self.heads else { return vec![] };
        let mut rows = vec![];
        lock(heads).read(sensor, &mut rows);
        rows.retain(|row| from.0 <= row.observed && (row.observed < to.0 || to == Timestamp::MAX));
        rows
    }
}
