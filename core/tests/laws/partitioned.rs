//! The two stages apart, with a log of findings between them, as in a cluster:
//! stations partitioned by id, areas by index, the whole site's outages by
//! themselves. They must decide what the engine decides that runs both inline.

use std::collections::BTreeSet;
use std::sync::Arc;

use forewarn_core::event::{ClockStep, Command, Decision, Event, Input, Started};
use forewarn_core::finding::Found;
use forewarn_core::ids::{AreaIx, HazardIx, OutputId, Position, SensorIx};
use forewarn_core::judging::{AreaStage, Stamp, Work};
use forewarn_core::plan::Plan;
use forewarn_core::sensing::StationStage;
use forewarn_core::time::{Moment, Timestamp};
use forewarn_core::warning::{About, Cell, TroubleCode};
use proptest::prelude::*;

use crate::world::{Run, SENSORS, histories, nameless, steady};

const STATION_PARTITIONS: u32 = 3;
const AREAS: u32 = 4;
const HAZARDS: u32 = 2;

/// Where in the handling of an input a finding was made: what fell due first,
/// the input itself, what fell due once the service had started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Before,
    Itself,
    After,
}

/// One record of the log between the stages.
struct Record {
    event: usize,
    part: Part,
    at: Timestamp,
    /// Encoded, as a log would keep it.
    found: Vec<u8>,
}

/// A partition of stations.
struct Stations {
    which: u32,
    stage: StationStage,
    plan: Arc<Plan>,
    moment: Moment,
    log: Vec<Record>,
}

impl Stations {
    fn new(which: u32) -> Stations {
        let (stage, plan) = (StationStage::default(), Arc::default());
        Stations { which, stage, plan, moment: Moment::default(), log: vec![] }
    }

    fn owns(&self, sensor: SensorIx) -> bool {
        self.plan.sensor(sensor).map_or(sensor.0, |known| known.station.0) % STATION_PARTITIONS == self.which
    }

    fn keep(&mut self, event: usize, part: Part, found: Vec<Found>) {
        let subject = |found: &Found| match found {
            Found::Finding(it) => it.sensor,
            Found::WouldHave(it) => it.sensor,
            Found::Silence(sensor, _) => *sensor,
        };
        let own: Vec<Found> = found.into_iter().filter(|found| self.owns(subject(found))).collect();
        for found in own {
            let found = minicbor::to_vec(found).expect("encoding into a Vec cannot fail");
            self.log.push(Record { event, part, at: self.moment.at, found });
        }
    }

    fn fire(&mut self, event: usize, part: Part, at: Timestamp) {
        loop {
            let due = |&ix: &u32| {
                let sensor = SensorIx(ix);
                self.stage.silence_due(sensor).filter(|_| self.owns(sensor))
            };
            let Some((when, ix)) = (0..SENSORS).filter_map(|ix| Some((due(&ix)?, ix))).min() else { break };
            if when > at {
                break;
            }
            self.moment.at = self.moment.at.max(when);
            let mut found = Vec::new();
            self.stage.silence(SensorIx(ix), self.moment, &mut found);
            self.keep(event, part, found);
        }
    }

    fn take(&mut self, number: usize, event: &Event) {
        let starts = matches!(event.input, Input::Started(_));
        if !starts {
            self.fire(number, Part::Before, event.at);
        }
        self.moment.at = self.moment.at.max(event.at);
        let mut found = Vec::new();
        match &event.input {
            Input::Reading(reading) if self.owns(reading.sensor) => {
                self.stage.reading(reading, self.moment, &mut found);
            }
            Input::Started(Started { offset, trusted, .. }) => {
                (self.moment.offset, self.moment.trusted) = (*offset, *trusted);
                self.stage.started(self.moment, &mut found);
            }
            Input::Clock(ClockStep { offset, trusted }) => {
                (self.moment.offset, self.moment.trusted) = (*offset, *trusted);
                self.stage.clock(self.moment, &mut found);
            }
            Input::Source(source, true) => self.stage.source_up(*source, self.moment, &mut found),
            Input::Source(source, false) => self.stage.source_down(*source, self.moment, &mut found),
            Input::Plan(plan) => {
                self.plan = Arc::clone(plan.body.as_ref().expect("a test's plan has its body"));
                self.stage.set_plan(&self.plan, self.moment, &mut found);
            }
            _ => {}
        }
        self.keep(number, Part::Itself, found);
        if starts {
            self.fire(number, Part::After, event.at);
        }
    }
}

/// What a partition of areas answers for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Charge {
    Area(AreaIx),
    /// Who is silent, and which source is down.
    Outages,
}

/// A partition of areas.
struct Areas {
    charge: Charge,
    stage: AreaStage,
    moment: Moment,
    decided: Vec<(Timestamp, Decision)>,
    position: u64,
}

impl Areas {
    fn new(charge: Charge) -> Areas {
        let (stage, moment) = (AreaStage::default(), Moment::default());
        Areas { charge, stage, moment, decided: vec![], position: 0 }
    }

    fn cells() -> impl Iterator<Item = Cell> {
        let area = |hazard| (0..AREAS).map(move |area| Cell { hazard: HazardIx(hazard), area: AreaIx(area) });
        (0..HAZARDS).flat_map(area)
    }

    /// Takes findings out of the log, as far as they are its charge.
    fn read(&mut self, records: &[&Record]) {
        for record in records {
            let found: Found = minicbor::decode(&record.found).expect("it was just encoded");
            let plan = Arc::clone(self.stage.plan());
            let mine = match (&found, self.charge) {
                (Found::Finding(finding), Charge::Area(area)) => {
                    let station = plan.sensor(finding.sensor).and_then(|sensor| plan.station(sensor.station));
                    station.is_some_and(|station| station.area == area)
                }
                (Found::Silence(..), Charge::Outages) => true,
                (Found::Finding(_), Charge::Outages)
                | (Found::Silence(..), Charge::Area(_))
                | (Found::WouldHave(_), _) => false,
            };
            if mine {
                self.stage.found(&found, self.moment);
            }
        }
    }

    fn settle(&mut self) {
        while let Some(work) = self.stage.next_work() {
            self.stage.take(&work);
            let stamp = self.stamp();
            let decided = self.stage.decide(&work, &stamp);
            self.apply(decided);
            if let Work::Cell(cell) = work {
                self.stage.schedule(cell, self.moment);
            }
        }
    }

    fn stamp(&mut self) -> Stamp {
        self.position += 1;
        let first = OutputId { position: Position(self.position), ..OutputId::default() };
        Stamp { moment: self.moment, first }
    }

    fn apply(&mut self, decided: Vec<Decision>) {
        for decision in decided {
            self.stage.apply(&decision, self.moment);
            self.decided.push((self.moment.at, decision));
        }
    }

    /// Does what fell due by `at`, findings and timers of one instant together.
    fn fire(&mut self, records: &[&Record], at: Timestamp) {
        let mut rest = records;
        loop {
            let cell = Areas::cells().filter_map(|cell| self.stage.cell_due(cell)).min();
            let dues = [rest.first().map(|record| record.at), self.stage.outage_due(), cell];
            let Some(when) = dues.into_iter().flatten().min().filter(|&when| when <= at) else { break };
            self.moment.at = self.moment.at.max(when);
            let (now, later) = rest.split_at(rest.partition_point(|record| record.at <= when));
            rest = later;
            self.read(now);
            if self.stage.outage_due().is_some_and(|due| due <= when) {
                self.stage.outage(self.moment.at);
            }
            for cell in Areas::cells()
                .filter(|&cell| self.stage.cell_due(cell).is_some_and(|due| due <= when))
                .collect::<Vec<_>>()
            {
                self.stage.rang(cell);
            }
            self.settle();
        }
    }

    fn take(&mut self, event: &Event, records: [&[&Record]; 3]) {
        let [before, itself, after] = records;
        let starts = matches!(event.input, Input::Started(_));
        if !starts {
            self.fire(before, event.at);
        }
        self.moment.at = self.moment.at.max(event.at);
        match &event.input {
            Input::Started(Started { downtime, offset, trusted, restored, .. }) => {
                (self.moment.offset, self.moment.trusted) = (*offset, *trusted);
                if *restored {
                    self.stage.hold();
                }
                self.stage.started(*downtime, self.moment);
                self.read(itself);
            }
            Input::Clock(ClockStep { offset, trusted }) => {
                (self.moment.offset, self.moment.trusted) = (*offset, *trusted);
                self.stage.clock(self.moment);
                self.read(itself);
            }
            Input::Plan(plan) => {
                let body = plan.body.as_ref().expect("a test's plan has its body");
                self.stage.set_plan(body, self.moment);
                self.read(itself);
            }
            Input::Source(source, true) => {
                self.read(itself);
                self.stage.source_up(*source, self.moment);
            }
            Input::Source(source, false) => {
                self.read(itself);
                self.stage.source_down(*source, &found_in(itself));
            }
            Input::Command(command, by) if self.is_mine(command) => {
                let stamp = self.stamp();
                let decided = self.stage.decide_command(command, by, &stamp);
                self.apply(decided);
            }
            _ => self.read(itself),
        }
        self.settle();
        if starts {
            self.fire(after, event.at);
        }
    }

    fn is_mine(&self, command: &Command) -> bool {
        match command {
            Command::AllClear(cell, _) | Command::Cancel(cell, _) => self.charge == Charge::Area(cell.area),
            Command::NotifyTest(..)
            | Command::Resend(..)
            | Command::Resume
            | Command::Acknowledge(..)
            | Command::Correct(..)
            | Command::Propose(_)
            | Command::Approve(..)
            | Command::Withdraw(..)
            | Command::Unmute(_)
            | Command::Note(..)
            | Command::End(..) => false,
        }
    }
}

fn found_in(records: &[&Record]) -> Vec<Found> {
    records.iter().map(|record| minicbor::decode(&record.found).expect("it was just encoded")).collect()
}

/// Whether a decision is of this charge.
fn concerns(decision: &Decision, charge: Charge) -> bool {
    let cell = match decision {
        Decision::Incident(incident) => Some(incident.cell),
        Decision::Revision(revision) => match &revision.about {
            About::Incident(cell) => Some(*cell),
            About::Trouble(key) => return charge == Charge::Outages && is_outage(key.code, &key.subject),
            About::NotifyTest | About::Manual(_) | About::Canary(_) => None,
        },
        Decision::Trouble(report) => {
            return charge == Charge::Outages && is_outage(report.key.code, &report.key.subject);
        }
        Decision::WouldHave(_)
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
    };
    cell.is_some_and(|cell| charge == Charge::Area(cell.area))
}

/// Of a sensor, a domain or a source; a cell's own troubles are named `hazard/area`.
fn is_outage(code: TroubleCode, subject: &str) -> bool {
    match code {
        TroubleCode::DomainSilent | TroubleCode::SourceDown => true,
        TroubleCode::SensorSilent => subject.ends_with("/level"),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// Failed when a finding lost `sound` on its way through the log, and when
    /// the area stage looked at what other areas' gauges do.
    #[test]
    fn stages_apart_decide_as_the_engine_does(deeds in histories(steady())) {
        let run = Run::play(&deeds);
        let mut logs = Vec::new();
        for which in 0..STATION_PARTITIONS {
            let mut stations = Stations::new(which);
            run.log.iter().enumerate().for_each(|(number, (event, _))| stations.take(number, event));
            logs.extend(stations.log);
        }
        // One order for all who read: by instant, then by subject.
        let subject = |record: &Record| match minicbor::decode(&record.found).expect("it was encoded above") {
            Found::Finding(it) => it.sensor,
            Found::WouldHave(it) => it.sensor,
            Found::Silence(sensor, _) => sensor,
        };
        logs.sort_by_key(|record| (record.event, record.part, record.at, subject(record)));
        let charges = (0..AREAS).map(|area| Charge::Area(AreaIx(area))).chain([Charge::Outages]);
        for charge in charges {
            let mut areas = Areas::new(charge);
            for (number, (event, _)) in run.log.iter().enumerate() {
                let of = |part: Part| -> Vec<&Record> {
                    logs.iter().filter(|record| record.event == number && record.part == part).collect()
                };
                areas.take(event, [&of(Part::Before), &of(Part::Itself), &of(Part::After)]);
            }
            let apart: Vec<Decision> =
                areas.decided.iter().filter(|(_, it)| concerns(it, charge)).map(|(_, it)| nameless(it)).collect();
            let inline: Vec<Decision> = run.decided().into_iter().filter(|it| concerns(it, charge)).collect();
            prop_assert_eq!(apart, inline, "{:?}", charge);
        }
        // The ledger is the stations' own.
        let ledger: BTreeSet<Vec<u8>> = logs
            .iter()
            .filter(|record| matches!(minicbor::decode(&record.found), Ok(Found::WouldHave(_))))
            .map(|record| record.found.clone())
            .collect();
        let inline: BTreeSet<Vec<u8>> = run
            .decided()
            .into_iter()
            .filter_map(|decision| match decision {
                Decision::WouldHave(it) => Some(minicbor::to_vec(Found::WouldHave(it)).expect("into a Vec")),
                _ => None,
            })
            .collect();
        prop_assert_eq!(ledger, inline);
    }
}
