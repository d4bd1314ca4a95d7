//! The newest word of one rule on one subject, and what is remembered of those before.

use minicbor::{Decode, Encode};

use crate::finding::{Finding, Verdict, Why};
use crate::level::Level;
use crate::plan::{Plan, Side};
use crate::time::Timestamp;
use crate::warning::Evidence;

/// Which of a vote's words count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// On arrival.
    Tip,
    /// Settled.
    Settled,
    /// On arrival or settled, of those that are not blind.
    Seen,
    /// What no late reading takes back, and no suspect value made.
    Sure,
}

impl Word {
    /// Each of them, in order.
    pub(super) const ALL: [Word; 4] = [Word::Tip, Word::Settled, Word::Seen, Word::Sure];
}

/// The newest finding of one rule on one subject, and what an incident has to
/// remember of those before it.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(super) struct Vote {
    /// The newest word.
    #[n(0)]
    pub(super) finding: Finding,
    /// The highest level it has stood at since it is kept.
    #[n(1)]
    peak: Level,
    /// Engine time at which it last stood in breach, unless it does so now.
    #[n(2)]
    breached: Timestamp,
    /// Engine time since when nothing good came of it; a start or a reload in between is no sight of it.
    #[n(3)]
    lost: Option<Timestamp>,
    /// Engine time at which good data came back.
    #[n(4)]
    back: Timestamp,
    /// Up to this level a person has ended it by hand; it counts again above, or once it was clear.
    #[n(5)]
    spent: Level,
    /// The level it stood at when it could last be seen.
    #[n(6)]
    seen: Level,
}

impl Vote {
    pub(super) fn new(finding: Finding) -> Vote {
        Vote {
            finding,
            peak: Level::Normal,
            breached: Timestamp::MIN,
            lost: None,
            back: Timestamp::MIN,
            spent: Level::Normal,
            seen: Level::Normal,
        }
    }

    /// One that is kept only because it can say that all is clear: from now on.
    pub(super) fn witness(finding: Finding, at: Timestamp) -> Vote {
        Vote { back: at, ..Vote::new(finding) }
    }

    fn unspent(&self, level: Level) -> Level {
        if level > self.spent { level } else { Level::Normal }
    }

    /// The level it supports on arrival; a pending one counts once it is due.
    pub(super) fn tip(&self, at: Timestamp) -> Level {
        let pending = self.finding.pending.filter(|pending| pending.due <= at);
        let pending = pending.map_or(Level::Normal, |pending| pending.level);
        self.unspent(self.finding.tip.level().max(pending))
    }

    /// The level it supports where no late reading can change it any more.
    pub(super) fn settled(&self) -> Level {
        self.unspent(self.finding.settled.level())
    }

    /// The level it stands at by either word.
    pub(super) fn stands(&self, at: Timestamp) -> Level {
        self.tip(at).max(self.settled())
    }

    /// The highest level it has stood at.
    pub(super) fn peak(&self, at: Timestamp) -> Level {
        self.peak.max(self.stands(at))
    }

    /// Whether it breaches now, or has since `opened`.
    pub(super) fn contributes(&self, opened: Timestamp, at: Timestamp) -> bool {
        self.stands(at) > Level::Normal || (self.peak > Level::Normal && self.breached >= opened)
    }

    /// Whether it was lost and has not been seen since.
    pub(super) fn is_blind(&self) -> bool {
        match self.finding.tip {
            // A reload or a start is no loss, and ends none: it holds, and tells nobody.
            Verdict::Unknown(Why::Warming) => self.lost.is_some(),
            Verdict::Clear | Verdict::Breach(_) => false,
            Verdict::Unknown(_) => true,
        }
    }

    /// Engine time since when it is lost, for whoever is to be told; `None`
    /// also while it might only be warming up.
    pub(super) fn lost(&self) -> Option<Timestamp> {
        self.lost.filter(|_| self.is_out())
    }

    /// Whether it cannot clear: nobody can say how it stands, or not for certain yet.
    pub(super) fn is_unsure(&self) -> bool {
        self.finding.tip.is_unknown() || self.finding.settled.is_unknown()
    }

    /// Whether nobody can say how it stands, and that is no mere beginning.
    pub(super) fn is_out(&self) -> bool {
        match self.finding.tip {
            Verdict::Unknown(Why::Warming) | Verdict::Clear | Verdict::Breach(_) => false,
            Verdict::Unknown(_) => true,
        }
    }

    /// A level on its way that is not due yet.
    pub(super) fn awaits(&self, at: Timestamp) -> Option<Timestamp> {
        let pending = self.finding.pending.filter(|pending| self.unspent(pending.level) > Level::Normal)?;
        (pending.due > at).then_some(pending.due)
    }

    /// Takes a newer word in.
    pub(super) fn cast(&mut self, mut finding: Finding, at: Timestamp) {
        // Unknown contradicts nothing: the timer keeps running. But a rule that
        // starts anew, as after a change of its limits, has nothing on its way.
        let starts_anew = finding.tip == Verdict::Unknown(Why::Warming);
        if finding.tip.is_unknown() && !starts_anew && finding.pending.is_none() {
            finding.pending = self.finding.pending;
            if finding.pending.is_some() {
                finding.since = self.finding.since;
            }
        }
        self.remember(at);
        let was_unsure = self.is_unsure();
        self.finding = finding;
        if finding.tip == Verdict::Clear && self.finding.settled.level() == Level::Normal {
            self.spent = Level::Normal;
        }
        self.remember(at);
        self.lost = match finding.tip {
            Verdict::Unknown(Why::Warming) => self.lost,
            Verdict::Unknown(_) => self.lost.or(Some(at)),
            Verdict::Clear | Verdict::Breach(_) => None,
        };
        if was_unsure && !self.is_unsure() {
            self.back = at;
        }
    }

    fn remember(&mut self, at: Timestamp) {
        let stands = self.stands(at);
        if stands > Level::Normal {
            (self.peak, self.breached) = (self.peak.max(stands), at);
        }
        if !self.finding.tip.is_unknown() {
            self.seen = self.tip(at);
        }
    }

    /// Whether it might count for an incident yet to open, or is a person's to keep from that.
    pub(super) fn is_worth_keeping(&self, at: Timestamp) -> bool {
        !is_idle(&self.finding) || self.stands(at) > Level::Normal || self.is_spent()
    }

    /// Engine time at which good data came back, if they were ever lost.
    pub(super) fn back(&self) -> Timestamp {
        self.back
    }

    /// Whether a person's word still keeps it from counting.
    pub(super) fn is_spent(&self) -> bool {
        self.spent > Level::Normal
    }

    /// A person has ended what it stands at, and what it was on its way to.
    pub(super) fn spend(&mut self, at: Timestamp) {
        let pending = self.finding.pending.map_or(Level::Normal, |pending| pending.level);
        self.spent = self.spent.max(self.stands(at)).max(pending);
    }

    /// The next incident counts only what stands from now on.
    pub(super) fn forget(&mut self, at: Timestamp) {
        self.peak = Level::Normal;
        self.remember(at);
    }
}

impl Vote {
    /// The level it supports by one of its words.
    pub(super) fn level(&self, word: Word, at: Timestamp) -> Level {
        match word {
            Word::Tip => self.tip(at),
            Word::Seen if self.is_blind() => Level::Normal,
            Word::Seen => self.stands(at),
            Word::Sure if self.finding.suspect => self.settled().min(self.finding.sound),
            Word::Sure if self.finding.firm => self.settled().max(self.unspent(self.finding.tip.level())),
            Word::Settled | Word::Sure => self.settled(),
        }
    }

    /// The level that good values alone support by one of its words.
    pub(super) fn sound(&self, word: Word, at: Timestamp) -> Level {
        let finding = &self.finding;
        let sound = |level: Level| if finding.suspect { level.min(finding.sound) } else { level };
        let pending = finding.pending.filter(|pending| pending.sound && pending.due <= at);
        let pending = pending.map_or(Level::Normal, |pending| pending.level);
        let tip = self.unspent(sound(finding.tip.level()).max(pending));
        let settled = self.unspent(sound(finding.settled.level()));
        match word {
            Word::Tip => tip,
            Word::Seen if self.is_blind() => Level::Normal,
            Word::Seen => tip.max(settled),
            Word::Settled => settled,
            Word::Sure => self.level(word, at),
        }
    }

    /// Its evidence, and by how much it is beyond its limit.
    pub(super) fn evidence(&self, at: Timestamp, plan: &Plan) -> (f64, Evidence) {
        let finding = &self.finding;
        let side = plan.rule(finding.rule).map_or(Side::Above, |rule| rule.side);
        let beyond = match (finding.measured, finding.limit, side) {
            (Some(measured), Some(limit), Side::Above) => measured - limit,
            (Some(measured), Some(limit), Side::Below) => limit - measured,
            (None, _, _) | (_, None, _) => f64::NEG_INFINITY,
        };
        let unknown = finding.tip.is_unknown();
        // By the same reading as the value and the limit beside it, which what is still to settle is not.
        let level = if unknown { self.seen } else { self.tip(at) };
        let evidence = Evidence {
            rule: finding.rule,
            sensor: finding.sensor,
            level,
            measured: finding.measured,
            limit: finding.limit,
            since: finding.since,
            observed: finding.observed,
            trend: finding.trend,
            unknown,
            saturated: finding.saturated,
            value: finding.value,
        };
        (beyond, evidence)
    }
}

/// Nothing in it that could count for an incident yet to open.
pub(super) fn is_idle(finding: &Finding) -> bool {
    finding.tip.level() == Level::Normal
        && finding.settled.level() == Level::Normal
        && finding.pending.is_none()
}
