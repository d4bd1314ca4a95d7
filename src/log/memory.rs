//! A partitioned log in memory: what the cluster's stream promises, without a
//! disk or a network, for tests of all that stands on a log.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use forewarn_core::ids::Position;

use super::error::LogError;
use super::{Appender, CommitError, Decisions, Lane, Reader, Shared};
use crate::ports::Follow;

/// Partitions, each with a stream of inputs and a fenced stream of decisions.
#[derive(Debug, Clone)]
pub struct MemoryLog {
    partitions: Vec<Partition>,
}

/// One partition; clones are further handles on it.
#[derive(Debug, Clone)]
pub struct Partition {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    inputs: Vec<Shared>,
    judged: Vec<Shared>,
    room: Option<usize>,
    closed: bool,
}

impl MemoryLog {
    /// With that many partitions.
    pub fn new(partitions: usize) -> MemoryLog {
        let partition = |_| Partition { inner: Arc::new(Inner::default()) };
        MemoryLog { partitions: (0..partitions).map(partition).collect() }
    }

    /// Its partitions.
    pub fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// The partition that a dense index belongs to.
    pub fn partition_of(&self, index: u32) -> &Partition {
        &self.partitions[index as usize % self.partitions.len()]
    }
}

impl Partition {
    /// Lets no more than `records` further ones in: a full disk. `None` lifts it.
    pub fn limit_room(&self, records: Option<usize>) {
        self.lock().room = records;
    }

    /// What was committed of decisions, in order.
    pub fn judged(&self) -> Vec<Shared> {
        self.lock().judged.clone()
    }

    /// Ends it: followers end once they have read all.
    pub fn close(&self) {
        self.lock().closed = true;
        self.inner.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().expect("no holder of this lock panics")
    }
}

fn last_of(records: &[Shared]) -> Position {
    records.last().map_or(Position(0), |record| record.last())
}

impl Appender for Partition {
    fn next(&self) -> Position {
        last_of(&self.lock().inputs).next()
    }

    fn room_for(&mut self, bytes: usize, _: Lane) -> Result<(), LogError> {
        match self.lock().room {
            Some(0) => Err(LogError::NoSpace { bytes: bytes as u64, reason: "the test says so".to_owned() }),
            Some(_) | None => Ok(()),
        }
    }

    fn append(&mut self, record: Shared) -> Result<(), LogError> {
        self.room_for(0, Lane::Control)?;
        let mut state = self.lock();
        let expected = last_of(&state.inputs).next();
        if record.first != expected {
            return Err(LogError::OutOfOrder { expected, found: record.first });
        }
        state.room = state.room.map(|room| room - 1);
        state.inputs.push(record);
        drop(state);
        self.inner.changed.notify_all();
        Ok(())
    }
}

impl Reader for Partition {
    fn last(&self) -> Position {
        last_of(&self.lock().inputs)
    }

    fn follow(&self, from: Position) -> Result<Box<dyn Follow>, LogError> {
        Ok(Box::new(MemoryFollower { partition: self.clone(), from }))
    }
}

impl Decisions for Partition {
    fn head(&self) -> Position {
        last_of(&self.lock().judged)
    }

    fn commit(&mut self, expected: Position, judged: Shared) -> Result<(), CommitError> {
        let mut state = self.lock();
        let head = last_of(&state.judged);
        if head != expected {
            return Err(CommitError::Fenced { head });
        }
        if judged.first != head.next() || judged.last() > last_of(&state.inputs) {
            return Err(LogError::OutOfOrder { expected: head.next(), found: judged.first }.into());
        }
        state.judged.push(judged);
        Ok(())
    }
}

#[derive(Debug)]
struct MemoryFollower {
    partition: Partition,
    from: Position,
}

impl MemoryFollower {
    fn find(&mut self, state: &State) -> Option<Shared> {
        let at = state.inputs.partition_point(|record| record.last() < self.from);
        let record = Arc::clone(state.inputs.get(at)?);
        self.from = record.last().next();
        Some(record)
    }
}

impl Follow for MemoryFollower {
    fn next(&mut self) -> Option<Shared> {
        let inner = Arc::clone(&self.partition.inner);
        let from = self.from;
        let waiting = |state: &mut State| last_of(&state.inputs) < from && !state.closed;
        let state = inner.state.lock().expect("no holder of this lock panics");
        let state = inner.changed.wait_while(state, waiting).expect("no holder of this lock panics");
        self.find(&state)
    }

    fn try_next(&mut self) -> Option<Shared> {
        let inner = Arc::clone(&self.partition.inner);
        let state = inner.state.lock().expect("no holder of this lock panics");
        self.find(&state)
    }
}
