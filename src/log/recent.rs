//! What the writer and its readers share: the newest records in memory, the
//! table of segments, and how far all of it is durable.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use forewarn_core::event::{Command, Decision, Input};
use forewarn_core::ids::{LogId, Position};
use forewarn_core::reading::Checked;
use tokio::sync::watch;

use super::rot::Rot;
use super::segment::Segment;
use super::{Record, Shared};

/// Records kept in memory for readers close behind; older ones fall out and
/// are read from the segments.
pub const RECENT_RECORDS_MAX: usize = 4096;
/// Bytes of memory they may take in all; at least the newest one is kept.
pub const RECENT_BYTES_MAX: usize = 4 << 20;
/// Stretches of rot found while reading that wait for [`super::Log::take_rot`];
/// further ones are dropped, for the first of them already makes the Trouble.
pub const ROT_REPORTS_MAX: usize = 256;

/// How long a reader that was woken is left alone by records of which it has
/// nothing to do at once. Waking every reader for every few readings costs more
/// than all the rest of their way.
pub(super) const QUIET_REST: Duration = Duration::from_millis(10);

/// The writer's side tells, the readers' side waits.
#[derive(Debug)]
pub(crate) struct Common {
    state: Mutex<State>,
    /// For readers that have read all there is.
    more: Condvar,
    /// For readers in haste, at rest while quiet records come.
    stirred: Condvar,
    /// For all others at rest.
    roused: Condvar,
    committed: watch::Sender<Position>,
}

/// Which records wake readers at rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Wakes {
    /// Those on which somebody downstream acts.
    #[default]
    Stirring,
    /// All: somebody waits for the readers themselves.
    Every,
}

/// How soon a reader at rest looks at a record on which somebody downstream acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Haste {
    /// At once: it carries warnings.
    AtOnce,
    /// When it has rested, and leaves the processors to those that do.
    InTime,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    /// Whose records these are.
    pub(crate) log: LogId,
    pub(crate) recent: Recent,
    pub(crate) segments: Vec<Arc<Segment>>,
    /// The newest durable position.
    pub(crate) last: Position,
    /// The newest position at which readers were to be woken at once.
    pub(super) stirring: Position,
    pub(super) wakes: Wakes,
    /// Readers that have read all there is.
    pub(super) waiting: usize,
    /// Offset after the newest durable frame, in the newest segment.
    pub(crate) end: u64,
    pub(crate) closed: bool,
    pub(crate) rot: Vec<Rot>,
}

impl State {
    /// A record is durable.
    pub(super) fn keep(&mut self, record: Shared) {
        self.last = record.last();
        if self.wakes == Wakes::Every || is_stirring(&record) {
            self.stirring = self.last;
        }
        self.recent.push(record);
    }

    /// Whether a reader who wants this position is not to rest any longer.
    pub(super) fn calls(&self, haste: Haste, position: Position) -> bool {
        self.closed
            || match (haste, self.wakes) {
                (Haste::AtOnce, _) => self.stirring >= position,
                (Haste::InTime, Wakes::Every) => self.last >= position,
                (Haste::InTime, Wakes::Stirring) => false,
            }
    }
}

/// Whether anybody downstream has something to do at once: more happened than
/// readings that led to nothing.
fn is_stirring(record: &Record) -> bool {
    let is_quiet = |input: &Input| matches!(input, Input::Reading(_) | Input::Tick);
    !record.decisions.is_empty() || !record.inputs.iter().all(is_quiet)
}

/// The newest records.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    records: VecDeque<(Shared, usize)>,
    bytes: usize,
}

impl Recent {
    /// Adds the newest; the oldest fall out.
    pub(crate) fn push(&mut self, record: Shared) {
        let bytes = memory_of(&record);
        self.bytes += bytes;
        self.records.push_back((record, bytes));
        while self.records.len() > 1
            && (self.records.len() > RECENT_RECORDS_MAX || self.bytes > RECENT_BYTES_MAX)
        {
            if let Some((_, bytes)) = self.records.pop_front() {
                self.bytes -= bytes;
            }
        }
    }

    /// The record that holds `position`, or the first after it; `None` when
    /// those in memory begin later than it, or end before.
    pub(crate) fn find(&self, position: Position) -> Option<Shared> {
        if self.records.front()?.0.first > position {
            return None;
        }
        let at = self.records.partition_point(|(record, _)| record.last() < position);
        Some(Arc::clone(&self.records.get(at)?.0))
    }
}

/// About what a record takes in memory.
fn memory_of(record: &Record) -> usize {
    size_of::<Record>()
        + record.inputs.capacity() * size_of::<Input>()
        + record.inputs.iter().filter(|it| matches!(it, Input::Command(..))).count() * size_of::<Command>()
        + record.decisions.capacity() * size_of::<(u32, Decision)>()
        + record.flagged.capacity() * size_of::<Checked>()
        + record.refused.iter().map(|it| it.topic.len() + it.bytes.len() + it.reason.len()).sum::<usize>()
}

impl Common {
    pub(crate) fn new(state: State) -> Common {
        let (committed, _) = watch::channel(state.last);
        let [more, stirred, roused] = std::array::from_fn(|_| Condvar::new());
        Common { state: Mutex::new(state), more, stirred, roused, committed }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// Tells of a change that readers may wait for.
    pub(crate) fn tell(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        let before = state.stirring;
        change(&mut state);
        let last = state.last;
        let has_waiting = state.waiting > 0;
        let stirs = state.closed || state.stirring > before;
        let rouses = state.closed || state.wakes == Wakes::Every;
        drop(state);
        if has_waiting {
            self.more.notify_all();
        }
        if stirs {
            self.stirred.notify_all();
        }
        if rouses {
            self.roused.notify_all();
        }
        self.committed.send_replace(last);
    }

    /// Waits until `position` is durable or nothing more will come. Before
    /// `rested`, records are let gather: quiet ones, or all where there is no haste.
    pub(super) fn wait(&self, position: Position, rested: Instant, haste: Haste) {
        let rest_of = match haste {
            Haste::AtOnce => &self.stirred,
            Haste::InTime => &self.roused,
        };
        let mut state = self.lock();
        while !state.calls(haste, position) {
            if state.last < position {
                state.waiting += 1;
                state = self.more.wait(state).expect("no holder of this lock panics");
                state.waiting -= 1;
                continue;
            }
            let rest = rested.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return;
            }
            state = rest_of.wait_timeout(state, rest).expect("no holder of this lock panics").0;
        }
    }

    /// The newest durable position, for tasks to await.
    pub(crate) fn committed(&self) -> watch::Receiver<Position> {
        self.committed.subscribe()
    }

    /// Notes rot that a reader met.
    pub(crate) fn report(&self, rot: Rot) {
        let mut state = self.lock();
        let known = state.rot.iter().any(|it| it.file == rot.file && it.offset == rot.offset);
        if !known && state.rot.len() < ROT_REPORTS_MAX {
            state.rot.push(rot);
        }
    }
}
