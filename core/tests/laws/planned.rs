//! Who hears of a first warning, over random plans: areas in areas, people with
//! and without an area of their own, routes with every condition there is.

use forewarn_core::engine::Engine;
use forewarn_core::event::{Decision, Event, Input};
use forewarn_core::ids::{AreaIx, HazardIx, Position, RuleIx, SensorIx, SourceIx, TargetIx};
use forewarn_core::level::Level;
use forewarn_core::plan::{Area, Group, Names, Plan, Route, Target};
use forewarn_core::reading::{Marks, Reading};
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::warning::{About, TroubleCode};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use crate::province;
use crate::routed::routed;
use crate::world::{OFFSET, decisions, plan_ref, revisions, started};

/// A thousand at every run; `ROUTED_CASES=1000000` for the promise's million.
fn cases() -> u32 {
    std::env::var("ROUTED_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(1_000)
}

const ROLES: [&str; 3] = ["duty", "mayor", "chief"];
const CONTACTS: [&str; 4] = ["wang", "li", "zhao", "chen"];
const CHANNELS: [&str; 2] = ["email", "webhook"];
const LANGUAGES: [&str; 2] = ["zh", "en"];

fn one_of(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(words).prop_map(str::to_owned)
}

fn hours() -> impl Strategy<Value = Option<(u16, u16)>> {
    prop::option::weighted(0.3, (0..24 * 60_u16, 0..24 * 60_u16))
}

fn level() -> impl Strategy<Value = Level> {
    prop::sample::select(Level::WARNING.as_slice())
}

fn target(areas: u32) -> impl Strategy<Value = Option<Target>> {
    let roles = prop::sample::subsequence(ROLES.as_slice(), 0..=2);
    let area = prop::option::weighted(0.7, 0..areas);
    let all = (one_of(&CONTACTS), roles, area, one_of(&CHANNELS), one_of(&LANGUAGES), level(), hours());
    let target = all.prop_map(|(contact, roles, area, channel, language, min_level, hours)| Target {
        id: String::new(),
        contact,
        roles: roles.into_iter().map(str::to_owned).collect(),
        area: area.map(AreaIx),
        channel,
        language,
        min_level: min_level.min(Level::Orange),
        hours,
    });
    prop::option::weighted(0.9, target)
}

fn route(areas: u32) -> impl Strategy<Value = Route> {
    let group = prop_oneof![
        3 => one_of(&ROLES).prop_map(Group::AreaRole),
        1 => (0..areas, one_of(&ROLES)).prop_map(|(area, role)| Group::Role(AreaIx(area), role)),
        1 => one_of(&CONTACTS).prop_map(Group::Contact),
    ];
    let conditions = (
        prop::option::weighted(0.3, (0..2_u32).prop_map(HazardIx)),
        prop::option::weighted(0.3, (0..areas).prop_map(AreaIx)),
        level(),
        level(),
        hours(),
    );
    let via = prop::sample::subsequence(CHANNELS.as_slice(), 0..=2);
    let language = prop::option::weighted(0.2, one_of(&LANGUAGES));
    (conditions, language, group, via).prop_map(|((hazard, area, a, b, hours), language, group, via)| Route {
        hazard,
        area,
        from: a.min(b),
        to: a.max(b),
        hours,
        language,
        group,
        via: via.into_iter().map(str::to_owned).collect(),
        ack: None,
    })
}

prop_compose! {
    /// One gauge in one of the areas, under one rule for one of two hazards.
    fn plans()(parents in prop::collection::vec(prop::option::weighted(0.7, any::<prop::sample::Index>()), 1..5))(
        targets in prop::collection::vec(target(parents.len() as u32), 0..8),
        routes in prop::collection::vec(route(parents.len() as u32), 0..6),
        stands in 0..parents.len() as u32,
        hazard in 0..2_u32,
        east in -12..=14_i32,
        parents in Just(parents),
    ) -> Plan {
        let mut plan = province::plan();
        let area = |(ix, parent): (usize, &Option<prop::sample::Index>)| {
            // Only in one before it: no area lies in itself.
            let parent = parent.filter(|_| ix > 0).map(|parent| AreaIx(parent.index(ix) as u32));
            Some(Area { id: format!("a{ix}"), names: Names::default(), parent })
        };
        plan.areas = parents.iter().enumerate().map(area).collect();
        plan.stations.truncate(1);
        plan.sensors.truncate(1);
        plan.rules.truncate(1);
        plan.stations[0].as_mut().expect("the gauge's").area = AreaIx(stands);
        plan.sensors[0].as_mut().expect("the gauge").suspect = None;
        let rule = plan.rules[0].as_mut().expect("the river's");
        rule.hazard = HazardIx(hazard);
        rule.raise = [forewarn_core::plan::Raise::default(); 4];
        rule.subjects.truncate(1);
        (plan.targets, plan.routes) = (targets, routes);
        // The operator is somebody else again.
        let operator = Target { contact: "it".into(), roles: vec![], ..it() };
        plan.operator = vec![TargetIx(plan.targets.len() as u32)];
        plan.targets.push(Some(operator));
        for (ix, target) in plan.targets.iter_mut().enumerate() {
            if let Some(target) = target {
                target.id = format!("t{ix}");
            }
        }
        plan.settings.offsets[0].east_secs = east * 3600;
        plan
    }
}

fn it() -> Target {
    Target {
        id: String::new(),
        contact: String::new(),
        roles: vec![],
        area: None,
        channel: "email".into(),
        language: "zh".into(),
        min_level: Level::Blue,
        hours: None,
    }
}

/// The gauge says so much at such a minute of some day; what follows.
fn warned(plan: &Plan, value: f64, minute: i64) -> (Timestamp, Vec<Decision>) {
    let mut engine = Engine::default();
    let at = Timestamp::from_secs(60 * minute);
    let reading = Reading {
        sensor: SensorIx(0),
        source: SourceIx(0),
        observed: at + OFFSET,
        value,
        seq: 0,
        identity: 0,
        marks: Marks::default(),
    };
    let inputs =
        [Input::Started(started(None)), Input::Plan(plan_ref(plan.clone(), false)), Input::Reading(reading)];
    let mut outputs = vec![];
    for (position, input) in (1..).zip(inputs) {
        outputs.clear();
        engine.step(&Event { at, position: Position(position), input }, &mut outputs);
    }
    (at + OFFSET, decisions(&outputs))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    /// A first warning is due to exactly those whom the plan in force routes it
    /// to, each once; where that is nobody, it goes to nobody, and the operator
    /// is told that.
    ///
    /// Failed when `routing::within` took hours over midnight for none, and when
    /// `route_holds` left out the areas around.
    #[test]
    fn a_first_warning_goes_to_exactly_those_whom_any_plan_routes_it_to(
        plan in plans(),
        reached in level(),
        minute in 0..24 * 60_i64,
    ) {
        let (civil, decided) = warned(&plan, 1.0 + f64::from(reached.index() as u8), minute);
        let of_incident = |it: &&forewarn_core::warning::Revision| matches!(it.about, About::Incident(_));
        let told: Vec<_> = revisions(&decided).filter(of_incident).collect();
        prop_assert_eq!(told.len(), 1, "{:?}", decided);
        let cell = plan.cell(RuleIx(0), SensorIx(0)).expect("the gauge stands somewhere");
        prop_assert_eq!((told[0].about.clone(), told[0].level), (About::Incident(cell), reached));
        let due: Vec<TargetIx> = told[0].due.iter().map(|due| due.target).collect();
        let expected: Vec<TargetIx> = routed(&plan, cell, reached, civil).into_iter().collect();
        prop_assert_eq!(&due, &expected);
        let unrouted: Vec<_> = revisions(&decided)
            .filter(|it| matches!(&it.about, About::Trouble(key) if key.code == TroubleCode::Unrouted))
            .flat_map(|it| it.due.iter().map(|due| due.target))
            .collect();
        let operator = if expected.is_empty() { plan.operator.clone() } else { vec![] };
        prop_assert_eq!(unrouted, operator);
    }
}

/// A law over plans in which nobody is ever routed would hold for any engine.
#[test]
fn random_plans_route_to_some_and_to_nobody() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let sizes: Vec<usize> = (0..200)
        .map(|_| {
            let plan = plans().new_tree(&mut runner).expect("a plan").current();
            let cell = plan.cell(RuleIx(0), SensorIx(0)).expect("the gauge stands somewhere");
            routed(&plan, cell, Level::Orange, Timestamp(0) + OFFSET + Span::from_hours(3)).len()
        })
        .collect();
    for some in 0..4 {
        assert!(sizes.iter().filter(|size| **size == some).count() > 2, "{some}: {sizes:?}");
    }
}
