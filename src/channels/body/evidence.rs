//! What one sensor contributes, in the JSON of a webhook.

use forewarn_core::plan::{Plan, Side};
use forewarn_core::warning::{Evidence, Revision};
use schemars::JsonSchema;
use serde::Serialize;

use super::super::against::{Against, Stand, Whose};
use super::super::show;
use super::super::words::Words;
use super::{LevelBody, Time, level, time};

/// What one sensor contributes.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Evidence")]
pub struct EvidenceBody {
    /// The rule's id.
    pub rule: String,
    /// The sensor's id: `station/quantity`.
    pub sensor: String,
    /// Its station.
    pub station: Station,
    /// What it measures, as configuration calls it.
    pub quantity: String,
    /// The level it supports now, or did when it was last measured; the revision's own may be higher.
    pub level: LevelBody,
    /// The newest value, in `unit`; null when there is none.
    pub value: Option<f64>,
    /// The sensor's unit.
    pub unit: String,
    /// What a level is measured from; null where there is no datum.
    pub datum: Option<String>,
    /// What the rule measured, in `limit_unit`.
    pub measured: Option<f64>,
    /// The limit of the level it reaches, or else of the lowest, in `limit_unit`.
    pub limit: Option<f64>,
    /// The limit of the revision's level, of an all-clear the lowest limit, in `limit_unit`;
    /// null where the rule has none for it, or it is not known.
    pub level_limit: Option<f64>,
    /// Whether the measurement is at `level_limit` or on its dangerous side. False while a warning is
    /// held until good data have supported less for a whole hold; null when not known.
    pub level_limit_reached: Option<bool>,
    /// The unit of what the rule measures.
    pub limit_unit: String,
    /// Whether it warns at or above the limit, or at or below.
    #[schemars(extend("enum" = ["above", "below"]))]
    pub side: &'static str,
    /// Change in `unit` an hour; null when not known.
    pub trend_per_hour: Option<f64>,
    /// Since when.
    pub since: Time,
    /// The newest reading.
    pub observed: Time,
    /// Whether it can no longer be measured: neither danger nor safety.
    pub unknown: bool,
    /// Whether the sensor is at the end of its range: the truth is there or beyond.
    pub saturated: bool,
}

/// A place with sensors.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Station {
    /// As configuration calls it; stable.
    pub id: String,
    /// As people call it.
    pub name: String,
    /// Degrees north, WGS-84.
    pub lat: f64,
    /// Degrees east, WGS-84.
    pub lon: f64,
}

/// `None` when the plan no longer has the sensor: its unit and place are gone with it.
pub(super) fn of(
    evidence: &Evidence,
    revision: &Revision,
    plan: &Plan,
    words: &Words,
) -> Option<EvidenceBody> {
    let sensor = plan.sensor(evidence.sensor)?;
    let station = plan.station(sensor.station)?;
    let rule = plan.rule(evidence.rule);
    let against = Against::of(revision, evidence, plan);
    let of_level = against.filter(|against| !matches!(against.whose, Whose::Other(_)));
    Some(EvidenceBody {
        rule: rule.map(|rule| rule.id.clone()).unwrap_or_default(),
        sensor: sensor.id.to_string(),
        station: Station {
            id: station.id.to_string(),
            name: show::clean(show::name(&station.names, words.language())),
            lat: station.lat,
            lon: station.lon,
        },
        quantity: sensor.quantity.clone(),
        level: level(evidence.level, words),
        value: evidence.value,
        unit: sensor.unit.to_string(),
        datum: sensor.datum.as_ref().map(|datum| datum.0.clone()),
        measured: evidence.measured,
        limit: evidence.limit,
        level_limit: of_level.map(|against| against.limit),
        level_limit_reached: of_level.and_then(|against| match against.stand {
            Stand::Reached => Some(true),
            Stand::Short => Some(false),
            Stand::Unknown => None,
        }),
        limit_unit: rule.map_or(sensor.unit, |rule| rule.unit).to_string(),
        side: match rule.map_or(Side::Above, |rule| rule.side) {
            Side::Above => "above",
            Side::Below => "below",
        },
        trend_per_hour: evidence.trend,
        since: time(evidence.since, plan),
        observed: time(evidence.observed, plan),
        unknown: evidence.unknown,
        saturated: evidence.saturated,
    })
}
