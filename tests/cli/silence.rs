//! Silence is not safety: why a reading warned of nothing, why nothing goes
//! out, and what a warning rested on that has left since.

use std::path::PathBuf;
use std::process::Command;

use forewarn_core::time::{Span, Timestamp};
use rustix::process::Signal;
use serde_json::Value;

use crate::common::house::{Device, Folder, Receiver, level, level_at, wait_for};
use crate::{BINARY, Running, answer, device_at, forewarn, warned};

/// Sends readings of the gauge one by one, each acknowledged before the next.
async fn send(device: &mut Device, readings: &[String]) {
    for reading in readings {
        device.publish("river/qj-1", reading.clone()).await;
        device.acknowledged().await;
    }
}

fn sensors(folder: &Folder, which: &str) -> Value {
    forewarn(folder, &format!("sensors {which} --json")).check(0, &[]).json()
}

/// Of the newest to come first: the reasons why they do not count, `yes` for one that does.
fn reasons(sensor: &Value) -> Vec<&str> {
    let readings = sensor["readings"].as_array().expect("a list").iter();
    readings.map(|it| it["reason"].as_str().unwrap_or("yes")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_count_says_why_beside_the_service_and_after_it() {
    let folder = Folder::new("http://127.0.0.1:9/hook", "");
    let sheet = std::fs::read_to_string(folder.config().join("sensors.csv")).expect("readable");
    folder.write(
        "sensors.csv",
        &(sheet + "qj-2,level,二站,Second gauge,28.91,118.81,town,m,1985-national,1 min,30 min,40,80\n"),
    );
    let limits = std::fs::read_to_string(folder.config().join("limits.csv")).expect("readable");
    folder.write("limits.csv", &(limits + "qj-2/level,,,56,57,58,59,m,1985-national\n"));
    let secret = folder.add_device("gauge-1", "qj-1");
    let service = Running::start(&folder).await;
    let before = forewarn(&folder, "sensors").check(0, &["qj-1/level", "qj-2/level", "never", "unknown"]);
    assert!(!before.err.contains("does not run"), "{before:?}");

    let mut device = service.device(&secret);
    let now = forewarn::clock::wall();
    let at = |metres: f64, ago: i64| level_at("qj-1", metres, now - Span::from_mins(ago));
    send(&mut device, &[at(59.8, 60 * 25)]).await;
    let heard = sensors(&folder, "qj-1/level");
    assert_eq!(heard[0]["state"], "nothing counts", "heard is not seen: {heard:#}");
    let readings = [
        at(55.1, 2),
        at(55.1, 2),
        at(55.2, 2),
        at(59.9, 60 * 24),
        at(59.9, -60),
        at(99.0, 1),
        r#"{"station":"qj-1","levl":59.9}"#.to_owned(),
        level("qj-1", 55.3),
    ];
    send(&mut device, &readings).await;
    let expected = ["yes", "flag_fail", "future", "old", "conflict", "duplicate", "yes", "old"];
    let one = sensors(&folder, "qj-1/level");
    assert_eq!(reasons(&one[0]), expected, "{one:#}");
    assert_eq!((one[0]["level"].as_str(), one[0]["state"].as_str()), (Some("normal"), Some("reporting")));
    assert_eq!((&one[0]["newest"]["value"], &one[0]["not_judged"]["value"]), (&55.3.into(), &99.0.into()));
    assert_eq!(one[0]["rules"][0]["limits"], serde_json::json!([56.0, 57.0, 58.0, 59.0]));

    let data = folder.data();
    let quarantined = format!("forewarn quarantine show 1 --data {}", data.display());
    wait_for("the quarantine", || {
        Some(forewarn(&folder, "sensors qj-1")).filter(|it| it.out.contains(&quarantined))
    })
    .await
    .check(0, &["55.30 m", "red 59.00 m", "too old to warn", "from the future", "known already", "levl"]);
    forewarn(&folder, "sensors")
        .check(0, &["99.00 m", "not credible", "Second gauge", "quarantine list --data"]);
    forewarn(&folder, "sensors gauge-9").check(1, &["no sensor fits \"gauge-9\"", "sensors --data"]);
    assert_eq!(forewarn(&folder, "sensors gauge-9 --json").check(1, &[]).json(), serde_json::json!([]));
    let shown = forewarn(&folder, "log show 1 --json").json();
    assert_eq!(shown["first"], 1);
    let told = |position: &Value| forewarn(&folder, &format!("log show {position}")).out;
    let old = told(&one[0]["readings"][3]["position"]);
    assert!(old.contains("does not count: too old to warn"), "{old}");

    // The first to install it wins; another test may have done so already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let metrics = reqwest::get(format!("http://{}/metrics", service.listening.http)).await.expect("served");
    let metrics = metrics.text().await.expect("text");
    for (reason, times) in
        [("duplicate", 1), ("conflict", 1), ("old", 2), ("future", 1), ("flag_fail", 1), ("out_of_order", 0)]
    {
        let line = format!("forewarn_readings_not_judged_total{{reason=\"{reason}\"}} {times}\n");
        assert!(metrics.contains(&line), "{line} in {metrics}");
    }

    service.signal(Signal::TERM);
    assert_eq!(service.ended().await, 0);
    assert_eq!(reasons(&sensors(&folder, "qj-1/level")[0]), expected);
    forewarn(&folder, "sensors qj-1/level").check(0, &["the service does not run on", "as of"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_keeps_the_names_of_what_has_left_the_plan() {
    let receiver = Receiver::start().await;
    let folder = Folder::new(&receiver.url, "");
    let secret = folder.add_device("gauge-1", "qj-1");
    let service = Running::start(&folder).await;
    device_at(&service, &secret, 59.1).await;
    let row = warned(&folder, "flood@town", "alert").await;
    for file in ["sensors.csv", "limits.csv", "devices.csv"] {
        let text = std::fs::read_to_string(folder.config().join(file)).expect("readable");
        folder.write(file, &text.replace("qj-1", "qj-7"));
    }
    forewarn(&folder, "reload").check(0, &["reloaded"]);
    let id = row["id"].as_str().expect("an id");
    let shown = forewarn(&folder, &format!("warnings show {id}"));
    let shown = shown.check(0, &["qj-1/level", "reads 59.10 m above 1985-national", "limit of 59.00 m"]);
    assert!(!shown.out.contains('#'), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_directory_says_so_and_how_it_is_let_go() {
    let folder = Folder::new("http://127.0.0.1:9/hook", "");
    let service = Running::start(&folder).await;
    service.signal(Signal::TERM);
    assert_eq!(service.ended().await, 0);
    let (backup, data) = (folder.path().join("backup"), folder.data());
    let to = backup.display();
    forewarn(&folder, &format!("backup --to {to}")).check(0, &["backed up"]);
    std::fs::remove_dir_all(&data).expect("its owner");
    let resume = format!("forewarn resume --data {}", data.display());
    forewarn(&folder, &format!("restore --from {to}")).check(0, &[&resume]);

    let service = Running::start(&folder).await;
    let greeting = || std::fs::read_to_string(folder.path().join("stdout")).expect("readable");
    wait_for("the greeting", || greeting().contains("HELD").then_some(())).await;
    assert!(greeting().contains(&resume), "{}", greeting());
    forewarn(&folder, "health").check(1, &["held", &resume]);
    forewarn(&folder, "resume").check(0, &["resumed"]);
    service.signal(Signal::TERM);
    assert_eq!(service.ended().await, 0);
    let service = Running::start(&folder).await;
    wait_for("the greeting", || greeting().contains("stop").then_some(())).await;
    assert!(!greeting().contains("HELD"), "{}", greeting());
    drop(service);
}

/// What README tells an integrator to send, with the time of now.
fn told_to_send() -> String {
    let readme = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(readme).expect("readable");
    let line = readme.lines().find(|line| line.contains("-m '{\"station\"")).expect("a reading to send");
    let (head, tail) =
        line.trim().trim_start_matches("-m '").split_once("'$(date -u +%FT%TZ)'").expect("a time");
    let now = Timestamp(forewarn::clock::wall().0);
    format!("{head}{}{}", forewarn::channels::show::rfc3339_utc(now), tail.trim_end_matches('\''))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reading_of_the_readme_warns_on_the_example() {
    let example = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config");
    let folder = Folder::new("http://127.0.0.1:9/hook", "");
    std::fs::remove_dir_all(folder.config()).expect("its owner");
    let copied = Command::new("cp").arg("-r").arg(example).arg(folder.config()).status().expect("cp runs");
    assert!(copied.success());
    let toml = std::fs::read_to_string(folder.config().join("forewarn.toml")).expect("readable");
    let any_port = toml.replace("127.0.0.1:1883", "127.0.0.1:0").replace("127.0.0.1:8080", "127.0.0.1:0");
    // Nobody takes mail there.
    folder.write("forewarn.toml", &any_port.replace("port = 1025", "port = 9"));
    let service = Running::start(&folder).await;
    let mut add = Command::new(BINARY);
    add.args(["devices", "add", "gauge-1", "--stations", "qj-01", "--config"]).arg(folder.config());
    let secret = answer(add).check(0, &["qj-01"]).out.trim().to_owned();
    forewarn(&folder, "reload").check(0, &["reloaded"]);
    let mut device = service.device(&secret);
    device.publish("river/qj-01", told_to_send()).await;
    device.acknowledged().await;
    let row = warned(&folder, "flood@upper", "alert").await;
    assert_eq!(row["newest"]["level"], "red");
}
