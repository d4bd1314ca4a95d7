//! Reading beside a running service, without its lock: for the commands that
//! list and check.

use std::collections::VecDeque;
use std::path::Path;

use forewarn_core::ids::Position;

use super::Record;
use super::codec;
use super::disk::{Disk, RealDisk};
use super::error::LogError;
use super::frame::RECORD;
use super::meta::{Meta, Preface};
use super::recover::open_segment;
use super::segment::{FOLDER, Segment, generations, name};
use super::walk::{Step, TailIs, Walk};

/// The meta that the newest readable preface repeats.
pub(crate) fn meta_of_segments(disk: &dyn Disk) -> Result<Option<Meta>, LogError> {
    let what = || LogError::io(format!("cannot read the segments in {FOLDER}/"));
    for generation in generations(disk).map_err(what())?.into_iter().rev() {
        let file = disk.open(&name(generation)).map_err(what())?;
        if let Some(preface) = Preface::read(&*file).map_err(what())? {
            return Ok(Some(preface.meta));
        }
    }
    Ok(None)
}

/// One frame of the log, or a stretch that should be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameSeen {
    /// The segment's file, in the data directory.
    pub file: String,
    /// Where in it.
    pub offset: u64,
    /// How many bytes.
    pub bytes: u64,
    /// What it is.
    pub is: FrameIs,
}

/// What a stretch of a segment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameIs {
    /// A record with these first and last positions.
    Record(Position, Position),
    /// A checkpoint of index assignments, or what a later version writes.
    Other,
    /// It does not read back as it was written.
    Rot,
    /// Something that is no whole record stands after the last one: being
    /// written just now, or torn (the next start cuts it off).
    Unfinished,
}

/// A segment in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentSeen {
    /// Its file, in the data directory.
    pub file: String,
    /// Position of the first event in it; 0 where no frame says.
    pub first: Position,
    /// Bytes of the file; the newest is not filled yet.
    pub bytes: u64,
}

/// The segments of the log in `dir` as they stand now, oldest first.
pub fn segments(dir: &Path) -> Result<Vec<SegmentSeen>, LogError> {
    let Frames { disk, meta, mut ahead, .. } = Frames::open(dir)?;
    let mut seen = vec![];
    while let Some(generation) = ahead.pop() {
        // Rot on the way in is for a walk of the frames to tell.
        match open_segment(&disk, meta, generation, &mut vec![]) {
            Ok(segment) => {
                seen.push(SegmentSeen {
                    file: name(generation),
                    first: segment.first,
                    bytes: segment.length,
                });
            }
            Err(error) if is_trimmed(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(seen)
}

/// Whether the service trimmed a segment since the folder was listed.
fn is_trimmed(error: &LogError) -> bool {
    matches!(error, LogError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
}

/// Walks all frames of a log as they stand now, oldest first.
#[derive(Debug)]
pub struct Frames {
    disk: RealDisk,
    meta: Meta,
    /// Generations still to come, newest first.
    ahead: Vec<u64>,
    place: Option<(Segment, Walk)>,
    /// The position that must come next; 0 before the first segment.
    expected: Position,
    /// Found on the way into a segment, to be given first.
    found: VecDeque<FrameSeen>,
}

impl Frames {
    /// Of the log in `dir`, which another process may be writing.
    pub fn open(dir: &Path) -> Result<Frames, LogError> {
        let disk = RealDisk::read_only(dir);
        let meta = Meta::read(&disk).map_or_else(|| meta_of_segments(&disk), |meta| Ok(Some(meta)))?;
        let meta = meta.ok_or(LogError::Missing)?;
        let mut ahead = generations(&disk).map_err(LogError::io("cannot list the segments"))?;
        ahead.reverse();
        Ok(Frames { disk, meta, ahead, place: None, expected: Position(0), found: VecDeque::new() })
    }

    /// Passes over the segments that end before a position.
    fn pass_over(&mut self, from: Position) -> Result<(), LogError> {
        for index in 0..self.ahead.len() {
            match open_segment(&self.disk, self.meta, self.ahead[index], &mut vec![]) {
                Ok(segment) if segment.first <= from && segment.first != Position(0) => {
                    self.ahead.truncate(index + 1);
                    return Ok(());
                }
                Ok(_) => {}
                Err(error) if is_trimmed(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The next frame; of a record the body is at hand in the walk.
    fn step(&mut self) -> Result<Option<FrameSeen>, LogError> {
        loop {
            if let Some(found) = self.found.pop_front() {
                return Ok(Some(found));
            }
            let Some((segment, walk)) = &mut self.place else {
                if self.enter(None)? {
                    continue;
                }
                return Ok(None);
            };
            let file = name(segment.generation);
            let what = LogError::io(format!("cannot read {file}"));
            let (offset, bytes, is) = match walk.step().map_err(what)? {
                Step::Frame { offset, head } if head.kind == RECORD => {
                    self.expected = head.last().next();
                    (offset, head.frame_bytes(), FrameIs::Record(head.first, head.last()))
                }
                Step::Frame { offset, head } => (offset, head.frame_bytes(), FrameIs::Other),
                Step::Rot { offset, until } => (offset, until - offset, FrameIs::Rot),
                Step::Tail(tail) => {
                    let bytes = segment.length - tail.offset;
                    let rest = FrameSeen { file, offset: tail.offset, bytes, is: FrameIs::Rot };
                    self.place = None;
                    if !self.enter(Some(rest.clone()))? && tail.is != TailIs::Blank {
                        return Ok(Some(FrameSeen { is: FrameIs::Unfinished, ..rest }));
                    }
                    continue;
                }
            };
            return Ok(Some(FrameSeen { file, offset, bytes, is }));
        }
    }

    /// Opens the next segment that is still there. If it does not follow on
    /// what was read, the rest of the one before is rot.
    fn enter(&mut self, rest: Option<FrameSeen>) -> Result<bool, LogError> {
        while let Some(generation) = self.ahead.pop() {
            let mut rot = vec![];
            match open_segment(&self.disk, self.meta, generation, &mut rot) {
                Ok(segment) => {
                    self.found.extend(rest.filter(|_| self.expected < segment.first));
                    self.found.extend(rot.into_iter().map(|rot| FrameSeen {
                        file: rot.file,
                        offset: rot.offset,
                        bytes: rot.bytes,
                        is: FrameIs::Rot,
                    }));
                    self.expected = self.expected.max(segment.first);
                    let walk = segment.walk(segment.length);
                    self.place = Some((segment, walk));
                    return Ok(true);
                }
                Err(error) if is_trimmed(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }
}

impl Iterator for Frames {
    type Item = Result<FrameSeen, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}

/// Reads the records of a log as they stand now, without following it.
#[derive(Debug)]
pub struct Records {
    frames: Frames,
    from: Position,
}

impl Records {
    /// Those from the one that holds `from` on. What does not read back is
    /// passed over; [`Frames`] lists it.
    pub fn open_read_only(dir: &Path, from: Position) -> Result<Records, LogError> {
        let mut frames = Frames::open(dir)?;
        frames.pass_over(from)?;
        Ok(Records { frames, from })
    }
}

impl Iterator for Records {
    type Item = Result<Record, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let seen = match self.frames.next()? {
                Ok(seen) => seen,
                Err(error) => return Some(Err(error)),
            };
            let FrameIs::Record(first, last) = seen.is else { continue };
            if last < self.from {
                continue;
            }
            let Some((segment, walk)) = &self.frames.place else { continue };
            return Some(codec::decode(walk.body()).map_err(LogError::unreadable(
                segment.generation,
                first,
                walk.body(),
            )));
        }
    }
}
