//! `sensors.csv` as written: a row a sensor, and further rows of the same
//! sensor where its conversion changes from a date on.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::civil::DateTime;

use super::Names;
use super::sheet::{Column, Row, Sheet, may, must};
use super::words::{Day, INTERVALS_MAX, Id, Length, Number, Text, UnitWord, Whole, Word};
use crate::config::fault::{Fault, Faults, Place};

/// The file's name.
pub(crate) const FILE: &str = "sensors.csv";

/// Its columns.
pub(crate) const COLUMNS: &[Column] = &[
    must("station", "name of the station; a station may have several sensors"),
    must("quantity", "what is measured: level, rain ..."),
    may("name_zh", "Chinese name of the station"),
    may("name_en", "English name of the station; one of the two is mandatory"),
    must("lat", "degrees north, WGS-84"),
    must("lon", "degrees east, WGS-84"),
    must("area", "id of the area that its warnings are about"),
    must("unit", "unit that readings are kept, judged and shown in"),
    may("datum", "what a level is measured from; mandatory for level and stage"),
    must("interval", "how often it reports, such as 5 min"),
    may("lateness", "how late a reading may come and still be put in its place; default two intervals"),
    may(
        "max_age",
        "how old a breach may be and still raise a warning; default 1 h, or twice the lateness, or three intervals",
    ),
    may("min", "lowest value the sensor can measure, in its unit"),
    may("max", "highest value the sensor can measure, in its unit"),
    may("suspect_min", "lowest credible value, in its unit"),
    may("suspect_max", "highest credible value, in its unit"),
    may("flat_suspect", "how long it may say the same value before that is suspect; empty: for ever"),
    may("flat_fail", "how long before it has failed; empty: never"),
    may(
        "flat_within",
        "values no further apart than this are the same, in its unit; default 0: the very same",
    ),
    may(
        "flat_normal",
        "the value that may stay for ever, in its unit, such as the bed of a dry river; default 0 for rain and snow",
    ),
    may("gateway", "what carries its readings; those that share one fail together"),
    may("power", "what feeds it; those that share one fail together"),
    may("outage_intervals", "missed intervals before it counts as silent; default what its rules say, or 3"),
    may("device_unit", "unit that the device sends; default the unit"),
    may("zero", "the value is zero minus what the device sends, in the unit"),
    may("scale", "the value is scale times what the device sends, plus the offset; default 1"),
    may("offset", "see scale; in the unit; default 0"),
    may("valid_from", "local date from which zero, scale and offset hold; empty is always"),
];

/// Every row that could be read.
#[derive(Debug, Default)]
pub(crate) struct Sensors {
    pub(crate) rows: Vec<SensorRow>,
    /// Stations of all rows, those at fault too.
    pub(crate) stations: Names,
    /// Sensors of all rows, those at fault too.
    pub(crate) named: Names,
    /// Stations with a row at fault: what it says is missing elsewhere.
    pub(crate) faulty: BTreeSet<String>,
}

/// One row. What is empty is `None`.
#[derive(Debug, Clone)]
pub(crate) struct SensorRow {
    pub(crate) place: Place,
    pub(crate) station: String,
    pub(crate) quantity: String,
    pub(crate) name_zh: Option<String>,
    pub(crate) name_en: Option<String>,
    pub(crate) lat: Option<f64>,
    pub(crate) lon: Option<f64>,
    pub(crate) area: Option<String>,
    pub(crate) unit: Option<forewarn_core::units::Unit>,
    pub(crate) datum: Option<String>,
    pub(crate) interval: Option<forewarn_core::time::Span>,
    pub(crate) lateness: Option<forewarn_core::time::Span>,
    pub(crate) max_age: Option<forewarn_core::time::Span>,
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
    pub(crate) suspect_min: Option<f64>,
    pub(crate) suspect_max: Option<f64>,
    pub(crate) flat_suspect: Option<forewarn_core::time::Span>,
    pub(crate) flat_fail: Option<forewarn_core::time::Span>,
    pub(crate) flat_within: Option<f64>,
    pub(crate) flat_normal: Option<f64>,
    pub(crate) gateway: Option<String>,
    pub(crate) power: Option<String>,
    pub(crate) outage_intervals: Option<u32>,
    pub(crate) device_unit: Option<forewarn_core::units::Unit>,
    pub(crate) zero: Option<f64>,
    pub(crate) scale: Option<f64>,
    pub(crate) offset: Option<f64>,
    pub(crate) valid_from: Option<DateTime>,
}

impl SensorRow {
    /// `station/quantity`.
    pub(crate) fn id(&self) -> String {
        format!("{}/{}", self.station, self.quantity)
    }
}

/// Reads it.
pub(crate) fn read(dir: &Path, faults: &mut Faults) -> Option<Sensors> {
    let sheet = Sheet::required(dir, FILE, COLUMNS, faults)?;
    let mut sensors = Sensors::default();
    for mut row in sheet.rows() {
        sensors.stations.insert(row.cell("station").to_owned());
        sensors.named.insert(format!("{}/{}", row.cell("station"), row.cell("quantity")));
        if Id::parse(row.cell("station")).is_none() || Id::parse(row.cell("quantity")).is_none() {
            sensors.stations.tear();
            sensors.named.tear();
        }
        row.shape(faults);
        if let Some(read) = sensor(&mut row, faults).filter(|_| row.sound()) {
            sensors.rows.push(read);
        } else {
            sensors.faulty.insert(row.cell("station").to_owned());
        }
    }
    Some(sensors)
}

fn sensor(row: &mut Row<'_>, faults: &mut Faults) -> Option<SensorRow> {
    let station = row.must::<Id>("station", faults);
    let quantity = row.must::<Id>("quantity", faults);
    position(row, faults);
    let outage_intervals = row.may::<Whole>("outage_intervals", faults).map(|count| count.0);
    if outage_intervals.is_some_and(|count| !(1..=INTERVALS_MAX).contains(&count)) {
        let fault = Fault::new(row.place.clone(), "outage_intervals is out of range", "1 to 1000");
        row.fault(fault, faults);
    }
    let interval = row.may::<Length>("interval", faults).map(|length| length.0);
    let mut length = |name: &str| row.may::<Length>(name, faults).map(|length| length.0);
    let (lateness, max_age) = (length("lateness"), length("max_age"));
    let (flat_suspect, flat_fail) = (length("flat_suspect"), length("flat_fail"));
    // Of no age at all, every reading would be too old to warn.
    for (name, length) in [("interval", interval), ("max_age", max_age)] {
        if length.is_some_and(|length| length.0 == 0) {
            row.fault(Fault::new(row.place.clone(), format!("{name} is nothing"), "more than 0 s"), faults);
        }
    }
    let mut text = |name: &str| row.may::<Text>(name, faults).map(|text| text.0);
    let (name_zh, name_en, datum) = (text("name_zh"), text("name_en"), text("datum"));
    let mut id = |name: &str| row.may::<Id>(name, faults).map(|id| id.0);
    let (area, gateway, power) = (id("area"), id("gateway"), id("power"));
    let mut unit = |name: &str| row.may::<UnitWord>(name, faults).map(|unit| unit.0);
    let (unit, device_unit) = (unit("unit"), unit("device_unit"));
    let mut number = |name: &str| row.may::<Number>(name, faults).map(|number| number.0);
    Some(SensorRow {
        station: station?.0,
        quantity: quantity?.0,
        name_zh,
        name_en,
        lat: number("lat"),
        lon: number("lon"),
        area,
        unit,
        datum,
        interval,
        lateness,
        max_age,
        min: number("min"),
        max: number("max"),
        suspect_min: number("suspect_min"),
        suspect_max: number("suspect_max"),
        flat_suspect,
        flat_fail,
        flat_within: number("flat_within"),
        flat_normal: number("flat_normal"),
        gateway,
        power,
        outage_intervals,
        device_unit,
        zero: number("zero"),
        scale: number("scale"),
        offset: number("offset"),
        valid_from: row.may::<Day>("valid_from", faults).map(|day| day.0),
        place: row.place.clone(),
    })
}

/// Latitude and longitude must be on the globe, and are often swapped.
fn position(row: &mut Row<'_>, faults: &mut Faults) {
    let parse = |text: &str| text.parse::<f64>().ok();
    let (Some(lat), Some(lon)) = (parse(row.cell("lat")), parse(row.cell("lon"))) else { return };
    if let Err(hint) = on_globe(lat, lon) {
        let what = format!("position {lat} north, {lon} east is not on the globe");
        let fault = Fault::new(row.place.clone(), what, "lat -90 to 90, lon -180 to 180").hint(hint);
        row.fault(fault, faults);
    }
}

/// Whether a position is on the globe; else a hint, which may be empty.
pub(crate) fn on_globe(lat: f64, lon: f64) -> Result<(), &'static str> {
    let fits = |lat: f64, lon: f64| (-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon);
    match (fits(lat, lon), fits(lon, lat)) {
        (true, _) => Ok(()),
        (false, true) => Err("are latitude and longitude swapped?"),
        (false, false) => Err(""),
    }
}
