//! Who is asked to acknowledge, and what comes of it: each a script and what must be said.

use super::decide::Stamp;
use super::world::{World, gauges, route, target};
use crate::event::Decision;
use crate::ids::OutputId;
use crate::plan::{AckTerms, Group, Plan, Route};
use crate::time::Span;
use crate::warning::{Death, Outcome, Reach, Seen};

/// The duty officer (`t0`, and `t3` by webhook) has five minutes, then the
/// mayor (`t2`), then the operator (`t1`); red is asked about again half an
/// hour after it was acknowledged.
fn plan() -> Plan {
    let mut plan = gauges(&[&[]]);
    plan.targets.push(target("t2", "mayor", Some(0)));
    let mut webhook = target("t3", "duty", Some(0));
    let t3 = webhook.as_mut().expect("a target");
    (t3.contact, t3.channel) = ("c-t0".into(), "webhook".into());
    plan.targets.push(webhook);
    let terms = AckTerms {
        within: Span::from_mins(5),
        then: vec![Group::AreaRole("mayor".into())],
        again: Some(Span::from_mins(30)),
    };
    plan.routes = vec![Route { ack: Some(terms), ..route("duty") }];
    plan
}

fn check(script: &[(i64, &str)], expected: &[&str]) {
    World::new(plan()).check(script, expected);
}

const ALERT: &str = "0 alert red Raised Observed -> t0 t3";

#[test]
fn unacknowledged_goes_to_the_next_and_last_to_the_operator() {
    check(&[(0, "s0 red"), (14, "pass")], &[ALERT, "5 asked 0 t2", "10 asked 0 t1"]);
}

#[test]
fn where_nobody_is_left_that_is_a_trouble_until_somebody_acknowledges() {
    const ASKED: [&str; 3] = ["0 alert orange Raised Observed -> t0 t3", "5 asked 0 t2", "10 asked 0 t1"];
    const TROUBLE: &str = "15 alert unacknowledged flood/ford -> t1";
    let told = |last: &[&'static str]| [&ASKED[..], &[TROUBLE], last].concat();
    check(
        &[(0, "s0 orange"), (20, "ack t2"), (60, "pass")],
        &told(&["20 acknowledged 1 t2", "20 all-clear unacknowledged flood/ford -> t1"]),
    );
    check(
        &[(0, "s0 orange"), (20, "cancel"), (60, "pass")],
        &told(&[
            "20 cancel orange InError Likely -> t0 t1 t2 t3",
            "20 all-clear unacknowledged flood/ford -> t1",
        ]),
    );
}

#[test]
fn red_that_nobody_acknowledged_is_asked_about_anew() {
    check(
        &[(0, "s0 red"), (47, "ack t3"), (60, "pass")],
        &[
            ALERT,
            "5 asked 0 t2",
            "10 asked 0 t1",
            "15 alert unacknowledged flood/ford -> t1",
            "45 asked 1 t0",
            "45 asked 1 t3",
            "47 acknowledged 1 t3",
            "47 all-clear unacknowledged flood/ford -> t1",
        ],
    );
}

#[test]
fn one_acknowledgement_is_enough_and_stands_once() {
    for who in ["ack t0", "ack t3"] {
        let line = format!("1 acknowledged 1 {}", &who[4..]);
        check(
            &[(0, "s0 orange"), (1, who), (2, who), (60, "pass")],
            &["0 alert orange Raised Observed -> t0 t3", &line],
        );
    }
    check(
        &[(0, "s0 orange"), (6, "ack t2"), (60, "pass")],
        &["0 alert orange Raised Observed -> t0 t3", "5 asked 0 t2", "6 acknowledged 1 t2"],
    );
    check(&[(0, "s0 red"), (1, "ack t1"), (6, "pass")], &[ALERT, "5 asked 0 t2"]);
}

#[test]
fn who_saw_what_held_before_has_not_seen_what_holds_now() {
    check(
        &[
            (0, "s0 orange"),
            (1, "ack t0"),
            (2, "s0 red"),
            (3, "ack t0 1"),
            (8, "pass"),
            (9, "ack t0 2"),
            (20, "pass"),
        ],
        &[
            "0 alert orange Raised Observed -> t0 t3",
            "1 acknowledged 1 t0",
            "2 update red Upgraded Observed -> t0 t3",
            "7 asked 0 t2",
            "9 acknowledged 2 t0",
        ],
    );
}

#[test]
fn red_is_asked_about_again_though_acknowledged() {
    check(
        &[(0, "s0 red"), (1, "ack t0"), (32, "pass"), (33, "ack t3"), (40, "pass")],
        &[ALERT, "1 acknowledged 1 t0", "31 asked 1 t0", "31 asked 1 t3", "33 acknowledged 1 t3"],
    );
    check(
        &[(0, "s0 red"), (1, "ack t0"), (37, "pass"), (45, "pass")],
        &[ALERT, "1 acknowledged 1 t0", "31 asked 1 t0", "31 asked 1 t3", "36 asked 0 t2", "41 asked 0 t1"],
    );
}

#[test]
fn who_hears_first_what_was_routed_to_nobody_is_asked() {
    let mut world = World::new(Plan { routes: vec![], ..plan() });
    world.check(
        &[(0, "s0 red"), (5, "pass")],
        &["0 alert red Raised Observed ->", "0 alert unrouted flood/ford -> t1"],
    );
    world.replan(plan());
    world.check(&[(19, "pass")], &["10 asked 0 t2", "15 asked 0 t1"]);
}

/// Its record rotted, and the one that asks again did not: else the engine
/// would ring for it for ever at one instant.
#[test]
fn what_is_asked_about_a_warning_that_was_lost_rings_no_second_time() {
    let mut told = World::new(plan());
    told.act("s0 red");
    told.pass_to(6);
    let asked = told.decisions.iter().rfind(|it| matches!(it, Decision::Asked { .. }));
    let mut world = World::new(plan());
    world.stage.apply(asked.expect("the mayor was asked"), world.moment);
    let due = world.stage.outage_due().expect("somebody is to acknowledge");
    world.stage.outage(due);
    let work = world.stage.next_work().expect("it rang");
    world.stage.take(&work);
    let stamp = Stamp { moment: world.moment, first: OutputId::default() };
    assert_eq!(world.stage.decide(&work, &stamp), []);
    assert_eq!(world.stage.outage_due(), None);
}

#[test]
fn the_end_ends_the_asking() {
    check(
        &[(0, "s0 red"), (1, "all-clear"), (60, "pass"), (61, "ack t0")],
        &[ALERT, "1 all-clear normal EndedByHand Likely -> t0 t3", "61 acknowledged 2 t0"],
    );
}

#[test]
fn whoever_was_told_last_hears_the_end() {
    check(
        &[(0, "s0 red"), (12, "all-clear")],
        &[ALERT, "5 asked 0 t2", "10 asked 0 t1", "12 all-clear normal EndedByHand Likely -> t0 t1 t2 t3"],
    );
}

#[test]
fn our_downtime_takes_nobodys_time() {
    let mut world = World::new(plan());
    world.check(&[(0, "s0 red"), (4, "pass")], &[ALERT]);
    // Three minutes of it passed while the service was down.
    world.moment.at = world.moment.at + Span::from_mins(3);
    world.act("started 3");
    world.check(&[(7, "pass"), (8, "pass")], &["8 asked 0 t2"]);
}

#[test]
fn ack_at_deadline() {
    check(&[(0, "s0 red"), (5, "pass")], &[ALERT, "5 asked 0 t2"]);
    let mut world = World::new(plan());
    world.check(&[(0, "s0 red"), (4, "pass")], &[ALERT]);
    world.moment.at = world.moment.at + Span(Span::from_mins(1).0 - 100_000);
    world.act("ack t0");
    world.check(&[(30, "pass")], &[]);
}

#[test]
fn held_asks_nobody_and_resumed_gives_the_whole_time() {
    check(
        &[(0, "s0 red"), (1, "trouble held present"), (20, "ack t0"), (21, "resume"), (27, "pass")],
        &[
            ALERT,
            "1 alert held x -> t1",
            "21 update red Renewed Observed -> t0 t3",
            "21 all-clear held x -> t1",
            "26 asked 0 t2",
        ],
    );
}

#[test]
fn the_erased_and_the_absent_are_passed_over() {
    let mut world = World::new(plan());
    world.check(&[(0, "s0 red"), (5, "pass")], &[ALERT, "5 asked 0 t2"]);
    let mut without = plan();
    without.targets[2] = None;
    let mut world = World::new(without);
    world.check(&[(0, "s0 red"), (9, "pass")], &[ALERT, "5 asked 0 t1"]);
    let mut world = World::new(plan());
    world.act("s0 red");
    world.outcome(0, Outcome::Dead(Death::Erased));
    world.check(&[(1, "ack t3"), (32, "pass")], &["1 acknowledged 1 t3", "31 asked 1 t3"]);
}

#[test]
fn a_route_without_terms_asks_nobody_and_who_saw_it_counts_all_the_same() {
    let mut plan = plan();
    plan.routes[0].ack = None;
    let mut world = World::new(plan);
    world.check(&[(0, "s0 red"), (60, "ack t0")], &[ALERT, "60 acknowledged 1 t0"]);
}

#[test]
fn further_revisions_say_who_has_seen_it() {
    for (deeds, by, of) in [
        (&[(0, "s0 red"), (1, "s0 lost"), (40, "pass")][..], 0, 2),
        (&[(0, "s0 orange"), (1, "ack t0"), (2, "s0 yellow"), (70, "pass")], 1, 1),
        (&[(0, "s0 orange"), (6, "ack t2"), (7, "ack t0"), (8, "s0 yellow"), (80, "pass")], 2, 2),
    ] {
        let mut world = World::new(plan());
        for (minute, deed) in deeds {
            world.pass_to(*minute);
            world.act(deed);
        }
        let newest = world.revisions.iter().rfind(|it| it.evidence.len() == 1).expect("an update");
        assert!(newest.number > 1, "{deeds:?}: something was said since");
        assert_eq!(newest.seen, Some(Seen { by, of }), "{deeds:?}");
    }
}

#[test]
fn reach_counts_each_person_once_for_each_piece_of_news() {
    let reach = |minutes, by, of| Some(Reach { after: Span::from_mins(minutes), seen: Seen { by, of } });
    let mut world = World::new(plan());
    for (minute, deed) in [
        (0, "s0 orange"),
        // The mayor is told after five minutes.
        (6, "ack t2"),
        (7, "ack t0"),
        // The duty officer again, by the other channel: the same person.
        (8, "ack t3"),
        // Nor does it count again where somebody was asked again.
        (9, "resend t2"),
        (9, "ack t2"),
        // News: who had the former revision before them has not seen it.
        (10, "s0 red"),
        (11, "ack t0 1"),
        (12, "ack t0 2"),
    ] {
        world.pass_to(minute);
        world.act(deed);
    }
    let said: Vec<(u32, Option<Reach>)> = world
        .decisions
        .iter()
        .filter_map(|decision| match decision {
            Decision::Acknowledged { number, reach, .. } => Some((*number, *reach)),
            _ => None,
        })
        .collect();
    let expected = [(1, reach(6, 1, 2)), (1, reach(7, 2, 2)), (1, None), (1, None), (2, reach(2, 1, 2))];
    assert_eq!(said, expected);
}
