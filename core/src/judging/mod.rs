//! The area stage: votes, incidents, warnings, routing.
//!
//! What comes in (findings, outcomes, sources, reports) changes votes and
//! outages at once and puts work in a queue. Deciding is pure; incidents,
//! revision numbers, target sets and rounds change by [`AreaStage::apply`]
//! alone, so that recovery can apply what was recorded instead.

mod apply;
mod asking;
#[cfg(test)]
mod asking_tests;
mod canary;
mod cell;
mod concern;
#[cfg(test)]
mod concern_tests;
mod decide;
mod domains;
#[cfg(test)]
mod histories;
mod incident;
mod index;
mod orders;
#[cfg(test)]
mod outage_tests;
mod outages;
#[cfg(test)]
mod people_tests;
mod permits;
pub mod routing;
mod shared;
mod surety;
mod tally;
#[cfg(test)]
mod tally_tests;
mod troubles;
mod vote;
mod votes;
mod warnings;
#[cfg(test)]
pub(crate) mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use minicbor::{Decode, Encode};

use self::asking::Asking;
use self::canary::Canaries;
use self::cell::{CellState, cell_name, state_of};
pub use self::decide::Stamp;
use self::index::Index;
pub use self::orders::Order;
use self::orders::{Mutes, Orders};
use self::outages::Outages;
use self::shared::Shared;
pub use self::troubles::Trouble;
use self::troubles::Troubles;
use self::votes::Terms;
use self::warnings::Warnings;
use crate::event::{DeliveryOutcome, TroubleReport};
use crate::finding::{Finding, Found};
use crate::ids::{OutputId, SourceIx, TargetIx};
use crate::plan::Plan;
use crate::time::{Moment, Span, Timestamp};
use crate::warning::{About, Cell, Death, Incident, Outcome, Revision, TroubleCode, TroubleKey};

/// Whether readings are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Intake {
    /// They are.
    #[default]
    Taken,
    /// The disk has no room: nothing is seen, so that nothing clears.
    Stopped,
}

/// One thing to decide on, or to decide on again.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// What a cell becomes.
    Cell(Cell),
    /// What a report of a trouble comes to.
    Claim(TroubleReport),
    /// Who is told of a warning that was not acknowledged, or is asked again.
    Asks(OutputId),
    /// What an order comes to whose time has come.
    Order(Order),
    /// What the canary is answered, and how long after it the next one is due.
    Canary(Span),
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
    /// Reports on which the log records another decision than this version
    /// makes: taken up again at the next start, as every cell is.
    #[n(6)]
    deferred: Vec<TroubleReport>,
    #[n(7)]
    #[cbor(default)]
    asking: Asking,
    #[n(8)]
    #[cbor(default)]
    orders: Orders,
    #[n(9)]
    #[cbor(default)]
    mutes: Mutes,
    #[n(10)]
    #[cbor(default)]
    canaries: Canaries,
    /// The engine's own; a snapshot holds it there.
    #[cbor(skip)]
    intake: Intake,
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

    /// When an outage is to be told, or is over, or a trouble is to be renewed,
    /// or a warning was to be acknowledged.
    pub fn outage_due(&self) -> Option<Timestamp> {
        // Held, nobody is asked: nothing but Trouble goes out.
        let asks = self.asking.due().filter(|_| !self.held);
        self.outages
            .due()
            .into_iter()
            .chain(self.troubles.renewal_due())
            .chain(asks)
            .chain(self.orders_due())
            .min()
    }

    /// When a cell has to be judged though nothing new comes.
    pub fn cell_due(&self, cell: Cell) -> Option<Timestamp> {
        self.cells.get(&cell)?.due
    }

    /// Every cell that something is due in, after a snapshot was loaded.
    pub fn rearm(&mut self, plan: &Arc<Plan>, intake: Intake, moment: Moment) -> Vec<(Cell, Timestamp)> {
        self.intake = intake;
        self.plan = Arc::clone(plan);
        self.index = Arc::new(Index::of(plan));
        for state in self.cells.values_mut() {
            let state = state.edit();
            state.votes.recount(state.incident.as_ref(), moment.at, plan);
        }
        self.rearm_troubles(moment);
        self.asking.rearm();
        self.outages.attach(plan);
        let cells: Vec<Cell> = self.cells.keys().copied().collect();
        cells.into_iter().filter_map(|cell| Some((cell, self.schedule(cell, moment)?))).collect()
    }

    /// Works out anew when troubles are renewed.
    fn rearm_troubles(&mut self, moment: Moment) {
        let keys: Vec<TroubleKey> = self.troubles.standing().keys().cloned().collect();
        for key in keys {
            self.troubles.renew_at(&key, self.trouble_renewal(&key, moment));
        }
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
        for (ix, gone) in (0u32..).zip(&was.targets).filter_map(|(ix, it)| Some((ix, it.as_ref()?))) {
            if plan.target(TargetIx(ix)).is_none() {
                self.troubles.end(TroubleCode::DeadLetter, gone.id.clone());
            }
        }
        self.rearm_troubles(moment);
        // Another operator has to hear of what stands.
        self.troubles.claim_again();
        self.outages.replan((was, had), plan, moment.at, &mut self.troubles);
        let subjects: BTreeSet<_> = (0u32..)
            .zip(&plan.rules)
            .filter_map(|(ix, rule)| Some((ix, rule.as_ref()?)))
            .flat_map(|(ix, rule)| rule.subjects.iter().map(move |subject| (ix, subject.sensor)))
            .collect();
        for (&cell, state) in &mut self.cells {
            let state = state.edit();
            let stays = |finding: &Finding| {
                subjects.contains(&(finding.rule.0, finding.sensor))
                    && plan.cell(finding.rule, finding.sensor) == Some(cell)
            };
            let supported = state.is_supported(moment.at);
            state.votes.retain(moment.at, Terms { plan: was, index: had }, stays);
            state.votes.recount(state.incident.as_ref(), moment.at, plan);
            state.bereft |= supported && !state.is_supported(moment.at);
            if self.index.has_rule(cell) && !had.has_rule(cell) {
                // What was orphaned is looked at again: its hold starts anew.
                state.votes.saw_nothing_until(moment.at);
            }
            self.dirty.insert(cell);
        }
    }

    /// The service started: nothing was seen meanwhile, so that every hold starts anew.
    pub fn started(&mut self, downtime: Option<Span>, moment: Moment) {
        self.intake(Intake::Taken, moment);
        self.asking.started(downtime.unwrap_or_default());
        self.orders.started(downtime.unwrap_or_default());
        self.outages.started();
        self.outages.own_downtime(downtime, moment.at, &self.plan, &mut self.troubles);
        for report in std::mem::take(&mut self.deferred) {
            self.troubles.report(report);
        }
        self.clock(moment);
    }

    /// Readings are taken from now on, or are no longer: nothing is seen
    /// meanwhile, so that every hold starts anew.
    pub fn intake(&mut self, intake: Intake, moment: Moment) {
        self.intake = intake;
        for (&cell, state) in &mut self.cells {
            if state.incident.is_some() {
                state.edit().votes.saw_nothing_until(moment.at);
            }
            self.dirty.insert(cell);
        }
    }

    /// The directory was restored or copied: from here on only Trouble goes out,
    /// until a person says resume.
    pub fn hold(&mut self) {
        let detail = "this data directory was restored or copied, so another service may be alive with \
                      the same past: this one judges, and sends nothing but trouble until `forewarn resume`";
        self.troubles.raise(TroubleCode::Held, String::new(), detail.into());
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
        self.rearm_troubles(moment);
    }

    /// Takes in what a station found.
    pub fn found(&mut self, found: &Found, moment: Moment) {
        match *found {
            Found::Finding(finding) => self.finding(finding, moment.at),
            Found::Silence(sensor, Some(since)) => {
                self.outages.fell(sensor, since, moment.at, &self.plan, &self.index);
            }
            Found::Silence(sensor, None) => {
                self.outages.spoke(sensor, moment.at, &self.plan, &self.index, &mut self.troubles);
            }
            // A decision of its own, made by the engine at once.
            Found::WouldHave(_) => {}
        }
    }

    fn finding(&mut self, finding: Finding, at: Timestamp) {
        let Some(cell) = self.plan.cell(finding.rule, finding.sensor) else { return };
        if vote::is_idle(&finding) && !self.cells.contains_key(&cell) {
            return;
        }
        let terms = Terms { plan: &self.plan, index: &self.index };
        let state = state_of(&mut self.cells, cell, &self.plan);
        let is_lost_or_back = state.incident.is_some() && state.losses.take(&finding, at);
        if state.votes.cast(finding, at, state.incident.as_ref(), terms) || is_lost_or_back {
            self.dirty.insert(cell);
        }
        if state.is_empty() {
            self.cells.remove(&cell);
        }
    }

    /// A source went down, and this was found of it.
    pub fn source_down(&mut self, source: SourceIx, found: &[Found]) {
        self.outages.source_down(source, found, &self.plan, &mut self.troubles);
    }

    /// A source is back.
    pub fn source_up(&mut self, source: SourceIx, moment: Moment) {
        self.outages.source_up(source, moment.at, &self.plan);
    }

    /// What [`AreaStage::outage_due`] told of has come.
    pub fn outage(&mut self, at: Timestamp) {
        if !self.held {
            self.asking.ring(at);
        }
        self.ring_orders(at);
        self.troubles.claim_expiring(at);
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
            // Erased on purpose: nothing will ever be tried again.
            Outcome::Dead(Death::Erased) => return self.troubles.end(TroubleCode::DeadLetter, subject),
            // It arrived; but what else was given up has still reached nobody.
            Outcome::Accepted => {
                let stands = self.troubles.is_known(TroubleCode::DeadLetter, &subject);
                if stands && !self.warnings.owes(outcome.target) {
                    self.troubles.end(TroubleCode::DeadLetter, subject);
                }
                return;
            }
            // No fault of anyone's: it was overtaken.
            Outcome::Superseded => return,
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
        // Held comes first: nothing else may be said before it.
        let held = || self.troubles.claim_of(TroubleCode::Held).filter(|report| report.present);
        let cell = self.dirty.first().map(|&cell| Work::Cell(cell));
        // A trouble of the very first start waits until a plan says whom to tell.
        let claims = || self.troubles.next_claim().filter(|_| !self.plan.operator.is_empty());
        let asks = || self.asking.next_rung().map(Work::Asks);
        let claims = || claims().cloned().map(Work::Claim);
        let orders = || self.orders.next_rung().map(Work::Order);
        // The canary shows that nothing else waits.
        let canary = || self.waiting_canary().map(Work::Canary);
        let first = held().cloned().map(Work::Claim).or(cell);
        first.or_else(asks).or_else(orders).or_else(claims).or_else(canary)
    }

    /// Takes work out of the queue.
    pub fn take(&mut self, work: &Work) {
        match work {
            Work::Cell(cell) => drop(self.dirty.remove(cell)),
            Work::Claim(claim) => self.troubles.drop_claim(&claim.key),
            Work::Asks(warning) => self.asking.take(*warning),
            Work::Order(order) => self.orders.take(*order),
            Work::Canary(_) => self.canaries.take(),
        }
    }

    /// The log records something else than this version decides. A start
    /// judges every cell again; a report has to be kept until then.
    pub fn defer(&mut self, work: Work) {
        match work {
            Work::Cell(_) | Work::Canary(_) => {}
            Work::Asks(warning) => self.asking.defer(warning),
            Work::Order(order) => self.orders.defer(order),
            Work::Claim(report) => {
                self.deferred.retain(|former| former.key != report.key);
                self.deferred.push(report);
            }
        }
    }
}
