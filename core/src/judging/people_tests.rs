//! Hard histories of who hears what, each as a script and what must be said.

use super::world::{World, check, check_under, one_gauge, route, target};
use crate::ids::TargetIx;
use crate::level::Level;
use crate::plan::{Plan, Route};
use crate::time::{Span, Timestamp};
use crate::warning::{Death, Kind, Outcome};

/// From yellow to the duty officer always; red also to the mayor; by night orange goes to nobody else.
fn red_routes_plan() -> Plan {
    let mut plan = one_gauge();
    plan.targets.push(target("t2", "mayor", Some(0)));
    plan.routes.push(Route { from: Level::Red, hours: Some((0, 24 * 60)), ..route("mayor") });
    plan
}

#[test]
fn red_routes() {
    check_under(
        red_routes_plan(),
        &[(0, "s0 yellow"), (1, "s0 red"), (2, "s0 yellow"), (70, "s0 clear"), (140, "pass")],
        &[
            "0 alert yellow Raised Observed -> t0",
            "1 update red Upgraded Observed -> t0 t2",
            "62 update yellow Downgraded Observed -> t0 t2",
            "130 all-clear normal Eased Observed -> t0 t2",
        ],
    );
}

#[test]
fn who_was_never_reached_hears_no_end() {
    for (outcomes, end) in [
        (vec![], "t0 t2"),
        (vec![Outcome::Superseded], "t0"),
        (vec![Outcome::Accepted], "t0 t2"),
        (vec![Outcome::Superseded, Outcome::Superseded], "t0"),
        (vec![Outcome::Dead(Death::Erased)], "t0"),
    ] {
        let mut world = World::new(red_routes_plan());
        world.check(&[(0, "s0 red")], &["0 alert red Raised Observed -> t0 t2"]);
        for outcome in outcomes {
            world.outcome(2, outcome);
        }
        let expected = format!("61 all-clear normal Eased Observed -> {end}");
        world.check(&[(1, "s0 clear"), (70, "pass")], &[&expected]);
    }
}

#[test]
fn an_erased_contact_is_out_of_every_target_set() {
    let mut world = World::new(red_routes_plan());
    world.act("s0 red");
    world.outcome(2, Outcome::Dead(Death::Erased));
    world.check(
        &[(1, "s0 orange"), (62, "s0 red")],
        &["61 update orange Downgraded Observed -> t0", "62 update red Upgraded Observed -> t0"],
    );
}

#[test]
fn nobody_routed_is_told_the_operator_and_the_next_plan_sends() {
    let mut plan = one_gauge();
    plan.routes.clear();
    let mut world = World::new(plan);
    world.check(&[(0, "s0 red")], &["0 alert red Raised Observed ->", "0 alert unrouted flood/ford -> t1"]);
    world.replan(one_gauge());
    world.check(&[(1, "s0 red")], &[]);
    let newest = &world.revisions[world.revisions.len() - 2];
    assert_eq!((newest.number, newest.due[0].target.0), (2, 0), "the standing warning goes out at once");
}

#[test]
fn what_comes_while_nobody_is_told_goes_out_when_somebodys_hours_begin() {
    type Change = fn(&mut Plan);
    // The scripts begin at 15:06:40.
    let hours: [Change; 2] = [
        |plan| plan.routes[0].hours = Some((16 * 60, 20 * 60)),
        |plan| plan.targets[0].as_mut().expect("on duty").hours = Some((16 * 60, 20 * 60)),
    ];
    for set in hours {
        let mut plan = one_gauge();
        set(&mut plan);
        check_under(
            plan,
            &[(0, "s0 red"), (60, "pass")],
            &[
                "0 alert red Raised Observed ->",
                "0 alert unrouted flood/ford -> t1",
                "53 update red Renewed Observed -> t0",
                "53 all-clear unrouted flood/ford -> t1",
            ],
        );
    }
}

#[test]
fn vanished_area() {
    let mut world = World::new(one_gauge());
    world.act("s0 red");
    let mut without = one_gauge();
    (without.areas[0], without.stations[0], without.sensors[0], without.rules[0]) = (None, None, None, None);
    let words = world.refuses(without.clone()).expect("a warning stands there");
    assert!(words.contains("flood/ford"), "{words}");
    world.check(&[(1, "pass")], &[]);
    world.replan(without);
    world.check(
        &[(500, "all-clear"), (600, "pass")],
        &[
            "331 update orphaned flood/ford -> t1",
            "331 update red Renewed Possible -> t0",
            "500 all-clear normal EndedByHand Likely -> t0",
            "500 all-clear orphaned flood/ford -> t1",
        ],
    );
    let told = world.revisions.iter().filter(|it| it.reason == crate::warning::Reason::Orphaned);
    assert_eq!(told.count(), 1, "its targets are told once");
}

#[test]
fn a_changed_rule_keeps_its_incident() {
    let mut world = World::new(one_gauge());
    world.act("s0 red");
    let mut changed = one_gauge();
    changed.rules[0].as_mut().expect("the rule").hold = Span::from_mins(5);
    assert_eq!(world.refuses(changed.clone()), None);
    world.replan(changed);
    world.check(&[(1, "s0 clear"), (10, "pass")], &["6 all-clear normal Eased Observed -> t0"]);
}

#[test]
fn what_a_person_ended_opens_again_only_anew() {
    check(
        &[(0, "s0 orange"), (1, "all-clear"), (2, "s0 orange"), (3, "s0 red")],
        &[
            "0 alert orange Raised Observed -> t0",
            "1 all-clear normal EndedByHand Likely -> t0",
            "3 alert red Raised Observed -> t0",
        ],
    );
    check(
        &[(0, "s0 orange"), (1, "cancel"), (2, "s0 clear"), (3, "s0 orange")],
        &[
            "0 alert orange Raised Observed -> t0",
            "1 cancel orange InError Likely -> t0",
            "3 alert orange Raised Observed -> t0",
        ],
    );
}

#[test]
fn another_operator_hears_of_the_troubles_that_stand() {
    let mut world = World::new(one_gauge());
    world.check(&[(0, "trouble disk-low present")], &["0 alert disk-low x -> t1"]);
    let mut handed_over = one_gauge();
    handed_over.targets.push(target("t2", "new-operator", Some(0)));
    handed_over.operator = vec![TargetIx(2)];
    world.replan(one_gauge());
    world.check(&[(1, "pass")], &[]);
    world.replan(handed_over);
    let told = world.revisions.last().expect("something was said");
    assert_eq!((told.kind, told.due.len()), (Kind::Update, 2));
    world.check(&[(2, "trouble disk-low over")], &["2 all-clear disk-low x -> t1 t2"]);
}

#[test]
fn a_standing_warning_is_renewed_before_it_expires() {
    check(
        &[(0, "s0 red"), (700, "pass")],
        &[
            "0 alert red Raised Observed -> t0",
            "330 update red Renewed Observed -> t0",
            "660 update red Renewed Observed -> t0",
        ],
    );
}

#[test]
fn a_standing_trouble_is_renewed_before_it_expires() {
    check(
        &[(0, "trouble disk-low present"), (700, "trouble disk-low over"), (2000, "pass")],
        &[
            "0 alert disk-low x -> t1",
            "330 update disk-low x -> t1",
            "660 update disk-low x -> t1",
            "700 all-clear disk-low x -> t1",
        ],
    );
    // By civil time too, and to whoever is the operator now.
    let start = 1_750_000_000 / 60;
    let clock = format!("clock {} trusted", start + 600);
    check(
        &[(0, "trouble disk-low present"), (20, &clock), (355, "pass")],
        &["0 alert disk-low x -> t1", "20 update disk-low x -> t1", "350 update disk-low x -> t1"],
    );
    let mut world = World::new(one_gauge());
    world.act("trouble disk-low present");
    world.pass_to(340);
    let newest = world.revisions.last().expect("it was renewed");
    assert_eq!((newest.reason, newest.number), (crate::warning::Reason::Renewed, 2));
    assert_eq!(newest.detail, "words");
}

#[test]
fn what_was_given_up_for_a_target_that_is_gone_is_no_trouble_any_more() {
    for erased in [true, false] {
        let mut world = World::new(one_gauge());
        world.act("s0 red");
        world.outcome(0, Outcome::Dead(Death::Rejected));
        assert_eq!(world.stage.troubles().len(), 1);
        if erased {
            world.outcome(0, Outcome::Dead(Death::Erased));
        } else {
            let mut without = one_gauge();
            without.targets[0] = None;
            world.replan(without);
        }
        assert_eq!(world.stage.troubles().len(), 0, "erased: {erased}");
    }
}

#[test]
fn hour_back_and_boot_1970_keep_sent_in_order_and_renew_in_time() {
    let start = 1_750_000_000 / 60;
    let script = [
        (0, "s0 yellow".to_owned()),
        (10, format!("clock {} trusted", start - 60)),
        (11, "s0 orange".to_owned()),
        (12, "clock 0 untrusted".to_owned()),
        (13, "s0 red".to_owned()),
        (20, format!("clock {} trusted", start + 600)),
        (30, "pass".to_owned()),
    ];
    let script: Vec<(i64, &str)> = script.iter().map(|(minute, deed)| (*minute, deed.as_str())).collect();
    let mut world = World::new(one_gauge());
    world.check(
        &script,
        &[
            "0 alert yellow Raised Observed -> t0",
            "11 update orange Upgraded Observed -> t0",
            "12 alert clock-untrusted -> t1",
            "13 update red Upgraded Observed -> t0",
            "20 update red Renewed Observed -> t0",
            "20 all-clear clock-untrusted -> t1",
        ],
    );
    let sent: Vec<Timestamp> =
        world.revisions.iter().filter(|it| it.level > Level::Normal).map(|it| it.sent).collect();
    assert!(sent[0] <= sent[1] && sent[1] <= sent[3] && sent[3] <= sent[4], "{sent:?}");
}

#[test]
fn a_restored_directory_sends_only_trouble_until_it_resumes() {
    check(
        &[
            (0, "trouble held present"),
            (1, "s0 red"),
            (2, "all-clear"),
            (3, "trouble disk-low present"),
            (4, "trouble held over"),
            (5, "resume"),
            (6, "resume"),
        ],
        &[
            "0 alert held x -> t1",
            "3 alert disk-low x -> t1",
            "5 alert red Raised Observed -> t0",
            "5 all-clear held x -> t1",
        ],
    );
    // What others heard of before, and what ended meanwhile.
    let mut world = World::new(one_gauge());
    world.check(
        &[(0, "s0 red"), (1, "trouble held present"), (2, "s0 clear"), (100, "resume")],
        &[
            "0 alert red Raised Observed -> t0",
            "1 alert held x -> t1",
            "100 all-clear normal Eased Observed -> t0",
            "100 all-clear held x -> t1",
        ],
    );
    let [alert, _, end, _] = world.revisions.as_slice() else { panic!("four were said") };
    assert_eq!(
        (end.onset, end.peak),
        (alert.onset, Level::Red),
        "it ends what began then, and stood so high"
    );
}

#[test]
fn a_dead_letter_is_over_once_all_that_was_given_up_has_arrived() {
    let mut world = World::new(one_gauge());
    let dead = |world: &World| world.stage.troubles().len();
    world.act("s0 red");
    world.outcome(0, Outcome::Dead(Death::Rejected));
    world.act("all-clear");
    world.outcome(0, Outcome::Dead(Death::Rejected));
    world.act("s0 clear");
    world.pass_to(90);
    world.act("s0 red");
    world.outcome(0, Outcome::Accepted);
    assert_eq!(dead(&world), 1, "the end of the first warning reached nobody");
    let first = world.revisions[0].warning;
    world.revisions.retain(|revision| revision.warning == first);
    world.act("resend t0");
    world.outcome(0, Outcome::Accepted);
    assert_eq!(dead(&world), 0);
}

#[test]
fn asking_again_raises_the_round() {
    let mut world = World::new(one_gauge());
    world.act("s0 red");
    world.outcome(0, Outcome::Dead(Death::Rejected));
    let dead = world.revisions.last().expect("the dead letter is told");
    assert_eq!(dead.detail, "a delivery to t0 was given up: the receiver refused it for good");
    world.outcome(1, Outcome::Dead(Death::Rejected));
    assert_eq!(world.revisions.len(), 2, "a dead letter about dead letters raises no other");
    world.revisions.pop();
    world.check(&[(1, "resend t0"), (2, "resend t0"), (3, "resend t1")], &["1 again 1 t0", "2 again 2 t0"]);
    world.outcome(0, Outcome::Accepted);
    assert_eq!(world.stage.troubles().len(), 0, "it is over once something arrives");
}
