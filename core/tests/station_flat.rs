//! A gauge that says the same for longer than anything measured stands still.

mod common;

use common::{Bench, GAUGE, START, at, gauge, gauge_of, plan, rule, terms, threshold};
use forewarn_core::checks::Flat;
use forewarn_core::finding::{Verdict, Why};
use forewarn_core::level::Level::{self, Blue, Red};
use forewarn_core::plan::{Plan, Raise, Terms};
use forewarn_core::reading::{Flag, Reading};
use forewarn_core::rules::{AnyRule, Slope};
use forewarn_core::time::{Span, Timestamp};

const CLEAR: Verdict = Verdict::Clear;
const BAD: Verdict = Verdict::Unknown(Why::BadData);
const SUSPECT: Verdict = Verdict::Unknown(Why::Suspect);

/// Suspect after an hour of the very same, failed after two.
const HOUR: Flat =
    Flat { suspect: Span::from_hours(1), fail: Some(Span::from_hours(2)), within: 0.0, normal: None };

fn by(flat: Flat) -> Plan {
    plan(gauge_of(Terms { flat: Some(flat), ..terms() }), vec![threshold()])
}

/// One reading a minute, from a minute to another, of the same value.
fn stays(bench: &mut Bench, minutes: std::ops::RangeInclusive<i64>, value: f64) -> Vec<Flag> {
    minutes.map(|minute| bench.read(60 * minute, value).flag).collect()
}

#[test]
fn abuse_20_stuck_sensor_is_no_sign_of_safety() {
    let mut bench = Bench::new(by(HOUR));
    assert_eq!(stays(&mut bench, 1..=60, 1.5), [Flag::Good; 60]);
    assert_eq!((bench.tip(), bench.settled()), (CLEAR, CLEAR), "an hour is not over");
    assert_eq!(stays(&mut bench, 61..=61, 1.5), [Flag::Suspect]);
    assert_eq!((bench.tip(), bench.settled()), (SUSPECT, CLEAR), "what is settled was no hour yet");
    let state = bench.stage.sensor_state(GAUGE).expect("it is in the plan");
    assert_eq!(state.flat_since(), Some(Timestamp::from_secs(START + 60)));
    stays(&mut bench, 62..=120, 1.5);
    assert_eq!((bench.tip(), bench.settled()), (SUSPECT, SUSPECT));
    assert_eq!(stays(&mut bench, 121..=130, 1.5), [Flag::Fail; 10]);
    assert_eq!((bench.tip(), bench.settled()), (BAD, BAD));
    // One bit of another value, and it lives; five minutes later that is certain.
    assert_eq!(stays(&mut bench, 131..=131, 1.5_f64.next_up()), [Flag::Good]);
    assert_eq!((bench.tip(), bench.settled()), (CLEAR, BAD));
    assert_eq!(bench.stage.sensor_state(GAUGE).and_then(|state| state.flat_since()), None);
    for minute in 132..140 {
        bench.read(60 * minute, 1.4 + minute as f64 / 1000.0);
    }
    assert_eq!((bench.tip(), bench.settled()), (CLEAR, CLEAR));
}

#[test]
fn abuse_20_stuck_sensor_lowers_no_danger() {
    let mut bench = Bench::new(by(HOUR));
    stays(&mut bench, 1..=61, 9.0);
    let finding = bench.finding(0);
    assert_eq!((finding.tip, finding.settled), (Verdict::Breach(Red), Verdict::Breach(Red)));
    assert!(!finding.suspect, "good readings had raised it");
    assert_eq!(finding.sound, Red);
    // Failed, it says nothing any more; and once it lives, that red was never left.
    stays(&mut bench, 62..=130, 9.0);
    assert_eq!((bench.tip(), bench.settled()), (BAD, BAD));
    assert_eq!(bench.findings(0).filter(|it| it.settled == CLEAR || it.tip == CLEAR).count(), 0);
    bench.read(60 * 131, 9.1);
    assert_eq!(bench.tip(), Verdict::Breach(Red));
}

#[test]
fn abuse_20_stuck_sensor_that_moves_warns_at_once() {
    let mut bench = Bench::new(by(HOUR));
    stays(&mut bench, 1..=100, 1.5);
    bench.read(60 * 101, 8.5);
    let finding = bench.finding(0);
    assert_eq!((finding.tip, finding.suspect, finding.firm), (Verdict::Breach(Red), false, true));
}

#[test]
fn what_a_flat_value_reaches_needs_another_that_says_so_too() {
    // It takes two hours to raise, and the second of them is flat.
    let lasting = Raise { m: 1, n: 1, lasting: Span::from_mins(110) };
    let rule = forewarn_core::plan::Rule { raise: [lasting; 4], ..threshold() };
    let mut bench = Bench::new(plan(gauge_of(Terms { flat: Some(HOUR), ..terms() }), vec![rule]));
    stays(&mut bench, 1..=111, 3.0);
    let finding = bench.finding(0);
    assert_eq!((finding.tip, finding.suspect, finding.sound), (Verdict::Breach(Blue), true, Level::Normal));
}

#[test]
fn what_may_stay_stays_clear_for_ever() {
    for (flat, value) in
        [(Flat { normal: Some(1.5), ..HOUR }, 1.5), (Flat { normal: Some(1.5), within: 0.01, ..HOUR }, 1.509)]
    {
        let mut bench = Bench::new(by(flat));
        assert_eq!(stays(&mut bench, 1..=300, value), [Flag::Good; 300]);
        assert_eq!((bench.tip(), bench.settled()), (CLEAR, CLEAR));
    }
}

#[test]
fn at_the_end_of_the_span_it_is_saturated_and_not_stuck() {
    let mut bench = Bench::new(by(HOUR));
    for (minute, value) in [(1, 7.0), (2, 8.0), (3, 9.0)] {
        bench.read(60 * minute, value);
    }
    // The gauge is drowned for three hours: the truth is there or beyond.
    stays(&mut bench, 4..=180, 10.0);
    let finding = bench.finding(0);
    assert_eq!(
        (finding.tip, finding.settled, finding.saturated),
        (Verdict::Breach(Red), Verdict::Breach(Red), true)
    );
}

#[test]
fn a_late_reading_takes_flat_back_and_another_brings_it() {
    let mut bench = Bench::new(by(HOUR));
    stays(&mut bench, 1..=63, 1.5);
    assert_eq!(bench.tip(), SUSPECT);
    bench.hand(at(60 * 60 + 30, 1.6));
    assert_eq!(bench.tip(), CLEAR, "it moved in between");
    // A corrected edition says that it did not.
    bench.hand(Reading { seq: 1, ..at(60 * 60 + 30, 1.5) });
    assert_eq!(bench.tip(), SUSPECT);
    // What is settled is not taken back by what comes too late.
    bench.hand(at(60 * 30 + 30, 1.6));
    assert_eq!(bench.tip(), SUSPECT);
}

#[test]
fn no_window_and_no_snapshot_is_too_small_for_a_day() {
    let day = Flat { suspect: Span::from_hours(24), fail: None, ..HOUR };
    let mut bench = Bench::new(by(day));
    for minute in 1..=24 * 60 {
        assert_eq!(bench.read(60 * minute, 1.5).flag, Flag::Good, "minute {minute}");
        if minute % 400 == 0 {
            bench.restore();
        }
    }
    bench.restore();
    assert_eq!(bench.read(60 * (24 * 60 + 1), 1.5).flag, Flag::Suspect);
    assert_eq!(bench.tip(), SUSPECT);
}

#[test]
fn a_new_term_counts_by_the_window_that_is_there() {
    let free = || plan(gauge(), vec![threshold()]);
    let mut bench = Bench::new(free());
    stays(&mut bench, 1..=30, 1.5);
    let ten = Flat { suspect: Span::from_mins(10), fail: None, ..HOUR };
    bench.change(by(ten));
    assert_eq!(bench.tip(), CLEAR, "what was judged stands until the next reading");
    assert_eq!(stays(&mut bench, 31..=31, 1.5), [Flag::Suspect]);
    bench.change(free());
    assert_eq!(stays(&mut bench, 32..=32, 1.5), [Flag::Good]);
    assert_eq!(bench.tip(), CLEAR);
}

#[test]
fn a_slope_is_unknown_while_its_gauge_is_stuck() {
    let slope = rule(AnyRule::Slope(Slope { window: Span::from_mins(10) }));
    let mut bench = Bench::new(plan(gauge_of(Terms { flat: Some(HOUR), ..terms() }), vec![slope]));
    stays(&mut bench, 1..=60, 1.5);
    assert_eq!(bench.tip(), CLEAR);
    stays(&mut bench, 61..=61, 1.5);
    assert!(bench.tip().is_unknown(), "{:?}", bench.tip());
}
