//! `messages/`: words of the site.

use forewarn::config::names::FreshIndices;

use crate::world::{ROUTES, RULE, loads, sound, write};

#[test]
fn words_of_the_site_are_judged_too() {
    let dir = sound();
    write(dir.path(), "messages/en/words.toml", b"lang = \"en\"\n[hazards]\nflood = \"not a drill\"\n");
    let said = loads(dir.path(), &mut FreshIndices::default()).expect_err("banned").to_string();
    assert!(said.contains("messages/en/words.toml: \"not a drill\" may not stand in a message"), "{said}");
    let dir = sound();
    write(dir.path(), "rules/river.toml", RULE.replace("flood", "frost").as_bytes());
    write(dir.path(), "routes.toml", ROUTES.replace("flood", "frost").as_bytes());
    let loaded = loads(dir.path(), &mut FreshIndices::default()).expect("sound");
    let said: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said[0].starts_with("rules/river.toml:1: warning: hazard \"frost\" has no word in en"),
        "{said:?}"
    );
}
