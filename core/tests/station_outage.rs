//! Silence, lost sources, our own downtime, changes of plan, snapshots.

mod common;

use common::{Bench, ENGINE_START, GAUGE, at, gauge, gauge_of, plan, rule, terms, threshold};
use forewarn_core::finding::{Found, Verdict, Why};
use forewarn_core::ids::{RuleIx, SensorIx, SourceIx};
use forewarn_core::level::Level::Red;
use forewarn_core::plan::{Conversion, Plan, Raise, Rule, Sensor, Subject, Terms};
use forewarn_core::reading::{Marks, Reading};
use forewarn_core::rules::{AnyRule, Rate};
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::units::Datum;

const RED: Verdict = Verdict::Breach(Red);
const WARMING: Verdict = Verdict::Unknown(Why::Warming);
const REMOVED: Verdict = Verdict::Unknown(Why::Removed);

fn silent(secs: i64) -> Verdict {
    Verdict::Unknown(Why::Silent(engine(secs)))
}

fn engine(secs: i64) -> Timestamp {
    Timestamp::from_secs(ENGINE_START + secs)
}

fn silence_at(bench: &mut Bench, secs: i64) {
    bench.wait(secs);
    bench.stage.silence(GAUGE, bench.moment, &mut bench.found);
}

fn source_down(bench: &mut Bench, secs: i64, source: u32) {
    bench.wait(secs);
    bench.stage.source_down(SourceIx(source), bench.moment, &mut bench.found);
}

fn source_up(bench: &mut Bench, secs: i64, source: u32) {
    bench.wait(secs);
    bench.stage.source_up(SourceIx(source), bench.moment, &mut bench.found);
}

fn silences(bench: &Bench) -> Vec<Option<Timestamp>> {
    let silence = |found: &Found| match found {
        Found::Silence(_, since) => Some(*since),
        Found::Finding(_) | Found::WouldHave(_) => None,
    };
    bench.found.iter().filter_map(silence).collect()
}

fn one_gauge() -> Bench {
    Bench::new(plan(gauge(), vec![threshold()]))
}

#[test]
fn silence_is_told_when_due_and_over_with_the_next_reading() {
    let mut bench = one_gauge();
    assert_eq!(bench.stage.silence_due(GAUGE), Some(engine(180)), "one never heard is awaited too");
    bench.read(60, 9.0);
    assert_eq!(bench.stage.silence_due(GAUGE), Some(engine(240)));
    silence_at(&mut bench, 239);
    assert_eq!((bench.tip(), silences(&bench)), (RED, vec![]), "not due yet");
    silence_at(&mut bench, 240);
    assert_eq!((bench.tip(), bench.stage.silence_due(GAUGE)), (silent(60), None));
    silence_at(&mut bench, 500);
    assert_eq!(silences(&bench), [Some(engine(60))]);
    // What cannot be judged is no sign of life that anybody could go by.
    bench.hand(at(9000, 1.0));
    bench.hand(at(60, 9.0));
    assert_eq!(bench.tip(), silent(60));
    bench.read(510, 9.0);
    assert_eq!((bench.tip(), silences(&bench)), (RED, vec![Some(engine(60)), None]));
}

#[test]
fn unknown_moves_no_settled_verdict() {
    let mut bench = one_gauge();
    (1..20).for_each(|minute| _ = bench.read(60 * minute, 9.0));
    assert_eq!(bench.settled(), RED);
    source_down(&mut bench, 1150, 0);
    source_up(&mut bench, 1160, 0);
    silence_at(&mut bench, 1400);
    bench.stage.started(bench.moment, &mut bench.found);
    (24..40).for_each(|minute| _ = bench.read(60 * minute, -1.0));
    assert!(
        bench
            .findings(0)
            .skip_while(|finding| finding.settled != RED)
            .all(|finding| { finding.settled == RED || finding.settled == Verdict::Unknown(Why::BadData) })
    );
}

#[test]
fn same_sensor_twice_is_cut_off_only_with_its_last_source() {
    let mut bench = one_gauge();
    for minute in 1..5 {
        bench.read(60 * minute, 9.0);
        let twin = Reading { source: SourceIx(1), ..at(60 * minute, 9.0) };
        assert!(bench.hand(twin).reading.marks.has(Marks::DUPLICATE));
    }
    source_down(&mut bench, 250, 0);
    assert_eq!(bench.tip(), RED, "the other still delivers");
    source_down(&mut bench, 260, 1);
    assert_eq!(bench.tip(), Verdict::Unknown(Why::SourceDown));
    assert_eq!(bench.stage.silence_due(GAUGE), None, "that is no silence of its own");
    source_up(&mut bench, 1000, 1);
    assert_eq!(bench.tip(), Verdict::Unknown(Why::SourceDown), "up is not yet heard");
    assert_eq!(bench.stage.silence_due(GAUGE), Some(engine(1180)));
    silence_at(&mut bench, 1180);
    assert_eq!(bench.tip(), silent(240));
    // One never heard is not silent by itself while every source is down.
    let mut fresh = Bench::new(Plan { sources: vec!["lora".into()], ..plan(gauge(), vec![threshold()]) });
    source_down(&mut fresh, 10, 0);
    assert_eq!((fresh.tip(), fresh.stage.silence_due(GAUGE)), (Verdict::Unknown(Why::SourceDown), None));
    // A source that it was not heard through for long is none of its own any more.
    let mut bench = one_gauge();
    bench.wait(60).hand(Reading { source: SourceIx(1), ..at(60, 1.0) });
    (2..20).for_each(|minute| _ = bench.read(60 * minute, 1.0));
    source_down(&mut bench, 1150, 0);
    assert_eq!(bench.tip(), Verdict::Unknown(Why::SourceDown));
}

#[test]
fn one_that_was_cut_off_and_is_heard_through_another_source_says_so() {
    let mut bench = one_gauge();
    bench.read(60, 1.0);
    source_down(&mut bench, 70, 0);
    bench.wait(120).hand(Reading { source: SourceIx(1), ..at(120, 1.0) });
    assert_eq!((bench.tip(), silences(&bench)), (Verdict::Clear, vec![None]));
}

#[test]
fn a_source_that_flaps_keeps_no_dead_sensor_alive() {
    let mut bench = one_gauge();
    bench.read(60, 1.0);
    bench.wait(60).hand(Reading { source: SourceIx(1), ..at(60, 1.0) });
    for secs in (70..240).step_by(20) {
        source_down(&mut bench, secs, 1);
        source_up(&mut bench, secs + 10, 1);
        source_up(&mut bench, secs + 15, 0);
    }
    assert_eq!(bench.stage.silence_due(GAUGE), Some(engine(240)), "the other source was up all the time");
}

#[test]
fn what_was_still_queued_when_its_source_went_down_is_silent_in_the_end() {
    let mut bench = one_gauge();
    bench.read(0, 1.0);
    source_down(&mut bench, 10, 0);
    assert_eq!(bench.tip(), Verdict::Unknown(Why::SourceDown));
    bench.read(20, 1.0);
    assert_eq!(bench.tip(), Verdict::Clear, "it is judged all the same");
    assert_eq!(bench.stage.silence_due(GAUGE), Some(engine(20 + 180)));
    silence_at(&mut bench, 200);
    assert_eq!(bench.tip(), silent(20));
}

#[test]
fn our_own_downtime_is_no_sensors_silence() {
    let mut bench = one_gauge();
    bench.read(60, 9.0);
    bench.wait(9000);
    bench.stage.started(bench.moment, &mut bench.found);
    assert_eq!((bench.tip(), bench.stage.silence_due(GAUGE)), (WARMING, Some(engine(9180))));
    assert_eq!(silences(&bench), []);
    bench.read(9010, 9.0);
    assert_eq!(bench.tip(), RED);
}

#[test]
fn an_unchanged_rule_keeps_what_it_remembers_over_a_change_of_plan() {
    let raise = [Raise { m: 2, n: 3, lasting: Span::ZERO }; 4];
    let two = Rule { raise, ..threshold() };
    let mut bench = Bench::new(plan(gauge(), vec![two.clone()]));
    bench.read(60, 9.0);
    // Another hold, another subject before it, another rule beside it.
    let mut moved = Rule { hold: Span::from_mins(5), ..two };
    moved.subjects.insert(0, Subject { sensor: SensorIx(1), limits: moved.subjects[0].limits.clone() });
    let mut plan = plan(gauge(), vec![moved, threshold()]);
    plan.sensors.push(Some(Sensor { id: "weir/level".into(), ..gauge() }));
    let before = bench.findings(0).count();
    bench.change(plan);
    let warming = bench.finding(0);
    assert_eq!((bench.findings(0).count(), warming.sensor, warming.tip), (before + 1, SensorIx(1), WARMING));
    assert_eq!(bench.finding(1).tip, WARMING);
    bench.read(120, 9.0);
    assert_eq!((bench.tip(), bench.finding(1).tip), (RED, RED));
}

#[test]
fn a_changed_rule_warms_up_and_a_removed_one_says_so() {
    let mut bench = one_gauge();
    bench.read(60, 9.0);
    let mut lower = threshold();
    lower.subjects[0].limits[0].levels[3] = Some(7.0);
    bench.change(plan(gauge(), vec![lower.clone()]));
    assert_eq!((bench.tip(), bench.settled()), (WARMING, WARMING));
    bench.read(120, 7.5);
    assert_eq!(bench.tip(), RED);
    let mut gone = plan(gauge(), vec![lower.clone()]);
    gone.rules[0] = None;
    bench.change(gone);
    assert_eq!((bench.tip(), bench.settled()), (REMOVED, REMOVED));
    bench.change(plan(gauge(), vec![lower.clone()]));
    assert_eq!(bench.tip(), WARMING);
    let mut nobody = Plan { sensors: vec![None], ..plan(gauge(), vec![lower]) };
    nobody.rules[0] = None;
    bench.change(nobody);
    assert_eq!(bench.tip(), REMOVED);
    assert!(bench.stage.sensor_state(GAUGE).is_none());
    assert!(bench.hand(at(130, 9.0)).reading.marks.has(Marks::UNJUDGED));
}

#[test]
fn no_leap_is_judged() {
    let rates = || rule(AnyRule::Rate(Rate { window: Span::from_mins(4) }));
    let datum = |name: &str| gauge_of(Terms { datum: Some(Datum(name.into())), ..terms() });
    let moved = Conversion { from: Timestamp(0), scale: 1.0, offset: 3.0 };
    for changed in [
        datum("1985-national"),
        gauge_of(Terms { conversions: vec![moved], ..(*datum("gauge-zero").terms).clone() }),
    ] {
        let mut bench = Bench::new(plan(datum("gauge-zero"), vec![rates()]));
        (1..6).for_each(|minute| _ = bench.read(60 * minute, 1.0));
        bench.change(plan(changed, vec![rates()]));
        assert_eq!(bench.tip(), WARMING);
        assert_eq!(bench.stage.sensor_state(GAUGE).expect("it is in the plan").readings().count(), 0);
        (6..12).for_each(|minute| _ = bench.read(60 * minute, 4.0));
        assert_eq!(bench.tip(), Verdict::Clear);
        assert!(bench.findings(0).all(|finding| finding.tip != RED));
    }
}

#[test]
fn a_stage_out_of_a_snapshot_goes_on_as_if_nothing_had_been() {
    let rates = || rule(AnyRule::Rate(Rate { window: Span::from_mins(9) }));
    let run = |restored_every: i64| {
        let mut bench = Bench::new(plan(gauge(), vec![threshold(), rates()]));
        for minute in 1..400 {
            if minute % restored_every == 0 {
                bench.restore();
            }
            let late = if minute % 5 == 0 { 150 } else { 0 };
            bench.wait(60 * minute).hand(at(60 * minute - late, (minute * 7 % 41) as f64 / 4.0));
        }
        bench.found
    };
    let whole = run(1000);
    assert!(whole.len() > 200);
    for every in [1, 7, 100] {
        assert!(run(every) == whole, "restored every {every}");
    }
    assert!(
        whole.iter().any(|found| matches!(found, Found::Finding(f) if f.rule == RuleIx(1) && f.tip == RED))
    );
}
