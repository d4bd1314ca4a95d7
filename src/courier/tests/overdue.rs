//! What waits longer than promised is known, however it waits; what arrives in
//! time is not.

use std::sync::Arc;

use forewarn_core::level::Level;
use forewarn_core::time::Span;
use forewarn_core::warning::{About, Kind, TroubleCode, TroubleKey};

use super::doubles::{Mood, until};
use super::revision;
use super::stage::{Stage, alert, retry, update};
use crate::courier::Overdue;

async fn becomes(stage: &Stage, expected: Overdue) {
    let standing = stage.courier.as_ref().expect("started").standing();
    until(&format!("{expected:?}"), || standing.borrow().overdue == expected).await;
}

#[tokio::test]
async fn a_warning_that_does_not_arrive_is_overdue_until_it_does() {
    for mood in [retry(), Mood::Hangs] {
        let mut stage = Stage::new(2);
        stage.channel.mood(0, mood);
        stage.start();
        becomes(&stage, Overdue::No).await;
        stage.log.decide(&[alert(&[0, 1])]);
        until("the healthy target has it", || stage.channel.numbers(1) == [1]).await;
        stage.clock.advance(Span::from_secs(1));
        becomes(&stage, Overdue::NotKnown).await;
        stage.clock.advance(Span::from_secs(43));
        becomes(&stage, Overdue::NotKnown).await;
        stage.clock.advance(Span::from_secs(2));
        becomes(&stage, Overdue::Targets(1)).await;
        stage.channel.mood(0, Mood::Takes);
        stage.kill();
        // The next start does not know better at once.
        stage.start();
        stage.clock.advance(Span::from_secs(30));
        becomes(&stage, Overdue::No).await;
    }
}

#[tokio::test]
async fn a_later_revision_has_waited_as_long_as_the_one_it_overtakes() {
    let mut stage = Stage::new(1);
    stage.channel.mood(0, retry());
    stage.start();
    stage.log.decide(&[alert(&[0])]);
    until("it is tried", || !stage.channel.numbers(0).is_empty()).await;
    stage.clock.advance(Span::from_secs(1));
    becomes(&stage, Overdue::NotKnown).await;
    stage.clock.advance(Span::from_secs(40));
    stage.log.decide(&[update(&[0])]);
    until("the alert is overtaken", || stage.outcome(&alert(&[0]), 0).is_some()).await;
    stage.clock.advance(Span::from_secs(6));
    becomes(&stage, Overdue::Targets(1)).await;
}

#[tokio::test]
async fn a_trouble_that_does_not_arrive_is_none_of_itself() {
    let mut stage = Stage::new(2);
    stage.channel.mood(0, retry());
    stage.start();
    let mut trouble = (*revision(100, 1, 100, Kind::Alert, Level::Orange, &[0])).clone();
    trouble.about = About::Trouble(TroubleKey { code: TroubleCode::Undelivered, subject: String::new() });
    stage.log.decide(&[Arc::new(trouble)]);
    until("it is tried", || !stage.channel.numbers(0).is_empty()).await;
    stage.clock.advance(Span::from_secs(60));
    until("it is tried again", || stage.channel.numbers(0).len() > 1).await;
    becomes(&stage, Overdue::No).await;
}
