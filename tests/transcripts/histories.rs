//! Hard histories of time and judgement, by their names.

use forewarn_core::event::Input;
use forewarn_core::ids::{SensorIx, SourceIx};
use forewarn_core::level::{Certainty, Level};
use forewarn_core::plan::{Conversion, LimitRow, Raise};
use forewarn_core::reading::{Marks, Reading};
use forewarn_core::rules::{AnyRule, Rate};
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::units::{Datum, Unit};
use forewarn_core::warning::{Kind, Reason, TroubleCode};

use crate::bench::{Bench, START, mins, reading};
use crate::site::{LEVELS, ford, rule};

const FORD: SensorIx = SensorIx(0);

/// One gauge through two brokers, one of which goes down.
#[test]
fn same_sensor_twice() {
    let mut plan = ford();
    plan.sources.push("nb".into());
    rule(&mut plan).raise = [Raise { m: 2, n: 3, lasting: Span::ZERO }; 4];
    let mut bench = Bench::start(plan);
    let hear = |bench: &mut Bench, source: u32, value: f64| {
        let observed = bench.moment().civil();
        bench.put(Input::Reading(Reading { source: SourceIx(source), ..reading(FORD, value, observed) }));
    };
    for (minute, value) in [(0, 2.0), (10, 2.0), (20, 5.2)] {
        bench.pass(mins(minute));
        hear(&mut bench, 0, value);
        hear(&mut bench, 1, value);
    }
    let twice = bench.flagged.iter().filter(|it| it.reading.marks.has(Marks::DUPLICATE)).count();
    assert_eq!((twice, bench.said()), (3, vec![]), "one reading each time; two of three is not met by one");
    bench.pass(mins(25));
    bench.put(Input::Source(SourceIx(0), false));
    for n in 3..10 {
        bench.pass(mins(10 * n));
        hear(&mut bench, 1, 5.2);
    }
    assert_eq!(bench.said(), [(30, Reason::Raised)], "it is heard, and never blind");
    assert_eq!(bench.troubles(TroubleCode::SensorSilent).len(), 0);
    assert!(bench.troubles(TroubleCode::SourceDown)[0].1.detail.contains("blinds 0 of the sensors"));
    // The last one goes: unknown at once, told an interval (five minutes at most) later.
    bench.pass(mins(95));
    bench.put(Input::Source(SourceIx(1), false));
    bench.pass(mins(240));
    assert_eq!(bench.said(), [(30, Reason::Raised), (100, Reason::Blind)]);
    assert_eq!(bench.troubles(TroubleCode::SensorSilent).len(), 0, "a broker's loss is one outage");
    bench.replays();
}

/// The gauge was moved: another datum, two metres more. What was measured
/// before the reload comes after it.
#[test]
fn late_over_reload() {
    let mut before = ford();
    let mut rise = rule(&mut before).clone();
    (rise.id, rise.kind) = ("river-rise".into(), AnyRule::Rate(Rate { window: mins(60) }));
    rise.unit = Unit::parse("m/h").expect("it is a unit");
    rise.subjects[0].limits[0].levels = [Some(0.5), Some(1.0), Some(1.5), Some(2.0)];
    before.rules.push(Some(rise));
    let mut after = before.clone();
    let gauge = after.sensors[0].as_mut().expect("the gauge");
    gauge.datum = Some(Datum("gauge-zero".into()));
    gauge.conversions = vec![Conversion { from: Timestamp::MIN, scale: 1.0, offset: 2.0 }];
    after.rules[0].as_mut().expect("the level").subjects[0].limits[0].levels = [5.0, 6.0, 7.0, 8.0].map(Some);
    let mut bench = Bench::start(before);
    for n in 0..6 {
        bench.pass(mins(10 * n));
        bench.read(FORD, 2.5);
    }
    bench.pass(mins(55));
    bench.plan(after, false);
    bench.pass(mins(56));
    // Observed at 0:45 under the old plan; by the new datum, 4.5 m: no leap of two metres in an hour.
    bench.late(FORD, 4.5, mins(45));
    for n in 6..14 {
        bench.pass(mins(10 * n));
        bench.read(FORD, 4.5);
    }
    assert_eq!(bench.said(), [], "no leap is judged");
    // By the new limits 5.0 m is blue now, in a late one too: in its order it would have warned.
    bench.late(FORD, 5.1, mins(125));
    assert_eq!(bench.revisions.last().map(|(_, it)| (it.level, it.kind)), Some((Level::Blue, Kind::Alert)));
    bench.replays();
}

/// The machine wakes in 1970 in winter, and by the calendar of 1970.
#[test]
fn boot_1970() {
    let mut plan = ford();
    let row = |from: i64, season, red: f64| LimitRow {
        from: Timestamp::from_secs(from),
        season,
        levels: [None, None, None, Some(red)],
    };
    // In force since 1960: 9 m. Since 2020: 6 m, and from October to May 8 m.
    rule(&mut plan).subjects[0].limits = vec![
        row(-315_619_200, None, 9.0),
        row(1_577_836_800, None, 6.0),
        row(1_577_836_800, Some((1001, 531)), 8.0),
    ]
    .into();
    let asleep = Span::from_secs(-1_000_000);
    let winter = Timestamp::from_secs(1_768_478_400) - Timestamp(0);
    let mut bench = Bench::boot(asleep, false);
    bench.plan(plan, false);
    // The gauge knows that it is January 2026; nobody believes it, and nobody refuses it.
    bench.late(FORD, 5.0, winter);
    bench.pass(mins(10));
    bench.late(FORD, 6.5, winter + mins(10));
    assert_eq!(bench.said(), [(10, Reason::Raised)], "by the newest rows and the cautious season");
    let first = bench.revisions.last().expect("it was raised").1.clone();
    // Seven hours later it still stands, renewed by engine time.
    for n in 2..44 {
        bench.pass(mins(10 * n));
        bench.late(FORD, 6.5, winter + mins(10 * n));
    }
    assert_eq!(bench.reasons(), [Reason::Raised, Reason::Renewed]);
    // NTP: the step passes the end of every warning sent in 1970. They are sent anew, none is over.
    bench.pass(mins(435));
    bench.clock(asleep + winter, true);
    let (at, reissued) =
        bench.revisions.iter().rfind(|(_, it)| it.reason == Reason::Renewed).expect("reissued");
    assert_eq!((*at, reissued.level, reissued.warning), (mins(435), Level::Red, first.warning));
    assert!(reissued.expires > reissued.sent && reissued.sent > first.expires);
    // From now on it is winter: 6.5 m is below 8 m.
    for n in 44..60 {
        bench.pass(mins(10 * n));
        bench.read(FORD, 6.5);
    }
    assert_eq!(bench.reasons().last(), Some(&Reason::Eased));
    assert!(bench.flagged.iter().all(|it| !it.reading.marks.has(Marks::UNJUDGED)), "nothing was refused");
    bench.replays();
}

/// A clock that was one hour fast is set right while a level is on its way,
/// and the gauge gives no time of its own.
#[test]
fn hour_back() {
    let mut plan = ford();
    rule(&mut plan).raise[2] = Raise { m: 1, n: 1, lasting: mins(30) };
    let mut bench = Bench::start(plan);
    let fast = bench.moment().offset;
    let hear = |bench: &mut Bench, value: f64| {
        let observed = bench.moment().civil();
        let marks = Marks::NO_DEVICE_TIME;
        bench.put(Input::Reading(Reading {
            marks,
            identity: value.to_bits(),
            ..reading(FORD, value, observed)
        }));
    };
    for (minute, value) in [(0, 2.0), (10, 4.5), (20, 5.5)] {
        bench.pass(mins(minute));
        hear(&mut bench, value);
    }
    bench.pass(mins(25));
    bench.clock(fast - mins(60), true);
    for (minute, value) in [(30, 5.6), (40, 5.7), (50, 5.8), (60, 6.1)] {
        bench.pass(mins(minute));
        hear(&mut bench, value);
    }
    // Orange has lasted half an hour at 0:50, by a clock that does not jump; red is told at once.
    assert_eq!(bench.said(), [(10, Reason::Raised), (50, Reason::Upgraded), (60, Reason::Upgraded)]);
    for n in 7..20 {
        bench.pass(mins(10 * n));
        hear(&mut bench, 2.0 + n as f64 / 100.0);
    }
    bench.over(70);
    assert_eq!(bench.said().len(), 4, "no timer fires twice");
    let sent: Vec<Timestamp> = bench.revisions.iter().map(|(_, it)| it.sent).collect();
    assert!(sent.is_sorted(), "{sent:?}");
    assert!(
        bench.flagged.iter().all(|it| !it.reading.marks.has(Marks::UNJUDGED)),
        "honest readings are judged"
    );
    bench.replays();
}

/// Between two readings of one message the limits change: each is judged by
/// the plan of its place in the log.
#[test]
fn reload_in_batch() {
    let mut bench = Bench::start(ford());
    bench.late(FORD, 2.0, mins(-20));
    bench.late(FORD, 4.5, mins(-10));
    assert_eq!(bench.revisions.last().map(|(_, it)| it.level), Some(Level::Yellow));
    let mut raised = ford();
    rule(&mut raised).subjects[0].limits[0].levels = LEVELS.map(|level| Some(level + 1.0));
    bench.plan(raised, false);
    bench.late(FORD, 4.6, mins(0));
    // 4.60 m is blue under the new limits; the warning stands for its hold, and its evidence says blue.
    assert_eq!(bench.said().len(), 1);
    for n in 1..12 {
        bench.pass(mins(10 * n));
        bench.read(FORD, 4.6);
    }
    assert_eq!(bench.reasons(), [Reason::Raised, Reason::Downgraded]);
    assert_eq!(bench.revisions.last().map(|(_, it)| it.level), Some(Level::Blue));
    bench.replays();
}

/// On arrival red, one that nothing takes back: a late reading breaks its `for`.
#[test]
fn raise_taken_back() {
    let mut plan = ford();
    rule(&mut plan).raise = [Raise { m: 1, n: 1, lasting: mins(20) }; 4];
    let mut bench = Bench::start(plan);
    for (minute, value) in [(0, 2.0), (10, 6.5), (30, 6.5)] {
        bench.pass(mins(minute));
        bench.read(FORD, value);
    }
    assert_eq!(bench.said(), [(30, Reason::Raised)]);
    assert_eq!(bench.revisions[0].1.certainty, Certainty::Likely, "a late one may still take it back");
    bench.pass(mins(35));
    bench.late(FORD, 2.0, mins(20));
    for n in 4..20 {
        bench.pass(mins(10 * n));
        bench.read(FORD, 2.0);
    }
    assert_eq!(
        bench.reasons(),
        [Reason::Raised, Reason::Unconfirmed],
        "told once, and an all-clear, no cancel"
    );
    bench.over(35);
    assert_eq!(bench.revisions.last().map(|(_, it)| it.kind), Some(Kind::AllClear));
    bench.replays();
}

/// What comes first after a long silence is too old to say how things stand.
#[test]
fn what_is_older_than_max_age_neither_raises_nor_clears() {
    let mut bench = Bench::start(ford());
    for (minute, value) in [(0, 2.0), (10, 5.5)] {
        bench.pass(mins(minute));
        bench.read(FORD, value);
    }
    bench.pass(mins(400));
    let before = bench.said();
    assert_eq!(before.last(), Some(&(375, Reason::Renewed)), "lost, and renewed before it expires");
    // From memory: four hours old, below every limit; then red, three hours old.
    bench.late(FORD, 2.0, mins(160));
    bench.late(FORD, 6.5, mins(220));
    bench.late(FORD, 2.0, mins(230));
    assert_eq!(
        bench.would_have.iter().map(|it| (it.level, it.observed - START)).collect::<Vec<_>>(),
        [(Level::Red, mins(220))]
    );
    bench.pass(mins(600));
    assert!(
        bench
            .said()
            .iter()
            .all(|(_, reason)| !matches!(reason, Reason::Upgraded | Reason::Downgraded | Reason::Eased))
    );
    assert_eq!(bench.engine.incidents().map(|it| it.level).collect::<Vec<_>>(), [Level::Orange]);
    bench.replays();
}
