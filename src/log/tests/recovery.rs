//! What a crash leaves, and what rots.

use forewarn_core::event::{Assignment, Input};
use forewarn_core::ids::{IndexKind, Position};
use forewarn_core::time::Timestamp;

use super::sim::{Blow, Honesty, SimDisk};
use super::{SMALL, append, firsts, open, record};
use crate::log::meta::PREFACE_BYTES;
use crate::log::segment::name;
use crate::log::{Appender as _, Indices, Lock, Log, LogError, Stamp};

/// Where the frames of a segment lie: offset and bytes.
fn frames(disk: &SimDisk, generation: u64) -> Vec<(u64, u64)> {
    let bytes = disk.bytes(&name(generation));
    let mut found = vec![];
    let mut at = PREFACE_BYTES;
    while bytes.len() as u64 > at + 8 && &bytes[at as usize..at as usize + 4] == b"FWR1" {
        let body: [u8; 4] = bytes[at as usize + 4..at as usize + 8].try_into().unwrap();
        let size = crate::log::frame::frame_bytes(u32::from_le_bytes(body) as usize);
        found.push((at, size));
        at += size;
    }
    found
}

#[test]
fn torn_tail_is_cut_off_at_every_byte_and_the_rest_stays() {
    let disk = SimDisk::new(1, Honesty::Honest);
    let (mut log, _) = open(&disk, Position(0));
    append(&mut log, &[3, 2, 5]);
    drop(log);
    let (offset, bytes) = frames(&disk, 1)[2];
    for kept in 0..bytes {
        let disk = disk.fork();
        disk.damage(&name(1), offset + kept, |byte| *byte = 0, bytes - kept);
        let (mut log, opened) = open(&disk, Position(5));
        // The padding at the end is zeroes anyway: without it the record is whole.
        let survives = opened.last == Position(10);
        assert!(opened.rot.is_empty(), "{kept}: {:?}", opened.rot);
        if survives {
            assert!(bytes - kept < 8, "{kept} of {bytes} bytes are no record");
        } else {
            assert_eq!(opened.last, Position(5), "{kept}");
            assert_eq!(opened.torn.is_some(), kept > 0, "{kept}");
        }
        let next = opened.last.next();
        append(&mut log, &[1]);
        let mut expected = vec![1, 4];
        expected.extend(survives.then_some(6));
        expected.push(next.0);
        assert_eq!(firsts(&log), expected, "{kept}");
        drop(log);
        let (log, opened) = open(&disk, Position(0));
        assert_eq!((opened.torn, opened.rot.len()), (None, 0), "{kept}: once cut, it is clean");
        assert_eq!(firsts(&log), expected, "{kept}");
    }
}

#[test]
fn recycled_segment_brings_nothing_of_its_former_life_back() {
    let disk = SimDisk::new(1, Honesty::Honest);
    let (mut log, _) = open(&disk, Position(0));
    while log.reader().common.lock().segments.len() < 3 {
        append(&mut log, &[40]);
    }
    let last = log.next();
    let trimmed = log.trim(last, Timestamp::from_secs(1 << 40)).unwrap();
    assert_eq!(trimmed, 2);
    // Until both recycled segments are in use again.
    while log.reader().common.lock().segments.last().unwrap().generation < 6 {
        append(&mut log, &[40]);
    }
    let expected = firsts(&log);
    let newest = log.reader().common.lock().segments.last().unwrap().generation;
    drop(log);
    let (offset, bytes) = *frames(&disk, newest).last().unwrap();
    let old = &disk.bytes(&name(newest))[(offset + bytes) as usize + 32..];
    assert!(old.windows(4).any(|piece| piece == b"FWR1"), "the former life's records are still there");

    let (log, opened) = open(&disk, Position(0));
    assert_eq!((opened.torn, opened.rot.len()), (None, 0));
    assert_eq!(firsts(&log), expected);
    drop(log);
    // A tear that brings the former life's bytes to the surface: the last
    // record is gone with the zeroes that ended it.
    disk.damage(&name(newest), offset, |byte| *byte ^= 0x5a, bytes + 32);
    let (log, opened) = open(&disk, Position(0));
    assert!(opened.torn.is_some() && opened.rot.is_empty());
    assert_eq!(firsts(&log), expected[..expected.len() - 1]);
}

#[test]
fn rotten_last_is_rot_and_no_tear() {
    let cases: [(&str, u64, u64, u8); 3] = [("body", 40, 1, 1), ("head", 9, 1, 1), ("all of it", 0, 64, 0)];
    for (what, at, count, change) in cases {
        let disk = SimDisk::new(1, Honesty::Honest);
        let (mut log, _) = open(&disk, Position(0));
        append(&mut log, &[3, 2, 5]);
        drop(log);
        let (offset, _) = frames(&disk, 1)[2];
        let damage = move |byte: &mut u8| if change == 0 { *byte = 0 } else { *byte ^= change };
        disk.damage(&name(1), offset + at, damage, count);
        let before = disk.bytes(&name(1));

        let (mut log, opened) = open(&disk, Position(10));
        assert_eq!(opened.torn, None, "{what}");
        assert_eq!(opened.rot.len(), 1, "{what}: {:?}", opened.rot);
        assert_eq!(opened.rot[0].positions, Some((Position(6), Position(10))), "{what}");
        assert_eq!(opened.last, Position(10), "{what}: no position is used twice");
        assert_eq!(disk.bytes(&name(1)), before, "{what}: nothing is written over it");
        append(&mut log, &[1]);
        assert_eq!(firsts(&log), [1, 4, 11], "{what}");
        drop(log);
        let (log, opened) = open(&disk, Position(11));
        assert_eq!((opened.last, opened.rot.len()), (Position(11), 1), "{what}: still reported");
        assert_eq!(firsts(&log), [1, 4, 11], "{what}");
    }
}

#[test]
fn rot_in_the_middle_is_quarantined_and_later_records_are_kept() {
    for (what, at, count) in [("a bit of the body", 50, 1), ("the head", 5, 1), ("a whole sector", 0, 512)] {
        let disk = SimDisk::new(1, Honesty::Honest);
        let (mut log, _) = open(&disk, Position(0));
        append(&mut log, &[3, 60, 5]);
        drop(log);
        let (offset, bytes) = frames(&disk, 1)[1];
        disk.damage(&name(1), offset + at, |byte| *byte = !*byte, count);
        for floor in [0, 68] {
            let (log, opened) = open(&disk, Position(floor));
            assert_eq!((opened.last, opened.torn), (Position(68), None), "{what}");
            let [rot] = &opened.rot[..] else { panic!("{what}: {:?}", opened.rot) };
            assert_eq!((rot.offset, rot.bytes), (offset, bytes), "{what}");
            assert_eq!(rot.positions, Some((Position(4), Position(63))), "{what}");
            assert_eq!(disk.names("quarantine").len(), 1, "{what}: once");
            let copy = rot.quarantined.as_ref().unwrap().to_str().unwrap().to_owned();
            assert_eq!(disk.bytes(&copy).len() as u64, bytes, "{what}");
            assert_eq!(firsts(&log), [1, 64], "{what}");
        }
    }
}

#[test]
fn a_lost_segment_is_reported_and_the_others_are_read() {
    let disk = SimDisk::new(1, Honesty::Honest);
    let (mut log, _) = open(&disk, Position(0));
    while log.reader().common.lock().segments.len() < 3 {
        append(&mut log, &[40]);
    }
    let second = log.reader().common.lock().segments[1].first;
    let third = log.reader().common.lock().segments[2].first;
    let expected: Vec<_> =
        firsts(&log).into_iter().filter(|first| *first < second.0 || *first >= third.0).collect();
    drop(log);
    crate::log::Disk::remove(&*disk, &name(2)).unwrap();
    let (log, opened) = open(&disk, Position(0));
    assert_eq!(opened.rot.len(), 1);
    assert_eq!(opened.rot[0].positions, Some((second, Position(third.0 - 1))));
    assert_eq!(firsts(&log), expected);
}

#[test]
fn names_are_known_from_any_one_segment() {
    let disk = SimDisk::new(1, Honesty::Honest);
    let (mut log, _) = open(&disk, Position(0));
    let mut indices = log.indices().clone();
    let assigned: Vec<_> =
        ["river", "coast"].iter().filter_map(|name| indices.assign(IndexKind::Area, name).1).collect();
    let mut naming = (*record(log.next(), 0)).clone();
    naming.inputs = assigned.iter().cloned().map(Input::Assign).collect();
    log.append(naming.into()).unwrap();
    while log.reader().common.lock().segments.len() < 3 {
        append(&mut log, &[40]);
    }
    let last = log.next();
    log.trim(last, Timestamp::from_secs(1 << 40)).unwrap();
    drop(log);
    let (mut log, opened) = open(&disk, Position(0));
    assert!(opened.rot.is_empty(), "{:?}", opened.rot);
    assert_eq!(log.indices().assignments().collect::<Vec<_>>(), assigned);

    let mut clashing = (*record(log.next(), 0)).clone();
    clashing.inputs =
        vec![Input::Assign(Assignment { kind: IndexKind::Area, index: 0, name: "hill".into() })];
    let before = log.next();
    assert!(matches!(log.append(clashing.into()), Err(LogError::Corrupt(_))));
    assert_eq!(log.next(), before);
    append(&mut log, &[1]);
}

#[test]
fn a_draft_that_is_learnt_is_the_logs_own_table() {
    let disk = SimDisk::new(1, Honesty::Honest);
    let (mut log, _) = open(&disk, Position(0));
    let mut drafted = log.indices().clone();
    let assigned =
        ["river", "coast"].map(|name| Input::Assign(drafted.assign(IndexKind::Area, name).1.unwrap()));
    log.draft(drafted.clone());
    let at = |names: &Indices| names.name(IndexKind::Area, 0).map(str::as_ptr);
    for (learnt, shared) in assigned.into_iter().zip([false, true]) {
        let mut naming = (*record(log.next(), 0)).clone();
        naming.inputs = vec![learnt];
        log.append(naming.into()).unwrap();
        assert_eq!(at(log.indices()) == at(&drafted), shared, "once all of it is learnt");
    }
    // What comes after it is the log's alone.
    let mut naming = (*record(log.next(), 0)).clone();
    naming.inputs = vec![Input::Assign(Assignment { kind: IndexKind::Area, index: 2, name: "hill".into() })];
    log.append(naming.into()).unwrap();
    assert_eq!((log.indices().len(), drafted.len()), (3, 2));
}

#[test]
fn a_lost_head_of_a_segment_or_of_the_log_is_made_good() {
    let disk = SimDisk::new(1, Honesty::Honest);
    let (mut log, _) = open(&disk, Position(0));
    append(&mut log, &[3, 2]);
    let id = log.id();
    drop(log);
    disk.damage("log.meta", 20, |byte| *byte ^= 1, 1);
    let (log, opened) = open(&disk, Position(5));
    assert_eq!((log.id(), opened.rot.len(), opened.last), (id, 1, Position(5)));
    drop(log);
    let (log, opened) = open(&disk, Position(5));
    assert_eq!(opened.rot.len(), 0, "written anew");
    drop(log);
    disk.damage(&name(1), 20, |byte| *byte ^= 1, 1);
    let (log, opened) = open(&disk, Position(5));
    assert_eq!((log.id(), opened.rot.len(), opened.last), (id, 1, Position(5)));
    assert_eq!(firsts(&log), [1, 4]);
}

#[test]
fn a_log_that_lost_all_segments_never_uses_a_position_twice() {
    let disk = SimDisk::new(1, Honesty::Honest);
    let (log, _) = open(&disk, Position(0));
    drop(log);
    crate::log::Disk::remove(&*disk, &name(1)).unwrap();
    let (mut log, opened) = open(&disk, Position(41));
    assert_eq!((opened.last, opened.rot.len()), (Position(41), 1));
    append(&mut log, &[1]);
    assert_eq!(firsts(&log), [42]);
}

#[test]
fn a_second_process_and_the_other_world_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = Log::create(Lock::take(dir.path()).unwrap(), &SMALL, Stamp::Live).unwrap();
    let refused = Lock::take(dir.path()).unwrap_err().to_string();
    assert!(refused.contains(&format!("in use by process {}", std::process::id())), "{refused}");
    drop(log);

    let refused = Log::open(Lock::take(dir.path()).unwrap(), &SMALL, Stamp::Drill, Position(0)).unwrap_err();
    assert!(refused.to_string().contains("stamped live, expected drill"), "{refused}");
    let again = Log::create(Lock::take(dir.path()).unwrap(), &SMALL, Stamp::Live).unwrap_err();
    assert!(matches!(again, LogError::Exists(_)), "{again}");
    assert!(Log::exists(dir.path()));
    Log::open(Lock::take(dir.path()).unwrap(), &SMALL, Stamp::Live, Position(0)).unwrap();

    let empty = tempfile::tempdir().unwrap();
    assert!(!Log::exists(empty.path()));
    let missing = Log::open(Lock::take(empty.path()).unwrap(), &SMALL, Stamp::Live, Position(0)).unwrap_err();
    assert!(matches!(missing, LogError::Missing), "{missing}");
}

/// Killed between write and sync: what recovery reads from the page cache, and
/// anybody then acts on, outlives the power cut that follows.
#[test]
fn written_unsynced_is_durable_once_recovery_has_read_it() {
    let mut read_back = 0;
    for seed in 0..64 {
        for changes in 0..3 {
            let disk = SimDisk::new(seed, Honesty::Honest);
            let (mut log, _) = open(&disk, Position(0));
            append(&mut log, &[3, 2]);
            disk.light(changes, Blow::PowerCut);
            let appended = log.append(record(log.next(), 200));
            drop(log);
            disk.restart_process();
            let (log, opened) = open(&disk, Position(5));
            let (seen, last) = (firsts(&log), opened.last);
            read_back += usize::from(appended.is_err() && last > Position(5));
            drop(log);

            disk.restart_machine();
            let (mut log, opened) = open(&disk, Position(5));
            assert_eq!((firsts(&log), opened.last), (seen, last), "seed {seed}, change {changes}");
            assert!(opened.rot.is_empty() && opened.torn.is_none(), "{:?} {:?}", opened.rot, opened.torn);
            assert_eq!(log.next(), last.next(), "no position is used again");
            append(&mut log, &[1]);
        }
    }
    assert!(read_back > 0, "no record was written and not synced");
}
