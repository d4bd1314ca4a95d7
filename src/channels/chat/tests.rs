use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use forewarn_core::ids::OutputId;
use forewarn_core::level::Status;
use forewarn_core::time::{Moment, Span};
use forewarn_core::warning::Revision;
use serde_json::Value;

use super::*;
use crate::channels::door::{Drill, Live};
use crate::channels::sample::{self, NOW};
use crate::channels::words::LANGUAGES;
use crate::config::plan::chat::Sms;
use crate::config::secret::Secret;

mod answers;
mod messages;
mod services;

use services::{Service, TOKEN};

/// A setup whose robots and gateway are this service.
fn setup(service: &Service) -> Setup {
    let mut setup = sample::setup();
    let sign = matches!(service.name, "dingtalk" | "feishu").then(|| Secret::new(services::SIGNING));
    let way = |login| Way { url: Secret::new(service.url()), sign: sign.clone(), login };
    if service.name == SMS {
        let login = Login::Token(Secret::new(services::BEARER));
        setup.chat.sms = Some(Sms { way: way(Some(login)), segments_max: None });
    } else {
        let robots = BTreeMap::from([("duty".to_owned(), way(None))]);
        setup.chat.robots.insert(service.name.to_owned(), robots);
    }
    setup
}

fn chat<W: World>(service: &'static str, trusted: bool) -> Chat<W> {
    Chat::new(service, Now::new(move || Moment { at: NOW, offset: Span::ZERO, trusted }))
}

fn envelope<W: World>(service: &str, language: &str, revision: Revision, setup: Setup) -> Envelope<W> {
    let address = if service == SMS { "+8613800001111" } else { "duty" };
    let key = sample::envelope::<W>(revision.clone(), sample::setup(), address).key;
    let target = Target::new("t-1".into(), address.into(), "值班".into(), service.into(), language.into());
    Envelope { key, target, ..sample::envelope(revision, setup, address) }
}

async fn send(service: &Service, language: &str, revision: Revision) -> Sent {
    let envelope = envelope::<Live>(service.name, language, revision, setup(service));
    chat::<Live>(service.name, true).send(&envelope).await
}

/// Every text of a body, one a line.
fn texts(body: &Value) -> String {
    match body {
        Value::String(text) => format!("{text}\n"),
        Value::Array(items) => items.iter().map(texts).collect(),
        Value::Object(table) => table.values().map(texts).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => String::new(),
    }
}

#[tokio::test]
async fn each_service_takes_what_is_sent_and_it_says_what_a_mail_says() {
    for (name, language) in SERVICES.into_iter().flat_map(|name| LANGUAGES.map(|language| (name, language))) {
        let service = Service::start(name).await;
        let sent = send(&service, language, sample::flood(Status::Actual)).await;
        assert_eq!(sent, Sent::Accepted, "{name} {language}");
        let heard = service.heard();
        assert_eq!(heard.len(), 1, "{name} {language}");
        let text = texts(&heard[0]);
        let words: &[&str] = match language {
            "zh" => &[
                "橙色II级",
                "洪水",
                "曲江",
                "59.10 m",
                "限值 58.50 m",
                "清空河岸和低洼道路",
                "2026-07-14 03:20",
            ],
            _ => &[
                "ORANGE II",
                "Flood",
                "Qujiang",
                "59.10 m",
                "limit 58.50 m",
                "Clear river banks",
                "2026-07-14 03:20",
            ],
        };
        for word in words.iter().chain(&["https://warn.example/a/sample-link"]) {
            assert!(text.contains(word), "{name} {language}: no {word} in {text}");
        }
        assert!(!text.contains("演练") && !text.contains("EXERCISE"), "{name} {language}: {text}");
        if name == SMS {
            assert_eq!(heard[0]["to"], "+8613800001111");
            assert!(segments::segments(heard[0]["text"].as_str().expect("a text")) <= 5, "{text}");
        } else {
            let more = if language == "zh" { "北江中游" } else { "Middle Beijiang" };
            assert!(text.contains(more), "{name} {language}: {text}");
            assert!(text.contains("◆"), "a sign beside the colour: {text}");
        }
    }
}

#[tokio::test]
async fn a_drill_bears_its_mark_in_every_service_and_language_and_leaves_by_its_own_door() {
    for (name, language) in SERVICES.into_iter().flat_map(|name| LANGUAGES.map(|language| (name, language))) {
        let service = Service::start(name).await;
        let drill = sample::flood(Status::Exercise);
        assert!(matches!(send(&service, language, drill.clone()).await, Sent::Forbidden { .. }));
        assert!(service.heard().is_empty(), "nothing of a drill leaves a live service");
        let real = envelope::<Drill>(name, language, sample::flood(Status::Actual), setup(&service));
        assert!(matches!(chat::<Drill>(name, true).send(&real).await, Sent::Forbidden { .. }));
        let envelope = envelope::<Drill>(name, language, drill, setup(&service));
        assert_eq!(chat::<Drill>(name, true).send(&envelope).await, Sent::Accepted);
        let mark = if language == "zh" { "演练" } else { "EXERCISE" };
        assert!(texts(&service.heard()[0]).contains(mark), "{name} {language}");
    }
}

#[tokio::test]
async fn a_recipe_that_drops_the_mark_of_a_drill_gives_way_to_the_built_in_one() {
    let service = Service::start("sms").await;
    let own = recipe::built_in_text("sms").replace("{{ short }}", "{{ head.headline }}");
    let mut setup = setup(&service);
    setup.chat.recipes = Arc::new(BTreeMap::from([("sms.toml".to_owned(), own)]));
    let envelope = envelope::<Drill>("sms", "en", sample::flood(Status::Exercise), setup);
    assert_eq!(chat::<Drill>("sms", true).send(&envelope).await, Sent::Accepted);
    assert!(texts(&service.heard()[0]).contains("EXERCISE"));
}

#[tokio::test]
async fn a_retry_says_the_same_under_the_same_key() {
    let service = Service::start("sms").await;
    let envelope = envelope::<Live>("sms", "en", sample::flood(Status::Actual), setup(&service));
    let chat = chat::<Live>("sms", true);
    assert_eq!(chat.send(&envelope).await, Sent::Accepted);
    assert_eq!(chat.send(&envelope).await, Sent::Accepted);
    let heard = service.heard();
    assert_eq!(heard[0], heard[1]);
    assert_eq!(heard[0]["id"], envelope.key.to_string());
}

#[tokio::test]
async fn a_sites_own_recipe_speaks_to_its_own_gateway() {
    let service = Service::start("sms").await;
    let own = "method = \"PUT\"\nheaders = { x-tenant = \"county\" }\nmarkup = \"none\"\n\
               limit = [{ at = \"/message/body\", segments = 2 }]\n\
               [answer]\ncode = \"/result\"\nok = [\"QUEUED\"]\ndead = [\"BAD\"]\n\
               [body]\nrecipients = [\"{{ to }}\"]\nflash = true\nmessage = { body = \"{{ short }}\" }\n";
    let mut setup = setup(&service);
    setup.chat.recipes = Arc::new(BTreeMap::from([("sms.toml".to_owned(), own.to_owned())]));
    let login = Login::User("county".into(), Secret::new("pass:word"));
    setup.chat.sms.as_mut().expect("a gateway").way.login = Some(login);
    let check = async |answer: &'static str| {
        service.answer_with(200, answer);
        let envelope = envelope::<Live>("sms", "zh", sample::flood(Status::Actual), setup.clone());
        chat::<Live>("sms", true).send(&envelope).await
    };
    assert_eq!(check("{\"result\":\"QUEUED\"}").await, Sent::Accepted);
    let refused = check("{\"result\":\"BAD\"}").await;
    assert_eq!(refused, Sent::Rejected { reason: "the receiver answered 200 with code BAD".into() });
    let request = &service.requests()[0];
    assert!(request.starts_with("PUT /send"), "{request}");
    assert!(request.contains("x-tenant: county"), "{request}");
    // printf county:pass:word | base64
    assert!(request.contains("authorization: Basic Y291bnR5OnBhc3M6d29yZA=="), "{request}");
    let heard = &service.heard()[0];
    assert_eq!(heard["recipients"][0], "+8613800001111");
    assert_eq!(heard["flash"], true);
    assert!(segments::segments(heard["message"]["body"].as_str().expect("a text")) <= 2, "{heard}");
}

#[tokio::test]
async fn a_robots_address_and_secrets_are_told_nowhere() {
    let service = Service::start("dingtalk").await;
    let url = service.url();
    let setup_of = |url: &str| {
        let mut setup = setup(&service);
        let robots = setup.chat.robots.get_mut("dingtalk").expect("its robots");
        robots.get_mut("duty").expect("a robot").url = Secret::new(url);
        setup
    };
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let closed = format!("http://{}/robot?access_token={TOKEN}", nobody.local_addr().expect("an address"));
    drop(nobody);
    let elsewhere = url.replace(TOKEN, "canary-of-nobody");
    for url in [closed.as_str(), &elsewhere, "https://10.0.0.1/canary", "no url canary", "ftp://x/canary"] {
        let setup = setup_of(url);
        let shown = format!("{setup:?}");
        let envelope = envelope::<Live>("dingtalk", "en", sample::flood(Status::Actual), setup);
        let channel = chat::<Live>("dingtalk", true);
        let sent = format!("{:?} {:?}", channel.send(&envelope).await, channel.server(&envelope.target));
        for secret in [TOKEN, services::SIGNING, "canary", "127.0.0.1:"] {
            assert!(!sent.contains(secret), "{secret} in {sent}");
            assert!(secret == "127.0.0.1:" || !shown.contains(secret), "{secret} in {shown}");
        }
    }
}

#[tokio::test]
async fn robots_are_kept_within_the_guard() {
    for url in ["https://169.254.169.254/robot", "http://[::ffff:10.0.0.1]/robot", "https://2130706433/robot"]
    {
        let service = Service::start("wecom").await;
        let mut setup = setup(&service);
        setup.webhook.allow = vec![];
        let robots = setup.chat.robots.get_mut("wecom").expect("its robots");
        robots.get_mut("duty").expect("a robot").url = Secret::new(url);
        let envelope = envelope::<Live>("wecom", "en", sample::flood(Status::Actual), setup);
        let sent = chat::<Live>("wecom", true).send(&envelope).await;
        assert!(matches!(sent, Sent::Forbidden { .. }), "{url}: {sent:?}");
    }
}

#[tokio::test]
async fn a_robot_that_is_no_more_is_a_dead_end_and_says_so() {
    let service = Service::start("wecom").await;
    let mut setup = setup(&service);
    setup.chat.robots.clear();
    let envelope = envelope::<Live>("wecom", "en", sample::flood(Status::Actual), setup);
    let sent = chat::<Live>("wecom", true).send(&envelope).await;
    let reason = "no way to it is configured, expected a robot or a gateway".into();
    assert_eq!(sent, Sent::Rejected { reason });
}
