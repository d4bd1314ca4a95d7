//! A warning by webhook and by a real mail server, the mail parsed back.

use std::collections::BTreeSet;

use base64::Engine as _;
use forewarn::channels::facts::FIELDS;
use forewarn_core::event::Decision;
use forewarn_core::ids::{Key, Position};
use forewarn_core::warning::About;
use serde_json::Value;

use crate::common::house::{Device, Folder, Posted, Receiver, level, wait_for};
use crate::smtp::{LOGIN, Smtp};
use crate::tls_files::certificates;

/// A folder whose duty officers read Chinese and English mails, and whose machine takes webhooks.
fn folder(receiver: &Receiver, tls: &std::path::Path, port: u16) -> Folder {
    let folder = Folder::new(
        &receiver.url,
        &format!(
            r#"email = {{ host = "localhost", port = {port}, ca = "{}", user = "{}", password = {{ file = "mail-password" }}, from = "Test river <warn@example.org>" }}"#,
            tls.join("ca.pem").display(),
            LOGIN.0
        ),
    );
    folder.write("mail-password", LOGIN.1);
    folder.write(
        "contacts.csv",
        &format!(
            "id,name,roles,area,language,email,webhook,min_level,hours\n\
             it,值班,it,,zh,,{url},,\n\
             duty,防汛办,duty,town,zh,duty@example.org,{url},,\n\
             adviser,Adviser,duty,town,en,adviser@example.org,{url},,\n",
            url = receiver.url
        ),
    );
    folder
}

fn mail_to<'a>(mails: &'a [Value], address: &str) -> &'a Value {
    mails.iter().find(|mail| mail["to"][0] == address).unwrap_or_else(|| panic!("{address}: {mails:#?}"))
}

fn post_in<'a>(posts: &'a [Posted], language: &str) -> &'a Value {
    let post = posts.iter().find(|post| post.body["language"] == language);
    &post.unwrap_or_else(|| panic!("{language}: {posts:#?}")).body["revisions"][0]
}

/// As HTML is read: its references as the signs they stand for.
fn unescaped(html: &str) -> String {
    html.replace("&#x2f;", "/").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// The delivery key in a mail's `Message-ID`.
fn key_of(mail: &Value) -> &str {
    let id = mail["messageId"].as_str().expect("a Message-ID");
    id.trim_matches(['<', '>']).split('@').next().expect("a key")
}

/// The keys of all that was due of the warnings in the log.
fn keys_due(folder: &Folder, plan: &forewarn_core::plan::Plan) -> BTreeSet<String> {
    let records = forewarn::log::Records::open_read_only(&folder.data(), Position(0)).expect("a log");
    let decisions = records.flat_map(|record| record.expect("sound").decisions);
    decisions
        .filter_map(|(_, decision)| match decision {
            Decision::Revision(revision) if matches!(revision.about, About::Incident(_)) => Some(revision),
            _ => None,
        })
        .flat_map(|revision| {
            let key = |due: &forewarn_core::warning::Due| {
                let target = plan.target(due.target).expect("a target of the plan");
                Key::of_delivery(&revision.id, &target.id, due.round).to_string()
            };
            revision.due.iter().map(key).collect::<Vec<_>>()
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_red_crossing_is_told_at_once_by_webhook_and_mail() {
    let tls = tempfile::tempdir().expect("a temporary directory");
    certificates(tls.path());
    let Some(smtp) = Smtp::start(tls.path()) else { return };
    let receiver = Receiver::start().await;
    let folder = folder(&receiver, tls.path(), smtp.port().await);
    let secret = folder.add_device("gauge-1", "qj-1");
    let service = folder.start().await;
    let mut device = Device::connect(service.mqtt_addr().expect("the listener is on"), "gauge-1", &secret);
    // The gauge may be thirty minutes late; its red is told at once all the same.
    device.publish("river/qj-1", level("qj-1", 55.2)).await;
    device.publish("river/qj-1", level("qj-1", 59.1)).await;
    device.acknowledged().await;

    let posts = receiver.wait_for("the webhooks", |got| got.len() >= 2).await;
    let mails = wait_for("two mails", || (smtp.mails().len() >= 2).then(|| smtp.mails())).await;

    for (address, language, in_subject, fields) in [
        (
            "duty@example.org",
            "zh",
            "[红色I级] 洪水",
            ["曲江镇", "59.10 m", "59.00 m", "1985-national", "UTC+08:00", "转移"],
        ),
        (
            "adviser@example.org",
            "en",
            "[RED I] Flood",
            ["Qujiang town", "59.10 m", "59.00 m", "1985-national", "UTC+08:00", "Evacuate"],
        ),
    ] {
        let mail = mail_to(&mails, address);
        assert_eq!(
            (&mail["secure"], &mail["user"]),
            (&true.into(), &LOGIN.0.into()),
            "by TLS, after a login"
        );
        assert!(mail["subject"].as_str().is_some_and(|subject| subject.starts_with(in_subject)), "{mail:#}");
        let revision = post_in(&posts, language);
        let said = revision["text"]["fields"].as_array().expect("fields");
        assert_eq!(said.len(), FIELDS.len());
        for part in ["text", "html"] {
            let text = unescaped(mail[part].as_str().expect(part));
            // Whatever the webhook says, the mail says, with its label.
            for word in said.iter().flat_map(|field| [&field["label"], &field["text"]]) {
                let word = word.as_str().filter(|word| !word.is_empty()).expect("no field is empty");
                assert!(text.contains(word), "{address}: no {word} in {part}: {text}");
            }
            for field in fields {
                assert!(text.contains(field), "{address}: no {field} in {part}: {text}");
            }
            assert!(!text.to_lowercase().contains("not a drill"));
        }
        let warning = revision["warning"].as_str().expect("an id");
        let named = mail["headers"]["x-forewarn-warning"].as_str().expect("the header");
        assert!(named.ends_with(&format!(" {warning}")), "the same warning in both: {named}, {warning}");
        assert!(mail["headers"]["x-forewarn-status"].as_str().is_some_and(|line| line.contains("Actual")));
        let chart = &mail["attachments"][0];
        assert_eq!(chart["type"], "image/png");
        let png = base64::engine::general_purpose::STANDARD
            .decode(chart["content"].as_str().expect("content"))
            .expect("base64");
        assert!(png.starts_with(b"\x89PNG"));
        let linked = format!("cid:{}", chart["cid"].as_str().expect("a content id"));
        // The parser puts the picture itself in the place of its content id.
        let html = mail["html"].as_str().expect("html");
        assert!(
            html.contains(&linked) || html.contains("data:image/png;base64,"),
            "the chart stands in the text"
        );
    }
    let plan = service.setup().plan.clone();
    assert_eq!(service.stop().await.undelivered, 0);
    let mut keys: Vec<&str> = mails.iter().map(key_of).collect();
    keys.extend(posts.iter().map(|post| post.id.as_str()));
    let told: BTreeSet<String> = keys.iter().map(|&key| key.to_owned()).collect();
    assert_eq!(told.len(), keys.len(), "each target has its own key");
    assert_eq!(told, keys_due(&folder, &plan), "and it is the one that the log gives");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_that_is_down_gets_the_same_mail_later_and_nobody_else_waits() {
    let tls = tempfile::tempdir().expect("a temporary directory");
    certificates(tls.path());
    let Some(mut smtp) = Smtp::start(tls.path()) else { return };
    let receiver = Receiver::start().await;
    let folder = folder(&receiver, tls.path(), smtp.port().await);
    let secret = folder.add_device("gauge-1", "qj-1");
    let service = folder.start().await;
    smtp.order("down").await;
    let mut device = Device::connect(service.mqtt_addr().expect("the listener is on"), "gauge-1", &secret);
    device.publish("river/qj-1", level("qj-1", 59.1)).await;
    device.acknowledged().await;
    receiver.wait_for("the webhook does not wait", |got| !got.is_empty()).await;
    assert!(smtp.mails().is_empty());
    smtp.order("up").await;
    wait_for("both mails", || (smtp.mails().len() >= 2).then_some(())).await;
    let stopped = service.stop().await;
    assert_eq!((stopped.undelivered, smtp.mails().len()), (0, 2), "each once");
}
