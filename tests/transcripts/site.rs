//! Sites for scenarios: gauges, areas and people, as a plan.

use forewarn_core::ids::{AreaIx, DomainIx, HazardIx, RuleIx, SensorIx, StationIx, TargetIx};
use forewarn_core::level::Level;
use forewarn_core::plan::{
    Area, Group, LimitRow, OutageTell, Plan, Raise, Route, Rule, Sensor, Side, Station, Subject, Target,
    Terms,
};
use forewarn_core::rules::{AnyRule, Threshold};
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::units::{Datum, Unit};

/// Metres.
pub fn metres() -> Unit {
    Unit::parse("m").expect("metres are a unit")
}

/// One hazard, `flood`; source `lora`; `it` is the operator and hears of nothing else.
pub fn site() -> Plan {
    let mut plan = Plan { hazards: vec!["flood".into()], sources: vec!["lora".into()], ..Plan::default() };
    plan.settings.site = "Qujiang".into();
    plan.operator = vec![person(&mut plan, "it", "operator", None)];
    plan
}

/// An area with a duty officer of its own.
pub fn area(plan: &mut Plan, id: &str) -> AreaIx {
    let ix = AreaIx(plan.areas.len() as u32);
    plan.areas.push(Some(Area { id: id.into(), names: [("en", id)].into(), parent: None }));
    person(plan, &format!("duty-{id}"), "duty", Some(ix));
    ix
}

/// Someone who answers for an area, or for all.
pub fn person(plan: &mut Plan, contact: &str, role: &str, area: Option<AreaIx>) -> TargetIx {
    plan.targets.push(Some(Target {
        id: format!("t-{contact}"),
        contact: contact.into(),
        roles: vec![role.into()],
        area,
        channel: "email".into(),
        language: "zh".into(),
        min_level: Level::Blue,
        hours: None,
    }));
    TargetIx(plan.targets.len() as u32 - 1)
}

/// `{area}/role` hears of everything from a level on.
pub fn route(plan: &mut Plan, role: &str, from: Level) {
    plan.routes.push(Route {
        hazard: None,
        area: None,
        from,
        to: Level::Red,
        hours: None,
        language: None,
        group: Group::AreaRole(role.into()),
        via: vec![],
        ack: None,
    });
}

/// A gauge of its own station, behind these failure domains: every ten
/// minutes, half an hour late at most, span 0 to 12 m.
pub fn gauge(plan: &mut Plan, station: &str, area: AreaIx, domains: &[&str]) -> SensorIx {
    let at = StationIx(plan.stations.len() as u32);
    let domains = domains.iter().map(|name| domain(plan, name)).collect();
    plan.stations.push(Some(Station {
        id: station.into(),
        names: [("en", station)].into(),
        lat: 28.9,
        lon: 118.9,
        area,
        domains,
    }));
    plan.sensors.push(Some(Sensor {
        id: format!("{station}/level").into(),
        station: at,
        terms: Terms {
            quantity: "level".into(),
            unit: metres(),
            datum: Some(Datum("1985-national".into())),
            interval: Span::from_mins(10),
            lateness: Span::from_mins(30),
            max_age: Span::from_hours(2),
            span: Some((0.0, 12.0)),
            suspect: None,
            outage_intervals: 3,
            conversions: vec![],
            flat: None,
        }
        .into(),
    }));
    SensorIx(plan.sensors.len() as u32 - 1)
}

fn domain(plan: &mut Plan, name: &str) -> DomainIx {
    let known = plan.domains.iter().position(|known| known == name);
    let at = known.unwrap_or_else(|| {
        plan.domains.push(name.into());
        plan.domains.len() - 1
    });
    DomainIx(at as u32)
}

/// `river-level`: blue, yellow, orange and red at these metres on every gauge,
/// 0.10 m of deadband, one hour of hold.
pub fn river_level(plan: &mut Plan, levels: [f64; 4]) -> RuleIx {
    let row = LimitRow { from: Timestamp::MIN, season: None, levels: levels.map(Some) };
    let subjects = (0..plan.sensors.len() as u32).map(SensorIx);
    let subjects = subjects.map(|sensor| Subject { sensor, limits: vec![row.clone()].into() }).collect();
    plan.rules.push(Some(Rule {
        id: "river-level".into(),
        kind: AnyRule::Threshold(Threshold {}),
        hazard: HazardIx(0),
        side: Side::Above,
        unit: metres(),
        subjects,
        raise: [Raise::default(); 4],
        deadband: 0.1,
        hold: Span::from_mins(60),
        outage: OutageTell::SameTargets,
        corroboration: 1,
    }));
    RuleIx(plan.rules.len() as u32 - 1)
}

/// The plan's first rule, to change.
pub fn rule(plan: &mut Plan) -> &mut Rule {
    plan.rules[0].as_mut().expect("the site has a rule")
}

/// One gauge at the ford, its duty officer, and the mayor, who hears of red.
pub fn ford() -> Plan {
    let mut plan = site();
    let ford = area(&mut plan, "ford");
    gauge(&mut plan, "ford", ford, &["gw-1"]);
    river_level(&mut plan, LEVELS);
    person(&mut plan, "mayor", "mayor", Some(ford));
    route(&mut plan, "duty", Level::Blue);
    route(&mut plan, "mayor", Level::Red);
    plan
}

/// Blue, yellow, orange, red, in metres.
pub const LEVELS: [f64; 4] = [3.0, 4.0, 5.0, 6.0];
