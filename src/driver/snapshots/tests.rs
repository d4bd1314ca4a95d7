use super::*;

fn start(data: &Path) -> Snapshots {
    let upgrade = Upgrade::begin(data, "0.2.0").expect("writable");
    Snapshots::start(data, Position(0), upgrade).expect("it starts")
}

fn photograph(position: u64) -> Photograph {
    Photograph { engine: Engine::default(), position: Position(position), _under_way: Arc::new(()) }
}

#[test]
fn those_ahead_of_a_restored_log_are_forgotten() {
    let data = tempfile::tempdir().expect("a temporary directory");
    let dir = data.path().join("snapshots");
    fs::create_dir_all(&dir).expect("writable");
    for position in [10, 20] {
        write(&dir, photograph(position), None).expect("writable");
    }
    forget_after(data.path(), Position(19)).expect("writable");
    assert_eq!(list(&dir), [Position(10)]);
}

#[test]
fn two_are_kept_and_a_rotten_one_is_told_from_a_good_one() {
    let data = tempfile::tempdir().expect("a temporary directory");
    let dir = data.path().join("snapshots");
    fs::create_dir_all(&dir).expect("writable");
    for position in [10, 20, 30] {
        write(&dir, photograph(position), None).expect("writable");
    }
    assert_eq!(list(&dir), [Position(30), Position(20)]);
    assert_eq!(second_newest(&dir), Position(20));

    let newest = path(&dir, Position(30));
    let mut bytes = fs::read(&newest).expect("readable");
    *bytes.last_mut().expect("not empty") ^= 1;
    fs::write(&newest, bytes).expect("writable");
    let read: Vec<bool> = all(data.path()).map(|(_, snapshot)| snapshot.is_ok()).collect();
    assert_eq!(read, [false, true]);
}

#[test]
fn one_of_a_newer_engine_is_refused_in_words() {
    let data = tempfile::tempdir().expect("a temporary directory");
    let dir = data.path().join("snapshots");
    fs::create_dir_all(&dir).expect("writable");
    write(&dir, photograph(10), None).expect("writable");
    let path = path(&dir, Position(10));
    age(&path);
    let error = read(&path).expect_err("not to be decoded by luck").to_string();
    assert!(error.contains(&format!("expected {ENGINE_VERSION} or earlier")), "{error}");
}

/// Makes a snapshot one of a later engine's.
fn age(path: &Path) {
    let mut bytes = fs::read(path).expect("readable");
    bytes[8..12].copy_from_slice(&(ENGINE_VERSION + 1).to_le_bytes());
    let mut sum = crc32fast::Hasher::new();
    sum.update(&bytes[..HEADER - 4]);
    sum.update(&bytes[HEADER..]);
    bytes[HEADER - 4..HEADER].copy_from_slice(&sum.finalize().to_le_bytes());
    fs::write(path, bytes).expect("writable");
}

/// A snapshot as a later engine would leave it.
fn write_newer(dir: &Path, position: u64) {
    write(dir, photograph(position), None).expect("writable");
    age(&path(dir, Position(position)));
}

#[test]
fn the_last_one_before_an_upgrade_outlives_the_others_until_it_is_confirmed() {
    let data = tempfile::tempdir().expect("a temporary directory");
    let dir = folder(data.path());
    drop(Upgrade::begin(data.path(), "0.1.0").expect("writable"));
    fs::create_dir_all(&dir).expect("writable");
    write(&dir, photograph(10), None).expect("writable");
    let upgrade = Upgrade::begin(data.path(), "0.2.0").expect("writable");
    for position in [20, 30, 40] {
        write(&dir, photograph(position), upgrade.kept()).expect("writable");
    }
    assert_eq!(list(&dir), [Position(40), Position(30), Position(10)]);
    let snapshots = Snapshots::start(data.path(), Position(40), upgrade.clone()).expect("it starts");
    assert_eq!(snapshots.trimmable(), Position(10), "and the log after it");
    upgrade.confirm().expect("writable");
    assert_eq!(snapshots.trimmable(), Position(30));
    snapshots.last(&Engine::default(), Position(50));
    assert_eq!(list(&dir), [Position(50), Position(40)]);
}

#[test]
fn those_of_a_later_engine_stand_in_no_others_place() {
    let data = tempfile::tempdir().expect("a temporary directory");
    let dir = folder(data.path());
    fs::create_dir_all(&dir).expect("writable");
    write(&dir, photograph(10), None).expect("writable");
    write_newer(&dir, 20);
    write_newer(&dir, 30);
    assert_eq!(second_newest(&dir), Position(0), "one of our own: the log is kept whole");
    write(&dir, photograph(40), None).expect("writable");
    assert_eq!((own(&dir), second_newest(&dir)), (vec![Position(40), Position(10)], Position(10)));
    write(&dir, photograph(50), None).expect("writable");
    assert_eq!(list(&dir), [Position(50), Position(40)]);
}

#[test]
fn nothing_half_written_stays() {
    let data = tempfile::tempdir().expect("a temporary directory");
    let dir = data.path().join("snapshots");
    fs::create_dir_all(&dir).expect("writable");
    // A folder stands where the snapshot is to go: the rename fails.
    fs::create_dir(path(&dir, Position(10))).expect("writable");
    write(&dir, photograph(10), None).expect_err("it is in the way");
    let left = || fs::read_dir(&dir).expect("readable").count();
    assert_eq!(left(), 1, "only what was in the way");

    fs::write(dir.join("00000000000000000020.draft"), "half").expect("writable");
    start(data.path()).last(&Engine::default(), Position(0));
    assert_eq!(left(), 1);
}

#[test]
fn the_last_one_waits_for_those_under_way() {
    let data = tempfile::tempdir().expect("a temporary directory");
    let engine = Engine::default();
    for _ in 0..20 {
        let mut snapshots = start(data.path());
        let dir = snapshots.dir.clone();
        snapshots.consider(&engine, Position(EVENTS_APART));
        snapshots.consider(&engine, Position(2 * EVENTS_APART));
        let end = Position(2 * EVENTS_APART + 1);
        snapshots.last(&engine, end);
        let kept: Vec<bool> = all(data.path()).map(|(_, snapshot)| snapshot.is_ok()).collect();
        assert_eq!((list(&dir)[0], kept), (end, vec![true, true]), "two, whole, the last of them newest");
        fs::remove_dir_all(dir).expect("writable");
    }
}

#[test]
fn while_one_is_under_way_no_other_is_taken() {
    let data = tempfile::tempdir().expect("a temporary directory");
    let (writer, photographs) = sync_channel(1);
    let mut snapshots = Snapshots {
        dir: PathBuf::new(),
        last: Position(0),
        writer: Some(writer),
        thread: None,
        trimmable: Arc::default(),
        under_way: Arc::new(()),
        upgrade: Upgrade::begin(data.path(), "0.2.0").expect("writable"),
    };
    let mut consider = |times: u64| {
        snapshots.consider(&Engine::default(), Position(times * EVENTS_APART));
        snapshots.last.0 / EVENTS_APART
    };
    assert_eq!(consider(1), 1);
    let being_written = photographs.recv().expect("it was taken");
    assert_eq!(consider(2), 1);
    drop(being_written);
    assert_eq!(consider(3), 3);
}

#[test]
fn of_very_many_sensors_they_are_further_apart() {
    assert_eq!([0, 100_000, 250_000, 1_000_000].map(apart), [1_000_000, 1_000_000, 1_000_000, 4_000_000]);
}
