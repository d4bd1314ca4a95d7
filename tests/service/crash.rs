//! The crash law: the real binary, killed at random moments under load.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::process::ExitStatusExt as _;

use forewarn::log::Record;
use forewarn_core::warning::Kind;

use crate::child::Running;
use crate::common::house::Folder;
use crate::publisher::Publisher;
use crate::recorder::{Mood, Recorder};
use crate::valley::{Gauges, counted, records, revisions, stations, valley};

/// How often it is killed in `make test`; `make torture` does so more often.
const KILLS: usize = 18;
/// Messages on their way at once.
const WINDOW: usize = 324;
/// A life that has not died after so many messages does not die.
const LIFE_MESSAGES_MAX: usize = 200_000;
/// Within so many kills a planted defect must be found.
const PLANTED_KILLS: usize = 20;
/// Gauges that go from harmless to red between two kills.
const CROSSINGS: usize = 3;

/// When it is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// The instant that the sender has so many acknowledgements of this life.
    Acknowledged(usize),
    /// When the receiver has seen so many attempts of this life.
    Attempted(usize),
    /// At so many lines of what it says while it starts.
    Starting(usize),
}

/// Numbers without pattern (xorshift64*), the same ones every time; the
/// moments they lead to are the scheduler's.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    fn moment(&mut self) -> Moment {
        match self.below(6) {
            0 => Moment::Starting(1 + self.below(7)),
            1 => Moment::Attempted(1 + self.below(6)),
            _ => Moment::Acknowledged(1 + self.below(2 * WINDOW)),
        }
    }
}

/// A river that rises gauge by gauge, and the gateway that tells of it.
struct Load {
    publisher: Publisher,
    gauges: Gauges,
    /// One area and one contact each.
    stations: Vec<String>,
    sent: usize,
    /// So many gauges are red.
    red: usize,
}

impl Load {
    fn of(publisher: Publisher, gauges: usize) -> Load {
        Load { publisher, gauges: Gauges::new(), stations: stations(gauges), sent: 0, red: 0 }
    }

    /// Keeps the window full, until the moment comes; then strikes.
    async fn until(&mut self, moment: Moment, running: &mut Running, recorder: &Recorder) {
        let (acked, seen) = (self.publisher.acked.len(), recorder.seen().len());
        self.publisher.connect(running.mqtt()).await.expect("it has started");
        self.red += CROSSINGS;
        let mut attempts = recorder.attempts();
        loop {
            while self.publisher.waiting() < WINDOW {
                self.send_next().await;
            }
            tokio::select! {
                heard = self.publisher.hear() => heard.expect("it serves until we kill it"),
                // An attempt may come before any acknowledgement: the receiver strikes at once.
                _ = attempts.changed() => {}
            }
            let over = match moment {
                Moment::Acknowledged(count) => self.publisher.acked.len() - acked >= count,
                Moment::Attempted(count) => recorder.seen().len() - seen >= count,
                Moment::Starting(_) => true,
            };
            if over {
                running.strike();
                // What it had sent before it died counts as acknowledged.
                return self.publisher.hear_out().await;
            }
        }
    }

    /// Keeps the window full until the service dies by itself, before it takes
    /// this step for the so-manieth time.
    async fn dies_before(&mut self, step: &str, passage: usize, folder: &Folder) {
        let crash = format!("{step}:{passage}");
        let mut running = Running::spawn_with(folder, "info", &[("FOREWARN_CRASH", &crash)]);
        let most = self.sent + LIFE_MESSAGES_MAX;
        self.red += 2;
        if running.has_started().await && self.publisher.connect(running.mqtt()).await.is_ok() {
            while self.sent < most {
                while self.publisher.waiting() < WINDOW && self.try_send_next().await.is_ok() {}
                if self.publisher.hear().await.is_err() {
                    break;
                }
            }
        }
        assert!(self.sent < most, "it never came to {crash}:\n{}", running.said());
        self.publisher.hear_out().await;
        let (status, said) = running.ended().await;
        assert_eq!(status.signal(), Some(6), "it was to die at {crash}: {status}\n{said}");
    }

    async fn send_next(&mut self) {
        self.try_send_next().await.expect("it serves until we kill it");
    }

    async fn try_send_next(&mut self) -> io::Result<()> {
        let number = self.sent % self.stations.len();
        let metres = if number < self.red { 60.0 } else { 50.0 };
        let station = &self.stations[number];
        // Every third gauge leaves the time to the receiver.
        let message = match number % 3 {
            2 => self.gauges.undated(station, metres),
            _ => self.gauges.dated(station, metres),
        };
        self.sent += 1;
        self.publisher.send(message).await
    }

    /// Lets it live on, until all is told.
    async fn live_on(&mut self, folder: &Folder, recorder: &Recorder) {
        let gauges = self.stations.len();
        self.red = gauges;
        recorder.turns(Mood::Accepts);
        let running = Running::start(folder).await;
        self.publisher.connect(running.mqtt()).await.expect("it has started");
        for _ in 0..gauges {
            self.send_next().await;
        }
        self.publisher.acknowledged().await;
        recorder.wait_for("an alert of each gauge", |_| recorder.accepted().len() >= gauges).await;
        running.stop().await;
    }
}

/// Nothing acknowledged is lost, nothing counts twice, no key changes, every
/// alert arrives: whenever the process dies. The tests of planted defects below
/// show that the law would find them.
#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_it_loses_and_repeats_nothing() {
    let kills = std::env::var("FOREWARN_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let gauges = kills * CROSSINGS;
    let recorder = Recorder::start(Mood::Wavers).await;
    let (folder, publisher) = valley(&recorder.url, gauges);
    let mut load = Load::of(publisher, gauges);
    let mut dice = Dice(0x00c0_ffee);
    for _ in 0..kills {
        let moment = dice.moment();
        let mut running = Running::spawn(&folder, "info");
        match moment {
            Moment::Starting(lines) => {
                running.has_said(lines).await;
                load.red += CROSSINGS;
            }
            Moment::Acknowledged(_) | Moment::Attempted(_) => {
                running.started().await;
                load.until(moment, &mut running, &recorder).await;
            }
        }
        running.kill();
    }

    load.live_on(&folder, &recorder).await;
    judge(&folder, &load, &recorder);
}

/// The same, dying of itself right before each step on a reading's way: the
/// first time it comes there, and later.
#[tokio::test(flavor = "multi_thread")]
async fn dying_at_every_step_it_loses_and_repeats_nothing() {
    let recorder = Recorder::start(Mood::Wavers).await;
    let gauges = KILLS * CROSSINGS;
    let (folder, publisher) = valley(&recorder.url, gauges);
    let mut load = Load::of(publisher, gauges);
    for round in 0..3 {
        for step in ["step", "append", "sync", "ack", "projection"] {
            load.dies_before(step, 1 + 5 * round, &folder).await;
        }
        for step in ["send", "receipt"] {
            load.dies_before(step, 1 + round.min(1), &folder).await;
        }
    }
    load.live_on(&folder, &recorder).await;
    judge(&folder, &load, &recorder);
}

/// Kills a service with a planted defect at so many moments like this one: at
/// which of them the defect was found, and what was seen of it.
async fn found(planted: &str, moment: impl Fn(&mut Dice) -> Moment) -> Option<(usize, String)> {
    let recorder = Recorder::start(Mood::Wavers).await;
    let (folder, publisher) = valley(&recorder.url, PLANTED_KILLS * CROSSINGS);
    let mut load = Load::of(publisher, PLANTED_KILLS * CROSSINGS);
    let mut dice = Dice(0x00c0_ffee);
    for kill in 1..=PLANTED_KILLS {
        let mut running = Running::spawn_with(&folder, "info", &[("FOREWARN_EARLY", planted)]);
        running.started().await;
        load.until(moment(&mut dice), &mut running, &recorder).await;
        running.kill();
        let records = records(&folder.data());
        let (lost, invented) = (lost(&load, &records), invented(&recorder, &records));
        if !lost.is_empty() || !invented.is_empty() {
            return Some((kill, format!("{} lost, {} told and never decided", lost.len(), invented.len())));
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_before_the_write_is_found() {
    let found = found("acknowledge", |dice| Moment::Acknowledged(1 + dice.below(WINDOW))).await;
    let (kill, seen) = found.expect("the law does not find the planted defect");
    assert!(seen.ends_with(" lost, 0 told and never decided"), "at kill {kill}: {seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_sent_before_it_is_written_is_found() {
    // Some of a life's attempts are of what an earlier life decided.
    let found = found("send", |dice| Moment::Attempted(1 + dice.below(6))).await;
    let (kill, seen) = found.expect("the law does not find the planted defect");
    assert!(seen.starts_with("0 lost, "), "at kill {kill}: {seen}");
}

/// Acknowledged messages that the log does not have.
fn lost<'a>(load: &'a Load, records: &[Record]) -> Vec<&'a str> {
    let counted = counted(records);
    let acked = load.publisher.acked.iter();
    acked.filter(|it| !counted.contains_key(&it.value.to_bits())).map(|it| it.payload.as_str()).collect()
}

/// Revisions that somebody was told of, and that the log never decided.
fn invented(recorder: &Recorder, records: &[Record]) -> BTreeSet<String> {
    let decided = decided(records);
    let seen = recorder.seen();
    let told = seen.iter().filter(|attempt| attempt.is_warning());
    told.map(|attempt| attempt.revision["id"].to_string()).filter(|id| !decided.contains(id)).collect()
}

fn decided(records: &[Record]) -> BTreeSet<String> {
    revisions(records).iter().map(|revision| format!("\"{}\"", revision.id.digest())).collect()
}

fn judge(folder: &Folder, load: &Load, recorder: &Recorder) {
    let gauges = load.stations.len();
    let records = records(&folder.data());
    let counted = counted(&records);
    let wrong: Vec<_> = (load.publisher.acked.iter())
        .filter_map(|message| match counted.get(&message.value.to_bits()) {
            Some(1) => None,
            times => Some((&message.payload, times.copied().unwrap_or(0))),
        })
        .collect();
    assert_eq!(load.publisher.acked.len(), load.sent, "all were acknowledged in the end");
    assert!(wrong.is_empty(), "of {} acknowledged, these count other than once: {wrong:#?}", load.sent);

    // One alert a gauge, decided once, whatever was judged again.
    let revisions = revisions(&records);
    let areas: BTreeSet<_> = revisions.iter().map(|revision| format!("{:?}", revision.about)).collect();
    assert_eq!((areas.len(), revisions.len()), (gauges, gauges), "one incident a gauge, told once");
    assert!(revisions.iter().all(|revision| revision.kind == Kind::Alert));

    // Every attempt of a key was about the same, whichever life made it, and as the log has it.
    let mut about = BTreeMap::new();
    for attempt in recorder.seen().iter().filter(|attempt| attempt.is_warning()) {
        let before = about.insert(attempt.key.clone(), attempt.revision.clone());
        assert!(before.is_none_or(|before| before == attempt.revision), "{}: told otherwise", attempt.key);
    }
    let told: BTreeSet<_> = about.values().map(|revision| revision["id"].to_string()).collect();
    assert_eq!(told, decided(&records), "what was told is what was decided");
    assert_eq!(about.len(), gauges, "one target a gauge, so one key each, and no other");

    // Only a delivery in flight at a kill may come twice.
    let again: usize = recorder.accepted().values().map(|times| times - 1).sum();
    assert!(again <= gauges, "{again} accepted deliveries came again");
}
