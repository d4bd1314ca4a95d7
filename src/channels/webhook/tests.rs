use std::sync::{Arc, Mutex};
use std::time::Duration;

use forewarn_core::level::Status;
use forewarn_core::time::{Moment, Span};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::channels::door::{Drill, Live};
use crate::channels::post::retry;
use crate::channels::sample::{self, NOW};

/// Requests a receiver heard, each whole.
type Heard = Arc<Mutex<Vec<String>>>;

/// A receiver on loopback that answers every request with the same bytes.
async fn receiver(answer: &'static str) -> (u16, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let heard = Heard::default();
    let ear = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let request = request(&mut stream).await;
            ear.lock().expect("an ear").push(request);
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (port, heard)
}

async fn request(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        match stream.read(&mut buffer).await {
            Ok(read) if read > 0 => bytes.extend(&buffer[..read]),
            _ => return text,
        }
    }
}

fn webhook<W: World>(trusted: bool) -> Webhook<W> {
    Webhook::new(Now::new(move || Moment { at: NOW, offset: Span::ZERO, trusted }))
}

async fn send(url: &str, setup: Setup) -> Sent {
    webhook::<Live>(true).send(&sample::envelope(sample::flood(Status::Actual), setup, url)).await
}

#[test]
fn the_signature_is_that_of_standard_webhooks() {
    let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let signed = signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", br#"{"test": 2432232314}"#);
    assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    let raw = [Secret::new("plain"), Secret::new("whsec_not base64")];
    assert_ne!(signature(&raw[0], "a", "1", b"x"), signature(&raw[1], "a", "1", b"x"));
}

#[tokio::test]
async fn a_delivery_is_signed_and_bears_its_key() {
    let (port, heard) = receiver("HTTP/1.1 204 No Content\r\n\r\n").await;
    let url = format!("http://127.0.0.1:{port}/hook?x=1");
    let envelope = sample::envelope(sample::flood(Status::Actual), sample::setup(), &url);
    let webhook = webhook::<Live>(true);
    assert_eq!(webhook.send(&envelope).await, Sent::Accepted);
    assert_eq!(webhook.send(&envelope).await, Sent::Accepted);
    assert_eq!(webhook.server(&envelope.target), format!("127.0.0.1:{port}"));
    let heard = heard.lock().expect("an ear");
    let (top, body) = heard[0].split_once("\r\n\r\n").expect("a request");
    let header = |name: &str| {
        let line = top.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_else(|| panic!("{name} not in {top}"))
    };
    assert!(top.starts_with("POST /hook?x=1 HTTP/1.1"));
    assert_eq!(header("webhook-id"), envelope.key.to_string());
    assert_eq!(header("webhook-timestamp"), NOW.as_secs().to_string());
    let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let expected = signature(&secret, header("webhook-id"), header("webhook-timestamp"), body.as_bytes());
    assert_eq!(header("webhook-signature"), expected);
    assert!(!top.to_lowercase().contains("accept-encoding"), "{top}");
    // A retry says the same, byte for byte.
    assert_eq!(heard[0], heard[1]);
}

#[tokio::test]
async fn answers_are_classed() {
    for (answer, trusted, expected) in [
        ("200 OK", true, Some(Sent::Accepted)),
        ("202 Accepted", false, Some(Sent::Accepted)),
        ("429 Slow Down\r\nRetry-After: 7", true, None),
        ("503 Busy\r\nRetry-After: Mon, 13 Jul 2026 19:20:09 GMT", true, None),
        ("500 Oops", true, None),
        ("599 Odd", true, None),
        ("408 Timeout", true, None),
        ("425 Early", true, None),
        ("401 Unauthorized", false, None),
        ("400 Bad", false, None),
        ("403 No", false, None),
        ("401 Unauthorized", true, Some(rejected("the receiver answered 401"))),
        ("404 Not Found", false, Some(rejected("the receiver answered 404"))),
        ("410 Gone", true, Some(rejected("the receiver answered 410: gone for good"))),
        (
            "302 Found\r\nLocation: http://10.0.0.1/",
            true,
            Some(rejected("the receiver answered 302: redirects are not followed")),
        ),
    ] {
        let text: &'static str = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n").leak();
        let (port, _) = receiver(text).await;
        let envelope = sample::envelope(
            sample::flood(Status::Actual),
            sample::setup(),
            &format!("http://127.0.0.1:{port}/"),
        );
        let sent = webhook::<Live>(trusted).send(&envelope).await;
        match expected {
            Some(expected) => assert_eq!(sent, expected, "{answer}"),
            None => assert!(matches!(sent, Sent::Retry { .. }), "{answer}: {sent:?}"),
        }
    }
}

fn rejected(reason: &str) -> Sent {
    Sent::Rejected { reason: reason.into() }
}

#[tokio::test]
async fn abuse_23_redirect_is_not_followed() {
    let (inner, heard) = receiver("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let answer =
        format!("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{inner}/\r\nContent-Length: 0\r\n\r\n");
    let (outer, _) = receiver(answer.leak()).await;
    let sent = send(&format!("http://127.0.0.1:{outer}/"), sample::setup()).await;
    assert!(matches!(sent, Sent::Rejected { .. }), "{sent:?}");
    assert!(heard.lock().expect("an ear").is_empty());
}

#[tokio::test]
async fn abuse_24_endless_answer_is_cut_off() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        request(&mut stream).await;
        // Packed or not makes no difference: nothing unpacks it.
        let head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).await.expect("written");
        let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
        let mut written = 0;
        while stream.write_all(chunk.as_bytes()).await.is_ok() {
            written += chunk.len();
        }
        written
    });
    assert_eq!(send(&format!("http://127.0.0.1:{port}/"), sample::setup()).await, Sent::Accepted);
    let written =
        tokio::time::timeout(Duration::from_secs(10), server).await.expect("cut off").expect("served");
    // What it could still push lies in the buffers of the two sockets.
    assert!(written < 64 << 20, "{written}");
}

#[tokio::test]
async fn what_does_not_answer_is_tried_again() {
    let deaf = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut setup = sample::setup();
    setup.webhook.timeout = Span::from_secs(1);
    let port = deaf.local_addr().expect("an address").port();
    let check = async |port: u16, scheme: &str, cause: &str| {
        let sent = send(&format!("{scheme}://127.0.0.1:{port}/?token=hush"), setup.clone()).await;
        assert_eq!(sent, retry(None, cause));
    };
    check(port, "http", "the receiver took too long").await;
    drop(deaf);
    check(port, "http", "connection refused: nothing listens there").await;
    let (port, _) = receiver("").await;
    check(port, "http", "the receiver broke off").await;
    // A receiver that takes TLS for a request, and answers it as one.
    let plain = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = plain.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = plain.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            answer(&mut stream).await;
        }
    });
    check(port, "https", "what answers there does not speak TLS").await;
}

#[tokio::test]
async fn abuse_21_forbidden_addresses_are_never_connected_to() {
    let (port, heard) = receiver("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let mut setup = sample::setup();
    setup.webhook.allow = vec![];
    for host in
        ["169.254.169.254", "[::ffff:127.0.0.1]", "0x7f.1", "2130706433", "127.0.0.1", "localhost", "[::1]"]
    {
        for scheme in ["https", "http"] {
            let sent = send(&format!("{scheme}://{host}:{port}/"), setup.clone()).await;
            assert!(matches!(sent, Sent::Forbidden { .. }), "{scheme}://{host}: {sent:?}");
            assert!(!format!("{sent:?}").contains(host), "{sent:?}");
        }
    }
    assert!(heard.lock().expect("an ear").is_empty());
    for (url, forbidden) in [("not a url", false), ("ftp://127.0.0.1/", true)] {
        let sent = send(url, sample::setup()).await;
        assert_eq!(matches!(sent, Sent::Forbidden { .. }), forbidden, "{url}: {sent:?}");
    }
    setup.webhook.secret = None;
    assert_eq!(
        send("https://example.org/", setup).await,
        rejected("no signing secret is configured for webhooks")
    );
}

#[tokio::test]
async fn a_drill_does_not_leave_a_live_service_nor_the_other_way() {
    let (port, heard) = receiver("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let url = format!("http://127.0.0.1:{port}/");
    for status in [Status::Exercise, Status::Test] {
        let sent =
            webhook::<Live>(true).send(&sample::envelope(sample::flood(status), sample::setup(), &url)).await;
        assert!(matches!(sent, Sent::Forbidden { .. }), "{sent:?}");
    }
    let real = sample::envelope(sample::flood(Status::Actual), sample::setup(), &url);
    assert!(matches!(webhook::<Drill>(true).send(&real).await, Sent::Forbidden { .. }));
    let mut mixed = sample::envelope::<Live>(sample::flood(Status::Actual), sample::setup(), &url);
    mixed.revisions.push(Arc::new(forewarn_core::warning::Revision {
        status: Status::Exercise,
        ..sample::notify_test()
    }));
    assert!(matches!(webhook::<Live>(true).send(&mixed).await, Sent::Rejected { .. }));
    mixed.revisions.clear();
    assert!(matches!(webhook::<Live>(true).send(&mixed).await, Sent::Rejected { .. }));
    assert!(heard.lock().expect("an ear").is_empty());
    let drill = sample::envelope(sample::flood(Status::Exercise), sample::setup(), &url);
    assert_eq!(webhook::<Drill>(true).send(&drill).await, Sent::Accepted);
}

#[tokio::test]
async fn https_trusts_the_configured_authority_and_no_stranger() {
    let (acceptor, pem) = sample::tls("127.0.0.1");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                request(&mut stream).await;
                answer(&mut stream).await;
            }
        }
    });
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), pem).expect("written");
    let url = format!("https://127.0.0.1:{port}/");
    let words = "its certificate is not trusted: no known authority has signed it (ca names a further one)";
    assert_eq!(send(&url, sample::setup()).await, retry(None, words));
    let mut setup = sample::setup();
    setup.webhook.ca = Some(file.path().to_owned());
    assert_eq!(send(&url, setup.clone()).await, Sent::Accepted);
    setup.webhook.ca = Some("/nowhere/ca.pem".into());
    let reason = "/nowhere/ca.pem: cannot be read (entity not found)".into();
    assert_eq!(send(&url, setup).await, Sent::Retry { after: None, reason });
}

async fn answer(stream: &mut (impl AsyncWrite + Unpin)) {
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
}
