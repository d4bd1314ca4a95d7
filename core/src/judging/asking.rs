//! Acknowledgement: who is asked for it, who is told next where nobody gives
//! it, and when people are asked again.
//!
//! Every route that wants one asks by itself. One of those it reached, or of
//! those told since, is enough; until then it goes on from group to group, and
//! last to the operator. Where the operator does not answer either, that is a
//! trouble, and red is asked about anew. A higher level asks anew: what was seen
//! is not what now holds.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};

use super::decide::Stamp;
use super::shared::Shared;
use super::warnings::Sent;
use super::{AreaStage, routing};
use crate::event::Decision;
use crate::ids::{OutputId, TargetIx};
use crate::level::Level;
use crate::time::{Span, Timestamp};
use crate::warning::{About, Ask, Cell, Due, Revision, TroubleCode};

/// What is asked about every standing warning.
#[derive(Debug, Clone, PartialEq, Default, Encode, Decode)]
pub(super) struct Asking {
    #[n(0)]
    asks: BTreeMap<OutputId, Shared<Vec<Ask>>>,
    /// Warnings whose time came, not yet decided on.
    #[n(1)]
    rung: BTreeSet<OutputId>,
    /// Those on which the log records something else than this version
    /// decides: taken up again at the next start.
    #[n(2)]
    deferred: BTreeSet<OutputId>,
    /// Those still to ring, by when the first of their asks goes on: looked at with
    /// every event, so that it is kept. Follows from the rest.
    #[cbor(skip)]
    dues: BTreeSet<(Timestamp, OutputId)>,
}

impl Asking {
    /// Works out anew when each goes on, after a snapshot was loaded.
    pub(super) fn rearm(&mut self) {
        let (asks, rung, deferred) = (&self.asks, &self.rung, &self.deferred);
        let waiting =
            asks.iter().filter(|(warning, _)| !rung.contains(warning) && !deferred.contains(warning));
        self.dues = waiting.filter_map(|(&warning, asks)| Some((first_due(asks)?, warning))).collect();
    }

    fn wait(&mut self, warning: OutputId) {
        let is_known = self.rung.contains(&warning) || self.deferred.contains(&warning);
        let due = first_due(self.of(warning)).filter(|_| !is_known);
        self.dues.extend(due.map(|due| (due, warning)));
    }

    fn wait_no_more(&mut self, warning: OutputId) {
        if let Some(due) = first_due(self.of(warning)) {
            self.dues.remove(&(due, warning));
        }
    }

    /// What is asked about a warning, one a route.
    pub(super) fn of(&self, warning: OutputId) -> &[Ask] {
        self.asks.get(&warning).map_or(&[], |asks| asks)
    }

    /// Engine time at which one of them goes on.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.dues.first().map(|&(due, _)| due)
    }

    /// Time has come to `at`: what is due is to be decided on.
    pub(super) fn ring(&mut self, at: Timestamp) {
        while let Some(&(due, warning)) = self.dues.first()
            && due <= at
        {
            self.dues.pop_first();
            self.rung.insert(warning);
        }
    }

    /// The first that is to be decided on.
    pub(super) fn next_rung(&self) -> Option<OutputId> {
        self.rung.first().copied()
    }

    /// It is being decided on. What comes of it says when it rings again: where
    /// nothing does, it must not ring for ever.
    pub(super) fn take(&mut self, warning: OutputId) {
        self.rung.remove(&warning);
    }

    /// It is decided on again at the next start.
    pub(super) fn defer(&mut self, warning: OutputId) {
        self.wait_no_more(warning);
        self.deferred.insert(warning);
    }

    /// The service started: its own downtime took nobody's time to acknowledge.
    pub(super) fn started(&mut self, downtime: Span) {
        self.rung.append(&mut self.deferred);
        for asks in self.asks.values_mut() {
            for due in asks.edit().iter_mut().filter_map(|ask| ask.due.as_mut()) {
                *due = *due + downtime;
            }
        }
        self.rearm();
    }

    /// A restored directory acts again: from here on people have their whole time.
    pub(super) fn restart(&mut self, at: Timestamp) {
        self.rung.clear();
        for asks in self.asks.values_mut() {
            for ask in asks.edit().iter_mut().filter(|ask| ask.due.is_some()) {
                let again = ask.terms.again.filter(|_| ask.acknowledged);
                ask.due = Some(at + again.unwrap_or(ask.terms.within));
            }
        }
        self.rearm();
    }

    /// What is asked about a warning is now so.
    pub(super) fn set(&mut self, warning: OutputId, asks: &[Ask]) {
        self.wait_no_more(warning);
        self.rung.remove(&warning);
        self.deferred.remove(&warning);
        if asks.is_empty() {
            self.asks.remove(&warning);
        } else {
            self.asks.insert(warning, Shared::new(asks.to_vec()));
        }
        self.wait(warning);
    }
}

fn first_due(asks: &[Ask]) -> Option<Timestamp> {
    asks.iter().filter_map(|ask| ask.due).min()
}

impl Ask {
    fn is_due(&self, at: Timestamp) -> bool {
        self.due.is_some_and(|due| due <= at)
    }
}

impl AreaStage {
    /// What a revision asks of those whom the plan routes it to: nothing, where
    /// it is no news to them or nobody is to acknowledge it. Whatever comes first
    /// to anybody is news.
    pub(super) fn asked_by(&self, revision: &Revision, stamp: &Stamp) -> Option<Decision> {
        let cells = revision.about.cells();
        let comes_first = self.warnings.get(revision.warning).is_some_and(Sent::is_unheard);
        let is_news = revision.reason.is_news() || comes_first;
        if cells.is_empty() || !is_news || revision.kind.is_last() || revision.muted.is_some() {
            return None;
        }
        let civil = stamp.moment.civil();
        let asks = self.plan.routes.iter().filter_map(|route| {
            let terms = route.ack.clone()?;
            let reached = cells.iter().flat_map(|&Cell { hazard, area }| {
                routing::reached(&self.plan, route, hazard, area, revision.level, civil)
            });
            let asked: Vec<_> = reached.collect::<BTreeSet<_>>().into_iter().collect();
            let due = Some(stamp.moment.at + terms.within);
            (!asked.is_empty()).then(|| Ask {
                asked,
                also: vec![],
                terms,
                via: route.via.clone(),
                step: 0,
                acknowledged: false,
                due,
                number: revision.number,
            })
        });
        let asks: Vec<Ask> = asks.collect();
        let stands = !self.asking.of(revision.warning).is_empty();
        let (warning, number) = (revision.warning, revision.number);
        (stands || !asks.is_empty()).then_some(Decision::Asked { warning, number, asks, due: vec![] })
    }

    /// What follows where somebody was to acknowledge by now, or is asked again.
    pub(super) fn decide_asks(&self, warning: OutputId, stamp: &Stamp) -> Vec<Decision> {
        let Some(sent) = self.warnings.get(warning).filter(|_| !self.held) else { return Vec::new() };
        let at = stamp.moment.at;
        let mut asks = self.asking.of(warning).to_vec();
        let mut told = BTreeSet::new();
        for ask in asks.iter_mut().filter(|ask| ask.is_due(at)) {
            let is_over = ask.acknowledged || ask.is_exhausted();
            let now_told = if is_over { ask_again(ask, sent, at) } else { self.go_on(ask, sent, at) };
            told.extend(now_told);
        }
        let due: Vec<Due> = told.into_iter().filter_map(|target| sent.due_again(target)).collect();
        vec![Decision::Asked { warning, number: sent.newest.number, asks, due }]
    }

    /// Nobody acknowledged: the next group that has anybody in it is told, and
    /// after the last the operator. Then nobody is left: what is red is asked
    /// about anew, where the route says when.
    fn go_on(&self, ask: &mut Ask, sent: &Sent, at: Timestamp) -> Vec<TargetIx> {
        let cells = sent.newest.about.cells();
        ask.due = None;
        while ask.step as usize <= ask.terms.then.len() {
            let next = match ask.terms.then.get(ask.step as usize) {
                Some(group) => {
                    let members = |cell: &Cell| routing::members(&self.plan, group, &ask.via, cell.area);
                    cells.iter().flat_map(members).collect::<BTreeSet<_>>().into_iter().collect()
                }
                None => self.plan.operator.clone(),
            };
            ask.step += 1;
            let next: Vec<TargetIx> =
                next.into_iter().filter(|target| !ask.told().any(|told| told == *target)).collect();
            if !next.is_empty() {
                ask.also.extend(&next);
                ask.due = Some(at + ask.terms.within);
                return next;
            }
        }
        ask.step = ask.terms.then.len() as u32 + 2;
        ask.due = ask.terms.again.filter(|_| sent.newest.level == Level::Red).map(|again| at + again);
        Vec::new()
    }

    /// What the operator has to know where nobody acknowledges a warning: once
    /// all were told, until somebody does.
    pub(super) fn tell_unacknowledged(&mut self, warning: OutputId) {
        let Some(sent) = self.warnings.get(warning) else { return };
        let Some(&cell) = sent.newest.about.cells().first() else { return };
        let name = match sent.newest.about {
            About::Manual(_) => format!("{} by hand", self.name(cell)),
            About::Incident(_) | About::Trouble(_) | About::NotifyTest | About::Canary(_) => self.name(cell),
        };
        let level = sent.newest.level;
        let asks = self.asking.of(warning);
        if asks.iter().all(|ask| ask.acknowledged) {
            self.troubles.end(TroubleCode::Unacknowledged, name);
        } else if asks.iter().any(Ask::is_exhausted) {
            let told: BTreeSet<TargetIx> = asks.iter().flat_map(Ask::told).collect();
            let detail = format!(
                "nobody has acknowledged {name} at {level}, and all who could be told were: {} addresses",
                told.len()
            );
            self.troubles.raise(TroubleCode::Unacknowledged, name, detail);
        }
    }

    /// What follows from an acknowledgement: nothing where it was said before,
    /// or by somebody whom the warning was never sent to.
    pub(super) fn acknowledge(
        &self,
        warning: OutputId,
        number: u32,
        target: TargetIx,
        at: Timestamp,
    ) -> Vec<Decision> {
        let sent = self.warnings.get(warning).filter(|_| !self.held);
        let Some(sent) = sent.filter(|sent| sent.is_unseen(target, number)) else { return Vec::new() };
        let number = number.min(sent.newest.number);
        let reach = sent.reach(number, target, &self.plan, at);
        let acknowledged = Decision::Acknowledged { warning, number, target, reach };
        let mut asks = self.asking.of(warning).to_vec();
        let same = |other: TargetIx| self.plan.contacts([other, target].into_iter()) == 1;
        let answered = |ask: &&mut Ask| !ask.acknowledged && ask.number <= number && ask.told().any(same);
        let mut answers = 0;
        for ask in asks.iter_mut().filter(answered) {
            ask.acknowledged = true;
            ask.due = ask.terms.again.map(|again| at + again);
            answers += 1;
        }
        let asked = Decision::Asked { warning, number: sent.newest.number, asks, due: vec![] };
        [acknowledged].into_iter().chain((answers > 0).then_some(asked)).collect()
    }
}

/// It was acknowledged long ago, or nobody was left to be told: while it is red,
/// those who were told are asked anew.
fn ask_again(ask: &mut Ask, sent: &Sent, at: Timestamp) -> Vec<TargetIx> {
    ask.due = None;
    if sent.newest.level < Level::Red {
        return Vec::new();
    }
    (ask.step, ask.acknowledged, ask.number) = (0, false, sent.newest.number);
    ask.due = Some(at + ask.terms.within);
    // Those who were told in their stead are told again if nobody answers.
    ask.also.clear();
    ask.asked.clone()
}
