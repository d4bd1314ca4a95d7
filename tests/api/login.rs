//! Login of people: the first administrator, sessions, lockout, and forms that
//! another site sends.

use forewarn_core::authority::Role;
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{RequestBuilder, Response};

use crate::world::{In, PASSWORD, World, client};

/// A browser: keeps its cookies, and reads the form before it sends it.
#[derive(Debug, Default)]
pub(crate) struct Browser {
    cookies: Vec<(String, String)>,
}

impl Browser {
    pub(crate) fn with_cookies(&self, request: RequestBuilder) -> RequestBuilder {
        let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        request.header("cookie", pairs.join("; "))
    }

    fn keep(&mut self, headers: &HeaderMap) {
        for cookie in headers.get_all("set-cookie") {
            let cookie = cookie.to_str().expect("text");
            assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
            let (pair, _) = cookie.split_once(';').expect("attributes");
            let (name, value) = pair.split_once('=').expect("a pair");
            self.cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    pub(crate) async fn open(&mut self, world: &World, path: &str) -> (u16, String) {
        let request = self.with_cookies(client().get(world.url(path))).header("accept", "text/html");
        let response = request.send().await.expect("an answer");
        self.keep(response.headers());
        (response.status().as_u16(), response.text().await.expect("a body"))
    }

    async fn send(
        &mut self,
        world: &World,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&'static str, &str)],
    ) -> Response {
        let encoded: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let mut request = self.with_cookies(client().post(world.url(path)));
        for (name, value) in headers {
            request = request.header(*name, HeaderValue::from_str(value).expect("a value"));
        }
        let request =
            request.header("content-type", "application/x-www-form-urlencoded").body(encoded.join("&"));
        let response = request.send().await.expect("an answer");
        self.keep(response.headers());
        response
    }

    pub(crate) async fn log_in(&mut self, world: &World, name: &str, password: &str) -> u16 {
        let (_, page) = self.open(world, "/login").await;
        let form = field(&page, "form");
        let fields = [("form", form.as_str()), ("name", name), ("password", password), ("next", "/logout")];
        self.send(world, "/login", &fields, &[]).await.status().as_u16()
    }
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(
            |byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            },
        )
        .collect()
}

/// The value of a hidden field.
pub(crate) fn field(page: &str, name: &str) -> String {
    let (_, rest) =
        page.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("{name}: {page}"));
    rest.split_once('"').expect("closed").0.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_administrator_is_made_once_and_then_people_log_in() {
    let world = World::new().await;
    let token = world.service.first_token().expect("readable").expect("nobody is there yet");
    let mut browser = Browser::default();
    let (status, _) = browser.open(&world, "/login").await;
    assert_eq!(status, 303, "to the first start");
    let (status, page) = browser.open(&world, "/setup").await;
    assert_eq!(status, 200);
    let form = field(&page, "form");
    let with = |token: &str| {
        [
            ("form", form.clone()),
            ("token", token.to_owned()),
            ("name", "Li".to_owned()),
            ("password", PASSWORD.to_owned()),
        ]
    };
    let fields = |it: &[(&'static str, String); 4]| it.clone();
    let wrong = fields(&with("first_wrong"));
    let wrong: Vec<(&str, &str)> = wrong.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(browser.send(&world, "/setup", &wrong, &[]).await.status(), 401);
    // The page that said no has a form of its own.
    let (_, page) = browser.open(&world, "/setup").await;
    let form = field(&page, "form");
    let right = [("form", form.as_str()), ("token", token.expose()), ("name", "Li"), ("password", PASSWORD)];
    assert_eq!(browser.send(&world, "/setup", &right, &[]).await.status(), 303);
    let (status, page) = browser.open(&world, "/logout").await;
    assert!(status == 200 && page.contains("Li"), "{status} {page}");

    let mut later = Browser::default();
    assert_eq!(later.open(&world, "/setup").await.0, 303, "nothing is left to set up");
    assert_eq!(later.open(&world, "/logout").await.0, 303, "nobody is logged in");
    assert_eq!(later.log_in(&world, "Li", "wrong").await, 401);
    assert_eq!(later.log_in(&world, "li", PASSWORD).await, 303);
    let (_, page) = later.open(&world, "/logout").await;
    let form = field(&page, "form");
    assert_eq!(later.send(&world, "/logout", &[("form", &form)], &[]).await.status(), 303);
    assert_eq!(later.open(&world, "/logout").await.0, 303, "logged out");
    assert_eq!(browser.open(&world, "/logout").await.0, 200, "the other session goes on");
    world.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_39_another_site_makes_nobody_do_anything() {
    let mut world = World::new().await;
    world.flood().await;
    world.account("Li", Role::Operator, In::Everywhere);
    let mut browser = Browser::default();
    assert_eq!(browser.log_in(&world, "Li", PASSWORD).await, 303);
    let (_, page) = browser.open(&world, "/logout").await;
    let form = field(&page, "form");
    let (town, _) = world.warnings().await;
    let body =
        format!(r#"{{"do":"order","order":{{"order":"cancel","warning":"{town}","reason":"a test"}}}}"#);
    let command = |headers: &[(&'static str, &str)]| {
        let mut request =
            browser.with_cookies(client().post(world.url("/api/v1/commands"))).body(body.clone());
        for (name, value) in headers {
            request = request.header(*name, HeaderValue::from_str(value).expect("a value"));
        }
        async move { request.send().await.expect("an answer").status().as_u16() }
    };
    let own = world.url("");
    let foreign: &[&[(&'static str, &str)]] = &[
        // A form of another site: the browser sends the cookie, and cannot send the token.
        &[("origin", "https://evil.example"), ("content-type", "text/plain")],
        &[("sec-fetch-site", "cross-site")],
        &[],
        &[("x-forewarn-form", "guessed"), ("origin", &own)],
        // Even the token does not help from elsewhere.
        &[("x-forewarn-form", &form), ("origin", "https://evil.example")],
        &[("x-forewarn-form", &form), ("origin", "null")],
        &[("x-forewarn-form", &form), ("sec-fetch-site", "same-site")],
    ];
    for headers in foreign {
        assert_eq!(command(headers).await, 403, "{headers:?}");
    }
    let received = world.receiver.got().len();
    assert_eq!(command(&[("x-forewarn-form", &form), ("origin", &own)]).await, 200);
    world.receiver.wait_for("the cancel", |got| got.len() > received).await;

    // Nor does it log anybody in or out.
    let mut victim = Browser::default();
    victim.open(&world, "/login").await;
    let fields = [("form", "guessed"), ("name", "Li"), ("password", PASSWORD)];
    assert_eq!(victim.send(&world, "/login", &fields, &[]).await.status(), 403);
    let without = Browser::default().send(&world, "/logout", &[("form", "guessed")], &[]).await;
    assert_eq!(without.status(), 401);
    assert_eq!(browser.send(&world, "/logout", &[("form", "guessed")], &[]).await.status(), 403);
    world.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_is_slowed_and_said_so() {
    let world = World::new().await;
    world.account("Li", Role::Viewer, In::Everywhere);
    let mut guesser = Browser::default();
    for _ in 0..5 {
        assert_eq!(guesser.log_in(&world, "Li", "a wrong password").await, 401);
    }
    let (_, page) = guesser.open(&world, "/login").await;
    let form = field(&page, "form");
    let fields = [("form", form.as_str()), ("name", "Li"), ("password", PASSWORD)];
    let response = guesser.send(&world, "/login", &fields, &[]).await;
    assert_eq!(response.status(), 429, "even the right one waits");
    let after: u64 = response.headers()["retry-after"].to_str().expect("text").parse().expect("seconds");
    assert!((1..=6).contains(&after), "{after}");
    world.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_says_what_browsers_must_not_do() {
    let world = World::new().await;
    for path in ["/login", "/setup", "/api", "/api/v1/status", "/healthz", "/nowhere"] {
        let response = client().get(world.url(path)).send().await.expect("an answer");
        let headers = response.headers();
        let policy = headers["content-security-policy"].to_str().expect("text");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["referrer-policy"], "same-origin", "{path}");
    }
    world.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_tls_cookies_are_secure_and_this_hosts_alone() {
    let world = World::new().await;
    world.account("Li", Role::Viewer, In::Everywhere);
    let toml = std::fs::read_to_string(world.folder.config().join("forewarn.toml")).expect("written");
    world
        .folder
        .write("forewarn.toml", &toml.replace("zone = ", "url = \"https://warn.example.org\", zone = "));
    world.service.desk().reload(forewarn::app::desk::Orphan::Refuse).await.expect("sound");
    let response = client().get(world.url("/login")).send().await.expect("an answer");
    let cookie = response.headers()["set-cookie"].to_str().expect("text");
    assert!(
        cookie.starts_with("__Host-") && cookie.contains("; Secure") && cookie.contains("Path=/"),
        "{cookie}"
    );
    world.service.stop().await;
}
