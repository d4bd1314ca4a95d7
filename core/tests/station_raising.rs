//! How a gauge's readings raise, hold and leave levels.

mod common;

use common::{Bench, LEVELS, START, at, gauge, gauge_of, plan, rule, terms, threshold};
use forewarn_core::finding::{Pending, Verdict, Why};
use forewarn_core::ids::{SensorIx, SourceIx};
use forewarn_core::level::Level::{Blue, Orange, Red, Yellow};
use forewarn_core::plan::{LimitRow, Raise, Rule, Sensor, Side, Terms};
use forewarn_core::reading::{Marks, Reading};
use forewarn_core::rules::{AnyRule, Rate, Slope};
use forewarn_core::time::{Moment, Span, Timestamp};
use proptest::prelude::*;

const CLEAR: Verdict = Verdict::Clear;
const BAD: Verdict = Verdict::Unknown(Why::BadData);
const SUSPECT: Verdict = Verdict::Unknown(Why::Suspect);
const BLUE: Verdict = Verdict::Breach(Blue);
const YELLOW: Verdict = Verdict::Breach(Yellow);
const ORANGE: Verdict = Verdict::Breach(Orange);
const RED: Verdict = Verdict::Breach(Red);

fn raising(m: u8, n: u8, lasting: Span) -> Rule {
    Rule { raise: [Raise { m, n, lasting }; 4], ..threshold() }
}

/// One reading a minute, and the tip after each.
fn check_by(sensor: Sensor, rule: Rule, values: &[(f64, Verdict)]) -> Bench {
    let mut bench = Bench::new(plan(sensor, vec![rule]));
    for (nth, (value, tip)) in values.iter().enumerate() {
        bench.read(60 * (1 + nth as i64), *value);
        assert_eq!(bench.tip(), *tip, "reading {nth} of {values:?}");
    }
    bench
}

fn check(rule: Rule, values: &[(f64, Verdict)]) -> Bench {
    check_by(gauge(), rule, values)
}

#[test]
fn a_value_reaches_the_highest_level_whose_limit_it_is_at() {
    check(threshold(), &[(1.9, CLEAR), (2.0, BLUE), (4.1, YELLOW), (6.1 + 1.9 - 1e-12, RED), (1.0, CLEAR)]);
    let below = Rule { side: Side::Below, ..threshold() };
    check(below, &[(9.0, CLEAR), (8.0, RED), (7.0, RED), (8.5, CLEAR)]);
}

#[test]
fn a_level_is_left_only_beyond_the_deadband() {
    let rule = Rule { deadband: 0.5, ..threshold() };
    check(
        rule,
        &[(4.0, YELLOW), (3.6, YELLOW), (3.5, BLUE), (3.9, BLUE), (1.6, BLUE), (1.5, CLEAR), (1.9, CLEAR)],
    );
}

#[test]
fn what_waits_for_further_readings_says_so() {
    for (values, expected) in [
        (&[9.0][..], Some((Red, 1, 2, 3))),
        (&[9.0, 1.0], Some((Red, 1, 2, 3))),
        (&[9.0, 1.0, 1.0, 1.0], None),
        (&[9.0, 9.0], None),
        (&[5.0, 5.0, 9.0], Some((Red, 1, 2, 3))),
        (&[1.0], None),
    ] {
        let mut bench = Bench::new(plan(gauge(), vec![raising(2, 3, Span::ZERO)]));
        for (nth, value) in values.iter().enumerate() {
            bench.read(60 * (1 + nth as i64), *value);
        }
        let state = bench.stage.sensor_state(SensorIx(0)).expect("a sensor of the plan");
        let rule = state.rules(bench.moment).next().expect("a rule on it");
        let gathering = rule.gathering.map(|it| (it.level, it.reached, it.m, it.n));
        assert_eq!(gathering, expected, "{values:?}");
    }
}

#[test]
fn m_of_n_is_met_by_readings_not_by_time() {
    check(raising(2, 3, Span::ZERO), &[(9.0, CLEAR), (1.0, CLEAR), (9.0, RED), (1.0, CLEAR), (1.0, CLEAR)]);
    check(
        raising(3, 3, Span::ZERO),
        &[(9.0, CLEAR), (9.0, CLEAR), (3.0, BLUE), (9.0, BLUE), (9.0, BLUE), (9.0, RED)],
    );
}

#[test]
fn a_lasting_breach_is_pending_until_it_has_lasted() {
    let bench = check(raising(1, 1, Span::from_mins(2)), &[(9.0, CLEAR), (9.0, CLEAR), (9.0, RED)]);
    let pending: Vec<_> = bench.findings(0).filter_map(|finding| finding.pending).collect();
    let due = Timestamp::from_secs(common::ENGINE_START + 180);
    assert_eq!(pending, [Pending { level: Red, due, sound: true }; 2]);
    assert_eq!(bench.finding(0).pending, None);
    assert_eq!(bench.finding(0).since, Timestamp::from_secs(START + 60));
    // It began with the breach, not when it came to be clear; lost or not, and whatever m of n say.
    let rule = raising(2, 3, Span::from_mins(9));
    let mut bench = check(rule, &[(1.0, CLEAR), (1.0, CLEAR), (9.0, CLEAR), (9.0, CLEAR)]);
    assert_eq!(bench.finding(0).since, Timestamp::from_secs(START + 180));
    bench.stage.source_down(SourceIx(0), bench.moment, &mut bench.found);
    assert_eq!(bench.finding(0).since, Timestamp::from_secs(START + 180));
    bench.read(300, 1.0);
    assert_eq!(bench.finding(0).since, Timestamp::from_secs(START + 240), "as far as is remembered");
    check(raising(1, 1, Span::from_mins(2)), &[(9.0, CLEAR), (1.0, CLEAR), (9.0, CLEAR), (9.0, CLEAR)]);
}

#[test]
fn what_good_values_bring_has_to_last_by_them_alone() {
    let sensor = gauge_of(Terms { suspect: Some((0.0, 8.5)), ..terms() });
    let mut bench = Bench::new(plan(sensor, vec![raising(1, 1, Span::from_mins(2))]));
    // A suspect red at first, then good ones: two minutes of good ones it takes.
    for (secs, value, due, sound) in [(60, 9.0, 180, false), (120, 8.2, 240, true)] {
        bench.read(secs, value);
        let due = Timestamp::from_secs(common::ENGINE_START + due);
        assert_eq!(bench.finding(0).pending, Some(Pending { level: Red, due, sound }), "{secs} s");
    }
}

#[test]
fn what_is_pending_falls_due_by_engine_time_whatever_the_wall_says() {
    // The wall says 1970; the gauge knows better, and is two readings into its three minutes.
    for offset in [-common::ENGINE_START, START - common::ENGINE_START] {
        let mut bench = Bench::new(plan(gauge(), vec![raising(1, 1, Span::from_mins(3))]));
        bench.moment = Moment { offset: Span::from_secs(offset), trusted: false, ..bench.moment };
        bench.read(60, 9.0);
        bench.read(120, 9.0);
        let due = Timestamp::from_secs(common::ENGINE_START + 240);
        assert_eq!(bench.finding(0).pending, Some(Pending { level: Red, due, sound: true }));
        // It runs on while nothing is known.
        bench.wait(130);
        bench.stage.source_down(SourceIx(0), bench.moment, &mut bench.found);
        let finding = bench.finding(0);
        assert_eq!(
            (finding.tip, finding.pending),
            (Verdict::Unknown(Why::SourceDown), Some(Pending { level: Red, due, sound: true }))
        );
    }
}

#[test]
fn a_late_reading_takes_back_what_was_pending_too_long() {
    let mut bench = check(raising(1, 1, Span::from_mins(2)), &[(9.0, CLEAR), (9.0, CLEAR), (9.0, RED)]);
    assert!(!bench.finding(0).firm, "a reading in between may still come");
    bench.wait(190).hand(at(90, 1.0));
    assert_eq!(bench.tip(), CLEAR);
    assert_eq!(bench.settled(), Verdict::Unknown(Why::Warming));
}

#[test]
fn what_no_late_reading_can_take_back_is_firm() {
    for (rule, firm) in [(threshold(), true), (raising(2, 3, Span::ZERO), false)] {
        let bench = check(rule, &[(1.0, CLEAR)]);
        let mut bench = { bench };
        (2..6).for_each(|minute| _ = bench.read(60 * minute, 9.0));
        assert_eq!((bench.tip(), bench.finding(0).firm), (RED, firm));
        // Once settled readings support it, it is firm in any case.
        (6..11).for_each(|minute| _ = bench.read(60 * minute, 9.0));
        assert_eq!((bench.settled(), bench.finding(0).firm), (RED, true));
    }
}

#[test]
fn only_what_matters_is_found() {
    let mut bench = check(threshold(), &[(1.0, CLEAR)]);
    (2..30).for_each(|minute| _ = bench.read(60 * minute, 1.0 + minute as f64 / 100.0));
    // Warming, clear at the tip, clear when settled.
    assert_eq!(bench.findings(0).count(), 3);
    bench.read(1800, 5.0);
    bench.read(1860, 5.1);
    let last = bench.finding(0);
    assert_eq!((last.measured, last.limit, last.value), (Some(5.1), LEVELS[1], Some(5.1)));
    assert!(last.trend.is_some_and(|trend| trend > 0.0));
}

#[test]
fn a_failed_reading_moves_only_towards_unknown() {
    let rule = raising(2, 3, Span::ZERO);
    check(rule, &[(9.0, CLEAR), (-3.0, BAD), (9.0, RED), (-3.0, BAD), (9.0, RED), (-3.0, BAD), (1.0, CLEAR)]);
}

#[test]
fn a_failed_reading_is_never_what_was_measured() {
    for failed in [-3.0, 9999.0, f64::NAN] {
        // From a calm 1.0 a leap beyond either end of the span fails.
        let mut bench = check(threshold(), &[(9.0, RED)]);
        if failed > 0.0 {
            bench = check(Rule { side: Side::Below, ..threshold() }, &[(1.0, RED)]);
        }
        let good = bench.finding(0);
        bench.read(120, failed);
        let lost = bench.finding(0);
        assert_eq!((lost.tip, lost.saturated), (BAD, false), "{failed}");
        assert_eq!((lost.value, lost.measured), (good.value, good.measured), "{failed}");
        assert_eq!(lost.observed, good.observed, "when it was last measured: {failed}");
    }
}

#[test]
fn a_suspect_reading_raises_as_suspect_and_never_clears() {
    let narrow = || gauge_of(Terms { suspect: Some((1.0, 7.0)), ..terms() });
    check_by(narrow(), threshold(), &[(0.5, SUSPECT), (1.5, CLEAR), (0.5, SUSPECT), (1.5, CLEAR)]);
    let mut bench = check_by(narrow(), threshold(), &[(5.0, YELLOW), (9.0, RED)]);
    let finding = bench.finding(0);
    assert_eq!((finding.suspect, finding.sound, finding.firm), (true, Yellow, false));
    bench.read(180, 0.5);
    assert_eq!(bench.tip(), SUSPECT);
    bench.read(240, 6.5);
    let finding = bench.finding(0);
    assert_eq!((finding.tip, finding.suspect, finding.sound), (ORANGE, false, Orange));
}

#[test]
fn a_pinned_gauge_holds_or_raises_after_a_credible_rise() {
    let rule = || {
        let mut rule = threshold();
        rule.subjects[0].limits[0].levels[3] = Some(10.0);
        rule
    };
    // Risen while breaching: beyond the span too, even for hours, and sound.
    let mut bench = check(rule(), &[(6.5, ORANGE), (10.0, RED), (10.0, RED), (9999.0, RED), (10.0, RED)]);
    let finding = bench.finding(0);
    assert_eq!((finding.saturated, finding.suspect, finding.measured), (true, false, Some(10.0)));
    (6..60).for_each(|minute| _ = bench.read(60 * minute, 10.0));
    assert_eq!((bench.tip(), bench.settled()), (RED, RED));
    bench.read(3600, 1.0);
    assert_eq!(bench.tip(), CLEAR);
    // One that came late stands for what it was, whatever the newest value is.
    let mut bench = check(rule(), &[(5.0, YELLOW), (6.5, ORANGE), (7.0, ORANGE)]);
    bench.read(300, 1.0);
    bench.wait(301).hand(at(240, 10.0));
    let late = bench.finding(0);
    assert_eq!((late.tip, late.saturated, late.value), (RED, true, Some(10.0)));
    // A leap out of nothing to the end is suspect, and beyond it failed.
    let bench = check(rule(), &[(1.0, CLEAR), (1.0, CLEAR), (10.0, RED)]);
    assert_eq!((bench.finding(0).suspect, bench.finding(0).saturated), (true, true));
    check(rule(), &[(1.0, CLEAR), (1.0, CLEAR), (9999.0, BAD)]);
    // The span ends below every limit: nobody can say, but it is not clear.
    let low = || gauge_of(Terms { span: Some((0.0, 1.5)), ..terms() });
    check_by(low(), rule(), &[(1.1, CLEAR), (1.2, CLEAR), (1.3, CLEAR), (1.5, SUSPECT), (1.7, SUSPECT)]);
    // Dry at the low end is no flood.
    check(rule(), &[(3.0, BLUE), (-9999.0, BAD), (0.0, SUSPECT)]);
}

#[test]
fn a_rate_follows_its_window_and_is_held_at_the_end_of_the_span() {
    let rule = rule(AnyRule::Rate(Rate { window: Span::from_mins(4) }));
    let few = Verdict::Unknown(Why::TooFew);
    // 0.05 m a minute is 3 m/h.
    let values =
        [(1.0, few), (1.05, few), (1.1, BLUE), (1.15, BLUE), (1.15, BLUE), (1.15, CLEAR), (1.15, CLEAR)];
    check(rule.clone(), &values);
    let end = || gauge_of(Terms { span: Some((0.0, 1.2)), ..terms() });
    check_by(
        end(),
        rule,
        &[
            (1.0, few),
            (1.05, few),
            (1.1, BLUE),
            (1.15, BLUE),
            (1.2, BLUE),
            (1.2, BLUE),
            (1.2, BLUE),
            (1.2, BLUE),
            (1.2, BLUE),
            (1.2, BLUE),
        ],
    );
}

/// A gauge planned to report every quarter of an hour, that rises by this much an
/// hour and comes to report so often.
fn check_alarmed(kind: &AnyRule, every_secs: i64, slope: f64, expected: Verdict) {
    let sensor = gauge_of(Terms { interval: Span::from_mins(15), lateness: Span::from_mins(2), ..terms() });
    let mut bench = Bench::new(plan(sensor, vec![rule(kind.clone())]));
    let risen = |secs: i64| 0.5 + slope * secs as f64 / 3600.0;
    (0..8).for_each(|nth| _ = bench.read(nth * 900, risen(nth * 900)));
    for nth in 1..60 {
        let secs = 7 * 900 + nth * every_secs;
        bench.read(secs, risen(secs));
    }
    assert_eq!(bench.tip(), expected, "{kind:?} every {every_secs} s");
}

#[test]
fn a_device_in_alarm_that_reports_faster_is_judged_on() {
    let window = Span::from_hours(1);
    for (every_secs, expected) in
        [(900, BLUE), (300, BLUE), (60, BLUE), (30, BLUE), (1, Verdict::Unknown(Why::TooFew))]
    {
        check_alarmed(&AnyRule::Rate(Rate { window }), every_secs, 2.5, expected);
        check_alarmed(&AnyRule::Slope(Slope { window }), every_secs, 2.5, expected);
        let calm = if expected == BLUE { CLEAR } else { expected };
        check_alarmed(&AnyRule::Rate(Rate { window }), every_secs, 0.1, calm);
    }
}

#[test]
fn limits_follow_the_reading_and_caution_while_nobody_knows_the_time() {
    let mut rule = threshold();
    let summer =
        LimitRow { from: Timestamp(0), season: Some((601, 930)), levels: [None, None, None, Some(5.0)] };
    let winter =
        LimitRow { from: Timestamp(0), season: Some((1001, 531)), levels: [None, None, Some(4.0), None] };
    rule.subjects[0].limits = vec![summer, winter].into();
    let mut bench = check(rule, &[(4.5, CLEAR), (5.0, RED), (4.5, CLEAR)]);
    bench.moment.trusted = false;
    bench.read(240, 4.5);
    assert_eq!((bench.tip(), bench.finding(0).limit), (ORANGE, Some(4.0)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn failed_readings_change_no_other_verdict(
        values in prop::collection::vec((4_i32..40, any::<bool>()), 1..60),
        two_of_three in any::<bool>(),
        rates in any::<bool>(),
    ) {
        let kind = if rates { rule(AnyRule::Rate(Rate { window: Span::from_mins(8) })) } else { threshold() };
        let raise = if two_of_three { Raise { m: 2, n: 3, lasting: Span::ZERO } } else { Raise::default() };
        let rule = Rule { raise: [raise; 4], ..kind };
        let mut clean = Bench::new(plan(gauge(), vec![rule.clone()]));
        let mut dirty = Bench::new(plan(gauge(), vec![rule]));
        for (nth, (value, then_fails)) in values.into_iter().enumerate() {
            let secs = 60 * (1 + nth as i64);
            clean.read(secs, f64::from(value) / 4.1);
            dirty.read(secs, f64::from(value) / 4.1);
            let (a, b) = (clean.finding(0), dirty.finding(0));
            prop_assert_eq!((a.tip, a.sound, a.pending), (b.tip, b.sound, b.pending));
            if a.tip.level() > forewarn_core::level::Level::Normal {
                prop_assert_eq!(a.measured, b.measured);
            }
            if then_fails {
                dirty.wait(secs + 30).hand(Reading { marks: Marks::default(), ..at(secs + 30, -1.0) });
                prop_assert_eq!(dirty.tip(), BAD);
                prop_assert_eq!(dirty.finding(0).sound, b.sound);
            }
        }
    }
}
