//! What happens, as it happens.

use forewarn_core::authority::Role;
use reqwest::Response;
use serde_json::Value;

use crate::common::house::PATIENCE;
use crate::world::{In, World, client};

/// A reader of the stream.
struct Reader {
    response: Response,
    text: String,
}

/// One event.
#[derive(Debug, Clone, PartialEq)]
struct Event {
    id: String,
    name: String,
    data: Value,
}

impl Reader {
    async fn open(world: &World, token: &str, last: Option<&str>) -> Reader {
        let mut request =
            client().get(world.url("/api/v1/events")).header("authorization", format!("Bearer {token}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Reader { response, text: String::new() }
    }

    /// The next event; `None` once the stream has ended.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| {
                    event
                        .lines()
                        .find_map(|line| line.strip_prefix(name))
                        .unwrap_or_default()
                        .trim()
                        .to_owned()
                };
                if event.starts_with(':') {
                    continue;
                }
                let data = serde_json::from_str(&field("data:")).expect("JSON");
                return Some(Event { id: field("id:"), name: field("event:"), data });
            }
            let chunk =
                tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("in time").ok()??;
            self.text.push_str(std::str::from_utf8(&chunk).expect("text"));
        }
    }

    async fn until(&mut self, name: &str) -> Vec<Event> {
        let mut seen = Vec::new();
        while let Some(event) = self.next().await {
            seen.push(event);
            if seen.last().is_some_and(|last| last.name == name) {
                return seen;
            }
        }
        panic!("the stream ended without {name}: {seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_hears_of_its_areas_and_goes_on_where_it_was() {
    let mut world = World::new().await;
    let town = world.token(Role::Viewer, In::Town);
    let mut reader = Reader::open(&world, &town, None).await;
    let mut everywhere = Reader::open(&world, &world.token(Role::Viewer, In::Everywhere), None).await;
    world.flood().await;
    let first = reader.until("revision").await;
    let last = first.last().expect("an event").clone();
    assert_eq!(last.data["areas"][0], "town");
    drop(reader);

    // Everybody hears of both.
    let mut areas = Vec::new();
    while areas.len() < 2 {
        let event = everywhere.next().await.expect("an event");
        if event.name == "revision" {
            areas.push(event.data["areas"][0].clone());
        }
    }

    let mut again = Reader::open(&world, &town, Some(&last.id)).await;
    let later = again.until("delivery").await;
    assert!(!later.iter().any(|event| first.contains(event)), "nothing twice: {later:?}");
    assert_eq!(later.last().expect("an event").data["contact"], "duty");
    for event in first.iter().chain(&later) {
        let text = event.data.to_string();
        assert!(!text.contains("far") && !text.contains("Longyou") && !text.contains("ly-1"), "{text}");
    }

    // From before this run: all is to be read anew.
    let mut former = Reader::open(&world, &town, Some("1.0")).await;
    assert_eq!(former.next().await.expect("an event").name, "reset");
    world.service.stop().await;
    while again.next().await.is_some() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_of_one_account_are_bounded() {
    let world = World::new().await;
    let token = world.token(Role::Viewer, In::Everywhere);
    let mut readers = Vec::new();
    for _ in 0..8 {
        readers.push(Reader::open(&world, &token, None).await);
    }
    let answer = world.get("/api/v1/events", &token).await;
    assert_eq!(answer.status, 503, "{}", answer.text);
    Reader::open(&world, &world.token(Role::Viewer, In::Town), None).await;
    world.service.stop().await;
}
