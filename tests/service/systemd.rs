//! What systemd hears of a service that it started.

use std::os::unix::net::UnixDatagram;

use crate::child::Running;
use crate::common::house::PATIENCE;
use crate::recorder::{Mood, Recorder};
use crate::valley::valley;

/// The next message that says this.
fn hear(socket: &UnixDatagram, what: &str) -> String {
    let mut buffer = [0; 4096];
    loop {
        let length = socket.recv(&mut buffer).unwrap_or_else(|error| panic!("{what}: {error}"));
        let said = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if said.lines().any(|line| line == what) {
            return said;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_hears_that_it_is_ready_that_it_lives_and_that_it_stops() {
    let recorder = Recorder::start(Mood::Accepts).await;
    let (folder, _) = valley(&recorder.url, 1);
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let path = path.to_str().expect("text");
    let environment = [("NOTIFY_SOCKET", path), ("WATCHDOG_USEC", "400000")];
    let mut running = Running::spawn_with(&folder, "info", &environment);
    running.started().await;
    tokio::task::block_in_place(|| {
        assert!(hear(&socket, "READY=1").contains("STATUS=Test river"));
        // Nothing comes in, and it says that it lives all the same.
        for _ in 0..3 {
            hear(&socket, "WATCHDOG=1");
        }
    });
    tokio::time::timeout(PATIENCE, running.stop()).await.expect("it stops");
    tokio::task::block_in_place(|| hear(&socket, "STOPPING=1"));
}
