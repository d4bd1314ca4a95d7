//! Photographs of the engine: taken at a durable position, written by a thread
//! of their own, read back before they count. One that a later release took is
//! none to go by, and stands in no other's place.

use std::fs::{self, File};
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use forewarn_core::engine::{ENGINE_VERSION, Engine};
use forewarn_core::ids::Position;
use forewarn_core::plan::PlanId;
use tracing::{info, warn};

use super::upgrade::Upgrade;

/// Events between two photographs: as many as a start can step through in a moment.
const EVENTS_APART: u64 = 1_000_000;

/// How many are kept: should the newest not read back, the one before serves.
const KEPT: usize = 2;

const MAGIC: &[u8; 8] = b"fwsnap01";
/// What a snapshot is called until it is whole.
const DRAFT: &str = "draft";
const HEADER: usize = 8 + 4 + 8 + 32 + 4;

/// Takes a photograph now and then.
#[derive(Debug)]
pub struct Snapshots {
    dir: PathBuf,
    last: Position,
    writer: Option<SyncSender<Photograph>>,
    thread: Option<JoinHandle<()>>,
    trimmable: Arc<AtomicU64>,
    upgrade: Arc<Upgrade>,
}

struct Photograph {
    engine: Engine,
    position: Position,
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
        // One photograph under way at most: the loop skips one rather than waits.
        let (writer, photographs) = sync_channel::<Photograph>(1);
        let (into, behind, kept) = (dir.clone(), trimmable.clone(), upgrade.clone());
        let thread = std::thread::Builder::new().name("snapshots".into()).spawn(move || {
            for photograph in photographs {
                match write(&into, &photograph, kept.kept()) {
                    Ok(bytes) => {
                        info!(position = photograph.position.0, bytes, "snapshot written and read back");
                    }
                    Err(error) => {
                        warn!(%error, "snapshot not written: the next start replays more of the log");
                    }
                }
                behind.store(second_newest(&into).0, Ordering::Release);
            }
        })?;
        Ok(Snapshots { dir, last, writer: Some(writer), thread: Some(thread), trimmable, upgrade })
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
            && let Err(error) =
                write(&self.dir, &Photograph { engine: engine.freeze(), position }, self.upgrade.kept())
        {
            warn!(%error, "last snapshot not written: the next start replays more of the log");
        }
    }

    fn take(&mut self, engine: &Engine, position: Position) {
        let Some(writer) = &self.writer else { return };
        match writer.try_send(Photograph { engine: engine.freeze(), position }) {
            Ok(()) => self.last = position,
            Err(TrySendError::Full(_)) => {}
            Err(TrySendError::Disconnected(_)) => {
                warn!("the snapshot thread stumbled: no more snapshots in this run");
                self.writer = None;
            }
        }
    }
}

/// Where the snapshots of a data directory stand.
pub(super) fn folder(data: &Path) -> PathBuf {
    data.join("snapshots")
}

/// The snapshot at a position.
pub(super) fn path(dir: &Path, position: Position) -> PathBuf {
    dir.join(format!("{:020}.snap", position.0))
}

/// Writes one, and takes away what it makes superfluous, but for the one to be kept.
fn write(dir: &Path, photograph: &Photograph, kept: Option<Position>) -> io::Result<usize> {
    let bytes = photograph.engine.to_bytes();
    let mut header = Vec::with_capacity(HEADER);
    header.extend_from_slice(MAGIC);
    header.extend_from_slice(&ENGINE_VERSION.to_le_bytes());
    header.extend_from_slice(&photograph.position.0.to_le_bytes());
    header.extend_from_slice(&photograph.engine.plan_id().0);
    let mut sum = crc32fast::Hasher::new();
    sum.update(&header);
    sum.update(&bytes);
    header.extend_from_slice(&sum.finalize().to_le_bytes());

    let target = path(dir, photograph.position);
    let draft = target.with_extension(DRAFT);
    if let Err(error) = put_down(&draft, &[&header, &bytes]).and_then(|()| fs::rename(&draft, &target)) {
        // Most likely the disk is full: half a snapshot must not keep it so.
        let _ = fs::remove_file(&draft);
        return Err(error);
    }
    File::open(dir)?.sync_all()?;
    if let Err(error) = read(&target) {
        let _ = fs::remove_file(&target);
        return Err(io::Error::other(error));
    }
    let oldest = own(dir).get(KEPT - 1).copied().unwrap_or_default();
    for old in list(dir).into_iter().filter(|position| *position < oldest && Some(*position) != kept) {
        fs::remove_file(path(dir, old))?;
    }
    Ok(HEADER + bytes.len())
}

fn put_down(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let mut file = File::create(path)?;
    for part in parts {
        file.write_all(part)?;
    }
    file.sync_all()
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
    let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {what}", path.display()));
    let bytes = fs::read(path)?;
    let (header, body) = bytes.split_at_checked(HEADER).ok_or_else(|| bad("shorter than its header"))?;
    let (summed, sum) = header.split_at(HEADER - 4);
    if !summed.starts_with(MAGIC) {
        return Err(bad("not a snapshot, expected it to begin with fwsnap01").into());
    }
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(summed);
    hasher.update(body);
    if hasher.finalize().to_le_bytes() != sum {
        return Err(bad("does not read back as it was written").into());
    }
    let four = |at: usize| summed[at..at + 4].try_into().expect("the header is long enough");
    let eight = |at: usize| summed[at..at + 8].try_into().expect("the header is long enough");
    let engine_version = u32::from_le_bytes(four(8));
    if engine_version > ENGINE_VERSION {
        return Err(Unread::Newer { file: path.display().to_string(), version: engine_version });
    }
    Ok(Snapshot {
        engine_version,
        position: Position(u64::from_le_bytes(eight(12))),
        plan: PlanId(summed[20..52].try_into().expect("the header is long enough")),
        bytes: body.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(data: &Path) -> Snapshots {
        let upgrade = Upgrade::begin(data, "0.2.0").expect("writable");
        Snapshots::start(data, Position(0), upgrade).expect("it starts")
    }

    fn photograph(position: u64) -> Photograph {
        Photograph { engine: Engine::default(), position: Position(position) }
    }

    #[test]
    fn those_ahead_of_a_restored_log_are_forgotten() {
        let data = tempfile::tempdir().expect("a temporary directory");
        let dir = data.path().join("snapshots");
        fs::create_dir_all(&dir).expect("writable");
        for position in [10, 20] {
            write(&dir, &photograph(position), None).expect("writable");
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
            write(&dir, &photograph(position), None).expect("writable");
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
        write(&dir, &photograph(10), None).expect("writable");
        let path = path(&dir, Position(10));
        age(&path);
        let error = read(&path).expect_err("not to be decoded by luck").to_string();
        assert!(error.contains(&format!("expected {ENGINE_VERSION} or earlier")), "{error}");
    }

    /// Makes a snapshot one of a later engine's.
    fn age(path: &Path) {
        let mut bytes = fs::read(path).expect("readable");
        bytes[8..12].copy_from_slice(&(ENGINE_VERSION + 1).to_le_bytes());
        let mut sum = crc32fast::Hasher::new();
        sum.update(&bytes[..HEADER - 4]);
        sum.update(&bytes[HEADER..]);
        bytes[HEADER - 4..HEADER].copy_from_slice(&sum.finalize().to_le_bytes());
        fs::write(path, bytes).expect("writable");
    }

    /// A snapshot as a later engine would leave it.
    fn write_newer(dir: &Path, position: u64) {
        write(dir, &photograph(position), None).expect("writable");
        age(&path(dir, Position(position)));
    }

    #[test]
    fn the_last_one_before_an_upgrade_outlives_the_others_until_it_is_confirmed() {
        let data = tempfile::tempdir().expect("a temporary directory");
        let dir = folder(data.path());
        drop(Upgrade::begin(data.path(), "0.1.0").expect("writable"));
        fs::create_dir_all(&dir).expect("writable");
        write(&dir, &photograph(10), None).expect("writable");
        let upgrade = Upgrade::begin(data.path(), "0.2.0").expect("writable");
        for position in [20, 30, 40] {
            write(&dir, &photograph(position), upgrade.kept()).expect("writable");
        }
        assert_eq!(list(&dir), [Position(40), Position(30), Position(10)]);
        let snapshots = Snapshots::start(data.path(), Position(40), upgrade.clone()).expect("it starts");
        assert_eq!(snapshots.trimmable(), Position(10), "and the log after it");
        upgrade.confirm().expect("writable");
        assert_eq!(snapshots.trimmable(), Position(30));
        snapshots.last(&Engine::default(), Position(50));
        assert_eq!(list(&dir), [Position(50), Position(40)]);
    }

    #[test]
    fn those_of_a_later_engine_stand_in_no_others_place() {
        let data = tempfile::tempdir().expect("a temporary directory");
        let dir = folder(data.path());
        fs::create_dir_all(&dir).expect("writable");
        write(&dir, &photograph(10), None).expect("writable");
        write_newer(&dir, 20);
        write_newer(&dir, 30);
        assert_eq!(second_newest(&dir), Position(0), "one of our own: the log is kept whole");
        write(&dir, &photograph(40), None).expect("writable");
        assert_eq!((own(&dir), second_newest(&dir)), (vec![Position(40), Position(10)], Position(10)));
        write(&dir, &photograph(50), None).expect("writable");
        assert_eq!(list(&dir), [Position(50), Position(40)]);
    }

    #[test]
    fn nothing_half_written_stays() {
        let data = tempfile::tempdir().expect("a temporary directory");
        let dir = data.path().join("snapshots");
        fs::create_dir_all(&dir).expect("writable");
        // A folder stands where the snapshot is to go: the rename fails.
        fs::create_dir(path(&dir, Position(10))).expect("writable");
        write(&dir, &photograph(10), None).expect_err("it is in the way");
        let left = || fs::read_dir(&dir).expect("readable").count();
        assert_eq!(left(), 1, "only what was in the way");

        fs::write(dir.join("00000000000000000020.draft"), "half").expect("writable");
        start(data.path()).last(&Engine::default(), Position(0));
        assert_eq!(left(), 1);
    }

    #[test]
    fn the_last_one_waits_for_those_under_way() {
        let data = tempfile::tempdir().expect("a temporary directory");
        let engine = Engine::default();
        for _ in 0..20 {
            let mut snapshots = start(data.path());
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
