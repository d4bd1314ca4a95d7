//! Warnings by hand from their approval to their end; corrections and notes.

use super::Standing;
use crate::authority::By;
use crate::event::Decision;
use crate::ids::{OutputId, TargetIx};
use crate::judging::AreaStage;
use crate::judging::decide::{Stamp, Words};
use crate::judging::warnings::{Sent, first_round};
use crate::level::{Certainty, Level};
use crate::orders::{Ending, Issue, Note, Refusal, Texts};
use crate::time::{Moment, Timestamp};
use crate::warning::{About, ByHand, Cell, Kind, Reason, Revision};

impl AreaStage {
    /// An approved warning goes out, with what it asks of those it goes to.
    pub(super) fn issued(
        &self,
        issue: &Issue,
        draft: OutputId,
        targets: &[TargetIx],
        stamp: &Stamp,
    ) -> Vec<Decision> {
        let former = issue.updates.and_then(|warning| self.warnings.get(warning));
        let (kind, due) = match former {
            Some(sent) => (Kind::Update, sent.due(Kind::Update, targets)),
            None => (Kind::Alert, targets.iter().copied().map(first_round).collect()),
        };
        let peak = former.map_or(issue.level, |sent| sent.newest.peak.max(issue.level));
        let civil = stamp.moment.civil();
        let ByHand { hazard, areas, .. } = ByHand { draft, hazard: issue.hazard, areas: issue.areas.clone() };
        let words = Words {
            kind,
            reason: Reason::Manual,
            about: About::Manual(ByHand { draft, hazard, areas }),
            level: issue.level,
            peak,
            certainty: Certainty::Likely,
            onset: former.map_or(civil, |sent| sent.newest.onset),
            stale: false,
            lost: 0,
            evidence: (Vec::new(), 0),
            detail: &former.map_or(String::new(), |sent| self.notes_of(sent.newest.warning)),
            // It is news, and seen by nobody.
            seen: None,
        };
        let revision = self.revision(words, former.map(|it| &it.newest), due, stamp.id(1), stamp.moment);
        let revision =
            Revision { expires: civil + issue.lasting, texts: Some(issue.texts.clone()), ..revision };
        let asked = self.asked_by(&revision, stamp);
        [Decision::Revision(revision)].into_iter().chain(asked).collect()
    }

    /// A revision of a warning by hand is now so.
    pub(in crate::judging) fn apply_by_hand(&mut self, revision: &Revision, moment: Moment) {
        let warning = revision.warning;
        if revision.kind.is_last() {
            self.orders.standing.remove(&warning);
        } else if revision.reason == Reason::Manual {
            let lasting = revision.expires - moment.civil();
            let ends = moment.at + lasting;
            let notice = self.plan.settings.renew_before.min(crate::time::Span(lasting.0 / 2));
            self.orders.standing.insert(warning, Standing { ends, says: Some(ends - notice) });
        } else if let Some(standing) = self.orders.standing.get_mut(&warning)
            && revision.reason == Reason::EndsSoon
        {
            standing.says = None;
        }
    }

    /// The end of a warning by hand is near, or here.
    pub(super) fn decide_standing(&self, warning: OutputId, stamp: &Stamp) -> Vec<Decision> {
        let (Some(standing), Some(sent)) = (self.orders.standing.get(&warning), self.warnings.get(warning))
        else {
            return Vec::new();
        };
        let is_due = |due: Timestamp| due <= stamp.moment.at && !self.held;
        if is_due(standing.ends) {
            return vec![Decision::Lapsed(warning)];
        }
        if !standing.says.is_some_and(is_due) {
            return Vec::new();
        }
        let detail = self.notes_of(warning);
        vec![Decision::Revision(self.again(sent, (Kind::Update, Reason::EndsSoon), &detail, stamp))]
    }

    /// What was said by hand, said again for another reason, to all who got it or may have.
    fn again(&self, sent: &Sent, say: (Kind, Reason), detail: &str, stamp: &Stamp) -> Revision {
        let (newest, (kind, reason)) = (&sent.newest, say);
        let level = match reason {
            Reason::EndedByHand => Level::Normal,
            _ => newest.level,
        };
        let words = Words {
            kind,
            reason,
            about: newest.about.clone(),
            level,
            peak: newest.peak,
            certainty: Certainty::Likely,
            onset: newest.onset,
            stale: newest.stale,
            lost: newest.lost,
            evidence: (newest.evidence.clone(), newest.sensors),
            detail,
            seen: Some(sent.seen(&self.plan)),
        };
        let due = sent.due(kind, &[]);
        let revision = self.revision(words, Some(newest), due, stamp.id(0), stamp.moment);
        // Its end is what was stated; what a person wrote goes with it until it is over.
        let texts = newest.texts.clone().filter(|_| !kind.is_last());
        Revision { expires: newest.expires.max(revision.sent), texts, ..revision }
    }

    /// What a standing warning says is corrected.
    pub(super) fn correct(
        &self,
        warning: OutputId,
        texts: &Texts,
        stamp: &Stamp,
    ) -> Result<Vec<Decision>, Refusal> {
        if !texts.is_whole() {
            return Err(Refusal::Texts);
        }
        let sent = self.standing(warning)?;
        let detail = self.notes_of(warning);
        let say = (Kind::Update, Reason::Corrected);
        let revision = match &sent.newest.about {
            About::Manual(_) => self.again(sent, say, &detail, stamp),
            About::Incident(cell) => {
                let Some(state) = self.cells.get(cell) else { return Err(Refusal::Decided) };
                let incident = state.incident.as_ref().ok_or(Refusal::Decided)?;
                self.incident_revision(say, incident, state, stamp.id(0), stamp.moment, &detail)
            }
            About::Trouble(_) | About::NotifyTest | About::Canary(_) => return Err(Refusal::Kind),
        };
        // A correction is owed to whoever got what was wrong: no mute hides it.
        let due = sent.due(Kind::Update, &[]);
        let texts = Some(texts.clone());
        Ok(vec![Decision::Revision(Revision { texts, due, muted: None, ..revision })])
    }

    /// A warning that stands, as it was sent.
    fn standing(&self, warning: OutputId) -> Result<&Sent, Refusal> {
        if self.held {
            return Err(Refusal::Held);
        }
        let sent = self.warnings.get(warning).ok_or(Refusal::Unknown)?;
        let stands = match &sent.newest.about {
            About::Incident(cell) => self.cells.get(cell).is_some_and(|it| it.warning == Some(warning)),
            About::Manual(_) => self.orders.standing.contains_key(&warning),
            About::Trouble(_) | About::NotifyTest | About::Canary(_) => return Err(Refusal::Kind),
        };
        if stands { Ok(sent) } else { Err(Refusal::Decided) }
    }

    /// A warning is ended by hand.
    pub(super) fn end(
        &self,
        warning: OutputId,
        ending: Ending,
        text: &str,
        stamp: &Stamp,
    ) -> Result<Vec<Decision>, Refusal> {
        let sent = self.standing(warning)?;
        let (kind, reason) = match ending {
            Ending::AllClear => (Kind::AllClear, Reason::EndedByHand),
            Ending::Cancel => (Kind::Cancel, Reason::InError),
        };
        match &sent.newest.about {
            About::Incident(cell) => Ok(self.end_by_hand(*cell, kind, text, stamp)),
            _ => Ok(vec![Decision::Revision(self.again(sent, (kind, reason), text, stamp))]),
        }
    }

    /// Somebody leaves a note.
    pub(super) fn note(
        &self,
        warning: Option<OutputId>,
        text: &str,
        by: &By,
        stamp: &Stamp,
    ) -> Result<Vec<Decision>, Refusal> {
        if text.trim().is_empty() {
            return Err(Refusal::Empty);
        }
        if warning.is_some_and(|warning| self.warnings.get(warning).is_none()) {
            return Err(Refusal::Unknown);
        }
        let (by, at, text) = (by.account.clone(), stamp.moment.civil(), text.trim().to_owned());
        Ok(vec![Decision::Noted(Note { id: stamp.id(0), warning, by, at, text })])
    }

    /// The notes that wait for the next revision of a warning.
    pub(in crate::judging) fn notes_of(&self, warning: OutputId) -> String {
        self.orders.notes.get(&warning).map_or_else(String::new, |notes| notes.join("; "))
    }

    /// They went out with a revision, or there is none to come.
    pub(in crate::judging) fn notes_told(&mut self, warning: OutputId) {
        self.orders.notes.remove(&warning);
    }

    /// Places of warnings by hand that stand.
    pub(in crate::judging) fn by_hand(&self) -> impl Iterator<Item = Cell> {
        let newest = self.orders.standing.keys().filter_map(|&warning| self.newest(warning));
        newest.flat_map(|newest| newest.about.cells())
    }
}
