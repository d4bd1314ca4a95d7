//! Outages as the operator hears of them.

use super::world::{World, gauges};
use crate::time::Span;

#[test]
fn a_silence_is_told_one_interval_later_and_only_while_it_lasts() {
    let mut world = World::new(gauges(&[&[]]));
    world.check(
        &[(0, "s0 silent"), (4, "s0 speaks normal"), (10, "s0 silent"), (20, "s0 speaks normal")],
        &["15 alert sensor-silent s0 -> t1", "20 all-clear sensor-silent s0 -> t1"],
    );
}

#[test]
fn a_silence_of_less_than_a_minute_is_told_in_seconds() {
    let mut plan = gauges(&[&[]]);
    plan.sensors.iter_mut().flatten().for_each(|sensor| sensor.interval = Span::from_secs(10));
    let mut world = World::new(plan);
    world.check(&[(0, "s0 silent"), (1, "pass")], &["0 alert sensor-silent s0 -> t1"]);
    assert_eq!(world.revisions[0].detail, "no reading from s0 for 10 s");
}

#[test]
fn one_gateways_120_gauges_lost_are_one_notice() {
    let domains: Vec<&[u32]> = vec![&[0]; 120];
    let mut world = World::new(gauges(&domains));
    // Each in its own minute's phase: the first is told when most have fallen.
    for ix in 0..100 {
        world.pass_to(ix / 25);
        world.act(&format!("s{ix} silent"));
    }
    world.check(
        &[(6, "s100 silent"), (20, "s101 silent"), (60, "s0 speaks normal")],
        &["5 alert domain-silent gw0 -> t1"],
    );
    let detail = &world.revisions[0].detail;
    assert!(detail.starts_with("100 of 120 sensors behind gw0 are silent: s0, s1, "), "{detail}");
    assert!(detail.ends_with("s9 and 90 more"), "{detail}");
    // All but a few are back: it is over, and what stays away is told by itself.
    let back: Vec<(i64, String)> = (1..100).map(|ix| (70, format!("s{ix} speaks normal"))).collect();
    let back: Vec<(i64, &str)> = back.iter().map(|(minute, deed)| (*minute, deed.as_str())).collect();
    world.check(&back, &["70 all-clear domain-silent gw0 -> t1"]);
    world.check(&[(80, "pass")], &["75 alert sensor-silent s100 -> t1", "75 alert sensor-silent s101 -> t1"]);
}

/// 120 gauges that report every quarter of an hour, each in its own phase.
#[test]
fn a_gateway_whose_gauges_report_seldom_is_one_notice_too() {
    let domains: Vec<&[u32]> = (0..140).map(|ix| if ix < 120 { &[0][..] } else { &[] }).collect();
    let mut plan = gauges(&domains);
    plan.sensors.iter_mut().flatten().for_each(|sensor| sensor.interval = Span::from_mins(15));
    let mut world = World::new(plan);
    let fall: Vec<(i64, String)> = (0..120).map(|ix| (ix / 8, format!("s{ix} silent"))).collect();
    let fall: Vec<(i64, &str)> = fall.iter().map(|(minute, deed)| (*minute, deed.as_str())).collect();
    world.check(&fall, &["5 alert domain-silent gw0 -> t1"]);
    world.check(&[(60, "pass")], &[]);
    let detail = &world.revisions[0].detail;
    assert!(
        detail.starts_with("gw0 seems down: 40 of 120 sensors behind it are silent so far: s0,"),
        "{detail}"
    );
    // One more of the site, behind nothing, is no part of it.
    world.check(&[(61, "s130 silent"), (70, "pass")], &["66 alert sensor-silent s130 -> t1"]);
}

#[test]
fn what_falls_long_after_a_part_of_its_domain_is_told_anew() {
    let mut plan = gauges(&[&[0][..]; 30]);
    plan.sensors.iter_mut().flatten().for_each(|sensor| sensor.interval = Span::from_hours(1));
    World::new(plan).check(
        &[(0, "s0 silent"), (1, "s1 silent"), (2, "s2 silent"), (600, "s3 silent"), (700, "pass")],
        &[
            "5 alert domain-silent gw0 -> t1",
            "335 update domain-silent gw0 -> t1",
            "605 alert sensor-silent s3 -> t1",
            "665 update domain-silent gw0 -> t1",
        ],
    );
}

#[test]
fn too_few_of_a_domain_are_told_by_themselves() {
    let domains: Vec<&[u32]> = vec![&[0]; 20];
    let mut world = World::new(gauges(&domains));
    let script: Vec<(i64, &str)> = vec![(0, "s0 silent"), (0, "s1 silent"), (0, "s2 silent"), (10, "pass")];
    world.check(
        &script,
        &[
            "5 alert sensor-silent s0 -> t1",
            "5 alert sensor-silent s1 -> t1",
            "5 alert sensor-silent s2 -> t1",
        ],
    );
}

#[test]
fn most_of_a_site_without_domains_is_one_notice() {
    let mut world = World::new(gauges(&[&[][..]; 6]));
    world.check(
        &[(0, "s0 silent"), (1, "s3 silent"), (2, "s5 silent"), (30, "s1 silent"), (40, "s0 speaks normal")],
        &["5 alert domain-silent the whole site -> t1"],
    );
    world.check(
        &[(41, "s1 speaks normal"), (50, "pass")],
        &[
            "41 all-clear domain-silent the whole site -> t1",
            "46 alert sensor-silent s3 -> t1",
            "46 alert sensor-silent s5 -> t1",
        ],
    );
}

#[test]
fn broker_down() {
    let mut world = World::new(gauges(&[&[], &[], &[]]));
    world.act("s0 red");
    world.check(
        &[(1, "source down"), (20, "s1 silent"), (21, "s0 silent"), (40, "pass")],
        &["1 alert source-down lora -> t1", "6 update red Blind Possible -> t0"],
    );
    let notice = world.revisions.iter().find(|it| it.sensors == 0).expect("the outage was told");
    assert_eq!(notice.detail, "source lora is down; it blinds 3 of the sensors: s0, s1, s2");
    // A source that flaps is one outage; what stays silent once it is back is told by itself.
    world.check(
        &[
            (50, "source up"),
            (51, "source down"),
            (52, "source up"),
            (53, "s0 speaks red"),
            (54, "s2 speaks normal"),
            (70, "pass"),
        ],
        &[
            "53 update red Seen Observed -> t0",
            "57 alert sensor-silent s1 -> t1",
            "57 all-clear source-down lora -> t1",
        ],
    );
}

#[test]
fn what_a_source_explains_makes_no_loss_of_the_site() {
    let mut world = World::new(gauges(&[&[][..]; 8]));
    world.check(&[(0, "source down")], &["0 alert source-down lora -> t1"]);
    // Heard through another source, and silent there.
    world.act("s0 speaks normal");
    (1..7).for_each(|ix| world.act(&format!("s{ix} silent")));
    world.check(&[(10, "s0 silent"), (20, "pass")], &["15 alert sensor-silent s0 -> t1"]);
}

#[test]
fn an_outage_of_what_leaves_the_plan_ends_and_who_stays_silent_is_told() {
    let mut world = World::new(gauges(&[&[0], &[0], &[0], &[]]));
    world.check(
        &[(0, "s0 silent"), (0, "s1 silent"), (0, "s2 silent"), (6, "pass")],
        &["5 alert domain-silent gw0 -> t1"],
    );
    let mut without = gauges(&[&[], &[], &[], &[]]);
    without.domains = vec![String::new()];
    world.replan(without);
    world.check(
        &[(7, "s2 speaks normal"), (20, "pass")],
        &["11 alert sensor-silent s0 -> t1", "11 alert sensor-silent s1 -> t1"],
    );
    let ended = world.revisions.iter().filter(|it| it.kind.is_last()).map(|it| &it.about);
    let subjects: Vec<_> = ended.map(|about| format!("{about:?}")).collect();
    assert!(subjects.len() == 1 && subjects[0].contains("gw0"), "{subjects:?}");
    // A source likewise.
    let mut world = World::new(gauges(&[&[], &[]]));
    world.check(&[(0, "source down"), (20, "s1 silent")], &["0 alert source-down lora -> t1"]);
    let mut without = gauges(&[&[], &[]]);
    without.sources = vec![String::new()];
    world.replan(without);
    assert_eq!(world.revisions.last().map(|it| it.kind.is_last()), Some(true));
    world.check(&[(40, "pass")], &["25 alert sensor-silent s1 -> t1"]);
    assert_eq!(world.stage.troubles().len(), 1);
}

#[test]
fn who_moved_out_of_a_lost_domain_is_told_when_that_ends() {
    let mut world = World::new(gauges(&[&[0], &[0], &[0], &[0], &[]]));
    let fall: Vec<(i64, String)> = (0..4).map(|ix| (0, format!("s{ix} silent"))).collect();
    let fall: Vec<(i64, &str)> = fall.iter().map(|(minute, deed)| (*minute, deed.as_str())).collect();
    world.check(&fall, &[]);
    world.check(&[(6, "pass")], &["5 alert domain-silent gw0 -> t1"]);
    world.replan(gauges(&[&[], &[0], &[0], &[0], &[]]));
    world.check(
        &[(7, "s1 speaks normal"), (8, "s2 speaks normal"), (9, "s3 speaks normal"), (30, "pass")],
        &["8 all-clear domain-silent gw0 -> t1", "13 alert sensor-silent s0 -> t1"],
    );
}
