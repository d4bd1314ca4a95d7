//! Every path, for every role, in its own areas, in another's, and for nobody.

use std::collections::BTreeSet;

use forewarn_core::authority::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{In, World};

/// What a path is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    /// A list that each sees their own part of.
    Own,
    /// Something in the town.
    Town,
    /// The service as a whole.
    Service,
    /// Whoever may be: it takes another kind of token, or none.
    Else,
}

/// Every path that is described, with an example that is about the town.
fn paths(warning: &str) -> Vec<(&'static str, String, About)> {
    let own = |path: &'static str| (path, path.to_owned(), About::Own);
    vec![
        own("/api/v1/status"),
        own("/api/v1/warnings"),
        ("/api/v1/warnings/{id}", format!("/api/v1/warnings/{warning}"), About::Town),
        own("/feed.atom"),
        ("/cap/{id}", format!("/cap/{warning}.xml"), About::Town),
        ("/cap/{id}/{number}", format!("/cap/{warning}/1.xml"), About::Town),
        own("/api/v1/incidents"),
        own("/api/v1/deliveries"),
        own("/api/v1/mutes"),
        own("/api/v1/drafts"),
        own("/api/v1/sensors"),
        ("/api/v1/sensors/{station}/{quantity}", "/api/v1/sensors/qj-1/level".into(), About::Town),
        (
            "/api/v1/sensors/{station}/{quantity}/readings",
            "/api/v1/sensors/qj-1/level/readings".into(),
            About::Town,
        ),
        ("/api/v1/notes", "/api/v1/notes".into(), About::Service),
        ("/api/v1/quarantine", "/api/v1/quarantine".into(), About::Service),
        ("/api/v1/quarantine/{id}", "/api/v1/quarantine/1".into(), About::Service),
        ("/api/v1/troubles", "/api/v1/troubles".into(), About::Service),
        ("/api/v1/events", "/api/v1/events".into(), About::Else),
        ("/api/v1/commands", String::new(), About::Else),
        ("/api/v1/readings", String::new(), About::Else),
        ("/api/v2/write", String::new(), About::Else),
        ("/api/v1/reload", String::new(), About::Else),
        ("/healthz", String::new(), About::Else),
        ("/readyz", String::new(), About::Else),
        ("/metrics", String::new(), About::Else),
        ("/api/openapi.json", String::new(), About::Else),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_sees_what_is_in_their_areas_and_nothing_else() {
    let mut world = World::new().await;
    world.publish("nobody-knows", 1.0).await;
    world.flood().await;
    let (town, _) = world.warnings().await;
    world.published(&town).await;
    let paths = paths(&town);
    let described = world.get("/api/openapi.json", "").await.json;
    let described: BTreeSet<&str> =
        described["paths"].as_object().expect("paths").keys().map(String::as_str).collect();
    assert_eq!(described, paths.iter().map(|(path, ..)| *path).collect(), "each path is judged here");

    for (path, example, about) in &paths {
        if *about == About::Else {
            continue;
        }
        assert_eq!(world.get(example, "").await.status, 401, "{path}: nobody");
        assert_eq!(world.get(example, "fw_guessed").await.status, 401, "{path}: a guess");
        for role in Role::ALL {
            for within in [In::Everywhere, In::Town, In::Far] {
                let answer = world.get(example, &world.token(role, within)).await;
                let expected = match (about, within) {
                    (About::Service, In::Town | In::Far) | (About::Town, In::Far) => 403,
                    _ => 200,
                };
                assert_eq!(answer.status, expected, "{path} as {role} in {within:?}: {}", answer.text);
                if within == In::Far {
                    // By no way does one area's desk read of the other's.
                    for word in ["qj-1", "town", "Qujiang", town.as_str()] {
                        assert!(!answer.text.contains(word), "{path} tells of {word}: {}", answer.text);
                    }
                }
            }
        }
    }
    let far = world.token(Role::Administrator, In::Far);
    assert_eq!(world.get("/api/v1/warnings?area=town", &far).await.status, 403, "asked for by name");
    assert_eq!(world.get("/api/v1/warnings?area=nowhere", &far).await.status, 404);
    world.service.stop().await;
}

/// Commands that are about the town, each with the least role that may.
fn commands(warning: &str, delivery: &str) -> Vec<(Role, Option<In>, Value)> {
    let texts = json!({ "zh": { "headline": "水" }, "en": { "headline": "water" } });
    let order = |order: Value| json!({ "do": "order", "order": order });
    let town = Some(In::Town);
    vec![
        (Role::Operator, town, json!({ "do": "acknowledge", "warning": warning, "contact": "duty" })),
        (Role::Operator, town, json!({ "do": "resend", "key": delivery })),
        (Role::Operator, None, json!({ "do": "notify-test", "note": "a test" })),
        (Role::Operator, town, order(json!({ "order": "note", "warning": warning, "text": "a note" }))),
        (
            Role::Operator,
            town,
            order(json!({ "order": "draft", "hazard": "flood", "areas": ["town"], "level": "yellow",
                          "texts": texts, "lasting_s": 3600 })),
        ),
        (
            Role::Operator,
            town,
            order(json!({ "order": "mute", "what": { "area": "town" }, "up_to": "blue", "reason": "a test",
                          "lasting_s": 60 })),
        ),
        (Role::Operator, town, order(json!({ "order": "cancel", "warning": warning, "reason": "a test" }))),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_commands_what_their_role_says_in_their_areas_and_nothing_else() {
    let mut world = World::new().await;
    world.flood().await;
    let (town, _) = world.warnings().await;
    let all = world.token(Role::Viewer, In::Everywhere);
    let deliveries = world.get("/api/v1/deliveries?area=town", &all).await;
    let delivery = deliveries.json["items"][0]["key"].as_str().expect("a key").to_owned();
    for (least, about, command) in commands(&town, &delivery) {
        assert_eq!(
            world.post("/api/v1/commands", "", command.clone()).await.status,
            401,
            "nobody: {command}"
        );
        for role in Role::ALL {
            for within in [In::Far, In::Town, In::Everywhere] {
                let may = role >= least && (within == In::Everywhere || about == Some(within));
                if may && role != Role::Administrator {
                    // What it does is seen once, by the last of them.
                    continue;
                }
                let answer =
                    world.post("/api/v1/commands", &world.token(role, within), command.clone()).await;
                let denied = answer.status == 403;
                assert_eq!(
                    denied, !may,
                    "{command} as {role} in {within:?}: {} {}",
                    answer.status, answer.text
                );
                assert!(may || !answer.text.contains("Qujiang"), "{}", answer.text);
            }
        }
    }
    world.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_36_nobody_approves_their_own_draft_nor_below_their_role() {
    let mut world = World::new().await;
    world.flood().await;
    let (author, other) = (world.token(Role::Approver, In::Town), world.token(Role::Approver, In::Town));
    let draft = commands("", "").into_iter().find(|it| it.2["order"]["order"] == "draft").expect("there").2;
    let drafted = world.post("/api/v1/commands", &author, draft).await;
    assert_eq!(drafted.status, 200, "{}", drafted.text);
    let waiting = loop {
        let found = world.get("/api/v1/drafts", &author).await;
        if let Some(draft) = found.json["items"].get(0) {
            break draft.clone();
        }
        tokio::task::yield_now().await;
    };
    let approve = json!({ "do": "order", "order": {
        "order": "approve", "draft": waiting["number"], "digest": waiting["digest"] } });
    let path = "/api/v1/commands";
    let own = world.post(path, &author, approve.clone()).await;
    assert_eq!(own.status, 409, "{}", own.text);
    for (role, within) in [(Role::Viewer, In::Town), (Role::Operator, In::Town), (Role::Approver, In::Far)] {
        let token = world.token(role, within);
        assert_eq!(world.post(path, &token, approve.clone()).await.status, 403, "{role} {within:?}");
    }
    let before = world.receiver.got().len();
    let approved = world.post(path, &other, approve.clone()).await;
    assert_eq!(approved.status, 200, "{}", approved.text);
    world.receiver.wait_for("the warning by hand", |got| got.len() > before).await;
    assert_eq!(world.post(path, &other, approve).await.status, 409, "once");
    world.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_token_and_an_administrator_reload_and_nobody_else() {
    let world = World::new().await;
    let reload = async |token: &str| world.ask(Method::POST, "/api/v1/reload", token, None).await.status;
    assert_eq!(reload(&world.token(Role::Administrator, In::Everywhere)).await, 200);
    for (role, within) in [(Role::Approver, In::Everywhere), (Role::Administrator, In::Town)] {
        assert_eq!(reload(&world.token(role, within)).await, 403, "{role} {within:?}");
    }
    world.service.stop().await;
}
