//! Readers: from memory where they are close behind, else from the segments.

use std::sync::Arc;
use std::time::Instant;

use forewarn_core::ids::{LogId, Position};
use tokio::sync::watch;

use super::codec;
use super::error::LogError;
use super::frame::RECORD;
use super::recent::{Common, Haste, QUIET_REST};
use super::rot::Rot;
use super::segment::{Segment, name};
use super::walk::{Step, Walk};
use super::{Reader, Shared};
use crate::ports::Follow;

/// Gives out readers of a log that is open in this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LogReader {
    pub(crate) common: Arc<Common>,
}

impl LogReader {
    /// The log's id.
    pub fn id(&self) -> LogId {
        self.common.lock().log
    }

    /// The newest durable position, for tasks to await.
    pub fn committed(&self) -> watch::Receiver<Position> {
        self.common.committed()
    }

    /// The oldest position that is kept.
    pub fn first(&self) -> Position {
        self.common.lock().segments.first().map_or(Position(1), |oldest| oldest.first)
    }

    /// Reads from the record that holds `from` on (position 0 is as good as 1).
    /// Refuses where that was trimmed.
    pub fn follow(&self, from: Position) -> Result<Follower, LogError> {
        let (from, first) = (from.max(Position(1)), self.first());
        if from < first {
            return Err(LogError::Trimmed { wanted: from, first });
        }
        Ok(Follower {
            common: Arc::clone(&self.common),
            from,
            rested: Instant::now(),
            haste: Haste::InTime,
            place: None,
            fault: None,
        })
    }
}

impl Reader for LogReader {
    fn last(&self) -> Position {
        self.common.lock().last
    }

    fn follow(&self, from: Position) -> Result<Box<dyn Follow>, LogError> {
        Ok(Box::new(LogReader::follow(self, from)?))
    }
}

/// Reads a log from a position on, each record once and in order.
#[derive(Debug)]
pub struct Follower {
    common: Arc<Common>,
    /// The next position wanted.
    from: Position,
    /// Until when it lets records gather before it looks at them.
    rested: Instant,
    haste: Haste,
    place: Option<Place>,
    fault: Option<LogError>,
}

/// Where in the segments it is, while it is too far behind for memory.
#[derive(Debug)]
struct Place {
    segment: Arc<Segment>,
    walk: Walk,
}

/// Whether more may come in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    Growing,
    Sealed,
}

enum Found {
    Memory(Shared),
    /// It is in the segments; all up to this position is durable.
    Segments(Position),
    NotYet,
    Never,
}

impl Follower {
    /// The same, for who carries warnings: what somebody has to act on never waits for it.
    #[must_use]
    pub fn at_once(self) -> Follower {
        Follower { haste: Haste::AtOnce, ..self }
    }

    /// The next position wanted.
    pub fn from(&self) -> Position {
        self.from
    }

    /// Why it ended before the log did.
    pub fn fault(&self) -> Option<&LogError> {
        self.fault.as_ref()
    }

    fn find(&self) -> Found {
        let state = self.common.lock();
        if let Some(record) = state.recent.find(self.from) {
            return Found::Memory(record);
        }
        match (self.from <= state.last, state.closed) {
            (true, _) => Found::Segments(state.last),
            (false, true) => Found::Never,
            (false, false) => Found::NotYet,
        }
    }

    /// What there is now; `None` when there is nothing, or a fault.
    fn step(&mut self) -> Option<Shared> {
        while self.fault.is_none() {
            match self.find() {
                Found::Memory(record) => {
                    self.place = None;
                    return Some(self.pass(record));
                }
                Found::Segments(upto) => match self.read(upto) {
                    Ok(Some(record)) => return Some(self.pass(record)),
                    // All that was left up to there is rot, and reported.
                    Ok(None) => self.from = self.from.max(upto.next()),
                    Err(fault) => self.fault = Some(fault),
                },
                Found::NotYet | Found::Never => return None,
            }
        }
        None
    }

    fn pass(&mut self, record: Shared) -> Shared {
        self.from = record.last().next();
        record
    }

    /// The next record of the segments; `None` when there is none up to `upto`.
    fn read(&mut self, upto: Position) -> Result<Option<Shared>, LogError> {
        loop {
            let Some(mut place) = self.place.take().map_or_else(|| self.place_of(), |it| Ok(Some(it)))?
            else {
                return Ok(None);
            };
            let extent = self.extend(&mut place);
            let step = place.walk.step();
            if place.segment.is_gone() {
                return Err(self.trimmed());
            }
            let generation = place.segment.generation;
            match step.map_err(LogError::io(format!("cannot read {}", name(generation))))? {
                Step::Frame { head, .. } => {
                    if head.kind == RECORD && head.last() >= self.from {
                        let record = codec::decode(place.walk.body()).map_err(LogError::unreadable(
                            generation,
                            head.first,
                            place.walk.body(),
                        ))?;
                        self.place = Some(place);
                        return Ok(Some(Arc::new(record)));
                    }
                    self.place = Some(place);
                }
                Step::Rot { offset, until } => {
                    let rot =
                        Rot::stretch(&place.segment, (offset, until), None, "a record does not read back");
                    self.common.report(rot);
                    self.place = Some(place);
                }
                Step::Tail(tail) => {
                    // What was the newest segment a moment ago may have grown since: only
                    // one that was sealed before it was read has surely been read whole.
                    let sealed = self.after(generation).filter(|_| extent == Extent::Sealed);
                    let Some(next) = sealed else {
                        let end = self.common.lock().end.max(tail.offset);
                        self.missed(&place, (tail.offset, end), upto);
                        return Ok(None);
                    };
                    let upto = Position(next.first.0.saturating_sub(1));
                    self.missed(&place, (tail.offset, place.segment.length), upto);
                    self.place = Some(place_in(next));
                }
            }
        }
    }

    /// Reports what a segment should still have had after its last good record.
    fn missed(&self, place: &Place, stretch: (u64, u64), upto: Position) {
        if self.from <= upto {
            let lost = Some((self.from, upto));
            let reason = "the last record does not read back";
            self.common.report(Rot::stretch(&place.segment, stretch, lost, reason));
        }
    }

    /// The newest segment is read up to where it is durable, older ones to their end.
    fn extend(&self, place: &mut Place) -> Extent {
        let state = self.common.lock();
        match state.segments.last() {
            Some(newest) if newest.generation == place.segment.generation => {
                place.walk.extend(state.end);
                Extent::Growing
            }
            Some(_) | None => {
                place.walk.extend(place.segment.length);
                Extent::Sealed
            }
        }
    }

    fn after(&self, generation: u64) -> Option<Arc<Segment>> {
        let state = self.common.lock();
        state.segments.iter().find(|it| it.generation > generation).cloned()
    }

    fn place_of(&self) -> Result<Option<Place>, LogError> {
        let state = self.common.lock();
        let after = state.segments.partition_point(|segment| segment.first <= self.from);
        let Some(at) = after.checked_sub(1) else {
            drop(state);
            return if self.after(0).is_some() { Err(self.trimmed()) } else { Ok(None) };
        };
        Ok(Some(place_in(Arc::clone(&state.segments[at]))))
    }

    fn trimmed(&self) -> LogError {
        let first = self.common.lock().segments.first().map_or(Position(1), |oldest| oldest.first);
        LogError::Trimmed { wanted: self.from, first }
    }
}

fn place_in(segment: Arc<Segment>) -> Place {
    let walk = segment.walk(0);
    Place { segment, walk }
}

impl Follow for Follower {
    fn next(&mut self) -> Option<Shared> {
        loop {
            if let Some(record) = self.step() {
                return Some(record);
            }
            if self.fault.is_some() || matches!(self.find(), Found::Never) {
                return None;
            }
            self.common.wait(self.from, self.rested, self.haste);
            self.rested = Instant::now() + QUIET_REST;
        }
    }

    fn try_next(&mut self) -> Option<Shared> {
        self.step()
    }

    fn fault(&self) -> Option<String> {
        self.fault.as_ref().map(ToString::to_string)
    }
}
