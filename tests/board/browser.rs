//! The browser of `tests/browser`: does its walks, and says what it found.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::common::house::wait_for;

/// Who walks: visibly no secret.
pub(crate) const LOGIN: (&str, &str) = ("chen", "example-password");

/// Where pictures of the pages go, for whoever wants to look at them.
const SHOTS: &str = "FOREWARN_SHOTS";

/// What a browser may be called.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// A browser that ends with the test.
#[derive(Debug)]
pub(crate) struct Browser {
    child: Child,
    orders: ChildStdin,
    said: Arc<Mutex<Vec<Value>>>,
    heard: usize,
}

impl Browser {
    /// Opens one. Without a browser or its packages the test is skipped, saying
    /// how to get them; where `CI=true`, that is a failure.
    pub(crate) fn open(http: SocketAddr, walks: &[&str]) -> Option<Browser> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
        let chromium = chromium().filter(|_| folder.join("node_modules").is_dir());
        let Some(chromium) = chromium else {
            crate::skip::skip(
                "chromium or the packages of tests/browser are missing",
                "run tests/prepare.sh",
            );
            return None;
        };
        let mut command = Command::new("node");
        command.arg(folder.join("walk.mjs")).arg("--chromium").arg(chromium);
        command.args(["--base", &format!("http://{http}"), "--login", &format!("{}:{}", LOGIN.0, LOGIN.1)]);
        if let Some(shots) = std::env::var_os(SHOTS) {
            command.arg("--shots").arg(shots);
        }
        let mut child = command
            .args(walks)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node is there, for its packages are");
        let orders = child.stdin.take().expect("piped");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let said: Arc<Mutex<Vec<Value>>> = Arc::default();
        let hearing = said.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let object = serde_json::from_str(&line).expect("the walk says JSON");
                hearing.lock().expect("no test panics in it").push(object);
            }
        });
        Some(Browser { child, orders, said, heard: 0 })
    }

    /// All it has said so far.
    pub(crate) fn said(&self) -> Vec<Value> {
        self.said.lock().expect("no test panics in it").clone()
    }

    /// The next it says under a name; what it says before is passed over.
    pub(crate) async fn hear(&mut self, name: &str) -> Value {
        let (at, value) = loop {
            let said = self.said();
            let found =
                said.iter().enumerate().skip(self.heard).find_map(|(at, it)| Some((at, it.get(name)?)));
            if let Some((at, value)) = found {
                break (at, value.clone());
            }
            let ended = self.child.try_wait().ok().flatten();
            assert!(ended.is_none() || self.said().len() > said.len(), "it ended before {name}: {said:?}");
            // Patience is for the next thing it says: a slow machine walks slowly.
            wait_for(name, || {
                let is_over = matches!(self.child.try_wait(), Ok(Some(_)));
                (is_over || self.said().len() > said.len()).then_some(())
            })
            .await;
        };
        self.heard = at + 1;
        value
    }

    /// Lets it go on where it waits, and hears what it says next under a name.
    pub(crate) async fn go_on_and_hear(&mut self, name: &str) -> Value {
        writeln!(self.orders, "go on").expect("the walk runs");
        self.hear(name).await
    }

    /// Every page that was judged is as WCAG 2.2 AA has it, and there were at least so many.
    pub(crate) fn is_without_violations(&self, least: usize) {
        let said = self.said();
        let judged: Vec<&Value> = said.iter().filter(|said| said.get("judged").is_some()).collect();
        assert!(judged.len() >= least, "{} pages were judged", judged.len());
        let faulty: Vec<String> = judged
            .iter()
            .filter(|said| said["violations"].as_array().is_none_or(|found| !found.is_empty()))
            .map(|said| format!("{}: {}", said["judged"], said["violations"]))
            .collect();
        assert!(faulty.is_empty(), "{}", faulty.join("\n"));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The test is over, one way or the other; the browser ends with the walk.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = NAMES.iter().flat_map(|name| std::env::split_paths(&path).map(move |dir| dir.join(name)));
    found.into_iter().find(|file| file.is_file())
}
