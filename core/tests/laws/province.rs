//! A province of eight gauges: its plan.

use forewarn_core::checks::Flat;
use forewarn_core::ids::{AreaIx, DomainIx, HazardIx, SensorIx, StationIx, TargetIx};
use forewarn_core::level::Level;
use forewarn_core::plan::{
    Area, Group, LimitRow, Names, OutageTell, Plan, Raise, Route, Rule, Sensor, Side, Station, Subject,
    Target, Terms, ZoneOffset,
};
use forewarn_core::rules::{AnyRule, Rate, Threshold};
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::units::Unit;

/// Gauges, one a station.
pub const SENSORS: u32 = 8;

/// Areas: 0 county, 1 town in it, 2 village in the town, 3 another county.
/// Rules: a threshold of every kind of raise on all gauges; two of three for
/// landslides; a rate of rise.
pub fn plan() -> Plan {
    let area = |id: &str, parent: Option<u32>| {
        Some(Area { id: id.into(), names: Names::default(), parent: parent.map(AreaIx) })
    };
    let areas =
        vec![area("county", None), area("town", Some(0)), area("village", Some(1)), area("far", None)];
    // By gauge: its area, and what it depends on.
    let stands: [(u32, &[u32]); SENSORS as usize] =
        [(0, &[0]), (0, &[0]), (1, &[0]), (1, &[1]), (1, &[1, 2]), (2, &[2]), (3, &[]), (3, &[])];
    let station = |(ix, &(area, domains)): (usize, &(u32, &[u32]))| {
        Some(Station {
            id: format!("p{ix}").into(),
            names: Names::default(),
            lat: 0.0,
            lon: 0.0,
            area: AreaIx(area),
            domains: domains.iter().copied().map(DomainIx).collect(),
        })
    };
    let mut plan = Plan {
        stations: stands.iter().enumerate().map(station).collect(),
        sensors: (0..SENSORS).map(|ix| Some(sensor(ix))).collect(),
        areas,
        hazards: vec!["flood".into(), "slide".into()],
        domains: vec!["gw0".into(), "gw1".into(), "power".into()],
        rules: rules(),
        sources: vec!["lora".into(), "nb".into()],
        ..Plan::default()
    };
    people(&mut plan);
    plan
}

fn metres(per_hour: &str) -> Unit {
    Unit::parse(&format!("m{per_hour}")).expect("metres are a unit")
}

fn sensor(ix: u32) -> Sensor {
    let (suspect, fail) = (Span::from_mins(30), Some(Span::from_mins(70)));
    let flat = Flat { suspect, fail, within: 0.25, normal: Some(0.5) };
    Sensor {
        id: format!("p{ix}/level").into(),
        station: StationIx(ix),
        terms: Terms {
            quantity: "level".into(),
            unit: metres(""),
            datum: None,
            interval: Span::from_mins(10),
            lateness: Span::from_mins(if ix.is_multiple_of(2) { 15 } else { 0 }),
            max_age: Span::from_hours(1),
            span: Some((0.0, 10.0)),
            suspect: Some((0.5, 7.5)),
            outage_intervals: 3,
            conversions: vec![],
            flat: ix.is_multiple_of(3).then_some(flat),
        }
        .into(),
    }
}

fn rules() -> Vec<Option<Rule>> {
    let rule = |id: &str, kind: AnyRule, hazard: u32, sensors: std::ops::Range<u32>, levels: [f64; 4]| {
        let row = LimitRow { from: Timestamp::MIN, season: None, levels: levels.map(Some) };
        Rule {
            id: id.into(),
            unit: metres(if kind.as_dyn().measures_rate() { "/h" } else { "" }),
            kind,
            hazard: HazardIx(hazard),
            side: Side::Above,
            subjects: sensors
                .map(|ix| Subject { sensor: SensorIx(ix), limits: vec![row.clone()].into() })
                .collect(),
            raise: [Raise::default(); 4],
            deadband: 0.2,
            hold: Span::from_mins(45),
            outage: OutageTell::SameTargets,
            corroboration: 1,
        }
    };
    let threshold = || AnyRule::Threshold(Threshold {});
    let mut river = rule("river", threshold(), 0, 0..SENSORS, [2.0, 3.0, 4.0, 5.0]);
    river.raise[1] = Raise { m: 2, n: 3, lasting: Span::ZERO };
    river.raise[2] = Raise { m: 1, n: 1, lasting: Span::from_mins(15) };
    let mut slide = rule("slide", threshold(), 1, 2..6, [1.5, 2.5, 3.5, 4.5]);
    (slide.corroboration, slide.outage) = (2, OutageTell::Operator);
    let rise =
        rule("rise", AnyRule::Rate(Rate { window: Span::from_mins(40) }), 0, 0..3, [1.0, 2.0, 4.0, 6.0]);
    vec![Some(river), Some(slide), Some(rise)]
}

fn people(plan: &mut Plan) {
    let mut target = |contact: &str, role: &str, area: Option<u32>, level: Level, channel: &str| {
        plan.targets.push(Some(Target {
            id: format!("t{}", plan.targets.len()),
            contact: contact.into(),
            roles: vec![role.into()],
            area: area.map(AreaIx),
            channel: channel.into(),
            language: if contact.ends_with("en") { "en" } else { "zh" }.into(),
            min_level: level,
            hours: None,
        }));
    };
    target("it", "it", None, Level::Blue, "email");
    target("duty-county", "duty", Some(0), Level::Blue, "email");
    target("duty-town", "duty", Some(1), Level::Blue, "email");
    target("duty-town", "duty", Some(1), Level::Orange, "webhook");
    target("duty-all", "duty", None, Level::Blue, "webhook");
    target("mayor-en", "mayor", Some(0), Level::Yellow, "email");
    target("night", "night", None, Level::Blue, "email");
    target("chief", "chief", Some(3), Level::Blue, "email");
    let any = || Route {
        hazard: None,
        area: None,
        from: Level::Blue,
        to: Level::Red,
        hours: None,
        language: None,
        group: Group::AreaRole("duty".into()),
        via: vec![],
        ack: None,
    };
    let role = |role: &str| Group::AreaRole(role.into());
    plan.routes = vec![
        any(),
        Route { from: Level::Orange, language: Some("en".into()), group: role("mayor"), ..any() },
        Route { hours: Some((22 * 60, 6 * 60)), group: Group::Contact("night".into()), ..any() },
        Route {
            area: Some(AreaIx(1)),
            from: Level::Red,
            group: Group::Role(AreaIx(3), "chief".into()),
            ..any()
        },
        Route { hazard: Some(HazardIx(1)), to: Level::Yellow, via: vec!["webhook".into()], ..any() },
    ];
    plan.operator = vec![TargetIx(0)];
    plan.settings.offsets = vec![ZoneOffset { from: Timestamp::MIN, east_secs: 8 * 3600 }];
}
