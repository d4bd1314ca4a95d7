//! Random histories of a province of eight gauges, and a run with its log.

use std::sync::Arc;

use forewarn_core::authority::By;
use forewarn_core::engine::{Engine, OUTPUTS_MAX};
use forewarn_core::event::{
    ClockStep, Command, Decision, DeliveryOutcome, Event, Input, Output, PlanRef, Started, TroubleReport,
};
use forewarn_core::ids::{AreaIx, HazardIx, LogId, OutputId, Position, RunId, SensorIx, SourceIx, TargetIx};
use forewarn_core::plan::Plan;
use forewarn_core::reading::{Marks, Reading};
use forewarn_core::time::{Moment, Span, Timestamp};
use forewarn_core::warning::{Cell, Death, Incident, Outcome, Revision, TroubleCode, TroubleKey};
use proptest::prelude::*;

pub use crate::province::{SENSORS, plan};

/// Civil minus engine time at the start: 2026-07-01, early in the morning at the site.
pub const OFFSET: Span = Span::from_secs(1_782_860_000);

/// Another plan of the same site: 0 as it was, 1 with other holds and limits,
/// 2 without the village, 3 with other routes, 4 without a gauge of the county,
/// one of the town and one of its rules, 5 with a gauge that now stands for
/// another area, and a rule for another hazard.
pub fn variant(which: u8) -> Plan {
    let mut plan = plan();
    match which {
        0 => {}
        1 => {
            let river = plan.rules[0].as_mut().expect("the first rule");
            river.hold = Span::from_mins(20);
            river.subjects[3].limits[0].levels[0] = Some(2.6);
        }
        2 => {
            (plan.areas[2], plan.stations[5], plan.sensors[5]) = (None, None, None);
            for rule in plan.rules.iter_mut().flatten() {
                rule.subjects.retain(|subject| subject.sensor != SensorIx(5));
            }
        }
        3 => {
            plan.routes.remove(0);
            plan.targets[2] = None;
        }
        4 => {
            (plan.stations[0], plan.sensors[0], plan.rules[2]) = (None, None, None);
            for rule in plan.rules.iter_mut().flatten() {
                rule.subjects.retain(|subject| !matches!(subject.sensor, SensorIx(0 | 3)));
            }
        }
        _ => {
            plan.stations[1].as_mut().expect("it stands there").area = AreaIx(3);
            plan.rules[2].as_mut().expect("the rate of rise").hazard = HazardIx(1);
        }
    }
    plan
}

/// How many plans [`variant`] knows.
pub const VARIANTS: u8 = 6;

/// One thing that happens. What refers to something sent counts back from the
/// newest, so that it means the same in every run.
#[derive(Debug, Clone)]
pub enum Deed {
    /// Which gauge, its value, minutes late, through which source.
    Reading(u32, f64, i64, u32),
    Pass(i64),
    Source(u32, bool),
    Command(u8),
    Trouble(TroubleCode, bool),
    Resend(usize, usize),
    Outcome(usize, usize, u8),
    Clock(i64, bool),
    Plan(u8, bool),
    Started(i64, bool),
    Intake(bool),
}

/// A value below the span: flag 4, and not at the dangerous end.
pub const FAILED: f64 = -7.0;

fn values() -> impl Strategy<Value = f64> {
    prop_oneof![
        10 => (0..24u8).prop_map(|step| f64::from(step) / 4.0 + 0.5),
        // Suspect, saturated, failed.
        2 => prop::sample::select(vec![0.1, 8.0, 10.0, 11.0, FAILED]),
    ]
}

/// Gauges, time, sources.
pub fn calm() -> impl Strategy<Value = Deed> {
    prop_oneof![
        16 => (0..SENSORS, values(), prop_oneof![4 => Just(0), 1 => 1..40i64], 0..2u32)
            .prop_map(|(sensor, value, late, source)| Deed::Reading(sensor, value, late, source)),
        7 => (1..25i64).prop_map(Deed::Pass),
        1 => (0..2u32, any::<bool>()).prop_map(|(source, up)| Deed::Source(source, up)),
    ]
}

/// What a partition of the cluster takes too: persons, clocks, starts.
pub fn steady() -> impl Strategy<Value = Deed> {
    prop_oneof![
        24 => calm(),
        1 => (0..4u8).prop_map(Deed::Command),
        1 => (-90..90i64, any::<bool>()).prop_map(|(minutes, trusted)| Deed::Clock(minutes, trusted)),
        1 => prop::sample::select(vec![0, 1, 4, 5]).prop_map(|which| Deed::Plan(which, false)),
        1 => (0..90i64, any::<bool>()).prop_map(|(minutes, restored)| Deed::Started(minutes, restored)),
    ]
}

/// Everything.
pub fn wild() -> impl Strategy<Value = Deed> {
    let code = prop_oneof![Just(TroubleCode::Held), Just(TroubleCode::DiskLow)];
    prop_oneof![
        24 => steady(),
        1 => (code, any::<bool>()).prop_map(|(code, present)| Deed::Trouble(code, present)),
        1 => (4..7u8).prop_map(Deed::Command),
        1 => (0..4usize, 0..4usize).prop_map(|(back, which)| Deed::Resend(back, which)),
        2 => outcome(),
        1 => (0..VARIANTS, any::<bool>()).prop_map(|(which, orphan)| Deed::Plan(which, orphan)),
        1 => any::<bool>().prop_map(Deed::Intake),
    ]
}

/// What became of a delivery.
pub fn outcome() -> impl Strategy<Value = Deed> {
    (0..4usize, 0..4usize, 0..4u8).prop_map(|(back, which, what)| Deed::Outcome(back, which, what))
}

pub fn histories(deed: impl Strategy<Value = Deed>) -> impl Strategy<Value = Vec<Deed>> {
    proptest::collection::vec(deed, 0..90)
}

/// A running engine with its log.
pub struct Run {
    pub engine: Engine,
    pub at: Timestamp,
    pub log: Vec<(Event, Vec<Decision>)>,
    pub revisions: Vec<Revision>,
}

pub fn plan_ref(plan: Plan, orphan: bool) -> PlanRef {
    PlanRef { id: plan.id(), orphan, body: Some(Arc::new(plan)) }
}

pub fn started(downtime: Option<Span>) -> Started {
    Started { log: LogId([1; 16]), run: RunId(2), downtime, offset: OFFSET, trusted: true, restored: false }
}

impl Run {
    pub fn new(plan: Plan) -> Run {
        let mut run = Run { engine: Engine::default(), at: Timestamp(0), log: vec![], revisions: vec![] };
        run.put(Input::Started(started(None)));
        run.put(Input::Plan(plan_ref(plan, false)));
        run
    }

    /// Hands in an event now.
    pub fn put(&mut self, input: Input) -> Vec<Decision> {
        let event = Event { at: self.at, position: Position(self.log.len() as u64 + 1), input };
        let mut outputs = Vec::new();
        self.engine.step(&event, &mut outputs);
        let decisions = decisions(&outputs);
        // No event of any history yields more.
        assert!(decisions.len() <= OUTPUTS_MAX && outputs.len() <= decisions.len() + 1);
        self.revisions.extend(revisions(&decisions).cloned());
        self.log.push((event, decisions.clone()));
        decisions
    }

    /// Ticks until nothing is due now.
    pub fn drain(&mut self) -> Vec<Decision> {
        let mut decided = Vec::new();
        while self.engine.is_due(self.at) {
            decided.extend(self.put(Input::Tick));
        }
        decided
    }

    pub fn civil(&self) -> Timestamp {
        Moment { at: self.at, ..self.engine.moment() }.civil()
    }

    pub fn read(&mut self, sensor: u32, value: f64, late: i64, source: u32) -> Vec<Decision> {
        self.put(Input::Reading(Reading {
            sensor: SensorIx(sensor),
            source: SourceIx(source),
            observed: self.civil() - Span::from_mins(late),
            value,
            seq: 0,
            identity: 0,
            marks: Marks::default(),
        }))
    }

    /// Does one deed, a second after the one before.
    pub fn act(&mut self, deed: &Deed) {
        self.at = self.at + Span::from_secs(1);
        match *deed {
            Deed::Reading(sensor, value, late, source) => drop(self.read(sensor, value, late, source)),
            Deed::Pass(minutes) => {
                self.at = self.at + Span::from_mins(minutes);
                self.put(Input::Tick);
            }
            Deed::Source(source, up) => drop(self.put(Input::Source(SourceIx(source), up))),
            Deed::Command(which) => drop(self.put(Input::Command(Box::new(command(which)), By::default()))),
            Deed::Trouble(code, present) => {
                let key = TroubleKey { code, subject: "x".into() };
                self.put(Input::Trouble(TroubleReport { key, present, detail: "91 % full".into() }));
            }
            Deed::Resend(back, which) => {
                if let Some((revision, target)) = self.back(back, which) {
                    self.put(Input::Command(
                        Box::new(Command::Resend(revision.warning, target)),
                        By::default(),
                    ));
                }
            }
            Deed::Outcome(back, which, what) => self.outcome(back, which, what),
            Deed::Clock(minutes, trusted) => {
                self.put(Input::Clock(ClockStep { offset: OFFSET + Span::from_mins(minutes), trusted }));
            }
            Deed::Plan(which, orphan) => drop(self.put(Input::Plan(plan_ref(variant(which), orphan)))),
            Deed::Started(minutes, restored) => {
                self.at = self.at + Span::from_mins(minutes);
                let started = started(Some(Span::from_mins(minutes)));
                self.put(Input::Started(Started { restored, ..started }));
            }
            Deed::Intake(taken) => drop(self.put(Input::Intake(taken))),
        }
    }

    /// A revision counted back from the newest, and one of its targets.
    fn back(&self, back: usize, which: usize) -> Option<(Revision, TargetIx)> {
        let revision = self.revisions.iter().rev().filter(|it| !it.due.is_empty()).nth(back)?;
        Some((revision.clone(), revision.due[which % revision.due.len()].target))
    }

    fn outcome(&mut self, back: usize, which: usize, what: u8) {
        let Some((revision, target)) = self.back(back, which) else { return };
        let outcome = match what {
            0 => Outcome::Accepted,
            1 => Outcome::Superseded,
            2 => Outcome::Dead(Death::Erased),
            _ => Outcome::Dead(Death::Rejected),
        };
        let (warning, number, key) = (revision.warning, revision.number, revision.id.digest());
        self.put(Input::Outcome(DeliveryOutcome { key, warning, number, target, outcome }));
    }

    pub fn play(deeds: &[Deed]) -> Run {
        let mut run = Run::new(plan());
        for deed in deeds {
            run.act(deed);
        }
        run
    }

    pub fn decided(&self) -> Vec<Decision> {
        self.log.iter().flat_map(|(_, decisions)| decisions.iter().map(nameless)).collect()
    }
}

fn command(which: u8) -> Command {
    let cell = |hazard, area| Cell { hazard: HazardIx(hazard), area: AreaIx(area) };
    match which {
        0 => Command::AllClear(cell(0, 0), "x".into()),
        1 => Command::AllClear(cell(1, 1), "x".into()),
        2 => Command::Cancel(cell(0, 1), "x".into()),
        3 => Command::Cancel(cell(0, 3), "x".into()),
        4 => Command::NotifyTest(vec![TargetIx(1), TargetIx(99)], "x".into()),
        _ => Command::Resume,
    }
}

pub fn decisions(outputs: &[Output]) -> Vec<Decision> {
    let decision = |output: &Output| match output {
        Output::Decision(decision) => Some(Decision::clone(decision)),
        Output::Flagged(_) => None,
    };
    outputs.iter().filter_map(decision).collect()
}

pub fn revisions(decisions: &[Decision]) -> impl Iterator<Item = &Revision> {
    decisions.iter().filter_map(|decision| match decision {
        Decision::Revision(revision) => Some(revision),
        Decision::Incident(_)
        | Decision::WouldHave(_)
        | Decision::Trouble(_)
        | Decision::PlanRefused(_)
        | Decision::Resumed
        | Decision::Resent { .. }
        | Decision::Asked { .. }
        | Decision::Acknowledged { .. }
        | Decision::Refused(_)
        | Decision::Drafted(_)
        | Decision::Muted(_)
        | Decision::Noted(_)
        | Decision::Lapsed(_)
        | Decision::Canary(_) => None,
    })
}

/// Without the ids, which name positions.
pub fn nameless(decision: &Decision) -> Decision {
    let none = OutputId::default();
    match decision.clone() {
        Decision::Incident(it) => {
            Decision::Incident(Incident { id: none, warning: it.warning.map(|_| none), ..it })
        }
        Decision::Revision(it) => Decision::Revision(Revision { id: none, warning: none, ..it }),
        Decision::Resent { number, due, .. } => Decision::Resent { warning: none, number, due },
        Decision::Asked { number, asks, due, .. } => Decision::Asked { warning: none, number, asks, due },
        Decision::Acknowledged { number, target, reach, .. } => {
            Decision::Acknowledged { warning: none, number, target, reach }
        }
        other => other,
    }
}
