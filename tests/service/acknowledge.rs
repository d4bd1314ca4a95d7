//! A warning reaches a person: the link in the message, the page behind it,
//! the acknowledgement, and what happens where nobody gives one.

use forewarn::state::StateReader;
use forewarn_core::time::Span;
use forewarn_core::warning::{About, Seen};
use reqwest::{Client, RequestBuilder, StatusCode, redirect};

use crate::common::house::{Device, Folder, Posted, Receiver, level};

/// Duty has so long, then the mayor, then the operator.
fn folder(receiver: &Receiver, within: &str) -> Folder {
    let folder = Folder::new(&receiver.url, "");
    let toml = std::fs::read_to_string(folder.config().join("forewarn.toml")).expect("just written");
    let with_url = toml.replace("zone = ", "url = \"https://warn.example.org\", zone = ");
    folder.write("forewarn.toml", &with_url);
    folder.write(
        "routes.toml",
        &format!(
            "[[route]]\nhazard = \"flood\"\nlevel = \"blue..red\"\nto = \"{{area}}/duty\"\nvia = [\"webhook\"]\n\
             ack = {{ within = \"{within}\", then = [\"{{area}}/mayor\"] }}\n"
        ),
    );
    folder.write(
        "contacts.csv",
        &format!(
            "id,name,roles,area,language,email,webhook,min_level,hours\n\
             it,值班,it,,zh,,{url},,\n\
             duty,防汛办,duty,town,zh,,{url},,\n\
             mayor,Mayor,mayor,town,en,,{url},,\n",
            url = receiver.url
        ),
    );
    folder
}

/// The page of a delivery, as the service itself has it.
fn page_of(post: &Posted, service: &forewarn::app::service::Service) -> String {
    let page = post.body["page"].as_str().expect("a link");
    let path = page.strip_prefix("https://warn.example.org").expect("below the site's address");
    format!("http://{}{path}", service.http_addr())
}

/// Presses the button of a page.
fn press(page: &str, number: &str) -> RequestBuilder {
    let form = client().post(page).header("content-type", "application/x-www-form-urlencoded");
    form.body(format!("number={number}"))
}

fn client() -> Client {
    Client::builder().redirect(redirect::Policy::none()).build().expect("a client")
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_got_the_message_acknowledges_without_a_login_and_nobody_else_is_asked() {
    let receiver = Receiver::start().await;
    let folder = folder(&receiver, "1 h");
    let secret = folder.add_device("gauge-1", "qj-1");
    let service = folder.start().await;
    let mut device = Device::connect(service.mqtt_addr().expect("the listener is on"), "gauge-1", &secret);
    device.publish("river/qj-1", level("qj-1", 58.2)).await;
    let posts = receiver.wait_for("the alert", |got| !got.is_empty()).await;
    let page = page_of(&posts[0], &service);

    // Reading changes nothing: a mail scanner reads every link.
    for _ in 0..2 {
        let answer = client().get(&page).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert!(
            answer.headers()["content-security-policy"]
                .to_str()
                .expect("text")
                .contains("default-src 'none'")
        );
        let html = answer.text().await.expect("a page");
        for word in
            ["曲江镇", "58.20 m", "橙色", "确认收到", "已通知 1 人，0 人已确认", "<form method=\"post\">"]
        {
            assert!(html.contains(word), "no {word} in {html}");
        }
    }
    // The button; then the same click again, and the back button's.
    for _ in 0..2 {
        let answer = press(&page, "1").send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    }
    let html = client().get(&page).send().await.expect("an answer").text().await.expect("a page");
    assert!(html.contains("确认收到。") && html.contains("已通知 1 人，1 人已确认"), "{html}");
    assert!(!html.contains("<form"), "there is nothing left to do");

    // A higher level is news: what was seen is not what now holds.
    device.publish("river/qj-1", level("qj-1", 59.2)).await;
    receiver.wait_for("the upgrade", |got| got.len() >= 2).await;
    let stale = press(&page, "1").send().await.expect("an answer");
    assert_eq!(stale.status(), StatusCode::SEE_OTHER);
    let html = client().get(&page).send().await.expect("an answer").text().await.expect("a page");
    assert!(html.contains("红色") && html.contains("<form") && html.contains("value=\"2\""), "{html}");

    // What is no link of ours opens nothing, and a form without a number does nothing.
    let forged = format!("{}A", &page[..page.len() - 1]);
    let forged = if forged == page { format!("{}B", &page[..page.len() - 1]) } else { forged };
    for (url, form, expected) in [
        (&forged, Some("2"), StatusCode::NOT_FOUND),
        (&forged, None, StatusCode::NOT_FOUND),
        (&page, Some("x"), StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let request = match form {
            Some(number) => press(url, number),
            None => client().get(url),
        };
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), expected, "{form:?}");
    }
    service.stop().await;
    assert_eq!(receiver.wait_for("no third", |got| got.len() >= 2).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn unacknowledged_goes_on_to_the_next_and_says_why() {
    let receiver = Receiver::start().await;
    let folder = folder(&receiver, "1 s");
    let secret = folder.add_device("gauge-1", "qj-1");
    let service = folder.start().await;
    let mut device = Device::connect(service.mqtt_addr().expect("the listener is on"), "gauge-1", &secret);
    device.publish("river/qj-1", level("qj-1", 59.2)).await;
    let posts = receiver.wait_for("duty, mayor, operator", |got| got.len() >= 3).await;
    let told: Vec<&str> =
        posts.iter().map(|post| post.body["language"].as_str().expect("a language")).collect();
    assert_eq!(told, ["zh", "en", "zh"]);
    let keys: std::collections::BTreeSet<&str> = posts.iter().map(|post| post.id.as_str()).collect();
    assert_eq!(keys.len(), 3, "each has a key of its own");

    // The mayor's page is in English, and her acknowledgement is hers.
    let page = page_of(&posts[1], &service);
    press(&page, "1").send().await.expect("an answer");
    let html = client().get(&page).send().await.expect("an answer").text().await.expect("a page");
    assert!(html.contains("You acknowledged this at") && html.contains("1 of 3 who were told"), "{html}");

    service.stop().await;

    // How far it reached stands in the record.
    let state = StateReader::open_read_only(&folder.data().join("state.db")).expect("a projection");
    let rows = state.recent_warnings(10).expect("it reads");
    let row = rows.iter().find(|row| matches!(row.newest.about, About::Incident(_))).expect("the flood");
    let detail = state.warning(row.digest).expect("it reads").expect("it is kept");
    let [mayors] = detail.acknowledgements.as_slice() else { panic!("{:?}", detail.acknowledgements) };
    let reach = mayors.reach.expect("the first of hers");
    assert_eq!(reach.seen, Seen { by: 1, of: 3 });
    assert!(reach.after >= Span::from_secs(1), "she was told after a second: {}", reach.after);
}
