//! Memory and recovery with many sensors.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::child::Service;
use crate::common::figures::Goal;
use crate::crowd::{AREA, Crowd, Size};
use crate::receiver::Receiver;
use crate::{CALM, READINGS, SETTLE, say};

/// Sensors of an area.
const AN_AREA: u32 = 100;
/// Goals are given for so many sensors; for memory there is one for ten times as many.
const FEW: u32 = 100_000;
/// And for so many readings that a start goes through.
const TO_REPLAY: u64 = 10_000_000;

/// With so many sensors, and a start that goes through so many readings at worst.
pub(crate) async fn measure(sensors: u32, to_replay: u64) {
    let receiver = Receiver::start(AREA).await;
    let size = Size { sensors, areas: sensors.div_ceil(AN_AREA), devices: 0 };
    let site = Crowd::new(size, &receiver.url);
    let place = site.place();
    let many = format!("{sensors} sensors");
    let (service, took) = Service::start(&place).await;
    say(&format!("{many}: from nothing to ready"), "s", Goal::None, took.as_secs_f64(), None);
    tokio::time::sleep(SETTLE).await;
    let memory = format!("{many}: memory");
    say(&format!("{memory}, just started"), "MB", Goal::None, service.resident_mb(), None);
    let began = Instant::now();
    for _ in 0..READINGS {
        service.read(0..sensors, CALM).await;
    }
    let rate = f64::from(sensors) * f64::from(READINGS) / began.elapsed().as_secs_f64();
    say("line protocol over HTTP, one client, durable", "readings/s", Goal::None, rate, None);
    tokio::time::sleep(SETTLE).await;
    let most = match sensors {
        FEW => Goal::AtMost(100.0),
        1_000_000 => Goal::AtMost(800.0),
        _ => Goal::None,
    };
    let what = format!("{memory} after {READINGS} readings each");
    say(&what, "MB", most, service.resident_mb(), None);
    say(&format!("{memory}, most till then"), "MB", Goal::None, service.peak_mb(), None);
    while service.readings().await < to_replay {
        service.read(0..sensors, CALM).await;
    }
    let readings = service.readings().await;
    assert_eq!(receiver.areas(), 0, "nobody is warned of nothing");
    let most = if sensors == FEW && readings >= TO_REPLAY { Goal::AtMost(3.0) } else { Goal::None };
    recover(service, &site, &many, readings, most).await;
}

/// Kills it, and starts it again: with its snapshots, then with none at all, so
/// that every reading since the beginning is gone through.
async fn recover(service: Service, site: &Crowd, many: &str, readings: u64, most: Goal) {
    let place = site.place();
    let position = service.position().await;
    service.kill();
    let bare = read_through(&place.data.join("log"));
    let since = position - newest_snapshot(&place.data.join("snapshots"));
    let (service, took) = Service::start(&place).await;
    let what = format!("{many}: from a kill to ready, {since} events since the last snapshot");
    say(&what, "s", Goal::None, took.as_secs_f64(), None);
    assert!(service.position().await >= position, "nothing that was durable is lost");
    service.kill();
    std::fs::remove_dir_all(place.data.join("snapshots")).expect("a folder of the service");
    let (service, took) = Service::start(&place).await;
    let what = format!("{many}: from a kill to ready, {readings} readings and no snapshot");
    say(&what, "s", most, took.as_secs_f64(), Some(bare.as_secs_f64()));
    assert!(service.position().await >= position, "nothing that was durable is lost");
    service.kill();
}

/// The position of the newest snapshot; 0 where there is none.
fn newest_snapshot(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).expect("a folder of the service");
    let position = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.ok()?.file_name().to_str()?.strip_suffix(".snap")?.parse().ok()
    };
    entries.filter_map(position).max().unwrap_or_default()
}

/// How long it takes to read every file of the log and sum it up: the least
/// that any start must do who goes through all of it.
fn read_through(folder: &Path) -> Duration {
    let began = Instant::now();
    for entry in std::fs::read_dir(folder).expect("a folder of the service") {
        let bytes = std::fs::read(entry.expect("an entry").path()).expect("a file of the service");
        std::hint::black_box(crc32fast::hash(&bytes));
    }
    began.elapsed()
}
