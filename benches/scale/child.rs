//! The released binary as a child process, looked at from outside.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::cpu;
use crate::crowd::{TOKEN, TOKEN_VARIABLE, station};
use crate::site::Site;

/// A service that is not ready by then will not be.
const START_MAX: Duration = Duration::from_mins(2);
/// Readings of one request.
const A_REQUEST: u32 = 5_000;

/// Where a service finds what it needs, and is found.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) config: PathBuf,
    pub(crate) data: PathBuf,
    /// Where it serves HTTP.
    pub(crate) http: u16,
}

impl From<&Site> for Place {
    fn from(site: &Site) -> Place {
        Place { config: site.config(), data: site.data(), http: site.http }
    }
}

/// A running service; it ends with this.
pub(crate) struct Service {
    process: Child,
    url: String,
    client: reqwest::Client,
}

impl Service {
    /// Starts it, and says how long it took to be ready.
    pub(crate) async fn start(place: &Place) -> (Service, Duration) {
        let began = Instant::now();
        let process = Command::new(env!("CARGO_BIN_EXE_forewarn"))
            .args(["run", "--config"])
            .arg(&place.config)
            .arg("--data")
            .arg(&place.data)
            .env("FOREWARN_LOG", "error")
            .env(TOKEN_VARIABLE, TOKEN)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("the binary was built");
        let url = format!("http://127.0.0.1:{}", place.http);
        let mut service = Service { process, url, client: reqwest::Client::new() };
        while !service.is_ready().await {
            assert!(service.process.try_wait().expect("our child").is_none(), "the service ended");
            assert!(began.elapsed() < START_MAX, "the service is not ready in time");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        (service, began.elapsed())
    }

    async fn is_ready(&self) -> bool {
        let answer = self.client.get(format!("{}/readyz", self.url)).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// Sends a reading of each of these gauges, and waits until all are durable.
    pub(crate) async fn read(&self, gauges: std::ops::Range<u32>, metres: f64) {
        let at = forewarn::clock::wall().0 / 1_000;
        for first in gauges.clone().step_by(A_REQUEST as usize) {
            let until = (first + A_REQUEST).min(gauges.end);
            let line = |n| {
                format!("river,station={} level={:.3} {at}\n", station(n), metres + f64::from(n % 89) / 1e3)
            };
            let body: String = (first..until).map(line).collect();
            let answer = self
                .client
                .post(format!("{}/api/v2/write?precision=ms", self.url))
                .header("Authorization", format!("Token {TOKEN}"))
                .body(body)
                .send()
                .await
                .expect("the service answers");
            assert!(answer.status().is_success(), "{}", answer.status());
        }
    }

    /// Readings committed since it started.
    pub(crate) async fn readings(&self) -> u64 {
        self.metric("forewarn_readings_total").await
    }

    /// Where its log ends.
    pub(crate) async fn position(&self) -> u64 {
        self.metric("forewarn_log_position").await
    }

    /// Connections that its listener has let in.
    pub(crate) async fn connections(&self) -> u64 {
        self.metric("forewarn_listener_connections").await
    }

    /// A metric without labels; 0 as long as it is not there.
    async fn metric(&self, name: &str) -> u64 {
        let answer = self.client.get(format!("{}/metrics", self.url)).send().await;
        let text = answer.expect("the service answers").text().await.expect("text");
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse::<f64>().expect("a number") as u64)
    }

    /// Processor seconds that it has used.
    pub(crate) fn cpu_secs(&self) -> f64 {
        cpu::used_secs(&format!("/proc/{}/stat", self.process.id())).expect("procfs")
    }

    /// Resident memory now, megabytes.
    pub(crate) fn resident_mb(&self) -> f64 {
        self.status("VmRSS:") * 1.024 / 1e3
    }

    /// What of it no file stands behind, megabytes: without the pages of the
    /// program itself, which the kernel brings and takes as it likes.
    pub(crate) fn private_mb(&self) -> f64 {
        self.status("RssAnon:") * 1.024 / 1e3
    }

    /// The most it had since it started, or since this was forgotten, megabytes.
    pub(crate) fn peak_mb(&self) -> f64 {
        self.status("VmHWM:") * 1.024 / 1e3
    }

    /// Files and connections that it holds open.
    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.process.id())).expect("procfs").count()
    }

    /// Has it read its configuration again.
    pub(crate) fn reload(&self) {
        let sent = Command::new("kill").args(["-HUP", &self.process.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "it runs");
    }

    /// Forgets the most it ever had.
    pub(crate) fn forget_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.process.id()), "5").expect("procfs");
    }

    /// A figure of `/proc/PID/status`, in its units of 1,024 bytes.
    fn status(&self, key: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("procfs");
        let line = status.lines().find_map(|line| line.strip_prefix(key)).expect("it has such a line");
        line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
    }

    /// Kills it, as a power cut would, but for what the system has in memory.
    pub(crate) fn kill(mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it was killed");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
