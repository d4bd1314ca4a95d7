use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use forewarn_core::ids::{LogId, OutputId};
use forewarn_core::level::Status;
use forewarn_core::time::{Moment, Span};
use forewarn_core::warning::Revision;
use serde_json::Value;

use super::*;
use crate::channels::door::{Drill, Live};
use crate::channels::sample::{self, NOW};
use crate::channels::webhook::Webhook;
use crate::config::plan;
use crate::config::secret::Secret;

const SECRET: &str = "whsec_dGhpcy1pcy1hbi1leGFtcGxlLXNlY3JldC0wMTIz";

/// What came, with its headers.
type Heard = Arc<Mutex<Vec<(HeaderMap, Value)>>>;

/// A receiver on loopback that answers every request with the same code.
async fn receiver(code: StatusCode) -> (String, Heard) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/beat", listener.local_addr().expect("an address"));
    let heard = Heard::default();
    let ear = Arc::clone(&heard);
    let take = move |headers: HeaderMap, body: Bytes| {
        let body = serde_json::from_slice(&body).expect("JSON");
        ear.lock().expect("an ear").push((headers, body));
        async move { code }
    };
    let router = axum::Router::new().route("/beat", axum::routing::post(take));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, heard)
}

fn canary(number: u32) -> Canary {
    let id = OutputId { log: LogId([7; 16]), position: Position(5), ..OutputId::default() };
    Canary { id, number, every: Span::from_mins(1), sent: NOW, decided: Some(NOW - Span::from_hours(3)) }
}

fn setup(url: &str) -> Setup {
    let outside = plan::Outside { url: Secret::new(url), secret: Secret::new(SECRET) };
    let heartbeat = plan::Heartbeat { every: Span::from_mins(1), outside: Some(outside) };
    Setup { heartbeat, ..sample::setup() }
}

/// A heartbeat channel, beside a projection that has come so far.
fn channel<W: World>(projected: u64) -> (Heartbeat<W>, watch::Receiver<Walk>, watch::Sender<Position>) {
    let (walk, walked) = watch::channel(Walk::default());
    let (sender, projected) = watch::channel(Position(projected));
    let now = Now::new(|| Moment { at: NOW, offset: Span::ZERO, trusted: true });
    (Heartbeat::new(now, Watched { projected, walk }), walked, sender)
}

fn walk(arrived: u32, through: u32, accepted: u32) -> Walk {
    Walk { arrived, through, accepted, failed: None }
}

#[tokio::test]
async fn a_heartbeat_is_signed_and_counts() {
    let (url, heard) = receiver(StatusCode::NO_CONTENT).await;
    let (heartbeat, walked, _projection) = channel::<Live>(5);
    let envelope = sample::envelope(canary(41).revision(), setup(&url), &url);
    assert_eq!(heartbeat.send(&envelope).await, Sent::Accepted);
    assert_eq!(*walked.borrow(), walk(41, 41, 41));
    let heard = heard.lock().expect("an ear");
    let [(headers, body)] = heard.as_slice() else { panic!("{heard:?}") };
    let header = |name: &str| headers[name].to_str().expect("text");
    assert_eq!(header("webhook-id"), envelope.key.to_string());
    let bytes = serde_json::to_vec(&super::body(&canary(41), &sample::setup().plan.settings.site));
    let signed = crate::channels::webhook::signature(
        &Secret::new(SECRET),
        header("webhook-id"),
        header("webhook-timestamp"),
        &bytes.expect("JSON"),
    );
    assert_eq!(header("webhook-signature"), signed);
    assert_eq!(
        *body,
        serde_json::json!({
            "type": "heartbeat", "version": "1", "status": "Test",
            "site": sample::setup().plan.settings.site,
            "log": "07070707070707070707070707070707",
            "counter": 41, "every_secs": 60.0,
            "sent": "2026-07-13T19:20:00Z", "decided": "2026-07-13T16:20:00Z",
            "release": env!("CARGO_PKG_VERSION"),
        })
    );
}

#[tokio::test]
async fn where_nobody_listens_the_canary_comes_through_all_the_same() {
    let (heartbeat, walked, _projection) = channel::<Drill>(5);
    let envelope = sample::envelope(canary(2).revision(), sample::setup(), "");
    assert_eq!(heartbeat.send(&envelope).await, Sent::Accepted);
    assert_eq!(*walked.borrow(), walk(2, 2, 2));
}

#[tokio::test]
async fn whatever_the_receiver_answers_it_is_tried_on_at_its_own_pace() {
    for code in [StatusCode::NOT_FOUND, StatusCode::GONE, StatusCode::TOO_MANY_REQUESTS] {
        let (url, _) = receiver(code).await;
        let (heartbeat, walked, _projection) = channel::<Live>(5);
        let sent = heartbeat.send(&sample::envelope(canary(3).revision(), setup(&url), &url)).await;
        let Sent::Retry { after: None, reason } = sent else { panic!("{code}: {sent:?}") };
        assert!(reason.contains(code.as_str()), "{reason}");
        assert_eq!(*walked.borrow(), Walk { failed: Some(reason), ..walk(3, 3, 0) });
    }
}

#[tokio::test]
async fn no_heartbeat_leaves_before_the_projection_has_come_to_it() {
    let (url, heard) = receiver(StatusCode::OK).await;
    let (heartbeat, walked, projection) = channel::<Live>(4);
    let heartbeat = Heartbeat { projected_within: Duration::from_millis(20), ..heartbeat };
    let envelope = sample::envelope(canary(9).revision(), setup(&url), &url);
    let sent = heartbeat.send(&envelope).await;
    assert!(matches!(&sent, Sent::Retry { reason, .. } if reason.contains("projection")), "{sent:?}");
    assert_eq!((walked.borrow().arrived, walked.borrow().through), (9, 0));
    drop(projection);
    assert!(matches!(heartbeat.send(&envelope).await, Sent::Retry { .. }), "one that ended comes no further");
    assert_eq!(heard.lock().expect("an ear").len(), 0);
}

#[tokio::test]
async fn nothing_but_the_canary_goes_by_this_channel_and_it_by_no_other() {
    let (url, heard) = receiver(StatusCode::OK).await;
    let (heartbeat, _, _projection) = channel::<Live>(5);
    let flood = sample::envelope(sample::flood(Status::Actual), setup(&url), &url);
    assert!(matches!(heartbeat.send(&flood).await, Sent::Forbidden { .. }));
    let in_earnest = Revision { status: Status::Actual, ..canary(1).revision() };
    let in_earnest = sample::envelope(in_earnest, setup(&url), &url);
    assert!(matches!(heartbeat.send(&in_earnest).await, Sent::Forbidden { .. }));
    let webhook = Webhook::<Live>::new(sample::now());
    let elsewhere = sample::envelope(canary(1).revision(), setup(&url), &url);
    assert!(matches!(webhook.send(&elsewhere).await, Sent::Forbidden { .. }));
    assert_eq!(heard.lock().expect("an ear").len(), 0);
}
