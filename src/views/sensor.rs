//! Sensors, as the engine knows them.

use std::collections::BTreeMap;

use forewarn_core::engine::Engine;
use forewarn_core::finding::{Verdict, Why};
use forewarn_core::ids::SensorIx;
use forewarn_core::level::Level;
use forewarn_core::sensing::RuleState;
use forewarn_core::time::{Span, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use super::names::{Names, NamesView, named};
use crate::channels::show;

/// Overdue by this part of an interval, in hundredths, it counts as late: jitter is none.
const LATE_PERCENT: i64 = 150;

/// Whether it is heard from as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SensorState {
    /// As it should be.
    Reporting,
    /// Later than it should be, and not yet silent.
    Late,
    /// Silent beyond its allowance: unknown, never safe.
    Silent,
    /// Every source it was heard through is down.
    CutOff,
    /// Somebody works on it: what it says counts as unknown.
    Maintenance,
    /// Not heard from since the service started.
    Awaited,
    /// No reading of it ever counted.
    Never,
}

impl SensorState {
    /// The code for pages and queries.
    pub const fn word(self) -> &'static str {
        match self {
            SensorState::Reporting => "reporting",
            SensorState::Late => "late",
            SensorState::Silent => "silent",
            SensorState::CutOff => "cut-off",
            SensorState::Maintenance => "maintenance",
            SensorState::Awaited => "awaited",
            SensorState::Never => "never",
        }
    }

    /// Whether something is known of it now.
    pub const fn is_known(self) -> bool {
        matches!(self, SensorState::Reporting | SensorState::Late)
    }

    fn of(state: &forewarn_core::sensing::SensorState<'_>, interval: Span, now: Timestamp) -> SensorState {
        let Some(last) = state.last_seen() else { return SensorState::Never };
        match state.blind() {
            Some(Why::Silent(_)) => SensorState::Silent,
            Some(Why::SourceDown) => SensorState::CutOff,
            Some(Why::Maintenance) => SensorState::Maintenance,
            Some(Why::Warming) => SensorState::Awaited,
            Some(Why::BadData | Why::TooFew | Why::Suspect | Why::Removed | Why::Old) | None => {
                let patience = Span(interval.0.saturating_mul(LATE_PERCENT) / 100);
                if now - last > patience { SensorState::Late } else { SensorState::Reporting }
            }
        }
    }
}

/// One quantity at one station, in a line.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SensorView {
    /// `station/quantity`.
    pub sensor: String,
    /// Its station, as people call it, by language.
    pub name: NamesView,
    /// What it measures.
    pub quantity: String,
    /// The area it stands in, by id.
    pub area: String,
    /// Degrees north, WGS-84.
    pub lat: f64,
    /// Degrees east, WGS-84.
    pub lon: f64,
    /// Whether it is heard from.
    pub state: SensorState,
    /// The highest level that a rule says it is at; `null` where that is unknown, or no rule judges it.
    pub level: Option<&'static str>,
    /// A level that is on its way.
    pub pending: Option<&'static str>,
    /// The newest value, in `unit`.
    pub value: Option<f64>,
    /// Its unit.
    pub unit: String,
    /// What a level is measured from.
    pub datum: Option<String>,
    /// When that was measured.
    pub observed: Option<String>,
    /// Its QARTOD flag.
    pub flag: Option<u8>,
    /// Since when it has said the same value, where that is longer than it may.
    pub flat_since: Option<String>,
    /// Slope of the last readings, in `unit` an hour.
    pub trend_per_hour: Option<f64>,
    /// When it was last heard with a reading that was judged.
    pub last_heard: Option<String>,
}

/// One sensor, with what it is expected to do and what its rules say.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SensorDetailView {
    /// As in a list.
    #[serde(flatten)]
    pub sensor: SensorView,
    /// How often it reports, seconds.
    pub interval_secs: f64,
    /// Missed intervals before it counts as silent.
    pub silent_after_intervals: u32,
    /// Lowest and highest value that it can measure.
    pub span: Option<(f64, f64)>,
    /// For how long it may say the same value, seconds; `null`: for ever.
    pub flat_after_secs: Option<f64>,
    /// What it depends on: gateway, power.
    pub domains: Vec<String>,
    /// Every rule on it.
    pub rules: Vec<RuleView>,
}

/// One rule on one sensor.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct RuleView {
    /// Its id.
    pub rule: String,
    /// What it warns of.
    pub hazard: String,
    /// `nothing-yet`, `clear`, `breach` or `unknown`.
    pub says: &'static str,
    /// The level of a breach.
    pub level: Option<&'static str>,
    /// Why it is unknown: `warming`, `silent`, `source-down`, `bad-data`, `too-few`, `suspect`, `removed`, `old`,
    /// `maintenance`.
    pub why: Option<&'static str>,
    /// A level that it will reach unless something contradicts it.
    pub pending: Option<&'static str>,
    /// Limits in force by level, in `unit`.
    pub limits: BTreeMap<&'static str, f64>,
    /// The unit of what it measures.
    pub unit: String,
}

impl SensorView {
    /// `now` is engine time; `None` for a sensor that is not in the plan.
    pub fn of(engine: &Engine, ix: SensorIx, now: Timestamp) -> Option<SensorView> {
        let (plan, moment) = (engine.plan(), engine.moment());
        let names = Names(plan);
        let (sensor, state) = (plan.sensor(ix)?, engine.sensor(ix)?);
        let station = plan.station(sensor.station)?;
        let rules: Vec<RuleState> = state.rules(moment).collect();
        let newest = state.newest();
        Some(SensorView {
            sensor: sensor.id.to_string(),
            name: named(&station.names),
            quantity: sensor.quantity.clone(),
            area: names.area(station.area),
            lat: station.lat,
            lon: station.lon,
            state: SensorState::of(&state, sensor.interval, now),
            level: level(&rules).map(Level::word),
            pending: rules.iter().filter_map(on_its_way).max().map(Level::word),
            value: newest.map(|it| it.value).filter(|value| value.is_finite()),
            unit: show::symbol(sensor.unit),
            datum: sensor.datum.as_ref().map(|datum| datum.0.clone()),
            observed: newest.map(|it| names.time(it.observed)),
            flag: newest.map(|it| it.flag.number()),
            flat_since: state.flat_since().map(|since| names.time(since)),
            trend_per_hour: state.trend().filter(|trend| trend.is_finite()),
            last_heard: state.last_seen().map(|last| names.time(last + moment.offset)),
        })
    }
}

impl SensorDetailView {
    /// As [`SensorView::of`].
    pub fn of(engine: &Engine, ix: SensorIx, now: Timestamp) -> Option<SensorDetailView> {
        let (plan, moment) = (engine.plan(), engine.moment());
        let (sensor, state) = (plan.sensor(ix)?, engine.sensor(ix)?);
        let station = plan.station(sensor.station)?;
        let domain = |ix: &forewarn_core::ids::DomainIx| plan.domains.get(ix.0 as usize).cloned();
        Some(SensorDetailView {
            sensor: SensorView::of(engine, ix, now)?,
            interval_secs: sensor.interval.0 as f64 / 1e6,
            silent_after_intervals: sensor.outage_intervals,
            span: sensor.span,
            flat_after_secs: sensor.flat.map(|flat| flat.suspect.0 as f64 / 1e6),
            domains: station.domains.iter().filter_map(domain).collect(),
            rules: state.rules(moment).map(|rule| RuleView::of(&rule, Names(plan))).collect(),
        })
    }
}

impl RuleView {
    fn of(state: &RuleState, names: Names<'_>) -> RuleView {
        let rule = names.0.rule(state.rule);
        let (says, level, why) = match state.said.map(|said| said.tip) {
            None => ("nothing-yet", None, None),
            Some(Verdict::Clear) => ("clear", None, None),
            Some(Verdict::Breach(level)) => ("breach", Some(level.word()), None),
            Some(Verdict::Unknown(why)) => ("unknown", None, Some(why_word(why))),
        };
        let limits = Level::WARNING.into_iter().zip(state.limits);
        RuleView {
            rule: names.rule(state.rule),
            hazard: rule.map_or(String::new(), |rule| names.0.hazard(rule.hazard).to_owned()),
            says,
            level,
            why,
            pending: on_its_way(state).map(Level::word),
            limits: limits.filter_map(|(level, limit)| Some((level.word(), limit?))).collect(),
            unit: rule.map_or(String::new(), |rule| show::symbol(rule.unit)),
        }
    }
}

/// The highest level that a rule says; normal only where every rule says so.
fn level(rules: &[RuleState]) -> Option<Level> {
    let verdicts: Vec<Verdict> = rules.iter().filter_map(|rule| rule.said.map(|said| said.tip)).collect();
    match verdicts.iter().map(|verdict| verdict.level()).max() {
        // What a reading reached that others must still bear out is not normal, and neither is unknown.
        Some(Level::Normal)
            if verdicts.iter().any(|verdict| verdict.is_unknown())
                || rules.iter().any(|rule| on_its_way(rule).is_some()) =>
        {
            None
        }
        level => level,
    }
}

fn on_its_way(rule: &RuleState) -> Option<Level> {
    let pending = rule.said.and_then(|said| said.pending).map(|it| it.level);
    pending.max(rule.gathering.map(|it| it.level))
}

fn why_word(why: Why) -> &'static str {
    match why {
        Why::Warming => "warming",
        Why::Silent(_) => "silent",
        Why::SourceDown => "source-down",
        Why::BadData => "bad-data",
        Why::TooFew => "too-few",
        Why::Suspect => "suspect",
        Why::Removed => "removed",
        Why::Old => "old",
        Why::Maintenance => "maintenance",
    }
}
