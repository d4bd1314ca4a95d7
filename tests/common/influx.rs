//! A real `InfluxDB` 2: `FOREWARN_TEST_INFLUX_URL` if set, else `influxd` in
//! PATH, else what `tests/influx/build.sh` built into the user's cache.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use forewarn::config::plan::Influx;
use forewarn::config::secret::Secret;

/// Longest wait for a server to be healthy.
const START_MAX: Duration = Duration::from_mins(1);
const ORG: &str = "forewarn-tests";
const TOKEN: &str = "forewarn-tests-token";

/// A server that ends with the test, or one that was there.
pub(crate) struct InfluxServer {
    /// `host:port`.
    address: String,
    org: String,
    token: String,
    own: Option<Own>,
}

struct Own {
    binary: PathBuf,
    child: Option<Child>,
    dir: tempfile::TempDir,
}

impl InfluxServer {
    /// Any server. Without one the test is skipped, saying how to get it;
    /// where `CI=true`, that is a failure.
    pub(crate) fn any() -> Option<InfluxServer> {
        let Ok(url) = std::env::var("FOREWARN_TEST_INFLUX_URL") else { return InfluxServer::own() };
        let from = |name: &str, or: &str| std::env::var(name).unwrap_or_else(|_| or.to_owned());
        let server = InfluxServer {
            address: url.trim_start_matches("http://").trim_end_matches('/').to_owned(),
            org: from("FOREWARN_TEST_INFLUX_ORG", ORG),
            token: from("FOREWARN_TEST_INFLUX_TOKEN", TOKEN),
            own: None,
        };
        server.wait();
        server.set_up();
        Some(server)
    }

    /// One that can be stopped and started.
    pub(crate) fn own() -> Option<InfluxServer> {
        let Some(binary) = binary() else {
            let how = "run tests/influx/build.sh, or set FOREWARN_TEST_INFLUX_URL";
            crate::skip::skip("InfluxDB 2 is missing", how);
            return None;
        };
        let dir = tempfile::tempdir().expect("a directory");
        let mut server = InfluxServer {
            address: format!("127.0.0.1:{}", free_port()),
            org: ORG.to_owned(),
            token: TOKEN.to_owned(),
            own: Some(Own { binary, child: None, dir }),
        };
        server.go();
        server.set_up();
        Some(server)
    }

    /// Starts it (again, with what it had).
    pub(crate) fn go(&mut self) {
        let own = self.own.as_mut().expect("a server of our own");
        let file = |name: &str| own.dir.path().join(name);
        let child = Command::new(&own.binary)
            .arg("--bolt-path")
            .arg(file("influxd.bolt"))
            .arg("--engine-path")
            .arg(file("engine"))
            .arg("--sqlite-path")
            .arg(file("influxd.sqlite"))
            .args(["--http-bind-address", &self.address, "--reporting-disabled", "--log-level", "error"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("influxd starts");
        own.child = Some(child);
        self.wait();
    }

    /// Stops it.
    pub(crate) fn stop(&mut self) {
        let Some(mut child) = self.own.as_mut().and_then(|own| own.child.take()) else { return };
        // What it acknowledged stands in its log, as after a crash.
        child.kill().expect("it runs");
        child.wait().expect("it ends");
    }

    /// A bucket of the test's own.
    pub(crate) fn bucket(&self) -> Influx {
        static BUCKETS: AtomicU32 = AtomicU32::new(0);
        let number = BUCKETS.fetch_add(1, Ordering::Relaxed);
        let name = format!("bucket ${{number}} {number} of {}", std::process::id());
        let (code, orgs) = self.ask("GET", &format!("/api/v2/orgs?org={}", self.org), "");
        let orgs: serde_json::Value = serde_json::from_str(&orgs).unwrap_or_default();
        let org = orgs["orgs"][0]["id"].as_str().unwrap_or_else(|| panic!("organisation: {code} {orgs}"));
        let bucket = serde_json::json!({ "orgID": org, "name": name }).to_string();
        let (code, answer) = self.ask("POST", "/api/v2/buckets", &bucket);
        assert_eq!(code, 201, "{answer}");
        Influx {
            url: format!("http://{}", self.address),
            org: self.org.clone(),
            bucket: name,
            token: Secret::new(self.token.clone()),
        }
    }

    /// Writes lines past the store.
    pub(crate) fn write(&self, bucket: &Influx, lines: &str) {
        let mut escaped = String::new();
        for byte in bucket.bucket.bytes() {
            write!(escaped, "%{byte:02x}").expect("a String takes all");
        }
        let path = format!("/api/v2/write?org={}&bucket={escaped}", bucket.org);
        let (code, answer) = self.ask("POST", &path, lines);
        assert_eq!(code, 204, "{answer}");
    }

    /// Station and instant, in microseconds, of every point of a bucket that has a value.
    pub(crate) fn points(&self, bucket: &Influx) -> Vec<(String, i64)> {
        // `${` would begin a word to be filled in.
        let name = bucket.bucket.replace("${", "\\${");
        let flux = format!(
            "from(bucket: \"{name}\") |> range(start: 0) |> filter(fn: (r) => r._field == \"value\") \
             |> map(fn: (r) => ({{station: r.station, at: int(v: r._time) / 1000}})) |> group()"
        );
        let query = serde_json::json!({ "query": flux, "type": "flux" }).to_string();
        let (code, table) = self.ask("POST", &format!("/api/v2/query?org={}", bucket.org), &query);
        assert_eq!(code, 200, "{table}");
        let mut lines = table.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let header = lines.next().unwrap_or_default();
        let column = |name: &str| header.iter().position(|column| *column == name);
        let (Some(station), Some(at)) = (column("station"), column("at")) else { return vec![] };
        let rows = lines.filter(|cells| cells.len() == header.len());
        rows.map(|cells| (cells[station].to_owned(), cells[at].parse().expect("an instant"))).collect()
    }

    fn wait(&self) {
        let begun = Instant::now();
        while !matches!(self.try_ask("GET", "/health", ""), Ok((200, _))) {
            assert!(begun.elapsed() < START_MAX, "InfluxDB is not healthy at {}", self.address);
            std::thread::yield_now();
        }
    }

    fn set_up(&self) {
        if self.ask("GET", "/api/v2/setup", "").1.contains("\"allowed\": true") {
            let setup = serde_json::json!({
                "username": "tests", "password": "of no secret", "org": self.org, "bucket": "first", "token": self.token,
            });
            let (code, answer) = self.ask("POST", "/api/v2/setup", &setup.to_string());
            assert_eq!(code, 201, "{answer}");
        }
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        self.try_ask(method, path, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    fn try_ask(&self, method: &str, path: &str, body: &str) -> std::io::Result<(u16, String)> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(START_MAX))?;
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: {}\r\nAuthorization: Token {}\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            self.token,
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let code = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default();
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
        Ok((code, body))
    }
}

impl Drop for InfluxServer {
    fn drop(&mut self) {
        if let Some(mut child) = self.own.as_mut().and_then(|own| own.child.take()) {
            // The test is over, one way or the other.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn binary() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).map(|dir| dir.join("influxd")).find(|file| file.is_file());
    in_path.or_else(|| {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
        let built = std::fs::read_dir(cache.join("forewarn")).ok()?;
        built.filter_map(|entry| Some(entry.ok()?.path().join("influxd"))).find(|file| file.is_file())
    })
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}
