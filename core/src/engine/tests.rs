//! The engine's laws over random histories, and its hard cases.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::run::{
    Deed, Run, calm, decisions, histories, limited, pass, plan, plan_ref, said, started, troubles, variant,
    wild,
};
use super::snapshot::SNAPSHOT_VERSION;
use super::*;
use crate::authority::By;
use crate::event::{Command, TroubleReport};
use crate::ids::{AreaIx, HazardIx, TargetIx};
use crate::judging::{routing, world};
use crate::reading::Marks;
use crate::time::Span;
use crate::warning::{About, Cell, Reason, TroubleCode};

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn extra_ticks_change_nothing(deeds in histories(wild()), step_secs in 30..900i64) {
        let plain = Run::play(plan(), &deeds);
        let mut ticked = Run::new(plan());
        for deed in &deeds {
            if let Deed::Pass(minutes) = deed {
                let end = ticked.at + Span::from_secs(1) + Span::from_mins(*minutes);
                let (from, step) = (ticked.at, Span::from_secs(step_secs));
                for at in (1..).map(|n| from + step.times(n)).take_while(|&at| at < end) {
                    ticked.at = at;
                    ticked.put(Input::Tick);
                }
                ticked.at = from;
            }
            ticked.act(deed);
        }
        prop_assert_eq!(plain.decided(), ticked.decided());
    }

    #[test]
    fn recovery_gives_the_same_state(deeds in histories(wild())) {
        let run = Run::play(plan(), &deeds);
        let mut recovered = Engine::default();
        for (event, recorded) in &run.log {
            let mut outputs = Vec::new();
            prop_assert!(!recovered.recover(event, recorded, &mut outputs), "{:?}", event);
            prop_assert_eq!(&decisions(&outputs), recorded);
        }
        prop_assert_eq!(recovered.to_bytes(), run.engine.to_bytes());
    }

    #[test]
    fn a_snapshot_goes_on_as_the_engine_would(deeds in histories(wild()), cut in 0..60usize) {
        let cut = cut.min(deeds.len());
        let mut run = Run::play(plan(), &deeds[..cut]);
        let photograph = run.engine.freeze();
        let bytes = run.engine.to_bytes();
        let before = run.log.len();
        deeds[cut..].iter().for_each(|deed| run.act(deed));
        prop_assert_eq!(&photograph.to_bytes(), &bytes, "a photograph does not move");
        let mut written = Vec::new();
        photograph.clone().write_out(&mut written).expect("a Vec takes everything");
        prop_assert_eq!(&written, &bytes, "piece by piece, the same");
        let mut loaded = Engine::from_bytes(&bytes, photograph.plan_id(), photograph.plan()).expect("it was just written");
        for (event, decided) in &run.log[before..] {
            let mut outputs = Vec::new();
            loaded.step(event, &mut outputs);
            prop_assert_eq!(&decisions(&outputs), decided);
        }
        prop_assert_eq!(loaded.to_bytes(), run.engine.to_bytes());
    }

    #[test]
    fn a_warning_goes_to_those_routed_and_those_before(deeds in histories(calm())) {
        let run = Run::play(plan(), &deeds);
        let plan = plan();
        let mut heard: BTreeMap<OutputId, BTreeSet<TargetIx>> = BTreeMap::new();
        for decision in run.log.iter().flat_map(|(_, decisions)| decisions) {
            let revision = match decision {
                Decision::Revision(revision) => revision,
                Decision::Asked { warning, due, .. } => {
                    heard.entry(*warning).or_default().extend(due.iter().map(|due| due.target));
                    continue;
                }
                _ => continue,
            };
            let due: BTreeSet<TargetIx> = revision.due.iter().map(|due| due.target).collect();
            let mut expected = heard.get(&revision.warning).cloned().unwrap_or_default();
            match &revision.about {
                About::Incident(Cell { hazard, area }) => {
                    if matches!(revision.reason, Reason::Raised | Reason::Upgraded) {
                        expected.extend(routing::targets(&plan, *hazard, *area, revision.level, revision.sent));
                    }
                }
                About::Trouble(_) | About::NotifyTest | About::Manual(_) | About::Canary(_) => {
                    expected.extend(&plan.operator);
                },
            }
            prop_assert_eq!(&due, &expected, "{:?}", revision);
            heard.insert(revision.warning, due);
        }
    }
}

/// One gauge in each of so many areas, that reports once a day.
fn many(areas: u32) -> Plan {
    let mut plan = world::gauges(&vec![&[][..]; areas as usize]);
    plan.areas = (0..areas).map(|ix| world::area(&format!("a{ix}"), None)).collect();
    plan.targets[0] = world::target("t0", "duty", None);
    for (station, ix) in plan.stations.iter_mut().flatten().zip(0..) {
        station.area = AreaIx(ix);
    }
    plan.sensors.iter_mut().flatten().for_each(|sensor| sensor.interval = Span::from_hours(24));
    limited(&mut plan);
    plan
}

/// Ticks until nothing is left over; how many ticks it took.
fn drain(run: &mut Run) -> usize {
    let mut ticks = 0;
    while run.engine.wake_at().is_some_and(|wake| wake <= run.at) {
        assert!(run.put(Input::Tick).len() <= OUTPUTS_MAX);
        ticks += 1;
        assert!(ticks < 1000, "what is left over never ends");
    }
    ticks
}

fn counted(run: &Run, reason: Reason) -> usize {
    run.revisions.iter().filter(|it| it.reason == reason).count()
}

#[test]
fn ten_thousand_areas_at_once() {
    const AREAS: u32 = 10_000;
    let mut run = Run::new(many(AREAS));
    let key = TroubleKey { code: TroubleCode::Held, subject: String::new() };
    run.put(Input::Trouble(TroubleReport { key, present: true, detail: "restored".into() }));
    for value in [4.0, 0.0, 0.0] {
        (0..AREAS).for_each(|sensor| run.read(sensor, value));
        run.at = run.at + Span::from_mins(1);
    }
    assert_eq!(counted(&run, Reason::Raised), 0);
    // All is told at one word of a person, and all ends at one instant.
    assert!(run.put(Input::Command(Box::new(Command::Resume), By::default())).len() <= OUTPUTS_MAX);
    assert!(drain(&mut run) >= 10);
    assert_eq!(counted(&run, Reason::Raised), AREAS as usize);
    run.at = run.at + Span::from_mins(90);
    assert!(run.put(Input::Tick).len() <= OUTPUTS_MAX);
    drain(&mut run);
    assert_eq!(counted(&run, Reason::Eased) + counted(&run, Reason::Unconfirmed), AREAS as usize);
    assert_eq!(run.engine.incidents().count(), 0);
}

#[test]
fn a_tick_is_only_due_when_something_fires() {
    let mut run = Run::new(plan());
    (0..6).for_each(|sensor| run.read(sensor, 0.0));
    run.at = run.at + Span::from_mins(20);
    (0..6).for_each(|sensor| run.read(sensor, 0.0));
    let early = run.engine.wake_at().expect("silence is awaited");
    assert!(!run.engine.is_due(early), "they spoke since");
    let wake = run.engine.wake_at().expect("it is armed again");
    assert_eq!(wake, run.at + Span::from_mins(30));
    assert!(run.engine.is_due(wake));
    assert_eq!(run.engine.wake_at(), Some(wake), "asking takes nothing away");
}

/// One gauge is clear until a whole hold has passed, and nothing is said before.
pub(super) fn clear_for_a_hold(run: &mut Run, sensor: u32) {
    let ended = |run: &Run| counted(run, Reason::Eased) + counted(run, Reason::Unconfirmed);
    let before = ended(run);
    for minutes in [0, 20, 20, 19] {
        run.at = run.at + Span::from_mins(minutes);
        run.read(sensor, 0.0);
    }
    assert_eq!(ended(run), before, "not before a whole hold");
    pass(run, 1);
    assert_eq!(ended(run), before + 1, "{:?}", run.revisions);
}

/// A plan without the first gauge; its area keeps two.
fn without_the_first() -> PlanRef {
    let mut without = plan();
    (without.stations[0], without.sensors[0]) = (None, None);
    without.rules[0].as_mut().expect("the rule").subjects.remove(0);
    plan_ref(without, false)
}

/// That its neighbours are clear says nothing of the place that was in breach.
#[test]
fn what_a_gauge_supported_that_left_the_plan_is_not_ended_by_its_neighbours() {
    let mut run = Run::new(plan());
    (0..3).for_each(|sensor| run.read(sensor, if sensor == 0 { 4.0 } else { 0.0 }));
    run.at = run.at + Span::from_mins(20);
    run.put(Input::Plan(without_the_first()));
    for _ in 0..20 {
        run.at = run.at + Span::from_mins(20);
        (1..3).for_each(|sensor| run.read(sensor, 0.0));
    }
    assert_eq!(counted(&run, Reason::Orphaned), 1);
    assert_eq!(counted(&run, Reason::Eased) + counted(&run, Reason::Unconfirmed), 0);
    assert_eq!(troubles(&run, TroubleCode::Orphaned), ["flood/ford"]);
    // What breaches there now carries it, and can end it.
    run.at = run.at + Span::from_mins(1);
    run.read(1, 4.0);
    assert_eq!(troubles(&run, TroubleCode::Orphaned), [""; 0]);
    run.at = run.at + Span::from_mins(1);
    clear_for_a_hold(&mut run, 1);
}

#[test]
fn what_a_gauge_supported_that_left_the_plan_stands_while_no_other_is_seen() {
    let mut run = Run::new(plan());
    run.read(0, 4.0);
    run.put(Input::Plan(without_the_first()));
    for _ in 0..40 {
        pass(&mut run, 30);
    }
    let said = |run: &Run| {
        let told = said(run, Cell::default());
        told.into_iter().filter(|&reason| reason != Reason::Renewed).collect::<Vec<_>>()
    };
    assert_eq!(said(&run), [Reason::Raised, Reason::Orphaned]);
    assert_eq!(troubles(&run, TroubleCode::Orphaned), ["flood/ford"]);
    run.put(Input::Command(
        Box::new(Command::AllClear(Cell::default(), "seen by eye".into())),
        By::default(),
    ));
    assert_eq!(said(&run), [Reason::Raised, Reason::Orphaned, Reason::EndedByHand]);
}

#[test]
fn a_breach_goes_with_its_station_to_another_area_and_with_its_rule_to_another_hazard() {
    type Change = fn(&mut Plan);
    let changes: [(Change, Cell); 2] = [
        (
            |plan| plan.stations[0].as_mut().expect("it stands").area = AreaIx(1),
            Cell { area: AreaIx(1), ..Cell::default() },
        ),
        (
            |plan| {
                plan.hazards.push("slide".into());
                plan.rules[0].as_mut().expect("the rule").hazard = HazardIx(1);
            },
            Cell { hazard: HazardIx(1), ..Cell::default() },
        ),
    ];
    for (change, cell) in changes {
        let mut run = Run::new(plan());
        run.read(0, 4.0);
        let mut changed = plan();
        change(&mut changed);
        run.put(Input::Plan(plan_ref(changed, true)));
        assert_eq!(said(&run, cell), [Reason::Raised], "{cell:?}");
    }
}

#[test]
fn a_plan_that_drops_the_place_of_a_warning_is_refused() {
    let mut run = Run::new(plan());
    run.read(3, 4.0);
    let refused = run.put(Input::Plan(plan_ref(variant(2), false)));
    assert!(matches!(refused.as_slice(), [Decision::PlanRefused(words)] if words.contains("flood/town")));
    assert_eq!(run.engine.plan_id(), plan().id());
    run.put(Input::Plan(plan_ref(variant(2), true)));
    assert_eq!(run.engine.plan_id(), variant(2).id());
    assert_eq!(counted(&run, Reason::Orphaned), 1);
}

#[test]
fn a_snapshot_of_a_later_version_or_another_plan_is_refused() {
    let run = Run::new(plan());
    let bytes = run.engine.to_bytes();
    let body = Arc::new(plan());
    assert!(matches!(Engine::from_bytes(&bytes, variant(1).id(), &body), Err(SnapshotError::Plan(_))));
    assert!(matches!(Engine::from_bytes(&bytes[..9], plan().id(), &body), Err(SnapshotError::Bytes(_))));
    let later = minicbor::to_vec(Engine { version: SNAPSHOT_VERSION + 1, ..run.engine }).expect("into a Vec");
    let refused = Engine::from_bytes(&later, plan().id(), &body);
    assert!(matches!(refused, Err(SnapshotError::Version(later)) if later == SNAPSHOT_VERSION + 1));
}

/// A red that was clear for half an hour when the disk ran full.
fn easing_when_intake_stops() -> Run {
    let mut run = Run::new(plan());
    run.read(0, 4.0);
    run.at = run.at + Span::from_mins(10);
    run.read(0, 0.0);
    run.at = run.at + Span::from_mins(25);
    run.read(0, 0.0);
    run.put(Input::Intake(false));
    run
}

#[test]
fn while_intake_is_stopped_nothing_clears_and_nobody_is_called_silent() {
    let mut run = easing_when_intake_stops();
    let seen = run.revisions.len();
    for _ in 0..8 {
        pass(&mut run, 30);
    }
    // One that was under way when the disk ran full.
    run.read(0, 0.0);
    pass(&mut run, 100);
    let told = |run: &Run| {
        let of_it = run.revisions[seen..].iter().filter(|it| it.about == About::Incident(Cell::default()));
        of_it.map(|it| it.reason).collect::<Vec<Reason>>()
    };
    assert_eq!(told(&run), [Reason::Renewed], "the warning stands, and is renewed before it expires");
    let silent = |it: &&Revision| it.reason == Reason::TroubleRaised;
    assert_eq!(run.revisions[seen..].iter().filter(silent).count(), 0);
    // The hold starts anew with the first reading after it.
    run.put(Input::Intake(true));
    for minutes in [5, 20, 20, 19] {
        run.at = run.at + Span::from_mins(minutes);
        run.read(0, 0.0);
    }
    assert_eq!(told(&run), [Reason::Renewed]);
    pass(&mut run, 2);
    assert_eq!(told(&run), [Reason::Renewed, Reason::Eased]);
}

#[test]
fn a_source_that_is_down_stays_down_when_intake_resumes() {
    let mut run = Run::new(plan());
    (0..6).for_each(|sensor| run.read(sensor, 0.0));
    run.put(Input::Source(SourceIx(0), false));
    run.put(Input::Intake(false));
    run.at = run.at + Span::from_mins(10);
    run.put(Input::Intake(true));
    run.at = run.at + Span::from_hours(2);
    run.put(Input::Tick);
    assert_eq!(run.engine.sensors_silent(), 0, "that is their source's fault");
}

#[test]
fn a_gauge_that_dies_on_another_source_while_its_own_is_down_is_told() {
    let mut body = plan();
    body.sources.push("nb".into());
    let read = |run: &mut Run, sources: &[u32]| {
        for (sensor, source) in (0..6).flat_map(|sensor| sources.iter().map(move |&source| (sensor, source)))
        {
            run.at = run.at + Span::from_secs(1);
            let observed = Moment { at: run.at, ..run.engine.moment() }.civil();
            let (marks, sensor) = (Marks::default(), SensorIx(sensor));
            run.put(Input::Reading(Reading {
                sensor,
                source: SourceIx(source),
                observed,
                value: 0.0,
                seq: 0,
                identity: 0,
                marks,
            }));
        }
    };
    let down = || Input::Source(SourceIx(0), false);
    // Also where we start anew meanwhile, and are told once more that it is down.
    for (then, later) in [(Input::Tick, Input::Tick), (Input::Started(started(Some(Span::ZERO))), down())] {
        let mut run = Run::new(body.clone());
        read(&mut run, &[0]);
        [down(), then].into_iter().for_each(|input| _ = run.put(input));
        read(&mut run, &[1]);
        run.put(later);
        for _ in 0..5 {
            run.at = run.at + Span::from_mins(10);
            (1..6).for_each(|sensor| run.read(sensor, 0.0));
        }
        assert_eq!(troubles(&run, TroubleCode::SensorSilent), ["s0"]);
    }
}

#[test]
fn a_plan_with_more_sources_than_can_be_told_apart_is_refused() {
    let mut run = Run::new(plan());
    let with = |count: usize| {
        let sources = (0..count).map(|ix| format!("s{ix}")).collect();
        plan_ref(Plan { sources, ..plan() }, true)
    };
    let refused = run.put(Input::Plan(with(65)));
    assert!(matches!(refused.as_slice(), [Decision::PlanRefused(words)] if words.contains("65 sources")));
    assert_eq!(run.put(Input::Plan(with(64))), []);
    (0..6).for_each(|sensor| run.read(sensor, 0.0));
    // The last is no other's bit, and neither is one that no plan has.
    run.put(Input::Source(SourceIx(63), false));
    run.put(Input::Source(SourceIx(64), false));
    pass(&mut run, 40);
    assert_eq!(run.engine.sensors_silent(), 6, "each is heard through the first, which is up");
}
