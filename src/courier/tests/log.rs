//! A log in memory, for tests of the whole courier.

use std::sync::{Arc, Condvar, Mutex};

use forewarn_core::event::{Assignment, Bundle, Decision, Input, Started};
use forewarn_core::ids::{IndexKind, LogId, Position, RunId};
use forewarn_core::plan::PlanId;
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::warning::Revision;

use super::doubles::target_id;
use crate::log::Record;
use crate::ports::Follow;

/// A log in memory. Followers wait at its end until it is closed.
#[derive(Debug, Default)]
pub(super) struct FakeLog {
    pub(super) inner: Mutex<Records>,
    more: Condvar,
    /// Engine time of what is appended.
    pub(super) now: Mutex<Timestamp>,
}

#[derive(Debug, Default)]
pub(super) struct Records {
    kept: Vec<Arc<Record>>,
    closed: bool,
    /// Reads that are still to fail.
    faults: u32,
    /// Revisions that the projection is still to be asked for in vain, since it is behind.
    pub(super) early: u32,
}

impl FakeLog {
    /// A log that names its targets and trusts its clock.
    pub(super) fn with_targets(targets: u32) -> Arc<FakeLog> {
        let log = Arc::new(FakeLog::default());
        let started = Started {
            log: LogId([7; 16]),
            run: RunId(3),
            downtime: None,
            offset: Span::ZERO,
            trusted: true,
            restored: false,
        };
        let mut inputs = vec![Input::Started(started)];
        inputs.extend((0..targets).map(|index| {
            Input::Assign(Assignment { kind: IndexKind::Target, index, name: target_id(index) })
        }));
        log.append(inputs, vec![]);
        log
    }

    pub(super) fn append(&self, inputs: Vec<Input>, decisions: Vec<Decision>) -> Position {
        let at = *self.now.lock().unwrap();
        let mut inner = self.inner.lock().unwrap();
        let first = inner.kept.last().map_or(Position(1), |last| last.last().next());
        let record = Record {
            first,
            at,
            offset: Span::ZERO,
            run: RunId(3),
            engine: 1,
            plan: PlanId::default(),
            inputs,
            decisions: decisions.into_iter().map(|decision| (0, decision)).collect(),
            flagged: vec![],
            refused: vec![],
        };
        let last = record.last();
        inner.kept.push(Arc::new(record));
        self.more.notify_all();
        last
    }

    pub(super) fn decide(&self, revisions: &[Arc<Revision>]) -> Position {
        let decisions = revisions.iter().map(|revision| Decision::Revision((**revision).clone()));
        self.append(vec![Input::Tick], decisions.collect())
    }

    pub(super) fn records(&self) -> Vec<Arc<Record>> {
        self.inner.lock().unwrap().kept.clone()
    }

    pub(super) fn end(&self) -> Position {
        self.records().last().map_or(Position(0), |last| last.last())
    }

    /// The next reads fail.
    pub(super) fn fail_reads(&self, faults: u32) {
        self.inner.lock().unwrap().faults = faults;
        self.more.notify_all();
    }

    /// The projection is behind for this many questions.
    pub(super) fn hold_projection(&self, early: u32) {
        self.inner.lock().unwrap().early = early;
    }

    pub(super) fn close(&self) {
        self.inner.lock().unwrap().closed = true;
        self.more.notify_all();
    }

    pub(super) fn follow(self: &Arc<Self>, after: Position) -> Box<dyn Follow> {
        Box::new(FakeFollow { log: Arc::clone(self), after, fault: None })
    }
}

struct FakeFollow {
    log: Arc<FakeLog>,
    after: Position,
    fault: Option<String>,
}

impl FakeFollow {
    fn find(&mut self, inner: &Records) -> Option<Arc<Record>> {
        let at = inner.kept.partition_point(|record| record.last() <= self.after);
        let record = inner.kept.get(at)?;
        self.after = record.last();
        Some(Arc::clone(record))
    }
}

impl Follow for FakeFollow {
    fn next(&mut self) -> Option<Arc<Record>> {
        let log = Arc::clone(&self.log);
        let mut inner = log.inner.lock().unwrap();
        loop {
            if inner.faults > 0 {
                inner.faults -= 1;
                self.fault = Some("segment 3: input/output error".into());
                return None;
            }
            if let Some(record) = self.find(&inner) {
                return Some(record);
            }
            if inner.closed {
                return None;
            }
            inner = log.more.wait(inner).unwrap();
        }
    }

    fn try_next(&mut self) -> Option<Arc<Record>> {
        let log = Arc::clone(&self.log);
        let inner = log.inner.lock().unwrap();
        self.find(&inner)
    }

    fn fault(&self) -> Option<String> {
        self.fault.clone()
    }
}

/// What a record fixed.
pub(super) fn bundles(record: &Record) -> impl Iterator<Item = &Bundle> {
    record.inputs.iter().filter_map(|input| match input {
        Input::Bundled(bundle) => Some(bundle),
        _ => None,
    })
}
