//! Tests of the projection: idempotent, rebuilt when it must be, behind when the disk is full.

mod faults;
mod rows;
mod trims;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use bytes::Bytes;
use forewarn_core::event::{Assignment, Decision, DeliveryOutcome, Input, Started, TroubleReport};
use forewarn_core::finding::WouldHave;
use forewarn_core::ids::{
    IndexKind, Key, LogId, OutputId, Position, RuleIx, RunId, SensorIx, SourceIx, TargetIx,
};
use forewarn_core::level::{Certainty, Level, Severity, Status, Urgency};
use forewarn_core::plan::PlanId;
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::warning::{
    About, Cell, Death, Due, Incident, Kind, Outcome, Phase, Reason, Revision, TroubleCode, TroubleKey,
};
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::ports::{Archive, Follow, Ground, Note, Refused};

const LOG: LogId = LogId([9; 16]);

fn origin(end: u64) -> Origin {
    Origin { log: LOG, end: Position(end), stamp: "live" }
}

fn output(position: u64) -> OutputId {
    OutputId { log: LOG, run: RunId(1), position: Position(position), ordinal: 0 }
}

fn revision(number: u32, position: u64, kind: Kind, targets: &[u32]) -> Revision {
    Revision {
        id: output(position),
        warning: output(10),
        number,
        kind,
        reason: Reason::Raised,
        about: About::Incident(Cell::default()),
        status: Status::Actual,
        level: Level::Orange,
        urgency: Urgency::Immediate,
        severity: Severity::Severe,
        certainty: Certainty::Observed,
        onset: Timestamp(0),
        sent: Timestamp::from_secs(position as i64),
        expires: Timestamp::from_secs(9_000),
        stale: false,
        evidence: vec![],
        sensors: 1,
        detail: String::new(),
        due: targets.iter().map(|&target| Due { target: TargetIx(target), round: 0 }).collect(),
        peak: Level::Red,
        seen: None,
        lost: 0,
    }
}

fn record(first: u64, inputs: Vec<Input>, decisions: Vec<Decision>) -> Record {
    Record {
        first: Position(first),
        at: Timestamp::from_secs(1_000),
        offset: Span::from_secs(500),
        run: RunId(1),
        engine: 1,
        plan: PlanId::default(),
        inputs,
        decisions: decisions.into_iter().map(|decision| (0, decision)).collect(),
        flagged: vec![],
        refused: vec![],
    }
}

fn key(position: u64, target: u32, round: u32) -> Key {
    Key::of_delivery(&output(position), &format!("t-{target}"), round)
}

fn outcome(position: u64, number: u32, target: u32, outcome: Outcome) -> Input {
    let key = key(position, target, 0);
    Input::Outcome(DeliveryOutcome { key, warning: output(10), number, target: TargetIx(target), outcome })
}

/// A small life: two targets, a warning of two revisions, one delivery dead,
/// one accepted, two queued; a trouble, a ledger entry, a refused plan.
fn life() -> Vec<Arc<Record>> {
    let started = Started {
        log: LOG,
        run: RunId(1),
        downtime: None,
        offset: Span::from_secs(500),
        trusted: true,
        restored: false,
    };
    let assign = |index: u32| {
        let name = format!("t-{index}");
        Input::Assign(Assignment { kind: IndexKind::Target, index, name })
    };
    let incident = Incident { phase: Phase::Active, level: Level::Orange, ..Incident::default() };
    let would_have = WouldHave {
        rule: RuleIx(1),
        sensor: SensorIx(2),
        level: Level::Red,
        observed: Timestamp(7),
        measured: 5.2,
    };
    let trouble = TroubleReport {
        key: TroubleKey { code: TroubleCode::SensorSilent, subject: "ford/level".into() },
        present: true,
        detail: "no reading since 02:10".into(),
    };
    let mut refused = record(20, vec![Input::Tick], vec![Decision::PlanRefused("area gone".into())]);
    refused.refused.push(Refused {
        source: SourceIx(1),
        topic: "river/ford".into(),
        bytes: Bytes::from_static(b"{oops"),
        reason: "byte 1: expected a string".into(),
        ground: Ground::Format,
    });
    [
        record(1, vec![Input::Started(started), assign(0), assign(1)], vec![]),
        record(
            10,
            vec![Input::Tick],
            vec![
                Decision::Incident(incident),
                Decision::Revision(revision(1, 10, Kind::Alert, &[0, 1])),
                Decision::WouldHave(would_have),
                Decision::Trouble(trouble),
            ],
        ),
        record(11, vec![outcome(10, 1, 0, Outcome::Accepted)], vec![]),
        record(12, vec![outcome(10, 1, 1, Outcome::Dead(Death::Rejected))], vec![]),
        record(13, vec![Input::Tick], vec![Decision::Revision(revision(2, 13, Kind::Update, &[0, 1]))]),
        refused,
    ]
    .into_iter()
    .map(Arc::new)
    .collect()
}

struct Place {
    _folder: TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Place {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("state.db");
        Place { _folder: folder, path }
    }

    fn open(&self, end: u64) -> Projection {
        Projection::open(&self.path, origin(end)).unwrap()
    }

    fn reader(&self) -> StateReader {
        StateReader::open_read_only(&self.path).unwrap()
    }

    /// Everything in it but the notes, as text.
    fn dump(&self) -> String {
        let reader = self.reader();
        format!(
            "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
            reader.recent_warnings(99).unwrap(),
            reader.warning(output(10).digest()).unwrap(),
            reader.incidents().unwrap(),
            reader.troubles().unwrap(),
            reader.ledger(99).unwrap(),
            reader.notices(99).unwrap(),
            reader.quarantine(99).unwrap(),
            reader.resume(99).unwrap(),
            reader.dead_letters(99).unwrap(),
        )
    }
}
