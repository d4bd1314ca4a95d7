//! What the pages show is a configuration that can be used.

use std::fs;
use std::path::Path;

use forewarn::config::names::FreshIndices;

use crate::world::{loads, write};

/// The blocks of one kind in a page.
fn blocks<'p>(page: &'p str, kind: &str) -> Vec<&'p str> {
    let open = format!("```{kind}\n");
    page.split(open.as_str()).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn what_the_pages_show_is_a_sound_configuration() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = |name: &str| fs::read_to_string(root.join("docs").join(name)).expect(name);
    let (webhook, tried) = (page("webhook.md"), page("try.md"));
    let keys = forewarn::config::schema::schema("forewarn.toml").expect("it has a schema");
    let keys = keys["$defs"]["Webhook"]["properties"].as_object().expect("keys of [webhook]").keys();
    let unnamed: Vec<_> = keys.filter(|key| !webhook.contains(&format!("| `{key}` |"))).collect();
    assert!(unnamed.is_empty(), "docs/webhook.md does not name {unnamed:?}");

    // The example with the blocks of the page in the places it names.
    let dir = tempfile::tempdir().expect("a temporary directory");
    fs::create_dir(dir.path().join("rules")).expect("made");
    for file in
        ["areas.geojson", "sensors.csv", "limits.csv", "rules/river-level.toml", "rules/river-rise.toml"]
    {
        fs::copy(root.join("config").join(file), dir.path().join(file)).expect(file);
    }
    let example = |file: &str| fs::read_to_string(root.join("config").join(file)).expect(file);
    let settings = example("forewarn.toml");
    let (before, after) = (settings.find("[email]").expect("it"), settings.find("# The long").expect("it"));
    let block = blocks(&tried, "toml")[0].replace("FOREWARN_WEBHOOK_SECRET", "HOOK");
    let settings = format!("{}{block}{}", &settings[..before], &settings[after..]);
    write(dir.path(), "forewarn.toml", settings.as_bytes());
    let row = blocks(&tried, "csv")[0];
    let contacts = example("contacts.csv");
    let kept: String =
        contacts.split_inclusive('\n').filter(|line| !line.starts_with("town-duty,")).collect();
    write(dir.path(), "contacts.csv", format!("{kept}{row}").as_bytes());
    let routes = example("routes.toml").replacen("[\"email\"]", "[\"webhook\", \"email\"]", 1);
    write(dir.path(), "routes.toml", routes.as_bytes());
    let loaded = loads(dir.path(), &mut FreshIndices::default()).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(loaded.warnings, []);
    assert_eq!(loaded.setup.plan.targets.iter().flatten().count(), 5);
}
