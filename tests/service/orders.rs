//! What people order, by the control socket of a running service, to the
//! receiver of its webhooks. Abuse case 36: whoever drafted it cannot approve it.

use forewarn::app::control::{Request, Response, ask};
use forewarn::app::orders::{Named, Order, TextBody, TextsBody};
use serde_json::Value;

use crate::common::house::{Device, Folder, Receiver, level};

/// The machine's user may speak as two persons.
fn folder(receiver: &Receiver) -> Folder {
    let folder = Folder::new(&receiver.url, "");
    let toml = std::fs::read_to_string(folder.config().join("forewarn.toml")).expect("just written");
    folder.write("forewarn.toml", &format!("{toml}\n[orders]\nshell_accounts = [\"li\", \"wang\"]\n"));
    folder
}

async fn order(folder: &Folder, account: &str, order: Order) -> Response {
    let request = Request::Order { order, account: Some(account.to_owned()), json: true };
    ask(&folder.data(), &request).await.expect("the service answers")
}

fn answer(response: &Response) -> Value {
    serde_json::from_str(&response.lines[0]).expect("a line of JSON")
}

fn texts(zh: &str, en: &str) -> TextsBody {
    let text = |headline: &str| TextBody { headline: headline.into(), instruction: String::new() };
    TextsBody { zh: text(zh), en: text(en) }
}

fn draft() -> Order {
    Order::Draft {
        hazard: "flood".into(),
        areas: vec!["town".into()],
        level: "red".into(),
        texts: texts("堤防渗漏", "the embankment leaks"),
        lasting_s: 7200,
        updates: None,
    }
}

/// Digest of the draft with a number, once the projection shows it.
async fn approve(folder: &Folder, account: &str, number: u32, digest: &str) -> Response {
    for _ in 0..200 {
        let response = order(folder, account, Order::Approve { draft: number, digest: digest.into() }).await;
        if response.done || answer(&response)["why"] != "unknown" {
            return response;
        }
        tokio::task::yield_now().await;
    }
    panic!("draft {number} does not show");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_by_hand_takes_two_persons_and_goes_to_those_it_was_drafted_for() {
    let receiver = Receiver::start().await;
    let folder = folder(&receiver);
    let service = folder.start().await;

    let half = Order::Draft {
        hazard: "flood".into(),
        areas: vec!["town".into()],
        level: "red".into(),
        texts: texts("堤防渗漏", ""),
        lasting_s: 7200,
        updates: None,
    };
    assert_eq!(answer(&order(&folder, "li", half).await)["why"], "texts");
    let drafted = answer(&order(&folder, "li", draft()).await);
    let digest = drafted["draft"]["digest"].as_str().expect("a digest").to_owned();
    let number = drafted["draft"]["number"].as_u64().expect("a number") as u32;

    assert_eq!(answer(&approve(&folder, "li", number, &digest).await)["why"], "own");
    let other = "0".repeat(64);
    assert_eq!(answer(&approve(&folder, "wang", number, &other).await)["why"], "changed");
    let stranger = order(&folder, "zhao", Order::Approve { draft: number, digest: digest.clone() }).await;
    assert!(!stranger.done && stranger.lines[0].contains("orders.shell_accounts"), "{stranger:?}");
    let is_by_hand = |body: &Value| body["revisions"][0]["about"] == "manual";
    assert!(!receiver.wait_for("what was told", |_| true).await.iter().any(|post| is_by_hand(&post.body)));

    // Both at once: it is decided once.
    let (one, two) =
        tokio::join!(approve(&folder, "wang", number, &digest), approve(&folder, "wang", number, &digest));
    assert_eq!([one.done, two.done].iter().filter(|done| **done).count(), 1, "{one:?} {two:?}");
    let posts = receiver.wait_for("the warning", |got| got.iter().any(|post| is_by_hand(&post.body))).await;
    let told: Vec<&Value> = posts.iter().map(|post| &post.body).filter(|body| is_by_hand(body)).collect();
    assert_eq!(told[0]["revisions"][0]["areas"][0]["id"], "town");
    let headline = told[0]["revisions"][0]["text"]["headline"].as_str().expect("a headline");
    assert!(headline.contains("堤防渗漏") || headline.contains("the embankment leaks"), "{headline}");

    let done = if one.done { answer(&one) } else { answer(&two) };
    let warning = done["warning"]["id"].as_str().expect("an id").to_owned();
    let mut cancelled = Response::refused("");
    for _ in 0..200 {
        let cancel = Order::Cancel { warning: warning.clone(), reason: String::new() };
        cancelled = order(&folder, "li", cancel).await;
        if cancelled.done {
            break;
        }
    }
    assert!(cancelled.done, "{cancelled:?}");
    let is_cancel = |body: &Value| body["type"] == "warning.cancel";
    let posts = receiver.wait_for("the cancel", |got| got.iter().any(|post| is_cancel(&post.body))).await;
    let count = |is: &dyn Fn(&Value) -> bool| posts.iter().filter(|post| is(&post.body)).count();
    assert!(count(&is_cancel) >= 1);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_muted_reaches_nobody_and_what_goes_beyond_does() {
    let receiver = Receiver::start().await;
    let folder = folder(&receiver);
    let secret = folder.add_device("gauge-1", "qj-1");
    let service = folder.start().await;
    let mute = Order::Mute {
        what: Named::Area("town".into()),
        up_to: "orange".into(),
        reason: "works at the weir".into(),
        lasting_s: 3600,
    };
    assert!(order(&folder, "li", mute).await.done);
    let mut device = Device::connect(service.mqtt_addr().expect("the listener is on"), "gauge-1", &secret);
    device.publish("river/qj-1", level("qj-1", 58.2)).await;
    device.publish("river/qj-1", level("qj-1", 59.2)).await;
    let of_flood = |body: &Value| body["revisions"][0]["about"] == "incident";
    let posts = receiver.wait_for("red", |got| got.iter().any(|post| of_flood(&post.body))).await;
    let first = posts.iter().find(|post| of_flood(&post.body)).expect("it was waited for");
    assert_eq!(first.body["revisions"][0]["level"]["id"], "red", "orange was hidden");
    service.stop().await;
}
