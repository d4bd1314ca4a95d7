//! Hard histories of the whole courier.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use forewarn_core::event::{ClockStep, Decision, Input};
use forewarn_core::ids::Key;
use forewarn_core::level::Level;
use forewarn_core::time::Span;
use forewarn_core::warning::{About, Death, Kind, Outcome, TroubleCode, TroubleKey};

use super::doubles::{Mood, address, all, setup, target_id, until};
use super::revision;
use super::stage::{Stage, alert, all_clear, retry, update};
use crate::channels::Sent;
use crate::courier::CourierClock;
use crate::ports::{Hold, Note};

#[tokio::test]
async fn every_due_target_gets_each_revision_once_and_in_order() {
    let mut stage = Stage::new(3);
    stage.start();
    stage.log.decide(&[alert(&all(3))]);
    stage.idle().await;
    stage.log.decide(&[update(&all(3)), all_clear(&all(3))]);
    stage.idle().await;
    for target in 0..3 {
        // Both stood in one record: the update may be overtaken before it was attempted.
        let numbers = stage.channel.numbers(target);
        assert!(numbers == [1, 2, 3] || numbers == [1, 3], "{numbers:?}");
    }
    assert_eq!(stage.outcomes().len(), 9);
}

#[tokio::test]
async fn lost_notes() {
    let mut stage = Stage::new(1);
    stage.start();
    stage.inbox.losing.store(true, Ordering::SeqCst);
    stage.log.decide(&[alert(&[0])]);
    until("the mail is sent", || stage.channel.numbers(0) == [1]).await;
    stage.kill();
    stage.start();
    stage.idle().await;
    stage.log.decide(&[all_clear(&[0])]);
    stage.idle().await;
    assert_eq!(stage.channel.numbers(0), [1, 1, 3], "once more at most, then its all-clear");
    assert_eq!(stage.channel.keys().len(), 2, "under the same key");
}

#[tokio::test]
async fn accepted_then_behind() {
    let mut stage = Stage::new(1);
    stage.start();
    stage.log.decide(&[alert(&[0])]);
    stage.idle().await;
    stage.log.decide(&[update(&[0])]);
    stage.idle().await;
    stage.kill();
    // The projection follows a log that says accepted before the courier begins.
    stage.start();
    stage.idle().await;
    assert_eq!(stage.channel.numbers(0), [1, 2], "nothing resent");
}

#[tokio::test]
async fn superseded_revision() {
    let mut stage = Stage::new(1);
    stage.channel.mood(0, retry());
    stage.start();
    let (first, second) = (alert(&[0]), update(&[0]));
    stage.log.decide(&[Arc::clone(&first)]);
    stage.idle().await;
    stage.channel.mood(0, Mood::Takes);
    stage.log.decide(&[Arc::clone(&second)]);
    stage.idle().await;
    assert_eq!(stage.outcome(&first, 0), Some(Outcome::Superseded), "logged first");
    assert_eq!(stage.channel.numbers(0), [1]);
    stage.clock.advance(Span::from_secs(1));
    stage.idle().await;
    assert_eq!(stage.channel.numbers(0), [1, 2]);
    assert_eq!(stage.outcome(&second, 0), Some(Outcome::Accepted));
}

#[tokio::test]
async fn erased_contact() {
    let mut stage = Stage::new(2);
    let reason = format!("550 no mailbox {} here", address(0));
    stage.channel.mood(0, Mood::Says(Sent::Retry { after: None, reason }));
    stage.start();
    let first = alert(&all(2));
    stage.log.decide(&[Arc::clone(&first)]);
    stage.idle().await;
    stage.setup.send_replace(setup(2, &[0]));
    until("the delivery is dead", || stage.outcome(&first, 0).is_some()).await;
    stage.idle().await;
    assert_eq!(stage.outcome(&first, 0), Some(Outcome::Dead(Death::Erased)));
    assert_eq!(stage.outcome(&first, 1), Some(Outcome::Accepted));
    let notes: Vec<Note> = stage.notes.as_ref().expect("started").try_iter().collect();
    assert_eq!(notes.len(), 2);
    let words = format!("{notes:?} {:?}", stage.log.records());
    assert!(!words.contains(&address(0)) && !words.contains("Person"), "{words}");
    // A later revision that still names it goes to nobody there.
    stage.log.decide(&[update(&all(2))]);
    stage.idle().await;
    assert_eq!((stage.channel.numbers(0), stage.channel.numbers(1)), (vec![1], vec![1, 2]));
}

#[tokio::test]
async fn refused_timestamp() {
    let mut stage = Stage::new(1);
    stage.channel.mood(0, Mood::Says(Sent::Retry { after: None, reason: "401 timestamp".into() }));
    stage.start();
    stage.log.append(vec![Input::Clock(ClockStep { offset: Span::from_hours(48), trusted: false })], vec![]);
    let first = alert(&[0]);
    stage.log.decide(&[Arc::clone(&first)]);
    for attempts in 1..5 {
        stage.idle().await;
        assert_eq!(
            (stage.channel.seen().len(), stage.outcome(&first, 0)),
            (attempts, None),
            "retried, not dead"
        );
        stage.clock.advance(Span::from_secs(30));
    }
    stage.channel.mood(0, Mood::Takes);
    stage.log.append(vec![Input::Clock(ClockStep { offset: Span::ZERO, trusted: true })], vec![]);
    stage.idle().await;
    stage.clock.advance(Span::from_secs(30));
    stage.idle().await;
    assert_eq!(stage.outcome(&first, 0), Some(Outcome::Accepted));
    assert_eq!(stage.channel.keys().len(), 1, "one key for all attempts");
}

#[tokio::test]
async fn an_unexpired_delivery_is_tried_until_it_expires() {
    let mut stage = Stage::new(1);
    stage.channel.mood(0, retry());
    stage.start();
    let first = alert(&[0]);
    stage.log.decide(&[Arc::clone(&first)]);
    stage.idle().await;
    let standing = stage.courier.as_ref().expect("started").standing();
    let next_attempt = || standing.borrow().next_attempt;
    while let Some(next) = next_attempt() {
        let rest = next - stage.clock.now();
        assert!(rest <= Span::from_secs(30), "the back-off is capped");
        stage.clock.advance(rest);
        stage.idle().await;
    }
    stage.idle().await;
    assert_eq!(stage.outcome(&first, 0), Some(Outcome::Dead(Death::Expired)));
    assert!(stage.channel.seen().len() > 120, "an hour at 30 s at most");
}

#[tokio::test]
async fn restore_beside() {
    let mut stage = Stage::new(1);
    stage.hold = Hold::UntilResumed;
    let mut trouble = (*revision(300, 1, 300, Kind::Alert, Level::Yellow, &[0])).clone();
    trouble.about = About::Trouble(TroubleKey { code: TroubleCode::Held, subject: String::new() });
    stage.log.decide(&[alert(&[0])]);
    stage.start();
    stage.log.decide(&[Arc::new(trouble)]);
    stage.idle().await;
    let warnings = |stage: &Stage| -> Vec<_> {
        stage.channel.seen().iter().map(|seen| seen.warning.position.0).collect()
    };
    assert_eq!(warnings(&stage), [300], "held: Trouble alone goes out");
    stage.log.append(vec![Input::Tick], vec![Decision::Resumed]);
    stage.idle().await;
    assert_eq!(warnings(&stage), [300, 100]);
}

/// Killed again and again at whatever place it has come to.
#[tokio::test]
async fn killed_anywhere_each_due_target_gets_its_word_under_one_key() {
    for seed in 0..20_u64 {
        let mut stage = Stage::new(3);
        let mut due = Vec::new();
        for life in 0..6 {
            stage.start();
            let sick = (seed + life) % 4;
            for target in 0..3 {
                stage.channel.mood(target, if u64::from(target) == sick { retry() } else { Mood::Takes });
            }
            let number = life as u32 + 1;
            let kind = if life == 0 { Kind::Alert } else { Kind::Update };
            let revision = revision(100, number, 100 + life, kind, Level::Orange, &all(3));
            stage.log.decide(&[Arc::clone(&revision)]);
            due.push(revision);
            for _ in 0..(seed * 7 + life * 3) % 40 {
                tokio::task::yield_now().await;
            }
            stage.clock.advance(Span::from_secs(1));
            stage.kill();
        }
        (0..3).for_each(|target| stage.channel.mood(target, Mood::Takes));
        stage.start();
        stage.clock.advance(Span::from_secs(60));
        until("everything has its outcome", || stage.outcomes().len() == due.len() * 3).await;
        for target in 0..3 {
            let numbers = stage.channel.numbers(target);
            assert!(numbers.is_sorted(), "seed {seed}, target {target}: {numbers:?}");
            assert_eq!(numbers.last(), Some(&6), "seed {seed}, target {target}");
        }
        let known: BTreeSet<Key> = due
            .iter()
            .flat_map(|revision| (0..3).map(|target| Key::of_delivery(&revision.id, &target_id(target), 0)))
            .collect();
        assert!(stage.channel.keys().is_subset(&known), "seed {seed}: a key that no output has");
    }
}
