//! The newest findings of one cell, and which level they support together.

use std::borrow::Cow;
use std::collections::BTreeSet;

use minicbor::{Decode, Encode};

use super::domains::are_apart;
use super::index::Index;
use super::tally::{Cast, Tally, Turn};
use super::vote::{Vote, Word, is_idle};
use crate::finding::{Finding, Verdict, Why};
use crate::ids::{RuleIx, SensorIx};
use crate::level::Level;
use crate::plan::Plan;
use crate::time::{Span, Timestamp};
use crate::warning::{EVIDENCE_MAX, Evidence, Incident, Phase};

/// How findings of one rule are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    /// One per failure domain: what it takes to raise a level.
    Apart,
    /// Each: enough to hold one. A further breach that ties two domains
    /// together must not take a level back.
    Each,
}

/// Engine times at which support last ended, by level.
#[derive(Debug, Clone, Copy, PartialEq, Encode, Decode)]
pub(super) struct Support {
    #[n(0)]
    settled: [Timestamp; 5],
    #[n(1)]
    tip: [Timestamp; 5],
    /// Up to then the service itself could not see.
    #[n(2)]
    down: Timestamp,
}

impl Default for Support {
    fn default() -> Self {
        Support { settled: [Timestamp::MIN; 5], tip: [Timestamp::MIN; 5], down: Timestamp::MIN }
    }
}

/// Until when a level is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Held {
    /// Until this instant of engine time, if nothing new happens.
    Until(Timestamp),
    /// As long as things are as they are.
    On,
}

/// What votes are counted by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms<'a> {
    pub(super) plan: &'a Plan,
    pub(super) index: &'a Index,
}

/// The votes of one cell: those that are not clear, or count towards its incident.
#[derive(Debug, Clone, PartialEq, Default, Encode, Decode)]
pub(super) struct Votes {
    #[n(0)]
    cast: Cast,
    #[n(1)]
    support: Support,
    /// What they come to; counted anew after loading.
    #[cbor(skip)]
    tally: Tally,
}

impl Votes {
    pub(super) fn is_empty(&self) -> bool {
        self.cast.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Vote> {
        self.cast.values().map(|vote| &**vote)
    }

    /// Counts all of them anew: after a snapshot was loaded, the plan changed,
    /// or an incident opened.
    pub(super) fn recount(&mut self, incident: Option<&Incident>, at: Timestamp, plan: &Plan) {
        let opened = incident.map_or(Timestamp::MAX, |incident| incident.opened);
        self.tally = Tally::of(&self.cast, opened, at, plan);
    }

    /// The incident is so from now on.
    pub(super) fn incident_is(&mut self, incident: &Incident, at: Timestamp, plan: &Plan) {
        if self.tally.opened() != incident.opened {
            self.recount(Some(incident), at, plan);
        }
    }

    /// Takes a finding in; whether the cell has to be judged anew.
    pub(super) fn cast(
        &mut self,
        finding: Finding,
        at: Timestamp,
        incident: Option<&Incident>,
        terms: Terms<'_>,
    ) -> bool {
        let key = (finding.rule, finding.sensor);
        let removed = finding.tip == Verdict::Unknown(Why::Removed);
        self.tally.advance(at, &self.cast);
        let is_witness = incident.is_some_and(|incident| self.wants_witnesses(incident, at));
        match self.cast.get_mut(&key) {
            None if removed || is_idle(&finding) && !is_witness => return false,
            Some(vote) if same_judgement(&vote.finding, &finding) => {
                self.tally.count(key, vote, Turn::Out);
                vote.cast(finding, at);
                self.tally.count(key, vote, Turn::In);
                return false;
            }
            None | Some(_) => {}
        }
        self.touch(at, terms);
        match self.cast.get(&key) {
            Some(former) => self.tally.count(key, former, Turn::Out),
            None => self.tally.count_lateness(key, terms.plan, Turn::In),
        }
        if !removed {
            let fresh = || Box::new(if is_witness { Vote::witness(finding, at) } else { Vote::new(finding) });
            let vote = self.cast.entry(key).or_insert_with(fresh);
            vote.cast(finding, at);
            // Without an incident, only what might count for the next one stays.
            if incident.is_some() || vote.is_worth_keeping(at) {
                self.tally.count(key, vote, Turn::In);
                return true;
            }
        }
        self.cast.remove(&key);
        self.tally.count_lateness(key, terms.plan, Turn::Out);
        true
    }

    /// Drops every vote that `keep` does not keep. They have to be counted anew after it.
    pub(super) fn retain(&mut self, at: Timestamp, terms: Terms<'_>, keep: impl Fn(&Finding) -> bool) {
        if self.cast.values().all(|vote| keep(&vote.finding)) {
            return;
        }
        self.touch(at, terms);
        self.cast.retain(|_, vote| keep(&vote.finding));
    }

    /// What stands now stood until `at`: the last support of each level.
    pub(super) fn touch(&mut self, at: Timestamp, terms: Terms<'_>) {
        let settled = self.supported(Word::Settled, Count::Each, at, terms).index();
        let tip = self.supported(Word::Tip, Count::Each, at, terms).index();
        self.support.settled[..=settled].fill(at);
        self.support.tip[..=tip].fill(at);
    }

    /// The service itself could not see until `at`: every hold starts anew.
    pub(super) fn saw_nothing_until(&mut self, at: Timestamp) {
        self.support.down = at;
    }

    /// The incident is over: only what might count for the next one stays.
    pub(super) fn close(&mut self, at: Timestamp, plan: &Plan) {
        self.support = Support::default();
        self.cast.values_mut().for_each(|vote| vote.forget(at));
        self.cast.retain(|_, vote| vote.is_worth_keeping(at));
        self.recount(None, at, plan);
    }

    /// A person has ended it: what stands now opens no other.
    pub(super) fn spend(&mut self, incident: Option<&Incident>, at: Timestamp, plan: &Plan) {
        self.cast.values_mut().for_each(|vote| vote.spend(at));
        self.recount(incident, at, plan);
    }

    /// The counts as of `at`.
    fn tally(&self, at: Timestamp) -> Cow<'_, Tally> {
        if self.tally.holds_at(at) {
            return Cow::Borrowed(&self.tally);
        }
        let mut tally = self.tally.clone();
        tally.advance(at, &self.cast);
        Cow::Owned(tally)
    }

    /// The same, with what contributes to this incident.
    fn tally_for(&self, incident: &Incident, at: Timestamp) -> Cow<'_, Tally> {
        if self.tally.opened() == incident.opened {
            return self.tally(at);
        }
        let mut tally = self.tally.for_another(&self.cast, incident.opened);
        tally.advance(at, &self.cast);
        Cow::Owned(tally)
    }

    /// The highest level that enough findings of one rule support. What rests
    /// on suspect values counts only where at least two domains agree; what good
    /// ones support below it counts as ever.
    pub(super) fn supported(&self, word: Word, count: Count, at: Timestamp, terms: Terms<'_>) -> Level {
        let tally = self.tally(at);
        let enough = |level: Level| {
            tally.rules().iter().any(|of| {
                let needed = terms.plan.rule(of.rule).map_or(1, |rule| rule.corroboration.max(1)) as usize;
                let soundly = of.soundly_supporting(word, level) >= needed
                    && (needed == 1
                        || self.agree(of.rule, needed, count, terms, |it| it.sound(word, at) >= level));
                soundly
                    || of.supporting(word, level) >= needed.max(2)
                        && self.agree(of.rule, needed.max(2), count, terms, |it| it.level(word, at) >= level)
            })
        };
        Level::WARNING.into_iter().rev().find(|&level| enough(level)).unwrap_or(Level::Normal)
    }

    /// Whether enough of a rule's votes of which there are enough are of different failure domains.
    fn agree(
        &self,
        rule: RuleIx,
        needed: usize,
        count: Count,
        terms: Terms<'_>,
        supports: impl Fn(&Vote) -> bool + Copy,
    ) -> bool {
        match count {
            Count::Each => true,
            Count::Apart => {
                let votes = self.cast.range((rule, SensorIx(0))..=(rule, SensorIx(u32::MAX)));
                let sensors = votes.filter(|(_, vote)| supports(vote)).map(|(&(_, sensor), _)| sensor);
                are_apart(sensors, needed, terms.plan, terms.index)
            }
        }
    }

    /// Until when `level` is held, once nothing more supports it.
    pub(super) fn held(&self, level: Level, incident: &Incident, at: Timestamp, terms: Terms<'_>) -> Held {
        let settled = self.supported(Word::Settled, Count::Each, at, terms);
        let supported = settled.max(self.supported(Word::Tip, Count::Each, at, terms)) >= level;
        let tally = self.tally_for(incident, at);
        if supported || tally.is_unsure(level) {
            return Held::On;
        }
        let Some(vouched) = self.vouched(level, &tally) else { return Held::On };
        let hold = self.hold(incident, at, terms.plan);
        // A late reading may still confirm what only stood on arrival.
        let late = tally.lateness().unwrap_or(Span::ZERO);
        let back = tally.back(level).unwrap_or(Timestamp::MIN);
        let settled = self.support.settled[level.index()].max(back).max(self.support.down) + hold;
        let tip = self.support.tip[level.index()] + hold.max(late);
        Held::Until(settled.max(tip).max(vouched + hold))
    }

    /// Since when someone can say that `level` is over. What supported it and
    /// has left the plan, or was recorded by another version, is unknown, and
    /// time alone clears nothing: then another of the cell has to be seen for a
    /// whole hold. `None` while there is none.
    fn vouched(&self, level: Level, tally: &Tally) -> Option<Timestamp> {
        if tally.is_carried(level) {
            return Some(Timestamp::MIN);
        }
        self.iter().filter(|vote| !vote.is_unsure()).map(Vote::back).min()
    }

    /// Whether anyone could say that the incident's level is over.
    pub(super) fn is_vouched(&self, incident: &Incident, at: Timestamp) -> bool {
        self.vouched(incident.level, &self.tally_for(incident, at)).is_some()
    }

    /// Whether those that are clear have to be kept too, since nothing is left
    /// of what supported the incident's level.
    fn wants_witnesses(&self, incident: &Incident, at: Timestamp) -> bool {
        match incident.phase {
            Phase::Active | Phase::Easing => !self.tally_for(incident, at).is_carried(incident.level),
            Phase::Watching | Phase::Pending | Phase::Closed => false,
        }
    }

    /// Whether nothing is left that supported the incident at all, and nobody
    /// can say how it stands, nor is about to.
    pub(super) fn is_forsaken(&self, incident: &Incident, at: Timestamp) -> bool {
        let contributes = || self.tally_for(incident, at).contributing().next().is_some();
        !self.is_empty() && !contributes() && self.iter().all(Vote::is_out)
    }

    /// The longest hold of the rules that contribute; where none is left, of all of its hazard.
    pub(super) fn hold(&self, incident: &Incident, at: Timestamp, plan: &Plan) -> Span {
        let tally = self.tally_for(incident, at);
        let contributing = tally.contributing().filter_map(|rule| plan.rule(rule));
        contributing.map(|rule| rule.hold).max().unwrap_or_else(|| {
            let all = plan.rules.iter().flatten().filter(|rule| rule.hazard == incident.cell.hazard);
            all.map(|rule| rule.hold).max().unwrap_or(Span::ZERO)
        })
    }

    /// The votes that breach, or have since the incident opened.
    pub(super) fn contributing(&self, incident: &Incident, at: Timestamp) -> impl Iterator<Item = &Vote> {
        let opened = incident.opened;
        self.iter().filter(move |vote| vote.contributes(opened, at))
    }

    /// Those whose loss matters: blind, and at a level that the rest cannot support.
    pub(super) fn missed(&self, incident: &Incident, at: Timestamp, terms: Terms<'_>) -> Vec<&Vote> {
        let blind = self.tally.blind().filter_map(|key| self.cast.get(&key));
        let blind: Vec<&Vote> = blind.map(|vote| &**vote).collect();
        if blind.is_empty() {
            return blind;
        }
        let rest = self.supported(Word::Seen, Count::Each, at, terms);
        let matters = |vote: &&Vote| vote.contributes(incident.opened, at) && vote.peak(at) > rest;
        blind.into_iter().filter(matters).collect()
    }

    /// Whether anyone that contributes cannot be judged.
    pub(super) fn is_unsure(&self, incident: &Incident, at: Timestamp) -> bool {
        self.tally_for(incident, at).is_unsure(Level::Normal)
    }

    /// When data of all that contribute were good again; `None` while they are not.
    pub(super) fn good_since(&self, incident: &Incident, at: Timestamp) -> Option<Timestamp> {
        let tally = self.tally_for(incident, at);
        (!tally.is_unsure(Level::Normal)).then(|| tally.back(Level::Normal).unwrap_or(Timestamp::MIN))
    }

    /// When the next pending level is due.
    pub(super) fn awaited(&self, at: Timestamp) -> Option<Timestamp> {
        self.tally(at).awaited()
    }

    /// The highest level that is on its way.
    pub(super) fn awaited_level(&self, at: Timestamp) -> Level {
        self.tally(at).awaited_level()
    }

    /// Civil time of the first reading of the breach.
    pub(super) fn onset(&self, at: Timestamp) -> Option<Timestamp> {
        self.iter()
            .filter(|vote| vote.stands(at) > Level::Normal || vote.awaits(at).is_some())
            .map(|vote| vote.finding.since)
            .min()
    }

    /// What it rests on, the worst first, and how many sensors in all.
    pub(super) fn evidence(&self, incident: &Incident, at: Timestamp, plan: &Plan) -> (Vec<Evidence>, u32) {
        let mut ranked: Vec<(f64, Evidence)> =
            self.contributing(incident, at).map(|vote| vote.evidence(at, plan)).collect();
        ranked.sort_by(|(a_by, a), (b_by, b)| {
            b.level.cmp(&a.level).then(b_by.total_cmp(a_by)).then(a.sensor.cmp(&b.sensor))
        });
        let sensors: BTreeSet<SensorIx> = ranked.iter().map(|(_, evidence)| evidence.sensor).collect();
        let worst = ranked.into_iter().take(EVIDENCE_MAX).map(|(_, evidence)| evidence).collect();
        (worst, sensors.len() as u32)
    }
}

/// Whether two findings say the same, new figures aside.
fn same_judgement(a: &Finding, b: &Finding) -> bool {
    a.tip == b.tip
        && a.settled == b.settled
        && a.firm == b.firm
        && a.suspect == b.suspect
        && a.sound == b.sound
        && a.pending == b.pending
}
