//! The one writer: room first, then one write and one sync a record.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use forewarn_core::event::{Decision, Input};
use forewarn_core::ids::{LogId, Position};
use forewarn_core::time::Timestamp;
use tokio::sync::watch;

use super::codec;
use super::disk::Disk;
use super::error::LogError;
use super::follow::{Follower, LogReader};
use super::frame::{BODY_BYTES_MAX, HEAD_BYTES, Head, RECORD, frame_bytes};
use super::indices::Indices;
use super::lock::Lock;
use super::meta::{Meta, Stamp};
use super::recent::{Common, Wakes};
use super::rot::Rot;
use super::segment::{Begin, Segment, begin, name, opening};
use super::spares::Spares;
use super::{Appender, CommitError, Decisions, Lane, Shared};
use crate::config::plan::Log as Settings;
use crate::crash::{self, Before, Done, Early};

/// The durable log of one data directory, for its one writer.
#[derive(Debug)]
pub struct Log {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) meta: Meta,
    pub(super) settings: Settings,
    pub(super) common: Arc<Common>,
    pub(super) spares: Spares,
    pub(super) live: Arc<Segment>,
    /// Where the next frame goes.
    pub(super) offset: u64,
    pub(super) next: Position,
    /// First position of the newest record that is kept.
    pub(super) newest: Position,
    /// Engine time of the newest record.
    pub(super) at: Timestamp,
    pub(super) indices: Indices,
    /// What they are to become: a draft's, until all of it is learnt.
    pub(super) drafted: Indices,
    /// Bytes that a new segment's preface and checkpoint take.
    pub(super) opening_bytes: u64,
    /// Whether the newest segment is one of the reserve.
    pub(super) drawn_on: Reserve,
    pub(super) health: Health,
    pub(super) buffer: Vec<u8>,
    pub(super) _lock: Option<Lock>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reserve {
    Untouched,
    DrawnOn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    Sound,
    /// A write or sync failed: nothing more is written.
    Failed,
}

impl Log {
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

    /// Takes the names that somebody drafted and will append. Once all of them
    /// stand in the log, the two are one table and not two that are the same.
    pub fn draft(&mut self, drafted: Indices) {
        self.drafted = drafted;
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

    /// Wakes readers at every record, also where nobody has to act on it at
    /// once: for a clock that stands still until they have seen it.
    pub fn wake_at_every_record(&self) {
        self.common.tell(|state| state.wakes = Wakes::Every);
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
            for segment in &gone {
                segment.gone.store(true, Ordering::Release);
            }
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
        let written = self.live.file.write_at(self.offset, &self.buffer).and_then(|()| {
            crash::may_come(Before::Sync);
            self.live.file.sync()
        });
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
            let drafted = std::mem::take(&mut self.drafted);
            if drafted.len() > self.indices.len() {
                self.drafted = drafted;
            } else if drafted == self.indices {
                self.indices = drafted;
            }
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
        crash::too_early(Early::Send, || {
            let is_told = |(_, decision): &(u32, Decision)| matches!(decision, Decision::Revision(_));
            if !record.decisions.iter().any(is_told) {
                return Done::Nothing;
            }
            self.common.tell(|state| state.keep(Arc::clone(&record)));
            Done::Something
        });
        self.write(frame)?;
        self.offset += frame;
        self.newest = record.first;
        self.next = record.last().next();
        self.at = record.at;
        self.common.tell(|state| {
            state.end = self.offset;
            state.keep(record);
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

/// What a new segment's preface and checkpoint take.
pub(super) fn opening_bytes(meta: Meta, indices: &Indices) -> u64 {
    let any = Begin { meta, generation: 0, first: Position(0), before: Timestamp::default(), indices };
    opening(&any).len() as u64 + OPENING_SLACK
}

/// The numbers in checkpoint and preface may take a few bytes more than at the estimate.
const OPENING_SLACK: u64 = 64;
