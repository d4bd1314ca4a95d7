//! More warnings than somebody takes, by the whole service: two by themselves,
//! the rest as one digest, and its page where all are acknowledged at once.

use std::collections::BTreeSet;

use forewarn::state::StateReader;
use forewarn_core::ids::Key;
use reqwest::{Client, StatusCode, redirect};
use serde_json::Value;

use crate::common::house::{Folder, Posted, Receiver, level};
use crate::publisher::{Message, Publisher};
use crate::valley::{stations, valley};

const GAUGES: usize = 8;

/// One duty officer for all areas, whose receiver takes one post in ten seconds.
fn folder(receiver: &Receiver) -> (Folder, Publisher) {
    let (folder, publisher) = valley(&receiver.url, GAUGES);
    let path = folder.config().join("forewarn.toml");
    let toml = std::fs::read_to_string(&path).expect("written just now");
    let toml = toml
        .replace("plaintext = true", "plaintext = true, digest = { after = 1, every = \"10 s\" }")
        .replace("zone = ", "url = \"https://warn.example.org\", zone = ");
    folder.write("forewarn.toml", &toml);
    let contacts = format!(
        "id,name,roles,area,language,email,webhook,min_level,hours\n\
         it,值班,it,,zh,,{url},,\nduty,Duty,duty,,en,,{url},,\n",
        url = receiver.url
    );
    folder.write("contacts.csv", &contacts);
    (folder, publisher)
}

fn to_duty(posts: &[Posted]) -> Vec<&Posted> {
    posts.iter().filter(|post| post.body["language"] == "en").collect()
}

fn digest_of(posts: &[Posted]) -> Option<&Posted> {
    to_duty(posts).into_iter().find(|post| post.body["type"] == "digest")
}

fn client() -> Client {
    Client::builder().redirect(redirect::Policy::none()).build().expect("a client")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_is_the_first_the_first_red_and_a_digest_acknowledged_at_once() {
    let receiver = Receiver::start().await;
    let (folder, mut publisher) = folder(&receiver);
    let service = folder.start().await;
    publisher.connect(service.mqtt_addr().expect("the listener is on")).await.expect("it listens");
    for (nth, station) in stations(GAUGES).iter().enumerate() {
        let metres = if nth == GAUGES - 1 { 59.5 } else { 58.2 };
        let payload = level(station, metres);
        publisher.deliver(Message { station: station.clone(), payload, value: metres }).await;
    }
    let posts = receiver.wait_for("the digest", |got| digest_of(got).is_some()).await;
    let levels: Vec<&Value> =
        to_duty(&posts).iter().map(|post| &post.body["revisions"][0]["level"]["id"]).collect();
    assert_eq!(levels, ["orange", "red", "orange"], "one, the first red, and the rest together");
    let digest = digest_of(&posts).expect("it is there");
    let rest = GAUGES as u64 - 2;
    assert_eq!(digest.body["digest"]["warnings"], rest);
    assert_eq!(digest.body["digest"]["places"].as_array().expect("places").len() as u64, rest);
    let members: BTreeSet<&str> = digest.body["digest"]["members"]
        .as_array()
        .expect("members")
        .iter()
        .filter_map(|it| it["id"].as_str())
        .collect();
    assert_eq!(members.len() as u64, rest);

    // Its page tells of all of them, and has one button.
    let page = digest.body["page"].as_str().expect("a link");
    let path = page.strip_prefix("https://warn.example.org").expect("below the site's address");
    let page = format!("http://{}{path}", service.http_addr());
    let html = client().get(&page).send().await.expect("an answer").text().await.expect("a page");
    assert!(html.contains("Acknowledge all 6") && html.contains("<form method=\"post\">"), "{html}");
    let number = html.split("name=\"number\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    let form = format!("number={}", number.expect("a form"));
    let press = client().post(&page).header("content-type", "application/x-www-form-urlencoded");
    let answer = press.body(form).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let html = client().get(&page).send().await.expect("an answer").text().await.expect("a page");
    assert!(html.contains("You have acknowledged all of these.") && !html.contains("<form"), "{html}");
    check_rows(&folder, &digest.id, &members);
    service.stop().await;
}

/// What the projection says of the deliveries, and of who has acknowledged what.
fn check_rows(folder: &Folder, digest: &str, members: &BTreeSet<&str>) {
    let state = StateReader::open_read_only(&folder.data().join("state.db")).expect("a projection");
    let warnings = state.active_warnings(100).expect("it reads");
    let mut in_digest = BTreeSet::new();
    for warning in warnings {
        let detail = state.warning(warning.digest).expect("it reads").expect("it is there");
        let row = detail
            .deliveries
            .iter()
            .find(|row| row.digest.map(|key| key.to_string()) == Some(digest.to_owned()));
        let Some(row) = row else {
            assert_eq!(detail.acknowledgements, [], "what went by itself is acknowledged by itself");
            continue;
        };
        in_digest.insert(row.key.to_string());
        assert_eq!((detail.acknowledgements.len(), row.attempts), (1, 1), "{row:?}");
        assert_eq!(Key::parse(digest), row.digest);
    }
    assert_eq!(in_digest.iter().map(String::as_str).collect::<BTreeSet<_>>(), *members);
}
