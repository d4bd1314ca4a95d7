//! The embedded store, beside a plain table of `SQLite` with a row a reading.

use std::path::Path;
use std::time::{Duration, Instant};

use forewarn::ports::{Kept, Store as _};
use forewarn::stores::Member as _;
use forewarn::stores::sqlite::{FILE, Origin, Sqlite};
use forewarn_core::ids::Position;
use rusqlite::{Connection, params};

use crate::common::figures::Goal;
use crate::{LOG, batch, say};

const SENSORS: u64 = 100_000;
/// Readings handed over at once, as the writer of the service does.
const A_BATCH: u64 = 1 << 14;
/// Batches in all: six million readings, sixty a sensor.
const BATCHES: u64 = 366;

pub(crate) fn measure() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory on a real disk");
    let (ours, bare) = (ours(&dir.path().join(FILE)), bare(&dir.path().join("bare.db")));
    let readings = (A_BATCH * BATCHES) as f64;
    let [rate, bare_rate] = [&ours, &bare].map(|kept| readings / kept.took.as_secs_f64());
    say("embedded store, durable", "readings/s", Goal::AtLeast(1e6), rate, Some(bare_rate));
    let [each, bare_each] = [&ours, &bare].map(|kept| kept.bytes as f64 / readings);
    say("embedded store, on the disk", "bytes a reading", Goal::AtMost(13.0), each, Some(bare_each));
}

/// How long it took until all was on the disk, and how much that is.
struct Took {
    took: Duration,
    bytes: u64,
}

fn ours(path: &Path) -> Took {
    let origin = Origin { log: LOG, end: Position(A_BATCH * BATCHES) };
    let mut store = Sqlite::open(path, origin).expect("a new file");
    let took = each_batch(|rows| {
        let upto = rows.last().map_or(Position(0), |row| row.position);
        store.keep(rows, upto).expect("a sound disk");
    });
    let began = Instant::now();
    store.finish().expect("a sound disk");
    let took = took + began.elapsed();
    assert_eq!(store.synced(), Position(A_BATCH * BATCHES), "all of it is on the disk");
    drop(store);
    Took { took, bytes: size(path) }
}

/// A transaction a batch, in the write-ahead log, with one sync at the end.
fn bare(path: &Path) -> Took {
    let mut connection = Connection::open(path).expect("a new file");
    let set = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; \
               CREATE TABLE reading (sensor INTEGER, observed INTEGER, received INTEGER, value REAL)";
    connection.execute_batch(set).expect("a sound disk");
    let took = each_batch(|rows| {
        let transaction = connection.transaction().expect("nobody else writes");
        let mut insert = transaction
            .prepare_cached("INSERT INTO reading VALUES (?1, ?2, ?3, ?4)")
            .expect("a statement that is right");
        for Kept { checked, received, .. } in rows {
            let reading = checked.reading;
            insert
                .execute(params![reading.sensor.0, reading.observed.0, received.0, reading.value])
                .expect("a sound disk");
        }
        drop(insert);
        transaction.commit().expect("a sound disk");
    });
    let began = Instant::now();
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("a sound disk");
    let took = took + began.elapsed();
    drop(connection);
    Took { took, bytes: size(path) }
}

/// How long it takes to keep all batches, making them aside.
fn each_batch(mut keep: impl FnMut(&[Kept])) -> Duration {
    let mut took = Duration::ZERO;
    for n in 0..BATCHES {
        let rows = batch(n, A_BATCH, SENSORS);
        let began = Instant::now();
        keep(&rows);
        took += began.elapsed();
    }
    took
}

/// Bytes of a database, and of its write-ahead log where one is left.
fn size(path: &Path) -> u64 {
    let files = [path.to_owned(), path.with_extension("db-wal")];
    files.iter().filter_map(|path| std::fs::metadata(path).ok()).map(|known| known.len()).sum()
}
