use std::fs;
use std::path::{Path, PathBuf};

use forewarn_core::authority::Role;
use forewarn_core::time::{Span, Timestamp};

use super::{BackupError, MANIFEST, make, restore};
use crate::accounts::{self, Accounts, Reach};
use crate::config::plan;
use crate::log::{Lock, Log, Stamp};

fn data(base: &Path) -> PathBuf {
    let data = base.join("data");
    let settings =
        plan::Log { segment_bytes: 64 << 10, keep: Span::ZERO, gap: Span::ZERO, reserve_segments: 1 };
    let (log, _) = Log::create(Lock::take(&data).unwrap(), &settings, Stamp::Drill).unwrap();
    drop(log);
    rusqlite::Connection::open(data.join("state.db")).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    fs::create_dir(data.join("plans")).unwrap();
    fs::write(data.join("plans/a.plan"), "a plan").unwrap();
    fs::write(data.join("place"), "here").unwrap();
    data
}

#[test]
fn what_comes_back_is_what_was_there_but_for_its_place() {
    let base = tempfile::tempdir().unwrap();
    let (data, to, back) = (data(base.path()), base.path().join("backup"), base.path().join("back"));
    let made = make(&data, &to, Timestamp(7), &|_| {}).unwrap();
    let restored = restore(&to, &back, &|_| {}).unwrap();
    assert_eq!(restored, made);
    assert_eq!((made.stamp.as_str(), made.made), ("drill", Timestamp(7)));
    assert!(Log::exists(&back));
    for file in ["log.meta", "plans/a.plan"] {
        assert_eq!(fs::read(back.join(file)).unwrap(), fs::read(data.join(file)).unwrap(), "{file}");
    }
    assert!(!back.join("place").exists(), "it does not know where it is, so it will be held");
    let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(&back).unwrap());
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn accounts_come_back_and_sessions_do_not() {
    let base = tempfile::tempdir().unwrap();
    let (data, to, back) = (data(base.path()), base.path().join("backup"), base.path().join("back"));
    let now = Timestamp(7_000_000);
    let accounts = Accounts::open(&data).unwrap();
    accounts.add("li", Role::Operator, &Reach::Everywhere, "example-password", now).unwrap();
    let li = accounts.checked("li", "example-password").unwrap().unwrap();
    let session = accounts.begin_session(&li.id, now).unwrap();
    make(&data, &to, now, &|_| {}).unwrap();
    restore(&to, &back, &|_| {}).unwrap();
    let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(back.join(accounts::FILE)).unwrap());
    assert_eq!(mode & 0o777, 0o600);
    let copied = Accounts::open(&back).unwrap();
    let names: Vec<String> = copied.accounts().unwrap().into_iter().map(|it| it.holder.name).collect();
    assert_eq!(names, ["li"]);
    assert!(accounts.session(session.expose(), now).unwrap().is_some());
    assert!(copied.session(session.expose(), now).unwrap().is_none());
}

#[test]
fn what_is_not_whole_is_not_restored() {
    let base = tempfile::tempdir().unwrap();
    let data = data(base.path());
    let check = |spoil: &dyn Fn(&Path), part: &str| {
        let (to, back) = (base.path().join("backup"), base.path().join("back"));
        make(&data, &to, Timestamp(7), &|_| {}).unwrap();
        spoil(&to);
        let error = restore(&to, &back, &|_| {}).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
        assert!(!back.exists(), "{part}: nothing stands there");
        fs::remove_dir_all(&to).unwrap();
    };
    check(&|to| fs::remove_file(to.join(MANIFEST)).unwrap(), "a finished `forewarn backup`");
    check(&|to| fs::write(to.join("plans/a.plan"), "b plan").unwrap(), "as it was backed up");
    check(&|to| fs::remove_file(to.join("log.meta")).unwrap(), "log.meta");
    let rewrite = |to: &Path, from: &str, with: &str| {
        let text = fs::read_to_string(to.join(MANIFEST)).unwrap();
        assert!(text.contains(from));
        fs::write(to.join(MANIFEST), text.replace(from, with)).unwrap();
    };
    check(&|to| rewrite(to, "\"format\": 1", "\"format\": 2"), "restore it with that release");
    check(&|to| rewrite(to, "plans/a.plan", "../../a.plan"), "inside the data directory");
}

#[test]
fn nothing_that_stands_is_written_over() {
    let base = tempfile::tempdir().unwrap();
    let data = data(base.path());
    let to = base.path().join("backup");
    make(&data, &to, Timestamp(7), &|_| {}).unwrap();
    let again = make(&data, &to, Timestamp(8), &|_| {});
    assert!(matches!(again, Err(BackupError::InTheWay(_))), "{again:?}");
    let over = restore(&to, &data, &|_| {});
    assert!(matches!(over, Err(BackupError::InTheWay(_))), "{over:?}");
}
