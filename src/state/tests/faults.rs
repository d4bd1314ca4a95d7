//! Other logs, rot, a full disk, a writer kept out.

use super::*;

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
