//! Several sensors of one area go blind while a danger stands there.

use super::world::{World, gauges};
use crate::level::{Severity, Urgency};

/// Six gauges of one area, each with a gateway of its own.
fn world() -> World {
    let domains: Vec<[u32; 1]> = (0..6).map(|ix| [ix]).collect();
    let domains: Vec<&[u32]> = domains.iter().map(|each| &each[..]).collect();
    World::new(gauges(&domains))
}

/// What was said of the area; the operator hears of each silence besides.
fn said(world: &World) -> Vec<String> {
    let of_area = world.revisions.iter().filter(|it| !it.evidence.is_empty());
    of_area
        .map(|it| {
            format!("{} {} {:?} {} {} {}", it.level, it.lost, it.reason, it.severity, it.urgency, it.stale)
        })
        .collect()
}

#[test]
fn several_lost_raise_the_concern_and_not_the_level() {
    let mut world = world();
    for (minute, deed) in
        [(0, "s0 yellow"), (1, "s1 silent"), (2, "s2 silent"), (3, "s3 silent"), (4, "s4 silent")]
    {
        world.pass_to(minute);
        world.act(deed);
    }
    world.pass_to(20);
    assert_eq!(
        said(&world),
        [
            "yellow 0 Raised Moderate Expected false",
            "yellow 2 Blind Severe Immediate false",
            "yellow 4 Blind Severe Immediate false",
        ]
    );
}

#[test]
fn one_lost_is_told_the_operator_alone_where_the_level_does_not_rest_on_it() {
    let mut world = world();
    world.act("s0 red");
    world.act("s1 silent");
    world.pass_to(30);
    assert_eq!(said(&world), ["red 0 Raised Extreme Immediate false"]);
}

#[test]
fn back_and_lost_again_is_no_news_within_a_hold() {
    let mut world = world();
    world.act("s0 yellow");
    for minute in [1, 21] {
        world.pass_to(minute);
        world.act("s1 silent");
        world.act("s2 silent");
        world.pass_to(minute + 15);
        world.act("s1 speaks normal");
        world.act("s2 speaks normal");
    }
    assert_eq!(said(&world).len(), 2, "{:?}", said(&world));
    // A whole hold later it is.
    world.pass_to(80);
    world.act("s0 yellow");
    world.act("s1 silent");
    world.act("s2 silent");
    world.pass_to(95);
    let said = said(&world);
    let last = said.last().expect("it was raised");
    assert_eq!((said.len(), last.as_str()), (3, "yellow 2 Blind Severe Immediate false"));
}

#[test]
fn what_the_level_rests_on_and_its_neighbours_are_one_word() {
    let mut world = world();
    for deed in ["s0 orange", "s0 silent", "s1 silent", "s2 silent"] {
        world.act(deed);
    }
    world.pass_to(30);
    assert_eq!(
        said(&world),
        ["orange 0 Raised Severe Immediate false", "orange 3 Blind Extreme Immediate true"]
    );
    let last = world.revisions.iter().rfind(|it| !it.evidence.is_empty()).expect("it was raised");
    assert_eq!((last.severity, last.urgency), (Severity::Extreme, Urgency::Immediate));
}

#[test]
fn those_behind_one_gateway_are_one_loss() {
    let mut world = World::new(gauges(&[&[0], &[1], &[1], &[1]]));
    for deed in ["s0 yellow", "s1 silent", "s2 silent", "s3 silent"] {
        world.act(deed);
    }
    world.pass_to(30);
    assert_eq!(said(&world), ["yellow 0 Raised Moderate Expected false"]);
}
