//! The demo, as a new user runs it: real parts at both ends, hours in seconds.

use forewarn::app::demo::{DemoOptions, Outcome, run};
use forewarn::cli::Paint;
use forewarn::log::Records;
use forewarn_core::event::Decision;
use forewarn_core::ids::Position;
use forewarn_core::level::{Level, Status};
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::warning::{Kind, Reason};

async fn play(recording: Option<&str>) -> (Outcome, String, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let options =
        DemoOptions { recording: recording.map(str::to_owned), seed: None, folder: folder.path().to_owned() };
    let mut told = Vec::new();
    let outcome = run(&options, Paint::Off, &mut told).await.unwrap_or_else(|error| panic!("{error:#}"));
    (outcome, String::from_utf8(told).expect("the demo tells in UTF-8"), folder)
}

/// What does not differ from run to run: all but files, folders and real time.
fn story(told: &str) -> Vec<&str> {
    told.lines().filter(|line| line.starts_with('0') && !line.contains(" in ")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_flood_is_warned_of_and_all_is_told_to_its_end() {
    let (outcome, told, folder) = play(None).await;
    assert_eq!(outcome.missing, Vec::<String>::new(), "{told}");
    assert_eq!(outcome.undelivered, 0);
    assert_eq!(outcome.webhooks.1, 0, "every signature verified");
    assert!(outcome.webhooks.0 > 0 && outcome.mails > 0);
    assert!(outcome.revisions.iter().all(|revision| revision.status == Status::Exercise));

    for mail in std::fs::read_dir(folder.path().join("mailbox")).expect("there") {
        let mail = std::fs::read_to_string(mail.expect("there").path()).expect("a mail is text");
        assert!(mail.contains("X-Forewarn-Status: Exercise"), "{mail}");
    }
    let (_, again, _) = play(None).await;
    assert_eq!(story(&told), story(&again), "one seed, one story");
}

#[tokio::test(flavor = "multi_thread")]
async fn hugo_is_warned_of_at_the_reading_that_crosses_and_cleared_after_the_hold() {
    let (outcome, told, folder) = play(Some("hugo-1989")).await;
    assert_eq!(outcome.missing, Vec::<String>::new(), "{told}");
    let landfall = Timestamp::from_secs(622_440_000);
    let alert = outcome
        .revisions
        .iter()
        .find(|revision| revision.kind == Kind::Alert && revision.level == Level::Red)
        .expect("Charleston stood at 4.33 m");
    assert_eq!((alert.onset, alert.sent), (landfall, landfall), "at the reading, not after its lateness");
    let measured = alert.evidence.first().and_then(|evidence| evidence.measured);
    assert_eq!(measured, Some(4.331));
    // The last reading above any limit is 3.082 m at 07:00; three hours of good data follow.
    let over = outcome
        .revisions
        .iter()
        .find(|revision| revision.warning == alert.warning && revision.kind == Kind::AllClear)
        .expect("the surge ended");
    assert_eq!(over.reason, Reason::Eased);
    assert!(over.sent >= landfall + Span::from_hours(3 + 3), "{:?}", over.sent);
    assert!(over.sent <= landfall + Span::from_hours(3 + 3 + 2), "{:?}", over.sent);
    // README sends its reader to the record that crosses.
    let readme = std::fs::read_to_string("README.md").expect("the tests run where it stands");
    let position = readme.split("forewarn log show ").nth(1).and_then(|rest| rest.split(' ').next());
    let position = position.and_then(|word| word.parse().ok()).map(Position).expect("a position");
    let mut records = Records::open_read_only(&folder.path().join("data"), position).expect("a log");
    let crosses = records.next().expect("a record").expect("sound");
    let is_alert = |it: &Decision| matches!(it, Decision::Revision(it) if it.id == alert.id);
    assert!(crosses.decisions.iter().any(|(_, it)| is_alert(it)), "{:?}", crosses.decisions);
}
