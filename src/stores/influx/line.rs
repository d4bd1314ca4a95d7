//! Readings as line protocol: one line a reading, every field a float, nothing
//! that does not parse. `docs/influx-schema.md` says what stands where.

use std::ops::Range;

use forewarn_core::ids::SensorIx;
use forewarn_core::plan::{Plan, Sensor};

use crate::ports::Kept;

/// Instants that `InfluxDB` can hold, nanoseconds since 1970.
pub(super) const NANOS: std::ops::RangeInclusive<i64> =
    -9_223_372_036_854_775_806..=9_223_372_036_854_775_806;

/// Why a reading cannot be written at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unwritable {
    /// No plan knows its sensor.
    #[error("sensor #{sensor} is in no plan, expected one that has a name", sensor = .0.0)]
    Nameless(SensorIx),
    /// The value is no finite number.
    #[error("the value of sensor #{sensor} is no finite number", sensor = .0.0)]
    NotFinite(SensorIx),
    /// Its instant is beyond what can be held.
    #[error("a reading of sensor #{sensor} is outside the years 1677 to 2262", sensor = .0.0)]
    OutOfTime(SensorIx),
}

/// What each sensor's lines begin with, under one plan.
#[derive(Debug, Default)]
pub(super) struct Names {
    text: Vec<u8>,
    /// By dense index; empty where the plan has no such sensor.
    prefixes: Vec<Range<usize>>,
    /// Measurement and station, to ask for.
    sensors: Vec<Option<(String, String)>>,
}

impl Names {
    pub(super) fn of(plan: &Plan) -> Names {
        let mut names = Names::default();
        for sensor in &plan.sensors {
            let start = names.text.len();
            let series = sensor.as_ref().and_then(|sensor| series(plan, sensor));
            if let Some(series) = &series {
                series.write(&mut names.text);
            }
            names.prefixes.push(start..names.text.len());
            names.sensors.push(series.map(|series| (series.measurement, series.station)));
        }
        names
    }

    /// Measurement and station of a sensor, as they are written.
    pub(super) fn sensor(&self, sensor: SensorIx) -> Option<(&str, &str)> {
        let (measurement, station) = self.sensors.get(sensor.index())?.as_ref()?;
        Some((measurement, station))
    }

    /// Appends a reading's line; on an error nothing.
    pub(super) fn line(&self, kept: &Kept, out: &mut Vec<u8>) -> Result<(), Unwritable> {
        let reading = &kept.checked.reading;
        let sensor = reading.sensor;
        let prefix = self.prefixes.get(sensor.index()).filter(|prefix| !prefix.is_empty());
        let prefix = &self.text[prefix.ok_or(Unwritable::Nameless(sensor))?.clone()];
        if !reading.value.is_finite() {
            return Err(Unwritable::NotFinite(sensor));
        }
        let nanos = reading.observed.0.checked_mul(1_000).filter(|nanos| NANOS.contains(nanos));
        let nanos = nanos.ok_or(Unwritable::OutOfTime(sensor))?;
        let mut integer = itoa::Buffer::new();
        out.extend_from_slice(prefix);
        out.extend_from_slice(b"value=");
        out.extend_from_slice(ryu::Buffer::new().format_finite(reading.value).as_bytes());
        // Without the suffix `i` these are floats too: a type conflict cannot arise.
        for (field, number) in [
            (",flag=", i64::from(kept.checked.flag.number())),
            (",marks=", i64::from(reading.marks.0)),
            (",received=", kept.received.0),
            (",position=", kept.position.0 as i64),
        ] {
            out.extend_from_slice(field.as_bytes());
            out.extend_from_slice(integer.format(number).as_bytes());
        }
        out.push(b' ');
        out.extend_from_slice(integer.format(nanos).as_bytes());
        out.push(b'\n');
        Ok(())
    }
}

/// One sensor's place in the database.
struct Series {
    measurement: String,
    station: String,
    area: String,
    unit: String,
}

fn series(plan: &Plan, sensor: &Sensor) -> Option<Series> {
    let station = plan.stations.get(sensor.station.index())?.as_ref()?;
    let area = plan.areas.get(station.area.index()).and_then(Option::as_ref);
    let series = Series {
        measurement: writable(&sensor.quantity),
        station: writable(&station.id),
        area: area.map(|area| writable(&area.id)).unwrap_or_default(),
        unit: writable(&sensor.unit.to_string()),
    };
    (!series.measurement.is_empty() && !series.station.is_empty()).then_some(series)
}

impl Series {
    /// `level,area=..,station=..,unit=m `: tags in the order of their names.
    fn write(&self, out: &mut Vec<u8>) {
        escape(&self.measurement, b", ", out);
        for (tag, value) in [("area", &self.area), ("station", &self.station), ("unit", &self.unit)] {
            // An empty tag does not parse.
            if !value.is_empty() {
                out.push(b',');
                out.extend_from_slice(tag.as_bytes());
                out.push(b'=');
                escape(value, b",= ", out);
            }
        }
        out.push(b' ');
    }
}

fn escape(text: &str, special: &[u8], out: &mut Vec<u8>) {
    for byte in text.bytes() {
        if special.contains(&byte) {
            out.push(b'\\');
        }
        out.push(byte);
    }
}

/// A name without what line protocol cannot carry in one: control characters,
/// a backslash (at the end it would escape what follows), a leading `#` (a
/// comment) or `_` (reserved). Look-alikes stand in for them.
fn writable(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for (at, character) in name.trim().chars().enumerate() {
        out.push(match character {
            '\\' => '∖',
            '#' if at == 0 => '＃',
            '_' if at == 0 => '＿',
            control if control.is_control() => '\u{fffd}',
            other => other,
        });
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
pub(super) mod tests {
    use forewarn_core::ids::{AreaIx, Position, SourceIx, StationIx};
    use forewarn_core::plan;
    use forewarn_core::plan::{Area, Conversion, Station};
    use forewarn_core::reading::{Checked, Flag, Marks, Reading};
    use forewarn_core::time::{Span, Timestamp};
    use forewarn_core::units::Unit;

    use super::*;

    /// A plan of one sensor with these names.
    fn plan(station: &str, quantity: &str, area: &str, unit: &str) -> Plan {
        Plan {
            stations: vec![Some(Station {
                id: station.into(),
                names: plan::Names::default(),
                lat: 0.0,
                lon: 0.0,
                area: AreaIx(0),
                domains: Box::default(),
            })],
            areas: vec![Some(Area { id: area.into(), names: plan::Names::default(), parent: None })],
            sensors: vec![Some(Sensor {
                id: format!("{station}/{quantity}").into(),
                station: StationIx(0),
                terms: plan::Terms {
                    quantity: quantity.into(),
                    unit: Unit::parse(unit).unwrap(),
                    datum: None,
                    interval: Span::from_mins(15),
                    lateness: Span::ZERO,
                    max_age: Span::ZERO,
                    span: None,
                    suspect: None,
                    outage_intervals: 3,
                    conversions: vec![Conversion { from: Timestamp::MIN, scale: 1.0, offset: 0.0 }],
                    flat: None,
                }
                .into(),
            })],
            ..Plan::default()
        }
    }

    fn kept(value: f64, observed: i64) -> Kept {
        let reading = Reading {
            sensor: SensorIx(0),
            source: SourceIx(0),
            observed: Timestamp(observed),
            value,
            seq: 0,
            identity: 0,
            marks: Marks::HISTORICAL,
        };
        Kept {
            checked: Checked { reading, flag: Flag::Suspect },
            received: Timestamp(1_700_000_000_000_001),
            position: Position(12),
        }
    }

    #[test]
    fn a_reading_is_one_line() {
        for ((station, quantity, area, unit), begins) in [
            (("qj-1", "level", "old-town", "m"), "level,area=old-town,station=qj-1,unit=m "),
            (("a b,c=d", "water level", "", "mm/h"), r"water\ level,station=a\ b\,c\=d,unit=mm/h "),
            (("line\nbreak\\", "#x", "_a\"b", "°C"), "＃x,area=＿a\"b,station=line\u{fffd}break∖,unit=°C "),
            (("甲", "水位", "区", "m"), "水位,area=区,station=甲,unit=m "),
        ] {
            let mut out = vec![];
            Names::of(&plan(station, quantity, area, unit))
                .line(&kept(59.1, 1_700_000_000_000_000), &mut out)
                .unwrap();
            let rest =
                "value=59.1,flag=3,marks=2,received=1700000000000001,position=12 1700000000000000000\n";
            assert_eq!(String::from_utf8(out).unwrap(), format!("{begins}{rest}"));
        }
    }

    #[test]
    fn what_does_not_parse_is_never_written() {
        let names = Names::of(&plan("qj-1", "level", "a", "m"));
        let nameless = Names::of(&plan("", "level", "a", "m"));
        for (names, kept, why) in [
            (&names, kept(f64::NAN, 0), Unwritable::NotFinite(SensorIx(0))),
            (&names, kept(f64::INFINITY, 0), Unwritable::NotFinite(SensorIx(0))),
            (&names, kept(1.0, i64::MAX / 10), Unwritable::OutOfTime(SensorIx(0))),
            (&names, kept(1.0, i64::MIN), Unwritable::OutOfTime(SensorIx(0))),
            (&nameless, kept(1.0, 0), Unwritable::Nameless(SensorIx(0))),
        ] {
            let mut out = vec![];
            assert_eq!(names.line(&kept, &mut out), Err(why));
            assert!(out.is_empty());
        }
    }
}
