//! The real binary as a child process, to be killed as a power cut would kill it.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::common::house::{Folder, PATIENCE};

/// `forewarn run` on a folder.
#[derive(Debug)]
pub(crate) struct Running {
    process: Child,
    /// What it said on standard error, line by line; closed when it ended.
    lines: watch::Receiver<Vec<String>>,
}

impl Running {
    /// Spawns it; it may not have started yet.
    pub(crate) fn spawn(folder: &Folder, filter: &str) -> Running {
        Running::spawn_with(folder, filter, &[])
    }

    /// Spawns it with something more in its environment.
    pub(crate) fn spawn_with(folder: &Folder, filter: &str, environment: &[(&str, &str)]) -> Running {
        Running::spawn_as(folder, filter, "json", environment)
    }

    /// The same with what it says written in this format.
    pub(crate) fn spawn_as(
        folder: &Folder,
        filter: &str,
        format: &str,
        environment: &[(&str, &str)],
    ) -> Running {
        let mut process = Command::new(env!("CARGO_BIN_EXE_forewarn"))
            .envs(environment.iter().copied())
            .args(["run", "--log-format", format, "--config"])
            .arg(folder.config())
            .arg("--data")
            .arg(folder.data())
            .env("FOREWARN_LOG", filter)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary was built");
        let stderr = process.stderr.take().expect("piped");
        let (said, lines) = watch::channel(Vec::new());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                said.send_modify(|lines: &mut Vec<String>| lines.push(line));
            }
        });
        Running { process, lines }
    }

    /// Spawns it and waits until it has started.
    pub(crate) async fn start(folder: &Folder) -> Running {
        let mut running = Running::spawn(folder, "info");
        running.started().await;
        running
    }

    /// Waits until it has started.
    pub(crate) async fn started(&mut self) {
        let ok = self.has_started().await;
        assert!(ok, "the service did not start:\n{}", self.said());
    }

    /// Waits until it has started (true) or ended.
    pub(crate) async fn has_started(&mut self) -> bool {
        let is_there = |lines: &Vec<String>| lines.iter().any(|line| line.contains("\"service started\""));
        let waited = tokio::time::timeout(PATIENCE, self.lines.wait_for(is_there)).await;
        waited.is_ok_and(|found| found.is_ok())
    }

    /// Waits until it has said so many lines, or has ended.
    pub(crate) async fn has_said(&mut self, lines: usize) {
        let enough = self.lines.wait_for(|said| said.len() >= lines);
        // That it ended before is as good: whoever waits kills it anyway.
        let _ = tokio::time::timeout(PATIENCE, enough).await.expect("it goes on or ends");
    }

    /// How it ended by itself.
    pub(crate) async fn ended(mut self) -> (ExitStatus, String) {
        let closed = async { while self.lines.changed().await.is_ok() {} };
        tokio::time::timeout(PATIENCE, closed).await.expect("it ends in time");
        (self.process.wait().expect("it ended"), self.said())
    }

    /// Has it read its configuration again, and waits until it has.
    pub(crate) async fn hang_up(&mut self) {
        kill_process(self.pid(), Signal::HUP).expect("it runs");
        let is_there =
            |lines: &Vec<String>| lines.iter().any(|line| line.contains("\"configuration reloaded\""));
        let waited = tokio::time::timeout(PATIENCE, self.lines.wait_for(is_there)).await;
        let ok = waited.is_ok_and(|found| found.is_ok());
        assert!(ok, "the configuration was not reloaded:\n{}", self.said());
    }

    /// Stops it in order.
    pub(crate) async fn stop(self) {
        kill_process(self.pid(), Signal::TERM).expect("it runs");
        let (status, said) = self.ended().await;
        assert!(status.success(), "{status}:\n{said}");
    }

    /// Stops it as it stands, as `SIGSTOP` does.
    #[allow(dead_code, reason = "each test binary uses its own part")]
    pub(crate) fn suspend(&self) {
        kill_process(self.pid(), Signal::STOP).expect("it runs");
    }

    /// Kills it, and waits until nothing of it is left.
    pub(crate) fn kill(mut self) {
        self.strike();
        self.process.wait().expect("it was killed");
    }

    /// Kills it this instant.
    pub(crate) fn strike(&mut self) {
        self.process.kill().expect("it runs");
    }

    /// All that it said.
    pub(crate) fn said(&self) -> String {
        self.lines.borrow().join("\n")
    }

    /// Where it takes MQTT.
    pub(crate) fn mqtt(&self) -> SocketAddr {
        self.address("mqtt listener takes in")
    }

    fn http(&self) -> SocketAddr {
        self.address("HTTP server listens")
    }

    /// Asks by HTTP; headers are lines with their ends. The code and the body.
    pub(crate) async fn ask(&self, request: &str, headers: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.http()).await.expect("it serves");
        let length = body.len();
        let text = format!("{request} HTTP/1.0\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
        stream.write_all(text.as_bytes()).await.expect("it serves");
        let mut answer = String::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer)).await;
        read.expect("an answer in time").expect("an answer of text");
        let code = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default();
        (code, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
    }

    fn address(&self, message: &str) -> SocketAddr {
        let lines = self.lines.borrow();
        let said = lines.iter().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let mut said = said.map(|mut line| line["fields"].take());
        let fields = said.find(|fields| fields["message"] == message).expect("it has started");
        fields["address"].as_str().and_then(|address| address.parse().ok()).expect("an address")
    }

    /// How much memory it holds, in bytes.
    pub(crate) fn resident(&self) -> u64 {
        let file = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(file).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has memory");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.process)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The test is over, one way or the other.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
