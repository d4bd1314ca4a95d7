//! What a plan's bytes are: the log names their hash, and upgrades read old ones.

mod common;

use std::sync::Arc;

use forewarn_core::checks::Flat;
use forewarn_core::ids::{AreaIx, DomainIx, SensorIx, StationIx};
use forewarn_core::plan::{
    AlikeTerms, Area, Conversion, LimitRow, Names, Plan, Sensor, Station, Subject, Terms,
};
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::units::Datum;

use common::{gauge, plan, terms, threshold};

/// Something of everything that sensors and stations can be.
fn varied() -> Plan {
    let names = |of: &[(&str, &str)]| of.iter().copied().collect::<Names>();
    let station = |id: &str, of: &[(&str, &str)], domains: &[u32]| {
        Some(Station {
            id: id.into(),
            names: names(of),
            lat: 28.9,
            lon: -118.8,
            area: AreaIx(2),
            domains: domains.iter().copied().map(DomainIx).collect(),
        })
    };
    let turned = |from, scale| Conversion { from: Timestamp(from), scale, offset: -0.0 };
    let flat = Flat { suspect: Span::from_hours(1), fail: None, within: 0.25, normal: Some(0.0) };
    let terms = Terms {
        datum: Some(Datum("1985-national".into())),
        suspect: Some((f64::NEG_INFINITY, 9.5)),
        conversions: vec![turned(i64::MIN, 1.0), turned(7, -1.0)],
        flat: Some(flat),
        ..terms()
    };
    let second = Sensor { id: "weir/level".into(), station: StationIx(1), terms: terms.into() };
    let third = Sensor { id: "mill/level".into(), station: StationIx(3), ..gauge() };
    let mut river = threshold();
    let season = |from, season| LimitRow {
        from: Timestamp(from),
        season,
        levels: [None, Some(-0.0), Some(2.5), None],
    };
    let subject = |ix, limits: Vec<LimitRow>| Subject { sensor: SensorIx(ix), limits: limits.into() };
    let alike = river.subjects[0].limits.clone();
    river.subjects.push(subject(1, vec![season(0, Some((601, 930))), season(0, None)]));
    river.subjects.push(Subject { sensor: SensorIx(3), limits: alike });
    river.subjects.push(subject(4, vec![]));
    let mut plan = plan(gauge(), vec![river]);
    plan.sensors.extend([Some(second), None, Some(third)]);
    plan.stations = vec![
        station("ford", &[("zh", "渡口"), ("en", "Ford")], &[0, 1]),
        station("weir", &[("en", "Weir")], &[]),
        None,
        station("mill", &[("bo", "ཆུ་འཁོར།"), ("x-9", ""), ("", "2:9")], &[3]),
    ];
    plan.areas = vec![Some(Area { id: "river".into(), names: names(&[("zh", "江")]), parent: None })];
    plan
}

fn hex(plan: &Plan) -> String {
    plan.id().0.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

#[test]
fn a_plan_has_the_bytes_that_it_always_had() {
    let one = plan(gauge(), vec![threshold()]);
    assert_eq!(hex(&one), "e76bffc39ecceddf3bac0b66d10371069b30956cd528bc8333c7ba55fc40fb3e");
    assert_eq!(hex(&varied()), "eb55699e214ff12bb9f1343ddfbc2339645eecf9130ee72a48dbc1bd1f7e77e5");
}

#[test]
fn what_is_alike_is_read_as_one() {
    let plan = varied();
    let read = Plan::from_bytes(&plan.to_bytes()).expect("its own bytes");
    assert_eq!(read, plan);
    let terms = |ix: u32| &read.sensor(SensorIx(ix)).expect("it is there").terms;
    assert!(Arc::ptr_eq(terms(0), terms(3)) && !Arc::ptr_eq(terms(0), terms(1)));
    let limits = |at: usize| read.rules[0].as_ref().expect("it is there").subjects[at].limits.as_ptr();
    assert!(limits(0) == limits(2) && limits(0) != limits(1));

    let mut changed = read.clone();
    changed.sensors[3].as_mut().expect("it is there").max_age = Span::ZERO;
    assert_eq!(changed.sensors[0], read.sensors[0], "what is changed is changed for one");
}

/// There are up to a million of each.
#[test]
fn stations_sensors_and_subjects_are_small() {
    assert_eq!(size_of::<Option<Station>>(), 72);
    assert_eq!(size_of::<Option<Sensor>>(), 32);
    assert_eq!(size_of::<Subject>(), 24);
}

#[test]
fn alike_is_what_has_the_same_bytes() {
    let mut alike = AlikeTerms::default();
    let mut shared = |terms: Terms| {
        let mut terms = Arc::new(terms);
        alike.share(&mut terms);
        terms
    };
    let normal =
        |normal| Some(Flat { suspect: Span::ZERO, fail: None, within: f64::NAN, normal: Some(normal) });
    let zero = shared(Terms { flat: normal(0.0), ..terms() });
    assert!(Arc::ptr_eq(&zero, &shared(Terms { flat: normal(0.0), ..terms() })));
    assert!(!Arc::ptr_eq(&zero, &shared(Terms { flat: normal(-0.0), ..terms() })));
    // However many kinds there are, each is what it was.
    for secs in 0..10_000 {
        assert_eq!(
            shared(Terms { max_age: Span::from_secs(secs), ..terms() }).max_age,
            Span::from_secs(secs)
        );
    }
}
