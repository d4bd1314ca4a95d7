//! What the fuzzers have found worth keeping goes through every target: none of
//! it panics, and none takes long.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use forewarn::fuzzed::TARGETS;

/// What takes longer takes more than it is worth, however slow the machine.
const LONG: Duration = Duration::from_secs(10);

#[test]
fn the_kept_corpus_goes_through_every_target() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, target) in TARGETS {
        let folder = corpus.join(name);
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut ran = 0;
        for entry in entries {
            let path = entry.expect("an entry").path();
            let bytes = fs::read(&path).expect("readable");
            let begun = Instant::now();
            target(&bytes);
            assert!(begun.elapsed() < LONG, "{} took {:?}", path.display(), begun.elapsed());
            ran += 1;
        }
        assert!(ran > 0, "{name} has no corpus");
    }
}
