//! The audit trail of a service that warns, dies and goes on.

use std::fs;
use std::process::{Command, Output};

use crate::common::house::{Folder, wait_for};
use crate::recorder::{Mood, Recorder};
use crate::restart::next_life;
use crate::valley::{Gauges, outcomes, valley};

fn forewarn(folder: &Folder, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forewarn"));
    command.args(words).arg("--data").arg(folder.data());
    command.output().expect("the binary was built")
}

fn listed(folder: &Folder) -> Vec<serde_json::Value> {
    let output = forewarn(folder, &["audit", "list", "--json", "--limit", "1000"]);
    let newest_first: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    newest_first.into_iter().rev().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_stands_in_the_trail_once_and_an_edit_is_found() {
    let recorder = Recorder::start(Mood::Accepts).await;
    let (folder, mut publisher) = valley(&recorder.url, 1);
    let mut gauges = Gauges::new();
    let running = next_life(&folder, &mut publisher).await;
    publisher.deliver(gauges.dated("g-0", 57.2)).await;
    recorder.wait_for_told(1).await;
    wait_for("the outcome in the log", || (outcomes(&folder.data()) > 0).then_some(())).await;
    // Its last second is on no disk but the log's.
    running.kill();

    let running = next_life(&folder, &mut publisher).await;
    let cancelled = forewarn(&folder, &["warnings", "cancel", "flood@at-g-0", "--reason", "a faulty gauge"]);
    assert!(cancelled.status.success(), "{}", String::from_utf8_lossy(&cancelled.stderr));
    recorder.wait_for_told(2).await;
    running.stop().await;

    let lines = listed(&folder);
    let count = |what: &str| lines.iter().filter(|line| line["what"] == what).count();
    let counts = ["started", "incident", "revision", "command-cancel"].map(count);
    assert_eq!(counts, [2, 2, 2, 1], "{lines:#?}");
    assert!(count("delivery-accepted") >= 1);
    let command = lines.iter().find(|line| line["what"] == "command-cancel").expect("it is there");
    assert_eq!(command["by"], "shell:shell (administrator)");
    assert_eq!((&command["about"], &command["says"]), (&"flood/at-g-0".into(), &"a faulty gauge".into()));
    let verified = forewarn(&folder, &["audit", "verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));

    let trail = folder.data().join("audit/0000000001.jsonl");
    let text = fs::read_to_string(&trail).expect("the trail");
    fs::write(&trail, text.replace("a faulty gauge", "all is well")).expect("the trail");
    let verified = forewarn(&folder, &["audit", "verify"]);
    assert!(!verified.status.success());
    let said = String::from_utf8_lossy(&verified.stdout);
    assert!(said.contains("its hash does not follow"), "{said}");
}
