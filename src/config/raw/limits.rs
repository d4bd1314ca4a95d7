//! `limits.csv` as written: sensor x season x valid-from x level.

use std::path::Path;

use forewarn_core::units::Unit;
use jiff::civil::DateTime;

use super::rules::SensorName;
use super::sheet::{Column, Sheet, may, must};
use super::words::{Day, Number, Season, Text, UnitWord};
use crate::config::fault::{Fault, Faults, Place};

/// The file's name.
pub(crate) const FILE: &str = "limits.csv";

/// Its columns.
pub(crate) const COLUMNS: &[Column] = &[
    must("sensor", "the sensor as station/quantity"),
    may("season", "local days of the year, such as 05-01..09-30, both included; empty is all year"),
    may("valid_from", "local date from which the row holds; empty is always"),
    may("blue", "limit of level blue"),
    may("yellow", "limit of level yellow"),
    may("orange", "limit of level orange"),
    may("red", "limit of level red"),
    must("unit", "unit of the limits; m/h and the like for rates"),
    may("datum", "what the limits are measured from; mandatory for levels, and the sensor's own"),
    may("rule", "the only rule the row is for; empty is every rule whose unit fits"),
];

/// Every row that could be read.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    pub(crate) rows: Vec<Row>,
    /// Sensors of all rows, those at fault too.
    pub(crate) named: super::Names,
    /// Whether the file was there and could not be read.
    pub(crate) torn: bool,
}

/// One row.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) place: Place,
    pub(crate) sensor: String,
    pub(crate) season: Option<(u16, u16)>,
    pub(crate) valid_from: Option<DateTime>,
    /// By level: blue, yellow, orange, red, in `unit`.
    pub(crate) levels: [Option<f64>; 4],
    pub(crate) unit: Unit,
    pub(crate) datum: Option<String>,
    pub(crate) rule: Option<String>,
}

/// Reads it, if it is there.
pub(crate) fn read(dir: &Path, faults: &mut Faults) -> Option<Limits> {
    let sheet = match Sheet::optional(dir, FILE, COLUMNS, faults) {
        Ok(sheet) => sheet?,
        Err(()) => return Some(Limits { torn: true, ..Limits::default() }),
    };
    let mut limits = Limits::default();
    for mut row in sheet.rows() {
        row.shape(faults);
        limits.named.insert(row.cell("sensor").to_owned());
        let sensor = row.must::<SensorName>("sensor", faults);
        if sensor.is_none() {
            limits.named.tear();
        }
        let unit = row.must::<UnitWord>("unit", faults);
        let season = row.may::<Season>("season", faults).map(|season| season.0);
        let valid_from = row.may::<Day>("valid_from", faults).map(|day| day.0);
        let datum = row.may::<Text>("datum", faults).map(|text| text.0);
        let rule = row.may::<Text>("rule", faults).map(|text| text.0);
        let levels = ["blue", "yellow", "orange", "red"]
            .map(|level| row.may::<Number>(level, faults).map(|number| number.0));
        if row.sound() && levels.iter().all(Option::is_none) {
            let fault =
                Fault::new(row.place.clone(), "has no limit", "one of blue, yellow, orange, red at least");
            row.fault(fault, faults);
        }
        if let (true, Some(sensor), Some(unit)) = (row.sound(), sensor, unit) {
            let place = row.place.clone();
            let (sensor, unit) = (sensor.0, unit.0);
            limits.rows.push(Row { place, sensor, season, valid_from, levels, unit, datum, rule });
        }
    }
    Some(limits)
}
