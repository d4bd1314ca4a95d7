//! The commands as people type them: the real binary, beside a real service.

mod common;
#[path = "cli/silence.rs"]
mod silence;
#[path = "cli/strangers.rs"]
mod strangers;

use std::path::PathBuf;
use std::process::{Child, Command};

use axum::http::StatusCode;
use common::house::{Device, Folder, Receiver, level, wait_for};
use forewarn::app::listening::Listening;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_forewarn");

/// What a command printed, and its exit code.
#[derive(Debug)]
struct Answer {
    code: i32,
    out: String,
    err: String,
}

impl Answer {
    /// Checks the exit code and that each part stands in what was printed.
    #[track_caller]
    fn check(self, code: i32, parts: &[&str]) -> Answer {
        let all = format!("{}{}", self.out, self.err);
        assert_eq!(self.code, code, "{self:#?}");
        parts.iter().for_each(|part| assert!(all.contains(part), "expected {part:?} in:\n{all}"));
        self
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

/// Runs a command on a folder's data, with no configuration at hand unless it says so.
fn forewarn(folder: &Folder, line: &str) -> Answer {
    let mut command = Command::new(BINARY);
    command.args(line.split(' ')).arg("--data").arg(folder.data());
    answer(command)
}

fn answer(mut command: Command) -> Answer {
    let done = command.env_remove("FOREWARN_CONFIG").env_remove("FOREWARN_DATA").output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Answer { code: done.status.code().expect("no signal"), out: text(done.stdout), err: text(done.stderr) }
}

/// `forewarn run`, until dropped.
struct Running {
    child: Child,
    listening: Listening,
    log: PathBuf,
}

impl Running {
    async fn start(folder: &Folder) -> Running {
        let log = folder.path().join("stderr");
        let file = std::fs::File::create(&log).expect("writable");
        let greeting = std::fs::File::create(folder.path().join("stdout")).expect("writable");
        let child = Command::new(BINARY)
            .args(["run", "--config"])
            .arg(folder.config())
            .arg("--data")
            .arg(folder.data())
            .stdout(greeting)
            .stderr(file)
            .spawn()
            .expect("it starts");
        let mut running = Running {
            listening: Listening { pid: 0, http: ([127, 0, 0, 1], 0).into(), mqtt: None, mqtt_tls: None },
            child,
            log,
        };
        let pid = running.child.id();
        running.listening = wait_for("ports.json", || {
            if let Some(ended) = running.child.try_wait().expect("a child of ours") {
                panic!("it ended, {ended}: {}", running.said());
            }
            // One of an earlier run names another process.
            Listening::read(&folder.data()).ok().flatten().filter(|it| it.pid == pid)
        })
        .await;
        running
    }

    fn device(&self, secret: &str) -> Device {
        Device::connect(self.listening.mqtt.expect("the listener is on"), "gauge-1", secret)
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// What it logged so far.
    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).expect("readable")
    }

    /// Its exit code, once it has ended by itself.
    async fn ended(mut self) -> i32 {
        let status = wait_for("its end", || self.child.try_wait().expect("a child of ours")).await;
        status.code().unwrap_or_else(|| panic!("ended by a signal: {}", self.said()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already, and the test is over either way.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until a list of warnings has one of this kind about this.
async fn warned(folder: &Folder, about: &str, kind: &str) -> Value {
    wait_for(about, || {
        let listed = forewarn(folder, "warnings list --json");
        let rows: Value = serde_json::from_str(&listed.out).ok()?;
        let mut rows = rows.as_array().cloned().unwrap_or_default().into_iter();
        rows.find(|row| row["about"] == about && row["newest"]["kind"] == kind)
    })
    .await
}

#[test]
fn the_allocator_is_set_as_the_build_says_and_hears_its_variable() {
    let built = include_str!("../.cargo/config.toml").lines();
    let set = built.last().and_then(|line| line.split('"').nth(1)).expect("a setting");
    let mut command = Command::new(BINARY);
    command.arg("--version").env("MALLOC_CONF", "confirm_conf:true");
    answer(command).check(0, &[set, "confirm_conf:true"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_service_knows_is_read_beside_it() {
    let receiver = Receiver::start().await;
    let folder = Folder::new(&receiver.url, "");
    let secret = folder.add_device("gauge-1", "qj-1");
    let service = Running::start(&folder).await;
    for (line, said) in [("warnings list", "no warnings"), ("warnings list --json", "[]")] {
        let answer = forewarn(&folder, line);
        // This machine's own disk may be low, and is told then.
        if !answer.out.contains("disk-low") {
            answer.check(1, &[said]);
        }
    }
    forewarn(&folder, "quarantine list").check(1, &["all that came in was understood"]);

    let mut device = service.device(&secret);
    device.publish("river/qj-1", level("qj-1", 59.1)).await;
    device.publish("river/qj-1", "\u{1b}[31m{\"level\":").await;
    device.acknowledged().await;

    let row = warned(&folder, "flood@town", "alert").await;
    let id = row["id"].as_str().expect("an id");
    assert_eq!((row["newest"]["level"].as_str(), row["place"].as_str()), (Some("red"), Some("Qujiang town")));
    let listed = forewarn(&folder, "warnings").check(0, &[&id[..8], "red", "standing", "+08:00"]);
    assert!(!listed.out.contains('\u{1b}'), "a pipe gets no colours: {listed:?}");
    receiver.wait_for("the alert", |got| !got.is_empty()).await;
    let accepted =
        || Some(forewarn(&folder, &format!("warnings show {id}"))).filter(|it| it.out.contains("accepted"));
    let shown = wait_for("the outcome", accepted).await;
    shown.check(0, &["59.10 m", "limit of 59.00 m", "1985-national", "duty by webhook", "Actual"]);
    forewarn(&folder, &format!("warnings show {}", &id[..6])).check(0, &[id]);
    let whole = forewarn(&folder, &format!("warnings show {id} --json")).check(0, &[]).json();
    assert_eq!(whole["deliveries"][0]["contact"], "duty");
    assert_eq!(whole["revisions"][0]["evidence"][0]["sensor"], "qj-1/level");
    forewarn(&folder, "warnings show ffffffffffffffffffffffffffffffff").check(1, &["no warning"]);
    forewarn(&folder, "warnings dead").check(1, &["no delivery was given up"]);

    let one = wait_for("the quarantine", || {
        Some(forewarn(&folder, "quarantine list --json")).filter(|it| it.code == 0)
    })
    .await;
    assert_eq!(one.json()[0]["topic"], "river/qj-1");
    forewarn(&folder, "quarantine").check(0, &["river/qj-1", "listener"]);
    let shown =
        forewarn(&folder, "quarantine show 1").check(0, &["is not JSON, expected a value", "1b 5b 33 31 6d"]);
    assert!(!shown.out.contains('\u{1b}'), "a stranger's bytes steer no terminal: {shown:?}");
    forewarn(&folder, "quarantine show 9").check(1, &["no 9 in quarantine"]);

    forewarn(&folder, "log list").check(0, &["log/0000000000000001.seg", "1 to "]);
    forewarn(&folder, "log verify").check(0, &["every checksum holds"]);
    forewarn(&folder, "log show 1").check(0, &["the service started"]);
    forewarn(&folder, "log show 999999").check(1, &["no record holds position 999999"]);
    let begin = |from: u64| forewarn(&folder, &format!("log show {from}")).out;
    let told = (1..40).map(begin).find(|text| text.contains("59.10 m")).expect("the reading's record");
    for part in ["qj-1/level 59.10 m", "flag 1", "incident flood@town is active at red", "to duty by webhook"]
    {
        assert!(told.contains(part), "expected {part:?} in:\n{told}");
    }

    // Of the troubles only the disk's is the machine's own, and may stand here.
    forewarn(&folder, "health").check(0, &["ready", "trouble", "1 sensor", "1 incident"]);
    forewarn(&folder, "health --live").check(0, &["alive"]);
    let health = forewarn(&folder, "health --json").check(0, &[]).json();
    assert_eq!((&health["ready"], &health["troubles"]["reload-refused"]), (&true.into(), &Value::Null));
    // Whoever names another directory is not answered by this service.
    let elsewhere = folder.data().with_file_name("elsewhere");
    let mut health = Command::new(BINARY);
    health.args(["health", "--config"]).arg(folder.config()).arg("--data").arg(elsewhere);
    answer(health).check(3, &["the service is not running", "elsewhere/ports.json is not there"]);
    forewarn(&folder, "warnings list --limit 0").check(2, &["expected a whole number from 1"]);
    forewarn(&folder, "sensors").check(0, &["qj-1/level", "red"]);
    let log = std::fs::read_to_string(&service.log).expect("the service's log");
    assert!(!log.contains("control connection broke"), "a look is no fault: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_something_goes_through_the_running_service() {
    let receiver = Receiver::start().await;
    let folder = Folder::new(&receiver.url, "");
    let secret = folder.add_device("gauge-1", "qj-1");
    let service = Running::start(&folder).await;

    let mut second = Command::new(BINARY);
    second.args(["run", "--config"]).arg(folder.config()).arg("--data").arg(folder.data());
    let refused = answer(second).check(4, &["is in use by process"]);
    assert!(refused.err.contains(&service.child.id().to_string()), "{refused:?}");
    forewarn(&folder, "health").check(0, &["ready"]);

    forewarn(&folder, "notify-test --contact nobody").check(4, &["no contact \"nobody\""]);
    forewarn(&folder, "notify-test --target nothing").check(4, &["no target has the id \"nothing\""]);
    forewarn(&folder, "resume").check(4, &["it is not held"]);
    forewarn(&folder, "notify-test --wait 2weeks").check(2, &["expected a length of time"]);
    forewarn(&folder, "notify-test --contact duty --note drill")
        .check(0, &["1 target", "duty by webhook: delivered"]);
    let got = receiver.wait_for("the test", |got| !got.is_empty()).await;
    assert!(got[0].body.to_string().contains("Exercise"), "{:#}", got[0].body);
    let row = warned(&folder, "test of notification", "alert").await;
    forewarn(&folder, "warnings").check(0, &["[exercise] test of notification"]);
    let id = row["id"].as_str().expect("an id");
    let target = forewarn(&folder, &format!("warnings show {id} --json")).json();
    let target = target["deliveries"][0]["target"].as_str().expect("an opaque id").to_owned();
    forewarn(&folder, &format!("notify-test --target {target} --wait 0s")).check(0, &["1 target"]);
    receiver.wait_for("the second test", |got| got.len() == 2).await;

    device_at(&service, &secret, 59.1).await;
    warned(&folder, "flood@town", "alert").await;
    forewarn(&folder, "resume --dry-run")
        .check(0, &["it is not held", "1 incident stands", "flood@town red"]);
    forewarn(&folder, "warnings cancel flood@nowhere --reason slip").check(4, &["is no incident"]);
    forewarn(&folder, "warnings cancel flood@town --reason slip").check(0, &["its targets are told"]);
    warned(&folder, "flood@town", "cancel").await;
    forewarn(&folder, "warnings resend 0123").check(4, &["no dead delivery"]);

    let id = warned(&folder, "flood@town", "cancel").await["id"].as_str().expect("an id").to_owned();
    forewarn(&folder, &format!("warnings show {id}")).check(0, &["acknowledged", "by nobody"]);
    let ack = |whom: &str| forewarn(&folder, &format!("warnings ack {} --as {whom}", &id[..10]));
    ack("it").check(4, &["contact \"it\" was not told of it"]);
    ack("duty").check(0, &["acknowledged for duty"]);
    ack("duty").check(0, &["had acknowledged it before"]);
    forewarn(&folder, "warnings ack ffffffff --as duty")
        .check(1, &["no warning \"ffffffff\"", "expected an id of"]);
    forewarn(&folder, &format!("warnings show {id}")).check(0, &["revision 2 by duty by webhook"]);

    forewarn(&folder, "stop").check(0, &["stopped"]);
    assert_eq!(service.ended().await, 0);
    for line in ["stop", "reload", "resume", "notify-test", "warnings all-clear flood@town --reason x"] {
        forewarn(&folder, line).check(3, &["expected a running service"]);
    }
    let mut health = Command::new(BINARY);
    health.args(["health", "--config"]).arg(folder.config()).arg("--data").arg(folder.data());
    let health = answer(health).check(3, &["the service is not running", "data/ports.json is not there"]);
    assert!(!health.err.contains(":0/"), "no port that nobody can ask: {health:?}");
    forewarn(&folder, "warnings list").check(0, &["flood@town", "cancel 2, in-error"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_of_notification_says_who_was_not_reached_and_why() {
    let receiver = Receiver::start().await;
    let folder = Folder::new(&receiver.url, "");
    // Bound and never listened to: whoever connects is refused.
    let nobody = tokio::net::TcpSocket::new_v4().expect("a socket");
    nobody.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let closed = nobody.local_addr().expect("an address");
    folder.write(
        "contacts.csv",
        &format!(
            "id,name,roles,area,language,email,webhook,min_level,hours\n\
             it,IT,it,,en,,http://{closed}/hook?token=hush,,\n\
             duty,Duty,duty,town,en,,{},,\n",
            receiver.url
        ),
    );
    let service = Running::start(&folder).await;
    let cause = format!("it by webhook: failed so far, it is tried again: {closed}: connection refused");
    let said = forewarn(&folder, "notify-test --contact it --contact duty --wait 2s")
        .check(4, &["2 targets", &cause, "duty by webhook: delivered"]);
    assert!(!format!("{said:?}").contains("hush"), "{said:?}");
    let id = warned(&folder, "test of notification", "alert").await["id"].as_str().expect("an id").to_owned();
    let shown = forewarn(&folder, &format!("warnings show {id}"));
    assert!(shown.out.contains(&format!("{closed}: connection refused")), "{shown:?}");
    assert!(!shown.out.contains("hush"), "{shown:?}");
    forewarn(&folder, "stop").check(0, &["stopped"]);
    assert_eq!(service.ended().await, 0);
}

async fn device_at(service: &Running, secret: &str, metres: f64) {
    let mut device = service.device(secret);
    device.publish("river/qj-1", level("qj-1", metres)).await;
    device.acknowledged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_faulty_reload_leaves_the_old_configuration_in_force() {
    let receiver = Receiver::start().await;
    let folder = Folder::new(&receiver.url, "");
    let secret = folder.add_device("gauge-1", "qj-1");
    let service = Running::start(&folder).await;
    let routes = std::fs::read_to_string(folder.config().join("routes.toml")).expect("readable");
    folder.write("routes.toml", &routes.replace("hazard", "hazzard"));

    service.signal(Signal::HUP);
    warned(&folder, "reload-refused: configuration", "alert").await;
    // A trouble that stands is told, and is no reason for a restart.
    forewarn(&folder, "health").check(0, &["ready", "reload-refused"]);
    let health = forewarn(&folder, "health --json").check(0, &[]).json();
    assert_eq!((&health["ready"], &health["troubles"]["reload-refused"]), (&true.into(), &1.into()));
    wait_for("the fault in the log", || service.said().contains("routes.toml:1").then_some(())).await;
    forewarn(&folder, "reload").check(2, &["routes.toml:1", "hazzard"]);
    device_at(&service, &secret, 59.1).await;
    warned(&folder, "flood@town", "alert").await;

    folder.write("routes.toml", &routes);
    forewarn(&folder, "reload").check(0, &["reloaded"]);
    warned(&folder, "reload-refused: configuration", "all-clear").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_by_signal_is_orderly_and_the_next_start_goes_on() {
    let receiver = Receiver::start().await;
    let folder = Folder::new(&receiver.url, "");
    let secret = folder.add_device("gauge-1", "qj-1");
    receiver.answer_with(StatusCode::SERVICE_UNAVAILABLE);
    let service = Running::start(&folder).await;
    device_at(&service, &secret, 59.1).await;
    let row = warned(&folder, "flood@town", "alert").await;
    service.signal(Signal::TERM);
    assert_eq!(service.ended().await, 0);
    assert_eq!(Listening::read(&folder.data()).expect("readable"), None);
    let shown = format!("warnings show {}", row["id"].as_str().expect("an id"));
    let queued = forewarn(&folder, &format!("{shown} --json")).check(0, &["queued"]).json();

    receiver.answer_with(StatusCode::NO_CONTENT);
    let service = Running::start(&folder).await;
    let got = receiver.wait_for("the alert", |got| !got.is_empty()).await;
    assert_eq!(got[0].id, queued["deliveries"][0]["key"].as_str().expect("a key"));
    service.signal(Signal::INT);
    assert_eq!(service.ended().await, 0);
}

#[test]
fn a_faulty_configuration_does_not_start_and_names_its_faults() {
    let folder = Folder::new("http://127.0.0.1:9/hook", "bogus = 1");
    folder.write("routes.toml", "route = [{ hazzard = \"flood\" }]");
    let mut run = Command::new(BINARY);
    run.args(["run", "--config"]).arg(folder.config()).arg("--data").arg(folder.data());
    answer(run).check(2, &["forewarn.toml:", "bogus", "routes.toml:1", "hazzard"]);
    forewarn(&folder, "warnings list").check(4, &["no log here"]);
    let mut nowhere = Command::new(BINARY);
    nowhere.args(["warnings", "list", "--config"]).arg(folder.path().join("nothing"));
    answer(nowhere).check(2, &["forewarn.toml", "--data DIR"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_faulty_configuration_leaves_a_data_directory_as_it_was() {
    let folder = Folder::new("http://127.0.0.1:9/hook", "");
    let service = Running::start(&folder).await;
    service.signal(Signal::TERM);
    assert_eq!(service.ended().await, 0);
    let log = || std::fs::read(folder.data().join("log/0000000000000001.seg")).expect("readable");
    let before = log();
    // A word that nobody knows, and one that only a build finds to lead nowhere.
    for (route, fault) in [
        ("hazzard = \"flood\"", "hazzard"),
        ("hazard = \"flood\", level = \"blue..red\", to = \"nobody\", via = [\"webhook\"]", "nobody"),
    ] {
        folder.write("routes.toml", &format!("route = [{{ {route} }}]"));
        let mut run = Command::new(BINARY);
        run.args(["run", "--config"]).arg(folder.config()).arg("--data").arg(folder.data());
        answer(run).check(2, &["routes.toml:1", fault]);
        assert!(log() == before, "{fault}");
    }
    forewarn(&folder, "log verify").check(0, &["every checksum holds"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rot_in_the_log_is_found_and_named() {
    let folder = Folder::new("http://127.0.0.1:9/hook", "");
    let service = Running::start(&folder).await;
    service.signal(Signal::TERM);
    assert_eq!(service.ended().await, 0);
    forewarn(&folder, "log verify").check(0, &["every checksum holds"]);

    let file = folder.data().join("log/0000000000000001.seg");
    let sound = std::fs::read(&file).expect("readable");
    // Every frame begins so. The last record was durable, and was not torn while it was written.
    let begins = |at: &usize| sound[*at..].starts_with(b"FWR1");
    let first = (0..sound.len()).find(begins).expect("there is a record");
    let last = (0..sound.len()).rfind(begins).expect("there is a record");
    assert!(first < last);
    for (at, missing) in [(first, false), (last, true)] {
        let mut bytes = sound.clone();
        // Within the body.
        bytes[at + 36] ^= 1;
        std::fs::write(&file, bytes).expect("writable");
        let parts = ["0000000000000001.seg", "bytes from", "do not read back", "rot in 1 place"];
        let found = forewarn(&folder, "log verify").check(4, &parts);
        assert_eq!(found.out.contains("are missing at the end"), missing, "{found:?}");
        let found = forewarn(&folder, "log verify --json").check(4, &[]).json();
        assert_eq!(found["rot"].as_array().map(Vec::len), Some(1), "{found:#}");
        assert_eq!(found["missing"].is_object(), missing, "{found:#}");
    }
    // An end that reads as if it had never been written is no better.
    let mut bytes = sound.clone();
    bytes[last..].fill(0);
    std::fs::write(&file, bytes).expect("writable");
    forewarn(&folder, "log verify").check(4, &["are missing at the end", "the end is missing"]);
    std::fs::write(&file, sound).expect("writable");
    forewarn(&folder, "log verify").check(0, &["every checksum holds"]);
}
