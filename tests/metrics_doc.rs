//! `docs/metrics.md` says what every metric means: each once, and none that is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// How the names of metrics begin: ours, and Prometheus's own for any process.
const PREFIXES: [&str; 2] = ["forewarn_", "process_"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The names in the source: string literals that begin as every metric does.
fn in_source(dir: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display())) {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            in_source(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("readable");
            for prefix in PREFIXES {
                for rest in text.split(&format!("\"{prefix}")).skip(1) {
                    let name = rest.split('"').next().unwrap_or_default();
                    if name.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
                        names.insert(format!("{prefix}{name}"));
                    }
                }
            }
        }
    }
}

/// The rows of the tables: name, then kind, labels and meaning.
fn in_document() -> BTreeMap<String, Vec<String>> {
    let text = fs::read_to_string(root().join("docs/metrics.md")).expect("docs/metrics.md is there");
    let mut rows = BTreeMap::new();
    for line in text.lines().filter(|line| PREFIXES.iter().any(|it| line.starts_with(&format!("| `{it}")))) {
        let cells: Vec<String> =
            line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        let name = cells[0].trim_matches('`').to_owned();
        assert!(rows.insert(name.clone(), cells[1..].to_vec()).is_none(), "{name} is described twice");
    }
    rows
}

#[test]
fn every_metric_is_described_and_none_besides() {
    let mut names = BTreeSet::new();
    in_source(&root().join("src"), &mut names);
    assert!(names.len() > 20, "the search finds the metrics: {names:?}");
    let described: BTreeSet<String> = in_document().into_keys().collect();
    let missing: Vec<_> = names.difference(&described).collect();
    let gone: Vec<_> = described.difference(&names).collect();
    assert!(missing.is_empty(), "docs/metrics.md does not describe: {missing:?}");
    assert!(gone.is_empty(), "docs/metrics.md describes what is not in the source: {gone:?}");
}

#[test]
fn a_name_says_what_kind_it_is() {
    for (name, row) in in_document() {
        let [kind, _, meaning] = row.as_slice() else { panic!("{name}: {row:?}, expected four columns") };
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
        assert!(["counter", "gauge", "histogram"].contains(&kind.as_str()), "{name} is a {kind}");
        assert!(meaning.len() > 10, "{name} means {meaning:?}");
    }
}
