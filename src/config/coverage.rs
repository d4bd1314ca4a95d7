//! Whom nobody would tell: areas without a route, routes to nobody, addresses
//! that no route leads to. Asked of the engine's own routing.

use std::collections::{BTreeMap, BTreeSet};

use forewarn_core::ids::{AreaIx, HazardIx, TargetIx};
use forewarn_core::judging::routing::targets;
use forewarn_core::level::Level;
use forewarn_core::plan::{Group, Plan, Route, Target};
use forewarn_core::time::{Span, Timestamp};

use super::build::Places;
use super::fault::{Place, Warning, list, quote};

mod stand_ins;
mod unheard;

/// Areas, or contacts, named in one warning; further ones are counted.
const NAMED_MAX: usize = 5;

/// What can be warned of: the levels that can be reached, by area and hazard.
type Judged = BTreeMap<(AreaIx, HazardIx), BTreeSet<Level>>;

/// Warns of areas that nobody would be told of, of routes to nobody, of asking
/// that ends with nobody, and of addresses that hear of nothing.
pub(super) fn advise(plan: &Plan, places: &Places, at: Timestamp, warnings: &mut Vec<Warning>) {
    let mut probe = Probe::new(plan, at);
    let judged = judged(plan);
    let mut heard = BTreeSet::new();
    areas(plan, &mut probe, &judged, &mut heard, warnings);
    for (route, place) in plan.routes.iter().zip(&places.routes) {
        let hazards: BTreeSet<HazardIx> = judged.keys().map(|(_, hazard)| *hazard).collect();
        if !hazards.is_empty() && !reaches_somebody(plan, &mut probe, route, &hazards) {
            let what = "this route goes to nobody".to_owned();
            let hint = "check roles, area, min_level and hours in contacts.csv, and via".to_owned();
            warnings.push(Warning::new(place.clone(), what, hint));
        }
    }
    stand_ins::advise(plan, &mut probe, &judged, places, &mut heard, warnings);
    if !judged.is_empty() {
        unheard::advise(plan, &heard, warnings);
    }
}

/// The levels that can be reached, by area and hazard.
fn judged(plan: &Plan) -> Judged {
    let mut judged = Judged::new();
    for rule in plan.rules.iter().flatten() {
        for subject in &rule.subjects {
            let station = plan.sensor(subject.sensor).and_then(|sensor| plan.station(sensor.station));
            let Some(station) = station else { continue };
            let levels = judged.entry((station.area, rule.hazard)).or_default();
            for row in &*subject.limits {
                levels.extend(
                    Level::WARNING
                        .into_iter()
                        .zip(row.levels)
                        .filter(|(_, limit)| limit.is_some())
                        .map(|(level, _)| level),
                );
            }
        }
    }
    judged
}

fn areas(
    plan: &Plan,
    probe: &mut Probe<'_>,
    judged: &Judged,
    heard: &mut BTreeSet<String>,
    warnings: &mut Vec<Warning>,
) {
    // By what is missing, so that one forgotten route is one warning and not a thousand.
    let mut untold: BTreeMap<(HazardIx, Level, Option<u16>), Vec<&str>> = BTreeMap::new();
    for ((area, hazard), levels) in judged {
        probe.focus(*area);
        for level in levels {
            let gaps: Vec<u16> = probe
                .minutes
                .iter()
                .copied()
                .filter(|&minute| {
                    let told = probe.told(*hazard, *area, *level, minute);
                    probe.note(&told, heard);
                    told.is_empty()
                })
                .collect();
            let when = match gaps.len() {
                0 => continue,
                all if all == probe.minutes.len() => None,
                _ => gaps.first().copied(),
            };
            let id = plan.area(*area).map_or("", |area| area.id.as_str());
            untold.entry((*hazard, *level, when)).or_default().push(id);
        }
    }
    // Levels that are missing in the same areas at the same time are one warning as well.
    let mut joined: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for ((hazard, level, when), areas) in untold {
        joined.entry((hazard, when, areas)).or_default().push(level.word());
    }
    for ((hazard, when, areas), levels) in joined {
        let level = list(levels);
        let when = when.map_or(String::new(), |minute| format!(" at {:02}:{:02}", minute / 60, minute % 60));
        let noun = if areas.len() == 1 { "area" } else { "areas" };
        let named = few(&areas);
        let what =
            format!("nobody is told of {} {level}{when} in {noun} {named}", quote(plan.hazard(hazard)));
        warnings.push(Warning::new(
            Place::new("routes.toml", 0),
            what,
            "add a route, or a contact with its role",
        ));
    }
}

/// The first few of many, and how many more there are.
fn few(names: &[&str]) -> String {
    let named = list(names.iter().take(NAMED_MAX).copied());
    match names.len().saturating_sub(NAMED_MAX) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

fn reaches_somebody(plan: &Plan, probe: &mut Probe<'_>, route: &Route, hazards: &BTreeSet<HazardIx>) -> bool {
    let all = std::mem::replace(&mut probe.scratch.routes, vec![route.clone()]);
    let reached = reaches(plan, probe, route, hazards);
    probe.scratch.routes = all;
    reached
}

fn reaches(plan: &Plan, probe: &mut Probe<'_>, route: &Route, hazards: &BTreeSet<HazardIx>) -> bool {
    let areas = (0..).zip(&plan.areas).filter(|(_, area)| area.is_some()).map(|(ix, _)| AreaIx(ix));
    for area in areas.filter(|area| route.area.is_none_or(|outer| plan.lies_in(*area, outer))) {
        probe.focus(area);
        // A route of a hazard that no rule warns of is told elsewhere.
        for hazard in route.hazard.into_iter().chain(hazards.iter().copied()) {
            let told = |&minute: &u16| !probe.told(hazard, area, route.to, minute).is_empty();
            if probe.minutes.iter().any(told) {
                return true;
            }
        }
    }
    false
}

/// Asks the routing about one area at a time, with those targets alone that
/// it could mean: a nation's contacts times its areas would take minutes.
struct Probe<'a> {
    plan: &'a Plan,
    /// The plan as far as routing in the area in focus goes. Indices of targets are not the plan's own.
    scratch: Plan,
    by_area: BTreeMap<Option<AreaIx>, Vec<&'a Target>>,
    /// Areas that a route names by itself, and targets of contacts that one does.
    role_areas: BTreeSet<AreaIx>,
    named: Vec<&'a Target>,
    /// Local minutes of the day at which routing can change.
    minutes: Vec<u16>,
    midnight: Timestamp,
}

impl<'a> Probe<'a> {
    fn new(plan: &'a Plan, at: Timestamp) -> Self {
        let mut by_area: BTreeMap<_, Vec<&Target>> = BTreeMap::new();
        let (mut role_areas, mut contacts) = (BTreeSet::new(), BTreeSet::new());
        for target in plan.targets.iter().flatten() {
            by_area.entry(target.area).or_default().push(target);
        }
        let stand_ins = |route: &'a Route| route.ack.iter().flat_map(|terms| &terms.then);
        for group in plan.routes.iter().flat_map(|route| stand_ins(route).chain([&route.group])) {
            match group {
                Group::AreaRole(_) => {}
                Group::Role(area, _) => _ = role_areas.insert(*area),
                Group::Contact(id) => _ = contacts.insert(id.as_str()),
            }
        }
        let is_named = |target: &&Target| contacts.contains(target.contact.as_str());
        let named = plan.targets.iter().flatten().filter(is_named).collect();
        let hours = plan.routes.iter().map(|route| route.hours);
        let hours = hours.chain(plan.targets.iter().flatten().map(|target| target.hours)).flatten();
        let mut minutes: BTreeSet<u16> = hours.flat_map(|(from, to)| [from, to % 1440]).collect();
        minutes.insert(0);
        let day = Span::from_hours(24).0;
        let local = plan.settings.local(at);
        let midnight = at - Span(local.0.rem_euclid(day));
        let scratch = Plan {
            settings: plan.settings.clone(),
            areas: plan.areas.clone(),
            routes: plan.routes.clone(),
            ..Plan::default()
        };
        let minutes = minutes.into_iter().collect();
        Probe { plan, scratch, by_area, role_areas, named, minutes, midnight }
    }

    fn civil(&self, minute: u16) -> Timestamp {
        self.midnight + Span::from_mins(i64::from(minute))
    }

    /// Who would be told.
    fn told(&self, hazard: HazardIx, area: AreaIx, level: Level, minute: u16) -> Vec<TargetIx> {
        targets(&self.scratch, hazard, area, level, self.civil(minute))
    }

    /// Keeps the ids of those who are told.
    fn note(&self, told: &[TargetIx], heard: &mut BTreeSet<String>) {
        for target in told.iter().filter_map(|ix| self.scratch.target(*ix)) {
            if !heard.contains(&target.id) {
                heard.insert(target.id.clone());
            }
        }
    }

    /// Takes up those targets that routing in an area could mean.
    fn focus(&mut self, area: AreaIx) {
        let near: BTreeSet<Option<AreaIx>> =
            self.plan.around(area).chain(self.role_areas.iter().copied()).map(Some).chain([None]).collect();
        let local = near.iter().filter_map(|area| self.by_area.get(area)).flatten().copied();
        let named = self.named.iter().copied().filter(|target| !near.contains(&target.area));
        self.scratch.targets = local.chain(named).cloned().map(Some).collect();
    }
}
