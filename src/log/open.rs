//! Making and opening a log.

use std::path::Path;
use std::sync::Arc;

use forewarn_core::ids::Position;

use super::Shared;
use super::disk::{Disk, RealDisk};
use super::error::LogError;
use super::indices::Indices;
use super::lock::Lock;
use super::meta::{META, Meta, Stamp};
use super::readonly::meta_of_segments;
use super::recent::{Common, State};
use super::recover::{Recovered, recover};
use super::rot::{Rot, Torn};
use super::segment::{Begin, Segment, begin, generations};
use super::spares::{Allocation, Spares};
use super::writer::{Health, Log, Reserve, opening_bytes};
use crate::config::plan::Log as Settings;

/// A segment is at least this long, or its head would be most of it.
pub const SEGMENT_BYTES_MIN: u64 = 16 * 1024;

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
        Log::assemble(disk, Some(lock), settings, (stamp, floor), Allocation::Background)
    }

    /// The same on any disk, without a lock: for tests.
    pub fn open_on(
        disk: Arc<dyn Disk>,
        settings: &Settings,
        stamp: Stamp,
        floor: Position,
        allocation: Allocation,
    ) -> Result<(Log, Opened), LogError> {
        Log::assemble(disk, None, settings, (stamp, floor), allocation)
    }

    fn assemble(
        disk: Arc<dyn Disk>,
        lock: Option<Lock>,
        settings: &Settings,
        (stamp, floor): (Stamp, Position),
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
        let (live, offset) = if let (Some(newest), Some(end)) = (found.segments.last(), found.end) {
            (Arc::clone(newest), end)
        } else {
            let (segment, end) = first_segment(&*disk, &spares, meta, &found)?;
            found.segments.push(Arc::clone(&segment));
            (segment, end)
        };
        let opening_bytes = opening_bytes(meta, &found.indices);
        let state = State {
            log: meta.id,
            segments: found.segments,
            last: found.last,
            end: offset,
            ..State::default()
        };
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
            drafted: Indices::default(),
            opening_bytes,
            drawn_on: Reserve::Untouched,
            health: Health::Sound,
            buffer: vec![],
            _lock: lock,
        };
        let opened =
            Opened { last: found.last, last_record: found.last_record, rot: found.rot, torn: found.torn };
        Ok((log, opened))
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
    let (meta, rot) = if let Some(meta) = Meta::read(disk) {
        (meta, None)
    } else {
        let meta = meta_of_segments(disk)?.ok_or(LogError::Missing)?;
        let reason = "does not read back; written anew from what the segments say".to_owned();
        let file = META.to_owned();
        (meta, Some(Rot { file, offset: 0, bytes: 0, positions: None, quarantined: None, reason }))
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
