//! What is known of one cell: a hazard in an area.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use super::concern::Losses;
use super::shared::Shared;
use super::votes::Votes;
use crate::ids::OutputId;
use crate::plan::Plan;
use crate::time::Timestamp;
use crate::warning::{Cell, Incident};

/// All that is known of one cell.
#[derive(Debug, Clone, PartialEq, Default, Encode, Decode)]
pub(super) struct CellState {
    /// The open incident, if any.
    #[n(0)]
    pub(super) incident: Option<Incident>,
    #[n(1)]
    pub(super) votes: Votes,
    /// The warning that has not ended yet.
    #[n(2)]
    pub(super) warning: Option<OutputId>,
    /// How things stand is still to be told: a restored directory was released.
    #[n(3)]
    pub(super) owes: bool,
    /// `hazard/area-id` as it was called when it came to be: the subject of its
    /// troubles, which outlives the area's leaving the plan.
    #[n(4)]
    pub(super) name: String,
    /// All that supported the incident has left the plan. That its neighbours
    /// are clear says nothing of the place that was in breach.
    #[n(5)]
    #[cbor(default)]
    pub(super) bereft: bool,
    /// Who went blind since the incident opened.
    #[n(6)]
    #[cbor(default)]
    pub(super) losses: Losses,
    /// When it has to be judged again; follows from the rest.
    #[cbor(skip)]
    pub(super) due: Option<Timestamp>,
}

impl CellState {
    /// Whether anything that is still there supports the incident.
    pub(super) fn is_supported(&self, at: Timestamp) -> bool {
        self.incident.as_ref().is_some_and(|it| self.votes.contributing(it, at).next().is_some())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.incident.is_none() && self.votes.is_empty() && self.warning.is_none()
    }
}

/// What is known of a cell, to change; nothing yet where it is new.
pub(super) fn state_of<'a>(
    cells: &'a mut BTreeMap<Cell, Shared<CellState>>,
    cell: Cell,
    plan: &Plan,
) -> &'a mut CellState {
    let fresh = || Shared::new(CellState { name: cell_name(cell, plan), ..CellState::default() });
    cells.entry(cell).or_insert_with(fresh).edit()
}

/// `hazard/area-id`.
pub(super) fn cell_name(cell: Cell, plan: &Plan) -> String {
    let area = plan.area(cell.area).map_or_else(|| format!("area {}", cell.area.0), |area| area.id.clone());
    format!("{}/{area}", plan.hazard(cell.hazard))
}
