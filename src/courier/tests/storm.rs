//! More warnings than a person takes, through the whole courier, and the power
//! that goes in the midst of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use forewarn_core::event::Input;
use forewarn_core::ids::Key;
use forewarn_core::level::Level;
use forewarn_core::time::Span;
use forewarn_core::warning::{Kind, Outcome, Revision};

use super::doubles::{Mood, Seen, all, target_id, until};
use super::revision;
use super::stage::{Stage, retry};
use crate::config::plan::Digests;

/// As mail has it by default.
const TERMS: Digests = Digests { after: 2, every: Span::from_mins(1), members_max: 10_000 };

/// Areas of the storm; `FOREWARN_STORM_AREAS=10000` is the size that is promised.
fn areas() -> u64 {
    let told = std::env::var("FOREWARN_STORM_AREAS").ok().and_then(|number| number.parse().ok());
    told.unwrap_or(300)
}

fn alert(nth: u64, level: Level, targets: u32) -> Arc<Revision> {
    revision(1_000 + nth, 1, 1_000 + nth, Kind::Alert, level, &all(targets))
}

fn key(revision: &Revision, target: u32) -> Key {
    Key::of_delivery(&revision.id, &target_id(target), 0)
}

/// The deliveries that a message carried.
fn carried(seen: &Seen) -> Vec<Key> {
    if seen.members.is_empty() { vec![seen.key] } else { seen.members.clone() }
}

fn seen_by(stage: &Stage, target: u32) -> Vec<Seen> {
    let mine = target_id(target);
    stage.channel.seen().into_iter().filter(|seen| seen.target == mine).collect()
}

fn stage(targets: u32) -> Stage {
    let stage = Stage::new(targets);
    *stage.channel.digests.lock().unwrap() = Some(TERMS);
    stage
}

#[tokio::test]
async fn a_storm_is_three_messages_in_its_first_minute_and_then_a_digest() {
    const TARGETS: u32 = 50;
    let mut stage = stage(TARGETS);
    // One never answers, one is so slow that every attempt runs out of time.
    stage.channel.mood(0, Mood::Hangs);
    stage.channel.mood(1, retry());
    stage.start();
    let level = |nth| match nth {
        0..=4 => Level::Yellow,
        _ if nth % 3 == 0 => Level::Red,
        _ => Level::Orange,
    };
    let revisions: Vec<_> = (0..areas()).map(|nth| alert(nth, level(nth), TARGETS)).collect();
    for some in revisions.chunks(100) {
        stage.log.decide(some);
    }
    let end = stage.log.end();
    let mut standing = stage.courier.as_ref().expect("started").standing();
    standing.wait_for(|standing| standing.upto >= end).await.unwrap();
    until("the first of the healthy", || (2..TARGETS).all(|target| seen_by(&stage, target).len() == 3)).await;
    for target in 2..TARGETS {
        let seen = seen_by(&stage, target);
        assert!(seen.iter().all(|seen| seen.members.is_empty()), "singly");
        let reds: Vec<Key> =
            seen.iter().filter(|seen| seen.level == Level::Red).map(|seen| seen.key).collect();
        let first = revisions.iter().find(|it| it.level == Level::Red).expect("one");
        assert!(reds.contains(&key(first, target)), "the first of the red goes at once: {reds:?}");
    }
    // All of the first minute long nothing more comes, and then all the rest at once.
    stage.wait(Span::from_secs(59));
    until("what the healthy took is in the log", || stage.outcomes().len() >= 3 * 48).await;
    assert!((2..TARGETS).all(|target| seen_by(&stage, target).len() == 3), "three in the first minute");
    stage.wait(Span::from_secs(1));
    until("the digests", || (2..TARGETS).all(|target| seen_by(&stage, target).len() == 4)).await;
    let everything = |target| -> BTreeSet<Key> { revisions.iter().map(|it| key(it, target)).collect() };
    for target in 2..TARGETS {
        let seen = seen_by(&stage, target);
        assert_eq!((seen[3].members.len() as u64, seen[3].level), (areas() - 3, Level::Red));
        let carried: Vec<Key> = seen.iter().flat_map(carried).collect();
        assert_eq!(carried.len() as u64, areas(), "each once");
        assert_eq!(carried.into_iter().collect::<BTreeSet<_>>(), everything(target), "nothing is left out");
    }
    let decided = 48 * areas() as usize;
    until("every outcome is in the log", || stage.outcomes().len() >= decided).await;
    assert!(stage.outcomes().values().all(|outcome| *outcome == Outcome::Accepted));
    assert!(seen_by(&stage, 0).len() <= 4 && seen_by(&stage, 1).len() <= 12, "the sick are not hammered");
}

/// Tells two singly, and of forty more a digest, of which the log hears nothing.
async fn until_the_digest_is_sent(stage: &mut Stage) -> Vec<Arc<Revision>> {
    stage.start();
    let revisions: Vec<_> = (0..42).map(|nth| alert(nth, Level::Orange, 1)).collect();
    stage.log.decide(&revisions);
    stage.idle().await;
    assert_eq!(stage.outcomes().len(), 2);
    stage.channel.mood(0, Mood::Hangs);
    stage.wait(Span::from_mins(1));
    until("the digest is sent", || stage.channel.seen().len() == 3).await;
    revisions
}

#[tokio::test]
async fn lost_digest() {
    let mut stage = stage(1);
    let revisions = until_the_digest_is_sent(&mut stage).await;
    let sent = stage.channel.seen().pop().expect("the digest");
    assert_eq!(sent.members.len(), 40);
    stage.kill();
    // More is decided before anybody is there to send it.
    let more = alert(99, Level::Red, 1);
    stage.log.decide(&[Arc::clone(&more)]);
    stage.channel.mood(0, Mood::Takes);
    stage.start();
    stage.idle().await;
    stage.wait(Span::from_mins(1));
    stage.idle().await;
    let after: Vec<Seen> = stage.channel.seen().split_off(3);
    let again: Vec<&Seen> = after.iter().filter(|seen| !seen.members.is_empty()).collect();
    assert_eq!(again, [&sent], "the same digest, once more, and no other");
    let single: Vec<Key> = after.iter().filter(|seen| seen.members.is_empty()).map(|seen| seen.key).collect();
    assert_eq!(single, [key(&more, 0)]);
    assert_eq!(stage.outcomes().len(), revisions.len() + 1);
}

#[tokio::test]
async fn a_digest_of_which_half_is_in_the_log_goes_out_whole() {
    let mut stage = stage(1);
    until_the_digest_is_sent(&mut stage).await;
    let sent = stage.channel.seen().pop().expect("the digest");
    stage.kill();
    let outcome = |key: &Key| {
        let warning = super::output(0);
        let outcome = Outcome::Accepted;
        let target = forewarn_core::ids::TargetIx(0);
        Input::Outcome(forewarn_core::event::DeliveryOutcome {
            key: *key,
            warning,
            number: 1,
            target,
            outcome,
        })
    };
    stage.log.append(sent.members[..17].iter().map(outcome).collect(), vec![]);
    stage.channel.mood(0, Mood::Takes);
    stage.start();
    stage.idle().await;
    assert_eq!(stage.channel.seen().split_off(3), [sent]);
    assert_eq!(stage.outcomes().len(), 42, "and each has its outcome once");
}

/// Killed again and again, at whatever place it has come to.
#[tokio::test]
async fn killed_anywhere_in_a_storm_each_delivery_keeps_its_message() {
    for seed in 0..12_u64 {
        let mut stage = stage(2);
        let mut due = Vec::new();
        for life in 0..6_u64 {
            stage.start();
            let sick = (seed + life) % 3;
            for target in 0..2 {
                stage.channel.mood(target, if u64::from(target) == sick { retry() } else { Mood::Takes });
            }
            for nth in 0..5 {
                let warning = 1_000 + life * 10 + nth;
                let level = if nth == 3 { Level::Red } else { Level::Yellow };
                let first = revision(warning, 1, warning, Kind::Alert, level, &all(2));
                due.push(Arc::clone(&first));
                stage.log.decide(&[first]);
            }
            // The first of them goes on; its end must not come before it.
            let later = 1_000 + life * 10;
            let end = revision(later, 2, 5_000 + life, Kind::AllClear, Level::Normal, &all(2));
            due.push(Arc::clone(&end));
            for step in 0..(seed * 5 + life * 3) % 30 {
                tokio::task::yield_now().await;
                if step == 7 {
                    stage.wait(Span::from_secs(61));
                }
            }
            stage.log.decide(&[end]);
            tokio::task::yield_now().await;
            stage.kill();
        }
        (0..2).for_each(|target| stage.channel.mood(target, Mood::Takes));
        stage.start();
        for _ in 0..6 {
            stage.wait(Span::from_secs(61));
            stage.idle().await;
        }
        until("everything has its outcome", || stage.outcomes().len() == due.len() * 2).await;
        check_messages(&stage, &due, seed);
    }
}

fn check_messages(stage: &Stage, due: &[Arc<Revision>], seed: u64) {
    let known: BTreeMap<Key, &Arc<Revision>> =
        due.iter().flat_map(|it| (0..2).map(move |target| (key(it, target), it))).collect();
    let mut messages: BTreeMap<Key, Key> = BTreeMap::new();
    let mut contents: BTreeMap<Key, Vec<Key>> = BTreeMap::new();
    for target in 0..2 {
        let mut newest = BTreeMap::new();
        for seen in seen_by(stage, target) {
            let content = contents.entry(seen.key).or_insert_with(|| carried(&seen));
            assert_eq!(*content, carried(&seen), "seed {seed}: other members under the same key");
            for delivery in carried(&seen) {
                let was = messages.insert(delivery, seen.key);
                assert!(was.is_none_or(|was| was == seen.key), "seed {seed}: repeated under another key");
                let revision = known[&delivery];
                let newest = newest.entry(revision.warning).or_insert(0);
                assert!(*newest <= revision.number, "seed {seed}: an alert after its all-clear");
                *newest = revision.number;
            }
        }
        for revision in due.iter().filter(|it| it.number == 1) {
            let outcome = stage.outcome(revision, target);
            let has_end = due.iter().any(|it| it.warning == revision.warning && it.number == 2);
            let told = messages.contains_key(&key(revision, target));
            assert!(told || (has_end && outcome == Some(Outcome::Superseded)), "seed {seed}: lost");
        }
    }
}

#[tokio::test]
async fn after_a_restart_a_target_is_not_told_more_than_it_takes() {
    let mut stage = stage(1);
    stage.start();
    let revisions: Vec<_> = (0..20).map(|nth| alert(nth, Level::Yellow, 1)).collect();
    stage.log.decide(&revisions[..10]);
    stage.idle().await;
    stage.wait(Span::from_secs(20));
    stage.inbox.losing.store(true, Ordering::SeqCst);
    stage.kill();
    stage.log.decide(&revisions[10..]);
    stage.start();
    stage.idle().await;
    assert_eq!(stage.channel.seen().len(), 2, "two were told before, twenty seconds ago");
    stage.wait(Span::from_secs(40));
    until("the digest", || stage.channel.seen().len() == 3).await;
    assert_eq!(stage.channel.seen()[2].members.len(), 18);
}
