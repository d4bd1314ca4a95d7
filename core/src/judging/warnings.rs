//! Warnings as sent: the newest revision of each, and who has heard of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use minicbor::{Decode, Encode};

use super::shared::Shared;
use crate::event::DeliveryOutcome;
use crate::ids::{OutputId, TargetIx};
use crate::level::Level;
use crate::plan::{Plan, Settings};
use crate::time::{Moment, Span, Timestamp};
use crate::warning::{Death, Due, Kind, Outcome, Reach, Revision, Seen};

/// Ended warnings kept for late outcomes and for `resend`; the oldest go first.
const ENDED_MAX: usize = 1024;

/// However short the plan makes a warning's life, it is not renewed more often.
const RENEW_MIN: Span = Span::from_mins(1);

/// A warning as its targets know it.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(super) struct Sent {
    /// The newest revision.
    #[n(0)]
    pub(super) newest: Revision,
    /// Engine time at which it was made.
    #[n(1)]
    pub(super) made: Timestamp,
    /// Everyone who was ever due a revision of it; boxed, since most often it is one,
    /// and a map makes room for eleven.
    #[n(2)]
    heard: BTreeMap<TargetIx, Box<Heard>>,
    /// The newest revision that was news: what came before it acknowledges nothing now.
    #[n(3)]
    #[cbor(default)]
    news: u32,
    /// The level that was last told, where that is not the newest revision's: a
    /// mute hid what came since.
    #[n(4)]
    #[cbor(default)]
    told: Option<Level>,
    /// Engine time at which that newest news was made.
    #[n(5)]
    #[cbor(default)]
    news_at: Timestamp,
}

/// What one target was due of a warning.
#[derive(Debug, Clone, PartialEq, Default, Encode, Decode)]
struct Heard {
    /// The round of the newest delivery.
    #[n(0)]
    round: u32,
    /// Revisions that are on their way, or were when last heard of: any of them
    /// may have been attempted.
    #[n(1)]
    open: BTreeSet<u32>,
    /// One of them was attempted for sure.
    #[n(2)]
    attempted: bool,
    /// The contact was erased: nothing is due any more.
    #[n(4)]
    erased: bool,
    /// The newest revision that was acknowledged at this address.
    #[n(5)]
    seen: Option<u32>,
    /// The newest revision that was given up; `None` once it, or a later one, arrived.
    #[n(6)]
    given_up: Option<u32>,
    /// As `seen`, but for good: whoever is asked again has had it before them all the same.
    #[n(7)]
    #[cbor(default)]
    had: Option<u32>,
}

impl Heard {
    fn was_attempted(&self) -> bool {
        self.attempted || !self.open.is_empty()
    }
}

impl Sent {
    /// Who is due a further revision: all earlier targets, and those newly routed.
    pub(super) fn due(&self, kind: Kind, routed: &[TargetIx]) -> Vec<Due> {
        // An end says nothing to those whom nothing ever reached.
        let earlier = self.heard.iter().filter(|(_, heard)| !kind.is_last() || heard.was_attempted());
        let mut targets: Vec<TargetIx> = earlier.map(|(&target, _)| target).chain(routed.to_vec()).collect();
        targets.sort_unstable();
        targets.dedup();
        targets.retain(|target| self.heard.get(target).is_none_or(|heard| !heard.erased));
        targets.into_iter().map(first_round).collect()
    }

    /// Whether some of these have never been due any of it.
    pub(super) fn is_news_to(&self, targets: &[TargetIx]) -> bool {
        targets.iter().any(|target| !self.heard.contains_key(target))
    }

    /// Whether nobody is left who could have heard of it.
    pub(super) fn is_unheard(&self) -> bool {
        self.heard.values().all(|heard| heard.erased)
    }

    /// The next round of the newest revision for one target, if that was ever due it.
    pub(super) fn again(&self, target: TargetIx) -> Option<Due> {
        let heard = self.heard.get(&target).filter(|heard| !heard.erased)?;
        let was_due = self.newest.due.iter().any(|due| due.target == target);
        Some(Due { target, round: if was_due { heard.round + 1 } else { 0 } })
    }

    /// The newest revision for one target, in its next round if it was ever due
    /// it; `None` for one that was erased.
    pub(super) fn due_again(&self, target: TargetIx) -> Option<Due> {
        if self.heard.contains_key(&target) { self.again(target) } else { Some(first_round(target)) }
    }

    /// Whether an acknowledgement of this revision says anything new.
    pub(super) fn is_unseen(&self, target: TargetIx, number: u32) -> bool {
        let heard = self.heard.get(&target).filter(|heard| !heard.erased);
        heard.is_some_and(|heard| heard.seen.is_none_or(|seen| seen < number))
    }

    /// How many of those who were told have acknowledged it as it holds now.
    pub(super) fn seen(&self, plan: &Plan) -> Seen {
        let told = self.heard.iter().filter(|(_, heard)| !heard.erased);
        let seen = told.clone().filter(|(_, heard)| heard.seen >= Some(self.news));
        Seen { by: plan.contacts(seen.map(|(&it, _)| it)), of: plan.contacts(told.map(|(&it, _)| it)) }
    }

    /// What it adds to the reach of what is news that somebody acknowledges this
    /// revision at this address: nothing, where they did before or had less before them.
    pub(super) fn reach(&self, number: u32, target: TargetIx, plan: &Plan, at: Timestamp) -> Option<Reach> {
        let same = |other: TargetIx| plan.contacts([other, target].into_iter()) == 1;
        let had = self.heard.iter().filter(|(_, heard)| !heard.erased && heard.had >= Some(self.news));
        let had: Vec<TargetIx> = had.map(|(&target, _)| target).collect();
        if number < self.news || had.iter().any(|&other| same(other)) {
            return None;
        }
        let by = plan.contacts(had.into_iter()) + 1;
        Some(Reach { after: at - self.news_at, seen: Seen { by, of: self.seen(plan).of } })
    }

    /// Engine time at which it is renewed: before it expires by either clock, the
    /// civil one only where it can be trusted.
    pub(super) fn renewal(&self, settings: &Settings, moment: Moment) -> Timestamp {
        let life = (settings.expires_after - settings.renew_before).max(RENEW_MIN);
        let by_engine = self.made + life;
        if !moment.trusted {
            return by_engine;
        }
        let by_civil = moment.engine(self.newest.expires - settings.renew_before);
        // Never sooner after the former than `RENEW_MIN`, unless it has expired.
        let expired = moment.civil() >= self.newest.expires;
        by_engine.min(if expired { by_civil } else { by_civil.max(self.made + RENEW_MIN) })
    }

    /// Whether a mute hid what was said last.
    pub(super) fn is_hidden(&self) -> bool {
        self.told.is_some()
    }

    /// The level that people know of.
    pub(super) fn told_level(&self) -> Level {
        self.told.unwrap_or(self.newest.level)
    }

    fn deliver(&mut self, due: Due) {
        let number = self.newest.number;
        let heard = self.heard.entry(due.target).or_default();
        heard.round = due.round;
        heard.open.insert(number);
        if due.round > 0 {
            // Whoever is asked again is to answer again.
            heard.seen = None;
        }
    }
}

/// A target in its first round.
pub(super) fn first_round(target: TargetIx) -> Due {
    Due { target, round: 0 }
}

/// Every standing warning, and the last ended ones.
#[derive(Debug, Clone, PartialEq, Default, Encode, Decode)]
pub(super) struct Warnings {
    #[n(0)]
    sent: BTreeMap<OutputId, Shared<Sent>>,
    #[n(1)]
    ended: VecDeque<OutputId>,
}

impl Warnings {
    pub(super) fn get(&self, warning: OutputId) -> Option<&Sent> {
        self.sent.get(&warning).map(|sent| &**sent)
    }

    /// A revision goes out.
    pub(super) fn record(&mut self, revision: &Revision, at: Timestamp) {
        let fresh = || Sent {
            newest: revision.clone(),
            made: at,
            heard: BTreeMap::new(),
            news: 0,
            told: None,
            news_at: at,
        };
        let sent = self.sent.entry(revision.warning).or_insert_with(|| Shared::new(fresh())).edit();
        sent.told = match (revision.muted, sent.told, revision.number) {
            (None, ..) => None,
            (Some(_), None, 1) => Some(Level::Normal),
            (Some(_), told, _) => Some(told.unwrap_or(sent.newest.level)),
        };
        sent.newest = revision.clone();
        sent.made = at;
        if revision.reason.is_news() {
            (sent.news, sent.news_at) = (revision.number, at);
        }
        revision.due.iter().for_each(|&due| sent.deliver(due));
    }

    /// Nothing follows any more.
    pub(super) fn end(&mut self, warning: OutputId) {
        self.ended.push_back(warning);
        while self.ended.len() > ENDED_MAX {
            if let Some(oldest) = self.ended.pop_front() {
                self.sent.remove(&oldest);
            }
        }
    }

    /// The newest revision goes to one target again.
    pub(super) fn resent(&mut self, warning: OutputId, due: Due) {
        if let Some(sent) = self.sent.get_mut(&warning) {
            let sent = sent.edit();
            sent.deliver(due);
            if !sent.newest.due.iter().any(|own| own.target == due.target) {
                sent.newest.due.push(due);
                sent.newest.due.sort_unstable();
            }
        }
    }

    /// Somebody acknowledged a revision.
    pub(super) fn acknowledged(&mut self, warning: OutputId, number: u32, target: TargetIx) {
        let sent = self.sent.get_mut(&warning).map(Shared::edit);
        if let Some(heard) = sent.and_then(|sent| sent.heard.get_mut(&target)) {
            heard.seen = heard.seen.max(Some(number));
            heard.had = heard.had.max(Some(number));
        }
    }

    /// What became of a delivery.
    pub(super) fn outcome(&mut self, outcome: &DeliveryOutcome) {
        let Some(sent) = self.sent.get_mut(&outcome.warning) else { return };
        let Some(heard) = sent.edit().heard.get_mut(&outcome.target) else { return };
        let was_open = heard.open.remove(&outcome.number);
        match outcome.outcome {
            Outcome::Superseded => {}
            Outcome::Dead(Death::Erased) => (heard.erased, heard.given_up) = (true, None),
            Outcome::Accepted => {
                heard.attempted |= was_open;
                heard.given_up = heard.given_up.filter(|&number| number > outcome.number);
            }
            Outcome::Dead(Death::Rejected | Death::Expired | Death::Forbidden) => {
                heard.attempted |= was_open;
                heard.given_up = heard.given_up.max(Some(outcome.number));
            }
        }
    }

    /// Whether anything that was given up for a target never reached it since.
    pub(super) fn owes(&self, target: TargetIx) -> bool {
        let given_up = |sent: &Sent| sent.heard.get(&target).is_some_and(|heard| heard.given_up.is_some());
        self.sent.values().any(|sent| given_up(sent))
    }
}
