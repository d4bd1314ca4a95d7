//! What both stores promise, as data: keep these, then this is what you find.

use std::collections::BTreeMap;

use forewarn::ports::Kept;
use forewarn::stores::Member;
use forewarn::stores::sqlite::{FILE, Origin, Sqlite};
use forewarn_core::ids::{Position, SensorIx};
use forewarn_core::reading::{Flag, Marks};
use forewarn_core::time::Timestamp;

use crate::world::{LOG, NOON, kept};

/// Readings, in batches, each in the order of the log.
struct Case {
    name: &'static str,
    batches: Vec<Vec<Kept>>,
}

fn cases() -> Vec<Case> {
    let case = |name, batches| Case { name, batches };
    let flagged = |at: i64, flag, marks| {
        let mut row = kept(0, at, 1.5, at as u64 + 1);
        row.checked.flag = flag;
        row.checked.reading.marks = marks;
        row
    };
    let values = [
        0.0,
        -0.0,
        4.23,
        59.1 - 2.345,
        1e-308,
        5e-324,
        1e300,
        f64::MAX,
        f64::MIN,
        f64::MIN_POSITIVE,
        9_007_199_254_740_993.0,
        f64::from(4.23f32),
        0.1 + 0.2,
    ];
    vec![
        case("nothing", vec![vec![]]),
        case("in order", vec![(0..300).map(|n| kept(0, n * 60, n as f64 / 100.0, n as u64 + 1)).collect()]),
        case("out of order", {
            let row = |n: i64| kept(0, (n * 37) % 101, n as f64, n as u64 + 1);
            vec![(0..50).map(row).collect(), (50..101).map(row).collect()]
        }),
        case("upserts: the later in the log stays", {
            let mut revised = kept(0, 10, 2.0, 3);
            revised.checked.flag = Flag::Fail;
            vec![vec![kept(0, 10, 1.0, 1), kept(0, 20, 1.0, 2)], vec![revised, kept(0, 20, 7.0, 4)]]
        }),
        case("the same batch again", {
            let batch: Vec<_> = (0..20).map(|n| kept(0, n, 1.0, n as u64 + 1)).collect();
            vec![batch.clone(), batch]
        }),
        case("values, bit for bit", {
            let rows = values.iter().zip(0..).map(|(&value, at)| kept(0, at, value, at as u64 + 1));
            vec![rows.collect()]
        }),
        case("flags and marks", {
            let flags = [Flag::Good, Flag::Unevaluated, Flag::Suspect, Flag::Fail, Flag::Missing];
            let mut rows: Vec<_> =
                flags.iter().zip(0..).map(|(&flag, at)| flagged(at, flag, Marks::default())).collect();
            let marks = [Marks::RETAINED, Marks::HISTORICAL, Marks::UNJUDGED, Marks(63)];
            rows.extend(marks.iter().zip(100..).map(|(&marks, at)| flagged(at, Flag::Good, marks)));
            vec![rows]
        }),
        case("many sensors at one instant", {
            vec![
                (0..8)
                    .flat_map(|n| {
                        (0..5).map(move |at| kept(n, at, f64::from(n), u64::from(n) * 5 + at as u64 + 1))
                    })
                    .collect(),
            ]
        }),
        case("instants before 1970 and to the microsecond", {
            let mut old = kept(0, -1_800_000_000, 1.0, 1);
            old.checked.reading.observed = Timestamp(-1_234_567);
            let mut near = kept(0, 0, 2.0, 2);
            near.checked.reading.observed = Timestamp(NOON + 1);
            vec![vec![old, near, kept(0, 0, 3.0, 3)]]
        }),
    ]
}

/// Windows in seconds after noon, each with a limit.
const WINDOWS: &[(i64, i64, usize)] = &[
    (-1_800_000_000, 1_000_000, 100_000),
    (0, 100, 100_000),
    (10, 20, 100_000),
    (10, 21, 3),
    (20, 20, 10),
    (30, 20, 10),
    (0, 1_000_000, 1),
    (0, 1_000_000, 7),
    (0, 1_000_000, 0),
    (50_000_000, 60_000_000, 10),
];

/// Holds a store against what was kept in it.
fn check(name: &str, store: &mut dyn Member, batches: &[Vec<Kept>]) {
    let mut model: BTreeMap<(u32, Timestamp), Kept> = BTreeMap::new();
    for batch in batches {
        let upto = batch.last().map_or(Position(1), |last| last.position);
        store.keep(batch, upto).expect(name);
        for row in batch {
            model.insert((row.checked.reading.sensor.0, row.checked.reading.observed), *row);
        }
    }
    for sensor in 0..8 {
        let of: Vec<Kept> =
            model.range((sensor, Timestamp::MIN)..=(sensor, Timestamp::MAX)).map(|(_, kept)| *kept).collect();
        assert_eq!(store.latest(SensorIx(sensor)).expect(name), of.last().copied(), "{name}: latest");
        for &(from, to, limit) in WINDOWS {
            let (from, to) = (Timestamp(NOON + from * 1_000_000), Timestamp(NOON + to * 1_000_000));
            let inside = of.iter().filter(|kept| (from..to).contains(&kept.checked.reading.observed));
            let inside: Vec<Kept> = inside.copied().collect();
            let want = &inside[inside.len().saturating_sub(limit)..];
            let got = store.range(SensorIx(sensor), from, to, limit).expect(name);
            let bits =
                |rows: &[Kept]| rows.iter().map(|it| it.checked.reading.value.to_bits()).collect::<Vec<_>>();
            assert_eq!(got, want, "{name}: {from:?} to {to:?}, at most {limit}");
            assert_eq!(bits(&got), bits(want), "{name}: bits");
        }
    }
}

/// Runs every case on a fresh store, and the same with a reopening in between.
fn check_all(mut fresh: impl FnMut() -> Box<dyn FnMut() -> Box<dyn Member>>) {
    for case in cases() {
        let mut open = fresh();
        let mut store = open();
        check(case.name, &mut *store, &case.batches);
        let kept = case.batches.iter().flatten().map(|row| row.position).max().unwrap_or(Position(1));
        store.finish().expect(case.name);
        assert_eq!((store.cursor().expect(case.name), store.synced()), (kept, kept), "{}", case.name);
        drop(store);
        let mut store = open();
        assert_eq!(store.cursor().expect(case.name), kept, "{}: it goes on from its cursor", case.name);
        check(case.name, &mut *store, &case.batches);
    }
}

#[test]
fn the_embedded_store_keeps_its_promises() {
    check_all(|| {
        let dir = tempfile::tempdir().expect("a directory");
        Box::new(move || {
            let origin = Origin { log: LOG, end: Position(1_000_000) };
            Box::new(Sqlite::open(&dir.path().join(FILE), origin).expect("it opens"))
        })
    });
}

#[cfg(feature = "influxdb")]
#[test]
fn influxdb_keeps_the_same_promises() {
    let Some(server) = crate::influx::InfluxServer::any() else { return };
    check_all(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let bucket = server.bucket();
        Box::new(move || {
            let mut store = forewarn::stores::influx::Influx::open(
                &bucket,
                dir.path(),
                (LOG, Position(1_000_000)),
                tokio_util::sync::CancellationToken::new(),
            )
            .expect("it opens");
            store.plan_is(&|| std::sync::Arc::new(crate::world::plan()));
            Box::new(store)
        })
    });
}
