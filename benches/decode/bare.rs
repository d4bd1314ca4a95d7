//! The least that a parser must do: `serde_json` into structures made for the
//! very payload, and a scan for the separators of a line.

use std::hint::black_box;

use serde::Deserialize;

#[derive(Deserialize)]
struct Flat<'t> {
    station: &'t str,
    time: i64,
    level: f64,
    #[serde(default)]
    seq: u64,
}

#[derive(Deserialize)]
struct Dated<'t> {
    station: &'t str,
    time: &'t str,
    level: f64,
}

#[derive(Deserialize)]
struct SenMl<'t> {
    n: &'t str,
    u: &'t str,
    v: f64,
    t: f64,
}

pub(crate) fn flat(text: &str) {
    let Flat { station, time, level, seq } = serde_json::from_str(text).expect("the bench's own payload");
    black_box((station, time, level, seq));
}

pub(crate) fn dated(text: &str) {
    let Dated { station, time, level } = serde_json::from_str(text).expect("the bench's own payload");
    black_box((station, time, level));
}

pub(crate) fn array(text: &str) {
    let records: Vec<Flat<'_>> = serde_json::from_str(text).expect("the bench's own payload");
    let sum: f64 = records.iter().map(|it| it.level + (it.time + it.seq as i64) as f64).sum();
    black_box((sum, records.first().map(|it| it.station.len())));
}

pub(crate) fn pack(text: &str) {
    let records: Vec<SenMl<'_>> = serde_json::from_str(text).expect("the bench's own payload");
    let sum: f64 = records.iter().map(|it| it.v + it.t).sum();
    black_box((sum, records.first().map(|it| (it.n.len(), it.u.len()))));
}

pub(crate) fn lines(text: &str) {
    let mut sum = 0.0;
    for line in text.lines() {
        let mut parts = line.splitn(3, ' ');
        let (series, field, time) = (parts.next(), parts.next(), parts.next());
        let station = series.and_then(|it| it.split_once("station=")).map_or("", |(_, station)| station);
        let value = field.and_then(|it| it.split_once('=')).map_or("", |(_, value)| value);
        let time: i64 = time.and_then(|it| it.parse().ok()).expect("the bench's own payload");
        sum += value.parse::<f64>().expect("the bench's own payload") + time as f64;
        black_box(station);
    }
    black_box(sum);
}
