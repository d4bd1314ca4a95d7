//! The walls that manifests cannot build: who may know whom, how large a room
//! may grow, and whether the map is true.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms that a room of `src` may know besides `forewarn_core`, `config` and
/// `ports`. `app` and `cli` build the house and know all.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("accounts", &[]),
    ("audit", &["log"]),
    ("backup", &["accounts", "log"]),
    ("board", &["channels", "state"]),
    ("cap", &["channels"]),
    ("channels", &["clock"]),
    ("clock", &[]),
    ("config", &["formats", "channels", "ingest"]),
    ("courier", &["channels", "clock", "link", "log"]),
    ("crash", &[]),
    ("driver", &["log", "clock"]),
    ("expiry", &[]),
    ("formats", &[]),
    ("fuzzed", &["formats", "ingest", "log"]),
    ("http", &["accounts", "audit", "board", "cap", "channels", "formats", "ingest", "state", "views"]),
    ("ingest", &["formats", "clock"]),
    ("link", &[]),
    ("log", &[]),
    ("ports", &["log"]),
    ("state", &["log"]),
    ("stores", &["log"]),
    ("views", &["channels", "state"]),
];

/// A room is one idea: beyond this many lines it is two.
const LINES_MAX: usize = 450;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    for entry in entries {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn room_of(path: &Path) -> String {
    let inside = path.strip_prefix(root().join("src")).expect("a file of src");
    let first = inside.components().next().expect("not empty").as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// The lines of a file that are shipped: all but its inline test modules.
fn shipped(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).expect("readable");
    let mut lines = Vec::new();
    let (mut is_test, mut inside) = (false, false);
    for line in text.lines() {
        if inside {
            inside = line != "}";
            continue;
        }
        inside = is_test && line.contains("mod ") && line.ends_with('{');
        // Other attributes may stand between it and the module.
        is_test = line == "#[cfg(test)]" || (is_test && line.starts_with("#["));
        if !inside && !is_test {
            lines.push(line.to_owned());
        }
    }
    lines
}

#[test]
fn rooms_know_only_whom_they_may() {
    let rooms: BTreeSet<String> = sources(&root().join("src")).iter().map(|path| room_of(path)).collect();
    let mut trespasses = Vec::new();
    for path in sources(&root().join("src")) {
        let room = room_of(&path);
        if ["app", "cli", "main", "lib"].contains(&room.as_str()) {
            continue;
        }
        let Some((_, may_know)) = MAY_KNOW.iter().find(|(name, _)| *name == room) else {
            panic!("src/{room} is not in MAY_KNOW: say there whom it may know");
        };
        for line in shipped(&path) {
            for other in line.split("crate::").skip(1) {
                let other: String = other.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let known = other == room
                    || other == "ports"
                    || other == "config"
                    || other == "crash"
                    || may_know.contains(&other.as_str())
                    || !rooms.contains(&other);
                if !known {
                    trespasses.push(format!("{}: {}", path.display(), line.trim()));
                }
            }
        }
    }
    assert!(trespasses.is_empty(), "rooms that know whom they may not:\n{}", trespasses.join("\n"));
}

/// Faults c and f of rumqttc: what a client publishes may be discarded unseen,
/// and holds up its acknowledgements. Ours only subscribe.
#[test]
fn a_session_with_a_broker_never_publishes() {
    for path in sources(&root().join("src/ingest/mqtt")) {
        let code = shipped(&path).join("\n");
        for call in [".publish(", ".try_publish(", ".publish_bytes(", "set_last_will("] {
            assert!(!code.contains(call), "{}: {call}", path.display());
        }
    }
}

#[test]
fn every_room_is_one_idea() {
    let mut large = Vec::new();
    for dir in ["src", "core/src", "simulations/src", "tests", "core/tests"] {
        for path in sources(&root().join(dir)) {
            let lines = fs::read_to_string(&path).expect("readable").lines().count();
            if lines > LINES_MAX {
                large.push(format!("{}: {lines} lines", path.display()));
            }
        }
    }
    assert!(large.is_empty(), "rooms of more than {LINES_MAX} lines:\n{}", large.join("\n"));
}

#[test]
fn only_the_clock_asks_the_time() {
    let mut asks = Vec::new();
    for path in sources(&root().join("src")) {
        let room = room_of(&path);
        for line in shipped(&path) {
            let code = line.split("//").next().unwrap_or_default();
            if room != "clock" && (code.contains("SystemTime::now") || code.contains("Timestamp::now")) {
                asks.push(format!("{}: {}", path.display(), line.trim()));
            }
        }
    }
    assert!(asks.is_empty(), "the wall clock is asked outside src/clock.rs:\n{}", asks.join("\n"));
}

#[test]
fn the_map_names_every_room() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md is there");
    let mut missing = Vec::new();
    for dir in ["src", "core/src", "simulations/src"] {
        for entry in fs::read_dir(root().join(dir)).expect("readable") {
            let name = entry.expect("a readable entry").file_name().to_string_lossy().into_owned();
            let room = name.trim_end_matches(".rs").to_owned();
            if !["lib", "main"].contains(&room.as_str()) && !map.contains(&format!("`{room}`")) {
                missing.push(format!("{dir}/{name}"));
            }
        }
    }
    assert!(missing.is_empty(), "ARCHITECTURE.md does not name: {}", missing.join(", "));
}

#[test]
fn the_map_names_no_room_that_is_gone() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md is there");
    let (mut named, mut gone) = (0, Vec::new());
    for dir in ["src", "core/src", "simulations/src"] {
        let part =
            map.split(&format!("\n### `{dir}`\n")).nth(1).unwrap_or_else(|| panic!("no part for {dir}"));
        let rows =
            part.lines().take_while(|line| !line.starts_with("##")).filter(|line| line.starts_with("| `"));
        for rooms in rows.filter_map(|row| row.split('|').nth(1)) {
            for room in rooms.split('`').skip(1).step_by(2) {
                let at = root().join(dir).join(room);
                named += 1;
                if !at.is_dir() && !at.with_extension("rs").is_file() {
                    gone.push(format!("{dir}/{room}"));
                }
            }
        }
    }
    assert!(named > 30, "the search finds the rooms: {named}");
    assert!(gone.is_empty(), "ARCHITECTURE.md names what is not there: {}", gone.join(", "));
}

#[test]
fn the_repository_speaks_only_of_the_project() {
    let banned = [
        "registry.npmjs",
        "proxy.golang",
        "index.crates.io",
        "deb.debian.org",
        "pypi.org",
        "/root/",
        "/work/",
    ];
    let mut found = Vec::new();
    for path in tracked() {
        let Ok(text) = fs::read_to_string(root().join(&path)) else { continue };
        for (number, line) in text.lines().enumerate() {
            if path != "tests/tidy.rs" && banned.iter().any(|word| line.contains(word)) {
                found.push(format!("{path}:{}: {line}", number + 1));
            }
        }
    }
    assert!(found.is_empty(), "hosts or paths of a machine:\n{}", found.join("\n"));
}

/// All files of the repository.
fn tracked() -> Vec<String> {
    let listed =
        std::process::Command::new("git").arg("ls-files").current_dir(root()).output().expect("git is there");
    let listed = String::from_utf8_lossy(&listed.stdout).lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(listed.len() > 100, "git lists the files: {listed:?}");
    listed
}
