//! README's drill, run as somebody new would run it.

#[path = "common/skip.rs"]
mod skip;

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

/// Ports that nobody had a moment ago.
fn free_ports<const N: usize>() -> [String; N] {
    let held = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    held.map(|it| it.local_addr().expect("it is bound").port().to_string())
}

fn is_there(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

/// What the script has to say, in this order.
const TOLD: &[&str] = &[
    "3 sensors at 3 stations",
    "sound",
    "would go to 1 target",
    "basin-chief by email",
    "[橙色II级][演练] 洪水",
    "/a/",
    "Nobody answers",
    "<chief@example.org>: [RED I][EXERCISE]",
    "You acknowledged this at",
    "red    standing",
    "treat as dangerous",
    "[解除][演练] 洪水",
    "all-clear",
    "of 2 within 5 min",
    "nothing was edited, dropped, moved or cut off",
    "stopped",
];

#[test]
fn the_drill_of_the_readme_goes_from_the_flood_to_the_evidence() {
    if !(is_there("python3") && is_there("curl")) {
        skip::skip("python3 or curl is missing", "run tests/prepare.sh");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let binary = Path::new(env!("CARGO_BIN_EXE_forewarn"));
    let path = std::env::var("PATH").expect("a path");
    let path = format!("{}:{path}", binary.parent().expect("a folder").display());
    let [mqtt, http, mail, hook] = free_ports();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/try/drill.sh");
    let done = Command::new(script)
        .arg(folder.path().join("tour"))
        .env("PATH", path)
        .envs([("MQTT", mqtt), ("HTTP", http), ("MAIL", mail), ("HOOK", hook)])
        .output()
        .expect("the script runs");
    let said = String::from_utf8_lossy(&done.stdout);
    let wrong = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{}\n{said}\n{wrong}", done.status);
    let mut rest = &*said;
    for word in TOLD {
        let at = rest.find(word).unwrap_or_else(|| panic!("no {word:?} where it should be\n{said}\n{wrong}"));
        rest = &rest[at + word.len()..];
    }
}
