//! What is kept, and what goes.

use super::super::trim::{self, Ended};
use super::*;

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
                ground: Ground::Format,
            })
            .collect();
        projection.apply(&[Arc::new(records)]).unwrap();
    }
    let kept = place.reader().quarantine(9_999).unwrap();
    assert_eq!(kept.len(), fits);
    assert_eq!(kept[0].topic, "11");
    let sums = "SELECT (SELECT value FROM meta WHERE name = 'quarantine_bytes'), (SELECT sum(length(bytes)) FROM quarantine)";
    let sums: (i64, i64) =
        projection.connection.query_row(sums, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(sums, (QUARANTINE_BYTES_MAX, QUARANTINE_BYTES_MAX), "the sum that is kept is the sum");
}

#[test]
fn quarantine_keeps_so_many_messages_and_counts_none_twice() {
    let place = Place::new();
    let mut projection = place.open(0);
    let refused = Refused {
        source: SourceIx(0),
        topic: String::new(),
        bytes: Bytes::from_static(b"abc"),
        reason: String::new(),
        ground: Ground::Format,
    };
    let records: Vec<_> = (0..11)
        .map(|batch| {
            let mut record = record(batch + 1, vec![Input::Tick], vec![]);
            record.refused = vec![refused.clone(); 1_000];
            Arc::new(record)
        })
        .collect();
    for _ in 0..2 {
        projection.apply(&records).unwrap();
        // As after a lost cursor: all of it comes again.
        projection.cursor = Position(0);
    }
    let kept = place.reader().quarantine(99_999).unwrap();
    assert_eq!(kept.len() as i64, QUARANTINE_ROWS_MAX);
    let sum: i64 = meta(&projection.connection, "quarantine_bytes").unwrap().unwrap();
    assert_eq!(sum, 3 * QUARANTINE_ROWS_MAX);
}

/// A warning of its own with one revision, sent at `sent` seconds, to target 0.
fn warning(position: u64, kind: Kind, sent: i64) -> Arc<Record> {
    let sent = Timestamp::from_secs(sent);
    let revision = Revision { warning: output(position), sent, ..revision(1, position, kind, &[0]) };
    Arc::new(record(position, vec![Input::Tick], vec![Decision::Revision(revision)]))
}

fn accepted(at: u64, warning: u64) -> Arc<Record> {
    let outcome = DeliveryOutcome {
        key: key(warning, 0, 0),
        warning: output(warning),
        number: 1,
        target: TargetIx(0),
        outcome: Outcome::Accepted,
    };
    Arc::new(record(at, vec![Input::Outcome(outcome)], vec![]))
}

#[test]
fn ended_warnings_go_once_they_are_many_and_old() {
    // What is kept of six: (position, ended or not, sent, delivered or not).
    const SIX: [(u64, Kind, i64, bool); 6] = [
        (10, Kind::AllClear, 100, true),
        (20, Kind::Alert, 100, true),
        (30, Kind::AllClear, 100, false),
        (40, Kind::AllClear, 100, true),
        (50, Kind::Cancel, 900, true),
        (60, Kind::AllClear, 1_000, true),
    ];
    let hours = |kept: (i64, i64, i64)| Ended { rows: kept.0, age: Span::from_secs(kept.1), step: kept.2 };
    for (kept, expected) in [
        // Few, or young: all stay.
        ((9, 1, 9), &[10, 20, 30, 40, 50, 60][..]),
        ((1, 5_000, 9), &[10, 20, 30, 40, 50, 60]),
        // Of the ended the newest and those with an open delivery.
        ((1, 1, 9), &[20, 30, 60]),
        ((2, 1, 9), &[20, 30, 50, 60]),
        // The younger are more than the newest.
        ((1, 500, 9), &[20, 30, 50, 60]),
        // In steps, the oldest first.
        ((1, 1, 1), &[20, 30, 40, 50, 60]),
    ] {
        let place = Place::new();
        let mut projection = place.open(0);
        let targets = Input::Assign(Assignment { kind: IndexKind::Target, index: 0, name: "t-0".into() });
        projection.apply(&[Arc::new(record(1, vec![targets], vec![]))]).unwrap();
        for (position, kind, sent, delivered) in SIX {
            projection.apply(&[warning(position, kind, sent)]).unwrap();
            if delivered {
                let note = Note { key: key(position, 0, 0), at: Timestamp(5), outcome: "200".into() };
                projection.commit(&[accepted(position + 1, position)], &[note]).unwrap();
            }
        }
        let transaction = projection.connection.transaction().unwrap();
        trim::warnings(&transaction, &hours(kept), Timestamp::from_secs(1_001)).unwrap();
        transaction.commit().unwrap();

        let mut left: Vec<u64> =
            place.reader().recent_warnings(9).unwrap().iter().map(|it| it.newest.id.position.0).collect();
        left.reverse();
        assert_eq!(left, expected, "{kept:?}");
        let rows = |table: &str| -> usize {
            let count = format!("SELECT count(*) FROM {table}");
            projection.connection.query_row(&count, [], |row| row.get::<_, u32>(0)).unwrap() as usize
        };
        let noted = expected.iter().filter(|it| **it != 30).count();
        assert_eq!(
            (rows("revisions"), rows("deliveries"), rows("attempts")),
            (expected.len(), expected.len(), noted),
            "{kept:?}: what belongs to them goes with them"
        );
    }
}
