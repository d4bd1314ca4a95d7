//! Rules: what each selects, in which unit it judges, when it raises and clears.

use std::collections::BTreeSet;

use forewarn_core::ids::{IndexKind, RuleIx, SensorIx};
use forewarn_core::plan::{AlikeLimits, Limits, OutageTell, Raise, Rule, Side, Subject};
use forewarn_core::time::Span;
use forewarn_core::units::Unit;

use super::limits::{FromDatum, Table, Under};
use super::sensors::OUTAGE_INTERVALS;
use super::{Build, put};
use crate::config::fault::{Fault, Place, nearest, quote};
use crate::config::raw::rules::{Clear, LimitsBy, RaiseBy, Written};
use crate::config::raw::table::At;
use crate::config::raw::words::{Id, Votes};

/// How long good data must support less before a level falls, unless configured.
const HOLD: Span = Span::from_mins(60);

/// Readings that a vote can look back on: one bit each is remembered.
const VOTES_MAX: u8 = 32;

impl Build<'_> {
    pub(super) fn rules(&mut self) {
        let raw = self.raw;
        let rows = raw.limits.as_ref().map_or(&[][..], |limits| &limits.rows);
        let mut table = Table::new(rows);
        if raw.rules.named.iter().next().is_none() {
            self.warn(
                &Place::new("rules", 0),
                "there is no rule, so nothing is ever warned of",
                "add rules/NAME.toml",
            );
        }
        let mut after = vec![None; self.plan.sensors.len()];
        for written in &raw.rules.written {
            if let Some(rule) = self.rule(written, &mut table) {
                let intervals = written.body.outage.as_ref().and_then(|outage| outage.value.after.as_ref());
                for subject in &rule.subjects {
                    let own = intervals.map(|at| at.value.0);
                    let least = &mut after[subject.sensor.index()];
                    *least = [*least, own].into_iter().flatten().min();
                }
                let ix = RuleIx(self.index(IndexKind::Rule, &written.id));
                self.places.rules.insert(ix, written.place.clone());
                put(&mut self.plan.rules, ix.index(), rule);
            }
        }
        for (sensor, after) in self.plan.sensors.iter_mut().zip(after) {
            if let Some(sensor) = sensor.as_mut().filter(|sensor| sensor.outage_intervals == 0) {
                sensor.outage_intervals = after.unwrap_or(OUTAGE_INTERVALS);
                self.terms.share(&mut sensor.terms);
            }
        }
        self.untaken_limits(&table);
    }

    fn rule(&mut self, written: &Written, table: &mut Table<'_>) -> Option<Rule> {
        let body = &written.body;
        let head = &body.rule.value;
        let hazard = self.hazard(&head.hazard.value.0);
        let side = head.side.map_or(Side::Above, |side| side.0);
        let raise = self.raise(written, body.raise.as_ref());
        let sensors = self.selected(written);
        let unit = self.unit(written, &sensors);
        let mut subjects = Vec::with_capacity(sensors.len());
        let mut alike = AlikeLimits::default();
        let mut deadband = 0.0;
        if let Some(unit) = unit {
            let rate = head.kind.as_dyn().measures_rate();
            let from_datum = if rate { FromDatum::No } else { FromDatum::Yes };
            let under = Under { rule: &written.id, place: &written.place, unit, side, from_datum };
            deadband = self.deadband(written, &under);
            for ix in sensors {
                let Some(sensor) = self.plan.sensor(ix).cloned() else { continue };
                let mut limits = Limits::from(match &head.limits.value {
                    LimitsBy::Table => self.table_limits(table, &sensor, &under),
                    LimitsBy::Inline(inline) => self.inline_limits(inline, &sensor, &under),
                });
                limits.share(&mut alike);
                subjects.push(Subject { sensor: ix, limits });
            }
        }
        let hold = body.clear.as_ref().and_then(|clear| clear.value.hold.as_ref());
        let tell = body.outage.as_ref().and_then(|outage| outage.value.tell.as_ref());
        Some(Rule {
            id: written.id.clone(),
            kind: head.kind.clone(),
            hazard,
            side,
            // A rule that selects nothing judges nothing; its unit is never looked at.
            unit: unit.or_else(|| Unit::parse("1"))?,
            subjects,
            raise,
            deadband,
            hold: hold.map_or(HOLD, |hold| hold.value.0),
            outage: tell.map_or(OutageTell::SameTargets, |tell| tell.value.0),
            corroboration: body.corroboration.as_ref().map_or(1, |count| count.value.0),
        })
    }

    fn raise(&mut self, written: &Written, raise: Option<&At<RaiseBy>>) -> [Raise; 4] {
        let Some(RaiseBy { default, blue, yellow, orange, red }) = raise.map(|raise| &raise.value) else {
            return [Raise::default(); 4];
        };
        for votes in [default, blue, yellow, orange, red].into_iter().flatten() {
            if votes.value.0.n > VOTES_MAX {
                let place = Place { file: written.place.file.clone(), line: votes.line };
                let Raise { m, n, .. } = votes.value.0;
                self.fault(
                    &place,
                    format!("a vote of \"{m} of {n}\" looks back too far"),
                    format!("{VOTES_MAX} readings at most"),
                );
            }
        }
        let meant = |votes: Option<&At<Votes>>| votes.map(|votes| votes.value.0);
        let default = meant(default.as_ref()).unwrap_or_default();
        [blue, yellow, orange, red].map(|votes| meant(votes.as_ref()).unwrap_or(default))
    }

    /// How far back a value must come, in the rule's unit.
    fn deadband(&mut self, written: &Written, under: &Under<'_>) -> f64 {
        let Some(Clear { below, above, .. }) = written.body.clear.as_ref().map(|clear| &clear.value) else {
            return 0.0;
        };
        let (right, wrong, name, other) = match under.side {
            Side::Above => (below, above, "below", "above"),
            Side::Below => (above, below, "above", "below"),
        };
        if let Some(wrong) = wrong {
            let place = Place { file: written.place.file.clone(), line: wrong.line };
            let what = format!("clear.{other} stands in a rule of the other side");
            self.fault(&place, what, format!("clear.{name}"));
        }
        let Some(measure) = right else { return 0.0 };
        let place = Place { file: written.place.file.clone(), line: measure.line };
        let amount = measure.value.0;
        // A difference: 2 °C of deadband are 2 K, not 275.
        let width = amount.unit.convert(under.unit).map(|(scale, _)| amount.value * scale);
        match width {
            Some(width) if width >= 0.0 => width,
            Some(_) => {
                self.fault(&place, format!("clear.{name} is negative"), "0 or more");
                0.0
            }
            None => {
                let what = format!("clear.{name} in {} does not convert to {}", amount.unit, under.unit);
                self.fault(&place, what, "a unit like that of the limits");
                0.0
            }
        }
    }

    /// The sensors that a rule selects, in the order of their indices.
    fn selected(&mut self, written: &Written) -> Vec<SensorIx> {
        let head = &written.body.rule.value;
        let place = |line| Place { file: written.place.file.clone(), line };
        if head.quantity.is_none() && head.sensors.is_none() {
            self.fault(&written.place, "rule selects by nothing", "quantity or sensors");
            return vec![];
        }
        let mut picked: BTreeSet<SensorIx> = match &head.sensors {
            None => self.sensors.values().copied().collect(),
            Some(names) => {
                names.iter().filter_map(|name| self.named_sensor(&name.value.0, &place(name.line))).collect()
            }
        };
        if let Some(quantity) = &head.quantity {
            let place = place(quantity.line);
            match head.sensors {
                Some(_) => self.same_quantity(quantity, &place, &mut picked),
                None => self.of_quantity(quantity, &place, &mut picked),
            }
        }
        if let Some(stations) = &head.stations {
            let known = self.raw.sensors.as_ref().map(|sensors| &sensors.stations);
            for station in stations {
                if let Some(known) = known.filter(|known| !known.contains(&station.value.0)) {
                    let fault = Fault::new(
                        place(station.line),
                        format!("station {} is not in sensors.csv", quote(&station.value.0)),
                        "a station",
                    );
                    self.faults.push_nearest(fault, &station.value.0, known.iter());
                }
            }
            let plan = &self.plan;
            picked.retain(|&ix| {
                let station = plan.sensor(ix).and_then(|sensor| plan.station(sensor.station));
                station.is_some_and(|station| stations.iter().any(|name| *name.value.0 == *station.id))
            });
        }
        if let Some(areas) = &head.areas {
            let within: Vec<_> =
                areas.iter().filter_map(|area| self.named_area(&area.value.0, &place(area.line))).collect();
            let plan = &self.plan;
            picked.retain(|&ix| {
                let station = plan.sensor(ix).and_then(|sensor| plan.station(sensor.station));
                station.is_some_and(|station| within.iter().any(|&area| plan.lies_in(station.area, area)))
            });
        }
        if picked.is_empty() && self.faults.is_empty() {
            self.warn(
                &written.place,
                format!("rule {} selects no sensor, so it can never fire", quote(&written.id)),
                "check quantity, stations and areas",
            );
        }
        picked.into_iter().collect()
    }

    fn measures(&self, ix: SensorIx, quantity: &Id) -> bool {
        self.plan.sensor(ix).is_some_and(|sensor| sensor.quantity == quantity.0)
    }

    /// Of sensors that were named, all must measure the quantity.
    fn same_quantity(&mut self, quantity: &At<Id>, place: &Place, picked: &mut BTreeSet<SensorIx>) {
        let Some(&other) = picked.iter().find(|ix| !self.measures(**ix, &quantity.value)) else { return };
        let id = self.plan.sensor(other).map_or("", |sensor| &sensor.id);
        let what = format!("sensor {} does not measure {}", quote(id), quote(&quantity.value.0));
        self.faults.push(Fault::new(place.clone(), what, "sensors of that quantity, or no quantity"));
        picked.clear();
    }

    /// Of all sensors, those that measure the quantity; none, if its name is mistaken.
    fn of_quantity(&mut self, quantity: &At<Id>, place: &Place, picked: &mut BTreeSet<SensorIx>) {
        picked.retain(|ix| self.measures(*ix, &quantity.value));
        if !picked.is_empty() {
            return;
        }
        let known: BTreeSet<&str> =
            self.plan.sensors.iter().flatten().map(|sensor| sensor.quantity.as_str()).collect();
        if let Some(near) = nearest(&quantity.value.0, known) {
            let what = format!("no sensor measures {}", quote(&quantity.value.0));
            let fault = Fault::new(place.clone(), what, "a quantity of sensors.csv");
            self.faults.push(fault.hint(format!("did you mean {}?", quote(near))));
        }
    }

    fn named_sensor(&mut self, name: &str, place: &Place) -> Option<SensorIx> {
        let found = self.sensors.get(name).copied();
        if let (None, Some(sensors)) = (found, &self.raw.sensors)
            && !sensors.named.contains(name)
        {
            let fault = Fault::new(
                place.clone(),
                format!("sensor {} is not in sensors.csv", quote(name)),
                "a sensor as station/quantity",
            );
            self.faults.push_nearest(fault, name, sensors.named.iter());
        }
        found
    }

    /// The area of a name, or a fault at `place`.
    pub(super) fn named_area(&mut self, name: &str, place: &Place) -> Option<forewarn_core::ids::AreaIx> {
        let found = self.areas.get(name).copied();
        if let (None, Some(areas)) = (found, &self.raw.areas)
            && !areas.named.contains(name)
        {
            let fault = Fault::new(
                place.clone(),
                format!("area {} is not in areas.geojson", quote(name)),
                "the id of an area",
            );
            self.faults.push_nearest(fault, name, areas.named.iter());
        }
        found
    }

    /// The unit in which a rule judges: that of its sensors, or that an hour.
    fn unit(&mut self, written: &Written, sensors: &[SensorIx]) -> Option<Unit> {
        let first = self.plan.sensor(*sensors.first()?)?.clone();
        for ix in &sensors[1..] {
            let Some(sensor) = self.plan.sensor(*ix).filter(|sensor| sensor.unit != first.unit) else {
                continue;
            };
            let what = format!(
                "rule {} selects {} in {} and {} in {}",
                quote(&written.id),
                quote(&first.id),
                first.unit,
                quote(&sensor.id),
                sensor.unit
            );
            let fault = Fault::new(written.place.clone(), what, "sensors of one unit");
            self.faults
                .push(fault.hint("give them one unit in sensors.csv, and device_unit where devices differ"));
            return None;
        }
        if !written.body.rule.value.kind.as_dyn().measures_rate() {
            return Some(first.unit);
        }
        let rate = first.unit.per_hour();
        if rate.is_none() {
            let what = format!(
                "rule {} measures the rate of {}, which is a rate already ({})",
                quote(&written.id),
                quote(&first.id),
                first.unit
            );
            self.fault(&written.place, what, "a quantity that is no rate");
        }
        rate
    }
}
