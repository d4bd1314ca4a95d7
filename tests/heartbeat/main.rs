//! Silence means broken: whoever listens outside hears a signed heartbeat every
//! round, and hears it stop whichever stage of the service stands still.

#[allow(dead_code, reason = "each test binary uses its own part")]
#[path = "../service/child.rs"]
mod child;
#[path = "../common/mod.rs"]
mod common;

mod detector;
mod ends;
mod late;
mod stalls;
mod walking;

/// A figure, for whoever looks at the test with `--nocapture`.
#[expect(clippy::print_stderr, reason = "what is measured is worth seeing")]
fn report(what: &str) {
    eprintln!("{what}");
}
