//! Payloads to readings, each beside the least that a parser must do. `format`
//! reads into a sink that only counts; `taken` also finds the sensor among
//! 100,000, checks who may speak for it, and converts the unit.

#[path = "decode/bare.rs"]
mod bare;
mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;

use common::table::{Contestant, Table};
use forewarn::config::plan::Catalog;
use forewarn::formats::{AnyFormat, Decoded, Message, Offered, Session, Sink};
use forewarn_core::ids::{SensorIx, StationIx};
use forewarn_core::plan::{Plan, Sensor, Terms};
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::units::Unit;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Stations of the catalog.
const STATIONS: u32 = 100_000;

/// Readings of a message that carries many.
const MANY: u32 = 50;

/// Civil time of receipt.
const RECEIVED: Timestamp = Timestamp::from_secs(1_782_892_800);

/// Messages of one kind that are read one after the other, so that none is learnt by heart.
const MESSAGES: u32 = 512;

fn main() {
    let catalog = catalog();
    let mut table = Table::new("decode: a payload to readings");
    for (what, format, readings, payload, bare) in kinds() {
        let format = format_of(format);
        let payloads: Vec<String> = (0..MESSAGES).map(payload).collect();
        let bytes = payloads.iter().map(String::len).sum::<usize>() / payloads.len();
        let (mut next, mut then, mut last) = (0, 0, 0);
        table.compare(
            &format!("{what}, {bytes} B"),
            u64::from(readings),
            vec![
                Contestant::new("format", || {
                    let mut counted = Counted(0.0);
                    decode(&format, turn(&payloads, &mut next), &mut counted);
                    black_box(counted.0);
                }),
                Contestant::new("taken", || {
                    let mut found = Found { catalog: &catalog, taken: Vec::with_capacity(readings as usize) };
                    decode(&format, turn(&payloads, &mut then), &mut found);
                    assert_eq!(found.taken.len(), readings as usize, "{what}");
                }),
                Contestant::new("bare", || bare(turn(&payloads, &mut last))),
            ],
        );
    }
    table.print();
}

/// What, format, readings a message, how the n-th message reads, and the bare parser.
type Kind = (&'static str, &'static str, u32, fn(u32) -> String, fn(&str));

fn kinds() -> [Kind; 5] {
    [
        ("JSON, epoch time", r#"{ "format": "json" }"#, 1, flat, bare::flat),
        ("JSON, RFC 3339 time", r#"{ "format": "json" }"#, 1, dated, bare::dated),
        ("JSON array of 50", r#"{ "format": "json" }"#, MANY, array, bare::array),
        ("SenML pack of 50", r#"{ "format": "senml" }"#, MANY, pack, bare::pack),
        ("line protocol, 50 lines", r#"{ "format": "line-protocol" }"#, MANY, lines, bare::lines),
    ]
}

fn turn<'p>(payloads: &'p [String], next: &mut usize) -> &'p str {
    *next = (*next + 1) % payloads.len();
    &payloads[*next]
}

fn station(n: u32) -> u32 {
    n.wrapping_mul(2_654_435_761) % STATIONS
}

fn metres(n: u32) -> f64 {
    f64::from(n % 977) / 100.0
}

fn flat(n: u32) -> String {
    let (station, level) = (station(n), metres(n));
    format!(
        r#"{{"station":"qj-{station:06}","time":1782892800250,"level":{level:.2},"battery":3.61,"rssi":-97,"seq":{}}}"#,
        1000 + n
    )
}

fn dated(n: u32) -> String {
    let (station, level) = (station(n), metres(n));
    format!(
        r#"{{"station":"qj-{station:06}","time":"2026-07-01T08:00:00.250Z","level":{level:.2},"battery":3.61,"rssi":-97}}"#
    )
}

fn joined(n: u32, between: &str, mut one: impl FnMut(&mut String, u32)) -> String {
    let mut text = String::new();
    for at in 0..MANY {
        text.push_str(if at == 0 { "" } else { between });
        one(&mut text, n * MANY + at);
    }
    text
}

fn array(n: u32) -> String {
    let records = joined(n, ",", |text, at| {
        let (station, level) = (station(at), metres(at));
        write!(text, r#"{{"station":"qj-{station:06}","time":1782892800250,"level":{level:.2}}}"#)
            .expect("writing into a String cannot fail");
    });
    format!("[{records}]")
}

fn pack(n: u32) -> String {
    let records = joined(n, ",", |text, at| {
        let (station, level) = (station(at), metres(at));
        write!(text, r#"{{"n":"qj-{station:06}:level","u":"m","v":{level:.2},"t":1782892800}}"#)
            .expect("writing into a String cannot fail");
    });
    format!("[{records}]")
}

fn lines(n: u32) -> String {
    joined(n, "\n", |text, at| {
        let (station, level) = (station(at), metres(at));
        write!(text, "river,station=qj-{station:06} level={level:.2} 1782892800250000000")
            .expect("writing into a String cannot fail");
    })
}

/// The format that this document names.
fn format_of(settings: &str) -> AnyFormat {
    let mut settings: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(settings).expect("the bench's own settings");
    let kind = settings.remove("format").expect("a format");
    AnyFormat::read(kind.as_str().expect("a name"), serde_json::Value::Object(settings))
        .expect("a registered format")
        .expect("sound settings")
}

fn decode(format: &AnyFormat, payload: &str, sink: &mut dyn Sink) {
    let message =
        Message { topic: "river/qj", payload: payload.as_bytes(), received: RECEIVED, retained: false };
    format.as_dyn().decode(&mut Session::default(), &message, sink).expect("a sound payload");
}

/// Counts levels; a battery is nobody's sensor.
struct Counted(f64);

impl Sink for Counted {
    fn reading(&mut self, reading: Decoded<'_>) {
        self.offer(reading);
    }

    fn offer(&mut self, reading: Decoded<'_>) -> Offered {
        if reading.quantity != "level" {
            return Offered::UnknownQuantity;
        }
        self.0 += reading.value;
        Offered::Taken
    }

    fn knows(&self, _: &str, quantity: &str) -> bool {
        quantity == "level"
    }

    fn fault(&mut self, reason: String) {
        panic!("{reason}");
    }
}

/// Finds each value's sensor.
struct Found<'c> {
    catalog: &'c Catalog,
    taken: Vec<(SensorIx, f64, Option<Timestamp>)>,
}

impl Sink for Found<'_> {
    fn reading(&mut self, reading: Decoded<'_>) {
        self.offer(reading);
    }

    fn offer(&mut self, reading: Decoded<'_>) -> Offered {
        let Some(mut entries) = self.catalog.station(reading.station) else { return Offered::UnknownStation };
        let Some(entry) = entries.find(|entry| entry.quantity == reading.quantity) else {
            return Offered::UnknownQuantity;
        };
        let (scale, offset) = reading
            .unit
            .unwrap_or(entry.device_unit)
            .convert(entry.unit)
            .expect("the bench's own units convert");
        self.taken.push((entry.sensor, reading.value * scale + offset, reading.observed));
        Offered::Taken
    }

    fn knows(&self, station: &str, quantity: &str) -> bool {
        self.catalog.sensor(station, quantity).is_some()
    }

    fn fault(&mut self, reason: String) {
        panic!("{reason}");
    }
}

fn catalog() -> Catalog {
    let terms = Arc::new(Terms {
        quantity: "level".into(),
        unit: Unit::parse("m").expect("metres are a unit"),
        datum: None,
        interval: Span::from_mins(10),
        lateness: Span::ZERO,
        max_age: Span::ZERO,
        span: None,
        suspect: None,
        outage_intervals: 3,
        conversions: vec![],
        flat: None,
    });
    let sensor = |n| {
        let id = format!("qj-{n:06}/level").into();
        Some(Sensor { id, station: StationIx(n), terms: terms.clone() })
    };
    let plan = Plan { sensors: (0..STATIONS).map(sensor).collect(), ..Plan::default() };
    Catalog::new(plan.into(), &BTreeMap::new())
}
