//! The newest findings of one cell, and which level they support together.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};

use super::domains::groups;
use super::vote::{Vote, Word};
use crate::finding::{Finding, Verdict, Why};
use crate::ids::{RuleIx, SensorIx};
use crate::level::Level;
use crate::plan::Plan;
use crate::time::{Span, Timestamp};
use crate::warning::{EVIDENCE_MAX, Evidence, Incident};

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

/// The votes of one cell: those that are not clear, or count towards its incident.
#[derive(Debug, Clone, PartialEq, Default, Encode, Decode)]
pub(super) struct Votes {
    #[n(0)]
    cast: BTreeMap<(RuleIx, SensorIx), Vote>,
    #[n(1)]
    support: Support,
}

impl Votes {
    pub(super) fn is_empty(&self) -> bool {
        self.cast.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Vote> {
        self.cast.values()
    }

    /// Takes a finding in; whether the cell has to be judged anew.
    pub(super) fn cast(
        &mut self,
        finding: Finding,
        at: Timestamp,
        incident: Option<&Incident>,
        plan: &Plan,
    ) -> bool {
        let key = (finding.rule, finding.sensor);
        let removed = finding.tip == Verdict::Unknown(Why::Removed);
        match self.cast.get_mut(&key) {
            None if removed || is_idle(&finding) => return false,
            Some(vote) if same_judgement(&vote.finding, &finding) => {
                vote.cast(finding, at);
                return false;
            }
            None | Some(_) => {}
        }
        self.touch(at, plan);
        if removed {
            self.cast.remove(&key);
        } else {
            self.cast.entry(key).or_insert_with(|| Vote::new(finding)).cast(finding, at);
        }
        if incident.is_none() {
            self.prune(at);
        }
        true
    }

    /// Drops every vote that `keep` does not keep; whether there were any.
    pub(super) fn retain(&mut self, at: Timestamp, plan: &Plan, keep: impl Fn(&Finding) -> bool) -> bool {
        if self.cast.values().all(|vote| keep(&vote.finding)) {
            return false;
        }
        self.touch(at, plan);
        self.cast.retain(|_, vote| keep(&vote.finding));
        true
    }

    /// What stands now stood until `at`: the last support of each level.
    pub(super) fn touch(&mut self, at: Timestamp, plan: &Plan) {
        let settled = self.supported(Word::Settled, Count::Each, at, plan).index();
        let tip = self.supported(Word::Tip, Count::Each, at, plan).index();
        self.support.settled[..=settled].fill(at);
        self.support.tip[..=tip].fill(at);
    }

    /// The service itself could not see until `at`: every hold starts anew.
    pub(super) fn saw_nothing_until(&mut self, at: Timestamp) {
        self.support.down = at;
    }

    /// The incident is over: only what might count for the next one stays.
    pub(super) fn close(&mut self, at: Timestamp) {
        self.support = Support::default();
        self.cast.values_mut().for_each(|vote| vote.forget(at));
        self.prune(at);
    }

    /// A person has ended it: what stands now opens no other.
    pub(super) fn spend(&mut self, at: Timestamp) {
        self.cast.values_mut().for_each(|vote| vote.spend(at));
    }

    fn prune(&mut self, at: Timestamp) {
        self.cast
            .retain(|_, vote| !is_idle(&vote.finding) || vote.stands(at) > Level::Normal || vote.is_spent());
    }

    /// The highest level that any rule supports with enough findings of
    /// different failure domains.
    pub(super) fn supported(&self, word: Word, count: Count, at: Timestamp, plan: &Plan) -> Level {
        let mut highest = Level::Normal;
        let mut rest = self.cast.iter().peekable();
        while let Some(&(&(rule, _), _)) = rest.peek() {
            let mut breaching = Vec::new();
            while let Some((&(_, sensor), vote)) = rest.next_if(|&(&(next, _), _)| next == rule) {
                let level = vote.level(word, at);
                if level > highest {
                    breaching.push(Breach { level, sound: vote.sound(word, at), sensor });
                }
            }
            let needed = plan.rule(rule).map_or(1, |rule| rule.corroboration.max(1)) as usize;
            highest = highest.max(corroborated(&breaching, needed, count, plan));
        }
        highest
    }

    /// Until when `level` is held, once nothing more supports it.
    pub(super) fn held(&self, level: Level, incident: &Incident, at: Timestamp, plan: &Plan) -> Held {
        let supported = self.supported(Word::Settled, Count::Each, at, plan).max(self.supported(
            Word::Tip,
            Count::Each,
            at,
            plan,
        )) >= level;
        let counted = || self.contributing(incident, at).filter(|vote| vote.peak(at) >= level);
        if supported || counted().any(Vote::is_unsure) {
            return Held::On;
        }
        let hold = self.hold(incident, at, plan);
        // A late reading may still confirm what only stood on arrival.
        let late = self.iter().filter_map(|vote| plan.sensor(vote.finding.sensor));
        let late = late.map(|sensor| sensor.lateness).max().unwrap_or(Span::ZERO);
        let back = counted().map(Vote::back).max().unwrap_or(Timestamp::MIN);
        let settled = self.support.settled[level.index()].max(back).max(self.support.down) + hold;
        let tip = self.support.tip[level.index()] + hold.max(late);
        Held::Until(settled.max(tip))
    }

    /// The longest hold of the rules that contribute; where none is left, of all of its hazard.
    pub(super) fn hold(&self, incident: &Incident, at: Timestamp, plan: &Plan) -> Span {
        let contributing = self.contributing(incident, at).filter_map(|vote| plan.rule(vote.finding.rule));
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
    pub(super) fn missed(&self, incident: &Incident, at: Timestamp, plan: &Plan) -> Vec<&Vote> {
        if !self.iter().any(Vote::is_blind) {
            return Vec::new();
        }
        let rest = self.supported(Word::Seen, Count::Each, at, plan);
        self.contributing(incident, at).filter(|vote| vote.is_blind() && vote.peak(at) > rest).collect()
    }

    /// Whether anyone that contributes cannot be judged.
    pub(super) fn is_unsure(&self, incident: &Incident, at: Timestamp) -> bool {
        self.contributing(incident, at).any(Vote::is_unsure)
    }

    /// When data of all that contribute were good again; `None` while they are not.
    pub(super) fn good_since(&self, incident: &Incident, at: Timestamp) -> Option<Timestamp> {
        let good = |vote: &Vote| if vote.is_unsure() { None } else { Some(vote.back()) };
        self.contributing(incident, at).try_fold(Timestamp::MIN, |latest, vote| Some(latest.max(good(vote)?)))
    }

    /// When the next pending level is due.
    pub(super) fn awaited(&self, at: Timestamp) -> Option<Timestamp> {
        self.iter().filter_map(|vote| vote.awaits(at)).min()
    }

    /// The highest level that is on its way.
    pub(super) fn awaited_level(&self, at: Timestamp) -> Level {
        let awaited = self.iter().filter(|vote| vote.awaits(at).is_some());
        awaited.filter_map(|vote| vote.finding.pending).map(|it| it.level).max().unwrap_or(Level::Normal)
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

/// What one finding supports.
#[derive(Debug, Clone, Copy)]
struct Breach {
    /// By every value.
    level: Level,
    /// By good values alone.
    sound: Level,
    sensor: SensorIx,
}

/// The highest level with enough breaching findings of different failure
/// domains. What rests on suspect values counts only where at least two
/// domains agree; what good ones support below it counts as ever.
fn corroborated(breaching: &[Breach], needed: usize, count: Count, plan: &Plan) -> Level {
    let enough = |level: Level| {
        let at = |by: fn(&Breach) -> Level| -> Vec<SensorIx> {
            breaching.iter().filter(|&breach| by(breach) >= level).map(|breach| breach.sensor).collect()
        };
        let agree = |sensors: Vec<SensorIx>, needed: usize| {
            sensors.len() >= needed
                && match count {
                    Count::Apart => needed == 1 || groups(&sensors, plan) >= needed,
                    Count::Each => true,
                }
        };
        agree(at(|breach| breach.sound), needed) || agree(at(|breach| breach.level), needed.max(2))
    };
    Level::WARNING.into_iter().rev().find(|&level| enough(level)).unwrap_or(Level::Normal)
}

/// Nothing in it that could count for an incident yet to open.
fn is_idle(finding: &Finding) -> bool {
    finding.tip.level() == Level::Normal
        && finding.settled.level() == Level::Normal
        && finding.pending.is_none()
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
