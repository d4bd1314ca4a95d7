//! The writer: it follows the log from the store's cursor, tells once, and
//! never gives up.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use forewarn::log::{Appender as _, Lock, Log, LogError, MemoryLog, Partition, Reader, Stamp, save_plan};
use forewarn::ports::{Follow, Inbox, Kept, Store};
use forewarn::stores::sqlite::{FILE, Origin, Readings, Sqlite};
use forewarn::stores::{Batching, Member, Parts, Source, StoreHistory, StoreWriter, Tuning};
use forewarn_core::event::{Input, Started};
use forewarn_core::ids::{LogId, Position, RunId, SensorIx};
use forewarn_core::plan::{Plan, PlanId};
use forewarn_core::reading::Marks;
use forewarn_core::time::{Span, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::world::{Ears, LOG, NOON, kept, plan, record, until};

/// Troubles at once, and taken back at once.
pub(crate) const QUICK: Tuning = Tuning {
    keep: None,
    retry_first: Duration::from_millis(5),
    retry_max: Duration::from_millis(50),
    patience: Duration::ZERO,
    behind_max: u64::MAX,
    hold: Duration::ZERO,
};

/// A log in memory with a plan on the disk.
pub(crate) struct House {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) log: Partition,
    pub(crate) ears: Arc<Ears>,
    pub(crate) plan: PlanId,
}

impl House {
    pub(crate) fn new() -> House {
        let dir = tempfile::tempdir().expect("a directory");
        let plan = save_plan(dir.path(), &plan()).expect("a plan");
        let log = MemoryLog::new(1).partitions()[0].clone();
        House { dir, log, ears: Arc::new(Ears::default()), plan }
    }

    /// Appends a record of so many readings, one a second, going round eight sensors.
    pub(crate) fn append(&mut self, readings: u64) {
        let first = self.log.next().0;
        let rows: Vec<_> =
            (first..first + readings).map(|n| kept((n % 8) as u32, n as i64, n as f64, n).checked).collect();
        self.log.append(record(first, self.plan, &rows)).expect("room");
    }

    pub(crate) fn source(&self) -> Source {
        Source { log: LOG, reader: Arc::new(self.log.clone()) }
    }

    pub(crate) fn start(&self, member: Box<dyn Member>, source: Source, tuning: Tuning) -> StoreWriter {
        let parts = Parts {
            log: source,
            data: self.dir.path().to_owned(),
            plan: Arc::new(Plan::default()),
            inbox: Arc::clone(&self.ears) as Arc<dyn Inbox>,
            tuning,
            stop: CancellationToken::new(),
        };
        StoreWriter::start(member, parts).expect("it starts")
    }

    fn open(&self) -> Sqlite {
        let origin = Origin { log: LOG, end: self.log.last() };
        Sqlite::open(&self.dir.path().join(FILE), origin).expect("it opens")
    }

    fn count(&self) -> usize {
        let store = self.open();
        (0..8)
            .map(|sensor| {
                store
                    .range(SensorIx(sensor), Timestamp(0), Timestamp::MAX, usize::MAX)
                    .expect("it reads")
                    .len()
            })
            .sum()
    }
}

#[test]
fn a_store_has_what_the_log_has_and_goes_on_from_its_cursor() {
    let mut house = House::new();
    for stop in [true, true, false] {
        house.append(1_000);
        let store = house.open();
        let readings = store.reader().expect("it opens");
        let writer = house.start(Box::new(store), house.source(), QUICK);
        house.append(500);
        let (mut synced, last) = (writer.synced(), house.log.last());
        if stop {
            until("something is kept", || readings.latest(SensorIx(3)).expect("it reads").is_some());
            writer.ask_to_stop();
            writer.join();
            continue;
        }
        house.log.close();
        writer.join();
        assert_eq!(*synced.borrow_and_update(), last);
        assert_eq!(house.count() as u64, last.0);
    }
}

#[test]
fn duplicates_are_left_out_and_what_was_not_judged_is_kept_with_its_marks() {
    let mut house = House::new();
    let mut conflict = kept(0, 1, 9.9, 2).checked;
    conflict.reading.marks = Marks::CONFLICT;
    let mut late = kept(0, -50, 2.0, 3).checked;
    late.reading.marks = Marks::UNJUDGED;
    let mut moved = kept(1, 1, 4.0, 4).checked;
    let given = moved.reading;
    moved.reading.observed = moved.reading.observed + Span(1);
    let mut record = (*record(1, house.plan, &[kept(0, 1, 1.0, 1).checked, conflict, late, moved])).clone();
    record.inputs[3] = Input::Reading(given);
    house.log.append(Arc::new(record)).expect("room");
    house.log.close();
    house.start(Box::new(house.open()), house.source(), QUICK).join();
    let store = house.open();
    let of = |sensor| store.range(SensorIx(sensor), Timestamp(0), Timestamp::MAX, 10).expect("it reads");
    let facts = |rows: Vec<Kept>| {
        rows.iter()
            .map(|it| {
                (it.checked.reading.value, it.checked.reading.marks, it.position.0, it.received.0 - NOON)
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(facts(of(0)), [(2.0, Marks::UNJUDGED, 3, 1_007), (1.0, Marks::default(), 1, 1_007)]);
    assert_eq!(facts(of(1)), [(4.0, Marks::default(), 4, 1_007)]);
    assert_eq!(of(1)[0].checked.reading.observed.0, NOON + 1_000_001);
}

/// A store that fails as long as it is told to.
#[derive(Debug)]
struct Sick {
    failures: usize,
    kept: Arc<Mutex<Vec<Kept>>>,
    cursor: Position,
    gaps: Arc<Mutex<Vec<(Position, Position)>>>,
}

impl Sick {
    fn new(failures: usize) -> Sick {
        Sick { failures, kept: Arc::default(), cursor: Position(0), gaps: Arc::default() }
    }
}

impl Store for Sick {
    fn keep(&mut self, rows: &[Kept], upto: Position) -> anyhow::Result<()> {
        if self.failures > 0 {
            self.failures -= 1;
            anyhow::bail!("disk is full");
        }
        self.kept.lock().expect("no holder panics").extend(rows);
        self.cursor = upto;
        Ok(())
    }

    fn cursor(&self) -> anyhow::Result<Position> {
        Ok(self.cursor)
    }

    fn range(&self, _: SensorIx, _: Timestamp, _: Timestamp, _: usize) -> anyhow::Result<Vec<Kept>> {
        Ok(vec![])
    }

    fn latest(&self, _: SensorIx) -> anyhow::Result<Option<Kept>> {
        Ok(None)
    }
}

impl Member for Sick {
    fn name(&self) -> &'static str {
        "sick"
    }

    fn batching(&self) -> Batching {
        Batching { readings: 100, wait: Duration::from_millis(1) }
    }

    fn plan_is(&mut self, _: &dyn Fn() -> Arc<Plan>) {}

    fn gap(&mut self, first: Position, last: Position) -> anyhow::Result<()> {
        self.gaps.lock().expect("no holder panics").push((first, last));
        Ok(())
    }

    fn expire(&mut self, _: Timestamp) -> anyhow::Result<()> {
        Ok(())
    }

    fn rest(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    fn synced(&self) -> Position {
        self.cursor
    }
}

#[test]
fn a_store_that_fails_is_told_once_and_gets_all_of_it_later() {
    let mut house = House::new();
    house.append(300);
    let sick = Sick::new(7);
    let got = Arc::clone(&sick.kept);
    let writer = house.start(Box::new(sick), house.source(), QUICK);
    until("it is well again", || house.ears.about("store/sick") == [true, false]);
    house.append(300);
    until("all is kept", || got.lock().expect("no holder panics").len() == 600);
    writer.ask_to_stop();
    writer.join();
    assert_eq!(house.ears.about("store/sick"), [true, false], "{:?}", house.ears.heard());
    let positions: Vec<u64> = got.lock().expect("no holder panics").iter().map(|it| it.position.0).collect();
    assert_eq!(positions, (1..=600).collect::<Vec<_>>());
}

#[test]
fn a_store_that_fails_for_good_can_be_stopped() {
    for ask in [true, false] {
        let mut house = House::new();
        house.append(10);
        let writer = house.start(Box::new(Sick::new(usize::MAX)), house.source(), QUICK);
        until("it is told", || house.ears.about("store/sick") == [true]);
        if ask {
            writer.ask_to_stop();
        }
        writer.join();
    }
}

/// A log that has forgotten what is before a position, and that of its
/// records lists those in `rot` as unreadable.
struct Forgetful {
    log: Partition,
    first: Position,
    rot: Position,
}

impl Reader for Forgetful {
    fn last(&self) -> Position {
        self.log.last()
    }

    fn follow(&self, from: Position) -> Result<Box<dyn Follow>, LogError> {
        if from < self.first {
            return Err(LogError::Trimmed { wanted: from, first: self.first });
        }
        let mut rest = VecDeque::new();
        let mut follow = self.log.follow(from)?;
        while let Some(record) = follow.try_next() {
            if record.first != self.rot {
                rest.push_back(record);
            }
        }
        Ok(Box::new(Listed(rest)))
    }
}

struct Listed(VecDeque<Arc<forewarn::log::Record>>);

impl Follow for Listed {
    fn next(&mut self) -> Option<Arc<forewarn::log::Record>> {
        self.0.pop_front()
    }

    fn try_next(&mut self) -> Option<Arc<forewarn::log::Record>> {
        self.0.pop_front()
    }
}

#[test]
fn what_the_log_forgot_is_a_recorded_gap_and_it_goes_on() {
    let mut house = House::new();
    for _ in 0..5 {
        house.append(10);
    }
    let forgetful = Forgetful { log: house.log.clone(), first: Position(21), rot: Position(31) };
    let source = Source { log: LOG, reader: Arc::new(forgetful) };
    let sick = Sick { cursor: Position(4), ..Sick::new(0) };
    let (got, gaps) = (Arc::clone(&sick.kept), Arc::clone(&sick.gaps));
    house.start(Box::new(sick), source.clone(), QUICK).join();
    let rot = (Position(31), Position(40));
    assert_eq!(*gaps.lock().expect("no holder panics"), [(Position(5), Position(20)), rot]);
    assert_eq!(got.lock().expect("no holder panics").len(), 20);
    assert!(house.ears.heard().iter().any(|it| it.present && it.detail.contains("positions 5 to 20")));

    // One that is new beside an old log has lost nothing of its own.
    house.ears.forget();
    house.start(Box::new(house.open()), source, QUICK).join();
    assert_eq!(house.open().gaps().expect("they read"), [(Position(1), Position(20)), rot]);
    assert!(house.ears.heard().iter().all(|it| !it.detail.contains("positions 1 to 20")));
    assert_eq!(house.count(), 20);
}

#[test]
fn retention_goes_by_trusted_civil_time_alone() {
    for (trusted, left) in [(true, 0), (false, 1_000)] {
        let mut house = House::new();
        house.append(1_000);
        let mut store = house.open();
        let rows: Vec<_> = (1..=1_000).map(|n| kept((n % 8) as u32, n, 1.0, n as u64)).collect();
        store.keep(&rows, Position(1_000)).expect("room");
        store.finish().expect("room");
        drop(store);

        let (log, run) = (LogId::default(), RunId::default());
        let started = Started { log, run, downtime: None, offset: Span::ZERO, trusted, restored: false };
        let mut later = (*record(1_001, house.plan, &[])).clone();
        later.at = Timestamp(NOON) + Span::from_hours(100);
        later.inputs = vec![Input::Started(started)];
        house.log.append(Arc::new(later)).expect("room");
        house.log.close();
        let keep = Tuning { keep: Some(Span::from_hours(72)), ..QUICK };
        house.start(Box::new(house.open()), house.source(), keep).join();
        assert_eq!(house.count(), left, "trusted: {trusted}");
    }
}

#[tokio::test]
async fn history_answers_from_memory_and_disk() {
    let mut house = House::new();
    let store = house.open();
    let history = StoreHistory::start(store.reader().expect("it opens")).expect("a thread");
    house.append(800);
    let writer = house.start(Box::new(store), house.source(), QUICK);
    let history: Arc<dyn forewarn::ports::History> = Arc::new(history);
    let span = (Timestamp(NOON), Timestamp(NOON) + Span::from_hours(1));
    loop {
        let rows = history.recent(SensorIx(3), span.0, span.1).await.expect("in time");
        if rows.len() == 100 {
            break;
        }
        tokio::task::yield_now().await;
    }
    writer.ask_to_stop();
    writer.join();
}

#[test]
fn they_start_from_a_setup_on_a_real_log_and_go_on_after_it_ends() {
    let dir = tempfile::tempdir().expect("a directory");
    let setup = crate::setup::setup(&[]);
    let plan = save_plan(dir.path(), &plan()).expect("a plan");
    for run in 0..3u64 {
        let floor = forewarn::stores::floor(dir.path());
        assert_eq!(floor, Position(run * 4_000));
        let lock = Lock::take(dir.path()).expect("nobody else has it");
        let opened = match run {
            0 => Log::create(lock, &setup.log, Stamp::Live),
            _ => Log::open(lock, &setup.log, Stamp::Live, floor),
        };
        let (mut log, _) = opened.expect("it opens");
        let ears: Arc<Ears> = Arc::default();
        let inbox = Arc::clone(&ears) as Arc<dyn Inbox>;
        let stores = forewarn::stores::start(&setup, log.reader(), dir.path(), inbox).expect("they start");
        for _ in 0..40 {
            let first = log.next().0;
            let rows: Vec<_> = (first..first + 100).map(|n| kept(3, n as i64, 0.25, n).checked).collect();
            log.append(record(first, plan, &rows)).expect("room");
        }
        drop(log);
        let cursors = stores.synced_cursors();
        stores.join();
        assert_eq!(*cursors[0].borrow(), Position((run + 1) * 4_000));
        assert!(ears.heard().iter().all(|trouble| !trouble.present));
    }
    let readings = Readings::open_read_only(&dir.path().join(FILE)).expect("it opens");
    let all = readings.range(SensorIx(3), Timestamp(0), Timestamp::MAX, usize::MAX).expect("it reads");
    assert_eq!(all.len(), 12_000);
}
