//! What takes two persons: one drafts, another approves exactly that.

use std::collections::BTreeSet;

use super::WAITING_MAX;
use crate::authority::By;
use crate::event::{Decision, TroubleReport};
use crate::ids::{OutputId, TargetIx};
use crate::judging::cell::cell_name;
use crate::judging::decide::Stamp;
use crate::judging::{AreaStage, routing};
use crate::level::Level;
use crate::orders::{Digest, Draft, Issue, Proposal, Quiet, Refusal, Stage};
use crate::time::{Span, Timestamp};
use crate::warning::{Cell, TroubleCode, TroubleKey};

/// When approvers are reminded, from the draft on.
const REMINDERS: [Span; 2] = [Span::from_secs(60), Span::from_secs(120)];

/// A warning by hand holds so long at most: beyond it, a person has to say so again.
const ISSUE_MAX: Span = Span::from_hours(7 * 24);

impl AreaStage {
    /// Somebody proposes something: it waits for a second person where it takes two.
    pub(super) fn propose(
        &self,
        proposal: &Proposal,
        by: &By,
        stamp: &Stamp,
    ) -> Result<Vec<Decision>, Refusal> {
        match proposal {
            Proposal::Warning(issue) => self.check_issue(issue)?,
            Proposal::Silence(silence) => {
                self.check_silence(silence)?;
                if !self.takes_two(silence) {
                    let mute = self.mute_of(silence, &by.account, None, stamp, stamp.moment.at);
                    return Ok(vec![Decision::Muted(mute)]);
                }
            }
        }
        if self.orders.drafts.values().filter(|draft| draft.stage == Stage::Waiting).count() >= WAITING_MAX {
            return Err(Refusal::TooMany);
        }
        let proposal = normal(proposal);
        let targets = self.proposed_targets(&proposal, stamp);
        if targets.is_empty() && matches!(proposal, Proposal::Warning(_)) {
            return Err(Refusal::Nobody);
        }
        let (at, made) = (stamp.moment.at, stamp.moment.civil());
        let draft = Draft {
            id: stamp.id(0),
            digest: Digest::of(&proposal, &targets, self.plan.settings.status),
            proposal,
            by: by.account.clone(),
            since: at,
            made,
            targets,
            stage: Stage::Waiting,
            reminded: 0,
            due: None,
            number: self.orders.numbered + 1,
        };
        let due = Some(self.draft_due(&draft));
        Ok(vec![Decision::Drafted(Draft { due, ..draft })])
    }

    fn check_issue(&self, issue: &Issue) -> Result<(), Refusal> {
        if self.held {
            return Err(Refusal::Held);
        }
        if !issue.texts.is_whole() {
            return Err(Refusal::Texts);
        }
        let unknown = issue.areas.iter().any(|&area| self.plan.area(area).is_none());
        if issue.areas.is_empty()
            || unknown
            || self.plan.hazard(issue.hazard).is_empty()
            || issue.level == Level::Normal
        {
            return Err(Refusal::NotInPlan);
        }
        if issue.lasting <= Span::ZERO || issue.lasting > ISSUE_MAX {
            return Err(Refusal::Lasting);
        }
        match issue.updates {
            Some(warning) if !self.orders.standing.contains_key(&warning) => Err(Refusal::Unknown),
            Some(_) | None => Ok(()),
        }
    }

    /// To whom a proposal goes, as the plan routes it now.
    fn proposed_targets(&self, proposal: &Proposal, stamp: &Stamp) -> Vec<TargetIx> {
        let Proposal::Warning(Issue { hazard, areas, level, .. }) = proposal else { return Vec::new() };
        let civil = stamp.moment.civil();
        let routed =
            areas.iter().flat_map(|&area| routing::targets(&self.plan, *hazard, area, *level, civil));
        routed.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Engine time at which approvers are reminded next, or its time is up.
    fn draft_due(&self, draft: &Draft) -> Timestamp {
        let end = draft.since + self.plan.settings.orders.approve_within;
        let next = REMINDERS.get(draft.reminded as usize).map(|&after| draft.since + after);
        next.map_or(end, |next| next.min(end))
    }

    /// Somebody approves a draft as they had it before them.
    pub(super) fn approve(
        &self,
        id: OutputId,
        digest: Digest,
        by: &By,
        stamp: &Stamp,
    ) -> Result<Vec<Decision>, Refusal> {
        let draft = self.orders.drafts.get(&id).ok_or(Refusal::Unknown)?;
        if draft.stage != Stage::Waiting {
            return Err(Refusal::Decided);
        }
        if draft.by == by.account {
            return Err(Refusal::Own);
        }
        if draft.digest != digest {
            return Err(Refusal::Changed);
        }
        match &draft.proposal {
            Proposal::Warning(issue) => self.check_issue(issue)?,
            Proposal::Silence(silence) => self.check_silence(silence)?,
        }
        let targets = self.proposed_targets(&draft.proposal, stamp);
        if targets != draft.targets {
            // The approval was for others: it has to be looked at again, under another digest.
            let digest = Digest::of(&draft.proposal, &targets, self.plan.settings.status);
            let draft = Draft { targets, digest, ..draft.clone() };
            return Ok(vec![Decision::Refused(Refusal::TargetsChanged), Decision::Drafted(draft)]);
        }
        let approved = Draft { stage: Stage::Approved(by.account.clone()), due: None, ..draft.clone() };
        Ok(self.carried_out(approved, Some(&by.account), stamp))
    }

    /// A draft, and what comes of it now that it is carried out.
    fn carried_out(&self, draft: Draft, approved: Option<&str>, stamp: &Stamp) -> Vec<Decision> {
        let what = match &draft.proposal {
            Proposal::Warning(issue) => self.issued(issue, draft.id, &draft.targets, stamp),
            Proposal::Silence(silence) => {
                let approved = approved.map(str::to_owned);
                let mute = self.mute_of(silence, &draft.by, approved, &stamp.ahead(1), draft.since);
                vec![Decision::Muted(mute)]
            }
        };
        [Decision::Drafted(draft)].into_iter().chain(what).collect()
    }

    /// Somebody takes a draft back.
    pub(super) fn withdraw(&self, id: OutputId, reason: &str, by: &By) -> Result<Vec<Decision>, Refusal> {
        let draft = self.orders.drafts.get(&id).ok_or(Refusal::Unknown)?;
        if draft.stage != Stage::Waiting {
            return Err(Refusal::Decided);
        }
        let stage = Stage::Withdrawn(by.account.clone(), reason.to_owned());
        Ok(vec![Decision::Drafted(Draft { stage, due: None, ..draft.clone() })])
    }

    /// A draft has waited: its approvers are reminded, or its time is up.
    pub(super) fn decide_draft(&self, id: OutputId, stamp: &Stamp) -> Vec<Decision> {
        let waits = |draft: &&Draft| draft.due.is_some_and(|due| due <= stamp.moment.at) && !self.held;
        let Some(draft) = self.orders.drafts.get(&id).filter(waits) else { return Vec::new() };
        if stamp.moment.at < draft.since + self.plan.settings.orders.approve_within {
            let reminded = Draft { reminded: draft.reminded + 1, ..draft.clone() };
            let due = Some(self.draft_due(&reminded));
            return vec![Decision::Drafted(Draft { due, ..reminded })];
        }
        let goes_out = |issue: &Issue| {
            self.plan.settings.orders.send_unapproved.contains(&issue.level)
                && self.check_issue(issue).is_ok()
        };
        let targets = self.proposed_targets(&draft.proposal, stamp);
        match &draft.proposal {
            // By policy it goes to those whom the plan routes it to now.
            Proposal::Warning(issue) if goes_out(issue) && !targets.is_empty() => {
                let sent = Draft { targets, stage: Stage::SentUnapproved, due: None, ..draft.clone() };
                self.carried_out(sent, None, stamp)
            }
            Proposal::Warning(_) | Proposal::Silence(_) => {
                vec![Decision::Drafted(Draft { stage: Stage::Expired, due: None, ..draft.clone() })]
            }
        }
    }

    /// What the operator, and those who may approve, hear of a draft.
    pub(super) fn waiting_report(&self, draft: &Draft) -> TroubleReport {
        let what = match &draft.proposal {
            Proposal::Warning(issue) => format!("a {} warning of {}", issue.level, self.places_named(issue)),
            Proposal::Silence(silence) => match silence.quiet {
                Quiet::Muted => format!("a mute of {}", self.subject_name(silence.what)),
                Quiet::Maintenance => format!("maintenance of {}", self.subject_name(silence.what)),
            },
        };
        let seconds = match draft.reminded.checked_sub(1).and_then(|ix| REMINDERS.get(ix as usize)) {
            Some(after) => after.0 / Span::from_secs(1).0,
            None => 0,
        };
        let detail = match &draft.stage {
            Stage::Waiting => format!("{what}, drafted by {}, has waited {seconds} s for approval", draft.by),
            Stage::Approved(by) => format!("{what}, drafted by {}, was approved by {by}", draft.by),
            Stage::Withdrawn(by, _) => format!("{what}, drafted by {}, was withdrawn by {by}", draft.by),
            Stage::Expired => format!("{what}, drafted by {}, expired: nobody approved it", draft.by),
            Stage::SentUnapproved => {
                format!("{what}, drafted by {}, went out by policy: nobody approved it", draft.by)
            }
        };
        let key = TroubleKey { code: TroubleCode::ApprovalWaiting, subject: draft.number.to_string() };
        TroubleReport { key, present: draft.stage == Stage::Waiting, detail }
    }

    fn places_named(&self, issue: &Issue) -> String {
        let name = |&area| cell_name(Cell { hazard: issue.hazard, area }, &self.plan);
        let names: Vec<String> = issue.areas.iter().take(3).map(name).collect();
        let more = issue.areas.len() - names.len();
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        format!("{}{more}", names.join(", "))
    }

    /// Those with the role `approver` who answer for where a draft is about.
    pub(in crate::judging) fn approvers(&self, key: &TroubleKey) -> Vec<TargetIx> {
        if key.code != TroubleCode::ApprovalWaiting {
            return Vec::new();
        }
        let Some(draft) = self.orders.drafts.values().find(|it| it.number.to_string() == key.subject) else {
            return Vec::new();
        };
        let areas = self.proposal_areas(&draft.proposal).unwrap_or_default();
        let all = self.plan.targets.iter().zip(0..);
        let approves = all.filter_map(|(target, ix)| {
            let target = target.as_ref()?;
            let answers = target.area.is_none_or(|own| areas.iter().any(|&it| self.plan.lies_in(it, own)));
            (answers && target.roles.iter().any(|role| role == "approver")).then_some(TargetIx(ix))
        });
        approves.collect()
    }
}

/// Areas in order, each once: the same proposal has the same digest.
fn normal(proposal: &Proposal) -> Proposal {
    match proposal {
        Proposal::Warning(issue) => {
            let areas: BTreeSet<_> = issue.areas.iter().copied().collect();
            Proposal::Warning(Issue { areas: areas.into_iter().collect(), ..issue.clone() })
        }
        Proposal::Silence(silence) => Proposal::Silence(silence.clone()),
    }
}
