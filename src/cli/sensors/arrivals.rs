//! The readings of a sensor as they came: from the log, which has what was set
//! aside as well, and from the embedded store where the log is older than is read.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use forewarn_core::event::{ClockStep, Input};
use forewarn_core::ids::{Position, SensorIx};
use forewarn_core::plan::{Plan, PlanId};
use forewarn_core::reading::Checked;
use forewarn_core::sensing::Aside;
use forewarn_core::time::{Moment, Span, Timestamp};

use crate::log::{Record, Records, load_plan, segments};
use crate::stores::sqlite::{self, Readings};

/// Segments of the log that are read from their beginning, the newest; more
/// only where the store has not kept what stands in them.
const SEGMENTS_READ: usize = 2;

/// A reading that came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    pub(super) checked: Checked,
    /// Civil time of its commit.
    pub(super) received: Timestamp,
    pub(super) position: Position,
    /// Why it does not count; `None` if it does.
    pub(super) aside: Option<Aside>,
}

/// The last that came of one sensor.
#[derive(Debug, Clone, Default)]
pub(super) struct Arrivals {
    last: BTreeMap<Position, Arrival>,
    /// The newest in event time that counts.
    newest: Option<Arrival>,
    /// The last to come that does not count.
    aside: Option<Arrival>,
}

impl Arrivals {
    /// The newest in event time that counts.
    pub(super) fn newest(&self) -> Option<&Arrival> {
        self.newest.as_ref()
    }

    /// The last to come that does not count.
    pub(super) fn set_aside(&self) -> Option<&Arrival> {
        self.aside.as_ref()
    }

    /// The last that came, newest first.
    pub(super) fn last(&self) -> impl Iterator<Item = &Arrival> {
        self.last.values().rev()
    }

    fn take(&mut self, arrival: Arrival, most: usize) {
        let observed = |it: &Arrival| it.checked.reading.observed;
        match arrival.aside {
            None if self.newest.is_none_or(|newest| observed(&newest) <= observed(&arrival)) => {
                self.newest = Some(arrival);
            }
            Some(_) if self.aside.is_none_or(|aside| aside.position <= arrival.position) => {
                self.aside = Some(arrival);
            }
            None | Some(_) => {}
        }
        // What the log says of a reading goes before what the store has of it.
        self.last.entry(arrival.position).or_insert(arrival);
        if self.last.len() > most {
            self.last.pop_first();
        }
    }
}

/// The last `most` arrivals of each of these sensors.
pub(super) fn gather(
    data: &Path,
    plan: &Arc<Plan>,
    sensors: &[SensorIx],
    most: usize,
) -> anyhow::Result<BTreeMap<SensorIx, Arrivals>> {
    let mut found: BTreeMap<SensorIx, Arrivals> =
        sensors.iter().map(|&sensor| (sensor, Arrivals::default())).collect();
    let path = data.join(sqlite::FILE);
    // It comes into being with the first start; until then all stands in the log.
    let store = if path.exists() { Some(Readings::open_read_only(&path)?) } else { None };
    let kept = store.as_ref().map_or(Ok(Position(0)), Readings::cursor)?;
    let read = segments(data)?.iter().rev().take(SEGMENTS_READ).map(|it| it.first).next_back();
    let from = read.unwrap_or_default().min(kept.next());

    let mut walk = Walk { data, today: plan, plans: BTreeMap::new(), trusted: true };
    for record in Records::open_read_only(data, from)? {
        walk.record(&record?, &mut found, most);
    }
    let Some(store) = store else { return Ok(found) };
    for (&sensor, arrivals) in &mut found {
        for row in store.range(sensor, Timestamp::MIN, Timestamp::MAX, most)? {
            // As far as can be told: by the plan of today, and a clock that was right.
            let moment = Moment { at: row.received, offset: Span::ZERO, trusted: true };
            let aside = Aside::of(&row.checked, plan, moment);
            let (checked, received, position) = (row.checked, row.received, row.position);
            if !arrivals.last.contains_key(&position) {
                arrivals.take(Arrival { checked, received, position, aside }, most);
            }
        }
    }
    Ok(found)
}

/// A walk along the log.
struct Walk<'a> {
    data: &'a Path,
    today: &'a Arc<Plan>,
    plans: BTreeMap<PlanId, Arc<Plan>>,
    trusted: bool,
}

impl Walk<'_> {
    fn record(&mut self, record: &Record, found: &mut BTreeMap<SensorIx, Arrivals>, most: usize) {
        let mut flagged = record.flagged.iter();
        for (position, input) in (record.first.0..).zip(&record.inputs) {
            match input {
                Input::Reading(reading) => {
                    let (Some(checked), Some(arrivals)) = (flagged.next(), found.get_mut(&reading.sensor))
                    else {
                        continue;
                    };
                    let moment = Moment { at: record.at, offset: record.offset, trusted: self.trusted };
                    let arrival = Arrival {
                        checked: *checked,
                        received: moment.civil(),
                        position: Position(position),
                        aside: Aside::of(checked, &self.plan(record.plan), moment),
                    };
                    arrivals.take(arrival, most);
                }
                Input::Started(started) => self.trusted = started.trusted,
                Input::Clock(ClockStep { trusted, .. }) => self.trusted = *trusted,
                Input::Tick
                | Input::Plan(_)
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
    }

    /// The plan that a record was judged under; today's if that one is no longer kept.
    fn plan(&mut self, id: PlanId) -> Arc<Plan> {
        let (data, today) = (self.data, self.today);
        let load = || load_plan(data, id).map_or_else(|_| Arc::clone(today), Arc::new);
        Arc::clone(self.plans.entry(id).or_insert_with(load))
    }
}
