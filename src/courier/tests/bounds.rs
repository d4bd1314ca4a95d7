//! Sick targets, other worlds, and more than fits in memory.

use std::collections::BTreeSet;
use std::sync::Arc;

use forewarn_core::event::{Decision, Input};
use forewarn_core::ids::{Key, LogId, OutputId, TargetIx};
use forewarn_core::level::{Level, Status};
use forewarn_core::time::Span;
use forewarn_core::warning::{About, Death, Due, Kind, Outcome, Revision, TroubleCode};
use metrics_exporter_prometheus::PrometheusBuilder;

use super::doubles::{Mood, all, target_id, until};
use super::stage::{Stage, alert, retry};
use super::{output, revision};
use crate::channels::Sent;
use crate::courier::Limits;
use crate::ports::{Leaves, Outstanding};

#[tokio::test]
async fn a_sick_target_changes_no_healthy_targets_times() {
    for sick in [Mood::Hangs, Mood::Panics, retry()] {
        let mut stage = Stage::new(3);
        stage.channel.mood(0, sick);
        stage.start();
        for warning in 0..50 {
            let position = 200 + warning;
            stage.log.decide(&[revision(position, 1, position, Kind::Alert, Level::Red, &all(3))]);
        }
        // The clock stands still all the while.
        until("the healthy have all", || {
            stage.channel.numbers(1).len() == 50 && stage.channel.numbers(2).len() == 50
        })
        .await;
        assert!(stage.channel.numbers(0).len() <= 4, "the sick one is not hammered");
    }
}

#[tokio::test]
async fn a_drill_never_leaves_by_the_live_door() {
    let mut stage = Stage::new(1);
    stage.start();
    let mut drill = (*alert(&[0])).clone();
    drill.status = Status::Exercise;
    let drill = Arc::new(drill);
    stage.log.decide(&[Arc::clone(&drill)]);
    stage.idle().await;
    assert_eq!(stage.outcome(&drill, 0), Some(Outcome::Dead(Death::Forbidden)));
    assert_eq!(stage.channel.seen(), []);
}

/// What is decided after all that stands there already.
fn revision_of_its_own() -> Arc<Revision> {
    revision(500, 1, 500, Kind::Alert, Level::Yellow, &[0])
}

/// What the courier told the engine of the other world.
fn told_of_the_other_world(stage: &Stage) -> Vec<String> {
    let records = stage.log.records();
    let inputs = records.iter().flat_map(|record| &record.inputs);
    inputs
        .filter_map(|input| match input {
            Input::Trouble(report) if report.key.code == TroubleCode::OtherWorld => {
                Some(report.detail.clone())
            }
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn what_stands_in_the_projection_and_belongs_to_the_other_world_is_told_and_not_sent() {
    let real = || (*alert(&[0])).clone();
    let test = || Revision { about: About::NotifyTest, status: Status::Exercise, ..real() };
    let foreign = |of: Revision| Revision { id: OutputId { log: LogId([8; 16]), ..of.id }, ..of };
    for (what, revision, status, sent) in [
        ("what is real", real(), Some(Status::Actual), true),
        ("a test of notification", test(), Some(Status::Exercise), true),
        ("a drill", Revision { status: Status::Exercise, ..real() }, Some(Status::Exercise), false),
        (
            "a drill whose row says real",
            Revision { status: Status::Exercise, ..real() },
            Some(Status::Actual),
            false,
        ),
        ("what is real, and its row says drill", real(), Some(Status::Exercise), false),
        ("a row without a word", real(), None, false),
        ("another log's test of notification", foreign(test()), Some(Status::Exercise), false),
        ("another log's warning", foreign(real()), Some(Status::Actual), false),
    ] {
        let mut stage = Stage::new(1);
        let due = Due { target: TargetIx(0), round: 0 };
        let smuggled = Arc::new(revision);
        stage.smuggled =
            vec![Outstanding { revision: Arc::clone(&smuggled), due, status, leaves: Leaves::Open }];
        stage.start();
        let next = revision_of_its_own();
        stage.log.decide(&[Arc::clone(&next)]);
        until(what, || stage.outcome(&next, 0).is_some()).await;
        stage.idle().await;
        assert_eq!(stage.channel.seen().len(), 1 + usize::from(sent), "{what}");
        let expected = if sent {
            (Some(Outcome::Accepted), vec![])
        } else {
            let told = "deliveries that belong to the other world, and were not sent: 1".to_owned();
            (None, vec![told])
        };
        assert_eq!((stage.outcome(&smuggled, 0), told_of_the_other_world(&stage)), expected, "{what}");
    }
}

#[tokio::test]
async fn a_resend_goes_out_under_a_key_of_its_own() {
    let mut stage = Stage::new(1);
    stage.channel.mood(0, Mood::Says(Sent::Rejected { reason: "410".into() }));
    stage.start();
    let first = alert(&[0]);
    stage.log.decide(&[Arc::clone(&first)]);
    stage.idle().await;
    assert_eq!(stage.outcome(&first, 0), Some(Outcome::Dead(Death::Rejected)));
    stage.channel.mood(0, Mood::Takes);
    // The projection may not have come so far yet.
    stage.log.hold_projection(1);
    let due = Due { target: TargetIx(0), round: 1 };
    stage.log.append(vec![Input::Tick], vec![Decision::Resent { warning: output(100), number: 1, due }]);
    stage.idle().await;
    let key = Key::of_delivery(&first.id, &target_id(0), 1);
    assert_eq!(stage.outcomes().get(&key), Some(&Outcome::Accepted));
    assert_eq!(stage.channel.numbers(0), [1, 1]);
}

#[tokio::test]
async fn a_resend_of_what_the_projection_has_lost_is_dropped_and_holds_nothing_up() {
    let mut stage = Stage::new(1);
    stage.start();
    let due = Due { target: TargetIx(0), round: 1 };
    stage.log.append(vec![Input::Tick], vec![Decision::Resent { warning: output(100), number: 9, due }]);
    stage.idle().await;
    assert_eq!(stage.channel.seen(), []);
    stage.log.decide(&[alert(&[0])]);
    stage.idle().await;
    assert_eq!(stage.channel.numbers(0), [1]);
}

#[tokio::test]
async fn what_does_not_fit_stays_in_the_log_and_red_overtakes_it() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let counted = recorder.handle();
    let _counting = metrics::set_default_local_recorder(&recorder);
    let mut stage = Stage::new(2);
    stage.limits = Limits { outstanding: 8, red: 4, page: 8, ..Limits::default() };
    stage.channel.mood(0, retry());
    stage.start();
    for warning in 0..40 {
        let position = 200 + warning;
        stage.log.decide(&[revision(position, 1, position, Kind::Alert, Level::Yellow, &[0])]);
    }
    let red = revision(900, 1, 900, Kind::Alert, Level::Red, &[1]);
    stage.log.decide(&[Arc::clone(&red)]);
    until("red is through", || stage.outcome(&red, 1).is_some()).await;
    let counted = counted.render();
    assert!(counted.contains("\nforewarn_courier_overflows_total 1\n"), "{counted}");
    let none = "\nforewarn_courier_attempts_total{channel=\"fake\",result=\"rejected\"} 0\n";
    assert!(counted.contains(none), "{counted}");
    stage.channel.mood(0, Mood::Takes);
    stage.clock.advance(Span::from_secs(30));
    until("all are through", || stage.outcomes().len() == 41).await;
    stage.idle().await;
    assert_eq!(stage.channel.numbers(1), [1], "the second reader does not repeat what was taken ahead");
    let outcomes: BTreeSet<bool> =
        stage.outcomes().values().map(|outcome| *outcome == Outcome::Accepted).collect();
    assert_eq!(outcomes, BTreeSet::from([true]));
}

#[tokio::test]
async fn a_backlog_larger_than_a_page_is_read_in_pages() {
    let mut stage = Stage::new(1);
    stage.limits = Limits { outstanding: 8, red: 2, page: 3, ..Limits::default() };
    for warning in 0..20 {
        let position = 200 + warning;
        stage.log.decide(&[revision(position, 1, position, Kind::Alert, Level::Yellow, &[0])]);
    }
    stage.start();
    stage.log.decide(&[revision(500, 1, 500, Kind::Alert, Level::Yellow, &[0])]);
    until("all are through", || stage.outcomes().len() == 21).await;
    stage.idle().await;
    assert_eq!((stage.channel.seen().len(), stage.channel.keys().len()), (21, 21));
}

#[tokio::test]
async fn a_stop_hears_attempts_out_and_reports_them() {
    let mut stage = Stage::new(1);
    stage.start();
    let first = alert(&[0]);
    stage.log.decide(&[Arc::clone(&first)]);
    stage.idle().await;
    stage.courier.take().expect("started").stop().await;
    assert_eq!(stage.outcome(&first, 0), Some(Outcome::Accepted));
}

#[tokio::test]
async fn a_log_that_cannot_be_read_for_a_while_does_not_end_the_courier() {
    let mut stage = Stage::new(1);
    stage.start();
    stage.log.fail_reads(1);
    let first = alert(&[0]);
    stage.log.decide(&[Arc::clone(&first)]);
    until("it is read again", || stage.outcome(&first, 0) == Some(Outcome::Accepted)).await;
    stage.idle().await;
    assert_eq!(stage.channel.numbers(0), [1]);
}
