use forewarn_core::ids::{RuleIx, SensorIx};
use forewarn_core::level::Status;
use forewarn_core::time::Timestamp;

use super::*;
use crate::channels::facts::Facts;
use crate::channels::sample;
use crate::channels::words::{Given, Messages};
use crate::config::plan::Setup;

const UNTIL: &str = "RED is held until nothing has supported it for a whole hold time of good data";

/// Headline and row of the limit.
fn check(revision: &Revision, plan: Plan, language: &str, headline: &str, row: &str) {
    let setup = Setup { plan: plan.into(), ..sample::setup() };
    let facts = Facts::of(revision, &setup, Messages::read(&Given::new()).language(language));
    assert_eq!(facts.headline, headline);
    assert_eq!(facts.text("limit"), row);
}

/// Red is told, and this is the evidence.
fn red(evidence: Evidence) -> Revision {
    Revision { evidence: vec![evidence], ..sample::held() }
}

fn one_sided(side: Side, levels: [Option<f64>; 4]) -> Plan {
    let mut plan = sample::plan();
    let rule = plan.rules[0].as_mut().expect("a rule");
    rule.side = side;
    rule.subjects[0].limits[0].levels = levels;
    plan
}

#[test]
fn the_limit_is_that_of_the_level_people_are_told() {
    let orange = sample::evidence();
    let risen = Evidence { measured: Some(60.2), value: Some(60.2), ..orange };
    let at_limit = Evidence { measured: Some(60.0), value: Some(60.0), level: Level::Red, ..orange };
    let end = Evidence { saturated: true, ..orange };
    let clear = Evidence { level: Level::Normal, limit: Some(57.0), value: Some(56.0), ..orange };
    let below = format!("below the RED limit of 60.00 m (warns at or above); {UNTIL}");
    for (evidence, headline, row) in [
        (orange, "59.10 m, below the RED limit of 60.00 m, RED held", &*below),
        (clear, "56.00 m, below the RED limit of 60.00 m, RED held", &below),
        // On its way up and due by the clock: the finding's own limit is still the lower one.
        (Evidence { level: Level::Red, ..risen }, "60.20 m, limit 60.00 m", "60.00 m (warns at or above)"),
        (at_limit, "60.00 m, limit 60.00 m", "60.00 m (warns at or above)"),
        (
            end,
            "59.10 m or beyond: the sensor is at the end of its range, limit 60.00 m",
            "60.00 m (warns at or above)",
        ),
    ] {
        let headline = format!("Qujiang {headline}, rising, +0.62 m/h");
        check(&red(evidence), sample::plan(), "en", &headline, row);
    }
    check(
        &red(Evidence { trend: None, ..orange }),
        sample::plan(),
        "zh",
        "曲江 59.10 m，低于红色限值 60.00 m，维持红色",
        "低于红色限值 60.00 m（达到或高于即预警）；在整个保持时间内的有效数据均不支持红色之前，维持红色",
    );
}

#[test]
fn a_rule_that_warns_below_its_limit_is_told_the_other_way_round() {
    let plan = || one_sided(Side::Below, [Some(4.0), Some(3.0), Some(2.0), Some(1.0)]);
    let low = Evidence {
        measured: Some(1.5),
        value: Some(1.5),
        limit: Some(2.0),
        trend: None,
        ..sample::evidence()
    };
    check(
        &red(low),
        plan(),
        "en",
        "Qujiang 1.50 m, above the RED low limit of 1.00 m, RED held",
        &format!("above the RED low limit of 1.00 m (warns at or below); {UNTIL}"),
    );
    check(
        &red(low),
        plan(),
        "zh",
        "曲江 1.50 m，高于红色下限 1.00 m，维持红色",
        "高于红色下限 1.00 m（达到或低于即预警）；在整个保持时间内的有效数据均不支持红色之前，维持红色",
    );
    let lower = Evidence { value: Some(0.9), ..low };
    check(&red(lower), plan(), "en", "Qujiang 0.90 m, low limit 1.00 m", "1.00 m (warns at or below)");
    let clear = Evidence { level: Level::Normal, limit: Some(4.0), value: Some(4.5), ..low };
    let clear = Revision { evidence: vec![clear], ..sample::all_clear() };
    let row = "clear of the first limit, 4.00 m (warns at or below)";
    check(&clear, plan(), "en", "Qujiang 4.50 m, clear of the first limit, 4.00 m", row);
}

#[test]
fn a_rate_that_fell_short_says_what_it_measured() {
    let mut plan = sample::plan();
    let rise = plan.rules[1].as_mut().expect("a rule");
    rise.subjects[0].limits[0].levels = [None, None, Some(0.5), Some(1.0)];
    let rate = Evidence {
        rule: RuleIx(1),
        measured: Some(0.62),
        limit: Some(0.5),
        trend: None,
        ..sample::evidence()
    };
    check(
        &red(rate),
        plan.clone(),
        "en",
        "Qujiang 59.10 m, measured 0.62 m/h, below the RED limit of 1.00 m/h, RED held",
        &format!("measured 0.62 m/h, below the RED limit of 1.00 m/h (warns at or above); {UNTIL}"),
    );
    let orange = Revision { evidence: vec![rate], ..sample::flood(Status::Actual) };
    check(&orange, plan, "en", "Qujiang 59.10 m", "measured 0.62 m/h against 0.50 m/h (warns at or above)");
}

#[test]
fn what_is_not_known_of_a_limit_is_not_said() {
    let orange = Evidence { trend: None, ..sample::evidence() };
    let no_red = || one_sided(Side::Above, [Some(57.0), Some(58.0), Some(58.5), None]);
    let moved = || one_sided(Side::Above, [Some(157.0), Some(158.0), Some(158.5), Some(160.0)]);
    let row = format!("58.50 m (warns at or above), for ORANGE; {UNTIL}");
    for plan in [no_red(), moved()] {
        check(&red(orange), plan, "en", "Qujiang 59.10 m, limit 58.50 m, for ORANGE, RED held", &row);
    }
    let clear = Evidence { level: Level::Normal, ..orange };
    check(&red(clear), moved(), "en", "Qujiang 59.10 m", "not known: the limits were changed since");
    let same = Revision { level: Level::Orange, ..red(orange) };
    check(&same, moved(), "en", "Qujiang 59.10 m, limit 58.50 m", "58.50 m (warns at or above)");
    let unseen = Evidence { measured: None, value: None, ..orange };
    check(&red(unseen), sample::plan(), "en", "Qujiang, limit 60.00 m", "60.00 m (warns at or above)");
    let other = Evidence { sensor: SensorIx(1), ..orange };
    check(
        &Revision { level: Level::Orange, ..red(other) },
        sample::plan(),
        "en",
        "Wujiang 59.10 m, limit 58.50 m",
        "58.50 m (warns at or above)",
    );
}

#[test]
fn rows_that_disagree_about_a_level_are_not_guessed_between() {
    let mut plan = sample::plan();
    let limits = &mut plan.rules[0].as_mut().expect("a rule").subjects[0].limits;
    // Neither is in force yet: by an untrusted clock, the rules go by the most cautious of all.
    limits[0].from = Timestamp::MAX;
    let second = LimitRow { levels: [None, None, Some(58.5), Some(61.0)], ..limits[0].clone() };
    *limits = vec![limits[0].clone(), second].into();
    let orange = Evidence { trend: None, ..sample::evidence() };
    let row = format!("58.50 m (warns at or above), for ORANGE; {UNTIL}");
    check(&red(orange), plan, "en", "Qujiang 59.10 m, limit 58.50 m, for ORANGE, RED held", &row);
}

#[test]
fn what_ended_or_waits_for_a_person_is_held_by_no_data() {
    let orange = Evidence { trend: None, ..sample::evidence() };
    let below = "below the RED limit of 60.00 m (warns at or above)";
    let headline = "Qujiang 59.10 m, below the RED limit of 60.00 m";
    for (kind, reason) in [(Kind::Cancel, Reason::InError), (Kind::Update, Reason::Orphaned)] {
        check(&Revision { kind, reason, ..red(orange) }, sample::plan(), "en", headline, below);
    }
    let by_hand = Revision { kind: Kind::AllClear, reason: Reason::EndedByHand, ..red(orange) };
    let row = "57.00 m (warns at or above); the last measurement reaches it";
    check(&by_hand, sample::plan(), "en", "Qujiang 59.10 m, limit 57.00 m", row);
}

#[test]
fn sensors_are_counted_as_they_stand_now() {
    let (red, orange) = (Level::Red, Level::Orange);
    let at = |sensor, level, unknown| {
        let value = Some(if level == red { 60.2 } else { 59.1 });
        Evidence { sensor: SensorIx(sensor), level, unknown, value, ..sample::evidence() }
    };
    let many = |level| (0..10).map(|sensor| at(sensor, level, false)).collect::<Vec<_>>();
    let lost = (0..10).map(|sensor| at(sensor, red, true)).collect();
    let ends_low = [many(red), vec![at(10, orange, false)]].concat()[1..].to_vec();
    for (kind, evidence, sensors, en, zh) in [
        (
            Kind::Update,
            vec![at(0, orange, false)],
            1,
            "0 of 1 now at RED (grade I) or above",
            "1 个中目前 0 个达到红色（I级）或更高",
        ),
        (
            Kind::Alert,
            vec![at(0, red, false), at(1, orange, false)],
            2,
            "1 of 2 now at RED",
            "2 个中目前 1 个",
        ),
        // What the deadband alone holds at the level is not measured there.
        (
            Kind::Update,
            vec![Evidence { level: red, ..at(0, orange, false) }],
            1,
            "0 of 1 now at RED",
            "1 个中目前 0 个",
        ),
        // Two rules on one sensor are one sensor.
        (Kind::Alert, vec![at(0, red, false), at(0, red, false)], 1, "1 of 1 now", "1 个中目前 1 个"),
        (
            Kind::Update,
            vec![at(0, red, true), at(1, red, false)],
            2,
            "1 of 2 now at RED (grade I) or above; 1 at it when last measured, and lost since; worst first: Qujiang, Wujiang",
            "1 个最后测得时达到，现已中断",
        ),
        (Kind::Update, many(red), 14, "at least 10 of 14 now", "14 个中目前至少 10 个"),
        (Kind::Update, lost, 14, "14 in all; 10 at it when last measured, and lost since", "共 14 个；10 个"),
        (Kind::Update, many(red), 10, "10 of 10 now", "10 个中目前 10 个"),
        (Kind::Update, ends_low, 14, "9 of 14 now", "14 个中目前 9 个"),
        (
            Kind::AllClear,
            vec![at(0, orange, false)],
            2,
            "2 contributed to this warning: Qujiang",
            "2 个曾支持本预警：曲江",
        ),
        (
            Kind::Cancel,
            vec![at(0, orange, false)],
            1,
            "1 contributed to this warning: Qujiang",
            "1 个曾支持本预警：曲江",
        ),
        (Kind::Update, vec![], 0, "none now", "目前没有"),
    ] {
        let revision = Revision { kind, evidence, sensors, ..sample::held() };
        for (language, expected) in [("en", en), ("zh", zh)] {
            let facts =
                Facts::of(&revision, &sample::setup(), Messages::read(&Given::new()).language(language));
            assert!(facts.text("sensors").contains(expected), "{expected} not in {}", facts.text("sensors"));
        }
    }
}
