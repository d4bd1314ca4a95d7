//! A test that this machine lacks something for never passes in silence.

use std::io::Write as _;

/// Says that the test at hand is skipped, what is missing and how to get it;
/// where `CI=true` it fails.
pub(crate) fn skip(missing: &str, how: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing}: {how}");
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    // Written past the harness, which shows nothing that a passing test prints.
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {missing}: {how}");
}
