//! Clients that hold on to a connection, too many of them, and those who bear no token.

use std::time::Duration;

use forewarn::http::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::common::house::PATIENCE;
use crate::http::Stand;

const SHORT: Duration = Duration::from_millis(200);

async fn connect(stand: &Stand) -> TcpStream {
    TcpStream::connect(stand.server.local_addr()).await.expect("it listens")
}

/// Asks for `/healthz` and keeps the connection; the status, if there is an answer.
async fn ask(stream: &mut TcpStream) -> Option<u16> {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").await.ok()?;
    status(stream).await
}

/// The status of one answer, read whole.
async fn status(stream: &mut TcpStream) -> Option<u16> {
    let mut answer = Vec::new();
    let whole = async {
        while !(answer.ends_with(b"alive\n") || answer.ends_with(b"}") || answer.ends_with(b"\r\n\r\n")) {
            if stream.read_buf(&mut answer).await? == 0 {
                break;
            }
        }
        Ok::<_, std::io::Error>(())
    };
    timeout(PATIENCE, whole).await.expect("an answer or an end").ok()?;
    String::from_utf8_lossy(&answer).split(' ').nth(1)?.parse().ok()
}

/// Waits until the other side has closed.
async fn closed(mut stream: TcpStream) {
    let mut rest = Vec::new();
    // A reset is an end as well.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("closed in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_slow_with_a_head_or_idle_is_closed() {
    let stand = Stand::full(Limits { head_within: SHORT, ..Limits::default() }).await;
    for begun in ["", "G", "GET /healthz HTTP/1.1\r\nhost:"] {
        let mut stream = connect(&stand).await;
        stream.write_all(begun.as_bytes()).await.expect("it listens");
        closed(stream).await;
    }
    let mut stream = connect(&stand).await;
    assert_eq!(ask(&mut stream).await, Some(200));
    closed(stream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_cap_newcomers_are_turned_away_and_the_others_served() {
    let stand = Stand::full(Limits { connections: 2, ..Limits::default() }).await;
    let (mut one, mut two) = (connect(&stand).await, connect(&stand).await);
    assert_eq!((ask(&mut one).await, ask(&mut two).await), (Some(200), Some(200)));
    let mut third = connect(&stand).await;
    assert_eq!(status(&mut third).await, Some(503));
    closed(third).await;
    assert_eq!((ask(&mut one).await, ask(&mut two).await), (Some(200), Some(200)));

    drop(one);
    let deadline = Instant::now() + PATIENCE;
    while ask(&mut connect(&stand).await).await != Some(200) {
        assert!(Instant::now() < deadline, "a place that is free is given again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_bears_no_token_is_answered_before_the_body_is_read() {
    let stand = Stand::full(Limits::default()).await;
    for (path, token) in [("/api/v1/readings", "Bearer wrong"), ("/api/v2/write", "Token wrong")] {
        let mut stream = connect(&stand).await;
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\nauthorization: {token}\r\ncontent-length: 8388608\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.expect("it listens");
        // Not one byte of the body.
        assert_eq!(status(&mut stream).await, Some(401), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_open_connection_does_not_hold_up_a_stop() {
    let stand = Stand::full(Limits { wind_up: SHORT, head_within: PATIENCE * 2, ..Limits::default() }).await;
    let mut stream = connect(&stand).await;
    stream.write_all(b"POST /api/v1/readings HTTP/1.1\r\n").await.expect("it listens");
    let mut idle = connect(&stand).await;
    assert_eq!(ask(&mut idle).await, Some(200));
    stand.shutdown.cancel();
    timeout(PATIENCE, stand.server.ended()).await.expect("it ends in time");
    closed(stream).await;
    closed(idle).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_lasts_only_so_long() {
    let stand = Stand::full(Limits { lasts: SHORT, wind_up: SHORT, ..Limits::default() }).await;
    let mut stream = connect(&stand).await;
    let until_it_ends = async { while ask(&mut stream).await == Some(200) {} };
    timeout(PATIENCE, until_it_ends).await.expect("it ends, however busy it is");
}
