//! Readers, near and far behind, while the log is written, rolled and trimmed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use forewarn_core::event::Input;
use forewarn_core::ids::{Position, SourceIx};
use forewarn_core::time::Timestamp;

use super::sim::{Honesty, SimDisk};
use super::{SMALL, append, bytes_of, firsts, open, record};
use crate::log::recent::Haste;
use crate::log::segment::name;
use crate::log::{
    Appender as _, CommitError, Decisions as _, FrameIs, Frames, Lane, Lock, Log, LogError, MemoryLog,
    RECENT_RECORDS_MAX, Reader as _, Record, Records, Stamp, segments,
};
use crate::ports::Follow;

const FAR: Timestamp = Timestamp::from_secs(1 << 40);

#[test]
fn every_follower_sees_every_record_once_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let (mut log, _) = Log::create(Lock::take(dir.path()).unwrap(), &SMALL, Stamp::Live).unwrap();
    let records = RECENT_RECORDS_MAX as u64 + 500;
    let starts: Vec<u64> = vec![1, 1, 2, records / 2];
    let readers: Vec<_> = starts
        .iter()
        .map(|start| {
            let mut follower = log.follow(Position(*start)).unwrap();
            std::thread::spawn(move || {
                let mut seen = vec![];
                while let Some(record) = Follow::next(&mut follower) {
                    seen.push(record.first.0);
                }
                assert!(follower.fault().is_none(), "{:?}", follower.fault());
                seen
            })
        })
        .collect();
    for _ in 0..records {
        let next = log.next();
        log.room_for(300, Lane::Readings).unwrap();
        log.append(record(next, 1)).unwrap();
    }
    // One that begins where memory no longer reaches reads the segments first.
    let mut late = log.follow(Position(1)).unwrap();
    let late_seen: Vec<_> = std::iter::from_fn(|| late.try_next()).map(|it| it.first.0).collect();
    assert_eq!(late_seen, (1..=records).collect::<Vec<_>>());
    assert_eq!(*log.committed().borrow(), Position(records));
    drop(log);
    for (start, reader) in starts.into_iter().zip(readers) {
        assert_eq!(reader.join().unwrap(), (start..=records).collect::<Vec<_>>());
    }
    let listed = Records::open_read_only(dir.path(), Position(records - 2)).unwrap();
    let listed: Vec<_> = listed.map(|record| record.unwrap().first.0).collect();
    assert_eq!(listed, [records - 2, records - 1, records]);
    let mut kinds = Frames::open(dir.path()).unwrap().map(|seen| seen.unwrap().is);
    assert!(kinds.all(|is| matches!(is, FrameIs::Record(..))));
}

#[test]
fn a_record_that_holds_the_wanted_position_is_given_whole() {
    let disk = SimDisk::new(1, Honesty::Honest);
    let (mut log, _) = open(&disk, Position(0));
    append(&mut log, &[3, 2, 5]);
    let check = |log: &Log, from: u64, expected: Option<u64>| {
        let mut follower = log.follow(Position(from)).unwrap();
        assert_eq!(follower.try_next().map(|it| it.first.0), expected, "from {from}");
    };
    for (from, expected) in
        [(0, Some(1)), (1, Some(1)), (3, Some(1)), (4, Some(4)), (10, Some(6)), (11, None)]
    {
        check(&log, from, expected);
    }
    drop(log);
    let (log, _) = open(&disk, Position(0));
    for (from, expected) in [(0, Some(1)), (3, Some(1)), (5, Some(4)), (10, Some(6)), (11, None)] {
        check(&log, from, expected);
    }
}

#[test]
fn what_is_trimmed_is_an_error_and_no_gap() {
    let disk = SimDisk::new(1, Honesty::Honest);
    let (mut log, _) = open(&disk, Position(0));
    append(&mut log, &[40]);
    drop(log);
    let (mut log, _) = open(&disk, Position(0));
    let mut behind = log.follow(Position(1)).unwrap();
    let mut reading = log.follow(Position(1)).unwrap();
    assert_eq!(reading.try_next().unwrap().first, Position(1));
    while log.reader().common.lock().segments.len() < 4 {
        append(&mut log, &[40]);
    }
    // Neither what a cursor still needs nor what is younger than asked goes.
    let fourth = log.reader().common.lock().segments[3].first;
    assert_eq!(log.trim(Position(1), FAR).unwrap(), 0);
    assert_eq!(log.trim(log.next(), Timestamp::from_secs(1)).unwrap(), 0);
    assert_eq!(log.trim(fourth, FAR).unwrap(), 3);
    // The first record is not in memory since it was reopened.
    log.reader().common.lock().recent = crate::log::recent::Recent::default();
    for follower in [&mut behind, &mut reading] {
        assert!(Follow::next(follower).is_none());
        let fault = Follow::fault(follower).unwrap();
        assert!(fault.contains("was trimmed"), "{fault}");
    }
    assert!(matches!(log.follow(Position(1)), Err(LogError::Trimmed { .. })));
    assert_eq!(log.reader().first(), fourth);
    assert_eq!(firsts(&log)[0], fourth.0);
}

#[test]
fn the_newest_record_is_never_trimmed() {
    let disk = SimDisk::new(1, Honesty::Honest);
    let (mut log, _) = open(&disk, Position(0));
    append(&mut log, &[3]);
    // A reopening after rot at the end begins a segment that holds no record yet.
    drop(log);
    let (mut log, _) = open(&disk, Position(9));
    assert_eq!(log.trim(log.next(), FAR).unwrap(), 0);
    drop(log);
    let (_, opened) = open(&disk, Position(9));
    assert_eq!(opened.last_record.unwrap().first, Position(1));
}

#[test]
fn rot_met_while_reading_is_reported_and_passed() {
    let disk = SimDisk::new(1, Honesty::Honest);
    let (mut log, _) = open(&disk, Position(0));
    append(&mut log, &[3, 2, 5]);
    drop(log);
    let (log, _) = open(&disk, Position(0));
    let second = disk.bytes(&name(1));
    let at = (1..second.len()).filter(|at| second[*at..].starts_with(b"FWR1")).nth(1).unwrap();
    disk.damage(&name(1), at as u64 + 60, |byte| *byte ^= 4, 1);
    assert_eq!(firsts(&log), [1, 6]);
    assert_eq!(firsts(&log), [1, 6]);
    let rot = log.take_rot();
    assert_eq!(rot.len(), 1, "once, however many read it: {rot:?}");
    assert_eq!(rot[0].offset, at as u64);
}

#[test]
fn a_follower_that_waits_is_woken() {
    let disk = SimDisk::new(1, Honesty::Honest);
    let (mut log, _) = open(&disk, Position(0));
    let mut follower = log.follow(Position(1)).unwrap();
    assert!(follower.try_next().is_none());
    let (sender, receiver) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        while let Some(record) = Follow::next(&mut follower) {
            sender.send(bytes_of(&record)).unwrap();
        }
    });
    let given = record(Position(1), 4);
    log.append(Arc::clone(&given)).unwrap();
    assert_eq!(receiver.recv_timeout(Duration::from_secs(10)).unwrap(), bytes_of(&given));
    drop(log);
    let until = Instant::now() + Duration::from_secs(10);
    while !reader.is_finished() && Instant::now() < until {
        std::thread::yield_now();
    }
    assert!(reader.is_finished(), "a closed log ends its followers");
}

/// A reader that was woken rests; a quiet record leaves it so, one that somebody has
/// to act on wakes who carries warnings, and nobody else.
#[test]
fn a_follower_at_rest_is_woken_by_what_matters() {
    let disk = SimDisk::new(1, Honesty::Honest);
    let (mut log, _) = open(&disk, Position(0));
    let common = Arc::clone(&log.reader().common);
    let never = Instant::now() + Duration::from_hours(1);
    let waits = |position: u64, haste| {
        let common = Arc::clone(&common);
        std::thread::spawn(move || common.wait(Position(position), never, haste))
    };
    let waits_for = |position| waits(position, Haste::AtOnce);
    let quiet = |first| record(Position(first), 1);
    log.append(quiet(1)).unwrap();
    let resting = waits_for(1);
    log.append(quiet(2)).unwrap();
    let stirring = common.lock().stirring;
    assert_eq!(stirring, Position(0), "readings alone stir nobody");
    assert!(!resting.is_finished(), "it rests for an hour");
    let unhurried = waits(1, Haste::InTime);
    for haste in [Haste::AtOnce, Haste::InTime] {
        common.wait(Position(2), Instant::now(), haste);
    }
    let up = Input::Source(SourceIx(1), true);
    log.append(Arc::new(Record { inputs: vec![up], flagged: vec![], ..(*quiet(3)).clone() })).unwrap();
    resting.join().unwrap();
    assert!(!common.lock().calls(Haste::InTime, Position(1)), "it rests for an hour");
    log.wake_at_every_record();
    unhurried.join().unwrap();
    let resting = waits(4, Haste::InTime);
    log.append(quiet(4)).unwrap();
    resting.join().unwrap();
}

#[test]
fn a_log_that_closes_wakes_whoever_rests() {
    let disk = SimDisk::new(1, Honesty::Honest);
    let (mut log, _) = open(&disk, Position(0));
    let common = Arc::clone(&log.reader().common);
    log.append(record(Position(1), 1)).unwrap();
    let never = Instant::now() + Duration::from_hours(1);
    let resting = [Haste::AtOnce, Haste::InTime].map(|haste| {
        let common = Arc::clone(&common);
        std::thread::spawn(move || common.wait(Position(1), never, haste))
    });
    drop(log);
    resting.into_iter().for_each(|reader| reader.join().unwrap());
}

#[test]
fn a_judge_that_lost_its_partition_is_fenced() {
    let memory = MemoryLog::new(2);
    let mut inputs = memory.partition_of(3).clone();
    assert!(memory.partition_of(2).last() == Position(0));
    for size in [3, 2] {
        let next = inputs.next();
        inputs.append(record(next, size)).unwrap();
    }
    let (mut old, mut new) = (inputs.clone(), inputs.clone());
    new.commit(Position(0), record(Position(1), 3)).unwrap();
    let fenced = old.commit(Position(0), record(Position(1), 3)).unwrap_err();
    assert!(matches!(fenced, CommitError::Fenced { head: Position(3) }), "{fenced}");
    new.commit(Position(3), record(Position(4), 2)).unwrap();
    let ahead = new.commit(Position(5), record(Position(6), 1)).unwrap_err();
    assert!(matches!(ahead, CommitError::Unknown(_)), "no decision without its input: {ahead}");
    assert_eq!(inputs.judged().len(), 2);

    let mut follower = inputs.follow(Position(2)).unwrap();
    assert_eq!(follower.next().unwrap().first, Position(1));
    assert_eq!(follower.next().unwrap().first, Position(4));
    assert!(follower.try_next().is_none());
    inputs.limit_room(Some(0));
    assert!(matches!(inputs.room_for(1, Lane::Control), Err(LogError::NoSpace { .. })));
    inputs.close();
    assert!(follower.next().is_none());

    let disk = SimDisk::new(1, Honesty::Honest);
    let (mut log, _) = open(&disk, Position(0));
    log.commit(Position(0), record(Position(1), 3)).unwrap();
    let fenced = log.commit(Position(0), record(Position(1), 3)).unwrap_err();
    assert!(matches!(fenced, CommitError::Fenced { head: Position(3) }), "{fenced}");
}

#[test]
fn the_list_of_frames_shows_what_is_rotten() {
    let dir = tempfile::tempdir().unwrap();
    let (mut log, _) = Log::create(Lock::take(dir.path()).unwrap(), &SMALL, Stamp::Live).unwrap();
    append(&mut log, &[3, 2]);
    while log.reader().common.lock().segments.len() < 2 {
        append(&mut log, &[40]);
    }
    append(&mut log, &[5, 6]);
    let list = || -> Vec<_> { Frames::open(dir.path()).unwrap().map(Result::unwrap).collect() };
    let seen = list();
    drop(log);
    let sealed = seen.iter().rposition(|it| it.file == name(1)).unwrap();
    for (at, expected) in [(1, FrameIs::Rot), (sealed, FrameIs::Rot), (seen.len() - 1, FrameIs::Unfinished)] {
        let path = dir.path().join(&seen[at].file);
        let sound = std::fs::read(&path).unwrap();
        let mut bytes = sound.clone();
        // The head itself, so that not even its length is known.
        bytes[seen[at].offset as usize + 5] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let now = list();
        assert_eq!(now.len(), seen.len(), "{at}: {now:?}");
        let others = |list: &[_]| [&list[..at], &list[at + 1..]].concat();
        assert_eq!(others(&now), others(&seen), "{at}");
        assert_eq!((now[at].offset, now[at].is), (seen[at].offset, expected), "{at}");
        std::fs::write(&path, sound).unwrap();
    }
}

#[test]
fn reading_on_from_anywhere_misses_nothing_and_skips_what_ends_before() {
    let dir = tempfile::tempdir().unwrap();
    let (mut log, _) = Log::create(Lock::take(dir.path()).unwrap(), &SMALL, Stamp::Live).unwrap();
    while log.reader().common.lock().segments.len() < 3 {
        append(&mut log, &[40]);
    }
    append(&mut log, &[5]);
    let last = log.next().0 - 1;
    drop(log);
    let seen = segments(dir.path()).unwrap();
    let second = seen[1].first.0;
    assert_eq!((seen.len(), seen[0].first), (3, Position(1)));
    let from = |position: u64| -> Vec<u64> {
        let records = Records::open_read_only(dir.path(), Position(position)).unwrap();
        records.map(|record| record.unwrap().first.0).collect()
    };
    let all = from(0);
    let check = |position: u64| {
        let holds = all.iter().rposition(|first| *first <= position).unwrap_or_default();
        let expected = if position > last { &[][..] } else { &all[holds..] };
        assert_eq!(from(position), expected, "from {position}");
    };
    for position in [0, 1, second - 1, second, second + 1, seen[2].first.0, last, last + 1] {
        check(position);
    }
    // A preface that does not read back moves nothing out of reach.
    let path = dir.path().join(name(2));
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(segments(dir.path()).unwrap(), seen);
    [second - 1, second, seen[2].first.0].into_iter().for_each(check);
}
