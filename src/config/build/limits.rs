//! Limits: rows of `limits.csv` for a sensor under a rule, or one inline table
//! for all of them; in the rule's unit, from the sensor's datum, rising.

use std::collections::BTreeMap;

use forewarn_core::level::Level;
use forewarn_core::plan::{LimitRow, Sensor, Side};
use forewarn_core::time::Timestamp;
use forewarn_core::units::Unit;

use super::Build;
use crate::channels::show;
use crate::config::fault::{Fault, Place, quote};
use crate::config::raw::limits::Row;
use crate::config::raw::rules::Inline;
use crate::config::zone;

/// The rows of `limits.csv` by sensor, and which of them some rule took.
#[derive(Default)]
pub(super) struct Table<'a> {
    by_sensor: BTreeMap<&'a str, Vec<(usize, &'a Row)>>,
    taken: Vec<Taken>,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    No,
    /// A rule selects its sensor, but in another unit.
    OtherUnit,
    Yes,
}

impl<'a> Table<'a> {
    pub(super) fn new(rows: &'a [Row]) -> Self {
        let mut table = Table { by_sensor: BTreeMap::new(), taken: vec![Taken::No; rows.len()] };
        for (at, row) in rows.iter().enumerate() {
            table.by_sensor.entry(row.sensor.as_str()).or_default().push((at, row));
        }
        table
    }
}

/// A rule, as far as its limits depend on it.
pub(super) struct Under<'a> {
    pub(super) rule: &'a str,
    pub(super) place: &'a Place,
    pub(super) unit: Unit,
    pub(super) side: Side,
    /// Whether values are measured from a datum: rates are not.
    pub(super) from_datum: FromDatum,
}

/// Whether what a rule measures depends on where zero is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FromDatum {
    Yes,
    No,
}

impl Build<'_> {
    /// The rows of one sensor under one rule.
    pub(super) fn table_limits(
        &mut self,
        table: &mut Table<'_>,
        sensor: &Sensor,
        under: &Under<'_>,
    ) -> Vec<LimitRow> {
        let written = table.by_sensor.get(&*sensor.id).cloned().unwrap_or_default();
        let mut rows: Vec<(Place, LimitRow)> = vec![];
        let mut other_unit = false;
        for (at, row) in written {
            if row.rule.as_deref().is_some_and(|rule| rule != under.rule) {
                continue;
            }
            if row.unit.convert(under.unit).is_none() {
                other_unit = true;
                if row.rule.is_some() {
                    let what = format!(
                        "unit {} does not convert to {}, the unit of rule {}",
                        row.unit,
                        under.unit,
                        quote(under.rule)
                    );
                    self.fault(&row.place, what, "a unit of the same kind");
                    table.taken[at] = Taken::Yes;
                } else if table.taken[at] == Taken::No {
                    table.taken[at] = Taken::OtherUnit;
                }
                continue;
            }
            table.taken[at] = Taken::Yes;
            if row.unit != under.unit {
                self.other_unit(row, under.unit);
            }
            self.same_datum(row.datum.as_deref(), sensor, under, &row.place);
            let levels = row.levels.map(|limit| limit.map(|limit| in_unit(limit, row.unit, under.unit)));
            self.ordered(levels, under.side, &row.place);
            self.measurable(levels, sensor, under, &row.place);
            let from = row.valid_from.map_or(Timestamp::MIN, |local| zone::at_local(&self.zone, local));
            let row_meant = LimitRow { from, season: row.season, levels };
            if let Some((first, _)) = rows.iter().find(|(_, before)| overlap(before, &row_meant)) {
                let what = format!("limits of {} overlap those of line {}", quote(&sensor.id), first.line);
                self.fault(&row.place, what, "another season or another valid_from");
            }
            rows.push((row.place.clone(), row_meant));
        }
        let named = self.raw.limits.as_ref().is_some_and(|limits| limits.torn)
            || (!other_unit && self.faulty_row(&sensor.id, table));
        // Rows in another unit are told with their own line, once all rules have been seen.
        if rows.is_empty() && !named && !other_unit {
            self.no_row(table, sensor, under);
        }
        let mut rows: Vec<LimitRow> = rows.into_iter().map(|(_, row)| row).collect();
        rows.shrink_to_fit();
        rows.sort_by_key(|row| row.from);
        self.whole_year(&rows, sensor, under);
        rows
    }

    /// Limits that are converted: a mistaken unit makes them a hundred times too high, and still limits.
    fn other_unit(&mut self, row: &Row, unit: Unit) {
        let converted = Level::WARNING.into_iter().zip(row.levels).filter_map(|(level, limit)| {
            let limit = limit?;
            let meant = show::limit(in_unit(limit, row.unit, unit), unit);
            Some(format!("{level} {} counts as {meant}", show::limit(limit, row.unit)))
        });
        let what = format!(
            "limits of {} are in {}, and what they are held against is in {unit}: {}",
            quote(&row.sensor),
            row.unit,
            converted.collect::<Vec<_>>().join(", "),
        );
        self.warn(&row.place, what, format!("if that is meant, write them in {unit}"));
    }

    /// A sensor without limits can never warn.
    fn no_row(&mut self, table: &Table<'_>, sensor: &Sensor, under: &Under<'_>) {
        let what = format!("sensor {} has no row in limits.csv", quote(&sensor.id));
        let expected = "one row at least for every sensor that the rule selects";
        let fault = Fault::new(under.place.clone(), what, expected);
        if table.by_sensor.contains_key(&*sensor.id) {
            // It has rows for another rule: its name is none that was mistaken.
            self.faults.push(fault);
        } else {
            self.faults.push_nearest(fault, &sensor.id, table.by_sensor.keys().copied());
        }
    }

    /// Whether a row of this sensor stands in the file but was at fault.
    fn faulty_row(&self, sensor: &str, table: &Table<'_>) -> bool {
        let named = self.raw.limits.as_ref().is_some_and(|limits| limits.named.contains(sensor));
        named && !table.by_sensor.contains_key(sensor)
    }

    /// The same limits for one of the sensors that a rule selects.
    pub(super) fn inline_limits(
        &mut self,
        inline: &Inline,
        sensor: &Sensor,
        under: &Under<'_>,
    ) -> Vec<LimitRow> {
        let mut levels = [None; 4];
        for ((level, written), limit) in Level::WARNING.iter().zip(inline.levels()).zip(&mut levels) {
            let Some(written) = written else { continue };
            let place = Place { file: under.place.file.clone(), line: written.line };
            *limit = written.value.0.in_unit(under.unit);
            if limit.is_none() {
                let what =
                    format!("limit {level} in {} does not convert to {}", written.value.0.unit, under.unit);
                self.fault(&place, what, format!("a unit like that of {}", quote(&sensor.id)));
            }
        }
        let line = inline.datum.as_ref().map_or(under.place.line, |datum| datum.line);
        let place = Place { file: under.place.file.clone(), line };
        self.same_datum(inline.datum.as_ref().map(|datum| datum.value.0.as_str()), sensor, under, &place);
        if inline.levels().iter().all(Option::is_none) {
            self.fault(under.place, "limits name no level", "one of blue, yellow, orange, red at least");
        }
        self.ordered(levels, under.side, under.place);
        self.measurable(levels, sensor, under, under.place);
        vec![LimitRow { from: Timestamp::MIN, season: None, levels }]
    }

    fn same_datum(&mut self, datum: Option<&str>, sensor: &Sensor, under: &Under<'_>, place: &Place) {
        let own = sensor.datum.as_ref().map(|datum| datum.0.as_str());
        let (what, expected) = match (datum, own, under.from_datum) {
            (Some(datum), Some(own), _) if datum != own => (
                format!("limits of {} are from datum {}", quote(&sensor.id), quote(datum)),
                format!("the sensor's own datum, {}", quote(own)),
            ),
            (Some(datum), None, _) => (
                format!("limits of {} are from datum {}", quote(&sensor.id), quote(datum)),
                "no datum, as the sensor has none".to_owned(),
            ),
            (None, Some(own), FromDatum::Yes) => {
                (format!("limits of {} have no datum", quote(&sensor.id)), format!("datum {}", quote(own)))
            }
            (Some(_) | None, Some(_), _) | (None, None, _) => return,
        };
        self.fault(place, what, expected);
    }

    /// A higher level must need a worse value.
    fn ordered(&mut self, levels: [Option<f64>; 4], side: Side, place: &Place) {
        let given: Vec<(Level, f64)> = Level::WARNING
            .into_iter()
            .zip(levels)
            .filter_map(|(level, limit)| Some((level, limit?)))
            .collect();
        for pair in given.windows(2) {
            let ((low, first), (high, second)) = (pair[0], pair[1]);
            let (sound, word) = match side {
                Side::Above => (second > first, "rise"),
                Side::Below => (second < first, "fall"),
            };
            if !sound {
                let what = format!("limit {high} ({second}) does not lie beyond {low} ({first})");
                self.fault(place, what, format!("limits that {word} from blue to red"));
            }
        }
    }

    /// A limit must lie where the sensor measures, and where it is believed.
    fn measurable(&mut self, levels: [Option<f64>; 4], sensor: &Sensor, under: &Under<'_>, place: &Place) {
        if sensor.unit != under.unit {
            // It is held against a rate, or against what a rule computes.
            return;
        }
        // Turned round, so that the dangerous side is always up.
        let upward = |(low, high): (f64, f64)| match under.side {
            Side::Above => (low, high),
            Side::Below => (-high, -low),
        };
        let whole = |&(low, high): &(f64, f64)| low < high;
        let (span, believed) =
            (sensor.span.filter(whole).map(upward), sensor.suspect.filter(whole).map(upward));
        for (level, limit) in Level::WARNING.into_iter().zip(levels) {
            let Some(written) = limit else { continue };
            let limit = if under.side == Side::Above { written } else { -written };
            let named = || format!("limit {level} ({written}) of {}", quote(&sensor.id));
            if span.is_some_and(|(low, _)| limit < low) {
                let what = format!("{} is reached by all that it can measure", named());
                self.fault(place, what, "a limit between its min and max, as sensors.csv has them");
            } else if believed.is_some_and(|(_, high)| limit > high)
                && span.is_none_or(|(_, high)| limit <= high)
            {
                let what =
                    format!("{} lies where its values are suspect: one of them alone warns nobody", named());
                let hint = "beyond suspect_min and suspect_max in sensors.csv, a value needs another gauge that says so too";
                self.warn_once(place, what, hint);
            }
        }
    }

    /// What holds for many sensors alike is told of the first.
    fn warn_once(&mut self, place: &Place, what: String, hint: &str) {
        if !self.warnings.iter().any(|told| told.place == *place && told.hint == hint) {
            self.warn(place, what, hint);
        }
    }

    /// A season without limits is a season without warnings.
    fn whole_year(&mut self, rows: &[LimitRow], sensor: &Sensor, under: &Under<'_>) {
        let seasons: Vec<(u16, u16)> = rows.iter().filter_map(|row| row.season).collect();
        if rows.is_empty() || rows.iter().any(|row| row.season.is_none()) {
            return;
        }
        let uncovered = (1..=12u16)
            .flat_map(|month| (1..=days_in(month)).map(move |day| month * 100 + day))
            .find(|&day| !seasons.iter().any(|&season| holds(season, day)));
        if let Some(day) = uncovered {
            let what = format!(
                "sensor {} has no limits for rule {} on {:02}-{:02}",
                quote(&sensor.id),
                quote(under.rule),
                day / 100,
                day % 100
            );
            self.warn(under.place, what, "add a row to limits.csv for the rest of the year");
        }
    }

    /// Rows that no rule took.
    pub(super) fn untaken_limits(&mut self, table: &Table<'_>) {
        let Some(written) = self.raw.limits.as_ref() else { return };
        for (row, taken) in written.rows.iter().zip(&table.taken) {
            let sensors = self.raw.sensors.as_ref();
            let known = sensors.is_none_or(|sensors| sensors.named.contains(&row.sensor));
            let rules = &self.raw.rules;
            let rule = row.rule.as_ref().filter(|rule| !rules.torn && !rules.named.contains(rule));
            if !known {
                let fault = Fault::new(
                    row.place.clone(),
                    format!("sensor {} is not in sensors.csv", quote(&row.sensor)),
                    "a sensor as station/quantity",
                );
                let names = sensors.into_iter().flat_map(|sensors| sensors.named.iter());
                self.faults.push_nearest(fault, &row.sensor, names);
            } else if let Some(rule) = rule {
                let fault = Fault::new(
                    row.place.clone(),
                    format!("rule {} is not there", quote(rule)),
                    "the file of a rule, without .toml",
                );
                self.faults.push_nearest(fault, rule, rules.named.iter());
            } else {
                match taken {
                    Taken::Yes => {}
                    Taken::OtherUnit => {
                        let what = format!(
                            "unit {} does not convert to what any rule measures of {}",
                            row.unit,
                            quote(&row.sensor)
                        );
                        self.fault(&row.place, what, "the sensor's unit, or that per hour for rates");
                    }
                    Taken::No if rules.torn || sensors.is_none() => {}
                    Taken::No => {
                        let what = format!("no rule uses these limits of {}", quote(&row.sensor));
                        self.warn(&row.place, what, "a rule takes them with limits = \"limits.csv\"");
                    }
                }
            }
        }
    }
}

fn in_unit(value: f64, from: Unit, to: Unit) -> f64 {
    // The caller has seen that the two convert.
    from.convert(to).map_or(value, |(scale, offset)| value * scale + offset)
}

/// Whether two rows would hold at once, from the same date on.
fn overlap(a: &LimitRow, b: &LimitRow) -> bool {
    let day_of_both = |a: (u16, u16), b: (u16, u16)| holds(a, b.0) || holds(b, a.0);
    a.from == b.from
        && match (a.season, b.season) {
            (Some(a), Some(b)) => day_of_both(a, b),
            // A row for all year stands behind those of a season: the season's own goes first.
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
}

/// Whether a day lies in a season, which may go over New Year.
fn holds((first, last): (u16, u16), day: u16) -> bool {
    if first <= last { (first..=last).contains(&day) } else { day >= first || day <= last }
}

fn days_in(month: u16) -> u16 {
    match month {
        // 29 February is forgiven: nobody writes it.
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_season_and_its_rest_share_no_day_and_leave_none_out(month in 1u16..=12, day in 1u16..=28, last in 1u16..=12, probe in 1u16..=12) {
            let season = (month * 100 + day, last * 100 + 28);
            let rest_first = if last == 12 { 101 } else { (last + 1) * 100 + 1 };
            prop_assume!(season.0 != rest_first);
            prop_assert!(holds(season, season.0) && holds(season, season.1));
            let outside = probe * 100 + 28;
            let rest = (rest_first, if day == 1 { month * 100 - 72 } else { season.0 - 1 });
            if month > 1 || day > 1 {
                prop_assert!(holds(season, outside) != holds(rest, outside), "{season:?} {rest:?} {outside}");
            }
        }
    }
}
