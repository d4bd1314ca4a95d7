use forewarn_core::ids::{Key, OutputId, RunId};
use forewarn_core::level::Status;
use forewarn_core::time::Span;
use forewarn_core::warning::{Kind, Reason};

use super::*;
use crate::cap::feed::{self, Feed};
use crate::cap::say::tests::{flood, further, setup, told};
use crate::cap::{Earlier, said};
use crate::channels::sample::{self, NOW};
use crate::channels::words::Messages;
use crate::config::plan::Setup;

fn put(shelf: &Shelf, revision: &Revision, setup: &Setup) -> Made {
    let messages = Messages::read(&setup.messages);
    let put = |change: &Change<'_>| {
        let earlier = change.earlier(revision.warning.digest())?;
        let alert = said(revision, setup, &messages, &earlier).expect("something to say");
        change.pass(Place::of(revision))?;
        change.put(&alert, revision)
    };
    shelf.change(put).unwrap()
}

fn earlier(shelf: &Shelf, warning: Key) -> Vec<Earlier> {
    shelf.change(|change| change.earlier(warning)).unwrap()
}

fn over(shelf: &Shelf, warning: Key) {
    shelf.change(|change| change.over(warning)).unwrap();
}

/// The nth of many floods, each a warning of its own.
fn other(nth: u64) -> Revision {
    let mut other = flood();
    other.id.position = Position(1_000 + nth);
    other.warning = other.id;
    other
}

#[test]
fn what_an_identifier_stands_for_never_changes() {
    let (shelf, mut setup) = (Shelf::in_memory().unwrap(), setup());
    let warning = flood().warning.digest();
    put(&shelf, &flood(), &setup);
    let before = shelf.published(warning, Some(1)).unwrap().unwrap();
    setup.cap.sender = "elsewhere.example".into();
    setup.cap.public = false;
    put(&shelf, &flood(), &setup);
    assert_eq!(shelf.published(warning, Some(1)).unwrap(), Some(before.clone()));
    // The next one refers to it as it was sent.
    put(&shelf, &further(2, sample::all_clear()), &setup);
    let newest = shelf.published(warning, None).unwrap().unwrap();
    let reference = format!("warn.example,{},2026-07-14T03:20:00+08:00", flood().id.digest());
    assert!(newest.body.contains(&reference), "{}", newest.body);
    assert!(before.public && !newest.public);
    assert_eq!(shelf.place().unwrap(), Place::of(&further(2, sample::all_clear())));
}

#[test]
fn what_is_withheld_is_known_until_it_would_hold_no_longer() {
    let (shelf, setup) = (Shelf::in_memory().unwrap(), setup());
    let spoilt = Revision { expires: NOW - Span::from_secs(1), ..further(2, sample::blind()) };
    put(&shelf, &flood(), &setup);
    assert!(shelf.withheld(NOW).unwrap().is_empty());
    assert!(matches!(put(&shelf, &spoilt, &setup), Made::Withheld(Unsound::ExpiresBeforeSent)));
    let withheld = shelf.withheld(NOW - Span::from_hours(1)).unwrap();
    assert_eq!((withheld[0].number, withheld[0].why.as_str()), (2, Unsound::ExpiresBeforeSent.words()));
    assert!(shelf.withheld(NOW).unwrap().is_empty());
    let warning = flood().warning.digest();
    assert!(shelf.published(warning, Some(2)).unwrap().is_none());
    assert_eq!(earlier(&shelf, warning).len(), 1, "nobody can refer to it");
    put(&shelf, &further(3, sample::blind()), &setup);
    assert!(shelf.withheld(NOW - Span::from_hours(1)).unwrap().is_empty());
}

#[test]
fn what_was_withheld_of_a_warning_that_is_over_is_told_no_longer() {
    let (shelf, setup) = (Shelf::in_memory().unwrap(), setup());
    let unsound = Revision { expires: flood().sent - Span::from_secs(1), ..flood() };
    put(&shelf, &unsound, &setup);
    let before = unsound.expires - Span::from_secs(1);
    assert_eq!(shelf.withheld(before).unwrap().len(), 1);
    let end = further(2, sample::all_clear());
    assert_eq!(said(&end, &setup, &Messages::read(&setup.messages), &[]), None, "nobody read of it");
    over(&shelf, end.warning.digest());
    assert!(shelf.withheld(before).unwrap().is_empty());
    // What was published of a warning stays.
    put(&shelf, &flood(), &setup);
    over(&shelf, flood().warning.digest());
    assert_eq!(earlier(&shelf, flood().warning.digest()).len(), 1);
}

#[test]
fn of_a_change_that_fails_nothing_stands() {
    let (shelf, setup) = (Shelf::in_memory().unwrap(), setup());
    let messages = Messages::read(&setup.messages);
    let failed = shelf.change(|change| {
        let alert = said(&flood(), &setup, &messages, &[]).expect("something to say");
        change.put(&alert, &flood())?;
        change.pass(Place::of(&flood()))?;
        assert_eq!(change.earlier(flood().warning.digest())?.len(), 1, "what comes after may refer to it");
        Err::<(), _>(ShelfError::Form(0))
    });
    assert!(failed.is_err());
    assert_eq!(shelf.place().unwrap(), Place::default());
    assert!(shelf.published(flood().warning.digest(), None).unwrap().is_none());
}

#[test]
fn after_a_log_lost_its_end_the_newest_alert_is_the_one_made_since() {
    let dir = tempfile::tempdir().unwrap();
    let (log, setup) = (LogId([1; 16]), setup());
    let open = |end| Shelf::open(dir.path(), log, Position(end)).unwrap();
    let shelf = open(0);
    put(&shelf, &flood(), &setup);
    for number in [2, 3] {
        put(&shelf, &further(number, sample::blind()), &setup);
    }
    drop(shelf);
    let shelf = open(flood().id.position.0);
    let worse = further(4, sample::later(Kind::Update, Reason::Upgraded, Level::Red));
    let id = OutputId { run: RunId(9), ..further(2, sample::blind()).id };
    assert!(matches!(put(&shelf, &Revision { id, number: 2, ..worse }, &setup), Made::Published));
    // As a backup copies it.
    shelf.lock().execute("VACUUM", []).unwrap();
    let warning = flood().warning.digest();
    let identifier = id.digest().to_string();
    for number in [None, Some(2)] {
        let found = shelf.published(warning, number).unwrap().unwrap();
        assert!(found.body.contains(&format!("<identifier>{identifier}<")), "{number:?}: {}", found.body);
        let lost = further(3, sample::blind()).id.digest().to_string();
        assert!(found.body.contains(&lost), "it replaces those that the log has lost, too");
    }
    let standing = shelf.listed(&Readers::Everybody, NOW, 10, 0).unwrap();
    assert_eq!(standing.iter().map(|it| &it.identifier).collect::<Vec<_>>(), [&identifier]);
    assert_eq!(standing[0].level, Level::Red);
}

#[test]
fn a_warning_that_stands_is_in_the_feed_however_much_was_said_since() {
    let (shelf, setup) = (Shelf::in_memory().unwrap(), setup());
    put(&shelf, &flood(), &setup);
    for number in 0..20 {
        put(&shelf, &other(number), &setup);
        let over = further(2 + number as u32, sample::all_clear());
        put(&shelf, &Revision { warning: other(number).warning, ..over }, &setup);
    }
    let everywhere = Readers::Holder(None);
    let listed = |readers: &Readers, now, standing| shelf.listed(readers, now, standing, 5).unwrap();
    let found = listed(&everywhere, NOW, 500);
    assert_eq!(found.len(), 6);
    assert!(found.windows(2).all(|pair| pair[0].sent >= pair[1].sent), "newest first");
    assert_eq!(found[5].warning, flood().warning.digest());
    assert_eq!(listed(&everywhere, NOW + Span::from_hours(6), 500).len(), 5, "it holds no longer");
    assert_eq!(listed(&everywhere, NOW, 0).len(), 5);
    assert_eq!(listed(&Readers::Everybody, NOW, 500).len(), 6);

    let messages = Messages::read(&setup.messages);
    let of = Feed { setup: &setup, messages: &messages, log: LogId([7; 16]) };
    let drawn = feed::feed(&of, &found);
    assert!(drawn.contains("https://warn.example/cap/") && drawn.contains("<id>urn:uuid:07070707-0707-"));
    // Nothing to list is the same at every look.
    assert!(feed::feed(&of, &[]).contains("<updated>1970-01-01T08:00:00+08:00</updated>"));
}

#[test]
fn what_is_not_public_is_for_those_whose_area_it_is() {
    let (shelf, mut setup) = (Shelf::in_memory().unwrap(), setup());
    setup.cap.public = false;
    put(&shelf, &flood(), &setup);
    let seen = |readers| shelf.listed(&readers, NOW, 10, 10).unwrap().len();
    assert_eq!(seen(Readers::Everybody), 0);
    assert_eq!(seen(Readers::Holder(Some(vec![AreaIx(1)]))), 0);
    assert_eq!(seen(Readers::Holder(Some(vec![AreaIx(1), AreaIx(0)]))), 1);
    assert_eq!(seen(Readers::Holder(None)), 1);
}

#[test]
fn the_shelf_is_bounded_and_the_oldest_go() {
    let (shelf, setup) = (Shelf::in_memory().unwrap(), setup());
    for number in 0..5 {
        put(&shelf, &other(number), &setup);
    }
    let left = || shelf.listed(&Readers::Everybody, NOW, 0, 10).unwrap().len();
    schema::trim(&shelf.lock(), 3, i64::MAX).unwrap();
    assert_eq!(left(), 3);
    assert!(shelf.published(other(0).warning.digest(), None).unwrap().is_none());
    let bytes = shelf.published(other(4).warning.digest(), None).unwrap().unwrap().body.len();
    schema::trim(&shelf.lock(), 3, bytes as i64 + 10).unwrap();
    assert_eq!(left(), 1);
}

#[test]
fn a_shelf_is_of_one_log_and_knows_no_more_than_that() {
    let dir = tempfile::tempdir().unwrap();
    let (log, setup) = (LogId([1; 16]), setup());
    let open = |log, end| Shelf::open(dir.path(), log, Position(end)).unwrap();
    put(&open(log, 0), &flood(), &setup);
    assert_eq!(open(log, 100).place().unwrap(), Place::of(&flood()));
    // The log was put back to before: what it decides from there on is news.
    let shelf = open(log, 20);
    assert_eq!(shelf.place().unwrap().position, Position(20));
    assert_eq!(earlier(&shelf, flood().warning.digest()).len(), 1);
    let other = open(LogId([2; 16]), 100);
    assert_eq!(other.place().unwrap(), Place::default());
    assert!(earlier(&other, flood().warning.digest()).is_empty());
}

#[test]
fn a_drill_is_marked_in_the_title_of_its_feed() {
    let mut setup = setup();
    let mut plan = sample::plan();
    plan.settings.status = Status::Exercise;
    setup.plan = plan.into();
    let shelf = Shelf::in_memory().unwrap();
    put(&shelf, &told(sample::flood(Status::Exercise)), &setup);
    let cancel = further(2, sample::later(Kind::Cancel, Reason::InError, Level::Red));
    put(&shelf, &Revision { status: Status::Exercise, ..cancel }, &setup);
    let messages = Messages::read(&setup.messages);
    let of = Feed { setup: &setup, messages: &messages, log: LogId([7; 16]) };
    let drawn = feed::feed(&of, &shelf.listed(&Readers::Everybody, NOW, 10, 10).unwrap());
    let title = drawn.split("<title>").nth(1).unwrap().split("</title>").next().unwrap();
    assert!(title.contains("演练") && title.contains("EXERCISE"), "{title}");
    assert_eq!(drawn.matches("<entry>").count(), 2);
    assert!(drawn.contains("term=\"Cancel\"") && drawn.contains("term=\"Exercise\""));
}
