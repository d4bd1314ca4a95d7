//! The area stage: votes, incidents, warnings, routing.
//!
//! What comes in (findings, outcomes, sources, reports) changes votes and
//! outages at once and puts work in a queue. Deciding is pure; incidents,
//! revision numbers, target sets and rounds change by [`AreaStage::apply`]
//! alone, so that recovery can apply what was recorded instead.

mod decide;
mod domains;
#[cfg(test)]
mod histories;
mod incident;
mod index;
#[cfg(test)]
mod outage_tests;
mod outages;
pub mod routing;
mod shared;
mod troubles;
mod votes;
mod warnings;
#[cfg(test)]
pub(crate) mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use minicbor::{Decode, Encode};

pub use self::decide::Stamp;
use self::index::Index;
use self::outages::Outages;
use self::shared::Shared;
pub use self::troubles::Trouble;
use self::troubles::Troubles;
use self::votes::Votes;
use self::warnings::Warnings;
use crate::event::{Decision, DeliveryOutcome, TroubleReport};
use crate::finding::{Finding, Found, Verdict, Why};
use crate::ids::{OutputId, SourceIx};
use crate::plan::Plan;
use crate::time::{Moment, Span, Timestamp};
use crate::warning::{
    About, Cell, Death, Incident, Outcome, Phase, Reason, Revision, TroubleCode, TroubleKey,
};

/// All that is known of one cell.
#[derive(Debug, Clone, PartialEq, Default, Encode, Decode)]
struct CellState {
    /// The open incident, if any.
    #[n(0)]
    incident: Option<Incident>,
    #[n(1)]
    votes: Votes,
    /// The warning that has not ended yet.
    #[n(2)]
    warning: Option<OutputId>,
    /// How things stand is still to be told: a restored directory was released.
    #[n(3)]
    owes: bool,
    /// `hazard/area-id` as it was called when it came to be: the subject of its
    /// troubles, which outlives the area's leaving the plan.
    #[n(4)]
    name: String,
    /// When it has to be judged again; follows from the rest.
    #[cbor(skip)]
    due: Option<Timestamp>,
}

impl CellState {
    fn is_empty(&self) -> bool {
        self.incident.is_none() && self.votes.is_empty() && self.warning.is_none()
    }
}

/// One thing to decide on, or to decide on again.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// What a cell becomes.
    Cell(Cell),
    /// What a report of a trouble comes to.
    Claim(TroubleReport),
}

/// Every area's stage at once: hazards in areas, and the troubles of the service.
#[derive(Debug, Clone, Default, Encode, Decode)]
pub struct AreaStage {
    /// Only cells with something in them.
    #[n(0)]
    cells: BTreeMap<Cell, Shared<CellState>>,
    #[n(1)]
    warnings: Warnings,
    #[n(2)]
    troubles: Troubles,
    #[n(3)]
    outages: Outages,
    /// Cells that something happened to since they were judged.
    #[n(4)]
    dirty: BTreeSet<Cell>,
    /// A restored directory is held: only Trouble goes out.
    #[n(5)]
    held: bool,
    /// Cells where the log records another decision than this version makes.
    #[n(6)]
    differing: BTreeSet<Cell>,
    #[cbor(skip)]
    plan: Arc<Plan>,
    #[cbor(skip)]
    index: Arc<Index>,
}

impl AreaStage {
    /// The plan in force.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Every open incident, in order of hazard and area.
    pub fn incidents(&self) -> impl Iterator<Item = &Incident> {
        self.cells.values().filter_map(|state| state.incident.as_ref())
    }

    /// Every trouble that stands.
    pub fn troubles(&self) -> &BTreeMap<TroubleKey, Trouble> {
        self.troubles.standing()
    }

    /// The newest revision of a standing warning, or of one that ended lately.
    pub fn newest(&self, warning: OutputId) -> Option<&Revision> {
        self.warnings.get(warning).map(|sent| &sent.newest)
    }

    fn name(&self, cell: Cell) -> String {
        self.cells.get(&cell).map_or_else(|| cell_name(cell, &self.plan), |state| state.name.clone())
    }

    /// How many sensors are silent.
    pub fn silent(&self) -> usize {
        self.outages.silent()
    }

    /// Whether a restored directory is still held.
    pub fn is_held(&self) -> bool {
        self.held
    }

    /// When an outage is to be told, or is over.
    pub fn outage_due(&self) -> Option<Timestamp> {
        self.outages.due()
    }

    /// When a cell has to be judged though nothing new comes.
    pub fn cell_due(&self, cell: Cell) -> Option<Timestamp> {
        self.cells.get(&cell)?.due
    }

    /// Every cell that something is due in, after a snapshot was loaded.
    pub fn rearm(&mut self, plan: &Arc<Plan>, moment: Moment) -> Vec<(Cell, Timestamp)> {
        self.plan = Arc::clone(plan);
        self.index = Arc::new(Index::of(plan));
        let cells: Vec<Cell> = self.cells.keys().copied().collect();
        cells.into_iter().filter_map(|cell| Some((cell, self.schedule(cell, moment)?))).collect()
    }

    /// Works out when a cell is next due.
    pub fn schedule(&mut self, cell: Cell, moment: Moment) -> Option<Timestamp> {
        let due = incident::due(&self.sight(self.cells.get(&cell)?, cell, moment));
        let state = self.cells.get_mut(&cell)?;
        if state.due != due {
            state.edit().due = due;
        }
        due
    }

    /// Puts another plan in force. A changed rule keeps its incident.
    pub fn set_plan(&mut self, plan: &Arc<Plan>, moment: Moment) {
        let former = (std::mem::replace(&mut self.plan, Arc::clone(plan)), std::mem::take(&mut self.index));
        self.index = Arc::new(Index::of(plan));
        let (was, had) = (&*former.0, &*former.1);
        self.outages.replan((was, had), plan, moment.at, &mut self.troubles);
        let subjects: BTreeSet<_> = (0u32..)
            .zip(&plan.rules)
            .filter_map(|(ix, rule)| Some((ix, rule.as_ref()?)))
            .flat_map(|(ix, rule)| rule.subjects.iter().map(move |subject| (ix, subject.sensor)))
            .collect();
        for (&cell, state) in &mut self.cells {
            let state = state.edit();
            let stays = |finding: &Finding| {
                subjects.contains(&(finding.rule.0, finding.sensor)) && cell_of(finding, plan) == Some(cell)
            };
            state.votes.retain(moment.at, was, stays);
            if self.index.has_rule(cell) && !had.has_rule(cell) {
                // What was orphaned is looked at again: its hold starts anew.
                state.votes.saw_nothing_until(moment.at);
            }
            self.dirty.insert(cell);
        }
    }

    /// The service started: nothing was seen meanwhile, so that every hold starts anew.
    pub fn started(&mut self, downtime: Option<Span>, moment: Moment) {
        for (&cell, state) in &mut self.cells {
            if state.incident.is_some() {
                state.edit().votes.saw_nothing_until(moment.at);
            }
            self.dirty.insert(cell);
        }
        self.outages.own_downtime(downtime, moment.at, &self.plan, &mut self.troubles);
        self.dirty.append(&mut self.differing);
        self.clock(moment);
    }

    /// Civil time moved, or came to be trusted or not.
    pub fn clock(&mut self, moment: Moment) {
        if moment.trusted {
            self.troubles.end(TroubleCode::ClockUntrusted, String::new());
        } else {
            let detail = "the clock is not synchronised: nothing expires and no reading counts as future";
            self.troubles.raise(TroubleCode::ClockUntrusted, String::new(), detail.into());
        }
        let warned = self.cells.iter().filter(|(_, state)| state.warning.is_some()).map(|(&cell, _)| cell);
        self.dirty.extend(warned);
    }

    /// Takes in what a station found.
    pub fn found(&mut self, found: &Found, moment: Moment) {
        match *found {
            Found::Finding(finding) => self.finding(finding, moment.at),
            Found::Silence(sensor, Some(since)) => self.outages.fell(sensor, since, moment.at, &self.plan),
            Found::Silence(sensor, None) => {
                self.outages.spoke(sensor, moment.at, &self.plan, &self.index, &mut self.troubles);
            }
            // A decision of its own, made by the engine at once.
            Found::WouldHave(_) => {}
        }
    }

    fn finding(&mut self, finding: Finding, at: Timestamp) {
        let Some(cell) = cell_of(&finding, &self.plan) else { return };
        let idle = finding.tip.level() == crate::level::Level::Normal
            && finding.settled.level() == crate::level::Level::Normal
            && finding.pending.is_none();
        if idle && !self.cells.contains_key(&cell) {
            return;
        }
        let state = state_of(&mut self.cells, cell, &self.plan);
        if state.votes.cast(finding, at, state.incident.as_ref(), &self.plan) {
            self.dirty.insert(cell);
        }
        if state.is_empty() {
            self.cells.remove(&cell);
        }
    }

    /// A source came up or went down, and this was found of it.
    pub fn source(&mut self, source: SourceIx, up: bool, found: &[Found], moment: Moment) {
        if up {
            self.outages.source_up(source, moment.at, &self.plan);
        } else {
            self.outages.source_down(source, found, &self.plan, &mut self.troubles);
        }
    }

    /// An outage is to be told, or is over.
    pub fn outage(&mut self, at: Timestamp) {
        self.outages.tell(at, &self.plan, &self.index, &mut self.troubles);
    }

    /// A cell's timer rang.
    pub fn rang(&mut self, cell: Cell) {
        self.dirty.insert(cell);
    }

    /// The shell has a trouble to tell, or one that is over. A hold ends by `resume` alone.
    pub fn reported(&mut self, report: &TroubleReport) {
        if report.present || report.key.code != TroubleCode::Held {
            self.troubles.report(report.clone());
        }
    }

    /// A delivery had an outcome.
    pub fn outcome(&mut self, outcome: &DeliveryOutcome) {
        self.warnings.outcome(outcome);
        let subject = self
            .plan
            .target(outcome.target)
            .map_or_else(|| format!("target {}", outcome.target.0), |target| target.id.clone());
        let why = match outcome.outcome {
            Outcome::Accepted => return self.troubles.end(TroubleCode::DeadLetter, subject),
            // No fault of anyone's: it was overtaken, or erased on purpose.
            Outcome::Superseded | Outcome::Dead(Death::Erased) => return,
            Outcome::Dead(Death::Rejected) => "the receiver refused it for good",
            Outcome::Dead(Death::Expired) => "it expired before the receiver could be reached",
            Outcome::Dead(Death::Forbidden) => "its address may not be used",
        };
        let about = self.warnings.get(outcome.warning).map(|sent| &sent.newest.about);
        if let Some(About::Trouble(key)) = about
            && key.code == TroubleCode::DeadLetter
        {
            // Else the operator's own dead letter would raise the next one, for ever.
            return;
        }
        let detail = format!("a delivery to {subject} was given up: {why}");
        self.troubles.raise(TroubleCode::DeadLetter, subject, detail);
    }

    /// What waits to be decided on, in order.
    pub fn next_work(&self) -> Option<Work> {
        let cell = self.dirty.first().map(|&cell| Work::Cell(cell));
        cell.or_else(|| self.troubles.next_claim().cloned().map(Work::Claim))
    }

    /// Takes work out of the queue.
    pub fn take(&mut self, work: &Work) {
        match work {
            Work::Cell(cell) => drop(self.dirty.remove(cell)),
            Work::Claim(claim) => self.troubles.drop_claim(&claim.key),
        }
    }

    /// Remembers a cell where this version decides otherwise than the log
    /// records: it is judged at the next start.
    pub fn differs(&mut self, cell: Cell) {
        self.differing.insert(cell);
    }

    /// Makes a decision so.
    pub fn apply(&mut self, decision: &Decision, moment: Moment) {
        match decision {
            Decision::Incident(incident) => self.apply_incident(incident, moment.at),
            Decision::Revision(revision) => self.apply_revision(revision, moment.at),
            Decision::Trouble(report) => {
                self.held |= report.present && report.key.code == TroubleCode::Held;
                self.troubles.apply(report, moment.civil());
            }
            Decision::Resumed => self.resumed(),
            Decision::Resent { warning, number: _, due } => self.warnings.resent(*warning, *due),
            Decision::WouldHave(_) | Decision::PlanRefused(_) => {}
        }
    }

    fn apply_incident(&mut self, incident: &Incident, at: Timestamp) {
        let cell = incident.cell;
        let state = state_of(&mut self.cells, cell, &self.plan);
        let name = state.name.clone();
        let open = match incident.phase {
            Phase::Pending | Phase::Active | Phase::Easing => true,
            Phase::Watching | Phase::Closed => false,
        };
        let troubles = &mut self.troubles;
        if open {
            let former = state.incident.replace(incident.clone());
            let was = |mark: fn(&Incident) -> bool| former.as_ref().is_some_and(mark);
            if incident.orphaned && !was(|it| it.orphaned) {
                let detail = format!("no rule supports {name} any more; it stands until a person ends it");
                troubles.raise(TroubleCode::Orphaned, name.clone(), detail);
            } else if !incident.orphaned && was(|it| it.orphaned) {
                troubles.end(TroubleCode::Orphaned, name.clone());
            }
            if incident.stale
                && !was(|it| it.stale)
                && let Some(detail) = unusable(&state.votes, incident, at, &self.plan)
            {
                troubles.raise(TroubleCode::SensorSilent, name, detail);
            } else if !incident.stale {
                troubles.end(TroubleCode::SensorSilent, name);
            }
        } else {
            state.incident = None;
            state.votes.close(at);
            troubles.end(TroubleCode::Orphaned, name.clone());
            troubles.end(TroubleCode::SensorSilent, name);
        }
        if state.is_empty() {
            self.cells.remove(&cell);
        }
    }

    fn apply_revision(&mut self, revision: &Revision, at: Timestamp) {
        self.warnings.record(revision, at);
        let ends = revision.kind.is_last() || revision.about == About::NotifyTest;
        if ends {
            self.warnings.end(revision.warning);
        }
        match &revision.about {
            About::Incident(cell) => {
                let state = state_of(&mut self.cells, *cell, &self.plan);
                let name = state.name.clone();
                state.warning = (!ends).then_some(revision.warning);
                state.owes = false;
                if matches!(revision.reason, Reason::EndedByHand | Reason::InError) {
                    state.votes.spend(at);
                }
                if state.is_empty() {
                    self.cells.remove(cell);
                }
                if revision.due.is_empty() && !ends {
                    let detail = format!("nobody is routed to hear of {name} at {}", revision.level);
                    self.troubles.raise(TroubleCode::Unrouted, name, detail);
                } else {
                    self.troubles.end(TroubleCode::Unrouted, name);
                }
            }
            About::Trouble(key) => {
                if let Some(trouble) = self.troubles.get_mut(key) {
                    trouble.warning = Some(revision.warning);
                }
            }
            About::NotifyTest => {}
        }
    }

    fn resumed(&mut self) {
        self.held = false;
        for (&cell, state) in &mut self.cells {
            if state.incident.is_some() || state.warning.is_some() {
                state.edit().owes = true;
                self.dirty.insert(cell);
            }
        }
        self.troubles.end(TroubleCode::Held, String::new());
        let held: Vec<TroubleKey> =
            self.troubles.standing().keys().filter(|key| key.code == TroubleCode::Held).cloned().collect();
        held.into_iter().for_each(|key| self.troubles.end(key.code, key.subject));
    }
}

/// The cell a finding goes to: its rule's hazard in its station's area.
fn cell_of(finding: &Finding, plan: &Plan) -> Option<Cell> {
    let hazard = plan.rule(finding.rule)?.hazard;
    Some(Cell { hazard, area: index::area_of(finding.sensor, plan)? })
}

/// What is known of a cell, to change; nothing yet where it is new.
fn state_of<'a>(
    cells: &'a mut BTreeMap<Cell, Shared<CellState>>,
    cell: Cell,
    plan: &Plan,
) -> &'a mut CellState {
    let fresh = || Shared::new(CellState { name: cell_name(cell, plan), ..CellState::default() });
    cells.entry(cell).or_insert_with(fresh).edit()
}

/// `hazard/area-id`.
fn cell_name(cell: Cell, plan: &Plan) -> String {
    let area = plan.area(cell.area).map_or_else(|| format!("area {}", cell.area.0), |area| area.id.clone());
    format!("{}/{area}", plan.hazard(cell.hazard))
}

/// What the operator has to know of a blind incident that no outage tells: data come, but are no use.
fn unusable(votes: &Votes, incident: &Incident, at: Timestamp, plan: &Plan) -> Option<String> {
    let missed = votes.missed(incident, at, plan);
    let useless = missed.iter().find(|vote| match vote.finding.tip {
        Verdict::Unknown(Why::BadData | Why::TooFew | Why::Suspect) => true,
        Verdict::Unknown(Why::Warming | Why::Silent(_) | Why::SourceDown | Why::Removed | Why::Old)
        | Verdict::Clear
        | Verdict::Breach(_) => false,
    })?;
    let sensor = plan.sensor(useless.finding.sensor).map_or("a sensor", |sensor| &sensor.id);
    Some(format!(
        "{sensor} gives no usable data while a warning of {} stands",
        cell_name(incident.cell, plan)
    ))
}
