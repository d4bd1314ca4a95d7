//! Failure domains: findings that could fail together count once.

use std::collections::{BTreeMap, BTreeSet};

use super::index::Index;
use crate::ids::{DomainIx, SensorIx, StationIx};
use crate::plan::Plan;

/// What sensors can share: their station, or what that depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Shared {
    Station(StationIx),
    Domain(DomainIx),
}

/// Whether these sensors fall into `needed` groups at least, when those that
/// share a failure domain, directly or through another of them, are one.
pub(super) fn are_apart(
    sensors: impl Iterator<Item = SensorIx> + Clone,
    needed: usize,
    plan: &Plan,
    index: &Index,
) -> bool {
    // Those that nothing joins, not even through any other sensor of the plan,
    // are surely apart: mostly a few of them are enough to know.
    let mut apart = BTreeSet::new();
    for sensor in sensors.clone() {
        apart.insert(index.group(sensor));
        if apart.len() >= needed {
            return true;
        }
    }
    let sensors: Vec<SensorIx> = sensors.collect();
    sensors.len() >= needed && groups(&sensors, plan) >= needed
}

/// Into how many groups these sensors fall.
pub(super) fn groups(sensors: &[SensorIx], plan: &Plan) -> usize {
    let firsts = firsts(sensors, plan);
    firsts.iter().enumerate().filter(|&(at, &first)| at == first).count()
}

/// Of each of these sensors, the first of them in its group, by their places.
pub(super) fn firsts(sensors: &[SensorIx], plan: &Plan) -> Vec<usize> {
    let mut parents: Vec<usize> = (0..sensors.len()).collect();
    let mut first: BTreeMap<Shared, usize> = BTreeMap::new();
    for (at, &sensor) in sensors.iter().enumerate() {
        for shared in shared(sensor, plan) {
            let with = *first.entry(shared).or_insert(at);
            let (a, b) = (root(&mut parents, at), root(&mut parents, with));
            parents[a.max(b)] = a.min(b);
        }
    }
    (0..sensors.len()).map(|at| root(&mut parents, at)).collect()
}

fn shared(sensor: SensorIx, plan: &Plan) -> impl Iterator<Item = Shared> + '_ {
    let station = plan.sensor(sensor).map(|sensor| sensor.station);
    let domains = station.and_then(|station| plan.station(station)).map_or(&[][..], |it| &*it.domains);
    station.map(Shared::Station).into_iter().chain(domains.iter().copied().map(Shared::Domain))
}

fn root(parents: &mut [usize], mut at: usize) -> usize {
    while parents[at] != at {
        // Halving the path keeps later walks short.
        parents[at] = parents[parents[at]];
        at = parents[at];
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judging::world;

    fn check(domains: &[&[u32]], expected: usize) {
        let plan = world::gauges(domains);
        let sensors: Vec<_> = (0..domains.len() as u32).map(SensorIx).collect();
        assert_eq!(groups(&sensors, &plan), expected, "{domains:?}");
        let index = Index::of(&plan);
        for needed in 1..=domains.len() + 1 {
            let apart = are_apart(sensors.iter().copied(), needed, &plan, &index);
            assert_eq!(apart, needed <= expected, "{needed} of {domains:?}");
        }
    }

    #[test]
    fn what_can_fail_together_counts_once() {
        check(&[], 0);
        check(&[&[], &[], &[]], 3);
        check(&[&[0], &[0], &[0]], 1);
        check(&[&[0], &[1], &[]], 3);
        check(&[&[0], &[0, 1], &[1]], 1);
        check(&[&[0], &[1], &[2], &[1, 2], &[3]], 3);
    }

    #[test]
    fn two_sensors_of_one_station_can_fail_together() {
        let mut plan = world::gauges(&[&[], &[]]);
        plan.sensors[1].as_mut().expect("the second of two").station = StationIx(0);
        assert_eq!(groups(&[SensorIx(0), SensorIx(1)], &plan), 1);
    }
}
