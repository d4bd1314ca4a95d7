//! Tests of the projection: idempotent, rebuilt when it must be, behind when the disk is full.

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
use crate::ports::{Archive, Follow, Note, Refused};

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
    let started =
        Started { log: LOG, run: RunId(1), downtime: None, offset: Span::from_secs(500), trusted: true };
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

#[test]
fn a_record_that_comes_again_changes_nothing() {
    let (once, again) = (Place::new(), Place::new());
    once.open(0).apply(&life()).unwrap();
    let mut projection = again.open(0);
    for end in 1..=life().len() {
        projection.apply(&life()[..end]).unwrap();
    }
    drop(projection);
    // Even one whose cursor was lost.
    Connection::open(&again.path)
        .unwrap()
        .execute("UPDATE meta SET value = 0 WHERE name = 'cursor'", [])
        .unwrap();
    again.open(20).apply(&life()).unwrap();
    assert_eq!(once.dump(), again.dump());
    assert_eq!(again.open(20).cursor(), Position(20));
}

#[test]
fn rows_say_what_the_log_says() {
    let place = Place::new();
    place.open(0).apply(&life()).unwrap();
    let reader = place.reader();
    assert_eq!(reader.cursor().unwrap(), Position(20));
    let active = reader.active_warnings(10).unwrap();
    assert_eq!(active.len(), 1);
    assert_eq!(active[0].newest, revision(2, 13, Kind::Update, &[0, 1]));
    let detail = reader.warning(active[0].digest).unwrap().unwrap();
    let states: Vec<_> =
        detail.deliveries.iter().map(|row| (row.number, &*row.target_id, row.state)).collect();
    assert_eq!(
        states,
        [
            (1, "t-0", DeliveryState::Accepted),
            (1, "t-1", DeliveryState::Dead(Death::Rejected)),
            (2, "t-0", DeliveryState::Queued),
            (2, "t-1", DeliveryState::Queued),
        ]
    );
    assert_eq!(detail.deliveries[0].key, key(10, 0, 0));
    assert_eq!(reader.dead_letters(10).unwrap().len(), 1);
    assert_eq!(reader.outstanding_deliveries(10).unwrap().len(), 2);
    assert_eq!(reader.incidents().unwrap()[0].phase, Phase::Active);
    assert_eq!(reader.troubles().unwrap()[0].code, "sensor-silent");
    assert_eq!(reader.ledger(10).unwrap()[0].would_have.level, Level::Red);
    assert_eq!(reader.notices(10).unwrap()[0].words, "area gone");
    let quarantined = reader.quarantine(10).unwrap().remove(0);
    assert_eq!(quarantined.bytes, b"{oops");
    assert_eq!(quarantined.received, Timestamp::from_secs(1_500));
    assert_eq!(reader.quarantined(quarantined.id).unwrap(), Some(quarantined));
    assert_eq!(reader.quarantined(99).unwrap(), None);
}

#[test]
fn a_courier_resumes_where_the_log_left_it() {
    let place = Place::new();
    let mut projection = place.open(0);
    projection.apply(&life()).unwrap();
    let reader = place.reader();
    let resume = reader.resume(1).unwrap();
    assert_eq!((resume.cursor, resume.offset, resume.trusted), (Position(20), Span::from_secs(500), true));
    assert_eq!(resume.targets[&TargetIx(1)], "t-1");
    assert_eq!(resume.told, [(output(10), TargetIx(0), 2), (output(10), TargetIx(1), 2)]);
    assert_eq!(resume.outstanding.len(), 1);
    let rest = reader.outstanding(&resume.outstanding[0], resume.cursor, 9).unwrap();
    assert_eq!(rest.len(), 1);
    assert_eq!((rest[0].revision.number, rest[0].due.target), (2, TargetIx(1)));
    // What is released later belongs to the log's follower.
    let later =
        record(21, vec![Input::Tick], vec![Decision::Revision(revision(3, 21, Kind::AllClear, &[0]))]);
    projection.apply(&[Arc::new(later)]).unwrap();
    assert_eq!(reader.outstanding(&resume.outstanding[0], resume.cursor, 9).unwrap(), rest);
    assert_eq!(reader.resume(9).unwrap().told, [], "the warning has ended");
    assert_eq!(reader.revision(&output(10), 2).unwrap().unwrap().number, 2);
    assert_eq!(reader.revision(&output(10), 9).unwrap(), None);
}

#[test]
fn a_resend_is_a_delivery_of_its_own() {
    let place = Place::new();
    let mut projection = place.open(0);
    projection.apply(&life()).unwrap();
    let due = Due { target: TargetIx(1), round: 1 };
    let resent = Decision::Resent { warning: output(10), number: 1, due };
    projection.apply(&[Arc::new(record(21, vec![Input::Tick], vec![resent]))]).unwrap();
    let rows = place.reader().outstanding_deliveries(9).unwrap();
    assert!(rows.iter().any(|row| row.key == key(10, 1, 1) && row.round == 1));
}

#[test]
fn the_first_outcome_in_the_log_counts() {
    let place = Place::new();
    let mut projection = place.open(0);
    projection.apply(&life()).unwrap();
    projection.apply(&[Arc::new(record(21, vec![outcome(10, 1, 0, Outcome::Superseded)], vec![]))]).unwrap();
    let detail = place.reader().warning(output(10).digest()).unwrap().unwrap();
    assert_eq!(detail.deliveries[0].state, DeliveryState::Accepted);
}

#[test]
fn a_file_that_is_not_of_this_log_is_rebuilt() {
    // end of the log, log, whether the rows stay
    for (end, log, stays) in [(20, LOG, true), (19, LOG, false), (20, LogId([1; 16]), false)] {
        let place = Place::new();
        place.open(0).apply(&life()).unwrap();
        let projection = Projection::open(&place.path, Origin { log, ..origin(end) }).unwrap();
        assert_eq!(projection.cursor() == Position(20), stays, "end {end}, log {log}");
        assert_eq!(place.reader().recent_warnings(9).unwrap().len(), usize::from(stays));
    }
}

#[test]
fn a_rotten_file_is_rebuilt_and_the_other_worlds_is_refused() {
    let place = Place::new();
    std::fs::write(&place.path, vec![0x55; 8_192]).unwrap();
    assert_eq!(place.open(20).cursor(), Position(0));
    let drill = Projection::open(&place.path, Origin { stamp: "drill", ..origin(20) });
    assert!(matches!(drill, Err(StateError::Stamp { expected: "drill", .. })));
}

#[test]
fn a_rebuild_gives_the_same_rows() {
    let place = Place::new();
    let mut projection = place.open(0);
    projection.apply(&life()).unwrap();
    let before = place.dump();
    let mut projection = projection.rebuild().unwrap();
    assert_eq!(projection.cursor(), Position(0));
    projection.apply(&life()).unwrap();
    assert_eq!(place.dump(), before);
}

#[test]
fn a_full_disk_leaves_the_cursor_where_it_was_and_frees_the_ballast() {
    let place = Place::new();
    let mut projection = place.open(0);
    let life = life();
    projection.apply(&life[..2]).unwrap();
    let pages: i64 = projection.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    projection.connection.pragma_update(None, "max_page_count", pages).unwrap();
    let ballast = projection.path().with_file_name("state.db.ballast");
    assert!(ballast.exists());
    let mut large = revision(3, 30, Kind::Update, &[0, 1]);
    large.detail = "x".repeat(100_000);
    let large = Arc::new(record(30, vec![Input::Tick], vec![Decision::Revision(large)]));
    let full = projection.apply(&[life[2].clone(), large.clone()]);
    assert!(matches!(full, Err(StateError::Full { .. })), "{full:?}");
    assert_eq!(projection.cursor(), Position(10));
    assert_eq!(place.reader().cursor().unwrap(), Position(10), "all or nothing");
    assert!(!ballast.exists());
    // Space again.
    projection.connection.pragma_update(None, "max_page_count", 1_000_000).unwrap();
    projection.apply(&[life[2].clone(), large]).unwrap();
    assert_eq!(place.reader().cursor().unwrap(), Position(30));
    projection.restore_ballast();
    assert!(ballast.exists());
}

#[test]
fn quarantine_keeps_the_newest_within_its_budget() {
    let place = Place::new();
    let mut projection = place.open(0);
    let bytes = 64 * 1024;
    let fits = QUARANTINE_BYTES_MAX as usize / bytes;
    for batch in 0..12_u64 {
        let mut records = record(batch + 1, vec![Input::Tick], vec![]);
        records.refused = (0..100)
            .map(|_| Refused {
                source: SourceIx(0),
                topic: batch.to_string(),
                bytes: Bytes::from(vec![0; bytes]),
                reason: String::new(),
            })
            .collect();
        projection.apply(&[Arc::new(records)]).unwrap();
    }
    let kept = place.reader().quarantine(9_999).unwrap();
    assert_eq!(kept.len(), fits);
    assert_eq!(kept[0].topic, "11");
}

/// Gives what it has, then waits until it is told to end.
struct Given(std::vec::IntoIter<Arc<Record>>, std::sync::mpsc::Receiver<()>);

impl Follow for Given {
    fn next(&mut self) -> Option<Arc<Record>> {
        self.0.next().or_else(|| {
            let _ended = self.1.recv();
            None
        })
    }

    fn try_next(&mut self) -> Option<Arc<Record>> {
        self.0.next()
    }
}

fn until(what: &str, so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !so() {
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn the_thread_applies_the_log_and_the_notes_and_ends_with_the_log() {
    let place = Place::new();
    let (notes, taken) = sync_channel(NOTES_MAX);
    let (end, ended) = sync_channel(1);
    let handle =
        StateThread::start(place.open(0), Box::new(Given(life().into_iter(), ended)), taken).unwrap();
    let position = handle.position();
    until("all is applied", || *position.borrow() == Position(20));
    let note = Note { key: key(13, 0, 0), at: Timestamp(5), outcome: "retry: 503".into() };
    notes.try_send(note).unwrap();
    let reader = place.reader();
    until("the note is there", || reader.attempts(key(13, 0, 0)).unwrap().len() == 1);
    let row = reader.outstanding_deliveries(1).unwrap().remove(0);
    assert_eq!((row.attempts, row.note), (1, Some((Timestamp(5), "retry: 503".into()))));
    drop(end);
    handle.join();
}

#[test]
fn a_writer_that_is_kept_out_lags_and_catches_up() {
    let place = Place::new();
    let projection = place.open(0);
    projection.connection.busy_timeout(Duration::from_millis(10)).unwrap();
    let other = Connection::open(&place.path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (_notes, taken) = sync_channel(1);
    let (end, ended) = sync_channel(1);
    let handle = StateThread::start(projection, Box::new(Given(life().into_iter(), ended)), taken).unwrap();
    let position = handle.position();
    let began = Instant::now();
    until("it has tried more than once", || began.elapsed() > Duration::from_millis(300));
    assert_eq!((*position.borrow(), handle.is_running()), (Position(0), true));
    other.execute_batch("ROLLBACK").unwrap();
    until("it has caught up", || *position.borrow() == Position(20));
    drop(end);
    handle.join();
}

#[test]
fn no_address_stands_in_the_file() {
    // The projection is made of the log, which holds target ids only; the
    // columns are listed here so that a new one is looked at.
    let place = Place::new();
    let projection = place.open(0);
    let columns: Vec<String> = projection
        .connection
        .prepare(
            "SELECT m.name || '.' || c.name FROM sqlite_schema m, pragma_table_info(m.name) c
                  WHERE m.type = 'table' AND c.type = 'TEXT' AND m.name NOT LIKE 'sqlite%' ORDER BY 1",
        )
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(
        columns.join(" "),
        "attempts.outcome deliveries.death deliveries.state incidents.phase meta.name notices.kind \
         notices.words quarantine.reason quarantine.topic revisions.kind revisions.reason revisions.status \
         targets.id troubles.code troubles.detail troubles.subject warnings.about warnings.status"
    );
}
