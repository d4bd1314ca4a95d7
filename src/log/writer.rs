//! The one writer: room first, then one write and one sync a record.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use forewarn_core::event::Input;
use forewarn_core::ids::{LogId, Position};
use forewarn_core::time::Timestamp;
use tokio::sync::watch;

use super::codec;
use super::disk::{Disk, RealDisk};
use super::error::LogError;
use super::follow::{Follower, LogReader};
use super::frame::{BODY_BYTES_MAX, HEAD_BYTES, Head, RECORD, frame_bytes};
use super::indices::Indices;
use super::lock::Lock;
use super::meta::{META, Meta, Stamp};
use super::recent::{Common, State};
use super::recover::{Recovered, recover};
use super::rot::{Rot, Torn};
use super::segment::{Begin, Segment, begin, generations, name, opening};
use super::spares::{Allocation, Spares};
use super::{Appender, CommitError, Decisions, Lane, Shared};
use crate::config::plan::Log as Settings;

/// A segment is at least this long, or its head would be most of it.
pub const SEGMENT_BYTES_MIN: u64 = 16 * 1024;

/// The durable log of one data directory, for its one writer.
#[derive(Debug)]
pub struct Log {
    disk: Arc<dyn Disk>,
    meta: Meta,
    settings: Settings,
    common: Arc<Common>,
    spares: Spares,
    live: Arc<Segment>,
    /// Where the next frame goes.
    offset: u64,
    next: Position,
    /// First position of the newest record that is kept.
    newest: Position,
    /// Engine time of the newest record.
    at: Timestamp,
    indices: Indices,
    /// Bytes that a new segment's preface and checkpoint take.
    opening_bytes: u64,
    /// Whether the newest segment is one of the reserve.
    drawn_on: Reserve,
    health: Health,
    buffer: Vec<u8>,
    _lock: Option<Lock>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reserve {
    Untouched,
    DrawnOn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Sound,
    /// A write or sync failed: nothing more is written.
    Failed,
}

/// What was found at opening.
#[derive(Debug)]
pub struct Opened {
    /// Position of the last event; 0 in a new log.
    pub last: Position,
    /// The last record, if one is kept.
    pub last_record: Option<Shared>,
    /// What does not read back; each is a Trouble.
    pub rot: Vec<Rot>,
    /// What was cut off: it was acknowledged to nobody.
    pub torn: Option<Torn>,
}

impl Log {
    /// Whether a directory holds a log.
    pub fn exists(dir: &Path) -> bool {
        exists(&RealDisk::read_only(dir))
    }

    /// Makes a new log, with an id of its own, in a directory that has none.
    pub fn create(lock: Lock, settings: &Settings, stamp: Stamp) -> Result<(Log, Opened), LogError> {
        let disk = Arc::new(RealDisk::new(lock.dir()));
        if exists(&*disk) {
            return Err(LogError::Exists(lock.dir().to_owned()));
        }
        create_meta(&*disk, stamp)?;
        Log::open(lock, settings, stamp, Position(0))
    }

    /// Opens the log of a directory and puts in order what a crash left.
    /// `floor` is the highest position that any projection or store has
    /// *synced*: what is missing at or below it is rot, not a tear.
    pub fn open(
        lock: Lock,
        settings: &Settings,
        stamp: Stamp,
        floor: Position,
    ) -> Result<(Log, Opened), LogError> {
        let disk = Arc::new(RealDisk::new(lock.dir()));
        let (mut log, opened) = Log::open_on(disk, settings, stamp, floor, Allocation::Background)?;
        log._lock = Some(lock);
        Ok((log, opened))
    }

    /// The same on any disk, without a lock: for tests.
    pub fn open_on(
        disk: Arc<dyn Disk>,
        settings: &Settings,
        stamp: Stamp,
        floor: Position,
        allocation: Allocation,
    ) -> Result<(Log, Opened), LogError> {
        if settings.segment_bytes < SEGMENT_BYTES_MIN {
            return Err(LogError::Corrupt(format!(
                "log.segment_bytes is {}, expected at least {SEGMENT_BYTES_MIN}",
                settings.segment_bytes
            )));
        }
        let (meta, meta_rot) = read_meta(&*disk, stamp)?;
        let mut found = recover(&*disk, meta, floor)?;
        found.rot.extend(meta_rot);
        let wanted = 1 + settings.reserve_segments as usize;
        let spares = Spares::open(Arc::clone(&disk), settings.segment_bytes, wanted, allocation)
            .map_err(LogError::io("cannot prepare segments"))?;
        let (live, offset) = match (found.segments.last(), found.end) {
            (Some(newest), Some(end)) => (Arc::clone(newest), end),
            (Some(_), None) | (None, _) => {
                let (segment, end) = first_segment(&*disk, &spares, meta, &found)?;
                found.segments.push(Arc::clone(&segment));
                (segment, end)
            }
        };
        let opening_bytes = opening_bytes(meta, &found.indices);
        let state = State { segments: found.segments, last: found.last, end: offset, ..State::default() };
        let log = Log {
            disk,
            meta,
            settings: *settings,
            common: Arc::new(Common::new(state)),
            spares,
            live,
            offset,
            next: found.last.next(),
            newest: found.last_record.as_ref().map_or(Position(0), |record| record.first),
            at: found.before,
            indices: found.indices,
            opening_bytes,
            drawn_on: Reserve::Untouched,
            health: Health::Sound,
            buffer: vec![],
            _lock: None,
        };
        let opened =
            Opened { last: found.last, last_record: found.last_record, rot: found.rot, torn: found.torn };
        Ok((log, opened))
    }

    /// 128 random bits drawn when it was created.
    pub fn id(&self) -> LogId {
        self.meta.id
    }

    /// Live or drill.
    pub fn stamp(&self) -> Stamp {
        self.meta.stamp
    }

    /// Every index that the log has assigned. A reload drafts on a clone; what
    /// is appended as `Input::Assign` is in here afterwards.
    pub fn indices(&self) -> &Indices {
        &self.indices
    }

    /// Gives out readers.
    pub fn reader(&self) -> LogReader {
        LogReader { common: Arc::clone(&self.common) }
    }

    /// Reads from the record that holds `from` on.
    pub fn follow(&self, from: Position) -> Result<Follower, LogError> {
        self.reader().follow(from)
    }

    /// The newest durable position, for tasks to await.
    pub fn committed(&self) -> watch::Receiver<Position> {
        self.common.committed()
    }

    /// What readers met of rot since the last call.
    pub fn take_rot(&self) -> Vec<Rot> {
        std::mem::take(&mut self.common.lock().rot)
    }

    /// Bytes that one record may take.
    pub fn record_bytes_max(&self) -> u64 {
        let room = self.settings.segment_bytes.saturating_sub(self.opening_bytes + HEAD_BYTES as u64);
        room.min(BODY_BYTES_MAX as u64)
    }

    /// Recycles whole segments whose records are all below `below` (the lowest
    /// of every cursor *as last synced*, and the second-newest snapshot) and
    /// older than the log is to be kept, at engine time `at`. The newest record
    /// always stays. Returns how many.
    pub fn trim(&mut self, below: Position, at: Timestamp) -> Result<usize, LogError> {
        let (below, oldest) = (below.min(self.newest), at - self.settings.keep);
        let mut gone = vec![];
        self.common.tell(|state| {
            // A segment ends where the next begins, and what stands before an old
            // one is older still; the newest has no next and stays.
            let is_past =
                |next: &Arc<Segment>| next.first <= below && next.before.is_some_and(|last| last < oldest);
            let old = state.segments.iter().skip(1).rposition(is_past).map_or(0, |at| at + 1);
            gone = state.segments.drain(..old).collect();
            gone.iter().for_each(|segment| segment.gone.store(true, Ordering::Release));
        });
        for segment in &gone {
            let file = name(segment.generation);
            self.spares
                .recycle(&file, segment.length)
                .map_err(LogError::io(format!("cannot recycle {file}")))?;
        }
        Ok(gone.len())
    }

    /// Whether a frame can be written, on the segment at hand or a further one.
    fn check_room(&self, frame: u64, lane: Lane) -> Result<(), LogError> {
        let fits = self.offset + frame <= self.live.length;
        let reserve = self.settings.reserve_segments as usize;
        let kept = match lane {
            Lane::Control => 0,
            Lane::Readings => reserve,
        };
        let needed = kept + usize::from(!fits);
        let drawn_on = self.drawn_on == Reserve::DrawnOn || self.spares.reason().is_some();
        if fits && (lane == Lane::Control || !drawn_on) {
            return Ok(());
        }
        if self.spares.ready(needed) >= needed {
            return Ok(());
        }
        let reason = self.spares.reason().unwrap_or_else(|| "the next segment is not ready yet".to_owned());
        Err(LogError::NoSpace { bytes: frame, reason })
    }

    fn check_size(&self, bytes: u64) -> Result<(), LogError> {
        let max = self.record_bytes_max();
        if bytes > max { Err(LogError::TooLarge { bytes, max }) } else { Ok(()) }
    }

    /// Goes on in the next segment.
    fn roll(&mut self) -> Result<(), LogError> {
        let ready = self.spares.ready(1);
        let Some(spare) = self.spares.take() else {
            let reason = self.spares.reason().unwrap_or_else(|| "no segment is ready".to_owned());
            return Err(LogError::NoSpace { bytes: self.settings.segment_bytes, reason });
        };
        let reserve = self.settings.reserve_segments as usize;
        self.drawn_on = if ready > reserve { Reserve::Untouched } else { Reserve::DrawnOn };
        let beginning = Begin {
            meta: self.meta,
            generation: self.live.generation + 1,
            first: self.next,
            before: self.at,
            indices: &self.indices,
        };
        let begun = begin(&*self.disk, &spare, &beginning);
        let (segment, end) = match begun {
            Ok(begun) => begun,
            Err(error) => {
                self.health = Health::Failed;
                return Err(LogError::fatal("beginning a segment")(error));
            }
        };
        self.live = Arc::new(segment);
        self.offset = end;
        self.common.tell(|state| {
            state.segments.push(Arc::clone(&self.live));
            state.end = end;
        });
        Ok(())
    }

    /// One write, one sync.
    fn write(&mut self, frame: u64) -> Result<(), LogError> {
        // The head after the frame is zeroed with it: what a former life left
        // there must not look like a torn record.
        let room = (self.live.length - self.offset - frame).min(HEAD_BYTES as u64);
        self.buffer.resize((frame + room) as usize, 0);
        let written = self.live.file.write_at(self.offset, &self.buffer).and_then(|()| self.live.file.sync());
        written.map_err(|error| {
            self.health = Health::Failed;
            let file = name(self.live.generation);
            LogError::fatal(format!("writing {frame} bytes at {} of {file}", self.offset))(error)
        })
    }

    fn learn(&mut self, record: &Shared) -> Result<(), LogError> {
        let before = self.indices.len();
        for input in &record.inputs {
            if let Input::Assign(assignment) = input {
                self.indices.learn(assignment)?;
            }
        }
        if self.indices.len() != before {
            self.opening_bytes = opening_bytes(self.meta, &self.indices);
        }
        Ok(())
    }
}

impl Appender for Log {
    fn next(&self) -> Position {
        self.next
    }

    fn room_for(&mut self, bytes: usize, lane: Lane) -> Result<(), LogError> {
        self.check_size(bytes as u64)?;
        self.spares.tend();
        self.check_room(frame_bytes(bytes), lane)
    }

    fn append(&mut self, record: Shared) -> Result<(), LogError> {
        if self.health == Health::Failed {
            let failed = std::io::Error::other("an earlier write or sync failed");
            return Err(LogError::fatal("appending")(failed));
        }
        if record.first != self.next {
            return Err(LogError::OutOfOrder { expected: self.next, found: record.first });
        }
        self.buffer.clear();
        self.buffer.resize(HEAD_BYTES, 0);
        codec::encode(&record, &mut self.buffer);
        let body = self.buffer.len() - HEAD_BYTES;
        self.check_size(body as u64)?;
        let frame = frame_bytes(body);
        if self.offset + frame > self.live.length {
            self.roll()?;
        }
        // Before the write: an assignment that contradicts another never gets to the disk.
        self.learn(&record)?;
        let count = record.inputs.len().max(1) as u32;
        let head = Head { length: 0, first: record.first, count, kind: RECORD };
        self.live.seed.close(self.offset, head, &mut self.buffer);
        self.write(frame)?;
        self.offset += frame;
        self.newest = record.first;
        self.next = record.last().next();
        self.at = record.at;
        self.common.tell(|state| {
            state.last = record.last();
            state.end = self.offset;
            state.recent.push(record);
        });
        Ok(())
    }
}

impl Decisions for Log {
    fn head(&self) -> Position {
        Position(self.next.0 - 1)
    }

    fn commit(&mut self, expected: Position, judged: Shared) -> Result<(), CommitError> {
        if expected != self.head() {
            return Err(CommitError::Fenced { head: self.head() });
        }
        self.append(judged).map_err(CommitError::from)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.common.tell(|state| state.closed = true);
    }
}

pub(crate) fn exists(disk: &dyn Disk) -> bool {
    disk.open(META).is_ok() || generations(disk).is_ok_and(|found| !found.is_empty())
}

/// Draws and keeps the id of a new log.
pub(crate) fn create_meta(disk: &dyn Disk, stamp: Stamp) -> Result<Meta, LogError> {
    let meta = Meta::draw(stamp)?;
    meta.write(disk)?;
    Ok(meta)
}

/// What `log.meta` says, or where it does not read back, what the segments do.
fn read_meta(disk: &dyn Disk, asked: Stamp) -> Result<(Meta, Option<Rot>), LogError> {
    let (meta, rot) = match Meta::read(disk) {
        Some(meta) => (meta, None),
        None => {
            let meta = super::readonly::meta_of_segments(disk)?.ok_or(LogError::Missing)?;
            let rot = Rot {
                file: META.to_owned(),
                offset: 0,
                bytes: 0,
                positions: None,
                quarantined: None,
                reason: "does not read back; written anew from what the segments say".to_owned(),
            };
            (meta, Some(rot))
        }
    };
    if meta.stamp != asked {
        return Err(LogError::Stamp { found: meta.stamp, asked });
    }
    if rot.is_some() {
        meta.write(disk)?;
    }
    Ok((meta, rot))
}

/// Begins a segment where none can be gone on with.
fn first_segment(
    disk: &dyn Disk,
    spares: &Spares,
    meta: Meta,
    found: &Recovered,
) -> Result<(Arc<Segment>, u64), LogError> {
    spares.ready(1);
    let spare = spares.take().ok_or_else(|| LogError::NoSpace {
        bytes: 0,
        reason: spares.reason().unwrap_or_else(|| "no segment is ready".to_owned()),
    })?;
    let beginning = Begin {
        meta,
        generation: found.next_generation,
        first: found.last.next(),
        before: found.before,
        indices: &found.indices,
    };
    let (segment, end) = begin(disk, &spare, &beginning).map_err(LogError::io("cannot begin a segment"))?;
    Ok((Arc::new(segment), end))
}

fn opening_bytes(meta: Meta, indices: &Indices) -> u64 {
    let any = Begin { meta, generation: 0, first: Position(0), before: Timestamp::default(), indices };
    opening(&any).len() as u64 + OPENING_SLACK
}

/// The numbers in checkpoint and preface may take a few bytes more than at the estimate.
const OPENING_SLACK: u64 = 64;
