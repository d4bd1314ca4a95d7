//! What follows from a plan and is looked up often; never part of a snapshot.

use std::collections::BTreeSet;

use super::domains::firsts;
use crate::ids::{DomainIx, SensorIx};
use crate::plan::Plan;
use crate::warning::Cell;

/// All sensors together: the failure domain of last resort.
pub(super) const SITE: DomainIx = DomainIx(u32::MAX);

/// Look-ups derived from one plan.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// The sensors behind each failure domain, by its index.
    behind: Vec<Vec<SensorIx>>,
    /// Every configured sensor.
    all: Vec<SensorIx>,
    /// The cells that some rule can open an incident in.
    ruled: BTreeSet<Cell>,
    /// By sensor: the group that it would be in if all of the plan breached.
    groups: Vec<u32>,
}

impl Index {
    pub(super) fn of(plan: &Plan) -> Index {
        let all = plan.sensors.iter().zip(0..).filter(|(sensor, _)| sensor.is_some());
        let all: Vec<SensorIx> = all.map(|(_, ix)| SensorIx(ix)).collect();
        let mut groups: Vec<u32> = (0..plan.sensors.len() as u32).collect();
        for (sensor, first) in all.iter().zip(firsts(&all, plan)) {
            groups[sensor.index()] = all[first].0;
        }
        let mut behind = vec![Vec::new(); plan.domains.len()];
        for (sensor, ix) in plan.sensors.iter().zip(0..) {
            let station = sensor.as_ref().and_then(|sensor| plan.station(sensor.station));
            for domain in station.iter().flat_map(|station| &*station.domains) {
                if let Some(sensors) = behind.get_mut(domain.index()) {
                    sensors.push(SensorIx(ix));
                }
            }
        }
        let mut ruled = BTreeSet::new();
        for rule in plan.rules.iter().flatten() {
            let areas = rule.subjects.iter().filter_map(|subject| area_of(subject.sensor, plan));
            ruled.extend(areas.map(|area| Cell { hazard: rule.hazard, area }));
        }
        Index { behind, all, ruled, groups }
    }

    /// The sensors behind a failure domain.
    pub(super) fn behind(&self, domain: DomainIx) -> &[SensorIx] {
        if domain == SITE {
            return &self.all;
        }
        self.behind.get(domain.index()).map_or(&[], Vec::as_slice)
    }

    /// The group that a sensor would be in if all sensors of the plan breached:
    /// two of different groups share no failure domain, whoever else breaches.
    pub(super) fn group(&self, sensor: SensorIx) -> u32 {
        self.groups.get(sensor.index()).copied().unwrap_or(sensor.0)
    }

    /// Whether any rule can find anything in this cell.
    pub(super) fn has_rule(&self, cell: Cell) -> bool {
        self.ruled.contains(&cell)
    }
}

/// The area of a sensor's station.
pub(super) fn area_of(sensor: SensorIx, plan: &Plan) -> Option<crate::ids::AreaIx> {
    Some(plan.station(plan.sensor(sensor)?.station)?.area)
}
