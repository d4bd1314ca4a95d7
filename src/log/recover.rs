//! Opening: what is a tear is cut off, what is rot is kept and reported.
//!
//! Record n+1 is not written before the sync of n returned. So a bad record is
//! a tear only where nothing good follows it and nobody has read past it; all
//! else was once good and is rot.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use forewarn_core::event::Input;
use forewarn_core::ids::Position;
use forewarn_core::time::Timestamp;

use super::codec;
use super::disk::Disk;
use super::error::LogError;
use super::frame::{BODY_BYTES_MAX, HEAD_BYTES, NAMES, RECORD, Seed, frame_bytes};
use super::indices::{Indices, Names};
use super::meta::{Meta, PREFACE_BYTES, Preface};
use super::rot::{Rot, Torn};
use super::segment::{Segment, generations, name};
use super::walk::{Step, Tail, TailIs};
use super::{Record, Shared};

/// Bytes of the newest segments that opening checks. Older ones whose records
/// every reader is past are checked when something reads them again.
const CHECKED_BYTES_MAX: u64 = 1 << 30;

/// What was found in a data directory.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) rot: Vec<Rot>,
    pub(crate) torn: Option<Torn>,
    /// Position of the last event that the log ever had.
    pub(crate) last: Position,
    /// Where the newest segment goes on; `None` when a new one must be begun.
    pub(crate) end: Option<u64>,
    pub(crate) indices: Indices,
    pub(crate) last_record: Option<Shared>,
    /// Engine time of the last record, even where that itself is gone.
    pub(crate) before: Timestamp,
    pub(crate) next_generation: u64,
}

/// Reads what is there. `floor` is the highest position that any reader has
/// durably read up to.
pub(crate) fn recover(disk: &dyn Disk, meta: Meta, floor: Position) -> Result<Recovered, LogError> {
    let mut rot = vec![];
    let segments = open_segments(disk, meta, &mut rot)?;
    let next_generation = segments.last().map_or(1, |newest| newest.generation + 1);
    let checked = first_checked(&segments, floor);
    let mut scan = Scan { disk, floor, rot, torn: None, expected: Position(1), last_frame: None, tail: None };
    for at in checked..segments.len() {
        scan.segment(&segments, at).map_err(reading(&segments[at]))?;
    }
    let end = if let (Some(newest), Some(tail)) = (segments.last(), scan.tail) {
        scan.settle(newest, tail).map_err(reading(newest))?
    } else {
        scan.lost_before(floor.next(), "no segment is there");
        None
    };
    let last = Position(scan.expected.0 - 1);
    let (indices, last_record) = read_tail(&segments)?;
    let before = last_record
        .as_ref()
        .map(|record| record.at)
        .or_else(|| segments.iter().rev().find_map(|segment| segment.before))
        .unwrap_or_default();
    let Scan { rot, torn, .. } = scan;
    Ok(Recovered { segments, rot, torn, last, end, indices, last_record, before, next_generation })
}

fn reading(segment: &Segment) -> impl FnOnce(io::Error) -> LogError {
    LogError::io(format!("cannot read {}", name(segment.generation)))
}

fn open_segments(disk: &dyn Disk, meta: Meta, rot: &mut Vec<Rot>) -> Result<Vec<Arc<Segment>>, LogError> {
    let mut segments: Vec<Arc<Segment>> = vec![];
    for generation in generations(disk).map_err(LogError::io("cannot list the segments"))? {
        let mut segment = open_segment(disk, meta, generation, rot)?;
        // Where not even the first position can be had, it is none that others lack.
        segment.first = segment.first.max(segments.last().map_or(Position(1), |before| before.first));
        segments.push(Arc::new(segment));
    }
    Ok(segments)
}

/// Opens one segment; a preface that does not read back is rot, and what it
/// said is had from the file's name and the first frame.
pub(crate) fn open_segment(
    disk: &dyn Disk,
    meta: Meta,
    generation: u64,
    rot: &mut Vec<Rot>,
) -> Result<Segment, LogError> {
    let what = || LogError::io(format!("cannot read {}", name(generation)));
    let file = disk.open(&name(generation)).map_err(what())?;
    let length = file.length().map_err(what())?;
    let preface = Preface::read(&*file).map_err(what())?;
    let mut segment = Segment {
        generation,
        first: Position(0),
        before: None,
        file,
        length,
        seed: Seed::new(meta.id, generation),
        gone: AtomicBool::new(false),
    };
    if let Some(preface) = preface.filter(|it| it.meta == meta && it.generation == generation) {
        (segment.first, segment.before) = (preface.first, Some(preface.before));
        return Ok(segment);
    }
    let mut walk = segment.walk(length);
    while segment.first == Position(0) {
        match walk.step().map_err(what())? {
            Step::Frame { head, .. } => segment.first = head.first,
            Step::Rot { .. } => {}
            Step::Tail(_) => break,
        }
    }
    rot.push(Rot::stretch(&segment, (0, PREFACE_BYTES), None, "the segment's preface does not read back"));
    Ok(segment)
}

/// The first segment that is checked: all above the floor, and of the rest the newest.
fn first_checked(segments: &[Arc<Segment>], floor: Position) -> usize {
    let mut bytes = 0;
    let mut at = segments.len();
    while at > 0 {
        let above = segments.get(at).is_none_or(|after| after.first > floor);
        bytes += segments[at - 1].length;
        if !above && bytes > CHECKED_BYTES_MAX {
            break;
        }
        at -= 1;
    }
    at
}

struct Scan<'a> {
    disk: &'a dyn Disk,
    floor: Position,
    rot: Vec<Rot>,
    torn: Option<Torn>,
    /// The position that must come next.
    expected: Position,
    /// Offset and bytes of the newest segment's last frame.
    last_frame: Option<(u64, u64)>,
    /// What stands after it.
    tail: Option<Tail>,
}

impl Scan<'_> {
    /// Reads one segment up to its tail.
    fn segment(&mut self, segments: &[Arc<Segment>], at: usize) -> io::Result<()> {
        let segment = &*segments[at];
        self.last_frame = None;
        if at == 0 || self.expected == Position(1) {
            self.expected = self.expected.max(segment.first);
        } else {
            self.lost_before(segment.first, "these positions are in no segment");
        }
        let mut walk = segment.walk(segment.length);
        loop {
            match walk.step()? {
                Step::Frame { offset, head } => {
                    if head.kind == RECORD {
                        self.lost_before(head.first, "these positions are in no record");
                        self.expected = self.expected.max(head.last().next());
                    }
                    self.last_frame = Some((offset, head.frame_bytes()));
                }
                Step::Rot { offset, until } => {
                    let upto = next_first(segment, until)?;
                    self.found_rot(segment, (offset, until), upto, "a record does not read back");
                }
                Step::Tail(tail) => {
                    match segments.get(at + 1) {
                        Some(after) => self.sealed_tail(segment, tail, after.first),
                        None => self.tail = Some(tail),
                    }
                    return Ok(());
                }
            }
        }
    }

    /// A tail that another segment follows can be no tear.
    fn sealed_tail(&mut self, segment: &Segment, tail: Tail, next: Position) {
        if self.expected < next {
            let until = tail_until(segment, tail);
            self.found_rot(segment, (tail.offset, until), next, "the last record does not read back");
        }
    }

    /// Decides on the newest segment's tail; gives where to go on.
    fn settle(&mut self, newest: &Segment, tail: Tail) -> io::Result<Option<u64>> {
        if self.expected <= self.floor {
            let until = tail_until(newest, tail);
            let last = match tail.is {
                TailIs::Headed(head) => head.last().max(self.floor),
                TailIs::Blank | TailIs::Strange => self.floor,
            };
            let reason = "the last record does not read back, though it had been read";
            self.found_rot(newest, (tail.offset, until), last.next(), reason);
            // Nothing is written over it: the log goes on in a new segment.
            return Ok(None);
        }
        if tail.is != TailIs::Blank {
            self.torn =
                Some(Torn { generation: newest.generation, offset: tail.offset, first: self.expected });
            let until = tail_until(newest, tail);
            newest.file.write_at(tail.offset, &vec![0; (until - tail.offset) as usize])?;
        }
        // The page cache may hold what the disk does not: what remains is
        // written again and synced before anyone acts on it.
        if let Some((offset, bytes)) = self.last_frame {
            let mut frame = vec![0; bytes as usize];
            let read = newest.file.read_at(offset, &mut frame)?;
            newest.file.write_at(offset, &frame[..read])?;
        }
        newest.file.sync()?;
        Ok(Some(tail.offset))
    }

    fn found_rot(&mut self, segment: &Segment, stretch: (u64, u64), next: Position, reason: &str) {
        let lost = (self.expected, Position(next.0.saturating_sub(1)));
        let rot = Rot::stretch(segment, stretch, Some(lost), reason);
        self.rot.push(rot.quarantine(self.disk, segment));
        self.expected = self.expected.max(next);
    }

    /// Reports positions that are nowhere.
    fn lost_before(&mut self, next: Position, reason: &str) {
        if self.expected < next {
            self.rot.push(Rot {
                file: super::segment::FOLDER.to_owned(),
                offset: 0,
                bytes: 0,
                positions: Some((self.expected, Position(next.0 - 1))),
                quarantined: None,
                reason: reason.to_owned(),
            });
            self.expected = next;
        }
    }
}

/// Where a tail's bytes end: one record at most was being written.
fn tail_until(segment: &Segment, tail: Tail) -> u64 {
    let until = match tail.is {
        TailIs::Headed(head) => tail.offset + head.frame_bytes() + HEAD_BYTES as u64,
        TailIs::Strange => tail.offset + frame_bytes(BODY_BYTES_MAX) + HEAD_BYTES as u64,
        TailIs::Blank => tail.offset,
    };
    until.min(segment.length)
}

/// The first position of the frame at `offset`, which was just found good.
fn next_first(segment: &Segment, offset: u64) -> io::Result<Position> {
    let mut head = [0; HEAD_BYTES];
    segment.file.read_at(offset, &mut head)?;
    Ok(segment.seed.read_head(offset, &head).map_or(Position(0), |head| head.first))
}

/// The index table and the last record: from the newest segments, back to one
/// whose checkpoint is whole and to one that holds a record.
fn read_tail(segments: &[Arc<Segment>]) -> Result<(Indices, Option<Shared>), LogError> {
    let mut from = segments.len();
    let (mut whole, mut found) = (false, false);
    while from > 0 && !(whole && found) {
        from -= 1;
        let seen = glance(&segments[from]).map_err(reading(&segments[from]))?;
        whole |= seen.whole_checkpoint;
        found |= seen.record;
    }
    let mut indices = Indices::default();
    let mut last = None;
    for segment in &segments[from..] {
        if let Some(record) = learn(segment, &mut indices)? {
            last = Some(Arc::new(record));
        }
    }
    Ok((indices, last))
}

struct Glance {
    whole_checkpoint: bool,
    record: bool,
}

fn glance(segment: &Segment) -> io::Result<Glance> {
    let names = Preface::read(&*segment.file)?.map(|preface| preface.names as usize);
    let mut walk = segment.walk(segment.length);
    let mut found = 0;
    loop {
        let step = walk.step()?;
        match step {
            Step::Frame { head, .. } if head.kind == NAMES => {
                found += minicbor::decode::<Names>(walk.body()).map_or(0, |names| names.assignments.len());
            }
            Step::Frame { head, .. } if head.kind == RECORD => {
                return Ok(Glance { whole_checkpoint: names == Some(found), record: true });
            }
            Step::Frame { .. } | Step::Rot { .. } => {}
            Step::Tail(_) => return Ok(Glance { whole_checkpoint: names == Some(found), record: false }),
        }
    }
}

/// Takes a segment's assignments in; gives its last record.
fn learn(segment: &Segment, indices: &mut Indices) -> Result<Option<Record>, LogError> {
    let mut walk = segment.walk(segment.length);
    let mut last = None;
    loop {
        match walk.step().map_err(reading(segment))? {
            Step::Frame { head, .. } if head.kind == NAMES => {
                if let Ok(names) = minicbor::decode::<Names>(walk.body()) {
                    names.assignments.iter().try_for_each(|it| indices.learn(it))?;
                }
            }
            Step::Frame { head, .. } if head.kind == RECORD => {
                let record = codec::decode(walk.body()).map_err(LogError::unreadable(
                    segment.generation,
                    head.first,
                    walk.body(),
                ))?;
                for input in &record.inputs {
                    if let Input::Assign(assignment) = input {
                        indices.learn(assignment)?;
                    }
                }
                last = Some(record);
            }
            Step::Frame { .. } | Step::Rot { .. } => {}
            Step::Tail(_) => return Ok(last),
        }
    }
}
