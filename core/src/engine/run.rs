//! A running engine under random histories, with its log.

use std::sync::Arc;

use proptest::prelude::*;

use super::Engine;
use crate::authority::By;
use crate::event::{
    ClockStep, Command, Decision, DeliveryOutcome, Event, Input, Output, PlanRef, Started, TroubleReport,
};
use crate::ids::{AreaIx, LogId, OutputId, Position, RunId, SensorIx, SourceIx, TargetIx};
use crate::judging::world;
use crate::level::Level;
use crate::orders::{
    Draft, Ending, Issue, Mute, Note, Proposal, Quiet, Silence, Stage, Subject, Text, Texts,
};
use crate::plan::{AckTerms, Group, LimitRow, Plan, Route};
use crate::reading::{Marks, Reading};
use crate::time::{Moment, Span, Timestamp};
use crate::warning::{
    About, ByHand, Canary, Cell, Death, Incident, Outcome, Reason, Revision, TroubleCode, TroubleKey,
};

/// Civil minus engine time at the start.
pub(super) const OFFSET: Span = Span::from_secs(1_750_000_000);

/// Six gauges in two areas, two gateways; red also goes to the mayor, orange
/// and above to a second duty officer by day, who also stands in for those who
/// do not acknowledge.
pub(super) fn plan() -> Plan {
    let mut plan = world::gauges(&[&[0], &[0], &[0], &[1], &[1], &[]]);
    plan.areas.push(world::area("town", Some(0)));
    for station in plan.stations.iter_mut().skip(3).flatten() {
        station.area = AreaIx(1);
    }
    limited(&mut plan);
    plan.targets.push(world::target("t2", "mayor", Some(0)));
    plan.targets.push(world::target("t3", "day", Some(0)));
    let terms = AckTerms {
        within: Span::from_mins(5),
        then: vec![Group::AreaRole("day".into())],
        again: Some(Span::from_mins(30)),
    };
    plan.routes[0].ack = Some(terms.clone());
    plan.routes.push(Route { from: Level::Red, ack: Some(terms), ..world::route("mayor") });
    plan.routes.push(Route { from: Level::Orange, hours: Some((480, 1080)), ..world::route("day") });
    plan
}

/// A value of 1 is blue, of 4 red.
pub(super) fn limited(plan: &mut Plan) {
    let row = || LimitRow {
        from: Timestamp::MIN,
        season: None,
        levels: [Some(1.0), Some(2.0), Some(3.0), Some(4.0)],
    };
    for subject in plan.rules.iter_mut().flatten().flat_map(|rule| &mut rule.subjects) {
        subject.limits = vec![row()].into();
    }
}

/// Another plan of the same site: 0 as it was, 1 with a shorter hold and two
/// needed, 2 without the town.
pub(super) fn variant(which: u8) -> Plan {
    let mut plan = plan();
    match which {
        0 => {}
        1 => {
            let rule = plan.rules[0].as_mut().expect("the rule");
            (rule.hold, rule.corroboration) = (Span::from_mins(20), 2);
        }
        _ => {
            plan.areas[1] = None;
            plan.stations.iter_mut().skip(3).for_each(|station| *station = None);
            plan.sensors.iter_mut().skip(3).for_each(|sensor| *sensor = None);
            plan.rules[0].as_mut().expect("the rule").subjects.truncate(3);
        }
    }
    plan
}

/// One thing that happens in a random history. References to what was sent
/// count back from the newest, so that they mean the same in every run.
#[derive(Debug, Clone)]
pub(super) enum Deed {
    Reading(u32, u8),
    Pass(i64),
    Source(bool),
    Trouble(TroubleCode, bool),
    Command(u8),
    Resend(usize, u32),
    Order(u8, usize),
    Acknowledge(usize, u32),
    Outcome(usize, u32, u8),
    Clock(i64, bool),
    Plan(u8, bool),
    Started(i64, bool),
    Canary,
}

pub(super) fn calm() -> impl Strategy<Value = Deed> {
    prop_oneof![
        8 => (0..6u32, 0..5u8).prop_map(|(sensor, level)| Deed::Reading(sensor, level)),
        6 => (1..40i64).prop_map(Deed::Pass),
        1 => any::<bool>().prop_map(Deed::Source),
    ]
}

pub(super) fn wild() -> impl Strategy<Value = Deed> {
    let code = prop_oneof![Just(TroubleCode::Held), Just(TroubleCode::DiskLow)];
    prop_oneof![
        16 => calm(),
        1 => (code, any::<bool>()).prop_map(|(code, present)| Deed::Trouble(code, present)),
        3 => (0..6u8).prop_map(Deed::Command),
        1 => (0..4usize, 0..4u32).prop_map(|(back, target)| Deed::Resend(back, target)),
        6 => (0..12u8, 0..3usize).prop_map(|(which, back)| Deed::Order(which, back)),
        2 => (0..4usize, 0..4u32).prop_map(|(back, target)| Deed::Acknowledge(back, target)),
        3 => (0..4usize, 0..4u32, 0..4u8).prop_map(|(back, target, what)| Deed::Outcome(back, target, what)),
        1 => (-90..90i64, any::<bool>()).prop_map(|(minutes, trusted)| Deed::Clock(minutes, trusted)),
        1 => (0..3u8, any::<bool>()).prop_map(|(which, orphan)| Deed::Plan(which, orphan)),
        1 => (0..120i64, any::<bool>()).prop_map(|(minutes, restored)| Deed::Started(minutes, restored)),
        2 => Just(Deed::Canary),
    ]
}

pub(super) fn histories(deed: impl Strategy<Value = Deed>) -> impl Strategy<Value = Vec<Deed>> {
    proptest::collection::vec(deed, 0..60)
}

/// A running engine with its log.
pub(super) struct Run {
    pub(super) engine: Engine,
    pub(super) at: Timestamp,
    pub(super) log: Vec<(Event, Vec<Decision>)>,
    pub(super) revisions: Vec<Revision>,
}

pub(super) fn plan_ref(plan: Plan, orphan: bool) -> PlanRef {
    PlanRef { id: plan.id(), orphan, body: Some(Arc::new(plan)) }
}

pub(super) fn started(downtime: Option<Span>) -> Started {
    Started { log: LogId([1; 16]), run: RunId(2), downtime, offset: OFFSET, trusted: true, restored: false }
}

impl Run {
    pub(super) fn new(plan: Plan) -> Run {
        let mut run = Run { engine: Engine::default(), at: Timestamp(0), log: vec![], revisions: vec![] };
        run.put(Input::Started(started(None)));
        run.put(Input::Plan(plan_ref(plan, false)));
        run
    }

    pub(super) fn put(&mut self, input: Input) -> Vec<Decision> {
        let event = Event { at: self.at, position: Position(self.log.len() as u64 + 1), input };
        let mut outputs = Vec::new();
        self.engine.step(&event, &mut outputs);
        let decisions = decisions(&outputs);
        self.revisions.extend(decisions.iter().filter_map(|it| match it {
            Decision::Revision(revision) => Some(revision.clone()),
            _ => None,
        }));
        self.log.push((event, decisions.clone()));
        decisions
    }

    pub(super) fn read(&mut self, sensor: u32, value: f64) {
        self.put(Input::Reading(Reading {
            sensor: SensorIx(sensor),
            source: SourceIx(0),
            observed: Moment { at: self.at, ..self.engine.moment() }.civil(),
            value,
            seq: 0,
            identity: 0,
            marks: Marks::default(),
        }));
    }

    pub(super) fn act(&mut self, deed: &Deed) {
        self.at = self.at + Span::from_secs(1);
        match *deed {
            Deed::Reading(sensor, level) => self.read(sensor, f64::from(level)),
            Deed::Pass(minutes) => {
                self.at = self.at + Span::from_mins(minutes);
                self.put(Input::Tick);
            }
            Deed::Source(up) => drop(self.put(Input::Source(SourceIx(0), up))),
            Deed::Trouble(code, present) => {
                let key = TroubleKey { code, subject: "x".into() };
                self.put(Input::Trouble(TroubleReport { key, present, detail: "91 % full".into() }));
            }
            Deed::Command(which) => {
                let cell = |area| Cell { area: AreaIx(area), ..Cell::default() };
                let command = match which {
                    0 => Command::AllClear(cell(0), "x".into()),
                    1 => Command::Cancel(cell(1), "x".into()),
                    2 => Command::NotifyTest(vec![TargetIx(1), TargetIx(9)], "x".into()),
                    _ => Command::Resume,
                };
                self.put(Input::Command(Box::new(command), By::default()));
            }
            Deed::Resend(back, target) => {
                if let Some(revision) = self.back(back) {
                    let command = Command::Resend(revision.warning, TargetIx(target));
                    self.put(Input::Command(Box::new(command), By::default()));
                }
            }
            Deed::Order(which, back) => self.order(which, back),
            Deed::Acknowledge(back, target) => {
                if let Some(Revision { warning, number, .. }) = self.back(back) {
                    let command = Command::Acknowledge(warning, number, TargetIx(target));
                    self.put(Input::Command(Box::new(command), By::default()));
                }
            }
            Deed::Outcome(back, target, what) => self.outcome(back, target, what),
            Deed::Clock(minutes, trusted) => {
                self.put(Input::Clock(ClockStep { offset: OFFSET + Span::from_mins(minutes), trusted }));
            }
            Deed::Plan(which, orphan) => drop(self.put(Input::Plan(plan_ref(variant(which), orphan)))),
            Deed::Canary => drop(self.put(Input::Canary(Span::from_mins(1)))),
            Deed::Started(minutes, restored) => {
                self.at = self.at + Span::from_mins(minutes);
                let started = started(Some(Span::from_mins(minutes)));
                self.put(Input::Started(Started { restored, ..started }));
            }
        }
    }

    /// Something of what people order: drafted by `a`, approved by `b` or, in vain, by `a`.
    fn order(&mut self, which: u8, back: usize) {
        let (warning, draft) = (self.back(back).map(|it| it.warning), self.draft(back).cloned());
        let mute = self.engine.mutes().nth(back).map(|mute| mute.id);
        let approve = |draft: Draft| Command::Approve(draft.id, draft.digest);
        let (command, by) = match which {
            0 => (Some(Command::Propose(Proposal::Warning(issue(None)))), "a"),
            1 => (Some(Command::Propose(mute_of(Subject::Area(AreaIx(0)), Level::Orange))), "a"),
            2 => (Some(Command::Propose(mute_of(Subject::Sensor(SensorIx(0)), Level::Red))), "a"),
            3 => (Some(Command::Propose(maintenance(SensorIx(back as u32)))), "a"),
            4 | 5 => (draft.map(approve), "b"),
            6 => (draft.map(approve), "a"),
            7 => (draft.map(|draft| Command::Withdraw(draft.id, "x".into())), "a"),
            8 => (mute.map(Command::Unmute), "a"),
            9 => (warning.map(|warning| Command::Correct(warning, texts())), "a"),
            10 => (warning.map(|warning| Command::Note(Some(warning), "x".into())), "a"),
            _ => (warning.map(|warning| Command::End(warning, Ending::Cancel, "x".into())), "a"),
        };
        if let Some(command) = command {
            self.put(Input::Command(Box::new(command), By::shell(by)));
        }
    }

    /// A draft that waits, counted back from the newest.
    pub(super) fn draft(&self, back: usize) -> Option<&Draft> {
        let waiting: Vec<&Draft> = self.engine.drafts().filter(|it| it.stage == Stage::Waiting).collect();
        waiting.into_iter().rev().nth(back)
    }

    pub(super) fn back(&self, back: usize) -> Option<Revision> {
        self.revisions.iter().rev().nth(back).cloned()
    }

    pub(super) fn outcome(&mut self, back: usize, target: u32, what: u8) {
        let Some(revision) = self.back(back) else { return };
        let outcome = match what {
            0 => Outcome::Accepted,
            1 => Outcome::Superseded,
            2 => Outcome::Dead(Death::Erased),
            _ => Outcome::Dead(Death::Rejected),
        };
        let (warning, number, target) = (revision.warning, revision.number, TargetIx(target));
        let key = revision.id.digest();
        self.put(Input::Outcome(DeliveryOutcome { key, warning, number, target, outcome }));
    }

    pub(super) fn play(plan: Plan, deeds: &[Deed]) -> Run {
        let mut run = Run::new(plan);
        for deed in deeds {
            run.act(deed);
        }
        run
    }

    pub(super) fn decided(&self) -> Vec<Decision> {
        self.log.iter().flat_map(|(_, decisions)| decisions.iter().map(nameless)).collect()
    }
}

pub(super) fn texts() -> Texts {
    let text = |headline: &str| Text { headline: headline.into(), instruction: String::new() };
    Texts { zh: text("堤"), en: text("the embankment leaks") }
}

/// Red in the county, for an hour.
pub(super) fn issue(updates: Option<OutputId>) -> Issue {
    let lasting = Span::from_hours(1);
    let cell = Cell::default();
    Issue { hazard: cell.hazard, areas: vec![cell.area], level: Level::Red, texts: texts(), lasting, updates }
}

pub(super) fn mute_of(what: Subject, up_to: Level) -> Proposal {
    let (after, lasting) = (Span::ZERO, Span::from_mins(30));
    Proposal::Silence(Silence { what, quiet: Quiet::Muted, up_to, reason: "works".into(), after, lasting })
}

/// In five minutes, for half an hour.
pub(super) fn maintenance(sensor: SensorIx) -> Proposal {
    let Proposal::Silence(silence) = mute_of(Subject::Sensor(sensor), Level::Orange) else {
        unreachable!("it was just made");
    };
    Proposal::Silence(Silence { quiet: Quiet::Maintenance, after: Span::from_mins(5), ..silence })
}

pub(super) fn decisions(outputs: &[Output]) -> Vec<Decision> {
    let decision = |output: &Output| match output {
        Output::Decision(decision) => Some(Decision::clone(decision)),
        Output::Flagged(_) => None,
    };
    outputs.iter().filter_map(decision).collect()
}

/// Without the ids, which name positions.
pub(super) fn nameless(decision: &Decision) -> Decision {
    let none = OutputId::default();
    match decision.clone() {
        Decision::Incident(it) => {
            Decision::Incident(Incident { id: none, warning: it.warning.map(|_| none), ..it })
        }
        Decision::Revision(it) => {
            let about = match it.about {
                About::Manual(by_hand) => About::Manual(ByHand { draft: none, ..by_hand }),
                other => other,
            };
            let muted = it.muted.map(|_| none);
            Decision::Revision(Revision { id: none, warning: none, about, muted, ..it })
        }
        Decision::Resent { number, due, .. } => Decision::Resent { warning: none, number, due },
        Decision::Asked { number, asks, due, .. } => Decision::Asked { warning: none, number, asks, due },
        Decision::Acknowledged { number, target, reach, .. } => {
            Decision::Acknowledged { warning: none, number, target, reach }
        }
        Decision::Drafted(it) => Decision::Drafted(Draft { id: none, ..it }),
        Decision::Muted(it) => Decision::Muted(Mute { id: none, ..it }),
        Decision::Noted(it) => Decision::Noted(Note { id: none, warning: it.warning.map(|_| none), ..it }),
        Decision::Lapsed(_) => Decision::Lapsed(none),
        Decision::Canary(it) => Decision::Canary(Canary { id: none, ..it }),
        other => other,
    }
}

/// Time goes by.
pub(super) fn pass(run: &mut Run, minutes: i64) {
    run.at = run.at + Span::from_mins(minutes);
    run.put(Input::Tick);
}

/// Why anything was said of it.
pub(super) fn said(run: &Run, cell: Cell) -> Vec<Reason> {
    run.revisions.iter().filter(|it| it.about == About::Incident(cell)).map(|it| it.reason).collect()
}

/// The subjects of the troubles of a kind that stand.
pub(super) fn troubles(run: &Run, code: TroubleCode) -> Vec<String> {
    run.engine.troubles().filter(|(key, _)| key.code == code).map(|(key, _)| key.subject.clone()).collect()
}
