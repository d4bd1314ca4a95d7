//! A full disk: nothing acknowledged, nothing corrupt, the reserve for what
//! must go out, and all by itself again once there is space.

use std::sync::Arc;
use std::time::{Duration, Instant};

use forewarn_core::ids::Position;

use super::sim::{Honesty, SimDisk};
use super::{SMALL, append, firsts, open, record};
use crate::log::{Allocation, Appender as _, Disk, Lane, Log, LogError, SEGMENT_BYTES_MIN, Stamp};

const BYTES: usize = 1_000;

#[test]
fn readings_stop_before_the_reserve_and_control_goes_on_into_it() {
    let disk = SimDisk::new(1, Honesty::Honest);
    let (mut log, _) = open(&disk, Position(0));
    log.room_for(BYTES, Lane::Readings).unwrap();
    disk.limit(disk.used());
    let fill = |log: &mut crate::log::Log, lane: Lane| {
        let mut appended = 0;
        while log.room_for(BYTES, lane).is_ok() {
            append(log, &[60]);
            appended += 1;
            assert!(appended < 1_000, "the disk is full");
        }
        let refused = log.room_for(BYTES, lane).unwrap_err();
        assert!(matches!(refused, LogError::NoSpace { .. }), "{refused}");
        appended
    };
    // Two segments hold readings, the third is the reserve.
    let readings = fill(&mut log, Lane::Readings);
    let control = fill(&mut log, Lane::Control);
    assert!(readings > 2 * control - 4 && control > 5, "{readings} {control}");
    assert_eq!(fill(&mut log, Lane::Readings), 0);
    let written = firsts(&log).len();
    assert_eq!(written, readings + control);

    // Room for one segment fills the reserve first; readings wait for the next.
    disk.limit(disk.used() + SEGMENT_BYTES_MIN);
    assert!(log.room_for(BYTES, Lane::Readings).is_err());
    assert!(log.room_for(BYTES, Lane::Control).is_ok());
    disk.limit(u64::MAX);
    assert!(log.room_for(BYTES, Lane::Readings).is_ok());
    append(&mut log, &[60, 60]);
    drop(log);
    let (log, opened) = open(&disk, Position(0));
    assert!(opened.torn.is_none() && opened.rot.is_empty());
    assert_eq!(firsts(&log).len(), written + 2);
}

#[test]
fn a_disk_that_is_full_at_any_point_corrupts_nothing() {
    for spare_bytes in (0..6 * SEGMENT_BYTES_MIN).step_by(1_531) {
        let disk = SimDisk::new(spare_bytes, Honesty::Honest);
        disk.limit(SEGMENT_BYTES_MIN + 200 + spare_bytes);
        let (mut log, _) = open(&disk, Position(0));
        let mut acknowledged = vec![];
        for _ in 0..80 {
            let next = log.next();
            if log.room_for(BYTES, Lane::Readings).is_ok() {
                log.append(record(next, 60)).unwrap();
                acknowledged.push(next.0);
            }
        }
        assert_eq!(firsts(&log), acknowledged, "{spare_bytes}");
        drop(log);
        let (mut log, opened) = open(&disk, Position(0));
        assert!(opened.torn.is_none() && opened.rot.is_empty(), "{spare_bytes}");
        disk.limit(u64::MAX);
        assert!(log.room_for(BYTES, Lane::Readings).is_ok(), "{spare_bytes}: it resumes by itself");
        acknowledged.push(log.next().0);
        append(&mut log, &[60]);
        assert_eq!(firsts(&log), acknowledged, "{spare_bytes}");
    }
}

#[test]
fn what_fits_no_segment_is_refused_before_it_is_written() {
    let disk = SimDisk::new(1, Honesty::Honest);
    let (mut log, _) = open(&disk, Position(0));
    let max = log.record_bytes_max() as usize;
    assert!(log.room_for(max, Lane::Readings).is_ok());
    assert!(matches!(log.room_for(max + 1, Lane::Control), Err(LogError::TooLarge { .. })));
    let too_large = log.append(record(log.next(), 2_000)).unwrap_err();
    assert!(matches!(too_large, LogError::TooLarge { .. }), "{too_large}");
    append(&mut log, &[700, 700, 700]);
    let skipped = log.append(record(Position(5), 1)).unwrap_err();
    assert!(matches!(skipped, LogError::OutOfOrder { .. }), "{skipped}");
    assert_eq!(firsts(&log), [1, 701, 1401]);
}

#[test]
fn the_thread_that_makes_segments_goes_on_when_space_is_back() {
    let disk = SimDisk::new(1, Honesty::Honest);
    drop(open(&disk, Position(0)));
    disk.limit(disk.used());
    let on = Arc::clone(&disk) as Arc<dyn Disk>;
    let (mut log, _) = Log::open_on(on, &SMALL, Stamp::Live, Position(0), Allocation::Background).unwrap();
    while log.room_for(BYTES, Lane::Control).is_ok() {
        append(&mut log, &[60]);
    }
    let refused = log.room_for(BYTES, Lane::Control).unwrap_err().to_string();
    assert!(refused.contains("cannot make a new segment"), "{refused}");
    disk.limit(u64::MAX);
    let until = Instant::now() + Duration::from_secs(10);
    while log.room_for(BYTES, Lane::Readings).is_err() {
        assert!(Instant::now() < until, "space is back, and room is not");
        std::thread::yield_now();
    }
    append(&mut log, &[60]);
}
