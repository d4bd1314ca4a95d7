//! Photographs of the engine: taken at a durable position, written by a thread
//! of their own, read back before they count.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use forewarn_core::engine::{ENGINE_VERSION, Engine};
use forewarn_core::ids::Position;
use forewarn_core::plan::PlanId;
use minicbor::encode::write::Writer;
use tracing::{info, warn};

/// Events between two photographs: as many as a start can step through in a moment.
const EVENTS_APART: u64 = 1_000_000;

/// How many are kept: should the newest not read back, the one before serves.
const KEPT: usize = 2;

const MAGIC: &[u8; 8] = b"fwsnap01";
/// What a snapshot is called until it is whole.
const DRAFT: &str = "draft";
const SUM: usize = 4;
const HEADER: usize = 8 + 4 + 8 + 32 + SUM;

/// Takes a photograph now and then.
#[derive(Debug)]
pub struct Snapshots {
    dir: PathBuf,
    last: Position,
    writer: Option<SyncSender<Photograph>>,
    thread: Option<JoinHandle<()>>,
    trimmable: Arc<AtomicU64>,
    /// Whoever holds it besides is a photograph under way.
    under_way: Arc<()>,
}

struct Photograph {
    engine: Engine,
    position: Position,
    _under_way: Arc<()>,
}

/// A photograph read back.
#[derive(Debug)]
pub struct Snapshot {
    /// The events up to here are in it.
    pub position: Position,
    /// The plan that was in force.
    pub plan: PlanId,
    /// Version of the engine that took it: this one or an earlier one.
    pub engine_version: u32,
    /// The engine's own bytes.
    pub bytes: Vec<u8>,
}

impl Snapshots {
    /// Writes into `data/snapshots`; `last` is the position of the newest that is there.
    pub fn start(data: &Path, last: Position) -> io::Result<Self> {
        let dir = data.join("snapshots");
        fs::create_dir_all(&dir)?;
        sweep(&dir)?;
        let trimmable = Arc::new(AtomicU64::new(second_newest(&dir).0));
        let (writer, photographs) = sync_channel::<Photograph>(1);
        let (into, behind) = (dir.clone(), trimmable.clone());
        let thread = std::thread::Builder::new().name("snapshots".into()).spawn(move || {
            for photograph in photographs {
                let position = photograph.position.0;
                match write(&into, photograph) {
                    Ok(bytes) => {
                        info!(position, bytes, "snapshot written and read back");
                    }
                    Err(error) => {
                        warn!(%error, "snapshot not written: the next start replays more of the log");
                    }
                }
                behind.store(second_newest(&into).0, Ordering::Release);
            }
        })?;
        let under_way = Arc::new(());
        Ok(Snapshots { dir, last, writer: Some(writer), thread: Some(thread), trimmable, under_way })
    }

    /// The log may be trimmed below here for all that snapshots need of it.
    pub fn trimmable(&self) -> Position {
        Position(self.trimmable.load(Ordering::Acquire))
    }

    /// Takes one if it is time.
    pub fn consider(&mut self, engine: &Engine, position: Position) {
        if position.0 - self.last.0 >= EVENTS_APART {
            self.take(engine, position);
        }
    }

    /// The last one of a run, so that the next start has nothing to replay.
    pub fn last(mut self, engine: &Engine, position: Position) {
        // First the thread has done what it was given: two that write and prune at
        // once would take away each other's.
        self.writer = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            warn!("the snapshot thread stumbled");
        }
        if position > self.last
            && let Err(error) = write(&self.dir, self.photograph(engine, position))
        {
            warn!(%error, "last snapshot not written: the next start replays more of the log");
        }
    }

    fn take(&mut self, engine: &Engine, position: Position) {
        let Some(writer) = &self.writer else { return };
        // One under way at most. While a slow disk has it, none is taken in vain
        // with every commit: each takes a pointer a page of all that the engine knows.
        if Arc::strong_count(&self.under_way) > 1 {
            return;
        }
        match writer.try_send(self.photograph(engine, position)) {
            Ok(()) => self.last = position,
            Err(TrySendError::Full(_)) => {}
            Err(TrySendError::Disconnected(_)) => {
                warn!("the snapshot thread stumbled: no more snapshots in this run");
                self.writer = None;
            }
        }
    }

    fn photograph(&self, engine: &Engine, position: Position) -> Photograph {
        Photograph { engine: engine.freeze(), position, _under_way: Arc::clone(&self.under_way) }
    }
}

fn path(dir: &Path, position: Position) -> PathBuf {
    dir.join(format!("{:020}.snap", position.0))
}

/// Writes one and reads it back; returns how many bytes it takes.
fn write(dir: &Path, photograph: Photograph) -> io::Result<u64> {
    let target = path(dir, photograph.position);
    let draft = target.with_extension(DRAFT);
    if let Err(error) = put_down(&draft, photograph).and_then(|()| fs::rename(&draft, &target)) {
        // Most likely the disk is full: half a snapshot must not keep it so.
        let _ = fs::remove_file(&draft);
        return Err(error);
    }
    File::open(dir)?.sync_all()?;
    if let Err(error) = check(&target, &mut io::sink()) {
        let _ = fs::remove_file(&target);
        return Err(error);
    }
    for old in list(dir).into_iter().skip(KEPT) {
        fs::remove_file(path(dir, old))?;
    }
    fs::metadata(&target).map(|known| known.len())
}

/// Piece by piece: many sensors make many megabytes, and what is written is let go.
fn put_down(path: &Path, photograph: Photograph) -> io::Result<()> {
    let mut header = Vec::with_capacity(HEADER);
    header.extend_from_slice(MAGIC);
    header.extend_from_slice(&ENGINE_VERSION.to_le_bytes());
    header.extend_from_slice(&photograph.position.0.to_le_bytes());
    header.extend_from_slice(&photograph.engine.plan_id().0);
    let mut sink = Summed { into: BufWriter::new(File::create(path)?), sum: crc32fast::Hasher::new() };
    sink.write_all(&header)?;
    // The sum has its place in front, and is known at the end.
    sink.into.write_all(&[0; SUM])?;
    let body = photograph.engine.write_out(Writer::new(&mut sink));
    body.map_err(|error| io::Error::other(error.to_string()))?;
    let Summed { into, sum } = sink;
    let mut file = into.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.seek(SeekFrom::Start(header.len() as u64))?;
    file.write_all(&sum.finalize().to_le_bytes())?;
    file.sync_all()
}

/// Sums up what passes through.
struct Summed<W> {
    into: W,
    sum: crc32fast::Hasher,
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.into.write(bytes)?;
        self.sum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.into.flush()
    }
}

/// Takes away what a crash left half written.
fn sweep(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == DRAFT) {
            warn!(path = %path.display(), "a snapshot that was never finished: taken away");
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Positions of the snapshots that are there, newest first; they may not read back.
fn list(dir: &Path) -> Vec<Position> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut positions: Vec<Position> = entries
        .filter_map(|entry| {
            entry.ok()?.file_name().to_str()?.strip_suffix(".snap")?.parse().ok().map(Position)
        })
        .collect();
    positions.sort_unstable_by(|a, b| b.cmp(a));
    positions
}

/// Position of the newest snapshot that is there: the log had it, durably.
pub fn newest(data: &Path) -> Position {
    list(&data.join("snapshots")).first().copied().unwrap_or_default()
}

fn second_newest(dir: &Path) -> Position {
    list(dir).get(1).copied().unwrap_or_default()
}

/// The snapshots of a data directory, newest first: each read back, or what is wrong with it.
pub fn all(data: &Path) -> impl Iterator<Item = (PathBuf, io::Result<Snapshot>)> {
    let dir = data.join("snapshots");
    list(&dir).into_iter().map(move |position| {
        let path = path(&dir, position);
        let snapshot = read(&path);
        (path, snapshot)
    })
}

/// Takes away the snapshots of what the log does not have: beside a restored
/// log, those of another life.
pub fn forget_after(data: &Path, end: Position) -> io::Result<()> {
    let dir = data.join("snapshots");
    for ahead in list(&dir).into_iter().filter(|position| *position > end) {
        warn!(position = ahead.0, end = end.0, "a snapshot is ahead of the log: taken away");
        fs::remove_file(path(&dir, ahead))?;
    }
    Ok(())
}

fn read(path: &Path) -> io::Result<Snapshot> {
    let mut bytes = Vec::new();
    let (engine_version, position, plan) = check(path, &mut bytes)?;
    Ok(Snapshot { position, plan, engine_version, bytes })
}

/// Reads a snapshot into `body`, and returns what its header says; refuses one
/// that does not read back as it was written, or that a later release took.
fn check(path: &Path, body: &mut dyn Write) -> io::Result<(u32, Position, PlanId)> {
    let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {what}", path.display()));
    let mut file = File::open(path)?;
    let mut header = [0; HEADER];
    file.read_exact(&mut header).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => bad("shorter than its header"),
        _ => error,
    })?;
    let (summed, sum) = header.split_at(HEADER - SUM);
    if !summed.starts_with(MAGIC) {
        return Err(bad("not a snapshot, expected it to begin with fwsnap01"));
    }
    let mut sink = Summed { into: body, sum: crc32fast::Hasher::new() };
    sink.sum.update(summed);
    io::copy(&mut file, &mut sink)?;
    if sink.sum.finalize().to_le_bytes() != sum {
        return Err(bad("does not read back as it was written"));
    }
    let four = |at: usize| summed[at..at + 4].try_into().expect("the header is long enough");
    let eight = |at: usize| summed[at..at + 8].try_into().expect("the header is long enough");
    let engine_version = u32::from_le_bytes(four(8));
    if engine_version > ENGINE_VERSION {
        // Its bytes may well decode here, and mean something else.
        return Err(bad(&format!(
            "taken by engine version {engine_version}, expected {ENGINE_VERSION} or earlier; is this an older release?"
        )));
    }
    let plan = PlanId(summed[20..52].try_into().expect("the header is long enough"));
    Ok((engine_version, Position(u64::from_le_bytes(eight(12))), plan))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn photograph(position: u64) -> Photograph {
        Photograph { engine: Engine::default(), position: Position(position), _under_way: Arc::new(()) }
    }

    #[test]
    fn those_ahead_of_a_restored_log_are_forgotten() {
        let data = tempfile::tempdir().expect("a temporary directory");
        let dir = data.path().join("snapshots");
        fs::create_dir_all(&dir).expect("writable");
        for position in [10, 20] {
            write(&dir, photograph(position)).expect("writable");
        }
        forget_after(data.path(), Position(19)).expect("writable");
        assert_eq!(list(&dir), [Position(10)]);
    }

    #[test]
    fn two_are_kept_and_a_rotten_one_is_told_from_a_good_one() {
        let data = tempfile::tempdir().expect("a temporary directory");
        let dir = data.path().join("snapshots");
        fs::create_dir_all(&dir).expect("writable");
        for position in [10, 20, 30] {
            write(&dir, photograph(position)).expect("writable");
        }
        assert_eq!(list(&dir), [Position(30), Position(20)]);
        assert_eq!(second_newest(&dir), Position(20));

        let newest = path(&dir, Position(30));
        let mut bytes = fs::read(&newest).expect("readable");
        *bytes.last_mut().expect("not empty") ^= 1;
        fs::write(&newest, bytes).expect("writable");
        let read: Vec<bool> = all(data.path()).map(|(_, snapshot)| snapshot.is_ok()).collect();
        assert_eq!(read, [false, true]);
    }

    #[test]
    fn one_of_a_newer_engine_is_refused_in_words() {
        let data = tempfile::tempdir().expect("a temporary directory");
        let dir = data.path().join("snapshots");
        fs::create_dir_all(&dir).expect("writable");
        write(&dir, photograph(10)).expect("writable");
        let path = path(&dir, Position(10));
        let mut bytes = fs::read(&path).expect("readable");
        bytes[8..12].copy_from_slice(&(ENGINE_VERSION + 1).to_le_bytes());
        let mut sum = crc32fast::Hasher::new();
        sum.update(&bytes[..HEADER - 4]);
        sum.update(&bytes[HEADER..]);
        bytes[HEADER - 4..HEADER].copy_from_slice(&sum.finalize().to_le_bytes());
        fs::write(&path, bytes).expect("writable");
        let error = read(&path).expect_err("not to be decoded by luck").to_string();
        assert!(error.contains(&format!("expected {ENGINE_VERSION} or earlier")), "{error}");
    }

    #[test]
    fn nothing_half_written_stays() {
        let data = tempfile::tempdir().expect("a temporary directory");
        let dir = data.path().join("snapshots");
        fs::create_dir_all(&dir).expect("writable");
        // A folder stands where the snapshot is to go: the rename fails.
        fs::create_dir(path(&dir, Position(10))).expect("writable");
        write(&dir, photograph(10)).expect_err("it is in the way");
        let left = || fs::read_dir(&dir).expect("readable").count();
        assert_eq!(left(), 1, "only what was in the way");

        fs::write(dir.join("00000000000000000020.draft"), "half").expect("writable");
        Snapshots::start(data.path(), Position(0)).expect("it starts").last(&Engine::default(), Position(0));
        assert_eq!(left(), 1);
    }

    #[test]
    fn while_one_is_under_way_no_other_is_taken() {
        let (writer, photographs) = sync_channel(1);
        let mut snapshots = Snapshots {
            dir: PathBuf::new(),
            last: Position(0),
            writer: Some(writer),
            thread: None,
            trimmable: Arc::default(),
            under_way: Arc::new(()),
        };
        let mut consider = |times: u64| {
            snapshots.consider(&Engine::default(), Position(times * EVENTS_APART));
            snapshots.last.0 / EVENTS_APART
        };
        assert_eq!(consider(1), 1);
        let being_written = photographs.recv().expect("it was taken");
        assert_eq!(consider(2), 1);
        drop(being_written);
        assert_eq!(consider(3), 3);
    }

    #[test]
    fn the_last_one_waits_for_those_under_way() {
        let data = tempfile::tempdir().expect("a temporary directory");
        let engine = Engine::default();
        for _ in 0..20 {
            let mut snapshots = Snapshots::start(data.path(), Position(0)).expect("it starts");
            let dir = snapshots.dir.clone();
            snapshots.consider(&engine, Position(EVENTS_APART));
            snapshots.consider(&engine, Position(2 * EVENTS_APART));
            let end = Position(2 * EVENTS_APART + 1);
            snapshots.last(&engine, end);
            let kept: Vec<bool> = all(data.path()).map(|(_, snapshot)| snapshot.is_ok()).collect();
            assert_eq!((list(&dir)[0], kept), (end, vec![true, true]), "two, whole, the last of them newest");
            fs::remove_dir_all(dir).expect("writable");
        }
    }
}
