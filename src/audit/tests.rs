use std::fs;
use std::path::{Path, PathBuf};

use forewarn_core::time::Timestamp;

use super::deed::Deed;
use super::files::{FOLDER, Files, Place, head, lines};
use super::{Head, verify};

fn deed(position: u64, what: &'static str) -> Deed {
    Deed {
        at: Timestamp::from_secs(1_780_000_000),
        position: Some(position),
        what,
        by: "token:a (operator)".into(),
        about: "flood/ford".into(),
        says: "\"hash\":\"x\" and a line\nbreak".into(),
        sum: Some([7; 32]),
    }
}

/// What a log holds that tells of six deeds, two of them at one position.
fn told() -> Vec<Deed> {
    [
        (3, "command-cancel"),
        (3, "revision"),
        (5, "delivery-accepted"),
        (8, "trouble"),
        (9, "trouble-over"),
        (12, "plan"),
    ]
    .map(|(position, what)| deed(position, what))
    .into()
}

fn written(data: &Path) {
    let (mut files, place) = Files::open(data, "log").unwrap();
    assert_eq!(place, Place::default());
    for deed in told() {
        files.append(&deed).unwrap();
    }
    files.reached(20);
    files.sync().unwrap();
}

fn file(data: &Path) -> PathBuf {
    data.join(FOLDER).join("0000000001.jsonl")
}

fn rewritten(data: &Path, change: impl FnOnce(Vec<&str>) -> Vec<String>) {
    let text = fs::read_to_string(file(data)).unwrap();
    let changed = change(text.lines().collect());
    fs::write(file(data), changed.join("\n") + "\n").unwrap();
}

fn flaws(data: &Path) -> Vec<String> {
    let found = verify(data, None, told()).unwrap();
    found.flaws.into_iter().map(|flaw| flaw.what).collect()
}

fn owned(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

#[test]
fn what_was_written_holds_and_tells_what_the_log_holds() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path());
    let found = verify(dir.path(), None, told()).unwrap();
    assert_eq!((found.flaws.as_slice(), found.lines, found.compared), (&[][..], Some((1, 6)), 6));
    let newest = lines(dir.path(), 2).unwrap();
    assert_eq!(newest.iter().map(|line| line.what.as_str()).collect::<Vec<_>>(), ["plan", "trouble-over"]);
    assert_eq!(newest[0].says, "\"hash\":\"x\" and a line\nbreak");
}

#[test]
fn an_edited_line_is_found() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path());
    rewritten(dir.path(), |lines| {
        let mut lines = owned(&lines);
        lines[2] = lines[2].replace("flood/ford", "flood/town");
        lines
    });
    assert_eq!(flaws(dir.path()), ["its hash does not follow: it was edited, or the line before it was"]);
}

#[test]
fn a_line_that_was_edited_with_all_after_it_is_found_by_the_log_and_by_a_noted_head() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    written(dir.path());
    let noted = head(dir.path()).unwrap().unwrap();
    // Somebody who can write the whole of it anew.
    let (mut files, _) = Files::open(other.path(), "log").unwrap();
    for (nth, mut deed) in told().into_iter().enumerate() {
        deed.what = if nth == 3 { "incident" } else { deed.what };
        files.append(&deed).unwrap();
    }
    files.reached(20);
    files.sync().unwrap();
    assert_eq!(flaws(other.path()), ["the log says otherwise at position 8"]);
    // The log no longer has it.
    let later = || told().into_iter().filter(|deed| deed.position > Some(8));
    assert!(verify(other.path(), None, later()).unwrap().is_sound());
    let found = verify(other.path(), Some(&noted), later()).unwrap();
    assert!(found.flaws[0].what.contains("noted down elsewhere"), "{found:?}");
    assert!(verify(dir.path(), Some(&noted), later()).unwrap().is_sound());
}

#[test]
fn a_dropped_a_moved_and_a_strange_line_are_found() {
    for (change, expected) in [
        ((|lines| [&lines[..3], &lines[4..]].concat()) as fn(Vec<&str>) -> Vec<&str>, "expected line 3"),
        (
            |mut lines| {
                lines.swap(2, 3);
                lines
            },
            "expected line 2",
        ),
        (
            |mut lines| {
                lines.insert(3, "{}");
                lines
            },
            "it has no hash",
        ),
        (|lines| lines[1..].to_vec(), "it does not begin as a file of the trail does"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        written(dir.path());
        rewritten(dir.path(), |lines| owned(&change(lines)));
        let found = flaws(dir.path());
        assert!(found.iter().any(|what| what.contains(expected)), "{expected}: {found:?}");
    }
}

#[test]
fn a_cut_end_is_found_now_and_after_further_lines() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path());
    rewritten(dir.path(), |lines| owned(&lines[..5]));
    assert!(flaws(dir.path())[0].contains("its end was cut off"));
    let (mut files, place) = Files::open(dir.path(), "log").unwrap();
    assert_eq!((files.missing(), place), (2, Place { position: 20, told: None }));
    files.append(&deed(21, "started")).unwrap();
    files.sync().unwrap();
    assert!(flaws(dir.path())[0].contains("it is line 7, expected line 5"), "{:?}", flaws(dir.path()));
    // And where the head was shortened with it, by what the log holds.
    let dir = tempfile::tempdir().unwrap();
    written(dir.path());
    rewritten(dir.path(), |lines| owned(&lines[..5]));
    let shorter = Files::open(dir.path(), "log").unwrap().0.head().clone();
    let hash = fs::read_to_string(file(dir.path())).unwrap();
    let hash = hash.trim_end().rsplit_once("\"hash\":\"").unwrap().1.trim_end_matches("\"}").to_owned();
    let shorter = Head { lines: 4, hash, log: shorter.log };
    fs::write(dir.path().join(FOLDER).join("head.json"), serde_json::to_vec(&shorter).unwrap()).unwrap();
    assert_eq!(flaws(dir.path()), ["the log has more: trouble-over at position 9"]);
}

#[test]
fn a_line_that_was_being_written_when_the_power_went_is_told_again() {
    let dir = tempfile::tempdir().unwrap();
    let (mut files, _) = Files::open(dir.path(), "log").unwrap();
    files.append(&told()[0]).unwrap();
    drop(files);
    let whole = fs::read(file(dir.path())).unwrap();
    fs::write(file(dir.path()), [&whole[..], b"{\"n\":2,\"at\":\"20"].concat()).unwrap();
    let (mut files, place) = Files::open(dir.path(), "log").unwrap();
    // The first deed of position 3 is told, the second is not.
    assert_eq!(place, Place { position: 3, told: Some(1) });
    for deed in &told()[1..] {
        files.append(deed).unwrap();
    }
    files.reached(20);
    files.sync().unwrap();
    assert_eq!(flaws(dir.path()), [""; 0]);
}
