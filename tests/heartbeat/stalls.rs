//! P14: each stage stands still or ends in turn, or the whole process does, and
//! whoever listens outside fires within three rounds: 180 s of the service's own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::child::Running;
use crate::common::house::{Receiver, wait_for};
use crate::detector::{Detector, FIRES_AFTER_ROUNDS};
use crate::report;

/// A round in this test. In service it is a minute.
const ROUND: Duration = Duration::from_secs(2);

/// What is promised, in rounds.
const PROMISED_ROUNDS: f64 = 3.0;

/// Stops come at so many places of a round; no divisor of how many kinds there are.
const PHASES: usize = 7;

/// Trials at once: each has a service of its own.
const AT_ONCE: usize = 5;

/// The steps of the canary's way, as `src/crash.rs` calls them.
const STEPS: [&str; 10] =
    ["canary", "step", "append", "sync", "ack", "projection", "courier", "send", "heartbeat", "receipt"];

/// Steps that come after the heartbeat of a round: they stand still once one more
/// has left.
const BEHIND: [&str; 2] = ["ack", "receipt"];

/// One way to bring the service to a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stop {
    /// A step waits for what never comes.
    Hang(&'static str),
    /// The thread or task of a step ends.
    Drop(&'static str),
    /// The process is stopped as it stands.
    Process,
}

fn stops() -> Vec<Stop> {
    let hangs = STEPS.into_iter().map(Stop::Hang);
    // One that ends after its heartbeat was taken is a receipt that is lost: it is
    // sent again, and so it goes on, as it should.
    let drops = STEPS.into_iter().filter(|step| *step != "receipt").map(Stop::Drop);
    hangs.chain([Stop::Process]).chain(drops).collect()
}

/// How many rounds after the stop the detector fired; it comes at this phase of a round.
async fn trial(stop: Stop, phase: f64) -> f64 {
    let detector = Detector::start().await;
    let operator = Receiver::start().await;
    let folder = detector.folder(&operator.url, ROUND);
    let asks = folder.path().join("stall");
    let mut running =
        Running::spawn_with(&folder, "info", &[("FOREWARN_STALL", asks.to_str().expect("text"))]);
    running.started().await;
    let heard = detector.hears(2).await;
    let due = heard[1].at + ROUND.mul_f64(phase);
    wait_for("the phase of the round", || (Instant::now() >= due).then_some(())).await;
    let ask = |what: String| {
        // In one piece: half a word asks for nothing.
        let whole = folder.path().join("stall.whole");
        std::fs::write(&whole, what).expect("writable");
        std::fs::rename(whole, &asks).expect("writable");
    };
    let asked = Instant::now();
    let step = match stop {
        Stop::Hang(step) => {
            ask(format!("{step} hang"));
            step
        }
        Stop::Drop(step) => {
            ask(format!("{step} drop"));
            step
        }
        Stop::Process => {
            running.suspend();
            ""
        }
    };
    let stopped = if BEHIND.contains(&step) {
        let beats = wait_for("the heartbeat before it", || {
            let beats = detector.beats();
            beats.last().is_some_and(|beat| beat.at > asked).then_some(beats)
        });
        beats.await.last().expect("it was just heard").at
    } else {
        asked
    };
    let fired = detector.fires(ROUND).await;
    assert_eq!(detector.wrong(), 0, "{stop:?}: a heartbeat was not signed, or did not count");
    fired.duration_since(stopped).as_secs_f64() / ROUND.as_secs_f64()
}

/// `FOREWARN_STALLS` says how many trials; by default each kind of stop once.
fn trials() -> usize {
    std::env::var("FOREWARN_STALLS").ok().and_then(|count| count.parse().ok()).unwrap_or(stops().len())
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_stage_stands_still_the_detector_fires_in_time() {
    if !cfg!(debug_assertions) {
        return;
    }
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for (nth, stop) in stops().into_iter().cycle().take(trials()).enumerate() {
        let phase = (nth % PHASES) as f64 / PHASES as f64;
        let permits = Arc::clone(&permits);
        running.spawn(async move {
            let _permit = permits.acquire_owned().await.expect("nobody closes it");
            (stop, trial(stop, phase).await)
        });
    }
    let mut latest: BTreeMap<Stop, f64> = BTreeMap::new();
    let mut count = 0;
    while let Some(trial) = running.join_next().await {
        let (stop, rounds) = trial.expect("no trial fails");
        let worst = latest.entry(stop).or_default();
        *worst = worst.max(rounds);
        count += 1;
    }
    for (stop, rounds) in &latest {
        let (after, promised) = (rounds * 60.0, PROMISED_ROUNDS * 60.0);
        report(&format!("{stop:?}: fired after {after:.0} s of {promised:.0} s"));
    }
    let worst = latest.values().copied().fold(0.0, f64::max);
    let latest_secs = worst * 60.0;
    report(&format!("{count} trials, the detector fired in each, at the latest after {latest_secs:.0} s"));
    assert_eq!(latest.len(), stops().len().min(trials()));
    assert!(worst <= PROMISED_ROUNDS, "{latest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_well_lets_no_detector_fire() {
    let detector = Detector::start().await;
    let operator = Receiver::start().await;
    let folder = detector.folder(&operator.url, ROUND);
    let running = Running::start(&folder).await;
    let beats = detector.hears(6).await;
    let longest = beats.windows(2).map(|pair| pair[1].at - pair[0].at).max().expect("some");
    assert!(longest < ROUND.mul_f64(FIRES_AFTER_ROUNDS), "{longest:?}");
    running.stop().await;
}
