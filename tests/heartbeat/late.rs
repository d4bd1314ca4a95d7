//! A canary that is late is told to the operator by every way that still works,
//! and systemd hears no more of a service that makes no progress.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::Value;

use crate::child::Running;
use crate::common::house::{PATIENCE, Posted, Receiver};
use crate::detector::Detector;

const ROUND: Duration = Duration::from_secs(1);

/// The revisions about a late heartbeat that were told.
fn late(got: &[Posted]) -> Vec<Value> {
    let revisions =
        got.iter().flat_map(|posted| posted.body["revisions"].as_array().cloned().unwrap_or_default());
    revisions.filter(|revision| revision["trouble"]["code"] == "heartbeat-late").collect()
}

fn is_over(got: &[Posted]) -> bool {
    late(got).iter().any(|revision| revision["kind"] == "all-clear")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_hears_when_nobody_outside_does_and_once_somebody_does_again() {
    let detector = Detector::start().await;
    let operator = Receiver::start().await;
    let service = detector.folder(&operator.url, ROUND).start().await;
    let heard = detector.hears(2).await.len();
    assert_eq!(late(&operator.got()).len(), 0);
    // For good, it says; but it is to hear of the next one all the same.
    detector.answer_with(Some(StatusCode::GONE));
    let told = operator.wait_for("the trouble", |got| !late(got).is_empty()).await;
    let detail = late(&told)[0]["detail"].as_str().unwrap_or_default().to_owned();
    assert!(detail.contains("心跳已超过两轮未送达外部：接收端返回 410"), "{detail}");
    detector.answer_with(None);
    detector.hears(heard + 2).await;
    operator.wait_for("its end", is_over).await;
    assert_eq!(late(&operator.got()).len(), 2, "once, and its end once: {:?}", late(&operator.got()));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_hears_of_a_canary_that_never_sets_out() {
    if !cfg!(debug_assertions) {
        return;
    }
    let detector = Detector::start().await;
    let operator = Receiver::start().await;
    let folder = detector.folder(&operator.url, ROUND);
    let asks = folder.path().join("stall");
    let mut running =
        Running::spawn_with(&folder, "info", &[("FOREWARN_STALL", asks.to_str().expect("text"))]);
    running.started().await;
    detector.hears(1).await;
    std::fs::write(&asks, "canary hang").expect("writable");
    let told = operator.wait_for("the trouble", |got| !late(got).is_empty()).await;
    let detail = late(&told)[0]["detail"].as_str().unwrap_or_default().to_owned();
    assert!(detail.contains("自检信号已超过两轮未走完全程"), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_hears_no_more_of_a_service_whose_courier_stands_still() {
    if !cfg!(debug_assertions) {
        return;
    }
    let detector = Detector::start().await;
    let operator = Receiver::start().await;
    let folder = detector.folder(&operator.url, ROUND);
    let (asks, path) = (folder.path().join("stall"), folder.path().join("notify"));
    let socket = UnixDatagram::bind(&path).expect("a socket");
    let environment = [
        ("FOREWARN_STALL", asks.to_str().expect("text")),
        ("NOTIFY_SOCKET", path.to_str().expect("text")),
        ("WATCHDOG_USEC", "1000000"),
    ];
    let mut running = Running::spawn_with(&folder, "info", &environment);
    running.started().await;
    detector.hears(2).await;
    let hears = |within: Duration| {
        socket.set_read_timeout(Some(within)).expect("a limit");
        let mut buffer = [0; 4096];
        socket.recv(&mut buffer).ok().map(|length| String::from_utf8_lossy(&buffer[..length]).into_owned())
    };
    tokio::task::block_in_place(|| {
        while hears(PATIENCE).expect("it lives, and says so") != "WATCHDOG=1\n" {}
        std::fs::write(&asks, "courier hang").expect("writable");
        let began = std::time::Instant::now();
        // It goes on to say so until three rounds are over, and then no more.
        while let Some(said) = hears(ROUND * 4) {
            assert!(began.elapsed() < PATIENCE, "it still says {said:?}");
        }
    });
    assert!(!running.said().contains("\"driver stopped\""), "all else goes on");
}
