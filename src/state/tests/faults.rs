//! Other logs, rot, a full disk, a writer kept out.

use tokio::sync::watch;

use super::*;
use crate::ports::Reopen;

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
    let reader = place.reader();
    projection.rebuild().unwrap();
    assert_eq!(projection.cursor(), Position(0));
    projection.apply(&life()).unwrap();
    assert_eq!(place.dump(), before);
    assert_eq!(reader.cursor().unwrap(), Position(20), "a reader from before sees the new file");
}

/// Overwrites all pages but the first, as a bad disk would.
fn rot(path: &std::path::Path) {
    let bytes = std::fs::read(path).unwrap();
    let rotten: Vec<u8> = bytes[..4_096].iter().copied().chain(vec![0x55; bytes.len() - 4_096]).collect();
    let mut file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    std::io::Write::write_all(&mut file, &rotten).unwrap();
}

#[test]
fn rot_behind_a_sound_first_page_is_found_at_the_start() {
    let place = Place::new();
    place.open(0).apply(&life()).unwrap();
    assert_eq!(place.open(20).rot(), None);
    // A table that a start does not look at.
    let page: i64 = Connection::open(&place.path)
        .unwrap()
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'revisions'", [], |row| row.get(0))
        .unwrap();
    let mut bytes = std::fs::read(&place.path).unwrap();
    let at = (page as usize - 1) * 4_096;
    bytes[at..at + 4_096].fill(0);
    std::fs::write(&place.path, bytes).unwrap();
    let mut projection = place.open(20);
    assert_eq!(projection.cursor(), Position(0));
    assert!(projection.rot().is_some_and(|rot| rot.contains("expected a sound file")));
    projection.apply(&life()).unwrap();
    assert_eq!(place.reader().recent_warnings(9).unwrap().len(), 1);
}

/// Hears what the operator is told.
#[derive(Debug, Default)]
struct Ears(std::sync::Mutex<Vec<TroubleReport>>);

impl crate::ports::Inbox for Ears {
    fn offer(&self, batch: crate::ports::Batch) -> Result<(), crate::ports::Batch> {
        Err(batch)
    }

    fn control(&self, input: Input) {
        if let Input::Trouble(report) = input {
            self.0.lock().unwrap().push(report);
        }
    }

    fn room(&self) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::pending())
    }
}

impl Ears {
    fn heard(&self) -> Vec<(String, bool)> {
        let word = |it: &TroubleReport| (format!("{} {}", it.key.code.word(), it.key.subject), it.present);
        self.0.lock().unwrap().iter().map(word).collect()
    }
}

#[test]
fn a_file_that_rots_under_the_writer_is_rebuilt_and_told() {
    let place = Place::new();
    place.open(0).apply(&life()).unwrap();
    let projection = place.open(20);
    projection.connection.execute_batch("PRAGMA shrink_memory").unwrap();
    rot(&place.path);
    let ears = Arc::new(Ears::default());
    let (_notes, taken) = sync_channel(1);
    let more = record(21, vec![Input::Tick], vec![Decision::Revision(revision(3, 21, Kind::AllClear, &[0]))]);
    let log = Log::of(life().into_iter().chain([Arc::new(more)]).collect());
    let handle = StateThread::start(projection, log.reopen(), taken, ears.clone()).unwrap();
    let position = handle.position();
    until("all is there again", || {
        *position.borrow() == Position(21) && place.reader().recent_warnings(9).unwrap()[0].newest.number == 3
    });
    until("the operator is told", || ears.heard() == [("rot state.db".to_owned(), true)]);
    assert_eq!(place.reader().dead_letters(9).unwrap().len(), 1, "what came before the cursor as well");
    log.end();
    handle.join();

    // The next start finds it sound, and takes back what stands in the log.
    let report = ears.0.lock().unwrap()[0].clone();
    let told = record(22, vec![Input::Tick], vec![Decision::Trouble(report)]);
    place.open(22).apply(&[Arc::new(told)]).unwrap();
    let (ears, log) = (Arc::new(Ears::default()), Log::of(vec![]));
    let (_notes, taken) = sync_channel(1);
    let handle = StateThread::start(place.open(22), log.reopen(), taken, ears.clone()).unwrap();
    log.end();
    handle.join();
    assert_eq!(ears.heard(), [("rot state.db".to_owned(), false)]);
}

#[test]
fn a_log_that_cannot_be_followed_once_is_opened_again() {
    let place = Place::new();
    let (_notes, taken) = sync_channel(1);
    let log = Log::of(life());
    let (good, tries) = (log.reopen(), std::sync::atomic::AtomicU32::new(0));
    let reopen: Reopen =
        Arc::new(move |after| match tries.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            0 => Box::new(Broken),
            _ => good(after),
        });
    let handle = StateThread::start(place.open(0), reopen, taken, Arc::new(Ears::default())).unwrap();
    let position = handle.position();
    until("all is applied", || *position.borrow() == Position(20));
    log.end();
    handle.join();
}

/// A log that cannot be read.
struct Broken;

impl Follow for Broken {
    fn next(&mut self) -> Option<Arc<Record>> {
        None
    }

    fn try_next(&mut self) -> Option<Arc<Record>> {
        None
    }

    fn fault(&self) -> Option<String> {
        Some("input/output error".into())
    }
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

/// A log that holds these records, and ends when it is told to.
struct Log(Arc<(Vec<Arc<Record>>, watch::Sender<bool>)>);

impl Log {
    fn of(records: Vec<Arc<Record>>) -> Log {
        Log(Arc::new((records, watch::Sender::new(false))))
    }

    fn reopen(&self) -> Reopen {
        let log = self.0.clone();
        Arc::new(move |after| {
            let rest: Vec<_> = log.0.iter().filter(|it| it.last() > after).cloned().collect();
            Box::new(Given(rest.into_iter(), log.1.subscribe()))
        })
    }

    fn end(&self) {
        self.0.1.send_replace(true);
    }
}

/// Gives what it has, then waits until it is told to end.
struct Given(std::vec::IntoIter<Arc<Record>>, watch::Receiver<bool>);

impl Follow for Given {
    fn next(&mut self) -> Option<Arc<Record>> {
        self.0.next().or_else(|| {
            while !*self.1.borrow() {
                std::thread::sleep(Duration::from_millis(1));
            }
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
    let log = Log::of(life());
    let handle = StateThread::start(place.open(0), log.reopen(), taken, Arc::new(Ears::default())).unwrap();
    let position = handle.position();
    until("all is applied", || *position.borrow() == Position(20));
    let note = Note { key: key(13, 0, 0), at: Timestamp(5), outcome: "retry: 503".into() };
    notes.try_send(note).unwrap();
    let reader = place.reader();
    until("the note is there", || reader.attempts(key(13, 0, 0)).unwrap().len() == 1);
    let row = reader.outstanding_deliveries(1).unwrap().remove(0);
    assert_eq!((row.attempts, row.note), (1, Some((Timestamp(5), "retry: 503".into()))));
    log.end();
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
    let log = Log::of(life());
    let handle = StateThread::start(projection, log.reopen(), taken, Arc::new(Ears::default())).unwrap();
    let position = handle.position();
    let began = Instant::now();
    until("it has tried more than once", || began.elapsed() > Duration::from_millis(300));
    assert_eq!((*position.borrow(), position.has_changed().is_ok()), (Position(0), true));
    other.execute_batch("ROLLBACK").unwrap();
    until("it has caught up", || *position.borrow() == Position(20));
    log.end();
    handle.join();
}
