//! What was committed, in numbers for whoever watches: readings, those that do
//! not count with the reason, what was not understood, what was given up.

use forewarn_core::event::{Decision, DeliveryOutcome, Input};
use forewarn_core::plan::Plan;
use forewarn_core::sensing::Aside;
use forewarn_core::time::{Moment, Span};
use forewarn_core::warning::{Death, Kind, Outcome};
use metrics::{Counter, Histogram, counter, histogram};

use crate::log::Record;
use crate::ports::Ground;

/// The counters of the loop, each there from the start at nought.
pub(super) struct Tally {
    readings: Counter,
    /// In the order of [`Aside::ALL`].
    aside: [Counter; Aside::ALL.len()],
    /// In the order of [`Death::ALL`].
    dead: [Counter; Death::ALL.len()],
    people_told: Counter,
    acknowledged_after: Histogram,
    /// The shortest `max_age` of any sensor: what is younger is too old for none.
    youngest_old: Span,
}

impl Tally {
    /// Registers them.
    pub(super) fn new(plan: &Plan) -> Tally {
        register_sources(plan);
        for kind in [Kind::Alert, Kind::Update, Kind::AllClear, Kind::Cancel] {
            drop(counter!("forewarn_revisions_total", "kind" => kind.word()));
        }
        drop(counter!("forewarn_acknowledgements_total"));
        drop(counter!("forewarn_asked_on_total"));
        Tally {
            readings: counter!("forewarn_readings_total"),
            aside: Aside::ALL
                .map(|reason| counter!("forewarn_readings_not_judged_total", "reason" => reason.word())),
            dead: Death::ALL.map(|death| counter!("forewarn_dead_letters_total", "cause" => death.word())),
            people_told: counter!("forewarn_people_told_total"),
            acknowledged_after: histogram!("forewarn_acknowledgement_seconds"),
            youngest_old: youngest_old(plan),
        }
    }

    /// Counts a record that is durable; its readings were judged under this
    /// plan at this moment.
    pub(super) fn count(&mut self, record: &Record, plan: &Plan, moment: Moment) {
        for refused in &record.refused {
            let name = plan.sources.get(refused.source.index()).filter(|name| !name.is_empty());
            quarantined(name.map_or("none", String::as_str), refused.ground).increment(1);
        }
        for input in &record.inputs {
            match input {
                Input::Outcome(DeliveryOutcome { outcome: Outcome::Dead(death), .. }) => {
                    self.dead[*death as usize].increment(1);
                }
                Input::Plan(_) => {
                    register_sources(plan);
                    self.youngest_old = youngest_old(plan);
                }
                Input::Reading(_)
                | Input::Tick
                | Input::Started(_)
                | Input::Clock(_)
                | Input::Source(..)
                | Input::Outcome(_)
                | Input::Command(..)
                | Input::Trouble(_)
                | Input::Assign(_)
                | Input::Intake(_)
                | Input::Bundled(_)
                | Input::Canary(_) => {}
            }
        }
        record.decisions.iter().for_each(|(_, decision)| self.reach(decision, plan));
        let mut aside = [0; Aside::ALL.len()];
        let young = moment.civil() - self.youngest_old;
        // Almost every reading is a plain one, and its sensor need not be looked at.
        for checked in record.flagged.iter().filter(|it| !it.is_plain() || it.reading.observed < young) {
            if let Some(reason) = Aside::of(checked, plan, moment) {
                aside[reason as usize] += 1;
            }
        }
        self.readings.increment(record.flagged.len() as u64);
        let some = self.aside.iter().zip(aside).filter(|(_, times)| *times > 0);
        some.for_each(|(counter, times)| counter.increment(times));
    }
}

impl Tally {
    /// Counts whom a warning was to reach, and how soon it did.
    fn reach(&self, decision: &Decision, plan: &Plan) {
        self.people_told.increment(u64::from(people_told(decision, plan)));
        if let Decision::Acknowledged { reach: Some(reach), .. } = decision {
            self.acknowledged_after.record(reach.after.as_secs_f64());
        }
    }
}

/// How many people a decision tells what is news to them.
fn people_told(decision: &Decision, plan: &Plan) -> u32 {
    match decision {
        Decision::Revision(told) if told.reason.is_news() && told.muted.is_none() => {
            plan.contacts(told.due.iter().map(|due| due.target))
        }
        // Those told in others' stead hear of it for the first time; the others were counted then.
        Decision::Asked { due, .. } => {
            plan.contacts(due.iter().filter(|due| due.round == 0).map(|due| due.target))
        }
        Decision::Acknowledged { .. }
        | Decision::Revision(_)
        | Decision::Incident(_)
        | Decision::Trouble(_)
        | Decision::WouldHave(_)
        | Decision::PlanRefused(_)
        | Decision::Resumed
        | Decision::Canary(_)
        | Decision::Resent { .. }
        | Decision::Refused(_)
        | Decision::Drafted(_)
        | Decision::Muted(_)
        | Decision::Noted(_)
        | Decision::Lapsed(_) => 0,
    }
}

fn quarantined(source: &str, ground: Ground) -> Counter {
    counter!("forewarn_quarantined_total", "source" => source.to_owned(), "reason" => ground.word())
}

fn youngest_old(plan: &Plan) -> Span {
    plan.sensors.iter().flatten().map(|sensor| sensor.max_age).min().unwrap_or(Span::ZERO)
}

fn register_sources(plan: &Plan) {
    let named = plan.sources.iter().filter(|name| !name.is_empty());
    for name in named {
        let said = Ground::ALL.into_iter().filter(|ground| *ground != Ground::Unsaid);
        said.for_each(|ground| drop(quarantined(name, ground)));
    }
}

#[cfg(test)]
mod tests {
    use forewarn_core::ids::{OutputId, TargetIx};
    use forewarn_core::warning::Due;

    use super::*;

    #[test]
    fn whoever_is_told_in_others_stead_counts_and_whoever_is_asked_again_does_not() {
        let due = |target, round| Due { target: TargetIx(target), round };
        let asked = |due| Decision::Asked { warning: OutputId::default(), number: 1, asks: vec![], due };
        let plan = Plan::default();
        assert_eq!(people_told(&asked(vec![due(1, 0), due(2, 0)]), &plan), 2);
        assert_eq!(people_told(&asked(vec![due(1, 1), due(2, 0)]), &plan), 1);
        assert_eq!(people_told(&Decision::Resumed, &plan), 0);
    }
}
