//! What can be used as it stands and will surprise: what can never fire, and
//! what nobody would hear of.

use std::collections::{BTreeMap, BTreeSet};

use forewarn_core::ids::{AreaIx, DomainIx};
use forewarn_core::level::Level;
use forewarn_core::plan::{Plan, Rule, Side};
use forewarn_core::time::{Span, Timestamp};

use super::build::Places;
use super::coverage;
use super::fault::{Place, Warning, quote};
use super::plan::Setup;
use crate::channels::words::Messages;

/// Adds what is to be said of a configuration that can be used.
pub(super) fn advise(setup: &Setup, places: &Places, at: Timestamp, warnings: &mut Vec<Warning>) {
    let plan = &setup.plan;
    for (ix, place) in &places.rules {
        if let Some(rule) = plan.rule(*ix) {
            let mut advice = Advice { plan, rule, place, warnings };
            advice.lasting();
            advice.window();
            advice.beyond_span();
            advice.corroboration();
        }
    }
    words(setup, places, warnings);
    coverage::advise(plan, places, at, warnings);
}

/// A warning whose hazard has no word in a language says less than it must.
fn words(setup: &Setup, places: &Places, warnings: &mut Vec<Warning>) {
    let plan = &setup.plan;
    let messages = Messages::read(&setup.messages);
    let languages: BTreeSet<&str> =
        plan.targets.iter().flatten().map(|target| target.language.as_str()).collect();
    for (ix, place) in &places.rules {
        let Some(hazard) = plan.rule(*ix).map(|rule| plan.hazard(rule.hazard)) else { continue };
        for language in &languages {
            let path = format!("hazards.{hazard}");
            if messages.language(language).find(&path).is_none() {
                let what = format!("hazard {} has no word in {language}", quote(hazard));
                let hint = format!("add {path} to messages/zh/words.toml and messages/en/words.toml");
                warnings.push(Warning::new(place.clone(), what, hint));
            }
        }
    }
}

struct Advice<'a> {
    plan: &'a Plan,
    rule: &'a Rule,
    place: &'a Place,
    warnings: &'a mut Vec<Warning>,
}

impl Advice<'_> {
    fn warn(&mut self, what: String, hint: &str) {
        self.warnings.push(Warning::new(self.place.clone(), what, hint));
    }

    /// A duration that one interval outlasts is none: no second reading falls in it.
    fn lasting(&mut self) {
        let slowest = self
            .rule
            .subjects
            .iter()
            .filter_map(|subject| self.plan.sensor(subject.sensor))
            .max_by_key(|sensor| sensor.interval);
        let Some(slowest) = slowest else { return };
        let lasting =
            self.rule.raise.iter().map(|raise| raise.lasting).filter(|lasting| *lasting > Span::ZERO).min();
        if let Some(lasting) = lasting.filter(|lasting| *lasting < slowest.interval) {
            let what = format!(
                "rule {} raises \"for {lasting}\", less than the interval of {}, {}",
                quote(&self.rule.id),
                quote(&slowest.id),
                slowest.interval
            );
            self.warn(what, "ask for two intervals at least, or for a vote such as \"2 of 3\"");
        }
    }

    /// A trend over more readings than its kind looks at is one over less time.
    fn window(&mut self) {
        let needs = self.rule.kind.as_dyn().needs();
        let fastest = self
            .rule
            .subjects
            .iter()
            .filter_map(|subject| self.plan.sensor(subject.sensor))
            .min_by_key(|sensor| sensor.interval);
        let Some(fastest) = fastest.filter(|sensor| sensor.interval > Span::ZERO) else { return };
        let held = needs.span.0 / fastest.interval.0;
        let most = i64::try_from(needs.readings).unwrap_or(i64::MAX);
        if held > most.saturating_mul(2) {
            let what = format!(
                "rule {} looks back {} and at {most} readings at most: at the interval of {}, {}, that is {}",
                quote(&self.rule.id),
                needs.span,
                quote(&fastest.id),
                fastest.interval,
                Span(fastest.interval.0.saturating_mul(most - 1)),
            );
            self.warn(what, "a shorter window, or a slower quantity such as an hourly mean");
        }
    }

    /// A limit that the sensor cannot measure is never reached.
    fn beyond_span(&mut self) {
        if self.rule.kind.as_dyn().measures_rate() {
            return;
        }
        for subject in &self.rule.subjects {
            let Some(sensor) = self.plan.sensor(subject.sensor) else { continue };
            let unreachable = |limit: f64| match (sensor.span, self.rule.side) {
                (Some((_, high)), Side::Above) => limit > high,
                (Some((low, _)), Side::Below) => limit < low,
                (None, Side::Above | Side::Below) => false,
            };
            let found = subject.limits.iter().find_map(|row| {
                Level::WARNING.into_iter().zip(row.levels).find(|(_, limit)| limit.is_some_and(unreachable))
            });
            if let Some((level, Some(limit))) = found {
                let (id, unit) = (&sensor.id, sensor.unit);
                let what = format!(
                    "limit {level} of {}, {limit} {unit}, lies beyond what the sensor can measure",
                    quote(id)
                );
                self.warn(what, "it can never be reached: check the limit, and min and max");
            }
        }
    }

    /// More votes than failure domains can never come together.
    fn corroboration(&mut self) {
        if self.rule.corroboration <= 1 {
            return;
        }
        let mut by_area: BTreeMap<AreaIx, BTreeSet<u32>> = BTreeMap::new();
        for subject in &self.rule.subjects {
            let Some(sensor) = self.plan.sensor(subject.sensor) else { continue };
            let Some(station) = self.plan.station(sensor.station) else { continue };
            by_area.entry(station.area).or_default().insert(sensor.station.0);
        }
        for (area, stations) in by_area {
            let domains = independent(self.plan, &stations);
            if domains < self.rule.corroboration as usize {
                let name = self.plan.area(area).map_or("", |area| &area.id);
                let what = format!(
                    "rule {} wants findings of {} different domains, and area {} has {domains}",
                    quote(&self.rule.id),
                    self.rule.corroboration,
                    quote(name)
                );
                self.warn(what, "it can never fire there: add stations, or ask for fewer");
            }
        }
    }
}

/// How many of these stations can fail independently: those that share a
/// domain, directly or through another, are one.
fn independent(plan: &Plan, stations: &BTreeSet<u32>) -> usize {
    let mut groups: Vec<BTreeSet<DomainIx>> = vec![];
    let mut alone = 0;
    for &station in stations {
        let domains =
            plan.station(forewarn_core::ids::StationIx(station)).map_or(&[][..], |station| &station.domains);
        if domains.is_empty() {
            alone += 1;
            continue;
        }
        let mut joined: BTreeSet<DomainIx> = domains.iter().copied().collect();
        groups.retain(|group| {
            let apart = group.is_disjoint(&joined);
            if !apart {
                joined.extend(group);
            }
            apart
        });
        groups.push(joined);
    }
    groups.len() + alone
}
