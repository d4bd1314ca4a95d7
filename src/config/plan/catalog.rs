//! From the names in payloads to sensors.

use std::collections::BTreeMap;
use std::sync::Arc;

use forewarn_core::ids::{SensorIx, StationIx};
use forewarn_core::plan::{Plan, Sensor};
use forewarn_core::units::Unit;

use crate::config::hashed::Hashed;

/// No sensor.
const NONE: u32 = u32::MAX;

/// From the names in payloads to dense indices. The names stand in the plan
/// alone: here are a few bytes a sensor.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    plan: Arc<Plan>,
    /// One sensor of each station, by the station's name.
    by_station: Hashed,
    /// By sensor, another one of its station; none where every station has one.
    next: Vec<u32>,
    /// By sensor, the unit its device sends, where that is another; none where all send what is kept.
    sent: Vec<Option<Unit>>,
}

/// One quantity of a station.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CatalogEntry<'a> {
    /// As configuration calls it.
    pub quantity: &'a str,
    /// Its sensor.
    pub sensor: SensorIx,
    /// Its station.
    pub station: StationIx,
    /// The unit that devices send unless they say otherwise.
    pub device_unit: Unit,
    /// The unit it is kept in.
    pub unit: Unit,
}

impl Catalog {
    /// Every sensor of a plan; `sent` says which unit a device sends, where that
    /// is another than the sensor's.
    pub fn new(plan: Arc<Plan>, sent: &BTreeMap<SensorIx, Unit>) -> Self {
        let sensors = || plan.sensors.iter().zip(0..).filter_map(|(sensor, ix)| Some((sensor.as_ref()?, ix)));
        let mut by_station = Hashed::with_room(plan.stations.iter().flatten().count());
        let mut next = vec![];
        for (sensor, ix) in sensors() {
            let station = station(sensor);
            match by_station.find(station, |other| station_of(&plan, other) == station) {
                None => by_station.put(station, ix, |other| station_of(&plan, other)),
                Some(first) => {
                    next.resize(plan.sensors.len(), NONE);
                    next[ix as usize] = std::mem::replace(&mut next[first as usize], ix);
                }
            }
        }
        let device_unit = |ix| sent.get(&SensorIx(ix)).copied();
        let places = if sent.is_empty() { 0 } else { plan.sensors.len() as u32 };
        let sent = (0..places).map(device_unit).collect();
        Catalog { plan, by_station, next, sent }
    }

    pub(super) fn share(&mut self, same: &Arc<Plan>) {
        self.plan = Arc::clone(same);
    }

    /// The quantities of a station; `None` when no such station is configured.
    pub fn station(&self, id: &str) -> Option<impl Iterator<Item = CatalogEntry<'_>>> {
        let first = self.by_station.find(id, |ix| station_of(&self.plan, ix) == id)?;
        let after = |ix: &u32| self.next.get(*ix as usize).copied().filter(|next| *next != NONE);
        Some(std::iter::successors(Some(first), after).filter_map(|ix| self.entry(SensorIx(ix))))
    }

    /// One quantity of a station.
    pub fn sensor(&self, station: &str, quantity: &str) -> Option<CatalogEntry<'_>> {
        self.station(station)?.find(|entry| entry.quantity == quantity)
    }

    fn entry(&self, ix: SensorIx) -> Option<CatalogEntry<'_>> {
        let sensor = self.plan.sensor(ix)?;
        let device_unit = self.sent.get(ix.index()).copied().flatten().unwrap_or(sensor.unit);
        let Sensor { station, terms, .. } = sensor;
        Some(CatalogEntry {
            quantity: &terms.quantity,
            sensor: ix,
            station: *station,
            device_unit,
            unit: terms.unit,
        })
    }
}

/// Read off the sensor's own id, which spares a look at its station.
fn station(sensor: &Sensor) -> &str {
    let station = sensor.id.strip_suffix(sensor.quantity.as_str()).and_then(|id| id.strip_suffix('/'));
    station.unwrap_or_default()
}

fn station_of(plan: &Plan, ix: u32) -> &str {
    plan.sensor(SensorIx(ix)).map_or("", station)
}

#[cfg(test)]
mod tests {
    use forewarn_core::plan::Terms;

    use super::*;
    use crate::channels::sample;

    #[test]
    fn every_sensor_is_found_by_its_station_and_quantity() {
        let mut plan = sample::plan();
        let gauge = plan.sensors[0].clone().expect("a sensor");
        let beside = |id: &str, quantity: &str| {
            let terms = Arc::new(Terms { quantity: quantity.into(), ..(*gauge.terms).clone() });
            Some(Sensor { id: format!("{id}/{quantity}").into(), station: gauge.station, terms })
        };
        plan.sensors.extend([None, beside("qj-017", "rain"), beside("a/b", "c"), beside("qj-017", "wind")]);
        let millimetre = Unit::parse("mm").expect("a unit");
        let catalog = Catalog::new(Arc::new(plan), &BTreeMap::from([(SensorIx(3), millimetre)]));
        for (station, quantity, expected) in [
            ("qj-017", "level", Some(0)),
            ("wj-002", "level", Some(1)),
            ("qj-017", "rain", Some(3)),
            ("a/b", "c", Some(4)),
            ("qj-017", "wind", Some(5)),
            ("wj-002", "rain", None),
            ("a", "b/c", None),
            ("", "level", None),
        ] {
            let found = catalog.sensor(station, quantity);
            assert_eq!(found.map(|entry| entry.sensor.0), expected, "{station} {quantity}");
            let sends = found.map(|entry| (entry.device_unit == millimetre, entry.unit == gauge.unit));
            assert_eq!(sends, expected.map(|ix| (ix == 3, true)), "{station} {quantity}");
        }
        let quantities = |id: &str| catalog.station(id).map(Iterator::count);
        assert_eq!((quantities("qj-017"), quantities("a/b"), quantities("qj-018")), (Some(3), Some(1), None));
        assert_eq!(size_of::<Option<Unit>>(), 2);
    }
}
