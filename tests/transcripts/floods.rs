//! Single incidents under bad data.

use forewarn_core::event::Decision;
use forewarn_core::ids::SensorIx;
use forewarn_core::level::{Certainty, Level};
use forewarn_core::time::Span;
use forewarn_core::warning::{Kind, Phase, Reason, TroubleCode};
use forewarn_simulations::Sent;
use forewarn_simulations::scenario::Scenario;

use crate::bench::{Bench, START, mins};
use crate::site::{LEVELS, area, ford, gauge, metres, river_level, route, rule, site};

const FORD: SensorIx = SensorIx(0);

/// Reads a scenario's file.
fn scenario(name: &str) -> Scenario {
    let root = [env!("CARGO_MANIFEST_DIR"), "simulations", "scenarios"];
    let path: std::path::PathBuf = root.iter().collect::<std::path::PathBuf>().join(format!("{name}.toml"));
    let text = std::fs::read_to_string(&path).expect("the scenario stands there");
    Scenario::read(&text).expect("the scenario is well written")
}

/// What the world is like, whatever comes in of it.
fn faultless(scenario: &Scenario) -> Vec<Sent> {
    let mut whole = scenario.clone();
    whole.faults.clear();
    whole.play(START)
}

/// When the first of these readings at or above a limit leaves its device.
fn crossing(sent: &[Sent], station: &str, limit: f64) -> Span {
    let first = sent.iter().find(|it| it.station == station && it.value >= limit);
    first.expect("the flood goes over it").at - START
}

/// A river that stands at the limit: above, below by less than the deadband, above ...
#[test]
fn flapping_at_the_limit() {
    let mut bench = Bench::start(ford());
    for n in 0..48 {
        bench.pass(mins(10 * n));
        // From 0:50 to 4:50 it wavers by six centimetres about the yellow limit, then falls.
        bench.read(
            FORD,
            if n < 5 {
                2.0
            } else if n < 30 {
                4.0 + if n % 2 == 1 { 0.03 } else { -0.03 }
            } else {
                2.5
            },
        );
    }
    // Truth: one flood. It crosses at 0:50, is last above at 4:50, falls at 5:00,
    // and is over one hold after that, once no late reading can say otherwise.
    bench.pass(mins(8 * 60));
    // It stands longer than the six hours a warning holds, and so is renewed once.
    assert_eq!(bench.reasons(), [Reason::Raised, Reason::Renewed, Reason::Eased]);
    assert_eq!(bench.said()[0].0, 50);
    bench.over(300);
    bench
        .transcript
        .check("flapping-at-the-limit", "A river wavers about its yellow limit for four hours, then falls.");
    bench.replays();
}

#[test]
fn silent_gauge_mid_flood() {
    let scenario = scenario("silent-gauge-mid-flood");
    let (sent, whole) = (scenario.play(START), faultless(&scenario));
    let mut bench = Bench::start(ford());
    bench.play(&sent);
    bench.transcript.check("silent-gauge-mid-flood", &scenario.title);
    // Truth: each level is first crossed when the world says so, as long as the gauge is heard.
    let lost = mins(7 * 60);
    for (level, limit) in Level::WARNING.into_iter().zip(LEVELS) {
        let crossed = crossing(&whole, "ford", limit);
        let told = bench.revisions.iter().find(|(_, it)| it.level == level && it.kind != Kind::AllClear);
        assert_eq!(told.map(|(after, _)| *after), Some(crossed), "{level}");
        assert!(crossed < lost, "{level} is crossed before the gauge falls silent");
    }
    let blind = bench.revisions.iter().find(|(_, it)| it.reason == Reason::Blind).expect("its loss is told");
    // Heard last ten minutes before 7:00 or then; unknown three intervals later, told one more interval later.
    let heard_last = sent.iter().map(|it| it.at - START).filter(|&at| at < lost).max().expect("it was heard");
    assert_eq!(blind.0, heard_last + mins(30) + mins(5));
    assert_eq!((blind.1.level, blind.1.certainty), (Level::Red, Certainty::Possible));
    let heard: Vec<_> = bench.revisions[2..].iter().filter(|(_, it)| it.level == Level::Red).collect();
    assert!(heard.iter().all(|(_, it)| it.due.len() == 2), "whoever heard red hears that it is blind");
    // No all-clear while it is lost, and one at the end.
    let ends: Vec<Span> = bench
        .revisions
        .iter()
        .filter(|(_, it)| it.reason == Reason::Eased)
        .map(|(after, _)| *after)
        .collect();
    assert_eq!(ends.len(), 1);
    let below = whole.iter().rev().find(|it| it.value >= LEVELS[0] - 0.1).expect("it was above").at - START;
    assert!(ends[0] >= below + mins(60), "{:?} is sooner than a hold after {below:?}", ends[0]);
    assert_eq!(bench.troubles(TroubleCode::SensorSilent).len(), 2, "told once, ended once");
    bench.replays();
}

#[test]
fn late_burst_after_a_gateway_outage() {
    let scenario = scenario("late-burst");
    let (sent, whole) = (scenario.play(START), faultless(&scenario));
    let mut plan = site();
    let valley = area(&mut plan, "valley");
    for station in ["upper", "middle", "lower"] {
        gauge(&mut plan, station, valley, &["gw-north"]);
    }
    river_level(&mut plan, LEVELS);
    route(&mut plan, "duty", Level::Blue);
    let mut bench = Bench::start(plan);
    bench.play(&sent);
    bench.transcript.check("late-burst", &scenario.title);
    let back = mins(6 * 60 + 30);
    // Truth: blue is crossed before the loss; what is crossed during it is told when it comes.
    let blue = crossing(&whole, "upper", LEVELS[0]);
    assert_eq!(bench.said().first(), Some(&(blue.0 / 60_000_000, Reason::Raised)));
    let mut at_once =
        bench.revisions.iter().filter(|(after, it)| *after == back && it.reason == Reason::Upgraded);
    let risen = whole.iter().filter(|it| it.at - START <= back).map(|it| it.value).fold(0.0, f64::max);
    assert!((LEVELS[3]..12.0).contains(&risen), "it has risen over red while nobody heard it: {risen}");
    assert_eq!(at_once.next_back().map(|(_, it)| it.level), Some(Level::Red), "told on arrival");
    // What is older than two hours is written down, not told.
    let orange = crossing(&whole, "upper", LEVELS[2]);
    assert!(back - orange > mins(120), "orange was crossed too long before the gateway came back");
    let entry =
        bench.would_have.iter().find(|it| it.level == Level::Orange).expect("it stands in the ledger");
    assert_eq!(entry.observed, START + orange);
    let outage = bench.troubles(TroubleCode::DomainSilent);
    assert_eq!(outage.iter().map(|(_, it)| it.kind).collect::<Vec<_>>(), [Kind::Alert, Kind::AllClear]);
    assert!(outage[0].1.detail.starts_with("3 of 3 sensors behind gw-north"), "{}", outage[0].1.detail);
    assert_eq!(bench.troubles(TroubleCode::SensorSilent).len(), 0);
    bench.replays();
}

/// A changed limit and hold reach an incident that stands.
#[test]
fn reload_mid_incident() {
    let mut bench = Bench::start(ford());
    for (minute, value) in [(0, 2.0), (10, 4.2), (20, 5.1)] {
        bench.pass(mins(minute));
        bench.read(FORD, value);
    }
    bench.pass(mins(25));
    // The new plan: orange at 5.50 m instead of 5.00 m, a hold of half an hour.
    let mut changed = ford();
    rule(&mut changed).hold = mins(30);
    rule(&mut changed).subjects[0].limits[0].levels[2] = Some(5.5);
    bench.plan(changed.clone(), false);
    // Without the ford: refused while the warning stands.
    let mut without = changed.clone();
    (without.areas[0], without.stations[0], without.sensors[0], without.rules[0]) = (None, None, None, None);
    bench.pass(mins(26));
    let refused = bench.plan(without, false);
    assert!(matches!(refused.as_slice(), [Decision::PlanRefused(_)]), "{refused:?}");
    assert_eq!(bench.engine.plan_id(), changed.id());
    for n in 3..24 {
        bench.pass(mins(10 * n));
        bench.read(FORD, if n < 12 { 5.1 } else { 2.0 });
    }
    // Truth: one warning through all of it. Under the new limits 5.10 m is yellow from 0:30 on,
    // so orange ends one new hold later; all is clear from 2:00 on.
    let said = bench.said();
    assert_eq!(bench.reasons(), [Reason::Raised, Reason::Upgraded, Reason::Downgraded, Reason::Eased]);
    assert!((60..=100).contains(&said[2].0), "{said:?}");
    assert!((150..=190).contains(&said[3].0), "{said:?}");
    let ids: std::collections::BTreeSet<_> = bench.revisions.iter().map(|(_, it)| it.warning).collect();
    assert_eq!(ids.len(), 1, "a changed rule keeps its incident");
    bench.transcript.check(
        "reload-mid-incident",
        "The limits change while a warning stands; a plan without its area is refused.",
    );
    bench.replays();
}

/// The machine starts in 1970; devices know better.
#[test]
fn abuse_48_clock_at_1970_at_boot() {
    let engine_start = Span::from_secs(-1_000_000);
    let mut bench = Bench::boot(engine_start, false);
    bench.plan(ford(), false);
    // Devices give the true time, 56 years ahead of ours.
    let truth = START - forewarn_core::time::Timestamp(0);
    for (minute, value) in [(0, 2.0), (10, 4.2), (20, 5.1), (30, 5.2)] {
        bench.pass(mins(minute));
        bench.late(FORD, value, mins(minute) + truth);
    }
    // NTP steps 56 years forward at 0:35.
    bench.pass(mins(35));
    bench.clock(engine_start + truth, true);
    for n in 4..18 {
        bench.pass(mins(10 * n));
        bench.read(FORD, 2.0);
    }
    // Truth: crosses yellow at 0:10 and orange at 0:20, falls at 0:40.
    let refused: Vec<_> = bench
        .flagged
        .iter()
        .filter(|it| it.reading.marks.has(forewarn_core::reading::Marks::UNJUDGED))
        .collect();
    assert!(refused.is_empty(), "nothing is refused as future: {refused:?}");
    let said: Vec<_> = bench.said().into_iter().filter(|(_, reason)| *reason != Reason::Renewed).collect();
    assert_eq!(said[..2], [(10, Reason::Raised), (20, Reason::Upgraded)]);
    assert_eq!((said.len(), said.last().map(|(_, reason)| *reason)), (3, Some(Reason::Eased)));
    bench.over(40);
    // The step passed the end of a warning sent in 1970: it is reissued, not expired.
    let reissued: Vec<_> = bench.revisions.iter().filter(|(_, it)| it.reason == Reason::Renewed).collect();
    assert_eq!(
        reissued.iter().map(|(after, it)| (*after, it.level)).collect::<Vec<_>>(),
        [(mins(35), Level::Orange)]
    );
    let sent: Vec<_> = bench.revisions.iter().map(|(_, it)| it.sent).collect();
    assert!(sent.is_sorted(), "{sent:?}");
    assert_eq!(
        bench.troubles(TroubleCode::ClockUntrusted).iter().map(|(_, it)| it.kind).collect::<Vec<_>>(),
        [Kind::Alert, Kind::AllClear]
    );
    assert_eq!(bench.engine.incidents().filter(|it| it.phase != Phase::Closed).count(), 0);
    bench.transcript.check(
        "clock-at-1970-at-boot",
        "The machine boots in 1970; the gauges know the time; NTP comes at 0:35.",
    );
    bench.replays();
}

/// Nobody waits for lateness: a red crossing is told on arrival.
#[test]
fn a_red_crossing_is_told_at_once_whatever_lateness_is_allowed() {
    let plan = ford();
    assert_eq!(plan.sensor(FORD).map(|it| (it.lateness, it.unit)), Some((mins(30), metres())));
    let mut bench = Bench::start(plan);
    bench.read(FORD, 2.0);
    bench.pass(mins(10));
    bench.read(FORD, 6.0);
    let (after, first) = bench.revisions.last().expect("red was crossed");
    assert_eq!((*after, first.level, first.kind), (mins(10), Level::Red, Kind::Alert));
    assert_eq!(first.due.len(), 2);
}
