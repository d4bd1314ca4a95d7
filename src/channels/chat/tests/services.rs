//! Receivers on this machine that behave as the services document: what they
//! refuse, by which code, and what they call a success.

use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing::any};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::channels::sample::NOW;

/// What stands in the address of the robot that there is.
pub(super) const TOKEN: &str = "canary-token-5b1e";
/// What a robot's signatures are made with.
pub(super) const SIGNING: &str = "SEC-canary-signing";
/// What the gateway lets in by.
pub(super) const BEARER: &str = "canary-bearer";

/// A receiver.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) name: &'static str,
    port: u16,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    /// Bodies that were taken, or that a scripted answer followed.
    heard: Vec<Value>,
    /// Method, path and headers of each request.
    requests: Vec<String>,
    /// What is answered whatever comes, where that is scripted.
    answer: Option<(u16, String)>,
}

impl Service {
    /// Starts one of the services on a free port.
    pub(super) async fn start(name: &'static str) -> Service {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let service = Service { name, port, seen: Arc::default() };
        let router = Router::new().fallback(any(take)).with_state(service.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        service
    }

    /// Where its robot is reached.
    pub(super) fn url(&self) -> String {
        let path = match self.name {
            "wecom" => format!("cgi-bin/webhook/send?key={TOKEN}"),
            "dingtalk" => format!("robot/send?access_token={TOKEN}"),
            "feishu" => format!("open-apis/bot/v2/hook/{TOKEN}"),
            "slack" => format!("services/T0/B0/{TOKEN}"),
            "teams" => format!("workflows/x/triggers/manual/paths/invoke?sig={TOKEN}"),
            _ => "send".to_owned(),
        };
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// Answers so from now on, whatever comes.
    pub(super) fn answer_with(&self, status: u16, body: &str) {
        self.seen.lock().expect("no panic").answer = Some((status, body.to_owned()));
    }

    /// What was taken.
    pub(super) fn heard(&self) -> Vec<Value> {
        self.seen.lock().expect("no panic").heard.clone()
    }

    /// Every request's head.
    pub(super) fn requests(&self) -> Vec<String> {
        self.seen.lock().expect("no panic").requests.clone()
    }
}

async fn take(
    State(service): State<Service>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut seen = service.seen.lock().expect("no panic");
    let shown = headers.iter().map(|(name, value)| format!("\n{name}: {}", value.to_str().unwrap_or("")));
    seen.requests.push(format!("{method} {uri}{}", shown.collect::<String>()));
    let json = serde_json::from_slice::<Value>(&body).ok();
    if let Some((status, answer)) = seen.answer.clone() {
        seen.heard.extend(json);
        return (StatusCode::from_u16(status).expect("a status"), answer).into_response();
    }
    let is_json = headers["content-type"].to_str().is_ok_and(|it| it.starts_with("application/json"));
    let Some(json) = json.filter(|_| is_json) else {
        return (StatusCode::BAD_REQUEST, "no JSON").into_response();
    };
    let (answer, taken) = match service.name {
        "wecom" => wecom(&uri, &json),
        "dingtalk" => dingtalk(&uri, &json, body.len()),
        "feishu" => feishu(&uri, &json, body.len()),
        "slack" => slack(&uri, &json),
        "teams" => teams(&json, body.len()),
        _ => sms(&headers, &json),
    };
    if taken {
        seen.heard.push(json);
    }
    answer
}

fn said(code: &str, number: i64, message: &str) -> (Response, bool) {
    let key = if code == "code" { "msg" } else { "errmsg" };
    (axum::Json(json!({ code: number, key: message })).into_response(), number == 0)
}

/// developer.work.weixin.qq.com/document/path/91770
fn wecom(uri: &Uri, json: &Value) -> (Response, bool) {
    let content = json["markdown"]["content"].as_str().unwrap_or_default();
    match () {
        () if uri.query() != Some(&*format!("key={TOKEN}")) => said("errcode", 93000, "invalid webhook url"),
        () if json["msgtype"] != "markdown" => said("errcode", 40008, "invalid message type"),
        () if content.is_empty() => said("errcode", 44004, "empty content"),
        () if content.len() > 4096 => said("errcode", 40058, "markdown.content exceed max length 4096"),
        () => said("errcode", 0, "ok"),
    }
}

/// open.dingtalk.com/document/robots/customize-robot-security-settings
fn dingtalk(uri: &Uri, json: &Value, bytes: usize) -> (Response, bool) {
    let url = reqwest::Url::parse(&format!("http://x{uri}")).expect("a URL");
    let query: std::collections::BTreeMap<_, _> = url.query_pairs().into_owned().collect();
    let given = |name: &str| query.get(name).cloned().unwrap_or_default();
    let timestamp = given("timestamp");
    let expected = hmac(SIGNING.as_bytes(), format!("{timestamp}\n{SIGNING}").as_bytes());
    let apart = timestamp.parse::<i64>().map_or(i64::MAX, |at| (at - NOW.as_secs() * 1000).abs());
    match () {
        () if given("access_token") != TOKEN => said("errcode", 300_001, "token is not exist"),
        () if apart > 3_600_000 => said("errcode", 310_000, "invalid timestamp"),
        () if given("sign") != expected => said("errcode", 310_000, "sign not match"),
        () if bytes > 20_000 => said("errcode", 460_101, "message too long, exceed 20000 bytes"),
        () if json["markdown"]["title"].as_str().is_none_or(str::is_empty) => {
            said("errcode", 40035, "缺少参数 title")
        }
        () => said("errcode", 0, "ok"),
    }
}

/// open.feishu.cn/document/client-docs/bot-v3/add-custom-bot
fn feishu(uri: &Uri, json: &Value, bytes: usize) -> (Response, bool) {
    let timestamp = json["timestamp"].as_str().unwrap_or_default();
    let expected = hmac(format!("{timestamp}\n{SIGNING}").as_bytes(), b"");
    let apart = timestamp.parse::<i64>().map_or(i64::MAX, |at| (at - NOW.as_secs()).abs());
    match () {
        () if !uri.path().ends_with(TOKEN) => said("code", 19001, "incoming webhook access token invalid"),
        () if apart > 3600 || json["sign"] != expected => {
            said("code", 19021, "sign match fail or timestamp is not within one hour from current time")
        }
        () if bytes > 20 * 1024 || json["card"]["elements"].as_array().is_none_or(Vec::is_empty) => {
            said("code", 9499, "Bad Request")
        }
        () => {
            let answer = json!({ "StatusCode": 0, "StatusMessage": "success", "code": 0, "msg": "success", "data": {} });
            (axum::Json(answer).into_response(), true)
        }
    }
}

/// docs.slack.dev/messaging/sending-messages-using-incoming-webhooks, and its reference of blocks
fn slack(uri: &Uri, json: &Value) -> (Response, bool) {
    let refuse = |status, word: &'static str| ((status, word).into_response(), false);
    let too_long = |block: &Value| {
        let text = block["text"]["text"].as_str().unwrap_or_default();
        let most = if block["type"] == "header" { 150 } else { 3000 };
        matches!(block["type"].as_str(), Some("header" | "section"))
            && !(1..=most).contains(&text.chars().count())
    };
    match () {
        () if !uri.path().ends_with(TOKEN) => refuse(StatusCode::NOT_FOUND, "no_service"),
        () if json["text"].as_str().is_none_or(str::is_empty) => refuse(StatusCode::BAD_REQUEST, "no_text"),
        () if json["blocks"].as_array().is_none_or(|blocks| blocks.iter().any(too_long)) => {
            refuse(StatusCode::BAD_REQUEST, "invalid_blocks")
        }
        () => ("ok".into_response(), true),
    }
}

/// learn.microsoft.com: a workflow answers 202, and takes about 28 KB
fn teams(json: &Value, bytes: usize) -> (Response, bool) {
    let card = &json["attachments"][0];
    match () {
        () if bytes > 28 * 1024 => (StatusCode::PAYLOAD_TOO_LARGE.into_response(), false),
        () if card["contentType"] != "application/vnd.microsoft.card.adaptive"
            || card["content"]["type"] != "AdaptiveCard" =>
        {
            (StatusCode::BAD_REQUEST.into_response(), false)
        }
        () => (StatusCode::ACCEPTED.into_response(), true),
    }
}

fn sms(headers: &HeaderMap, json: &Value) -> (Response, bool) {
    let let_in = headers.get("authorization").is_some_and(|it| it == &format!("Bearer {BEARER}"));
    let is_whole = json["to"].is_string() && json["text"].is_string();
    match () {
        () if !let_in => (StatusCode::UNAUTHORIZED.into_response(), false),
        () if !is_whole => (StatusCode::UNPROCESSABLE_ENTITY.into_response(), false),
        () => (axum::Json(json!({ "status": "queued" })).into_response(), true),
    }
}

/// The tests' own computation.
fn hmac(key: &[u8], text: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    mac.update(text);
    STANDARD.encode(mac.finalize().into_bytes())
}
