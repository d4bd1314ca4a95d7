//! The running service equals a replay of its own log.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use forewarn::log::{Record, load_plan};
use forewarn_core::engine::Engine;
use forewarn_core::event::{Decision, Event, Input, Output};
use forewarn_core::ids::Position;
use forewarn_core::reading::Checked;

use crate::child::Running;
use crate::common::house::Folder;
use crate::mosquitto::Mosquitto;
use crate::publisher::Publisher;
use crate::recorder::{Mood, Recorder};
use crate::valley::{Gauges, records, valley};

/// Whose decisions a replay follows.
#[derive(Debug, Clone, Copy)]
enum Replay {
    /// Those in the log, as a recovery does.
    Recorded,
    /// Its own, as if it were live.
    Own,
}

/// Two runs with a crash between them, an outage, a broker that goes and
/// comes, a reload and a sick receiver; then every record of the log again,
/// from the first on: the same decisions, flags and marks.
///
/// Shown to fail on a planted defect: with the driver stepping a microsecond
/// later than it logs (`driver/embedded/commit.rs`, `step`), the replay differs.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_equals_the_replay_of_its_own_log() {
    let Some(mut broker) = Mosquitto::open() else { return };
    let recorder = Recorder::start(Mood::Wavers).await;
    let (folder, mut publisher) = house(&recorder, &broker);
    let mut gauges = Gauges::new();

    let running = Running::start(&folder).await;
    publisher.connect(running.mqtt()).await.expect("it has started");
    publisher.deliver(gauges.dated("g-0", 57.2)).await;
    publisher.deliver(gauges.undated("g-1", 50.0)).await;
    publisher.deliver(gauges.dated("g-2", 50.0)).await;
    // Nobody speaks: told as an outage, and the warned of is blind.
    told(&recorder, "a sensor is silent", |revision| {
        revision["trouble"]["code"].as_str().is_some_and(|code| code.ends_with("-silent"))
    })
    .await;
    told(&recorder, "blind", |revision| revision["reason"] == "blind").await;
    broker.stop();
    told(&recorder, "the broker is down", |revision| revision["trouble"]["code"] == "source-down").await;
    running.kill();

    broker.go();
    let mut running = Running::start(&folder).await;
    publisher.connect(running.mqtt()).await.expect("it has started");
    publisher.deliver(gauges.dated("g-0", 58.2)).await;
    // Lower limits: what was harmless is red now.
    let limits = folder.config().join("limits.csv");
    let text = fs::read_to_string(&limits).expect("it is there");
    folder.write("limits.csv", &text.replace("56,57,58,59", "46,47,48,49"));
    running.hang_up().await;
    publisher.deliver(gauges.dated("g-1", 50.0)).await;
    publisher.deliver(gauges.undated("g-2", 50.0)).await;
    let is_red = |area: &'static str| {
        move |revision: &serde_json::Value| revision["area"]["id"] == area && revision["level"]["id"] == "red"
    };
    told(&recorder, "red under the new limits", is_red("at-g-1")).await;
    told(&recorder, "red under the new limits", is_red("at-g-2")).await;
    running.stop().await;

    let records = records(&folder.data());
    for input in ["Plan", "Source", "Outcome", "Tick", "Started"] {
        let times = records.iter().flat_map(|record| &record.inputs).filter(|it| is_named(it, input)).count();
        assert!(times >= 2, "the history has {times} of {input}");
    }
    for replay in [Replay::Recorded, Replay::Own] {
        check(&folder.data(), &records, replay);
    }
}

/// Three gauges that are awaited every second, and a broker beside the listener.
fn house(recorder: &Recorder, broker: &Mosquitto) -> (Folder, Publisher) {
    let (folder, publisher) = valley(&recorder.url, 3);
    let sensors = fs::read_to_string(folder.config().join("sensors.csv")).expect("it is there");
    folder.write("sensors.csv", &sensors.replace("5 min,30 min", "1 s,2 s"));
    let toml = fs::read_to_string(folder.config().join("forewarn.toml")).expect("it is there");
    let source = format!(
        "[sources.lora]\nmqtt = {{ url = \"mqtt://127.0.0.1:{}\", topic = \"lora/#\" }}\n\
         decode = {{ format = \"json\" }}\n",
        broker.port
    );
    folder.write("forewarn.toml", &format!("{toml}\n{source}"));
    (folder, publisher)
}

async fn told(recorder: &Recorder, what: &str, is_it: impl Fn(&serde_json::Value) -> bool) {
    recorder.wait_for(what, |seen| seen.iter().any(|attempt| is_it(&attempt.revision))).await;
}

fn is_named(input: &Input, name: &str) -> bool {
    format!("{input:?}").starts_with(name)
}

/// Steps an engine that knows nothing through the whole log.
fn check(data: &Path, records: &[Record], replay: Replay) {
    let mut engine = Engine::default();
    let mut outputs = vec![];
    for record in records {
        let mut decided: Vec<(u32, Decision)> = vec![];
        let mut flagged: Vec<Checked> = vec![];
        for (index, input) in (0..).zip(&record.inputs) {
            let event = Event {
                at: record.at,
                position: Position(record.first.0 + u64::from(index)),
                input: with_body(data, input),
            };
            match replay {
                Replay::Own => engine.step(&event, &mut outputs),
                Replay::Recorded => {
                    let recorded: Vec<_> = (record.decisions.iter())
                        .filter(|(of, _)| *of == index)
                        .map(|(_, decision)| decision.clone())
                        .collect();
                    let differs = engine.recover(&event, &recorded, &mut outputs);
                    assert!(!differs, "{replay:?}: would have decided otherwise on {event:#?}");
                }
            }
            for output in outputs.drain(..) {
                match output {
                    Output::Decision(decision) => decided.push((index, *decision)),
                    Output::Flagged(checked) => flagged.push(checked),
                }
            }
        }
        assert_eq!(decided, record.decisions, "{replay:?}: at {:?}", record.first);
        assert_eq!(flagged, record.flagged, "{replay:?}: at {:?}", record.first);
    }
}

fn with_body(data: &Path, input: &Input) -> Input {
    let mut input = input.clone();
    if let Input::Plan(plan) = &mut input {
        plan.body = Some(Arc::new(load_plan(data, plan.id).expect("the log's plans are kept")));
    }
    input
}
