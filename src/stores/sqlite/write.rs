//! From heads into chunks, inside one transaction.

use std::collections::VecDeque;

use rusqlite::{Connection, OptionalExtension, params};

use super::chunk::{CHUNK_READINGS, CHUNK_READINGS_MAX, Codec};
use super::paged::Paged;
use super::row::{Row, settle};

/// A sensor's last chunk takes further readings while it has fewer than this.
/// More would rewrite much; less would leave many small chunks behind.
const TAIL_READINGS: usize = 32;

/// Room for rows that is kept from one head to the next. More is given back, or
/// what a burst took would be pinned for ever.
const ROWS_KEPT: usize = 4 * CHUNK_READINGS_MAX;

/// Empties it, and lets go of what a burst took.
pub(super) fn empty(rows: &mut Vec<Row>) {
    rows.clear();
    rows.shrink_to(ROWS_KEPT);
}

/// What is known of a sensor's last chunk without asking, with its last instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tail {
    /// It must be looked up.
    Unknown,
    /// The sensor has no chunk.
    Absent,
    /// It takes no more.
    Full { t1: i64 },
    /// It takes more, in its row.
    Short { id: i64, t1: i64 },
}

impl Tail {
    fn of(id: i64, t1: i64, readings: u32) -> Tail {
        if (readings as usize) < TAIL_READINGS { Tail::Short { id, t1 } } else { Tail::Full { t1 } }
    }
}

/// A [`Tail`] in 16 bytes: there is one for every sensor.
#[derive(Debug, Clone, Copy, Default)]
struct Note {
    /// A row, or one of the below. No row has a number below one.
    id: i64,
    t1: i64,
}

impl Note {
    const UNKNOWN: i64 = 0;
    const ABSENT: i64 = -1;
    const FULL: i64 = -2;

    fn of(tail: Tail) -> Note {
        match tail {
            Tail::Unknown => Note { id: Note::UNKNOWN, t1: 0 },
            Tail::Absent => Note { id: Note::ABSENT, t1: 0 },
            Tail::Full { t1 } => Note { id: Note::FULL, t1 },
            Tail::Short { id, t1 } => Note { id, t1 },
        }
    }

    fn tail(self) -> Tail {
        let Note { id, t1 } = self;
        match id {
            Note::ABSENT => Tail::Absent,
            Note::FULL => Tail::Full { t1 },
            1.. => Tail::Short { id, t1 },
            _ => Tail::Unknown,
        }
    }
}

/// A chunk as it stands.
#[derive(Debug)]
struct Chunk {
    id: i64,
    blob: Vec<u8>,
}

/// Writes chunks; holds what must not be allocated anew for each.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    codec: Codec,
    tails: Paged<Note>,
    merged: Vec<Row>,
    /// Chunks that did not read back and were set aside in this transaction.
    pub(super) rotten: u64,
}

impl Chunks {
    /// Forgets what it knows of these sensors: their transaction failed, or
    /// somebody else removed chunks of theirs.
    pub(super) fn forget(&mut self, sensors: &[u32]) {
        for &sensor in sensors {
            if let Some(note) = self.tails.get_mut(sensor as usize) {
                *note = Note::of(Tail::Unknown);
            }
        }
    }

    /// Puts a sensor's readings into its chunks. `rows` are in order.
    pub(super) fn put(&mut self, connection: &Connection, sensor: u32, rows: &[Row]) -> rusqlite::Result<()> {
        let tail = self.tail(connection, sensor)?;
        let late = match tail {
            Tail::Full { t1 } | Tail::Short { t1, .. } => rows.partition_point(|row| row.observed <= t1),
            Tail::Unknown | Tail::Absent => 0,
        };
        let (late, fresh) = rows.split_at(late);
        let mut tail = tail;
        if !late.is_empty() {
            self.merge(connection, sensor, late)?;
            self.forget(&[sensor]);
            tail = self.tail(connection, sensor)?;
        }
        if fresh.is_empty() {
            return Ok(());
        }
        let short = match tail {
            Tail::Short { id, .. } => Some(id),
            Tail::Full { .. } | Tail::Unknown | Tail::Absent => None,
        };
        let mut merged = std::mem::take(&mut self.merged);
        merged.clear();
        let mut replaces = None;
        if let Some(id) = short {
            let blob: Vec<u8> = connection
                .prepare_cached("SELECT blob FROM c WHERE id = ?1")?
                .query_row([id], |row| row.get(0))?;
            replaces = self.unpack(connection, &Chunk { id, blob }, &mut merged)?;
        }
        let known = if merged.is_empty() {
            self.write(connection, sensor, fresh, replaces)?
        } else {
            merged.extend_from_slice(fresh);
            self.write(connection, sensor, &merged, replaces)?
        };
        *self.tails.grown(sensor as usize) = Note::of(known);
        empty(&mut merged);
        self.merged = merged;
        Ok(())
    }

    fn tail(&mut self, connection: &Connection, sensor: u32) -> rusqlite::Result<Tail> {
        let known = self.tails.grown(sensor as usize);
        if known.tail() == Tail::Unknown {
            let select = "SELECT id, t1, n FROM c WHERE sensor = ?1 ORDER BY t0 DESC LIMIT 1";
            let found = connection
                .prepare_cached(select)?
                .query_row([sensor], |row| Ok(Tail::of(row.get(0)?, row.get(1)?, row.get(2)?)));
            *known = Note::of(found.optional()?.unwrap_or(Tail::Absent));
        }
        Ok(known.tail())
    }

    /// Puts late readings where they belong. A later one of the same instant
    /// takes the place of the one before.
    fn merge(&mut self, connection: &Connection, sensor: u32, late: &[Row]) -> rusqlite::Result<()> {
        let mut late: VecDeque<Row> = late.iter().copied().collect();
        let mut merged = std::mem::take(&mut self.merged);
        while let Some(first) = late.front() {
            let chunk = chunk_for(connection, sensor, first.observed)?;
            let next = next_begin(connection, sensor, first.observed, chunk.as_ref())?;
            merged.clear();
            let replaces = match chunk {
                Some(chunk) => self.unpack(connection, &chunk, &mut merged)?,
                None => None,
            };
            while let Some(row) = late.front().filter(|row| next.is_none_or(|next| row.observed < next)) {
                merged.push(*row);
                late.pop_front();
            }
            settle(&mut merged);
            self.write(connection, sensor, &merged, replaces)?;
        }
        empty(&mut merged);
        self.merged = merged;
        Ok(())
    }

    /// Appends a chunk's rows. One that does not read back is set aside, so
    /// that it stands in nobody's way; then there is nothing to replace.
    fn unpack(
        &mut self,
        connection: &Connection,
        chunk: &Chunk,
        rows: &mut Vec<Row>,
    ) -> rusqlite::Result<Option<i64>> {
        if self.codec.decode(&chunk.blob, rows).is_ok() {
            return Ok(Some(chunk.id));
        }
        let insert = "INSERT INTO rotten (sensor, t0, t1, n, blob)
                      SELECT sensor, t0, t1, n, blob FROM c WHERE id = ?1";
        connection.prepare_cached(insert)?.execute([chunk.id])?;
        connection.prepare_cached("DELETE FROM c WHERE id = ?1")?.execute([chunk.id])?;
        self.rotten += 1;
        Ok(None)
    }

    /// Writes rows as one chunk, or as several even ones. The first takes the
    /// place of `replaces`. Returns the last.
    fn write(
        &mut self,
        connection: &Connection,
        sensor: u32,
        rows: &[Row],
        replaces: Option<i64>,
    ) -> rusqlite::Result<Tail> {
        // A chunk that late readings made a little longer is left whole.
        let most = if replaces.is_some() { CHUNK_READINGS_MAX } else { CHUNK_READINGS };
        let pieces = if rows.len() <= most { 1 } else { rows.len().div_ceil(CHUNK_READINGS) };
        let mut replaces = replaces;
        let mut tail = Tail::Unknown;
        for piece in rows.chunks(rows.len().div_ceil(pieces).max(1)) {
            let (Some(first), Some(last)) = (piece.first(), piece.last()) else { continue };
            let p1 = piece.iter().map(|row| row.position).max().unwrap_or_default() as i64;
            let (n, blob) = (piece.len() as u32, self.codec.encode(piece));
            let id = if let Some(id) = replaces.take() {
                let update = "UPDATE c SET t0 = ?2, t1 = ?3, n = ?4, p1 = ?5, blob = ?6 WHERE id = ?1";
                let mut update = connection.prepare_cached(update)?;
                update.execute(params![id, first.observed, last.observed, n, p1, blob])?;
                id
            } else {
                let insert = "INSERT INTO c (sensor, t0, t1, n, p1, blob) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
                let mut insert = connection.prepare_cached(insert)?;
                insert.insert(params![sensor, first.observed, last.observed, n, p1, blob])?
            };
            tail = Tail::of(id, last.observed, n);
        }
        Ok(tail)
    }
}

/// The chunk that an instant belongs to: the last that begins at or before it,
/// else the sensor's first.
fn chunk_for(connection: &Connection, sensor: u32, observed: i64) -> rusqlite::Result<Option<Chunk>> {
    let before = "SELECT id, blob FROM c WHERE sensor = ?1 AND t0 <= ?2 ORDER BY t0 DESC LIMIT 1";
    let first = "SELECT id, blob FROM c WHERE sensor = ?1 ORDER BY t0 LIMIT 1";
    let chunk = |row: &rusqlite::Row<'_>| Ok(Chunk { id: row.get(0)?, blob: row.get(1)? });
    let found = connection.prepare_cached(before)?.query_row(params![sensor, observed], chunk).optional()?;
    if found.is_some() {
        return Ok(found);
    }
    connection.prepare_cached(first)?.query_row([sensor], chunk).optional()
}

/// Where the chunk after that one begins.
fn next_begin(
    connection: &Connection,
    sensor: u32,
    observed: i64,
    chunk: Option<&Chunk>,
) -> rusqlite::Result<Option<i64>> {
    let Some(chunk) = chunk else { return Ok(None) };
    let select = "SELECT t0 FROM c WHERE sensor = ?1 AND t0 > ?2 AND id <> ?3 ORDER BY t0 LIMIT 1";
    let mut select = connection.prepare_cached(select)?;
    select.query_row(params![sensor, observed, chunk.id], |row| row.get(0)).optional()
}
