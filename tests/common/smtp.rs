//! The real SMTP server of `tests/smtp`, with STARTTLS and a login; gives back
//! the mails it took, parsed.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::common::house::wait_for;

/// Its user and password: visibly no secret.
pub(crate) const LOGIN: (&str, &str) = ("forewarn", "example-password");

/// A server that ends with the test.
#[derive(Debug)]
pub(crate) struct Smtp {
    child: Child,
    orders: ChildStdin,
    said: Arc<Mutex<Vec<Value>>>,
}

impl Smtp {
    /// Starts one with the certificate in `dir`. Without node or its packages
    /// the test is skipped, saying how to get them; where `CI=true`, that is a failure.
    pub(crate) fn start(dir: &Path) -> Option<Smtp> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/smtp");
        let started = folder.join("node_modules").is_dir().then(|| {
            Command::new("node")
                .arg(folder.join("server.mjs"))
                .arg("--key")
                .arg(dir.join("server.key"))
                .arg("--cert")
                .arg(dir.join("server.pem"))
                .args(["--login", &format!("{}:{}", LOGIN.0, LOGIN.1)])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
        });
        let Some(Ok(mut child)) = started else {
            crate::skip::skip("node or the packages of tests/smtp are missing", "run tests/prepare.sh");
            return None;
        };
        let orders = child.stdin.take().expect("piped");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let said = Arc::new(Mutex::new(Vec::new()));
        let hearing = said.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let object = serde_json::from_str(&line).expect("the server says JSON");
                hearing.lock().expect("no test panics in it").push(object);
            }
        });
        Some(Smtp { child, orders, said })
    }

    /// Its port.
    pub(crate) async fn port(&self) -> u16 {
        wait_for("the SMTP server", || self.said().first()?["port"].as_u64()).await as u16
    }

    /// Takes mail (`up`), refuses it for now (`down`) or for good (`reject`) from now on.
    pub(crate) async fn order(&mut self, mode: &str) {
        writeln!(self.orders, "{mode}").expect("the server runs");
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
        // The test is over, one way or the other.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
