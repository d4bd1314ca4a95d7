//! A watch at which nothing stirs: its judges rest, and a quiet reading costs little.

use std::hint::black_box;

use super::super::calm::Calm;
use super::super::judge::{Judge, Rest};
use super::super::trace::Bench;
use super::super::window::{Edition, Sample};
use super::Watch;
use crate::ids::RuleIx;
use crate::plan::{LimitRow, Plan};
use crate::reading::{Checked, Reading};
use crate::time::{Moment, Timestamp};

impl Watch {
    /// The rule and the subject of every judge, in order.
    pub(crate) fn seats(&self) -> impl ExactSizeIterator<Item = (RuleIx, u32)> {
        let sitting = self.judges.len();
        (0..sitting.max(self.rests.len())).map(move |at| match self.judges.get(at) {
            Some(judge) => (judge.rule, judge.subject),
            None => (self.rests[at].rule, self.rests[at].subject),
        })
    }

    /// The judges, every one of them called in from its rest.
    pub(crate) fn sitting(&mut self, bench: &Bench<'_>) -> &mut Vec<Judge> {
        self.calm = None;
        if !self.rests.is_empty() {
            self.judges = self.as_sitting(bench);
            self.rests = Vec::new();
        }
        &mut self.judges
    }

    /// The judges as they are, or would be if they were called in.
    pub(crate) fn as_sitting(&self, bench: &Bench<'_>) -> Vec<Judge> {
        let woken = self.rests.iter().map(|rest| rest.wake(&self.ring, self.settled, bench));
        self.judges.iter().cloned().chain(woken).collect()
    }

    /// Lets the judges rest, if there is nothing for any of them to remember.
    pub(super) fn let_rest(&mut self, bench: &Bench<'_>) {
        if !self.may_be_calm(bench) {
            return;
        }
        let rests: Option<Vec<Rest>> =
            self.judges.iter().map(|judge| judge.at_rest(&self.ring, bench)).collect();
        let Some(rests) = rests else { return };
        self.calm = Calm::of(&rests, &self.ring, self.settled, bench);
        if self.calm.is_some() {
            self.judges = Vec::new();
            self.rests = rests;
        }
    }

    /// Learns anew what a quiet reading is: after a snapshot, which does not say.
    pub(crate) fn calm_down(&mut self, bench: &Bench<'_>) {
        let calm = || Calm::of(&self.rests, &self.ring, self.settled, bench);
        self.calm = (self.judges.is_empty() && self.may_be_calm(bench)).then(calm).flatten();
    }

    /// Whether a quiet reading is one whose time is certain, of a sensor of which something is known.
    fn may_be_calm(&self, bench: &Bench<'_>) -> bool {
        let proven = self.ring.newest().is_some_and(|newest| !newest.unproven);
        bench.moment.trusted && self.blind.is_none() && self.settled > self.ring.first() && proven
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.calm.is_some()
    }

    /// Reads what it holds itself.
    pub(crate) fn touch(&self) -> impl Sized + use<> {
        let own = (self.settled, self.watermark, self.counting, self.heard, self.turned, self.kept);
        (self.ring.end(), own, self.judges.len(), self.rests.len(), self.calm)
    }

    /// Reads what it points at: its window, and what its judges go by.
    pub(crate) fn touch_behind(&self, plan: &Plan) {
        let looks_back = self.calm.is_none_or(|calm| calm.looks_back);
        self.ring.touch(self.settled, looks_back);
        if !looks_back {
            return;
        }
        let rows = |rule: RuleIx, subject: u32| -> &[LimitRow] {
            let subject = plan.rule(rule).and_then(|rule| rule.subjects.get(subject as usize));
            subject.map_or(&[], |subject| &subject.limits)
        };
        for (rule, subject) in self.seats() {
            black_box(rows(rule, subject).first().map(|row| (row.from, row.levels)));
        }
        for judge in &self.judges {
            black_box(judge.clone());
        }
    }

    /// Engine time at which a calm sensor counts as silent unless it is heard
    /// before; `None` where more has to be looked at.
    pub(crate) fn silent_at(&self) -> Option<Timestamp> {
        self.calm.map(|calm| self.counting + calm.outage_after)
    }

    /// Takes a reading in by which nothing changes, but that it came; `None`
    /// where it is not certain to be such a one. Looks at this row and at one
    /// place of the window, and at no more: memory is what a quiet reading costs.
    pub(crate) fn quiet(&mut self, reading: &Reading, plan: &Plan, moment: Moment) -> Option<Checked> {
        let calm = self.calm.as_ref()?;
        if !calm.holds(reading, moment, plan.settings.future_tolerance) {
            return None;
        }
        let (flag, lateness, outage_after) = (calm.flag, calm.lateness, calm.outage_after);
        let bench = if calm.has_to_ask(reading) {
            Some(Bench { plan, ix: reading.sensor, sensor: plan.sensor(reading.sensor)?, moment })
        } else {
            None
        };
        let number = self.ring.end();
        if self.ring.is_full() {
            self.settle_quietly(self.settles_early(number));
            self.ring.pop_oldest();
        }
        let Reading { observed, value, marks, source, seq, identity, .. } = *reading;
        let sample = Sample { observed, value, flag, marks, source, unproven: false };
        self.ring.push(sample, Edition { seq, identity });
        if let Some(bench) = bench {
            if !self.is_clear_at(number, &bench) {
                // The judges shall see it come in.
                self.ring.pop_newest();
                return None;
            }
            // By a corridor about where it stands now, the next ones need not ask.
            self.calm = Calm::of(&self.rests, &self.ring, self.settled, &bench);
        } else if let Some(calm) = &mut self.calm {
            calm.note(observed);
        }
        self.heard_through(source, moment.at, outage_after);
        self.last_seen = Some(moment.at);
        self.counting = moment.at;
        self.move_watermark(observed, lateness, moment);
        while self.unsettled() <= self.watermark {
            self.settle_quietly(self.settled + 1);
        }
        Some(Checked { reading: *reading, flag })
    }

    /// When the first reading that is not settled was observed.
    fn unsettled(&self) -> Timestamp {
        self.calm.as_ref().map_or_else(|| self.ring.observed(self.settled), |calm| calm.unsettled)
    }

    /// Counts the readings before this number as settled: no judge at rest has to be told.
    fn settle_quietly(&mut self, before: u64) {
        if before > self.settled {
            self.settled = before;
            if let Some(calm) = &mut self.calm {
                calm.unsettled = self.ring.observed(before);
            }
        }
    }

    /// Whether every judge at rest that looks back finds the reading clear.
    fn is_clear_at(&self, number: u64, bench: &Bench<'_>) -> bool {
        let looks_back = |rest: &&Rest| rest.looks_back(bench.plan);
        self.rests.iter().filter(looks_back).all(|rest| rest.is_clear_at(&self.ring, number, bench))
    }
}
