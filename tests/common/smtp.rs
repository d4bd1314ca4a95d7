//! The real SMTP server of `tests/smtp`, with STARTTLS and a login; gives back
//! the mails it took, parsed.

use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::common::house::wait_for;

/// Its user and password: visibly no secret.
pub(crate) const LOGIN: (&str, &str) = ("forewarn", "example-password");

/// A server that ends with the test.
#[derive(Debug)]
pub(crate) struct Smtp {
    /// Where its certificate stands.
    dir: PathBuf,
    /// None while it is down.
    running: Option<(Child, ChildStdin)>,
    said: Arc<Mutex<Vec<Value>>>,
}

impl Smtp {
    /// Starts one with the certificate in `dir`. Without node or its packages
    /// the test is skipped, saying how to get them; where `CI=true`, that is a failure.
    pub(crate) fn start(dir: &Path) -> Option<Smtp> {
        let mut smtp = Smtp { dir: dir.to_owned(), running: None, said: Arc::default() };
        if !folder().join("node_modules").is_dir() || smtp.spawn(0).is_err() {
            crate::skip::skip("node or the packages of tests/smtp are missing", "run tests/prepare.sh");
            return None;
        }
        Some(smtp)
    }

    fn spawn(&mut self, port: u16) -> io::Result<()> {
        let mut child = Command::new("node")
            .arg(folder().join("server.mjs"))
            .arg("--key")
            .arg(self.dir.join("server.key"))
            .arg("--cert")
            .arg(self.dir.join("server.pem"))
            .args(["--login", &format!("{}:{}", LOGIN.0, LOGIN.1), "--port", &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = child.stdin.take().expect("piped");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let hearing = self.said.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let object = serde_json::from_str(&line).expect("the server says JSON");
                hearing.lock().expect("no test panics in it").push(object);
            }
        });
        self.running = Some((child, orders));
        Ok(())
    }

    /// Ends it as a crash would. What it took stays known.
    pub(crate) fn stop(&mut self) {
        let Some((mut child, _)) = self.running.take() else { return };
        child.kill().expect("it runs");
        child.wait().expect("it ends");
    }

    /// Starts it again on its port.
    pub(crate) async fn go(&mut self) {
        let port = self.port().await;
        let lives = self.lives();
        self.spawn(port).expect("it ran before");
        wait_for("the SMTP server", || (self.lives() > lives).then_some(())).await;
    }

    /// How often it has begun to listen.
    fn lives(&self) -> usize {
        self.said().iter().filter(|said| !said["port"].is_null()).count()
    }

    /// Its port.
    pub(crate) async fn port(&self) -> u16 {
        wait_for("the SMTP server", || self.said().first()?["port"].as_u64()).await as u16
    }

    /// Takes mail (`up`), refuses it for now (`down`) or for good (`reject`) from now on.
    pub(crate) async fn order(&mut self, mode: &str) {
        let (_, orders) = self.running.as_mut().expect("the server runs");
        writeln!(orders, "{mode}").expect("the server runs");
        wait_for(mode, || self.said().iter().any(|said| said["mode"] == mode).then_some(())).await;
    }

    /// The mails it took so far.
    pub(crate) fn mails(&self) -> Vec<Value> {
        self.said().into_iter().filter(|said| said.get("subject").is_some()).collect()
    }

    fn said(&self) -> Vec<Value> {
        self.said.lock().expect("no test panics in it").clone()
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        if let Some((mut child, _)) = self.running.take() {
            // The test is over, one way or the other.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/smtp")
}
