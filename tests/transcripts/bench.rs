//! A clock, an engine, and a log, driven by a scenario's events: time stops at
//! each instant the engine asks for, and a tick is logged only when it is due.

use std::sync::Arc;

use forewarn_core::engine::{Engine, OUTPUTS_MAX};
use forewarn_core::event::{ClockStep, Decision, Event, Input, Output, PlanRef, Started};
use forewarn_core::finding::WouldHave;
use forewarn_core::ids::{LogId, Position, RunId, SensorIx, SourceIx};
use forewarn_core::plan::Plan;
use forewarn_core::reading::{Checked, Marks, Reading};
use forewarn_core::time::{Moment, Span, Timestamp};
use forewarn_core::warning::{About, Reason, Revision, TroubleCode};
use forewarn_simulations::Sent;

use crate::transcript::Transcript;

/// Civil time at which every scenario begins: 2026-07-01T00:00:00Z.
pub const START: Timestamp = Timestamp::from_secs(1_782_864_000);

/// Engine time of the same instant; not civil time, so that none passes for the other.
const ENGINE_START: Timestamp = Timestamp::from_secs(1_000_000);

/// So many ticks at one instant are a loop.
const TICKS_MAX: usize = 1000;

/// A running engine with its clock and its log.
pub struct Bench {
    pub engine: Engine,
    at: Timestamp,
    offset: Span,
    trusted: bool,
    /// Every event with what was decided on it.
    pub log: Vec<(Event, Vec<Decision>)>,
    pub revisions: Vec<(Span, Revision)>,
    pub would_have: Vec<WouldHave>,
    pub flagged: Vec<Checked>,
    pub transcript: Transcript,
}

impl Bench {
    /// Starts with a clock that can be trusted.
    pub fn start(plan: Plan) -> Bench {
        let mut bench = Bench::boot(START - ENGINE_START, true);
        bench.plan(plan, false);
        bench
    }

    /// Starts at some civil time, trusted or not, without a plan yet.
    pub fn boot(offset: Span, trusted: bool) -> Bench {
        let mut bench = Bench {
            engine: Engine::default(),
            at: ENGINE_START,
            offset,
            trusted,
            log: vec![],
            revisions: vec![],
            would_have: vec![],
            flagged: vec![],
            transcript: Transcript::default(),
        };
        let (log, run) = (LogId([7; 16]), RunId(1));
        bench.put(Input::Started(Started { log, run, downtime: None, offset, trusted, restored: false }));
        bench
    }

    /// Time since the start, by a clock that is not stepped.
    pub fn elapsed(&self) -> Span {
        self.at - ENGINE_START
    }

    pub fn moment(&self) -> Moment {
        Moment { at: self.at, offset: self.offset, trusted: self.trusted }
    }

    /// Hands in one event now; what it decided.
    pub fn put(&mut self, input: Input) -> Vec<Decision> {
        let event = Event { at: self.at, position: Position(self.log.len() as u64 + 1), input };
        let mut outputs = Vec::new();
        self.engine.step(&event, &mut outputs);
        let after = self.elapsed();
        self.transcript.event(after, &event.input, &outputs, &self.engine);
        let mut decisions = Vec::new();
        for output in outputs {
            match output {
                Output::Flagged(checked) => self.flagged.push(checked),
                Output::Decision(decision) => {
                    match &*decision {
                        Decision::Revision(revision) => self.revisions.push((after, revision.clone())),
                        Decision::WouldHave(would_have) => self.would_have.push(*would_have),
                        _ => {}
                    }
                    decisions.push(*decision);
                }
            }
        }
        assert!(decisions.len() <= OUTPUTS_MAX, "{} decisions on one event", decisions.len());
        self.log.push((event, decisions.clone()));
        decisions
    }

    /// Lets time pass until so long after the start, with a tick wherever one is due.
    pub fn pass(&mut self, until: Span) -> usize {
        let until = ENGINE_START + until;
        let mut ticks = 0;
        let mut here = (self.at, 0);
        while let Some(wake) = self.engine.wake_at()
            && wake <= until
        {
            self.at = self.at.max(wake);
            if self.engine.is_due(self.at) {
                self.put(Input::Tick);
                ticks += 1;
            }
            here = if here.0 == self.at { (here.0, here.1 + 1) } else { (self.at, 0) };
            assert!(here.1 < TICKS_MAX, "what falls due at one instant never ends");
        }
        self.at = self.at.max(until);
        ticks
    }

    /// A gauge measures so many metres now.
    pub fn read(&mut self, sensor: SensorIx, value: f64) {
        self.late(sensor, value, self.elapsed());
    }

    /// A gauge's measurement of another time comes in now.
    pub fn late(&mut self, sensor: SensorIx, value: f64, observed: Span) {
        let observed = (ENGINE_START + observed) + self.offset;
        self.put(Input::Reading(reading(sensor, value, observed)));
    }

    pub fn clock(&mut self, offset: Span, trusted: bool) {
        (self.offset, self.trusted) = (offset, trusted);
        self.put(Input::Clock(ClockStep { offset, trusted }));
    }

    pub fn plan(&mut self, plan: Plan, orphan: bool) -> Vec<Decision> {
        self.put(Input::Plan(PlanRef { id: plan.id(), orphan, body: Some(Arc::new(plan)) }))
    }

    /// Plays a simulated world: each reading when it leaves its device.
    pub fn play(&mut self, sent: &[Sent]) {
        for one in sent {
            self.pass(one.at - START);
            let id = format!("{}/{}", one.station, one.quantity);
            let plan = Arc::clone(self.engine.plan());
            let sensor = plan.sensors.iter().position(|it| it.as_ref().is_some_and(|it| *it.id == *id));
            let sensor = SensorIx(sensor.unwrap_or_else(|| panic!("{id} is not in the plan")) as u32);
            self.put(Input::Reading(reading(sensor, one.value, one.observed)));
        }
    }

    /// When, what and why, of all that was said of incidents.
    pub fn said(&self) -> Vec<(i64, Reason)> {
        let of_incidents = self.revisions.iter().filter(|(_, it)| matches!(it.about, About::Incident(_)));
        of_incidents.map(|(after, it)| (after.0 / 60_000_000, it.reason)).collect()
    }

    /// Why, of all that was said of incidents.
    pub fn reasons(&self) -> Vec<Reason> {
        self.said().iter().map(|(_, reason)| *reason).collect()
    }

    /// The last word is the all-clear, one hour of hold after the minute at
    /// which the water fell: not sooner, and later only by what a late reading
    /// may still say (half an hour) and an interval at either end.
    pub fn over(&self, fell: i64) {
        let (after, last) = self.said().pop().expect("something was said");
        assert!(matches!(last, Reason::Eased | Reason::Unconfirmed), "{last:?}");
        assert!(
            (fell + 60..=fell + 60 + 30 + 20).contains(&after),
            "over at {after} min, fell at {fell} min"
        );
    }

    /// Every notice of trouble with this code.
    pub fn troubles(&self, code: TroubleCode) -> Vec<&(Span, Revision)> {
        let is = |it: &Revision| matches!(&it.about, About::Trouble(key) if key.code == code);
        self.revisions.iter().filter(|(_, it)| is(it)).collect()
    }

    /// Steps through the whole log anew, and through it as recovery would:
    /// both must come to the same bytes.
    pub fn replays(&self) {
        let (mut stepped, mut recovered) = (Engine::default(), Engine::default());
        for (event, decided) in &self.log {
            let mut outputs = Vec::new();
            stepped.step(event, &mut outputs);
            let again: Vec<&Decision> = outputs
                .iter()
                .filter_map(|it| match it {
                    Output::Decision(decision) => Some(&**decision),
                    Output::Flagged(_) => None,
                })
                .collect();
            assert!(again.iter().copied().eq(decided), "{event:?}");
            assert!(!recovered.recover(event, decided, &mut Vec::new()), "{event:?}");
        }
        assert!(stepped.to_bytes() == self.engine.to_bytes(), "a replay comes to another state");
        assert!(recovered.to_bytes() == self.engine.to_bytes(), "recovery comes to another state");
    }
}

pub fn reading(sensor: SensorIx, value: f64, observed: Timestamp) -> Reading {
    let (source, marks) = (SourceIx(0), Marks::default());
    Reading { sensor, source, observed, value, seq: 0, identity: 0, marks }
}

pub const fn mins(minutes: i64) -> Span {
    Span::from_mins(minutes)
}
