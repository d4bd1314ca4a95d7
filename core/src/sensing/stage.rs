//! Placeholder of the station stage: newest value against the limits, nothing more.

use std::collections::BTreeMap;
use std::sync::Arc;

use minicbor::{Decode, Encode};

use crate::finding::{Finding, Found, Verdict, Why};
use crate::ids::{RuleIx, SensorIx, SourceIx};
use crate::level::Level;
use crate::plan::Plan;
use crate::reading::{Checked, Flag, Reading};
use crate::time::{Moment, Span, Timestamp};

/// Every station's stage at once.
#[derive(Debug, Clone, Default, Encode, Decode)]
pub struct StationStage {
    #[n(0)]
    seen: BTreeMap<SensorIx, (Timestamp, SourceIx)>,
    #[n(1)]
    silent: BTreeMap<SensorIx, Timestamp>,
    #[n(2)]
    last: BTreeMap<(RuleIx, SensorIx), Finding>,
    #[cbor(skip)]
    plan: Arc<Plan>,
}

impl StationStage {
    /// Puts a plan in force.
    pub fn set_plan(&mut self, plan: &Arc<Plan>, _moment: Moment, _found: &mut Vec<Found>) {
        self.plan = Arc::clone(plan);
    }

    /// The service started.
    pub fn started(&mut self, moment: Moment, _downtime: Option<Span>, _found: &mut Vec<Found>) {
        self.seen.values_mut().for_each(|(seen, _)| *seen = moment.at);
    }

    /// Takes a reading in.
    pub fn reading(&mut self, reading: &Reading, moment: Moment, found: &mut Vec<Found>) -> Checked {
        self.seen.insert(reading.sensor, (moment.at, reading.source));
        if self.silent.remove(&reading.sensor).is_some() {
            found.push(Found::Silence(reading.sensor, None));
        }
        let plan = Arc::clone(&self.plan);
        for (rule, ix) in plan.rules.iter().zip(0..) {
            let Some(rule) = rule else { continue };
            let Some(subject) = rule.subjects.iter().find(|it| it.sensor == reading.sensor) else { continue };
            let limits = subject.limits.first().map_or([None; 4], |row| row.levels);
            let reached = (0..4).rev().find(|&at| limits[at].is_some_and(|limit| reading.value >= limit));
            let level = reached.and_then(|at| Level::from_index(at + 1));
            let verdict = level.map_or(Verdict::Clear, Verdict::Breach);
            self.say(RuleIx(ix), reading.sensor, verdict, Some(reading), found);
        }
        Checked { reading: *reading, flag: Flag::Good }
    }

    fn say(
        &mut self,
        rule: RuleIx,
        sensor: SensorIx,
        verdict: Verdict,
        reading: Option<&Reading>,
        found: &mut Vec<Found>,
    ) {
        let former = self.last.get(&(rule, sensor)).copied();
        if former.is_some_and(|former| former.tip == verdict) {
            return;
        }
        let observed =
            reading.map_or_else(|| former.map_or(Timestamp(0), |it| it.observed), |it| it.observed);
        let finding = Finding {
            rule,
            sensor,
            tip: verdict,
            settled: verdict,
            firm: true,
            suspect: false,
            since: observed,
            pending: None,
            measured: reading.map(|it| it.value),
            limit: None,
            observed,
            trend: None,
            saturated: false,
            value: reading.map(|it| it.value),
        };
        self.last.insert((rule, sensor), finding);
        found.push(Found::Finding(finding));
    }

    fn unknown(&mut self, sensor: SensorIx, why: Why, found: &mut Vec<Found>) {
        let rules: Vec<RuleIx> =
            self.last.keys().filter(|key| key.1 == sensor).map(|&(rule, _)| rule).collect();
        rules.into_iter().for_each(|rule| self.say(rule, sensor, Verdict::Unknown(why), None, found));
    }

    /// A source came up or went down.
    pub fn source(&mut self, source: SourceIx, up: bool, _moment: Moment, found: &mut Vec<Found>) {
        let blinded: Vec<SensorIx> =
            self.seen.iter().filter(|(_, (_, by))| *by == source).map(|(&sensor, _)| sensor).collect();
        if !up {
            blinded.into_iter().for_each(|sensor| self.unknown(sensor, Why::SourceDown, found));
        }
    }

    /// Engine time at which a sensor counts as silent.
    pub fn silence_due(&self, sensor: SensorIx) -> Option<Timestamp> {
        if self.silent.contains_key(&sensor) {
            return None;
        }
        let known = self.plan.sensor(sensor)?;
        let (seen, _) = self.seen.get(&sensor)?;
        Some(*seen + known.interval.times(i64::from(known.outage_intervals)))
    }

    /// A sensor has been silent for too long.
    pub fn silence(&mut self, sensor: SensorIx, moment: Moment, found: &mut Vec<Found>) {
        let since = self.seen.get(&sensor).map_or(moment.at, |&(seen, _)| seen);
        self.silent.insert(sensor, since);
        found.push(Found::Silence(sensor, Some(since)));
        self.unknown(sensor, Why::Silent(since), found);
    }
}
