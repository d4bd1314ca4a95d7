//! The abuse cases of the threat model about who may do what, by their numbers.

use std::fs;

use forewarn_core::authority::Role;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};

use crate::common::house::Folder;
use crate::login::{Browser, field};
use crate::world::{In, PASSWORD, World, client};

const COMMANDS: &str = "/api/v1/commands";

fn draft() -> Value {
    json!({ "do": "order", "order": {
        "order": "draft", "hazard": "flood", "areas": ["town"], "level": "yellow",
        "texts": { "zh": { "headline": "水" }, "en": { "headline": "water" } }, "lasting_s": 3600 } })
}

/// The draft that waits, as an approval names it.
async fn approval(world: &World, token: &str) -> Value {
    let waiting = async {
        loop {
            let found = world.get("/api/v1/drafts", token).await;
            if let Some(draft) = found.json["items"].get(0) {
                break draft.clone();
            }
            tokio::task::yield_now().await;
        }
    };
    let waiting =
        tokio::time::timeout(crate::common::house::PATIENCE, waiting).await.expect("it is shown in time");
    json!({ "do": "order", "order": {
        "order": "approve", "draft": waiting["number"], "digest": waiting["digest"] } })
}

/// Lines of the audit trail with this word: by whom, about what, and what came of it.
fn trail(folder: &Folder, what: &str) -> Vec<(String, String, String)> {
    let text = fs::read_to_string(folder.data().join("audit/0000000001.jsonl")).expect("the trail");
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
    let word = |line: &Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
    lines
        .filter(|line| line["what"] == what)
        .map(|line| (word(&line, "by"), word(&line, "about"), word(&line, "says")))
        .collect()
}

/// Two tabs with a login each are still one person.
#[tokio::test(flavor = "multi_thread")]
async fn abuse_36_two_tabs_of_one_user() {
    let mut world = World::new().await;
    world.flood().await;
    world.account("Li", Role::Approver, In::Everywhere);
    world.account("Wang", Role::Approver, In::Everywhere);
    let tell = async |browser: &mut Browser, body: &Value| {
        let (_, page) = browser.open(&world, "/logout").await;
        let form = HeaderValue::from_str(&field(&page, "form")).expect("a token");
        let request = browser.with_cookies(client().post(world.url(COMMANDS)));
        let request = request.header("x-forewarn-form", form).header("origin", world.url(""));
        request.body(body.to_string()).send().await.expect("an answer").status().as_u16()
    };
    let (mut one, mut other, mut wang) = (Browser::default(), Browser::default(), Browser::default());
    for (browser, name) in [(&mut one, "Li"), (&mut other, "Li"), (&mut wang, "Wang")] {
        assert_eq!(browser.log_in(&world, name, PASSWORD).await, 303, "{name}");
    }
    assert_eq!(tell(&mut one, &draft()).await, 200);
    let approve = approval(&world, &world.token(Role::Viewer, In::Everywhere)).await;
    let before = world.receiver.got().len();
    for tab in [&mut one, &mut other] {
        assert_eq!(tell(tab, &approve).await, 409, "a draft takes another person");
    }
    assert_eq!(tell(&mut wang, &approve).await, 200);
    world.receiver.wait_for("the warning by hand", |got| got.len() > before).await;
    world.service.stop().await;
}

/// Who may only look approves nothing, and whoever answers for one area reads
/// nothing of another's by its id; both leave a line.
#[tokio::test(flavor = "multi_thread")]
async fn abuse_38_viewer_approves_and_a_neighbour_reads_by_id() {
    let mut world = World::new().await;
    world.flood().await;
    let (town, _) = world.warnings().await;
    let author = world.token(Role::Operator, In::Town);
    assert_eq!(world.post(COMMANDS, &author, draft()).await.status, 200);
    let approve = approval(&world, &author).await;
    let received = world.receiver.got().len();

    let viewer = world.token(Role::Viewer, In::Town);
    assert_eq!(world.post(COMMANDS, &viewer, approve).await.status, 403);
    let neighbour = world.token(Role::Administrator, In::Far);
    let paths = [
        format!("/api/v1/warnings/{town}"),
        "/api/v1/sensors/qj-1/level".to_owned(),
        "/api/v1/sensors/qj-1/level/readings".to_owned(),
    ];
    for path in &paths {
        let answer = world.get(path, &neighbour).await;
        assert_eq!(answer.status, 403, "{path}");
        assert!(!answer.text.contains("Qujiang"), "{path}: {}", answer.text);
    }
    // Whom the other desk has, it learns from no list either.
    let own = world.get("/api/v1/deliveries", &neighbour).await;
    assert_eq!((own.status, own.text.contains("Qujiang")), (200, false), "{}", own.text);
    assert_eq!(world.receiver.got().len(), received, "nothing went out");

    let World { service, folder, .. } = world;
    service.stop().await;
    let denied = trail(&folder, "denied");
    let of = |path: &str, why: &str| {
        denied.iter().filter(|(by, about, says)| !by.is_empty() && about == path && says == why).count()
    };
    assert_eq!(of(COMMANDS, "role"), 1, "{denied:?}");
    for path in &paths {
        assert_eq!(of(path, "area"), 1, "{path}: {denied:?}");
    }
}
