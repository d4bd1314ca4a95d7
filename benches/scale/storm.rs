//! Every area crosses at once: when each of them was posted about.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::child::Service;
use crate::common::figures::Goal;
use crate::crowd::{AREA, Crowd, Size, area};
use crate::receiver::Receiver;
use crate::{CALM, READINGS, SETTLE, say};

/// Areas that cross at once, a gauge each.
const AREAS: u32 = 10_000;
/// Metres: above every limit.
const RED: f64 = 9.5;
/// How long the last posts are waited for.
const PATIENCE: Duration = Duration::from_mins(1);
/// Posts under way at once of whoever does nothing but post.
const UNDER_WAY: u32 = 64;

/// Every area crosses with one reading each.
pub(crate) async fn measure() {
    let receiver = Receiver::start(AREA).await;
    let site = Crowd::new(Size { sensors: AREAS, areas: AREAS, devices: 0 }, &receiver.url);
    let (service, _) = Service::start(&site.place()).await;
    for _ in 0..READINGS {
        service.read(0..AREAS, CALM).await;
    }
    tokio::time::sleep(SETTLE).await;
    assert_eq!(receiver.areas(), 0, "nobody is warned of nothing");
    let at_rest = service.resident_mb();
    service.forget_peak();
    let began = Instant::now();
    service.read(0..AREAS, RED).await;
    let [first, last] = wait(&receiver, began).await;
    let above = service.peak_mb() - at_rest;
    service.kill();
    let [bare_first, bare_last] = bare(&receiver.newest()).await;
    let what = format!("{AREAS} areas cross at once");
    say(&format!("{what}: first red"), "s", Goal::AtMost(0.2), first, Some(bare_first));
    say(&format!("{what}: all of them"), "s", Goal::AtMost(0.8), last, Some(bare_last));
    say(&format!("{what}: most memory above rest"), "MB", Goal::AtMost(64.0), above, None);
}

/// How many seconds after `began` the first area was posted about, and the last.
async fn wait(receiver: &Receiver, began: Instant) -> [f64; 2] {
    let deadline = Instant::now() + PATIENCE;
    while receiver.areas() < AREAS as usize {
        assert!(Instant::now() < deadline, "{} of {AREAS} areas were posted about", receiver.areas());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let came = receiver.first();
    let after = |at: Option<&Instant>| at.map_or(Duration::ZERO, |at| at.duration_since(began)).as_secs_f64();
    [after(came.values().min()), after(came.values().max())]
}

/// As many posts as long as that one, by a client that knows them beforehand.
async fn bare(post: &str) -> [f64; 2] {
    let receiver = Receiver::start(AREA).await;
    let client = reqwest::Client::new();
    let filler = " ".repeat(post.len().saturating_sub(area(0).len()));
    let began = Instant::now();
    let mut posters = JoinSet::new();
    for nth in 0..UNDER_WAY {
        let (client, url, filler) = (client.clone(), receiver.url.clone(), filler.clone());
        posters.spawn(async move {
            for n in (nth..AREAS).step_by(UNDER_WAY as usize) {
                let body = area(n) + &filler;
                client.post(&url).body(body).send().await.expect("the receiver answers");
            }
        });
    }
    posters.join_all().await;
    wait(&receiver, began).await
}
