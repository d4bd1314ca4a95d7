//! What is admitted: duplicate, conflict, out of order, old, future, history.

mod common;

use common::{Bench, GAUGE, at, gauge, gauge_of, plan, terms, threshold};
use forewarn_core::finding::{Verdict, Why};
use forewarn_core::ids::SourceIx;
use forewarn_core::level::Level::{Normal, Red, Yellow};
use forewarn_core::level::Status;
use forewarn_core::plan::{Plan, Raise, Rule, Terms};
use forewarn_core::reading::{Marks, Reading};
use forewarn_core::sensing::{Aside, bytes_per_sensor};
use forewarn_core::time::{Moment, Span, Timestamp};
use proptest::prelude::*;

const CLEAR: Verdict = Verdict::Clear;
const RED: Verdict = Verdict::Breach(Red);
const OLD: Verdict = Verdict::Unknown(Why::Old);
const WARMING: Verdict = Verdict::Unknown(Why::Warming);

fn one_of_one() -> Plan {
    plan(gauge(), vec![threshold()])
}

fn two_of_three() -> Plan {
    let raise = Raise { m: 2, n: 3, lasting: Span::ZERO };
    plan(gauge(), vec![Rule { raise: [raise; 4], ..threshold() }])
}

fn timeless(secs: i64, value: f64, identity: u64) -> Reading {
    Reading { identity, marks: Marks::NO_DEVICE_TIME, ..at(secs, value) }
}

/// Hands in readings, each at its second; says the marks each came back with.
fn check(plan: Plan, arrivals: &[(i64, Reading, Marks)], tip: Verdict) -> Bench {
    let mut bench = Bench::new(plan);
    for (nth, (secs, reading, marks)) in arrivals.iter().enumerate() {
        let got = bench.wait(*secs).hand(*reading).reading.marks;
        let want = reading.marks.with(*marks);
        assert_eq!(got, want, "arrival {nth} of {arrivals:?}");
    }
    assert_eq!(bench.tip(), tip, "{arrivals:?}");
    bench
}

const NEW: Marks = Marks(0);

#[test]
fn one_measurement_never_counts_twice() {
    let through = |source, reading| Reading { source: SourceIx(source), ..reading };
    let marked = |marks: Marks, reading: Reading| Reading { marks: reading.marks.with(marks), ..reading };
    let repeats = [
        // synced-unacked, with device time: the redelivered message.
        (at(60, 9.0), 95, at(60, 9.0)),
        // The same with another counter is still one instant.
        (at(60, 9.0), 95, Reading { seq: 7, ..at(60, 9.0) }),
        // synced-unacked, without device time: received anew, the same identity.
        (timeless(60, 9.0, 5), 75, timeless(75, 9.0, 5)),
        // The sender's own word that it repeats holds for as long as it is remembered.
        (timeless(60, 9.0, 5), 900, marked(Marks::REPEATED, timeless(900, 9.0, 5))),
        // same-sensor-twice: through two brokers.
        (at(60, 9.0), 61, through(1, at(60, 9.0))),
        (timeless(60, 9.0, 5), 61, through(1, timeless(61, 9.0, 6))),
    ];
    for (first, secs, second) in repeats {
        let bench = check(two_of_three(), &[(60, first, NEW), (secs, second, Marks::DUPLICATE)], CLEAR);
        assert_eq!(bench.stage.sensor_state(GAUGE).expect("it is in the plan").readings().count(), 1);
    }
}

#[test]
fn a_redelivery_after_a_restart_is_one_reading_however_long_we_were_down() {
    let mut bench = Bench::new(two_of_three());
    bench.wait(60).hand(timeless(60, 9.0, 5));
    let moment = bench.wait(4000).moment;
    bench.stage.started(moment, &mut bench.found);
    assert_eq!(
        bench.wait(4010).hand(timeless(4010, 9.0, 5)).reading.marks,
        Marks::NO_DEVICE_TIME.with(Marks::DUPLICATE)
    );
    assert_eq!(bench.tip(), WARMING);
}

#[test]
fn a_gauge_that_says_the_same_again_under_a_reused_packet_id_is_heard() {
    let bench =
        check(two_of_three(), &[(60, timeless(60, 9.0, 1), NEW), (120, timeless(120, 9.0, 1), NEW)], RED);
    assert_eq!(bench.finding(0).since, at(60, 0.0).observed);
}

#[test]
fn measurements_without_device_time_in_one_instant_stay_apart() {
    let bench = check(one_of_one(), &[(60, timeless(60, 1.0, 1), NEW), (60, timeless(60, 9.0, 2), NEW)], RED);
    assert_eq!(bench.stage.sensor_state(GAUGE).expect("it is in the plan").conflicts(), 0);
}

#[test]
fn of_two_values_for_one_instant_the_highest_edition_wins_else_the_first() {
    let edition = |seq, value| Reading { seq, ..at(60, value) };
    for (first, second, marks, tip, conflicts) in [
        (edition(0, 1.0), edition(0, 9.0), Marks::CONFLICT, CLEAR, 1),
        (edition(3, 1.0), edition(3, 9.0), Marks::CONFLICT, CLEAR, 1),
        (edition(3, 1.0), edition(4, 9.0), NEW, RED, 0),
        (edition(4, 9.0), edition(3, 1.0), Marks::DUPLICATE, RED, 0),
    ] {
        let bench = check(one_of_one(), &[(60, first, NEW), (61, second, marks)], tip);
        let state = bench.stage.sensor_state(GAUGE).expect("it is in the plan");
        assert_eq!((state.conflicts(), state.readings().count()), (conflicts, 1));
    }
}

#[test]
fn late_is_put_in_its_place_and_later_still_goes_to_the_ledger() {
    // Five minutes is late and in time: in its order it would have warned, so it
    // does; the next reading says how things stand now.
    let late = [(400, at(400, 1.0), NEW), (401, at(100, 9.0), NEW), (460, at(460, 1.0), NEW)];
    let bench = check(one_of_one(), &late[..2], RED);
    assert_eq!(bench.would_have(), [], "it is told, so there is nothing to put on record");
    let told = bench.finding(0);
    assert_eq!((told.value, told.measured, told.observed), (Some(9.0), Some(9.0), at(100, 0.0).observed));
    check(one_of_one(), &late, CLEAR);
    // One that only takes back finds nothing that had not been found.
    let taken_back = [
        (360, at(360, 9.0), NEW),
        (370, at(370, 9.0), NEW),
        (400, at(400, 1.0), NEW),
        (401, at(365, 1.0), NEW),
    ];
    assert_eq!(check(one_of_one(), &taken_back, CLEAR).would_have(), []);
    let bench = check(one_of_one(), &[(400, at(400, 1.0), NEW), (401, at(99, 5.0), Marks::UNJUDGED)], CLEAR);
    let entries = bench.would_have();
    assert_eq!(entries.len(), 1);
    assert_eq!(
        (entries[0].level, entries[0].measured, entries[0].observed),
        (Yellow, 5.0, at(99, 0.0).observed)
    );
    let bench = check(one_of_one(), &[(400, at(400, 1.0), NEW), (401, at(99, 1.5), Marks::UNJUDGED)], CLEAR);
    assert_eq!(bench.would_have(), []);
}

#[test]
fn a_late_breach_shortens_no_wait_for_an_all_clear() {
    let mut bench = Bench::new(one_of_one());
    for (secs, reading) in [(3000, at(3000, 9.0)), (3060, at(3060, 1.0)), (3061, at(2900, 9.0))] {
        bench.wait(secs).hand(reading);
    }
    assert_eq!(bench.tip(), RED);
    (52..130).for_each(|minute| _ = bench.read(60 * minute, 1.0));
    // A hold, twice the lateness and an interval after the newest breach, not after the late one.
    assert_eq!(bench.finding(0).observed, at(3000 + 3600 + 600 + 60, 0.0).observed);
}

#[test]
fn a_breach_older_than_max_age_is_noted_and_raises_nothing() {
    // A gateway was down for two hours and hands over what it kept.
    let mut bench = Bench::new(one_of_one());
    bench.wait(7200);
    for minute in 0..80 {
        bench.hand(at(60 * minute, 9.0));
        assert_eq!(bench.tip(), OLD, "minute {minute}");
    }
    assert_eq!(bench.would_have().len(), 1);
    assert_eq!(bench.settled(), RED, "it holds what stands, and is no reason to raise");
    // What is not too old yet does raise.
    bench.hand(at(7200 - 1800, 9.0));
    assert_eq!(bench.tip(), RED);
    // And an old clear one is no word on how things stand.
    let bench = check(one_of_one(), &[(7200, at(60, 1.0), NEW)], OLD);
    assert_eq!(bench.would_have(), []);
}

fn marked(marks: Marks, reading: Reading) -> Reading {
    Reading { marks, ..reading }
}

fn retained(secs: i64, value: f64) -> Reading {
    marked(Marks::RETAINED, at(secs, value))
}

#[test]
fn abuse_06_retained_reading_of_last_week() {
    let bench = check(one_of_one(), &[(604_800, retained(60, 9.0), NEW)], WARMING);
    assert_eq!(bench.would_have(), []);
    assert_eq!(bench.stage.sensor_state(GAUGE).expect("it is in the plan").last_seen(), None);
}

#[test]
fn history_raises_nothing() {
    check(one_of_one(), &[(60, at(60, 1.0), NEW), (121, retained(120, 9.0), NEW)], OLD);
    check(
        one_of_one(),
        &[(60, marked(Marks::RETAINED.with(Marks::NO_DEVICE_TIME), at(60, 9.0)), Marks::UNJUDGED)],
        WARMING,
    );
    let bench = check(one_of_one(), &[(121, marked(Marks::HISTORICAL, at(120, 9.0)), NEW)], OLD);
    assert_eq!(bench.would_have().len(), 1);
    // The same measurement, live: news after all.
    check(one_of_one(), &[(121, retained(120, 9.0), NEW), (122, at(120, 9.0), NEW)], RED);
}

#[test]
fn what_is_simulated_is_judged_in_exercises_only() {
    let simulated = Reading { marks: Marks::SIMULATED, ..at(60, 9.0) };
    check(one_of_one(), &[(60, simulated, Marks::UNJUDGED)], WARMING);
    let mut drill = one_of_one();
    drill.settings.status = Status::Exercise;
    check(drill, &[(60, simulated, NEW)], RED);
}

#[test]
fn a_reading_from_the_future_is_kept_and_not_judged() {
    check(one_of_one(), &[(60, at(60 + 121, 9.0), Marks::UNJUDGED)], WARMING);
    check(one_of_one(), &[(60, at(60 + 120, 9.0), NEW)], RED);
}

#[test]
fn reading_2089() {
    let far = Timestamp::from_secs(3_755_000_000);
    // The wall says 1970, then that it cannot be trusted though it is right.
    for offset in [-common::ENGINE_START, common::START - common::ENGINE_START] {
        let mut bench = Bench::new(one_of_one());
        bench.moment = Moment { offset: Span::from_secs(offset), trusted: false, ..bench.moment };
        bench.read(0, 1.0);
        assert_eq!(bench.hand(Reading { observed: far, ..at(0, 1.0) }).reading.marks, NEW);
        for minute in 1..40 {
            bench.read(60 * minute, 1.0);
            assert_eq!(bench.tip(), CLEAR);
            let state = bench.stage.sensor_state(GAUGE).expect("it is in the plan");
            assert!(state.watermark().is_none_or(|mark| mark <= bench.moment.civil()));
        }
        bench.read(2400, 9.0);
        assert_eq!(bench.tip(), RED, "later honest readings are judged");
        bench.hand(Reading { observed: far, ..at(0, 1.0) });
        bench.moment = Moment {
            offset: Span::from_secs(common::START - common::ENGINE_START),
            trusted: true,
            ..bench.moment
        };
        bench.read(2460, 9.0);
        assert_eq!(bench.tip(), RED, "once the time is known, what lies ahead of it goes");
        let state = bench.stage.sensor_state(GAUGE).expect("it is in the plan");
        assert_eq!(state.newest().expect("it has readings").observed, at(2460, 0.0).observed);
    }
}

#[test]
fn a_clock_mended_in_two_steps_moves_what_it_had_stamped() {
    let hour = Span::from_hours(1);
    for steps in [&[true][..], &[false, true], &[false, false, true]] {
        let mut bench = Bench::new(one_of_one());
        bench.moment.offset = bench.moment.offset + hour;
        let stamped = |bench: &Bench, value: f64| Reading {
            observed: bench.moment.civil(),
            marks: Marks::NO_DEVICE_TIME,
            ..at(0, value)
        };
        bench.stage.clock(bench.moment, &mut bench.found);
        for minute in 1..6 {
            bench.wait(60 * minute);
            let reading = stamped(&bench, 9.0);
            bench.hand(reading);
        }
        bench.moment.offset = bench.moment.offset - hour;
        for &trusted in steps {
            bench.moment.trusted = trusted;
            bench.stage.clock(bench.moment, &mut bench.found);
        }
        let state = bench.stage.sensor_state(GAUGE).expect("it is in the plan");
        let observed: Vec<_> = state.readings().map(|sample| sample.observed).collect();
        assert_eq!(observed, [1, 2, 3, 4, 5].map(|minute| at(60 * minute, 0.0).observed), "{steps:?}");
        assert_eq!(bench.tip(), RED, "{steps:?}");
        bench.wait(360);
        let reading = stamped(&bench, 1.0);
        bench.hand(reading);
        assert_eq!(bench.tip(), CLEAR, "{steps:?}");
    }
}

#[test]
fn what_a_clock_set_back_drops_leaves_the_next_reading_to_say_how_things_stand() {
    let mut bench = Bench::new(one_of_one());
    bench.read(60, 1.0);
    bench.read(1200, -3.0);
    bench.moment.offset = bench.moment.offset - Span::from_mins(10);
    bench.stage.clock(bench.moment, &mut bench.found);
    assert_eq!(bench.tip(), WARMING);
    bench.wait(1260).hand(at(660, 9.0));
    assert_eq!(bench.tip(), RED);
}

#[test]
fn of_readings_many_years_apart_the_newer_stay() {
    const DECADE: i64 = 10 * 365 * 86_400;
    // By a device whose clock began at 1970.
    let mut bench = check(one_of_one(), &[(60, at(60 - 5 * DECADE, 9.0), NEW)], OLD);
    let kept = |bench: &Bench| {
        let state = bench.stage.sensor_state(GAUGE).expect("it is in the plan");
        state.readings().map(|sample| sample.observed).collect::<Vec<_>>()
    };
    bench.wait(120).hand(at(120, 9.0));
    assert_eq!((kept(&bench), bench.tip()), (vec![at(120, 0.0).observed], RED));
    for minute in 3..60 {
        bench.read(60 * minute, 1.0);
    }
    assert_eq!(bench.tip(), CLEAR);
    bench.wait(DECADE).hand(at(DECADE, 1.0));
    assert_eq!((kept(&bench), bench.tip()), (vec![at(DECADE, 0.0).observed], CLEAR));
    bench.wait(DECADE + 60).hand(at(DECADE + 60, 9.0));
    assert_eq!((kept(&bench).len(), bench.tip()), (2, RED));

    let patient = gauge_of(Terms { lateness: Span::from_secs(3 * DECADE), ..terms() });
    let arrivals = [
        (DECADE, at(DECADE, 1.0), NEW),
        (DECADE + 1, at(0, 9.0), Marks::UNJUDGED),
        (DECADE + 2, at(DECADE / 2, 9.0), NEW),
    ];
    let bench = check(plan(patient, vec![threshold()]), &arrivals, CLEAR);
    assert_eq!(kept(&bench).len(), 2);
}

#[test]
fn nothing_comes_in_behind_what_left_for_a_reading_that_is_disproved() {
    let mut bench = Bench::new(one_of_one());
    bench.moment.trusted = false;
    for minute in 1..=3 {
        bench.read(60 * minute, 1.0);
    }
    // Nobody can tell that it is from the future, so the others make room for it.
    bench.wait(200).hand(at(200 + 10 * 365 * 86_400, 1.0));
    assert_eq!(bench.read(240, 1.0).reading.marks, NEW, "it is dropped again for an honest one");
    let late = bench.wait(250).hand(at(120, 9.0));
    assert_eq!(late.reading.marks, Marks::UNJUDGED, "what came after it was settled");
    assert_eq!(bench.hand(at(210, 1.0)).reading.marks, NEW, "in time");
}

#[test]
fn a_flood_of_readings_costs_no_more_memory_and_loses_no_breach() {
    let plan = one_of_one();
    let bytes = bytes_per_sensor(&plan, GAUGE);
    assert!(bytes.usual < 768 && bytes.most < 3072, "{bytes:?}");
    let mut bench = Bench::new(plan);
    let size = |bench: &Bench| minicbor::to_vec(&bench.stage).expect("encoding into a Vec cannot fail").len();
    for secs in 0..2000 {
        bench.read(secs, if (900..903).contains(&secs) { 9.0 } else { 1.0 });
        if (900..903).contains(&secs) {
            assert_eq!(bench.tip(), RED);
        }
    }
    let before = size(&bench);
    (2000..4000).for_each(|secs| _ = bench.read(secs, 1.0));
    assert!(size(&bench) < before + 64);
    assert!(bench.findings(0).any(|finding| finding.settled == RED), "settled early, never skipped");
}

#[test]
fn a_reading_of_a_sensor_that_nobody_configured_comes_back_unjudged() {
    let stray = Reading { sensor: forewarn_core::ids::SensorIx(9), ..at(60, 9.0) };
    let bench = check(
        plan(gauge_of(Terms { lateness: Span::ZERO, ..terms() }), vec![threshold()]),
        &[(60, stray, Marks::UNJUDGED)],
        WARMING,
    );
    assert_eq!(bench.findings(0).count(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_comes_older_than_max_age_goes_to_the_ledger_instead_of_raising(
        readings in prop::collection::vec((0_i32..39, 0_i64..600), 1..60),
        two in any::<bool>(),
    ) {
        let mut bench = Bench::new(if two { two_of_three() } else { one_of_one() });
        let mut reached = false;
        for (nth, (value, late)) in readings.into_iter().enumerate() {
            let observed = 60 * nth as i64;
            bench.moment.at = bench.moment.at.max(Timestamp::from_secs(common::ENGINE_START + observed + 1801 + late));
            bench.hand(at(observed, f64::from(value) / 4.0));
            reached |= !two && value >= 8;
            prop_assert!(bench.findings(0).all(|finding| finding.tip.level() == Normal && finding.pending.is_none()));
            prop_assert!(!reached || !bench.would_have().is_empty());
        }
    }
}

#[test]
fn what_does_not_count_has_its_reason() {
    let marked = |marks: Marks, reading: Reading| Reading { marks: reading.marks.with(marks), ..reading };
    let check = |arrivals: &[(i64, Reading)], expected: Option<Aside>| {
        let mut bench = Bench::new(one_of_one());
        let mut found = None;
        for (secs, reading) in arrivals {
            let checked = bench.wait(*secs).hand(*reading);
            found = Aside::of(&checked, &one_of_one(), bench.moment);
        }
        assert_eq!(found, expected, "{arrivals:?}");
    };
    let day = 86_400;
    check(&[(60, at(60, 9.0))], None);
    check(&[(60, at(60, 9.0)), (61, at(60, 9.0))], Some(Aside::Duplicate));
    check(&[(60, at(60, 9.0)), (61, at(60, 8.0))], Some(Aside::Conflict));
    check(&[(60, at(day, 9.0))], Some(Aside::Future));
    check(&[(day, at(60, 9.0))], Some(Aside::Old));
    check(&[(day, at(day, 9.0)), (day + 1, at(60, 9.0))], Some(Aside::Old));
    check(&[(60, at(60, 1000.0))], Some(Aside::FlagFail));
    check(&[(60, marked(Marks::RETAINED, at(60, 9.0)))], Some(Aside::Retained));
    check(&[(60, marked(Marks::HISTORICAL, at(60, 9.0)))], Some(Aside::Historical));
    check(&[(60, marked(Marks::SIMULATED, at(60, 9.0)))], Some(Aside::Simulated));
    let stray = Reading { sensor: forewarn_core::ids::SensorIx(9), ..at(60, 9.0) };
    check(&[(60, stray)], Some(Aside::NotInPlan));
}

#[test]
fn behind_the_watermark_is_out_of_order_until_it_is_too_old() {
    let long = gauge_of(Terms { max_age: Span::from_hours(2), ..terms() });
    let plan = plan(long, vec![threshold()]);
    let mut bench = Bench::new(plan.clone());
    bench.read(4000, 1.0);
    let checked = bench.wait(4001).hand(at(1000, 9.0));
    assert_eq!(Aside::of(&checked, &plan, bench.moment), Some(Aside::OutOfOrder));
}
