//! What the fuzzers have found worth keeping goes through every target: none of
//! it panics, and none takes long.

use std::fs;
use std::path::Path;

use forewarn::fuzzed::TARGETS;

#[test]
fn the_kept_corpus_goes_through_every_target() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, target) in TARGETS {
        let folder = corpus.join(name);
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut ran = 0;
        for entry in entries {
            let bytes = fs::read(entry.expect("an entry").path()).expect("readable");
            target(&bytes);
            ran += 1;
        }
        assert!(ran > 0, "{name} has no corpus");
    }
}
