//! The service as a process of its own: whatever it is asked to log, no secret
//! stands there.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::house::{Folder, Receiver, WEBHOOK_SECRET, wait_for};
use crate::world::{PASSWORD, client};

#[tokio::test(flavor = "multi_thread")]
async fn the_log_holds_no_secret_however_much_it_tells() {
    let receiver = Receiver::start().await;
    let folder = Folder::new(&receiver.url, "");
    let (out, log) = (folder.path().join("out"), folder.path().join("log"));
    let mut process = Command::new(env!("CARGO_BIN_EXE_forewarn"))
        .args(["run", "--log-format", "json", "--config"])
        .arg(folder.config())
        .arg("--data")
        .arg(folder.data())
        .env("FOREWARN_LOG", "trace")
        .stdin(Stdio::null())
        .stdout(File::create(&out).expect("writable"))
        .stderr(File::create(&log).expect("writable"))
        .spawn()
        .expect("the binary was built");
    let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    let first = wait_for("the first token", || {
        read(&out).lines().find_map(|line| line.trim().strip_prefix("first_").map(|it| format!("first_{it}")))
    })
    .await;
    let ports: serde_json::Value =
        serde_json::from_str(&read(&folder.data().join("ports.json"))).expect("where it listens");
    let url = |path: &str| format!("http://{}{path}", ports["http"].as_str().expect("an address"));

    let token = Command::new(env!("CARGO_BIN_EXE_forewarn"))
        .args(["tokens", "add", "a test", "--role", "administrator", "--data"])
        .arg(folder.data())
        .output()
        .expect("the binary was built");
    assert!(token.status.success(), "{token:?}");
    let token = String::from_utf8(token.stdout).expect("text").trim().to_owned();
    let bearer = format!("Bearer {token}");
    for (path, body) in [
        ("/api/v1/commands", format!("{{\"do\": \"{PASSWORD}\"}}")),
        ("/api/v1/readings", PASSWORD.to_owned()),
        ("/setup", format!("form=x&token={first}&name={PASSWORD}&password={PASSWORD}")),
        ("/login", format!("form=x&name={PASSWORD}&password={PASSWORD}")),
    ] {
        let request = client().post(url(path)).header("authorization", &bearer).body(body);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.header("cookie", format!("forewarn={PASSWORD}")).send().await.expect("an answer");
    }
    let seen = client().get(url("/api/v1/status")).header("authorization", &bearer);
    assert_eq!(seen.send().await.expect("an answer").status(), 200);
    let stopped = Command::new(env!("CARGO_BIN_EXE_forewarn"))
        .args(["stop", "--data"])
        .arg(folder.data())
        .status()
        .expect("the binary was built");
    assert!(stopped.success());
    process.wait().expect("it ends");
    let said = read(&log);
    assert!(said.contains("service stopped"), "the log is there");
    for secret in [first.as_str(), &token, PASSWORD, WEBHOOK_SECRET] {
        assert!(!said.contains(secret), "{secret} stands in the log");
    }
}
