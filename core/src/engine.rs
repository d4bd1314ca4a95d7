//! The only door: `step` and `recover`, `wake_at` and `is_due`.

mod due;
mod pen;
mod snapshot;

use std::sync::Arc;

use minicbor::{Decode, Encode};

pub use self::pen::OUTPUTS_MAX;
use self::pen::{Pen, Record};
pub use self::snapshot::SnapshotError;
use crate::event::{ClockStep, Decision, Event, Input, Output, PlanRef, Started};
use crate::finding::Found;
use crate::ids::{LogId, OutputId, RunId, SensorIx, SourceIx};
use crate::judging::{AreaStage, Intake, Stamp, Trouble, Work};
use crate::orders::{Draft, Mute, Quiet};
use crate::plan::{Plan, PlanId};
use crate::reading::Reading;
use crate::sensing::{SensorState, StationStage};
use crate::time::Moment;
use crate::timers::Timers;
use crate::warning::{Incident, Revision, TroubleKey};

/// Version of the engine's judgement: rises when the same log may give other outputs.
pub const ENGINE_VERSION: u32 = 1;

/// As many inputs as it pays to foresee at once: more would drive each other out again.
pub const FORESEEN_MAX: usize = 32;

/// Findings for which room is kept from one event to the next.
const FOUND_KEPT: usize = 1024;

/// The deterministic state machine.
#[derive(Debug, Clone, Default, Encode, Decode)]
pub struct Engine {
    #[n(0)]
    version: u32,
    #[n(1)]
    moment: Moment,
    #[n(2)]
    log: LogId,
    #[n(3)]
    run: RunId,
    #[n(4)]
    plan: PlanId,
    #[n(5)]
    stations: StationStage,
    #[n(6)]
    areas: AreaStage,
    /// Whether the disk had no room and readings are not taken.
    #[n(7)]
    intake_stopped: bool,
    /// An index over what the stages know; armed anew at load.
    #[cbor(skip)]
    timers: Timers,
    /// Kept between events for its allocation alone.
    #[cbor(skip)]
    found: Vec<Found>,
    /// Nothing waits to be decided, and what falls due has its timer: a reading in which
    /// nothing is found leaves that so, and most are such.
    #[cbor(skip)]
    settled: bool,
}

impl Engine {
    /// Says what follows from one event. Work that fell due earlier is done
    /// first, at its own due time, so extra ticks change nothing.
    pub fn step(&mut self, event: &Event, outputs: &mut Vec<Output>) {
        let mut pen = Pen { position: event.position, decided: 0, record: None, outputs };
        self.run(event, &mut pen);
    }

    /// Reads, and makes nothing of, what the next inputs will need. A step mostly
    /// waits for memory; for a few inputs at once it waits hardly longer than
    /// for one. Changes nothing, and may be left out.
    pub fn foresee(&self, inputs: &[Input]) {
        let mut sensors = [SensorIx(0); FORESEEN_MAX];
        let readings = inputs.iter().filter_map(|input| match input {
            Input::Reading(reading) => Some(reading.sensor),
            Input::Tick
            | Input::Started(_)
            | Input::Plan(_)
            | Input::Clock(_)
            | Input::Source(..)
            | Input::Outcome(_)
            | Input::Command(..)
            | Input::Trouble(_)
            | Input::Assign(_)
            | Input::Intake(_)
            | Input::Bundled(_)
            | Input::Canary(_) => None,
        });
        let mut count = 0;
        for (place, sensor) in sensors.iter_mut().zip(readings) {
            *place = sensor;
            count += 1;
        }
        self.stations.foresee(&sensors[..count]);
    }

    /// Recomputes what one event of the log did to windows and votes, and
    /// applies the decisions recorded with it. Returns whether this version
    /// would have decided otherwise; what differs is decided at the next
    /// start, which judges every cell again.
    pub fn recover(&mut self, event: &Event, recorded: &[Decision], outputs: &mut Vec<Output>) -> bool {
        let record = Some(Record { rest: recorded, differs: false });
        let mut pen = Pen { position: event.position, decided: 0, record, outputs };
        self.run(event, &mut pen);
        let record = pen.record.take().expect("it was put in above, and nothing takes it out");
        if record.rest.is_empty() {
            return record.differs;
        }
        for decision in record.rest {
            self.apply(decision, &mut pen);
            if let Some(cell) = decision.cell() {
                self.schedule(cell);
            }
        }
        self.arm_outage();
        self.settled = false;
        true
    }

    /// The time of the last event.
    pub fn moment(&self) -> Moment {
        self.moment
    }

    /// The plan in force.
    pub fn plan(&self) -> &Arc<Plan> {
        self.areas.plan()
    }

    /// The hash of the plan in force.
    pub fn plan_id(&self) -> PlanId {
        self.plan
    }

    /// Every open incident, in order of hazard and area.
    pub fn incidents(&self) -> impl Iterator<Item = &Incident> {
        self.areas.incidents()
    }

    /// Every trouble that stands.
    pub fn troubles(&self) -> impl Iterator<Item = (&TroubleKey, &Trouble)> {
        self.areas.troubles().iter()
    }

    /// The newest revision of a standing warning, or of one that ended lately.
    pub fn newest(&self, warning: OutputId) -> Option<&Revision> {
        self.areas.newest(warning)
    }

    /// Every draft that waits, and those decided on lately.
    pub fn drafts(&self) -> impl Iterator<Item = &Draft> {
        self.areas.drafts()
    }

    /// Every mute and maintenance window that is planned or holds, and those that ended lately.
    pub fn mutes(&self) -> impl Iterator<Item = &Mute> {
        self.areas.mutes()
    }

    /// Whether a restored directory is held: it judges, and sends only Trouble.
    pub fn is_held(&self) -> bool {
        self.areas.is_held()
    }

    /// How many configured sensors are silent.
    pub fn sensors_silent(&self) -> usize {
        self.areas.silent()
    }

    /// How many configured sensors are not silent.
    pub fn sensors_reporting(&self) -> usize {
        self.plan().sensors.iter().flatten().count().saturating_sub(self.areas.silent())
    }

    /// What is known of a sensor; `None` for one that is not in the plan.
    pub fn sensor(&self, sensor: SensorIx) -> Option<SensorState<'_>> {
        self.stations.sensor_state(sensor)
    }

    fn run(&mut self, event: &Event, pen: &mut Pen<'_>) {
        // A start comes before what fell due meanwhile: our own downtime is no sensor's silence.
        let starts = matches!(event.input, Input::Started(_));
        if !starts {
            self.fire(event.at, pen);
        }
        self.moment.at = self.moment.at.max(event.at);
        self.take_in(&event.input, pen);
        if self.settled {
            debug_assert!(
                self.areas.next_work().is_none(),
                "a reading that says nothing leaves nothing to do"
            );
        } else {
            self.settle(pen);
        }
        if starts {
            self.fire(event.at, pen);
        }
    }

    fn take_in(&mut self, input: &Input, pen: &mut Pen<'_>) {
        // Whatever else comes may bring something to decide.
        self.settled &= matches!(input, Input::Reading(_));
        match input {
            Input::Reading(reading) => self.reading(reading, pen),
            Input::Tick | Input::Assign(_) | Input::Bundled(_) => {}
            Input::Started(started) => self.started(started, pen),
            Input::Plan(plan) => self.replan(plan, pen),
            Input::Clock(ClockStep { offset, trusted }) => {
                (self.moment.offset, self.moment.trusted) = (*offset, *trusted);
                self.stations.clock(self.moment, &mut self.found);
                self.areas.clock(self.moment);
                self.absorb(pen);
            }
            Input::Source(source, true) => self.source_up(*source, pen),
            Input::Source(source, false) => self.source_down(*source, pen),
            Input::Outcome(outcome) => self.areas.outcome(outcome),
            Input::Command(command, by) => {
                let decisions = self.areas.decide_command(command, by, &self.stamp(pen));
                self.commit(&decisions, pen);
            }
            Input::Trouble(report) => self.areas.reported(report),
            Input::Intake(true) => self.intake_is(Intake::Taken, pen),
            Input::Intake(false) => self.intake_is(Intake::Stopped, pen),
            Input::Canary(every) => self.areas.canary(*every),
        }
    }

    /// Our own stop is our own downtime: meanwhile nothing is known and nothing
    /// clears; silence and every hold count from the resumption on.
    fn intake_is(&mut self, intake: Intake, pen: &mut Pen<'_>) {
        let stopped = intake == Intake::Stopped;
        if self.intake_stopped == stopped {
            return;
        }
        self.intake_stopped = stopped;
        self.areas.intake(intake, self.moment);
        self.stations.intake(self.moment, &mut self.found);
        self.absorb(pen);
        self.arm_sensors();
    }

    fn reading(&mut self, reading: &Reading, pen: &mut Pen<'_>) {
        let checked = self.stations.reading(reading, self.moment, &mut self.found);
        pen.outputs.push(Output::Flagged(checked));
        if !self.found.is_empty() {
            self.settled = false;
            self.absorb(pen);
        }
        self.arm_sensor(reading.sensor);
    }

    fn started(&mut self, started: &Started, pen: &mut Pen<'_>) {
        (self.log, self.run) = (started.log, started.run);
        (self.moment.offset, self.moment.trusted) = (started.offset, started.trusted);
        self.intake_stopped = false;
        if started.restored {
            self.areas.hold();
        }
        self.stations.started(self.moment, &mut self.found);
        self.areas.started(started.downtime, self.moment);
        self.absorb(pen);
        self.arm_sensors();
    }

    fn source_up(&mut self, source: SourceIx, pen: &mut Pen<'_>) {
        self.stations.source_up(source, self.moment, &mut self.found);
        self.absorb(pen);
        self.areas.source_up(source, self.moment);
        self.arm_sensors();
    }

    fn source_down(&mut self, source: SourceIx, pen: &mut Pen<'_>) {
        self.stations.source_down(source, self.moment, &mut self.found);
        let found = self.found.clone();
        self.absorb(pen);
        self.areas.source_down(source, &found);
        self.arm_sensors();
    }

    fn replan(&mut self, plan: &PlanRef, pen: &mut Pen<'_>) {
        let own = self.areas.refuses(plan).map(Decision::PlanRefused);
        // In recovery the record says whether the plan came into force.
        let refused = match &pen.record {
            None => own.is_some(),
            Some(record) => record.rest.iter().any(|it| matches!(it, Decision::PlanRefused(_))),
        };
        self.commit(own.as_slice(), pen);
        if refused {
            return;
        }
        let Some(body) = &plan.body else { return };
        self.plan = plan.id;
        self.areas.set_plan(body, self.moment);
        self.stations.set_plan(body, self.moment, &mut self.found);
        self.absorb(pen);
        self.maintain(pen);
        self.arm_sensors();
    }

    /// Passes on what the stations found.
    fn absorb(&mut self, pen: &mut Pen<'_>) {
        let mut found = std::mem::take(&mut self.found);
        for found in found.drain(..) {
            if let Found::WouldHave(would_have) = found {
                self.commit(&[Decision::WouldHave(would_have)], pen);
            } else {
                self.areas.found(&found, self.moment);
            }
        }
        // A plan or a lost source is found at every sensor, and that is rare.
        found.shrink_to(FOUND_KEPT);
        self.found = found;
    }

    /// Decides on all that waits, as far as the bound allows.
    fn settle(&mut self, pen: &mut Pen<'_>) {
        self.settled = loop {
            if pen.is_full() {
                break false;
            }
            let Some(work) = self.areas.next_work() else { break true };
            self.areas.take(&work);
            let decisions = self.areas.decide(&work, &self.stamp(pen));
            let agreed = self.commit(&decisions, pen);
            if let Work::Cell(cell) = work {
                self.schedule(cell);
            }
            if !agreed {
                self.areas.defer(work);
            }
        };
        self.arm_outage();
    }

    /// Makes decisions so, in a live step. In recovery the record is made so
    /// instead: here where it agrees, after the event where it does not.
    fn commit(&mut self, decisions: &[Decision], pen: &mut Pen<'_>) -> bool {
        if let Some(record) = &mut pen.record {
            record.differs |= !record.rest.starts_with(decisions);
            if record.differs {
                return decisions.is_empty();
            }
            record.rest = &record.rest[decisions.len()..];
        }
        for decision in decisions {
            self.apply(decision, pen);
        }
        true
    }

    fn apply(&mut self, decision: &Decision, pen: &mut Pen<'_>) {
        self.areas.apply(decision, self.moment);
        pen.outputs.push(Output::Decision(Box::new(decision.clone())));
        pen.decided += 1;
        if let Decision::Muted(mute) = decision
            && mute.silence.quiet == Quiet::Maintenance
        {
            self.maintain(pen);
        }
    }

    /// Those whom people work on are judged no more, and those they are done with again.
    fn maintain(&mut self, pen: &mut Pen<'_>) {
        let maintained = self.areas.maintained();
        let changed = self.stations.maintain(&maintained, self.moment, &mut self.found);
        self.absorb(pen);
        changed.into_iter().for_each(|sensor| self.arm_sensor(sensor));
    }

    fn stamp(&self, pen: &Pen<'_>) -> Stamp {
        let first = OutputId { log: self.log, run: self.run, position: pen.position, ordinal: pen.decided };
        Stamp { moment: self.moment, first }
    }
}

#[cfg(test)]
mod canary_tests;
#[cfg(test)]
mod orders_tests;
#[cfg(test)]
mod run;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod upgrade_tests;
