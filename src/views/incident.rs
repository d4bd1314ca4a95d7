//! Incidents.

use forewarn_core::time::Span;
use forewarn_core::warning::Incident;
use schemars::JsonSchema;
use serde::Serialize;

use super::names::{Names, NamesView};
use crate::state::phase_word;

/// One hazard in one area, from the first breach to the all-clear.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[expect(clippy::struct_excessive_bools, reason = "facts that hold or not, each by itself")]
pub struct IncidentView {
    /// `hazard@area`: what commands name it by.
    pub cell: String,
    /// Of what.
    pub hazard: String,
    /// Where, by id.
    pub area: String,
    /// Where, as people call it, by language.
    pub place: NamesView,
    /// `watching`, `pending`, `active`, `easing` or `closed`.
    pub phase: &'static str,
    /// The level people have been told, or would be.
    pub level: &'static str,
    /// The highest level it ever had.
    pub peak: &'static str,
    /// When it was opened.
    pub opened: String,
    /// When the breach began.
    pub onset: String,
    /// Whether what it rests on can no longer be seen: unknown, never safe.
    pub stale: bool,
    /// Whether it was lost and came back again and again.
    pub intermittent: bool,
    /// Whether settled readings ever supported it.
    pub confirmed: bool,
    /// Whether nothing in the plan is left to support or end it.
    pub orphaned: bool,
    /// Id of the warning about it, once there is one.
    pub warning: Option<String>,
}

impl IncidentView {
    /// `offset` is civil minus engine time.
    pub fn of(incident: &Incident, offset: Span, names: Names<'_>) -> IncidentView {
        IncidentView {
            cell: names.cell(incident.cell),
            hazard: names.0.hazard(incident.cell.hazard).to_owned(),
            area: names.area(incident.cell.area),
            place: names.place(incident.cell.area),
            phase: phase_word(incident.phase),
            level: incident.level.word(),
            peak: incident.peak.word(),
            opened: names.time(incident.opened + offset),
            onset: names.time(incident.onset),
            stale: incident.stale,
            intermittent: incident.intermittent,
            confirmed: incident.confirmed,
            orphaned: incident.orphaned,
            warning: incident.warning.map(|warning| warning.digest().to_string()),
        }
    }
}
