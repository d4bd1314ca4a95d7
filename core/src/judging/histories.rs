//! Hard histories of one cell, each as a script and what must be said.

use super::world::{World, area, check, check_under, gauges, one_gauge, rule, target};
use crate::plan::{OutageTell, Plan};
use crate::time::Timestamp;

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
fn a_start_is_no_sight_and_no_loss() {
    let lost = ["0 alert red Raised Observed -> t0", "6 update red Blind Possible -> t0"];
    let trouble = "6 alert sensor-silent flood/ford -> t1";
    // What was lost before stays so until it is seen.
    check(
        &[(0, "s0 red"), (1, "s0 lost"), (10, "s0 warming"), (60, "pass"), (61, "s0 red")],
        &[
            lost[0],
            lost[1],
            trouble,
            "61 update red Seen Observed -> t0",
            "61 all-clear sensor-silent flood/ford -> t1",
        ],
    );
    check(
        &[(0, "s0 red"), (1, "s0 lost"), (10, "s0 warming"), (40, "s0 lost"), (100, "pass")],
        &[lost[0], lost[1], trouble],
    );
    // What was not told yet waits until it is known to last.
    check(
        &[(0, "s0 red"), (1, "s0 lost"), (3, "s0 warming"), (100, "pass"), (101, "s0 red")],
        &["0 alert red Raised Observed -> t0"],
    );
}

#[test]
fn what_a_corrected_rule_had_on_its_way_is_dropped_with_it() {
    check(&[(0, "s0 pending red 10"), (5, "s0 warming"), (20, "pass")], &[]);
}

#[test]
fn a_level_that_was_on_its_way_keeps_its_onset_when_the_gauge_is_lost() {
    let mut world = World::new(one_gauge());
    for (minute, deed) in [(30, "s0 pending red 10"), (35, "s0 lost"), (45, "pass")] {
        world.pass_to(minute);
        world.act(deed);
    }
    let onset: Vec<i64> = world.revisions.iter().map(|it| world_minute(it.onset)).collect();
    assert_eq!(onset, [30]);
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

#[test]
fn a_suspect_value_takes_nothing_from_what_good_ones_support() {
    let plan = || gauges(&[&[0], &[0], &[1]]);
    check_under(
        plan(),
        &[(0, "s0 suspect red over orange"), (90, "pass"), (91, "s2 suspect red over yellow")],
        &["0 alert orange Raised Observed -> t0", "91 update red Upgraded Likely -> t0"],
    );
    // One good and one suspect of other domains agree on what both support.
    let two = || Plan { rules: vec![Some(rule(0..3, 2))], ..plan() };
    check_under(
        two(),
        &[(0, "s0 suspect red over orange"), (1, "s2 yellow")],
        &["1 alert yellow Raised Observed -> t0"],
    );
    // Good values fell below: the suspect one alone holds nothing.
    check(
        &[(0, "s0 orange"), (10, "s0 suspect orange over yellow"), (75, "pass")],
        &["0 alert orange Raised Observed -> t0", "70 update yellow Downgraded Observed -> t0"],
    );
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
