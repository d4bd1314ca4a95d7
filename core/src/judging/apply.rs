//! Making decisions so: the only place where incidents, revision numbers,
//! target sets and rounds change.

use super::concern::Losses;
use super::votes::{Terms, Votes};
use super::{AreaStage, cell_name, state_of};
use crate::event::Decision;
use crate::finding::{Verdict, Why};
use crate::time::{Moment, Timestamp};
use crate::warning::{About, Incident, Phase, Reason, Revision, TroubleCode, TroubleKey};

impl AreaStage {
    /// Makes a decision so.
    pub fn apply(&mut self, decision: &Decision, moment: Moment) {
        if !matches!(decision, Decision::Canary(_)) {
            self.decided_at(moment.civil());
        }
        match decision {
            Decision::Incident(incident) => self.apply_incident(incident, moment.at),
            Decision::Revision(revision) => self.apply_revision(revision, moment),
            Decision::Trouble(report) => {
                self.held |= report.present && report.key.code == TroubleCode::Held;
                self.troubles.apply(report, moment.civil());
            }
            Decision::Resumed => self.resumed(moment.at),
            Decision::Resent { warning, number: _, due } => self.warnings.resent(*warning, *due),
            Decision::Asked { warning, number: _, asks, due } => {
                self.asking.set(*warning, asks);
                self.tell_unacknowledged(*warning);
                due.iter().for_each(|&due| self.warnings.resent(*warning, due));
            }
            Decision::Acknowledged { warning, number, target, reach: _ } => {
                self.warnings.acknowledged(*warning, *number, *target);
            }
            Decision::Drafted(_) | Decision::Muted(_) | Decision::Noted(_) | Decision::Lapsed(_) => {
                self.apply_order(decision);
            }
            Decision::Canary(canary) => self.apply_canary(canary),
            Decision::WouldHave(_) | Decision::PlanRefused(_) | Decision::Refused(_) => {}
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
            state.votes.incident_is(incident, at, &self.plan);
            let was = |mark: fn(&Incident) -> bool| former.as_ref().is_some_and(mark);
            if incident.orphaned && !was(|it| it.orphaned) {
                let detail = if self.index.has_rule(cell) {
                    format!(
                        "what supported {name} has left the plan or cannot be seen; it stands until something there breaches again or a person ends it"
                    )
                } else {
                    format!("no rule supports {name} any more; it stands until a person ends it")
                };
                troubles.raise(TroubleCode::Orphaned, name.clone(), detail);
            } else if !incident.orphaned && was(|it| it.orphaned) {
                troubles.end(TroubleCode::Orphaned, name.clone());
            }
            if incident.stale
                && !was(|it| it.stale)
                && let Some(detail) =
                    unusable(&state.votes, incident, at, Terms { plan: &self.plan, index: &self.index })
            {
                troubles.raise(TroubleCode::SensorSilent, name, detail);
            } else if !incident.stale {
                troubles.end(TroubleCode::SensorSilent, name);
            }
        } else {
            state.incident = None;
            state.bereft = false;
            state.losses = Losses::default();
            state.votes.close(at, &self.plan);
            troubles.end(TroubleCode::Orphaned, name.clone());
            troubles.end(TroubleCode::SensorSilent, name);
        }
        if state.is_empty() {
            self.cells.remove(&cell);
        }
    }

    fn apply_revision(&mut self, revision: &Revision, moment: Moment) {
        let at = moment.at;
        self.warnings.record(revision, at);
        let ends = revision.kind.is_last() || revision.about == About::NotifyTest;
        if ends {
            self.warnings.end(revision.warning);
            self.asking.set(revision.warning, &[]);
            self.tell_unacknowledged(revision.warning);
        }
        if revision.muted.is_none() {
            self.notes_told(revision.warning);
        }
        match &revision.about {
            About::Incident(cell) => {
                let state = state_of(&mut self.cells, *cell, &self.plan);
                let name = state.name.clone();
                state.warning = (!ends).then_some(revision.warning);
                state.owes = false;
                if matches!(revision.reason, Reason::EndedByHand | Reason::InError) {
                    state.votes.spend(state.incident.as_ref(), at, &self.plan);
                }
                if state.is_empty() {
                    self.cells.remove(cell);
                }
                if let Some(mute) = revision.muted {
                    self.mutes.hid(mute, *cell);
                } else if revision.due.is_empty() && !ends {
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
                self.troubles.renew_at(key, self.trouble_renewal(key, moment));
            }
            About::Manual(_) => self.apply_by_hand(revision, moment),
            About::NotifyTest | About::Canary(_) => {}
        }
    }

    fn resumed(&mut self, at: Timestamp) {
        self.held = false;
        for (&cell, state) in &mut self.cells {
            if state.incident.is_some() || state.warning.is_some() {
                state.edit().owes = true;
                self.dirty.insert(cell);
            }
        }
        self.asking.restart(at);
        self.orders.restart(at, self.plan.settings.orders.approve_within);
        self.troubles.end(TroubleCode::Held, String::new());
        let held: Vec<TroubleKey> =
            self.troubles.standing().keys().filter(|key| key.code == TroubleCode::Held).cloned().collect();
        for key in held {
            self.troubles.end(key.code, key.subject);
        }
    }
}

/// What the operator has to know of a blind incident that no outage tells: data come, but are no use.
fn unusable(votes: &Votes, incident: &Incident, at: Timestamp, terms: Terms<'_>) -> Option<String> {
    let plan = terms.plan;
    let missed = votes.missed(incident, at, terms);
    let useless = missed.iter().find(|vote| match vote.finding.tip {
        Verdict::Unknown(Why::BadData | Why::TooFew | Why::Suspect) => true,
        Verdict::Unknown(
            Why::Warming | Why::Silent(_) | Why::SourceDown | Why::Removed | Why::Old | Why::Maintenance,
        )
        | Verdict::Clear
        | Verdict::Breach(_) => false,
    })?;
    let sensor = plan.sensor(useless.finding.sensor).map_or("a sensor", |sensor| &sensor.id);
    Some(format!(
        "{sensor} gives no usable data while a warning of {} stands",
        cell_name(incident.cell, plan)
    ))
}
