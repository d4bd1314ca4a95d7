//! Tests by their names, as they stand in the sources.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the repository stands.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every function of the tree that runs as a test, as file and name.
pub(crate) fn every_test() -> Vec<(String, String)> {
    let mut found = vec![];
    for dir in ["src", "core", "simulations", "tests"] {
        below(&root().join(dir), &mut found);
    }
    found
}

fn below(dir: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display())) {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("readable");
            let file = path.strip_prefix(root()).expect("below the root").display().to_string();
            found.extend(tests(&text).map(|name| (file.clone(), name.to_owned())));
        }
    }
}

/// Functions that run as tests: the attribute stands on the lines right above.
fn tests(text: &str) -> impl Iterator<Item = &str> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let name = |line: &str| line.split_once("fn ").is_some_and(|(before, _)| matches!(before, "" | "async "));
    let mut found = vec![];
    for (at, line) in text.lines().enumerate().filter(|(_, line)| name(line.trim())) {
        let above =
            lines[..at].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"));
        if above.into_iter().any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test")) {
            let after = line.split_once("fn ").map_or("", |(_, after)| after);
            found.push(after.split(['(', '<']).next().unwrap_or_default());
        }
    }
    found.into_iter()
}
