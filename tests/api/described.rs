//! The service is as it describes itself, and tells no secret.

use forewarn_core::authority::Role;
use serde_json::{Value, json};

use crate::common::house::WEBHOOK_SECRET;
use crate::world::{In, PASSWORD, World, client};

/// What the description says of an answer, checked against one.
fn check(document: &Value, path: &str, method: &str, answer: &Value) {
    let responses = &document["paths"][path][method]["responses"];
    let schema = &responses["200"]["content"]["application/json"]["schema"];
    assert!(schema.is_object(), "{method} {path} is described: {responses}");
    validate(document, schema, answer, path);
}

fn validate(document: &Value, schema: &Value, answer: &Value, what: &str) {
    let whole = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "components": document["components"],
        "allOf": [schema],
    });
    let validator = jsonschema::validator_for(&whole).expect("a sound schema");
    let faults: Vec<String> =
        validator.iter_errors(answer).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
    assert!(faults.is_empty(), "{what}: {faults:#?}\n{answer:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_as_it_is_described() {
    let mut world = World::new().await;
    world.publish("nobody-knows", 1.0).await;
    world.flood().await;
    let (town, _) = world.warnings().await;
    let token = world.token(Role::Administrator, In::Everywhere);
    let mute = json!({ "do": "order", "order": { "order": "mute", "what": { "sensor": "qj-1/level" },
        "up_to": "blue", "reason": "a test", "lasting_s": 60 } });
    let note = json!({ "do": "order", "order": { "order": "note", "text": "a note" } });
    let document = world.get("/api/openapi.json", "").await.json;
    assert_eq!(document["openapi"], "3.1.0");
    for command in [mute, note] {
        let body = &document["paths"]["/api/v1/commands"]["post"]["requestBody"];
        validate(&document, &body["content"]["application/json"]["schema"], &command, "a command");
        let done = world.post("/api/v1/commands", &token, command).await;
        assert_eq!(done.status, 200, "{}", done.text);
        check(&document, "/api/v1/commands", "post", &done.json);
    }
    let mut checked = 0;
    for (path, methods) in document["paths"].as_object().expect("paths") {
        let Some(schema) = methods["get"]["responses"]["200"]["content"].get("application/json") else {
            continue;
        };
        assert!(schema["schema"].is_object(), "{path}");
        let example = path
            .replace("{station}/{quantity}", "qj-1/level")
            .replace("quarantine/{id}", "quarantine/1")
            .replace("{id}", &town);
        let answer = world.get(&example, &token).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        check(&document, path, "get", &answer.json);
        checked += 1;
    }
    assert!(checked >= 14, "the description has the paths: {checked}");
    for path in ["/api/v1/warnings/0000", "/api/v1/sensors?limit=0", "/api/v1/nowhere"] {
        let answer = world.get(path, &token).await;
        let problem = &document["paths"]["/api/v1/status"]["get"]["responses"]["default"];
        let schema = &problem["content"]["application/problem+json"]["schema"];
        validate(&document, schema, &answer.json, path);
        assert_eq!(answer.json["status"], answer.status, "{path}");
    }
    world.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_every_path_and_the_command_line_prints_the_same() {
    let world = World::new().await;
    let served = world.get("/api/openapi.json", "").await;
    let page = world.get("/api", "").await.text;
    for path in served.json["paths"].as_object().expect("paths").keys() {
        assert!(page.contains(path.as_str()), "{path}");
    }
    assert!(!page.contains("<script"), "it needs none");
    let printed = std::process::Command::new(env!("CARGO_BIN_EXE_forewarn"))
        .args(["schema", "--openapi"])
        .output()
        .expect("the binary was built");
    let printed: Value = serde_json::from_slice(&printed.stdout).expect("JSON");
    assert_eq!(printed, served.json);
    world.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_comes_page_by_page_and_nothing_twice() {
    let mut world = World::new().await;
    world.flood().await;
    let token = world.token(Role::Viewer, In::Everywhere);
    for list in ["warnings?hazard=flood", "deliveries?state=accepted", "sensors?search=level"] {
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let page = world.get(&format!("/api/v1/{list}&limit=1{after}"), &token).await;
            assert_eq!(page.status, 200, "{list}: {}", page.text);
            let items = page.json["items"].as_array().expect("items");
            assert!(items.len() <= 1, "{list}");
            seen.extend(items.iter().map(Value::to_string));
            let Some(next) = page.json["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        let all = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!((seen.len(), all), (2, 2), "{list}");
    }
    world.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_holds_a_secret_or_an_address() {
    let mut world = World::new().await;
    world.flood().await;
    world.account("Li", Role::Viewer, In::Everywhere);
    let token = world.token(Role::Administrator, In::Everywhere);
    let (town, _) = world.warnings().await;
    let document = world.get("/api/openapi.json", "").await.json;
    let mut texts = vec![world.get("/metrics", "").await.text, world.get("/api", "").await.text];
    for path in document["paths"].as_object().expect("paths").keys().filter(|path| **path != "/api/v1/events")
    {
        let path = path.replace("{station}/{quantity}", "qj-1/level").replace("{id}", &town);
        texts.push(world.get(&path, &token).await.text);
        let wrong = client().post(world.url(&path)).header("authorization", format!("Bearer {token}"));
        texts.push(wrong.body("{").send().await.expect("an answer").text().await.expect("a body"));
    }
    let secrets =
        [WEBHOOK_SECRET, PASSWORD, token.as_str(), world.receiver.url.as_str(), "argon2id", "@example"];
    for text in &texts {
        for secret in secrets {
            assert!(!text.contains(secret), "{secret} stands in {text}");
        }
    }
    // A panic's message and a debug print are as silent.
    let setup = format!("{:?} {:?}", world.service.setup(), world.service);
    for secret in [WEBHOOK_SECRET, PASSWORD, token.as_str()] {
        assert!(!setup.contains(secret));
    }
    world.service.stop().await;
}
