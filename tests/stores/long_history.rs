//! `InfluxDB` when things go wrong: it is away, does not let us in, refuses a point.

use forewarn::config::plan::Influx as Settings;
use forewarn::config::secret::Secret;
use forewarn::log::Reader as _;
use forewarn::ports::Store as _;
use forewarn::stores::Member as _;
use forewarn::stores::influx::Influx;
use forewarn_core::ids::{Position, SensorIx};
use forewarn_core::time::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::influx::InfluxServer;
use crate::world::{LOG, NOON, plan, until};
use crate::writing::{House, QUICK};

fn open(house: &House, bucket: &Settings) -> Influx {
    let ends = (LOG, house.log.last());
    let mut store = Influx::open(bucket, house.dir.path(), ends, CancellationToken::new()).expect("it opens");
    store.plan_is(&|| std::sync::Arc::new(plan()));
    store
}

fn count(house: &House, bucket: &Settings, sensors: std::ops::Range<u32>) -> usize {
    let store = open(house, bucket);
    let (from, to) = (Timestamp(NOON - 1), Timestamp::MAX);
    sensors
        .map(|sensor| store.range(SensorIx(sensor), from, to, 1_000_000).map_or(0, |rows| rows.len()))
        .sum()
}

#[test]
fn hours_of_outage_are_backfilled_from_the_cursor() {
    let Some(mut server) = InfluxServer::own() else { return };
    let bucket = server.bucket();
    let mut house = House::new();
    let writer = house.start(Box::new(open(&house, &bucket)), house.source(), QUICK);
    house.append(2_000);
    let mut synced = writer.synced();
    until("the first are there", || synced.borrow_and_update().0 == 2_000);
    assert_eq!(count(&house, &bucket, 0..8), 2_000);

    server.stop();
    for _ in 0..30 {
        house.append(1_000);
    }
    until("the outage is told", || house.ears.about("store/influxdb").contains(&true));
    server.go();
    until("all of it is there", || synced.borrow_and_update().0 == 32_000);
    writer.ask_to_stop();
    writer.join();
    assert_eq!(count(&house, &bucket, 0..8), 32_000);
    let told = house.ears.about("store/influxdb");
    assert_eq!(told.iter().filter(|present| **present).count(), 1, "told once: {told:?}");
    assert_eq!(told.last(), Some(&false), "and taken back");
}

#[test]
fn a_wrong_token_is_tried_again_and_loses_nothing() {
    let Some(server) = InfluxServer::any() else { return };
    let bucket = server.bucket();
    let mut house = House::new();
    house.append(100);
    let wrong = Settings { token: Secret::new("wrong"), ..bucket.clone() };
    let nowhere = Settings { bucket: "no such bucket".into(), ..bucket.clone() };
    for settings in [wrong, nowhere] {
        let before = house.ears.about("store/influxdb").len();
        let writer = house.start(Box::new(open(&house, &settings)), house.source(), QUICK);
        until("it is told", || house.ears.about("store/influxdb").len() > before);
        writer.ask_to_stop();
        writer.join();
        assert_eq!(open(&house, &bucket).cursor().expect("a cursor"), Position(0));
    }
    assert!(
        house.ears.about("store/influxdb/refused").iter().all(|present| !present),
        "no point is to blame"
    );
    house.log.close();
    house.start(Box::new(open(&house, &bucket)), house.source(), QUICK).join();
    assert_eq!(count(&house, &bucket, 0..8), 100);
}

#[test]
fn a_point_of_the_wrong_type_is_set_aside_and_its_neighbours_are_kept() {
    let Some(server) = InfluxServer::any() else { return };
    let bucket = server.bucket();
    // Somebody else wrote rain as text, on the day of the readings.
    server.write(&bucket, &format!("rain\\ rate,station=other value=\"heavy\" {NOON}000\n"));
    let mut house = House::new();
    house.append(16);
    house.log.close();
    let writer = house.start(Box::new(open(&house, &bucket)), house.source(), QUICK);
    writer.join();
    assert_eq!(open(&house, &bucket).cursor().expect("a cursor"), Position(16), "it blocks nothing");
    let levels = (0..8).step_by(2).map(|sensor| count(&house, &bucket, sensor..sensor + 1));
    assert_eq!(levels.sum::<usize>(), 8, "every level is there");
    assert_eq!(house.ears.about("store/influxdb/refused").first(), Some(&true));
    let refused = std::fs::read_to_string(house.dir.path().join("influx-refused.lp")).expect("it is there");
    assert_eq!(refused.matches("\nrain\\ rate,").count(), 8, "{refused}");
    assert!(refused.contains("type conflict"), "{refused}");
}
