//! Photographs of the engine: taken at a durable position, written by a thread
//! of their own, read back before they count. One that a later release took is
//! none to go by, and stands in no other's place.

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

use super::upgrade::Upgrade;

/// Events between two photographs at least: as many as a start can step through in a moment.
const EVENTS_APART: u64 = 1_000_000;
/// And so many for each sensor: of a million, a photograph is most of a gigabyte.
const EVENTS_APART_A_SENSOR: u64 = 4;

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
    upgrade: Arc<Upgrade>,
}

struct Photograph {
    engine: Engine,
    position: Position,
    _under_way: Arc<()>,
}

/// Why a snapshot is none to go by.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// A later release took it. Its bytes may well decode here, and mean something else.
    #[error("{file}: taken by engine version {version}, expected {ENGINE_VERSION} or earlier")]
    Newer {
        /// Where it stands.
        file: String,
        /// Of the engine that took it.
        version: u32,
    },
    /// It cannot be read, or not as it was written.
    #[error(transparent)]
    Io(#[from] io::Error),
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
    pub fn start(data: &Path, last: Position, upgrade: Arc<Upgrade>) -> io::Result<Self> {
        let dir = folder(data);
        fs::create_dir_all(&dir)?;
        sweep(&dir)?;
        let trimmable = Arc::new(AtomicU64::new(second_newest(&dir).0));
        let (writer, photographs) = sync_channel::<Photograph>(1);
        let (into, behind, kept) = (dir.clone(), trimmable.clone(), upgrade.clone());
        let thread = std::thread::Builder::new().name("snapshots".into()).spawn(move || {
            for photograph in photographs {
                let position = photograph.position.0;
                match write(&into, photograph, kept.kept()) {
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
        Ok(Snapshots { dir, last, writer: Some(writer), thread: Some(thread), trimmable, under_way, upgrade })
    }

    /// The log may be trimmed below here for all that snapshots need of it.
    pub fn trimmable(&self) -> Position {
        let second_newest = Position(self.trimmable.load(Ordering::Acquire));
        self.upgrade.kept().map_or(second_newest, |kept| kept.min(second_newest))
    }

    /// The disk fills: lets go of what may go.
    pub fn yield_room(&self) {
        self.upgrade.yield_room();
    }

    /// Takes one if it is time.
    pub fn consider(&mut self, engine: &Engine, position: Position) {
        if position.0 - self.last.0 >= apart(engine.plan().sensors.len()) {
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
            && let Err(error) = write(&self.dir, self.photograph(engine, position), self.upgrade.kept())
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

/// Events between two photographs of so many sensors.
fn apart(sensors: usize) -> u64 {
    EVENTS_APART.max(EVENTS_APART_A_SENSOR * sensors as u64)
}

/// Where the snapshots of a data directory stand.
pub(super) fn folder(data: &Path) -> PathBuf {
    data.join("snapshots")
}

/// The snapshot at a position.
pub(super) fn path(dir: &Path, position: Position) -> PathBuf {
    dir.join(format!("{:020}.snap", position.0))
}

/// Writes one and reads it back, and takes away what it makes superfluous, but
/// for the one to be kept. Returns how many bytes it takes.
fn write(dir: &Path, photograph: Photograph, kept: Option<Position>) -> io::Result<u64> {
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
        return Err(io::Error::other(error));
    }
    let oldest = own(dir).get(KEPT - 1).copied().unwrap_or_default();
    for old in list(dir).into_iter().filter(|position| *position < oldest && Some(*position) != kept) {
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
    list(&folder(data)).first().copied().unwrap_or_default()
}

fn second_newest(dir: &Path) -> Position {
    own(dir).get(1).copied().unwrap_or_default()
}

/// Those that this release can go by, as far as their heads say, newest first.
fn own(dir: &Path) -> Vec<Position> {
    let version = |position: &Position| {
        let mut head = [0; 12];
        File::open(path(dir, *position)).and_then(|mut file| file.read_exact(&mut head)).ok()?;
        Some(u32::from_le_bytes(head[8..].try_into().expect("four bytes")))
    };
    let is_own = |position: &Position| version(position).is_some_and(|version| version <= ENGINE_VERSION);
    list(dir).into_iter().filter(is_own).collect()
}

/// The snapshots of a data directory, newest first: each read back, or what is wrong with it.
pub fn all(data: &Path) -> impl Iterator<Item = (PathBuf, Result<Snapshot, Unread>)> {
    let dir = folder(data);
    list(&dir).into_iter().map(move |position| {
        let path = path(&dir, position);
        let snapshot = read(&path);
        (path, snapshot)
    })
}

/// Takes away the snapshots of what the log does not have: beside a restored
/// log, those of another life.
pub fn forget_after(data: &Path, end: Position) -> io::Result<()> {
    let dir = folder(data);
    for ahead in list(&dir).into_iter().filter(|position| *position > end) {
        warn!(position = ahead.0, end = end.0, "a snapshot is ahead of the log: taken away");
        fs::remove_file(path(&dir, ahead))?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<Snapshot, Unread> {
    let mut bytes = Vec::new();
    let (engine_version, position, plan) = check(path, &mut bytes)?;
    Ok(Snapshot { position, plan, engine_version, bytes })
}

/// Reads a snapshot into `body`, and returns what its header says; refuses one
/// that does not read back as it was written, or that a later release took.
fn check(path: &Path, body: &mut dyn Write) -> Result<(u32, Position, PlanId), Unread> {
    let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {what}", path.display()));
    let mut file = File::open(path)?;
    let mut header = [0; HEADER];
    file.read_exact(&mut header).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => bad("shorter than its header"),
        _ => error,
    })?;
    let (summed, sum) = header.split_at(HEADER - SUM);
    if !summed.starts_with(MAGIC) {
        return Err(bad("not a snapshot, expected it to begin with fwsnap01").into());
    }
    let mut sink = Summed { into: body, sum: crc32fast::Hasher::new() };
    sink.sum.update(summed);
    io::copy(&mut file, &mut sink)?;
    if sink.sum.finalize().to_le_bytes() != sum {
        return Err(bad("does not read back as it was written").into());
    }
    let four = |at: usize| summed[at..at + 4].try_into().expect("the header is long enough");
    let eight = |at: usize| summed[at..at + 8].try_into().expect("the header is long enough");
    let engine_version = u32::from_le_bytes(four(8));
    if engine_version > ENGINE_VERSION {
        return Err(Unread::Newer { file: path.display().to_string(), version: engine_version });
    }
    let plan = PlanId(summed[20..52].try_into().expect("the header is long enough"));
    Ok((engine_version, Position(u64::from_le_bytes(eight(12))), plan))
}

#[cfg(test)]
mod tests;
