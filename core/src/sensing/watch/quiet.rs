//! A watch at which nothing stirs: its judges rest, and a quiet reading costs little.

use std::hint::black_box;

use super::super::calm::Calm;
use super::super::judge::{Judge, Rest};
use super::super::trace::Bench;
use super::super::window::{Edition, Sample};
use super::Watch;
use super::mood::Mood;
use super::seats::Seats;
use crate::checks::Seen;
use crate::ids::RuleIx;
use crate::plan::{LimitRow, Plan};
use crate::reading::{Checked, Reading};
use crate::time::{Moment, Timestamp};

impl Watch {
    /// The rule and the subject of every judge, in order.
    pub(crate) fn seats(&self) -> impl Iterator<Item = (RuleIx, u32)> {
        let sitting = self.seats.judges().iter().map(|judge| (judge.rule, judge.subject));
        sitting.chain(self.seats.rests().map(|rest| (rest.rule, rest.subject)))
    }

    /// The judges, every one of them called in from its rest.
    pub(crate) fn sitting(&mut self, bench: &Bench<'_>) -> &mut Box<[Judge]> {
        self.stir();
        self.catch_up();
        if !matches!(self.seats, Seats::Sitting(_)) {
            self.seats = Seats::Sitting(self.as_sitting(bench).into());
        }
        match &mut self.seats {
            Seats::Sitting(judges) => judges,
            Seats::Alone { .. } | Seats::Resting(_) => unreachable!("they were called in just now"),
        }
    }

    /// The judges as they are, or would be if they were called in.
    pub(crate) fn as_sitting(&self, bench: &Bench<'_>) -> Vec<Judge> {
        let settled = self.settled_by_now();
        let woken = self.seats.rests().map(|rest| rest.wake(&self.ring, settled, bench));
        self.seats.judges().iter().cloned().chain(woken).collect()
    }

    /// Lets the judges rest, if there is nothing for any of them to remember.
    pub(super) fn let_rest(&mut self, bench: &Bench<'_>) {
        if !self.may_be_calm(bench) {
            return;
        }
        let rests: Option<Vec<Rest>> =
            self.seats.judges().iter().map(|judge| judge.at_rest(&self.ring, bench)).collect();
        let Some(rests) = rests else { return };
        if let Some(calm) = Calm::of(rests.iter().copied(), &self.ring, bench) {
            self.mood = Mood::Calm(calm);
            self.note_patience(bench.sensor);
            self.seats = Seats::from(rests);
        }
    }

    /// Learns anew what a quiet reading is: after a snapshot, which does not say.
    pub(crate) fn calm_down(&mut self, bench: &Bench<'_>) {
        self.stir();
        if self.seats.judges().is_empty()
            && self.may_be_calm(bench)
            && let Some(calm) = Calm::of(self.seats.rests(), &self.ring, bench)
        {
            self.mood = Mood::Calm(calm);
            self.note_patience(bench.sensor);
        }
    }

    /// Whether a quiet reading is one whose time is certain, of a sensor of which something is known.
    fn may_be_calm(&self, bench: &Bench<'_>) -> bool {
        let proven = self.ring.newest().is_some_and(|newest| !newest.unproven);
        bench.moment.trusted && self.blind().is_none() && self.settled_by_now() > self.ring.first() && proven
    }

    /// Reads of what it holds itself one word in each line of memory that a quiet reading needs.
    pub(crate) fn touch(&self) -> impl Sized + use<> {
        (self.calm().map(|calm| calm.newest), self.ring.first(), self.counting, self.turned)
    }

    /// Reads what it points at: the place of the next reading, and unless that
    /// is likely to be a quiet one, what its judges go by.
    pub(crate) fn touch_behind(&self, plan: &Plan) {
        self.ring.touch_next();
        if self.is_calm() {
            return;
        }
        self.ring.touch();
        let rows = |rule: RuleIx, subject: u32| -> &[LimitRow] {
            let subject = plan.rule(rule).and_then(|rule| rule.subjects.get(subject as usize));
            subject.map_or(&[], |subject| &subject.limits)
        };
        for judge in self.seats.judges() {
            black_box(rows(judge.rule, judge.subject).first().map(|row| (row.from, row.levels)));
            black_box(judge.touch());
        }
    }

    /// Engine time at which a calm sensor counts as silent unless it is heard
    /// before; `None` where more has to be looked at.
    pub(crate) fn silent_at(&self) -> Option<Timestamp> {
        self.calm().map(|calm| self.counting + calm.outage_after)
    }

    /// Takes a reading in by which nothing changes, but that it came; `None`
    /// where it is not certain to be such a one. Looks at this row, at one place of
    /// the window, and at what few sensors have besides (a flat line, a corridor,
    /// columns): memory is what a quiet reading costs.
    pub(crate) fn quiet(&mut self, reading: &Reading, plan: &Plan, moment: Moment) -> Option<Checked> {
        let calm = self.calm()?;
        let Reading { observed, value, marks, source, seq, identity, .. } = *reading;
        if !calm.holds(reading, moment, plan.settings.future_tolerance) || !self.ring.reaches(observed) {
            return None;
        }
        let (flag, lateness, outage_after) = (calm.flag, calm.lateness, calm.outage_after);
        let patience = self.rare.as_ref().and_then(|rare| Some((rare.patience?, rare.past.flat)));
        let run = patience.map(|(patience, flat)| {
            (patience, flat.next(&Seen { observed, value, flag, at_end: false }, &patience))
        });
        if run.is_some_and(|(patience, flat)| flat.outlasts(&patience, observed)) {
            return None;
        }
        let bench = if calm.has_to_ask(reading) {
            Some(Bench { plan, ix: reading.sensor, sensor: plan.sensor(reading.sensor)?, moment })
        } else {
            None
        };
        let number = self.ring.end();
        if self.ring.is_full() {
            self.settled = self.settled.max(self.settles_early(number));
            self.pop_oldest(run.map(|(patience, _)| patience).as_ref());
        }
        let sample = Sample { observed, value, flag, marks, source, unproven: false, alone: None };
        self.ring.push(sample, Edition { seq, identity });
        if let Some(bench) = bench {
            if !self.is_clear_at(number, &bench) {
                // The judges shall see it come in.
                self.ring.pop_newest();
                return None;
            }
            // By a corridor about where it stands now, the next ones need not ask.
            self.mood = Mood::from(Calm::of(self.seats.rests(), &self.ring, &bench));
        } else if let Mood::Calm(calm) = &mut self.mood {
            calm.newest = observed;
        }
        if let (Some((_, flat)), Some(rare)) = (run, &mut self.rare) {
            rare.past.flat = flat;
        }
        self.heard_through(source, moment.at, outage_after);
        self.last_seen = moment.at;
        self.counting = moment.at;
        self.move_watermark(observed, lateness, moment);
        Some(Checked { reading: *reading, flag })
    }

    /// Counts what the watermark has passed while judges rested, and did not have to be told.
    pub(super) fn catch_up(&mut self) {
        self.settled = self.settled_by_now();
    }

    fn settled_by_now(&self) -> u64 {
        if self.seats.judges().is_empty() {
            self.settled.max(self.ring.after(self.watermark))
        } else {
            self.settled
        }
    }

    /// Whether every judge at rest that looks back finds the reading clear.
    fn is_clear_at(&self, number: u64, bench: &Bench<'_>) -> bool {
        let looks_back = |rest: &Rest| rest.looks_back(bench.plan);
        self.seats.rests().filter(looks_back).all(|rest| rest.is_clear_at(&self.ring, number, bench))
    }
}
