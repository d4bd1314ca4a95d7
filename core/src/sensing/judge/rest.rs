//! Rules at rest.
//!
//! Of almost every sensor, almost always, a rule has nothing to remember: its
//! readings are good and clear, and were so for longer than anything in its
//! memory reaches back. Then since when all is clear is enough: the rest can be
//! read off the window again when something stirs. A rule that keeps sums of
//! its own never rests.

use minicbor::{Decode, Encode};

use super::super::ladder::Ladder;
use super::super::limits::reaches;
use super::super::trace::{Bench, Trace, in_rule_unit, limits};
use super::super::window::{Ring, Sample, View};
use super::{Judge, nothing, trend};
use crate::finding::{Finding, Verdict};
use crate::ids::RuleIx;
use crate::level::Level;
use crate::plan::{Plan, Rule, Subject};
use crate::rules::{Memory, Recall};
use crate::time::Timestamp;

/// A judge at rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Rest {
    #[n(0)]
    pub(crate) rule: RuleIx,
    /// Which of the rule's subjects it is.
    #[n(1)]
    pub(crate) subject: u32,
    /// The reading with which it came to be clear.
    #[n(2)]
    pub(crate) clear: Timestamp,
    /// By level: the newest reading that ever reached it and was news; `MIN` for none.
    #[n(3)]
    pub(crate) news: [Timestamp; 4],
    /// Level and reading of the last entry in the ledger.
    #[n(4)]
    pub(crate) would: Option<(Level, Timestamp)>,
}

impl Rest {
    /// The rule and the subject; `None` only for a plan that this was not made for.
    pub(crate) fn terms<'p>(&self, plan: &'p Plan) -> Option<(&'p Rule, &'p Subject)> {
        let rule = plan.rule(self.rule)?;
        Some((rule, rule.subjects.get(self.subject as usize)?))
    }

    /// Whether what its rule measures rests on more than the newest value.
    pub(crate) fn looks_back(&self, plan: &Plan) -> bool {
        plan.rule(self.rule).is_none_or(|rule| rule.kind.as_dyn().recall() != Recall::Newest)
    }

    /// Whether the reading of that number is good and leaves every level unreached.
    pub(crate) fn is_clear_at(&self, ring: &Ring, number: u64, bench: &Bench<'_>) -> bool {
        let Some((rule, subject)) = self.terms(bench.plan) else { return false };
        let Some(measured) = measure(rule, ring, number, bench) else { return false };
        let Some(sample) = ring.get(number).filter(Sample::is_good) else { return false };
        let limits = limits(rule, subject, sample.observed, bench);
        !limits.into_iter().flatten().any(|limit| reaches(rule.side, measured, limit))
    }

    /// The judge as it would be, had it judged all along. The readings from the
    /// last settled one on were all clear.
    pub(crate) fn wake(&self, ring: &Ring, unsettled: u64, bench: &Bench<'_>) -> Judge {
        let mut judge = Judge::new(self.rule, self.subject, bench.moment);
        let Some((rule, subject)) = self.terms(bench.plan) else { return judge };
        let at = |number: u64| measure(rule, ring, number, bench);
        let clear = |measured| Trace::clear(self.clear, Ladder::idle(self.news), measured);
        judge.settled = clear(at(unsettled.saturating_sub(1)));
        judge.tip = clear(at(ring.end().saturating_sub(1)));
        judge.begun = true;
        judge.would = self.would;
        let newest = ring.newest();
        let observed = newest.map_or(Timestamp::default(), |newest| newest.observed);
        judge.said = Some(Finding {
            tip: Verdict::Clear,
            settled: Verdict::Clear,
            since: self.clear,
            measured: judge.tip.measured,
            limit: limits(rule, subject, observed, bench).into_iter().flatten().next(),
            observed,
            trend: trend(ring, bench.sensor.interval),
            value: newest.map(|newest| newest.value),
            ..nothing(self.rule, bench.ix, bench.moment)
        });
        judge
    }
}

impl Judge {
    /// The same at rest, where there is nothing else to remember of it.
    pub(crate) fn at_rest(&self, ring: &Ring, bench: &Bench<'_>) -> Option<Rest> {
        let (rule, _) = self.terms(bench.plan)?;
        let keeps_nothing = match rule.kind.as_dyn().recall() {
            Recall::Newest | Recall::View => true,
            Recall::Memory => false,
        };
        let stands_clear = |trace: &Trace| trace.verdict == Verdict::Clear && trace.turned == self.tip.turned;
        let said_so = self.said.is_some_and(|said| {
            let verdicts = (said.tip, said.settled, said.pending, said.since);
            verdicts == (Verdict::Clear, Verdict::Clear, None, self.tip.turned)
                && !(said.firm || said.suspect || said.saturated)
        });
        let newest = ring.newest()?;
        let news = self.settled.ladder.at_rest()?;
        let rests = keeps_nothing
            && self.begun
            && self.told == Level::Normal
            && self.late.is_none()
            && stands_clear(&self.tip)
            && stands_clear(&self.settled)
            && said_so
            && self.tip.ladder.at_rest() == Some(news)
            && !self.is_awaited(newest.observed, rule, bench);
        let Judge { rule, subject, would, .. } = *self;
        rests.then_some(Rest { rule, subject, clear: self.tip.turned, news, would })
    }
}

/// What the rule measures of the reading of that number, in its own unit; only
/// for one that keeps no sums.
fn measure(rule: &Rule, ring: &Ring, number: u64, bench: &Bench<'_>) -> Option<f64> {
    let kind = rule.kind.as_dyn();
    let view = View::new(ring, number, kind.needs().of(bench.sensor.interval))?;
    let measured = kind.measure(&view, &mut Memory::default()).ok()?;
    Some(in_rule_unit(measured, rule, bench.sensor))
}
