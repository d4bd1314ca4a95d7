//! Stations and sensors: the rows of one station agree, the rows of one
//! sensor follow each other in time.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use forewarn_core::checks::Flat;
use forewarn_core::ids::{AreaIx, DomainIx, IndexKind, SensorIx, StationIx};
use forewarn_core::plan::{Conversion, Sensor, Station, Terms};
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::units::{Datum, Dimension, Unit};

use super::areas::names;
use super::{Build, put, put_name};
use crate::config::fault::{Fault, Faults, quote};
use crate::config::raw::sensors::SensorRow;
use crate::config::zone;

/// Missed intervals before a sensor counts as silent, where nobody says otherwise.
pub(super) const OUTAGE_INTERVALS: u32 = 3;

/// So many intervals at least before the same value is suspect.
const FLAT_INTERVALS: i64 = 3;

/// Notes where a row contradicts what stood before, and takes over what did not stand there yet.
macro_rules! agree {
    ($kept:ident, $row:ident, $of:expr, $faults:expr; $($column:ident),+) => {$(
        match (&$kept.$column, &$row.$column) {
            // As written: two numbers that differ in a last digit were meant to differ.
            (Some(kept), Some(row)) if !same(kept, row) => $faults.push(Fault::new(
                $row.place.clone(),
                format!("{} of {} is another than on line {}", stringify!($column), $of(), $kept.place.line),
                "the same in every row, or none",
            )),
            (None, Some(row)) => $kept.to_mut().$column = Some(row.clone()),
            _ => {}
        }
    )+};
}

/// Lowest and highest; open where infinite.
type Range = Option<(f64, f64)>;

/// The rows of one sensor.
struct Draft<'r> {
    merged: Merged<'r>,
    rows: Vec<&'r SensorRow>,
}

/// A row, with what only later ones say. Copied where there is such a thing,
/// which is seldom: most sensors have one row.
struct Merged<'r> {
    first: &'r SensorRow,
    whole: Option<Box<SensorRow>>,
}

impl<'r> Merged<'r> {
    fn of(first: &'r SensorRow) -> Self {
        Merged { first, whole: None }
    }

    fn to_mut(&mut self) -> &mut SensorRow {
        self.whole.get_or_insert_with(|| Box::new(self.first.clone()))
    }
}

impl Deref for Merged<'_> {
    type Target = SensorRow;

    fn deref(&self) -> &SensorRow {
        self.whole.as_deref().unwrap_or(self.first)
    }
}

impl Build<'_> {
    pub(super) fn sensors(&mut self) {
        let Some(written) = self.raw.sensors.as_ref() else { return };
        let (stations, sensors) = drafts(&written.rows, self.faults);
        let mut by_name = BTreeMap::new();
        for station in &stations {
            if let Some(ix) = self.station(station) {
                by_name.insert(station.station.as_str(), ix);
            }
        }
        for draft in &sensors {
            if let Some(&station) = by_name.get(draft.merged.station.as_str()) {
                self.sensor(draft, station);
            }
        }
    }

    fn station(&mut self, row: &SensorRow) -> Option<StationIx> {
        let names = names(row.name_zh.as_deref(), row.name_en.as_deref());
        // What is missing here may stand in a row that could not be read.
        let whole = self.is_whole(row);
        if whole && names.is_empty() {
            self.fault(
                &row.place,
                format!("station {} has no name", quote(&row.station)),
                "name_zh or name_en",
            );
        }
        for (column, missing) in
            [("lat", row.lat.is_none()), ("lon", row.lon.is_none()), ("area", row.area.is_none())]
        {
            if whole && missing {
                self.fault(&row.place, format!("{column} is empty"), "a value in one row of the station");
            }
        }
        let area = self.area_of(row);
        let ix = StationIx(self.index(IndexKind::Station, &row.station));
        let mut domains = vec![];
        for (kind, name) in [("gateway", &row.gateway), ("power", &row.power)] {
            let Some(name) = name else { continue };
            let name = format!("{kind} {name}");
            let domain = DomainIx(self.index(IndexKind::Domain, &name));
            put_name(&mut self.plan.domains, domain.index(), &name);
            domains.push(domain);
        }
        let (lat, lon) = (row.lat?, row.lon?);
        let (id, domains) = (row.station.as_str().into(), domains.into());
        let station = Station { id, names, lat, lon, area: area?, domains };
        put(&mut self.plan.stations, ix.index(), station);
        Some(ix)
    }

    /// Whether every row of its station could be read.
    fn is_whole(&self, row: &SensorRow) -> bool {
        self.raw.sensors.as_ref().is_none_or(|written| !written.faulty.contains(&row.station))
    }

    fn area_of(&mut self, row: &SensorRow) -> Option<AreaIx> {
        let name = row.area.as_deref()?;
        let written = self.raw.areas.as_ref()?;
        if !written.named.contains(name) {
            let what = format!("area {} is not in areas.geojson", quote(name));
            let fault = Fault::new(row.place.clone(), what, "the id of an area");
            self.faults.push_nearest(fault, name, written.named.iter());
        }
        let ix = self.areas.get(name).copied();
        let outline = ix.and_then(|ix| self.outlines.get(&ix)).filter(|area| !area.polygons.is_empty());
        if let (Some(area), Some(lat), Some(lon)) = (outline, row.lat, row.lon)
            && !area.contains(lat, lon)
        {
            let what = format!(
                "station {} stands outside the outline of its area {}",
                quote(&row.station),
                quote(name)
            );
            self.warn(&row.place, what, "check lat, lon and area");
        }
        ix
    }

    fn sensor(&mut self, draft: &Draft<'_>, station: StationIx) -> Option<SensorIx> {
        let row = &draft.merged;
        let id = row.id();
        for (column, missing) in [("unit", row.unit.is_none()), ("interval", row.interval.is_none())] {
            if missing && self.is_whole(row) {
                self.fault(&row.place, format!("{column} is empty"), "a value in one row of the sensor");
            }
        }
        let (unit, interval) = (row.unit?, row.interval?);
        if row.datum.is_none() && self.is_whole(row) && needs_datum(&row.quantity, unit) {
            let what = format!("sensor {} has no datum", quote(&id));
            self.fault(
                &row.place,
                what,
                "what the level is measured from, such as 1985-national or gauge-zero",
            );
        }
        let device_unit = row.device_unit.unwrap_or(unit);
        if device_unit.convert(unit).is_none() {
            let what = format!("device_unit {device_unit} does not convert to the unit {unit}");
            self.fault(&row.place, what, "units of the same kind");
        }
        let (span, suspect) = self.ranges(row);
        let flat = self.flat(row, interval, unit);
        let lateness = row.lateness.unwrap_or(interval.times(2));
        let oldest = Span::from_hours(1).max(lateness.times(2)).max(interval.times(3));
        let conversions = self.conversions(draft);
        let ix = SensorIx(self.index(IndexKind::Sensor, &id));
        self.sensors.insert(id.clone(), ix);
        let mut terms = Arc::new(Terms {
            quantity: row.quantity.clone(),
            unit,
            datum: row.datum.clone().map(Datum),
            interval,
            lateness,
            max_age: row.max_age.unwrap_or(oldest),
            span,
            suspect,
            // Rules may say otherwise where the row does not; nothing yet.
            outage_intervals: row.outage_intervals.unwrap_or(0),
            conversions,
            flat,
        });
        self.terms.share(&mut terms);
        put(&mut self.plan.sensors, ix.index(), Sensor { id: id.into(), station, terms });
        if device_unit != unit {
            self.sent.insert(ix, device_unit);
        }
        Some(ix)
    }

    fn ranges(&mut self, row: &SensorRow) -> (Range, Range) {
        let range = |low: Option<f64>, high: Option<f64>| {
            (low.is_some() || high.is_some())
                .then(|| (low.unwrap_or(f64::NEG_INFINITY), high.unwrap_or(f64::INFINITY)))
        };
        let span = range(row.min, row.max);
        let suspect = range(row.suspect_min, row.suspect_max);
        for (name, range) in [("min..max", span), ("suspect_min..suspect_max", suspect)] {
            if let Some((low, high)) = range.filter(|(low, high)| low >= high) {
                self.fault(&row.place, format!("range {name} is {low}..{high}"), "low..high");
            }
        }
        if let (Some((low, high)), Some((least, most))) = (span, suspect)
            && ((least.is_finite() && least < low) || (most.is_finite() && most > high))
        {
            let what = format!("credible range {least}..{most} goes beyond the measurable {low}..{high}");
            self.fault(&row.place, what, "suspect_min and suspect_max within min and max");
        }
        (span, suspect)
    }

    /// How long it may say the same.
    fn flat(&mut self, row: &SensorRow, interval: Span, unit: Unit) -> Option<Flat> {
        let Some(suspect) = row.flat_suspect else {
            let whole = self.is_whole(row);
            for (column, given) in [
                ("flat_fail", row.flat_fail.is_some()),
                ("flat_within", row.flat_within.is_some()),
                ("flat_normal", row.flat_normal.is_some()),
            ] {
                if whole && given {
                    let what = format!("has {column} and no flat_suspect");
                    self.fault(&row.place, what, "how long it may say the same value, such as 1 h");
                }
            }
            return None;
        };
        let least = interval.times(FLAT_INTERVALS);
        if suspect < least {
            let what = format!("flat_suspect {suspect} is less than {FLAT_INTERVALS} intervals");
            self.fault(
                &row.place,
                what,
                format!("{least} at least, as fewer readings are the same by chance"),
            );
        }
        if let Some(fail) = row.flat_fail.filter(|fail| *fail <= suspect) {
            let what = format!("flat_fail {fail} is not longer than flat_suspect, {suspect}");
            self.fault(&row.place, what, "a longer time, or nothing");
        }
        let within = row.flat_within.unwrap_or(0.0);
        if within < 0.0 {
            self.fault(&row.place, format!("flat_within is {within}"), "0 or more");
        }
        let normal = row.flat_normal.or_else(|| rests_at_nothing(&row.quantity, unit).then_some(0.0));
        Some(Flat { suspect, fail: row.flat_fail, within, normal })
    }

    fn conversions(&mut self, draft: &Draft<'_>) -> Vec<Conversion> {
        let mut conversions: Vec<Conversion> = Vec::with_capacity(draft.rows.len());
        for row in &draft.rows {
            if row.zero.is_some() && (row.scale.is_some() || row.offset.is_some()) {
                let what = "has zero beside scale or offset";
                self.fault(&row.place, what, "either zero, or scale and offset");
            }
            if row.scale.is_some_and(|scale| scale.abs() < f64::MIN_POSITIVE) {
                self.fault(&row.place, "scale is 0", "a factor that leaves something to measure");
            }
            let (scale, offset) = match row.zero {
                Some(zero) => (-1.0, zero),
                None => (row.scale.unwrap_or(1.0), row.offset.unwrap_or(0.0)),
            };
            let from = row.valid_from.map_or(Timestamp::MIN, |local| zone::at_local(&self.zone, local));
            let mut earlier = conversions.iter().zip(&draft.rows);
            if let Some((_, before)) = earlier.find(|(before, _)| before.from == from) {
                let what =
                    format!("sensor {} stands on line {} already", quote(&row.id()), before.place.line);
                self.fault(&row.place, what, "another valid_from in each row of a sensor");
            }
            conversions.push(Conversion { from, scale, offset });
        }
        conversions.sort_by_key(|conversion| conversion.from);
        conversions
    }
}

/// Whether a gauge of this quantity says nothing at all for weeks, and rightly so.
fn rests_at_nothing(quantity: &str, unit: Unit) -> bool {
    let is_depth_an_hour = unit.base.dimension() == Dimension::Length && unit.per_hour;
    is_depth_an_hour || ["rain", "precipitation", "snow"].iter().any(|word| quantity.contains(word))
}

/// Whether two rows say the same.
fn same<T: PartialEq>(a: &T, b: &T) -> bool {
    a == b
}

/// Rows gathered by station and by sensor, in the order of the file.
fn drafts<'r>(rows: &'r [SensorRow], faults: &mut Faults) -> (Vec<Merged<'r>>, Vec<Draft<'r>>) {
    let (mut stations, mut sensors): (Vec<Merged<'_>>, Vec<Draft<'_>>) = (vec![], vec![]);
    let (mut station_at, mut sensor_at) = (BTreeMap::new(), BTreeMap::new());
    for row in rows {
        let at = *station_at.entry(row.station.as_str()).or_insert_with(|| {
            stations.push(Merged::of(row));
            stations.len() - 1
        });
        let kept = &mut stations[at];
        let of = || format!("station {}", quote(&row.station));
        agree!(kept, row, of, faults; name_zh, name_en, lat, lon, area, gateway, power);
        let at = *sensor_at.entry((row.station.as_str(), row.quantity.as_str())).or_insert_with(|| {
            sensors.push(Draft { merged: Merged::of(row), rows: Vec::with_capacity(1) });
            sensors.len() - 1
        });
        let kept = &mut sensors[at].merged;
        let of = || format!("sensor {}", quote(&row.id()));
        agree!(kept, row, of, faults; unit, datum, interval, lateness, max_age, min, max,
            suspect_min, suspect_max, flat_suspect, flat_fail, flat_within, flat_normal,
            outage_intervals, device_unit);
        sensors[at].rows.push(row);
    }
    (stations, sensors)
}

/// A level without a datum is a number without meaning: two gauges' metres
/// do not compare, and a limit in one system is metres off in another.
fn needs_datum(quantity: &str, unit: Unit) -> bool {
    let level_like = quantity.contains("level") || quantity.contains("stage");
    quantity == "level" || (level_like && unit.base.dimension() == Dimension::Length && !unit.per_hour)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_rests_at_nothing_may_stay_there_unasked() {
        for (quantity, unit, expected) in [
            ("rain", "mm", true),
            ("rain-24h", "mm", true),
            ("snowfall", "cm", true),
            ("intensity", "mm/h", true),
            ("level", "m", false),
            ("flow", "m3/s", false),
        ] {
            let unit = Unit::parse(unit).expect("a unit");
            assert_eq!(rests_at_nothing(quantity, unit), expected, "{quantity} in {unit}");
        }
    }
}
