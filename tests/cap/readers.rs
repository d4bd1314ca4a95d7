//! Reading alerts and feed, as somebody who may or may not.

use forewarn::accounts::Reach;
use forewarn::app::service::Service;
use forewarn_core::authority::Role;
use forewarn_core::time::Span;
use reqwest::{Client, redirect};

use crate::common::house::{Device, Folder, PATIENCE, Receiver, level};

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
    pub(crate) kind: String,
    pub(crate) etag: String,
    pub(crate) changed: String,
}

/// One entry of the feed, with the alert that it links to.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) title: String,
    pub(crate) alert: String,
}

/// Somebody who looks.
pub(crate) struct Desk {
    base: String,
    token: String,
}

impl Desk {
    /// Of one who may look everywhere.
    pub(crate) fn of(service: &Service) -> Desk {
        Desk::within(service, &Reach::Everywhere)
    }

    pub(crate) fn within(service: &Service, reach: &Reach) -> Desk {
        let now = service.pulse().borrow().moment.civil();
        let made =
            service.accounts().add_token("reader", Role::Viewer, reach, Span::from_hours(24 * 30), now);
        let token = made.expect("it can be made").0.expose().to_owned();
        Desk { base: format!("http://{}", service.http_addr()), token }
    }

    /// Of a stranger.
    pub(crate) fn stranger(service: &Service) -> Desk {
        Desk { base: format!("http://{}", service.http_addr()), token: String::new() }
    }

    /// Asks; `known` is the tag of the copy that the reader has, empty where there is none.
    pub(crate) async fn get(&self, path: &str, known: &str) -> Answer {
        let mut request = client().get(format!("{}{path}", self.base));
        if !self.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        if !known.is_empty() {
            request = request.header("if-none-match", known);
        }
        let response = request.send().await.expect("the server answers");
        let header = |name: &str| {
            let value = response.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let (kind, etag, changed) = (header("content-type"), header("etag"), header("last-modified"));
        let status = response.status().as_u16();
        Answer { status, text: response.text().await.expect("a body"), kind, etag, changed }
    }

    /// What stands there, once it does.
    pub(crate) async fn found(&self, path: &str) -> String {
        let found = async {
            loop {
                let answer = self.get(path, "").await;
                if answer.status == 200 {
                    break answer.text;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("{path}: nothing came"))
    }

    /// What the feed lists, once it is so much, newest first.
    pub(crate) async fn listed(&self, count: usize) -> Vec<Listed> {
        let feed = async {
            loop {
                let feed = self.get("/feed.atom", "").await;
                assert_eq!(feed.status, 200, "{}", feed.text);
                let parsed = feed_rs::parser::parse(feed.text.as_bytes()).expect("a feed");
                if parsed.entries.len() >= count {
                    break parsed;
                }
                tokio::task::yield_now().await;
            }
        };
        let feed =
            tokio::time::timeout(PATIENCE, feed).await.unwrap_or_else(|_| panic!("{count} do not come"));
        assert_eq!(feed.entries.len(), count);
        assert!(feed.updated.is_some() && feed.authors.len() == 1 && feed.id.starts_with("urn:uuid:"));
        let updated: Vec<_> = feed.entries.iter().map(|entry| entry.updated.expect("it has one")).collect();
        assert!(updated.windows(2).all(|pair| pair[0] >= pair[1]), "newest first: {updated:?}");
        let mut listed = vec![];
        for entry in feed.entries {
            assert_eq!(entry.links[0].media_type.as_deref(), Some("application/cap+xml"));
            // Whole or from the feed's own address.
            let href = &entry.links[0].href;
            let path = &href[href.find("/cap/").unwrap_or_else(|| panic!("{href}"))..];
            let answer = self.get(path, "").await;
            assert_eq!((answer.status, answer.kind.as_str()), (200, "application/cap+xml; charset=utf-8"));
            listed.push(Listed { title: entry.title.expect("it has one").content, alert: answer.text });
        }
        listed
    }
}

/// A client that follows no redirect and keeps no cookie.
fn client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().redirect(redirect::Policy::none()).build().expect("a client")
}

/// The texts of all elements of a name.
pub(crate) fn element(xml: &str, name: &str) -> Vec<String> {
    let document = uppsala::parse(xml).unwrap_or_else(|error| panic!("{error}: {xml}"));
    document.get_elements_by_tag_name(name).into_iter().map(|it| document.text_content_deep(it)).collect()
}

async fn flood(extra: &str) -> (Folder, Service) {
    let receiver = Receiver::start().await;
    let folder = Folder::new(&receiver.url, extra);
    let secret = folder.add_device("gauge-1", "qj-1");
    let service = folder.start().await;
    let mut device = Device::connect(service.mqtt_addr().expect("the listener is on"), "gauge-1", &secret);
    device.publish("river/qj-1", level("qj-1", 58.2)).await;
    Desk::of(&service).listed(1).await;
    (folder, service)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_reads_nothing_unless_it_was_published_for_everybody() {
    let (folder, service) = flood("").await;
    let stranger = Desk::stranger(&service);
    let listed = Desk::of(&service).listed(1).await;
    let alert = &listed[0].alert;
    let path = format!("/cap/{}.xml", element(alert, "incidents").concat());
    for path in ["/feed.atom", &path] {
        let answer = stranger.get(path, "").await;
        assert_eq!((answer.status, answer.kind.as_str()), (401, "application/problem+json"), "{path}");
    }
    assert_eq!(element(alert, "scope"), ["Restricted"]);
    assert!(element(alert, "restriction").concat().contains("Test river"));
    let foreign = Desk::within(&service, &Reach::Areas(vec!["elsewhere".into()]));
    assert_eq!(foreign.get(&path, "").await.status, 403);
    foreign.listed(0).await;
    let own = Desk::within(&service, &Reach::Areas(vec!["town".into()]));
    assert_eq!(own.listed(1).await.len(), 1);
    for nothing in [
        "/cap/x.xml",
        "/cap/00000000000000000000000000000000.xml",
        "/cap/00000000000000000000000000000000/1.xml",
    ] {
        assert_eq!(own.get(nothing, "").await.status, 404, "{nothing}");
    }
    assert_eq!(own.get(&path.replace(".xml", ""), "").await.status, 404);
    assert_eq!(own.get(&path.replace(".xml", "/2.xml"), "").await.status, 404);
    service.stop().await;

    // Opened later: what was for some stays for some.
    let toml = std::fs::read_to_string(folder.config().join("forewarn.toml")).expect("there");
    folder.write("forewarn.toml", &format!("{toml}\ncap = {{ public = true }}\n"));
    let service = folder.start().await;
    let stranger = Desk::stranger(&service);
    assert_eq!(stranger.get(&path, "").await.status, 404);
    stranger.listed(0).await;
    Desk::of(&service).listed(1).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_public_is_read_by_everybody() {
    let (_folder, service) = flood("cap = { public = true }").await;
    let listed = Desk::stranger(&service).listed(1).await;
    assert_eq!(element(&listed[0].alert, "scope"), ["Public"]);
    assert_eq!(element(&listed[0].alert, "restriction"), Vec::<String>::new());
    let foreign = Desk::within(&service, &Reach::Areas(vec!["elsewhere".into()]));
    assert_eq!(foreign.listed(1).await.len(), 1, "no secret in any area");
    service.stop().await;
}
