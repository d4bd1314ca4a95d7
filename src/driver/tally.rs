//! What was committed, in numbers for whoever watches: readings, those that do
//! not count with the reason, what was not understood, what was given up.

use forewarn_core::event::{DeliveryOutcome, Input};
use forewarn_core::plan::Plan;
use forewarn_core::sensing::Aside;
use forewarn_core::time::Moment;
use forewarn_core::warning::{Death, Kind, Outcome};
use metrics::{Counter, counter};

use crate::log::Record;

/// The counters of the loop, each there from the start at nought.
pub(super) struct Tally {
    readings: Counter,
    /// In the order of [`Aside::ALL`].
    aside: [Counter; Aside::ALL.len()],
    /// In the order of [`Death::ALL`].
    dead: [Counter; Death::ALL.len()],
}

impl Tally {
    /// Registers them.
    pub(super) fn new(plan: &Plan) -> Tally {
        register_sources(plan);
        for kind in [Kind::Alert, Kind::Update, Kind::AllClear, Kind::Cancel] {
            drop(counter!("forewarn_revisions_total", "kind" => kind.word()));
        }
        Tally {
            readings: counter!("forewarn_readings_total"),
            aside: Aside::ALL
                .map(|reason| counter!("forewarn_readings_not_judged_total", "reason" => reason.word())),
            dead: Death::ALL.map(|death| counter!("forewarn_dead_letters_total", "cause" => death.word())),
        }
    }

    /// Counts a record that is durable; its readings were judged under this
    /// plan at this moment.
    pub(super) fn count(&self, record: &Record, plan: &Plan, moment: Moment) {
        let mut aside = [0; Aside::ALL.len()];
        for checked in &record.flagged {
            if let Some(reason) = Aside::of(checked, plan, moment) {
                aside[reason as usize] += 1;
            }
        }
        self.readings.increment(record.flagged.len() as u64);
        let some = self.aside.iter().zip(aside).filter(|(_, times)| *times > 0);
        some.for_each(|(counter, times)| counter.increment(times));
        for refused in &record.refused {
            let name = plan.sources.get(refused.source.index()).filter(|name| !name.is_empty());
            quarantined(name.map_or("none", String::as_str)).increment(1);
        }
        for input in &record.inputs {
            match input {
                Input::Outcome(DeliveryOutcome { outcome: Outcome::Dead(death), .. }) => {
                    self.dead[*death as usize].increment(1);
                }
                Input::Plan(_) => register_sources(plan),
                Input::Reading(_)
                | Input::Tick
                | Input::Started(_)
                | Input::Clock(_)
                | Input::Source(..)
                | Input::Outcome(_)
                | Input::Command(_)
                | Input::Trouble(_)
                | Input::Assign(_)
                | Input::Intake(_) => {}
            }
        }
    }
}

fn quarantined(source: &str) -> Counter {
    counter!("forewarn_quarantined_total", "source" => source.to_owned())
}

fn register_sources(plan: &Plan) {
    let named = plan.sources.iter().filter(|name| !name.is_empty());
    named.for_each(|name| drop(quarantined(name)));
}
