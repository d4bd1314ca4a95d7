//! A flood reaches a chat group whose robot answers 200 whatever comes of it.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::routing::post;
use reqwest::{Client, StatusCode, redirect};
use serde_json::{Value, json};

use crate::common::house::{Device, Folder, Receiver, level, wait_for};

/// A robot of `WeCom` that there is, and what its service says to each message.
#[derive(Debug, Clone)]
struct Robot {
    url: String,
    /// Codes for the next messages; 0 once they are used up.
    codes: Arc<Mutex<Vec<i64>>>,
    got: Arc<Mutex<Vec<String>>>,
}

impl Robot {
    async fn start(codes: &[i64]) -> Robot {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let robot = Robot {
            url: format!("http://{address}/cgi-bin/webhook/send?key=canary-robot"),
            codes: Arc::new(Mutex::new(codes.to_vec())),
            got: Arc::default(),
        };
        let router = Router::new().route("/cgi-bin/webhook/send", post(take)).with_state(robot.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        robot
    }

    async fn wait_for(&self, what: &str, count: usize) -> Vec<String> {
        wait_for(what, || {
            let got = self.got.lock().expect("no panic").clone();
            (got.len() >= count).then_some(got)
        })
        .await
    }
}

async fn take(
    State(robot): State<Robot>,
    RawQuery(query): RawQuery,
    axum::Json(body): axum::Json<Value>,
) -> axum::Json<Value> {
    if query.as_deref() != Some("key=canary-robot") {
        return axum::Json(json!({ "errcode": 93000, "errmsg": "invalid webhook url" }));
    }
    let mut codes = robot.codes.lock().expect("no panic");
    let code = if codes.is_empty() { 0 } else { codes.remove(0) };
    if code == 0 {
        let text = body["markdown"]["content"].as_str().expect("markdown").to_owned();
        robot.got.lock().expect("no panic").push(text);
    }
    axum::Json(json!({ "errcode": code, "errmsg": if code == 0 { "ok" } else { "no" } }))
}

/// Duty is a group with a robot, the operator has a webhook.
fn folder(robot: &str, operator: &Receiver) -> Folder {
    let folder = Folder::new(&operator.url, "chat.wecom.duty = { url = { file = \"robot\" } }\n");
    folder.write("robot", robot);
    let toml = std::fs::read_to_string(folder.config().join("forewarn.toml")).expect("just written");
    folder.write("forewarn.toml", &toml.replace("zone = ", "url = \"https://warn.example.org\", zone = "));
    folder.write(
        "routes.toml",
        "route = [{ hazard = \"flood\", level = \"blue..red\", to = \"{area}/duty\", via = [\"wecom\"] }]",
    );
    let url = &operator.url;
    folder.write(
        "contacts.csv",
        &format!(
            "id,name,roles,area,language,webhook,wecom\n\
             it,值班,it,,zh,{url},\n\
             duty,防汛值班群,duty,town,zh,,duty\n"
        ),
    );
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_reaches_the_group_and_whoever_is_in_it_acknowledges() {
    let operator = Receiver::start().await;
    let robot = Robot::start(&[]).await;
    let folder = folder(&robot.url, &operator);
    let secret = folder.add_device("gauge-1", "qj-1");
    let service = folder.start().await;
    let mut device = Device::connect(service.mqtt_addr().expect("the listener is on"), "gauge-1", &secret);
    device.publish("river/qj-1", level("qj-1", 58.2)).await;
    let got = robot.wait_for("the alert in the group", 1).await;
    for word in ["橙色", "曲江站", "58.20 m", "限值 58.00 m", "曲江镇", "确认收到"] {
        assert!(got[0].contains(word), "no {word} in {}", got[0]);
    }
    let link = got[0].split("](https://warn.example.org").nth(1).expect("a link");
    let path = link.split(')').next().expect("its end");
    let page = format!("http://{}{path}", service.http_addr());
    let client = Client::builder().redirect(redirect::Policy::none()).build().expect("a client");
    let html = client.get(&page).send().await.expect("an answer").text().await.expect("a page");
    assert!(html.contains("58.20 m") && html.contains("<form"), "{html}");
    let form = client.post(&page).header("content-type", "application/x-www-form-urlencoded");
    let answer = form.body("number=1").send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let html = client.get(&page).send().await.expect("an answer").text().await.expect("a page");
    assert!(html.contains("已通知 1 人，1 人已确认"), "{html}");

    // The group hears of what is worse as well, under another key.
    device.publish("river/qj-1", level("qj-1", 59.2)).await;
    let got = robot.wait_for("the upgrade in the group", 2).await;
    assert!(got[1].contains("红色") && !got[1].contains(path), "{}", got[1]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_200_that_says_no_is_tried_again_or_told_to_the_operator() {
    let operator = Receiver::start().await;
    // Nobody knows the first code: it may pass, and does.
    let robot = Robot::start(&[99999]).await;
    let sound = folder(&robot.url, &operator);
    let secret = sound.add_device("gauge-1", "qj-1");
    let service = sound.start().await;
    let mut device = Device::connect(service.mqtt_addr().expect("the listener is on"), "gauge-1", &secret);
    device.publish("river/qj-1", level("qj-1", 58.2)).await;
    robot.wait_for("the alert, after a code", 1).await;
    assert!(operator.got().is_empty(), "{:?}", operator.got());
    service.stop().await;

    let gone = folder(&robot.url.replace("canary-robot", "canary-gone"), &operator);
    let secret = gone.add_device("gauge-1", "qj-1");
    let service = gone.start().await;
    let mut device = Device::connect(service.mqtt_addr().expect("the listener is on"), "gauge-1", &secret);
    device.publish("river/qj-1", level("qj-1", 58.2)).await;
    let told = operator.wait_for("the dead letter", |got| !got.is_empty()).await;
    let body = told[0].body.to_string();
    assert_eq!(told[0].body["revisions"][0]["trouble"]["code"], "dead-letter", "{body}");
    assert!(!body.contains("canary"), "{body}");
    assert_eq!(robot.got.lock().expect("no panic").len(), 1, "nothing of it reached the group");
    service.stop().await;
}
