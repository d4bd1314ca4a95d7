//! What a step of civil time does to a window.

use super::super::judge::Judge;
use super::super::trace::Bench;
use super::super::window::{Edition, REACH, Sample};
use super::{Order, Watch, latest};
use crate::finding::{Found, Why};
use crate::reading::Marks;
use crate::time::{Span, Timestamp};

impl Watch {
    /// Whether what is kept here, or settled, is from the future: a clock that
    /// was fast had stamped it, and was set back.
    pub(crate) fn is_ahead(&self, bench: &Bench<'_>) -> bool {
        let until = latest(bench);
        if bench.moment.trusted {
            return self.watermark > until
                || self.ring.newest().is_some_and(|newest| newest.observed > until);
        }
        self.ring
            .iter()
            .rev()
            .take_while(|sample| sample.observed > until)
            .any(|sample| is_stamped_by_us(&sample))
    }

    /// Moves what we stamped ourselves by as much as the clock was moved, drops
    /// what is ahead of a trusted clock all the same, and judges anew by what is
    /// left; where that is not all, how things stand is for the next reading to say.
    pub(crate) fn restamp(&mut self, by: Span, bench: &Bench<'_>, found: &mut Vec<Found>) {
        let moved = |(sample, edition): (Sample, Edition)| {
            let observed = if is_stamped_by_us(&sample) { sample.observed + by } else { sample.observed };
            (Sample { observed, ..sample }, edition)
        };
        let mut kept: Vec<_> = self.ring.newest_first().map(moved).collect();
        kept.retain(|(sample, _)| !bench.moment.trusted || sample.observed <= latest(bench));
        if kept.len() < self.ring.len() && self.blind().is_none() {
            self.turn_blind(Why::Warming, bench.moment.civil());
        }
        // Of two that come to one instant, the older stays.
        kept.reverse();
        kept.sort_by_key(|(sample, _)| sample.observed);
        if let Some(&(newest, _)) = kept.last() {
            kept.retain(|(sample, _)| newest.observed - sample.observed <= REACH);
        }
        self.ring = self.ring.emptied();
        for (sample, edition) in kept {
            if let Err(number) = self.ring.find(sample.observed) {
                self.ring.insert(number, sample);
                self.ring.set_edition(number, edition);
            }
        }
        self.settled = 0;
        self.watermark = Timestamp::MIN;
        self.forget_past();
        self.follow_anew(bench.sensor);
        for judge in self.sitting(bench).iter_mut() {
            *judge = Judge::new(judge.rule, judge.subject, bench.moment);
        }
        self.judge(None, Order::Broken, bench, found);
    }
}

/// Whether the device gave no time of its own.
fn is_stamped_by_us(sample: &Sample) -> bool {
    sample.marks.has(Marks::NO_DEVICE_TIME)
}
