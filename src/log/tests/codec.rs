//! Records as bytes.

use std::path::PathBuf;

use bytes::Bytes;
use forewarn_core::authority::By;
use forewarn_core::engine::ENGINE_VERSION;
use forewarn_core::event::{
    Assignment, ClockStep, Command, Decision, DeliveryOutcome, Input, PlanRef, Started, TroubleReport,
};
use forewarn_core::ids::{
    AreaIx, HazardIx, IndexKind, Key, LogId, OutputId, Position, RuleIx, RunId, SensorIx, SourceIx, TargetIx,
};
use forewarn_core::level::{Certainty, Level, Severity, Status, Urgency};
use forewarn_core::plan::PlanId;
use forewarn_core::reading::{Checked, Flag, Marks, Reading};
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::warning::{
    About, Cell, Due, Evidence, Incident, Kind, Outcome, Phase, Reason, Revision, TroubleCode, TroubleKey,
};
use minicbor::Encoder;
use proptest::prelude::*;

use super::{bytes_of, record};
use crate::log::{LogError, READING_BYTES_MAX, Record, bytes_at_most, decode};
use crate::ports::{Ground, Refused};

fn check(record: &Record) {
    let bytes = bytes_of(record);
    let again = decode(&bytes).unwrap_or_else(|error| panic!("{error}: {record:?}"));
    // NaN does not equal itself: the words for it do.
    assert_eq!(format!("{again:?}"), format!("{record:?}"));
    assert_eq!(bytes_of(&again), bytes);
}

fn readings() -> impl Strategy<Value = Reading> {
    let edge = prop_oneof![Just(0u64), Just(u64::MAX), any::<u64>(), 0u64..1000];
    let sensor = prop_oneof![any::<u32>(), 0u32..50];
    let observed = prop_oneof![any::<i64>(), 1_700_000_000_000_000i64..1_700_000_900_000_000];
    (sensor, prop_oneof![any::<u32>(), 0u32..3], observed, any::<u64>(), edge.clone(), edge, any::<u8>())
        .prop_map(|(sensor, source, observed, value, seq, identity, marks)| Reading {
            sensor: SensorIx(sensor),
            source: SourceIx(source),
            observed: Timestamp(observed),
            value: f64::from_bits(value),
            seq,
            identity,
            marks: Marks(marks),
        })
}

fn inputs() -> impl Strategy<Value = Input> {
    prop_oneof![
        8 => readings().prop_map(Input::Reading),
        1 => Just(Input::Tick),
        1 => (any::<u32>(), any::<bool>()).prop_map(|(source, up)| Input::Source(SourceIx(source), up)),
        1 => (any::<i64>(), any::<bool>())
            .prop_map(|(offset, trusted)| Input::Clock(ClockStep { offset: Span(offset), trusted })),
        1 => (any::<u32>(), ".{0,20}")
            .prop_map(|(index, name)| Input::Assign(Assignment { kind: IndexKind::Target, index, name })),
    ]
}

fn flags() -> impl Strategy<Value = Flag> {
    prop_oneof![
        Just(Flag::Good),
        Just(Flag::Unevaluated),
        Just(Flag::Suspect),
        Just(Flag::Fail),
        Just(Flag::Missing)
    ]
}

/// Judged or not, with other marks or not, in order or not.
fn records() -> impl Strategy<Value = Record> {
    let judged = proptest::collection::vec((any::<bool>(), flags(), any::<u8>()), 0..40);
    (proptest::collection::vec(inputs(), 0..40), judged, any::<bool>(), any::<u64>(), any::<i64>()).prop_map(
        |(inputs, judged, shuffled, first, at)| {
            let readings = inputs.iter().filter_map(|input| match input {
                Input::Reading(reading) => Some(*reading),
                _ => None,
            });
            let mut flagged: Vec<_> = readings
                .zip(judged)
                .filter(|(_, (there, ..))| *there)
                .map(|(reading, (_, flag, marks))| Checked {
                    reading: Reading { marks: reading.marks.with(Marks(marks)), ..reading },
                    flag,
                })
                .collect();
            if shuffled {
                flagged.reverse();
            }
            let offset = Span(at.wrapping_mul(3));
            let base = Record { first: Position(first), ..(*record(Position(1), 0)).clone() };
            Record { inputs, flagged, at: Timestamp(at), offset, ..base }
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_what_is_read(record in records()) {
        check(&record);
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes);
    }

    #[test]
    fn a_changed_byte_never_panics(record in records(), at in any::<u16>(), byte in any::<u8>()) {
        let mut bytes = bytes_of(&record);
        let at = at as usize % bytes.len();
        bytes[at] = byte;
        let _ = decode(&bytes);
    }

    #[test]
    fn no_record_is_larger_than_room_was_asked_for(
        readings in proptest::collection::vec(readings(), 0..30),
        shuffled in any::<bool>(),
    ) {
        let mut flagged: Vec<_> =
            readings.iter().map(|reading| Checked { reading: *reading, flag: Flag::Missing }).collect();
        if shuffled {
            flagged.reverse();
        }
        let most = bytes_at_most(readings.len(), &[], 0);
        let inputs = readings.into_iter().map(Input::Reading).collect();
        let first = Position(u64::MAX / 2);
        let record = Record { first, inputs, flagged, ..(*record(Position(1), 0)).clone() };
        prop_assert!(bytes_of(&record).len() <= most);
    }
}

#[test]
fn a_reading_takes_at_most_24_bytes() {
    let record = record(Position(1), 1000);
    let bytes = bytes_of(&record).len();
    assert!(bytes / 1000 <= 24, "{} bytes a reading", bytes / 1000);
    const { assert!(READING_BYTES_MAX < 128) };
}

#[test]
fn a_later_version_may_add_fields_and_items() {
    let known = (*record(Position(7), 2)).clone();
    let bytes = bytes_of(&known);
    // Its fields, then ones that this version does not know, then a refusal on a
    // ground that it does not know, and one item more.
    let mut later = bytes[..bytes.len() - 1].to_vec();
    let mut e = Encoder::new(&mut later);
    e.u8(200).and_then(|e| e.array(2)?.str("new")?.map(1)?.u8(0)?.u8(1)).unwrap();
    e.u16(3000).and_then(|e| e.str("newer")).unwrap();
    e.u8(11)
        .and_then(|e| e.array(1)?.array(6)?.u8(3)?.str("t")?.bytes(b"b")?.str("r")?.u16(999)?.str("more"))
        .unwrap();
    e.end().unwrap();
    let read = decode(&later).unwrap();
    let expected = Record { refused: vec![refusal(3, "t", b"b", "r")], ..known };
    assert_eq!(format!("{read:?}"), format!("{expected:?}"));
}

fn refusal(source: u32, topic: &str, bytes: &'static [u8], reason: &str) -> Refused {
    Refused {
        source: SourceIx(source),
        topic: topic.into(),
        bytes: Bytes::from_static(bytes),
        reason: reason.into(),
        ground: Ground::Unsaid,
    }
}

#[test]
fn the_ground_of_a_refusal_reads_back() {
    for ground in Ground::ALL {
        let refused = vec![Refused { ground, ..refusal(1, "a/b", b"{", "not JSON") }];
        check(&Record { refused, ..(*record(Position(1), 1)).clone() });
    }
}

/// A later version may say what this one does not know: then it is told who said it, where, and what to do.
#[test]
fn a_record_that_does_not_decode_says_who_wrote_it() {
    let check = |engine: u32, expected: &str| {
        let mut e = Encoder::new(vec![]);
        // Decisions that are no list, as no version up to this one writes them.
        e.map(3).unwrap().u64(0).unwrap().encode(Position(7)).unwrap();
        e.u64(9).unwrap().str("otherwise").unwrap().u64(4).unwrap().u32(engine).unwrap();
        let bytes = e.into_writer();
        let error =
            decode(&bytes).map_err(LogError::unreadable(3, Position(7), &bytes)).unwrap_err().to_string();
        assert!(error.starts_with("log/"), "{error}");
        assert!(
            error.contains("record at position 7 does not decode (") && error.contains(expected),
            "{error}"
        );
    };
    check(ENGINE_VERSION, "expected one of this or an earlier version");
    let (own, later) = (ENGINE_VERSION, ENGINE_VERSION + 1);
    let expected = format!(
        "engine version {later} wrote it, expected {own} or earlier: run the release that wrote it, or restore a backup"
    );
    check(later, &expected);
}

/// The fixture of the first encoding: whatever comes later, it must read so.
#[test]
fn the_first_version_reads_for_ever() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/compat/log-v1.bin");
    let expected = one_of_everything();
    if std::env::var_os("UPDATE_GOLDEN").is_some() && !path.exists() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes_of(&expected)).unwrap();
    }
    let bytes = std::fs::read(&path).unwrap();
    let read = decode(&bytes).unwrap();
    assert_eq!(format!("{read:#?}"), format!("{expected:#?}"));
    check(&expected);
}

fn one_of_everything() -> Record {
    let mut record = (*record(Position(1000), 0)).clone();
    let log = LogId([7; 16]);
    let output = OutputId { log, run: RunId(9), position: Position(1000), ordinal: 2 };
    let cell = Cell { hazard: HazardIx(1), area: AreaIx(2) };
    let reading = Reading {
        sensor: SensorIx(40),
        source: SourceIx(1),
        observed: Timestamp(1_700_000_000_123_456),
        value: 4.37,
        seq: 0,
        identity: 0,
        marks: Marks::default(),
    };
    let untimed = Reading {
        sensor: SensorIx(3),
        source: SourceIx(2),
        value: -0.0,
        seq: 99,
        identity: u64::MAX,
        marks: Marks::NO_DEVICE_TIME,
        ..reading
    };
    let trouble = TroubleReport {
        key: TroubleKey { code: TroubleCode::DomainSilent, subject: "gateway-3".into() },
        present: true,
        detail: "120 gauges silent".into(),
    };
    let started = Started {
        log,
        run: RunId(9),
        downtime: Some(Span::from_secs(5)),
        offset: Span(1),
        trusted: true,
        restored: false,
    };
    record.inputs = vec![
        Input::Started(started),
        Input::Assign(Assignment { kind: IndexKind::Sensor, index: 40, name: "qj-017/level".into() }),
        Input::Plan(PlanRef { id: PlanId([5; 32]), orphan: true, body: None }),
        Input::Reading(reading),
        Input::Tick,
        Input::Clock(ClockStep { offset: Span(-5), trusted: false }),
        Input::Reading(untimed),
        Input::Source(SourceIx(1), false),
        Input::Outcome(DeliveryOutcome {
            key: Key([8; 16]),
            warning: output,
            number: 1,
            target: TargetIx(4),
            outcome: Outcome::Accepted,
        }),
        Input::Command(Box::new(Command::AllClear(cell, "checked on site".into())), By::default()),
        Input::Trouble(trouble.clone()),
        Input::Reading(Reading { value: f64::MAX, ..reading }),
    ];
    record.flagged = vec![
        Checked { reading, flag: Flag::Good },
        Checked {
            reading: Reading { marks: untimed.marks.with(Marks::UNJUDGED), ..untimed },
            flag: Flag::Fail,
        },
    ];
    record.decisions = vec![
        (3, Decision::Incident(Incident { id: output, cell, phase: Phase::Active, ..Incident::default() })),
        (3, Decision::Revision(revision(output, cell))),
        (10, Decision::Trouble(trouble)),
        (11, Decision::Resumed),
    ];
    record.refused = vec![refusal(1, "a/b", &[0, 255, 1], "not JSON, expected an object")];
    record
}

fn revision(id: OutputId, cell: Cell) -> Revision {
    let instant = Timestamp::from_secs(1_700_000_000);
    Revision {
        id,
        warning: id,
        number: 1,
        kind: Kind::Alert,
        reason: Reason::Raised,
        about: About::Incident(cell),
        status: Status::Actual,
        level: Level::Red,
        urgency: Urgency::Immediate,
        severity: Severity::Extreme,
        certainty: Certainty::Observed,
        onset: instant,
        sent: instant,
        expires: instant,
        stale: false,
        evidence: vec![Evidence {
            rule: RuleIx(1),
            sensor: SensorIx(40),
            level: Level::Red,
            measured: Some(4.37),
            limit: Some(4.2),
            since: instant,
            observed: instant,
            trend: None,
            unknown: false,
            saturated: false,
            value: Some(4.37),
        }],
        sensors: 1,
        detail: String::new(),
        due: vec![Due { target: TargetIx(4), round: 0 }],
        peak: Level::Red,
        seen: None,
        texts: None,
        muted: None,
        lost: 0,
    }
}
