//! A real mosquitto on a free loopback port, with a directory of its own.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for a broker to listen.
const START_MAX: Duration = Duration::from_secs(15);

/// What it says, in its directory.
const LOG: &str = "mosquitto.log";

/// A broker that ends with the test.
pub(crate) struct Mosquitto {
    binary: PathBuf,
    child: Option<Child>,
    pub(crate) port: u16,
    pub(crate) dir: tempfile::TempDir,
}

/// Where Debian and others put it.
fn binary() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let beside = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(beside).map(|dir| dir.join("mosquitto")).find(|file| file.is_file())
}

impl Mosquitto {
    /// Starts one with these lines of configuration besides port and
    /// persistence. Without mosquitto the test is skipped, saying how to get
    /// it; where `CI=true`, that is a failure.
    pub(crate) fn start(lines: impl FnOnce(&Path) -> String) -> Option<Mosquitto> {
        let Some(binary) = binary() else {
            crate::skip::skip("mosquitto is missing", "apt-get install mosquitto");
            return None;
        };
        let dir = tempfile::tempdir().expect("a directory");
        let port = free_port();
        // Started by root, it would become the user mosquitto, who may not write here.
        let user = if rustix::process::geteuid().is_root() { "user root\n" } else { "" };
        let config = format!(
            "{user}persistence true\npersistence_location {}/\nautosave_interval 1\nautosave_on_changes true\n\
             set_tcp_nodelay true\nlog_type all\nlog_dest file {}\nlistener {port} 127.0.0.1\n{}",
            dir.path().display(),
            dir.path().join(LOG).display(),
            lines(dir.path())
        );
        std::fs::write(dir.path().join("mosquitto.conf"), config).expect("a file");
        let mut broker = Mosquitto { binary, child: None, port, dir };
        broker.go();
        Some(broker)
    }

    /// One that lets anybody in.
    pub(crate) fn open() -> Option<Mosquitto> {
        Mosquitto::start(|_| "allow_anonymous true\nmax_queued_messages 10000\n".into())
    }

    /// All that it has said.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.dir.path().join(LOG)).unwrap_or_default()
    }

    /// Starts it again on its port, with what it had kept.
    pub(crate) fn go(&mut self) {
        let child = Command::new(&self.binary)
            .arg("-c")
            .arg(self.dir.path().join("mosquitto.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto starts");
        self.child = Some(child);
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(begun.elapsed() < START_MAX, "mosquitto does not listen on {}", self.port);
            std::thread::yield_now();
        }
    }

    /// Stops it as a power cut would not: it writes down what it keeps.
    pub(crate) fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
        child.wait().expect("it ends");
    }

    /// Forgets all sessions and messages, as a broker without persistence does.
    pub(crate) fn forget(&self) {
        for entry in std::fs::read_dir(self.dir.path()).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "db") {
                std::fs::remove_file(path).expect("a file of ours");
            }
        }
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // The test is over, one way or the other.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}
