//! Deciding: pure functions from what is known to what follows.

use super::incident::{Owed, Routed, Ruled, Sight, judge};
use super::surety::{certainty, urgency};
use super::troubles::{Turn, level as trouble_level};
use super::votes::Terms;
use super::warnings::{Sent, first_round};
use super::{AreaStage, CellState, Work, concern, routing};
use crate::authority::By;
use crate::event::{Command, Decision, PlanRef, TroubleReport};
use crate::ids::{OutputId, TargetIx};
use crate::level::{Certainty, Level, Status, Urgency};
use crate::orders::Refusal;
use crate::sensing::SOURCES_MAX;
use crate::time::{Moment, Timestamp};
use crate::warning::{About, Cell, Due, Evidence, Incident, Kind, Phase, Reason, Revision, Seen, TroubleKey};

/// When something is decided, and what the next decision is called.
#[derive(Debug, Clone, Copy)]
pub struct Stamp {
    /// When.
    pub moment: Moment,
    /// The id of the first decision made under it; the others count on.
    pub first: OutputId,
}

impl Stamp {
    pub(super) fn id(&self, ahead: usize) -> OutputId {
        OutputId { ordinal: self.first.ordinal + ahead as u32, ..self.first }
    }

    /// The same, so many decisions on.
    pub(super) fn ahead(&self, ahead: usize) -> Stamp {
        Stamp { first: self.id(ahead), ..*self }
    }
}

/// What a revision says beyond what follows from the rest.
pub(super) struct Words<'a> {
    pub(super) kind: Kind,
    pub(super) reason: Reason,
    pub(super) about: About,
    pub(super) level: Level,
    pub(super) peak: Level,
    pub(super) certainty: Certainty,
    pub(super) onset: Timestamp,
    pub(super) stale: bool,
    pub(super) lost: u32,
    pub(super) evidence: (Vec<Evidence>, u32),
    pub(super) detail: &'a str,
    pub(super) seen: Option<Seen>,
}

impl AreaStage {
    /// What follows from one piece of work.
    pub fn decide(&self, work: &Work, stamp: &Stamp) -> Vec<Decision> {
        match work {
            Work::Asks(warning) => self.decide_asks(*warning, stamp),
            Work::Cell(cell) => self.decide_cell(*cell, stamp),
            Work::Order(order) => self.decide_order(*order, stamp),
            Work::Canary(every) => self.decide_canary(*every, stamp),
            Work::Claim(claim) => {
                let untold = || self.is_untold(claim).then_some(Turn::Grew);
                let expires = || self.is_expiring(claim, stamp.moment).then_some(Turn::Renewed);
                let turn = self.troubles.turn(claim).or_else(untold).or_else(expires);
                let Some(turn) = turn else { return Vec::new() };
                let revision = self.trouble_revision(&claim.key, turn, &claim.detail, stamp);
                vec![Decision::Trouble(claim.clone()), Decision::Revision(revision)]
            }
        }
    }

    /// What follows from what a person asked for.
    pub fn decide_command(&self, command: &Command, by: &By, stamp: &Stamp) -> Vec<Decision> {
        if let Err(denied) = self.permits(command, by) {
            return vec![Decision::Refused(Refusal::Denied(denied))];
        }
        match command {
            Command::NotifyTest(targets, text) if !self.held => {
                vec![Decision::Revision(self.notify_test(targets, text, stamp))]
            }
            Command::AllClear(cell, text) => self.end_by_hand(*cell, Kind::AllClear, text, stamp),
            Command::Cancel(cell, text) => self.end_by_hand(*cell, Kind::Cancel, text, stamp),
            Command::Resend(warning, target) => self.resend(*warning, *target).into_iter().collect(),
            Command::Acknowledge(warning, number, target) => {
                self.acknowledge(*warning, *number, *target, stamp.moment.at)
            }
            Command::Resume if self.held => vec![Decision::Resumed],
            Command::Correct(..)
            | Command::Propose(_)
            | Command::Approve(..)
            | Command::Withdraw(..)
            | Command::Unmute(_)
            | Command::Note(..)
            | Command::End(..) => self
                .decide_asked(command, by, stamp)
                .unwrap_or_else(|refusal| vec![Decision::Refused(refusal)]),
            // Held, nothing but Trouble goes out; and what is not held need not resume.
            Command::NotifyTest(..) | Command::Resume => Vec::new(),
        }
    }

    /// Why a plan cannot be put in force, in words: it would drop the place or
    /// the hazard of a warning that stands, or is larger than can be kept.
    pub fn refuses(&self, plan: &PlanRef) -> Option<String> {
        let Some(body) = &plan.body else {
            return Some("the plan's file is missing, expected it beside the log".into());
        };
        if body.sources.len() > SOURCES_MAX {
            let count = body.sources.len();
            return Some(format!("the plan has {count} sources, expected {SOURCES_MAX} at most"));
        }
        if plan.orphan {
            return None;
        }
        let warned = self.incidents().filter(|it| matches!(it.phase, Phase::Active | Phase::Easing));
        let lost: Vec<String> = warned
            .map(|incident| incident.cell)
            .chain(self.by_hand())
            .filter(|cell| body.area(cell.area).is_none() || body.hazard(cell.hazard).is_empty())
            .map(|cell| self.name(cell))
            .take(super::outages::NAMES_MAX)
            .collect();
        (!lost.is_empty()).then(|| {
            format!(
                "{} has a warning that stands, expected its area and hazard to stay until the all-clear \
                 (or tell the reload to orphan it)",
                lost.join(", ")
            )
        })
    }

    fn decide_cell(&self, cell: Cell, stamp: &Stamp) -> Vec<Decision> {
        let Some(state) = self.cells.get(&cell) else { return Vec::new() };
        let sight = self.sight(state, cell, stamp.moment);
        let Some(judged) = judge(&sight) else {
            return self.owed_end(state, cell, stamp).into_iter().map(Decision::Revision).collect();
        };
        let mut incident = Incident { cell, ..judged.incident };
        if state.incident.is_none() {
            incident.id = stamp.id(0);
        }
        // What nobody has heard of needs no end.
        let heard = |&(kind, _): &(Kind, Reason)| !kind.is_last() || state.warning.is_some();
        let Some((kind, reason)) = judged.say.filter(heard) else {
            let changed = state.incident.as_ref() != Some(&incident);
            return changed.then_some(Decision::Incident(incident)).into_iter().collect();
        };
        incident.warning = state.warning;
        let changed = state.incident.as_ref() != Some(&incident) || incident.warning.is_none();
        let id = stamp.id(usize::from(changed));
        incident.warning = Some(state.warning.unwrap_or(id));
        let revision = self.incident_revision((kind, reason), &incident, state, id, stamp.moment, "");
        let incident = changed.then_some(Decision::Incident(incident));
        let asked = self.asked_by(&revision, stamp);
        incident.into_iter().chain([Decision::Revision(revision)]).chain(asked).collect()
    }

    /// The all-clear of an incident that ended while a restored directory was held.
    fn owed_end(&self, state: &CellState, cell: Cell, stamp: &Stamp) -> Option<Revision> {
        let warning = state.warning.filter(|_| state.owes && !self.held)?;
        // Nothing is left of the incident but what was said of it.
        let (onset, peak) = self.newest(warning).map(|told| (told.onset, told.peak)).unwrap_or_default();
        let ended = Incident { cell, warning: Some(warning), onset, peak, ..Incident::default() };
        let say = (Kind::AllClear, Reason::Eased);
        Some(self.incident_revision(say, &ended, state, stamp.id(0), stamp.moment, ""))
    }

    pub(super) fn end_by_hand(&self, cell: Cell, kind: Kind, text: &str, stamp: &Stamp) -> Vec<Decision> {
        let Some(state) = self.cells.get(&cell).filter(|_| !self.held) else { return Vec::new() };
        let Some(incident) = state.incident.as_ref().filter(|it| it.warning.is_some()) else {
            // Nobody has heard of it, so there is nothing to end.
            return Vec::new();
        };
        let reason = if kind == Kind::Cancel { Reason::InError } else { Reason::EndedByHand };
        let level = if kind == Kind::Cancel { incident.level } else { Level::Normal };
        let closed = Incident { phase: Phase::Closed, level, stale: false, ..incident.clone() };
        let revision =
            self.incident_revision((kind, reason), &closed, state, stamp.id(1), stamp.moment, text);
        vec![Decision::Incident(closed), Decision::Revision(revision)]
    }

    fn resend(&self, warning: OutputId, target: TargetIx) -> Option<Decision> {
        let sent = self.warnings.get(warning)?;
        let about_trouble = matches!(sent.newest.about, About::Trouble(_));
        if self.held && !about_trouble {
            return None;
        }
        Some(Decision::Resent { warning, number: sent.newest.number, due: sent.again(target)? })
    }

    /// All that a judgement of one cell rests on.
    pub(super) fn sight<'a>(&'a self, state: &'a CellState, cell: Cell, moment: Moment) -> Sight<'a> {
        let sent = state.warning.and_then(|warning| self.warnings.get(warning));
        let bereft = state.bereft && !state.is_supported(moment.at);
        let incident = state.incident.as_ref().filter(|incident| incident.phase != Phase::Pending);
        let silenced = incident.and_then(|incident| {
            self.silenced(incident, || state.votes.evidence(incident, moment.at, &self.plan))
        });
        let is_hidden = silenced.is_none() && sent.is_some_and(Sent::is_hidden);
        Sight {
            votes: &state.votes,
            losses: &state.losses,
            incident: state.incident.as_ref(),
            sent,
            ruled: if self.index.has_rule(cell) && !bereft { Ruled::Yes } else { Ruled::No },
            // What a mute hid is told once it does so no more.
            owed: match (self.held, state.owes || is_hidden) {
                (true, _) => Owed::Nothing,
                (false, true) => Owed::Standing,
                (false, false) => Owed::Changes,
            },
            // Only asked where nobody has heard yet: it walks all routes and targets.
            routed: match &state.incident {
                Some(incident) if sent.is_some_and(Sent::is_unheard) && silenced.is_none() => {
                    self.routed(incident, moment)
                }
                Some(_) | None => Routed::No,
            },
            intake: self.intake,
            terms: self.terms(),
            moment,
        }
    }

    fn routed(&self, incident: &Incident, moment: Moment) -> Routed {
        let (Cell { hazard, area }, civil) = (incident.cell, moment.civil());
        if !routing::targets(&self.plan, hazard, area, incident.level, civil).is_empty() {
            return Routed::Yes;
        }
        routing::hours_begin(&self.plan, civil).map_or(Routed::No, |at| Routed::NotBefore(moment.engine(at)))
    }

    fn terms(&self) -> Terms<'_> {
        Terms { plan: &self.plan, index: &self.index }
    }

    pub(super) fn incident_revision(
        &self,
        (kind, reason): (Kind, Reason),
        incident: &Incident,
        state: &CellState,
        id: OutputId,
        moment: Moment,
        detail: &str,
    ) -> Revision {
        let former = state.warning.and_then(|warning| self.warnings.get(warning));
        let (kind, reason) = match (kind, former) {
            // What a restored directory says first may follow what others have heard,
            (Kind::Alert, Some(_)) => (Kind::Update, reason),
            // or be the first word of what it judged while it was held.
            (Kind::Update, None) => (Kind::Alert, Reason::Raised),
            (Kind::Alert | Kind::Update | Kind::AllClear | Kind::Cancel, _) => (kind, reason),
        };
        let evidence = state.votes.evidence(incident, moment.at, &self.plan);
        // Whoever heard of the danger hears of its end.
        let muted = if kind.is_last() { None } else { self.silenced(incident, || evidence.clone()) };
        let goes_to_all = kind == Kind::Alert
            || reason.is_news()
            || (kind == Kind::Update && former.is_some_and(Sent::is_unheard));
        let routed = if goes_to_all {
            let Cell { hazard, area } = incident.cell;
            routing::targets(&self.plan, hazard, area, incident.level, moment.civil())
        } else {
            Vec::new()
        };
        let due = match former {
            _ if muted.is_some() => Vec::new(),
            Some(sent) => sent.due(kind, &routed),
            None => routed.into_iter().map(first_round).collect(),
        };
        let notes = state.warning.filter(|_| detail.is_empty()).map(|warning| self.notes_of(warning));
        let words = Words {
            kind,
            reason,
            about: About::Incident(incident.cell),
            level: incident.level,
            peak: incident.peak,
            certainty: certainty(kind, reason, incident, state, moment.at, self.terms()),
            onset: incident.onset,
            stale: incident.stale,
            lost: if kind.is_last() { 0 } else { state.losses.apart(moment.at, &self.plan) },
            evidence,
            detail: notes.as_deref().unwrap_or(detail),
            // What is news has been seen by nobody.
            seen: former.filter(|_| !reason.is_news()).map(|sent| sent.seen(&self.plan)),
        };
        let revision = self.revision(words, former.map(|sent| &sent.newest), due, id, moment);
        // A correction holds for what is said further, until that is news.
        let corrected = former.and_then(|sent| sent.newest.texts.clone());
        let texts = corrected.filter(|_| !kind.is_last() && !reason.is_news());
        Revision { texts, muted, ..revision }
    }

    /// Whether a trouble stands that an operator of the plan in force never heard of.
    fn is_untold(&self, claim: &TroubleReport) -> bool {
        let warning = || self.troubles.standing().get(&claim.key)?.warning;
        let sent = || self.warnings.get(warning()?);
        claim.present && sent().is_some_and(|sent| sent.is_news_to(&self.plan.operator))
    }

    /// Whether a trouble stands whose warning is to be renewed.
    fn is_expiring(&self, claim: &TroubleReport, moment: Moment) -> bool {
        claim.present && self.trouble_renewal(&claim.key, moment).is_some_and(|due| due <= moment.at)
    }

    /// Engine time at which a standing trouble's warning is renewed.
    pub(super) fn trouble_renewal(&self, key: &TroubleKey, moment: Moment) -> Option<Timestamp> {
        let sent = self.warnings.get(self.troubles.standing().get(key)?.warning?)?;
        Some(sent.renewal(&self.plan.settings, moment))
    }

    fn trouble_revision(&self, key: &TroubleKey, turn: Turn, detail: &str, stamp: &Stamp) -> Revision {
        let standing = self.troubles.standing().get(key);
        let former = standing.and_then(|trouble| self.warnings.get(trouble.warning?));
        let (kind, reason) = match turn {
            Turn::Raised => (Kind::Alert, Reason::TroubleRaised),
            Turn::Grew => (Kind::Update, Reason::TroubleRaised),
            Turn::Renewed => (Kind::Update, Reason::Renewed),
            Turn::Ended => (Kind::AllClear, Reason::TroubleEnded),
        };
        let hear = || self.plan.operator.iter().copied().chain(self.approvers(key)).collect();
        let operator: Vec<TargetIx> = if turn == Turn::Ended { Vec::new() } else { hear() };
        let due = former.map_or_else(
            || {
                let mut due: Vec<Due> = operator.iter().copied().map(first_round).collect();
                due.sort_unstable();
                due.dedup();
                due
            },
            |sent| sent.due(kind, &operator),
        );
        let peak = trouble_level(key.code);
        let words = Words {
            kind,
            reason,
            about: About::Trouble(key.clone()),
            level: if turn == Turn::Ended { Level::Normal } else { peak },
            peak,
            certainty: Certainty::Observed,
            onset: standing.map_or(stamp.moment.civil(), |trouble| trouble.since),
            stale: false,
            lost: 0,
            evidence: (Vec::new(), 0),
            seen: former.filter(|_| turn != Turn::Grew).map(|sent| sent.seen(&self.plan)),
            // What is over is named by what stood.
            detail: if detail.is_empty() { standing.map_or("", |trouble| &trouble.detail) } else { detail },
        };
        self.revision(words, former.map(|sent| &sent.newest), due, stamp.id(1), stamp.moment)
    }

    fn notify_test(&self, targets: &[TargetIx], text: &str, stamp: &Stamp) -> Revision {
        let mut due: Vec<Due> = targets
            .iter()
            .filter(|&&target| self.plan.target(target).is_some())
            .map(|&target| first_round(target))
            .collect();
        due.sort_unstable();
        due.dedup();
        let words = Words {
            kind: Kind::Alert,
            reason: Reason::NotifyTest,
            about: About::NotifyTest,
            level: Level::Blue,
            peak: Level::Blue,
            certainty: Certainty::Observed,
            onset: stamp.moment.civil(),
            stale: false,
            lost: 0,
            evidence: (Vec::new(), 0),
            detail: text,
            seen: None,
        };
        Revision { status: Status::Exercise, ..self.revision(words, None, due, stamp.id(0), stamp.moment) }
    }

    /// A revision, complete in itself.
    pub(super) fn revision(
        &self,
        words: Words<'_>,
        former: Option<&Revision>,
        due: Vec<Due>,
        id: OutputId,
        moment: Moment,
    ) -> Revision {
        let sent = former.map_or(moment.civil(), |former| former.sent.max(moment.civil()));
        let (evidence, sensors) = words.evidence;
        Revision {
            id,
            warning: former.map_or(id, |former| former.warning),
            number: former.map_or(1, |former| former.number + 1),
            kind: words.kind,
            reason: words.reason,
            about: words.about,
            status: self.plan.settings.status,
            level: words.level,
            urgency: match (words.kind.is_last(), concern::is_of_concern(words.lost)) {
                (true, _) => Urgency::Past,
                (false, true) => Urgency::Immediate,
                (false, false) => urgency(words.level),
            },
            severity: if concern::is_of_concern(words.lost) {
                words.level.severity().worse()
            } else {
                words.level.severity()
            },
            certainty: words.certainty,
            onset: words.onset,
            sent,
            expires: sent + self.plan.settings.expires_after,
            stale: words.stale,
            evidence,
            sensors,
            detail: words.detail.into(),
            due,
            peak: words.peak,
            seen: words.seen,
            texts: None,
            muted: None,
            lost: words.lost,
        }
    }
}
