//! What stands in the rows.

use forewarn_core::event::Bundle;

use super::*;
use crate::ports::{Hold, Leaves, Said};

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
fn a_digest_is_resumed_whole_under_its_key() {
    let place = Place::new();
    let mut projection = place.open(0);
    projection.apply(&life()).unwrap();
    let other = Revision { id: output(21), warning: output(21), ..revision(1, 21, Kind::Alert, &[0, 1]) };
    let mut fixed = record(21, vec![Input::Tick], vec![Decision::Revision(other)]);
    fixed.at = Timestamp::from_secs(21);
    // Target 0 is told of both in a digest, target 1 of the first alone.
    let digest = Bundle::digest(vec![key(21, 0, 0), key(13, 0, 0)], TargetIx(0), Level::Orange);
    let alone = Bundle::alone(key(13, 1, 0), TargetIx(1), Level::Orange);
    let inputs = vec![Input::Bundled(digest.clone()), Input::Bundled(alone)];
    let mut bundled = record(22, inputs, vec![]);
    bundled.at = Timestamp::from_secs(22);
    projection.apply(&[Arc::new(fixed), Arc::new(bundled.clone())]).unwrap();
    let reader = place.reader();
    let resume = reader.resume(9).unwrap();
    let rows: Vec<_> =
        resume.outstanding.iter().map(|row| (row.revision.id, row.due.target.0, row.leaves)).collect();
    assert_eq!(rows, [(output(13), 1, Leaves::Alone), (output(21), 1, Leaves::Open)]);
    let said = |target, is_digest| Said { target: TargetIx(target), at: bundled.at, is_digest };
    let mut was_said = resume.said.clone();
    was_said.sort_by_key(|said| said.target);
    assert_eq!(was_said, [said(0, true), said(1, false)]);
    assert_eq!((resume.bundled.len(), resume.bundled[0].key), (1, digest.key));
    let members: Vec<_> = resume.bundled[0].members.iter().map(|row| row.revision.id).collect();
    assert_eq!((members, resume.bundled[0].decided.len()), (vec![output(13), output(21)], 0));
    // One has its outcome: the digest is still the whole of it.
    let accepted = DeliveryOutcome {
        key: key(21, 0, 0),
        warning: output(21),
        number: 1,
        target: TargetIx(0),
        outcome: Outcome::Accepted,
    };
    projection.apply(&[Arc::new(record(24, vec![Input::Outcome(accepted)], vec![]))]).unwrap();
    let resume = reader.resume(9).unwrap();
    assert_eq!(resume.bundled[0].members.len(), 2);
    assert_eq!(resume.bundled[0].decided.iter().collect::<Vec<_>>(), [&key(21, 0, 0)]);
    // Its page, and what its button acknowledges.
    let page = reader.digest_page(digest.key).unwrap().expect("a page");
    let newest: Vec<_> = page.newest.iter().map(|(revision, key)| (revision.id, *key)).collect();
    assert_eq!(newest, [(output(13), key(13, 0, 0)), (output(21), key(21, 0, 0))]);
    assert_eq!((page.target, page.upto, page.acknowledged), (TargetIx(0), Position(24), vec![]));
    let upto = |position| reader.digest_upto(digest.key, Position(position)).unwrap().expect("a digest").1;
    assert_eq!(upto(24), [(output(10), 2), (output(21), 1)]);
    assert_eq!(upto(12), [(output(10), 1)], "what came later is not acknowledged");
    assert_eq!(reader.digest_page(key(13, 1, 0)).unwrap(), None, "a delivery that goes alone is no digest");
    let detail = reader.warning(output(21).digest()).unwrap().unwrap();
    let digests: Vec<_> = detail.deliveries.iter().map(|row| row.digest).collect();
    assert_eq!(digests, [Some(digest.key), None]);
}

#[test]
fn whatever_is_news_is_acknowledged_anew_in_a_digest() {
    let acknowledged =
        |number| Decision::Acknowledged { warning: output(10), number, target: TargetIx(0), reach: None };
    let digest = Bundle::digest(vec![key(13, 0, 0), key(21, 0, 0)], TargetIx(0), Level::Orange);
    for reason in Reason::NEWS {
        let place = Place::new();
        let mut projection = place.open(0);
        projection.apply(&life()).unwrap();
        let other = Revision { id: output(21), warning: output(21), ..revision(1, 21, Kind::Alert, &[0, 1]) };
        let bundled = record(22, vec![Input::Bundled(digest.clone())], vec![acknowledged(2)]);
        let first = record(21, vec![Input::Tick], vec![Decision::Revision(other)]);
        projection.apply(&[Arc::new(first), Arc::new(bundled)]).unwrap();
        let seen = || place.reader().digest_page(digest.key).unwrap().expect("a page").acknowledged;
        assert_eq!(seen(), [(key(13, 0, 0), TargetIx(0))]);
        let news = Revision { reason, ..revision(3, 24, Kind::Update, &[0, 1]) };
        projection.apply(&[Arc::new(record(24, vec![Input::Tick], vec![Decision::Revision(news)]))]).unwrap();
        assert_eq!(seen(), [], "{reason:?}: what they had before them is not what holds now");
        projection.apply(&[Arc::new(record(25, vec![Input::Tick], vec![acknowledged(3)]))]).unwrap();
        assert_eq!(seen(), [(key(13, 0, 0), TargetIx(0))]);
    }
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
        "attempts.outcome deliveries.death deliveries.state deliveries.status incidents.phase meta.name notices.kind \
         notices.words orders.kind orders.state quarantine.reason quarantine.topic revisions.kind revisions.reason revisions.status \
         targets.id troubles.code troubles.detail troubles.subject warnings.about warnings.status"
    );
}

#[test]
fn targets_that_the_log_does_not_name_stay_apart() {
    let place = Place::new();
    let mut projection = place.open(0);
    let alert = Decision::Revision(revision(1, 10, Kind::Alert, &[7, 8]));
    projection.apply(&[Arc::new(record(10, vec![Input::Tick], vec![alert]))]).unwrap();
    let accepted = outcome(10, 1, 7, Outcome::Accepted);
    projection.apply(&[Arc::new(record(11, vec![accepted], vec![]))]).unwrap();
    let detail = place.reader().warning(output(10).digest()).unwrap().unwrap();
    let rows: Vec<_> = detail.deliveries.iter().map(|row| (row.target.0, row.state)).collect();
    assert_eq!(rows, [(7, DeliveryState::Accepted), (8, DeliveryState::Queued)]);
    assert_eq!(detail.deliveries[0].key, key(10, 7, 0), "the key under which it was sent");
}

#[test]
fn a_held_directory_is_held_until_it_resumes() {
    let place = Place::new();
    let mut projection = place.open(0);
    let key = TroubleKey { code: TroubleCode::Held, subject: String::new() };
    let held = Decision::Trouble(TroubleReport { key, present: true, detail: "restored".into() });
    projection.apply(&[Arc::new(record(1, vec![Input::Tick], vec![held]))]).unwrap();
    assert_eq!(place.reader().resume(1).unwrap().hold, Hold::UntilResumed);
    projection.apply(&[Arc::new(record(2, vec![Input::Tick], vec![Decision::Resumed]))]).unwrap();
    assert_eq!(place.reader().resume(1).unwrap().hold, Hold::No);
}
