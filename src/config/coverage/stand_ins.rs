//! Who is told where nobody acknowledges: whether anybody is.

use std::collections::{BTreeMap, BTreeSet};

use forewarn_core::ids::{AreaIx, HazardIx, TargetIx};
use forewarn_core::judging::routing::{members, reached};
use forewarn_core::level::Level;
use forewarn_core::plan::{AckTerms, Group, Plan, Route};

use super::{Judged, Probe, few};
use crate::config::build::Places;
use crate::config::fault::{Warning, quote};

/// What is found about one route that asks for acknowledgement.
#[derive(Default)]
struct Found {
    /// Whether it asks anybody at all; if not, other warnings say so.
    asks: bool,
    /// Stand-ins of whom somebody can be told, by their place in the list.
    met: BTreeSet<usize>,
    /// Areas in which nobody is left to tell beside those who were asked.
    alone: BTreeSet<AreaIx>,
}

/// Warns of stand-ins whom a route cannot tell, and of routes that leave it at
/// those who do not answer; adds whom it tells to those who hear of something.
pub(super) fn advise(
    plan: &Plan,
    probe: &mut Probe<'_>,
    judged: &Judged,
    places: &Places,
    heard: &mut BTreeSet<String>,
    warnings: &mut Vec<Warning>,
) {
    let asking = || plan.routes.iter().enumerate().filter_map(|(ix, it)| Some((ix, it, it.ack.as_ref()?)));
    let mut found: BTreeMap<usize, Found> = BTreeMap::new();
    for ((area, hazard), levels) in judged.iter().filter(|_| asking().next().is_some()) {
        probe.focus(*area);
        for (ix, route, terms) in asking() {
            let found = found.entry(ix).or_default();
            look(plan, probe, (route, terms), (*area, *hazard, levels), found, heard);
        }
    }
    for (ix, route, terms) in asking() {
        let Some(found) = found.get(&ix).filter(|found| found.asks) else { continue };
        let Some(place) = places.routes.get(ix) else { continue };
        for (_, group) in terms.then.iter().enumerate().filter(|(nth, _)| !found.met.contains(nth)) {
            let (group, via) = (quote(&written(plan, group)), route.via.join(" or "));
            let what = format!("ack.then names {group}, and nobody there can be told by {via}");
            let hint = "give them such an address in contacts.csv, or the route another via";
            warnings.push(Warning::new(place.clone(), what, hint));
        }
        if !found.alone.is_empty() {
            let areas: Vec<&str> =
                found.alone.iter().filter_map(|area| Some(plan.area(*area)?.id.as_str())).collect();
            let noun = if areas.len() == 1 { "area" } else { "areas" };
            let what = format!("where nobody acknowledges, nobody else is told in {noun} {}", few(&areas));
            let hint = "name others in ack.then, or give the operator an address of its own";
            warnings.push(Warning::new(place.clone(), what, hint));
        }
    }
}

/// What a route does in one area, about one hazard.
fn look(
    plan: &Plan,
    probe: &Probe<'_>,
    (route, terms): (&Route, &AckTerms),
    (area, hazard, levels): (AreaIx, HazardIx, &BTreeSet<Level>),
    found: &mut Found,
    heard: &mut BTreeSet<String>,
) {
    let id = |ix: &TargetIx| probe.scratch.target(*ix).map_or("", |target| target.id.as_str());
    let groups: Vec<Vec<TargetIx>> =
        terms.then.iter().map(|group| members(&probe.scratch, group, &route.via, area)).collect();
    let operator = plan.operator.iter().filter_map(|ix| Some(plan.target(*ix)?.id.as_str()));
    let others: BTreeSet<&str> = groups.iter().flatten().map(id).chain(operator).collect();
    for (level, minute) in levels.iter().flat_map(|level| probe.minutes.iter().map(move |at| (*level, *at))) {
        let asked = reached(&probe.scratch, route, hazard, area, level, probe.civil(minute));
        if asked.is_empty() {
            continue;
        }
        found.asks = true;
        found
            .met
            .extend(groups.iter().enumerate().filter(|(_, group)| !group.is_empty()).map(|(nth, _)| nth));
        groups.iter().for_each(|group| probe.note(group, heard));
        let asked: BTreeSet<&str> = asked.iter().map(id).collect();
        if others.is_subset(&asked) {
            found.alone.insert(area);
        }
    }
}

/// A group as `routes.toml` writes it.
fn written(plan: &Plan, group: &Group) -> String {
    match group {
        Group::AreaRole(role) => format!("{{area}}/{role}"),
        Group::Role(area, role) => {
            format!("{}/{role}", plan.area(*area).map_or("", |area| area.id.as_str()))
        }
        Group::Contact(id) => id.clone(),
    }
}
