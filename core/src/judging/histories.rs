//! Hard histories of one cell, each as a script and what must be said.

use super::world::{World, area, gauges, route, rule, target};
use crate::level::Level;
use crate::plan::{OutageTell, Plan, Route};
use crate::time::{Span, Timestamp};
use crate::warning::{Death, Outcome};

fn one_gauge() -> Plan {
    gauges(&[&[]])
}

fn check(script: &[(i64, &str)], expected: &[&str]) {
    World::new(one_gauge()).check(script, expected);
}

fn check_under(plan: Plan, script: &[(i64, &str)], expected: &[&str]) {
    World::new(plan).check(script, expected);
}

#[test]
fn the_incident_table() {
    check(&[(0, "s0 clear")], &[]);
    check(&[(0, "s0 yellow")], &["0 alert yellow Raised Observed -> t0"]);
    check(
        &[(0, "s0 yellow"), (5, "s0 red"), (6, "s0 red")],
        &["0 alert yellow Raised Observed -> t0", "5 update red Upgraded Observed -> t0"],
    );
    check(
        &[(0, "s0 red"), (10, "s0 yellow"), (69, "pass"), (75, "pass")],
        &["0 alert red Raised Observed -> t0", "70 update yellow Downgraded Observed -> t0"],
    );
    check(
        &[(0, "s0 red"), (10, "s0 clear"), (75, "pass"), (80, "s0 blue")],
        &[
            "0 alert red Raised Observed -> t0",
            "70 all-clear normal Eased Observed -> t0",
            "80 alert blue Raised Observed -> t0",
        ],
    );
    // A breach again while easing says nothing, and the hold starts anew.
    check(
        &[(0, "s0 red"), (10, "s0 clear"), (60, "s0 red"), (65, "s0 clear"), (130, "pass")],
        &["0 alert red Raised Observed -> t0", "125 all-clear normal Eased Observed -> t0"],
    );
}

#[test]
fn red_to_normal_takes_one_hold_not_four() {
    check(
        &[
            (0, "s0 red"),
            (10, "s0 orange"),
            (11, "s0 yellow"),
            (12, "s0 blue"),
            (13, "s0 clear"),
            (90, "pass"),
        ],
        &[
            "0 alert red Raised Observed -> t0",
            "70 update orange Downgraded Likely -> t0",
            "71 update yellow Downgraded Likely -> t0",
            "72 update blue Downgraded Likely -> t0",
            "73 all-clear normal Eased Observed -> t0",
        ],
    );
    check(
        &[(0, "s0 red"), (10, "s0 clear"), (90, "pass")],
        &["0 alert red Raised Observed -> t0", "70 all-clear normal Eased Observed -> t0"],
    );
}

#[test]
fn pending_raises_when_due_unless_contradicted() {
    check(&[(0, "s0 pending red 10"), (5, "s0 clear"), (20, "pass")], &[]);
    check(&[(0, "s0 pending red 10"), (20, "pass")], &["10 alert red Raised Likely -> t0"]);
    // Unknown contradicts nothing.
    check(&[(0, "s0 pending red 10"), (5, "s0 lost"), (12, "pass")], &["10 alert red Raised Likely -> t0"]);
}

#[test]
fn raise_taken_back() {
    check(
        &[(0, "s0 tip red"), (5, "s0 clear"), (64, "pass"), (70, "pass")],
        &["0 alert red Raised Likely -> t0", "65 all-clear normal Unconfirmed Likely -> t0"],
    );
}

#[test]
fn unknown_never_clears() {
    let blind = "6 update red Blind Possible -> t0";
    let trouble = "6 alert sensor-silent flood/ford -> t1";
    check(
        &[(0, "s0 red"), (1, "s0 lost"), (300, "pass")],
        &["0 alert red Raised Observed -> t0", blind, trouble],
    );
    // Good data for the whole hold, or not at all.
    check(
        &[(0, "s0 red"), (1, "s0 clear"), (30, "s0 lost"), (32, "s0 clear"), (91, "pass"), (95, "pass")],
        &["0 alert red Raised Observed -> t0", "92 all-clear normal Eased Observed -> t0"],
    );
    // A reload or a start holds, and tells nobody.
    check(&[(0, "s0 red"), (1, "s0 warming"), (300, "pass")], &["0 alert red Raised Observed -> t0"]);
}

#[test]
fn a_silence_is_told_as_the_rule_says() {
    let mut plan = one_gauge();
    plan.rules[0].as_mut().expect("the rule").outage = OutageTell::Operator;
    check_under(
        plan,
        &[(0, "s0 red"), (1, "s0 silent"), (20, "pass"), (21, "s0 speaks red")],
        &[
            "0 alert red Raised Observed -> t0",
            "6 alert sensor-silent s0 -> t1",
            "21 all-clear sensor-silent s0 -> t1",
        ],
    );
}

#[test]
fn unknown_flapping() {
    let script: Vec<(i64, &str)> = (0..10)
        .flat_map(|round| [(round * 16, "s0 red"), (round * 16 + 8, "s0 silent")])
        .chain([(160, "s0 speaks red"), (230, "pass")])
        .collect();
    let mut world = World::new(one_gauge());
    world.check(&[], &[]);
    for (minute, deed) in script {
        world.pass_to(minute);
        world.act(deed);
    }
    let told: Vec<_> = world
        .revisions
        .iter()
        .filter(|it| it.due.iter().any(|due| due.target.0 == 0))
        .map(|it| (world_minute(it.sent), format!("{:?}", it.reason)))
        .collect();
    let expected = [(0, "Raised"), (13, "Blind"), (16, "Seen"), (29, "Intermittent"), (220, "Seen")];
    assert_eq!(told, expected.map(|(minute, reason)| (minute, reason.to_owned())));
}

fn world_minute(civil: Timestamp) -> i64 {
    (civil.as_secs() - 1_750_000_000) / 60
}

#[test]
fn k_of_n_behind_one_gateway_raises_nothing() {
    let two_of = |domains: &[&[u32]]| {
        let mut plan = gauges(domains);
        plan.rules = vec![Some(rule(0..domains.len() as u32, 2))];
        plan
    };
    let script = [(0, "s0 red"), (1, "s1 red"), (2, "s2 orange")];
    check_under(two_of(&[&[0], &[0], &[0]]), &script, &[]);
    check_under(two_of(&[&[0], &[1], &[0, 1]]), &script, &["1 alert red Raised Observed -> t0"]);
    // The third ties the two together: nothing is taken back for that.
    check_under(
        two_of(&[&[0], &[1], &[0, 1]]),
        &[(0, "s0 red"), (1, "s1 red"), (2, "s2 red"), (200, "pass")],
        &["1 alert red Raised Observed -> t0"],
    );
    check_under(two_of(&[&[0], &[0], &[1]]), &script, &["2 alert orange Raised Observed -> t0"]);
}

#[test]
fn a_suspect_value_warns_only_when_another_domain_agrees() {
    let plan = || gauges(&[&[0], &[0], &[1]]);
    check_under(plan(), &[(0, "s0 suspect red"), (1, "s1 suspect red")], &[]);
    check_under(
        plan(),
        &[(0, "s0 suspect red"), (1, "s2 suspect red")],
        &["1 alert red Raised Likely -> t0"],
    );
    check_under(plan(), &[(0, "s0 suspect red"), (1, "s2 red")], &["1 alert red Raised Observed -> t0"]);
}

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
        outcomes.iter().for_each(|&outcome| world.outcome(2, outcome));
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
    check(
        &[(0, "s0 red"), (1, "trouble held present"), (2, "s0 clear"), (100, "resume")],
        &[
            "0 alert red Raised Observed -> t0",
            "1 alert held x -> t1",
            "100 all-clear normal Eased Observed -> t0",
            "100 all-clear held x -> t1",
        ],
    );
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

#[test]
fn own_downtime_is_one_notice_and_every_hold_starts_anew() {
    check(
        &[(0, "s0 red"), (1, "s0 clear"), (50, "started 40"), (109, "pass"), (115, "pass")],
        &[
            "0 alert red Raised Observed -> t0",
            "50 alert own-downtime -> t1",
            "55 all-clear own-downtime -> t1",
            "110 all-clear normal Eased Observed -> t0",
        ],
    );
}

#[test]
fn the_evidence_lists_the_worst_first_and_counts_all() {
    let mut world = World::new(gauges(&[&[][..]; 15]));
    (0..15).for_each(|ix| world.act(&format!("s{ix} {}", if ix == 3 { "red" } else { "yellow" })));
    world.act("s3 red");
    world.pass_to(340);
    let newest = world.revisions.last().expect("it was renewed");
    let sensors: Vec<u32> = newest.evidence.iter().map(|it| it.sensor.0).collect();
    assert_eq!(sensors, [3, 14, 13, 12, 11, 10, 9, 8, 7, 6]);
    assert_eq!(newest.sensors, 15);
}

#[test]
fn an_area_around_counts_as_its_own() {
    let mut plan = one_gauge();
    plan.areas = vec![area("ford", Some(1)), area("county", None)];
    plan.targets[0] = target("t0", "duty", Some(1));
    check_under(plan, &[(0, "s0 red")], &["0 alert red Raised Observed -> t0"]);
}
