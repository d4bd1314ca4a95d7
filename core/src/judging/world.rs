//! A small world for tests: gauges, people, and a stage that a script drives.

use std::sync::Arc;

use super::{AreaStage, Stamp, Work};
use crate::authority::By;
use crate::event::{Command, Decision, DeliveryOutcome, PlanRef, TroubleReport};
use crate::finding::{Finding, Found, Pending, Verdict, Why};
use crate::ids::{AreaIx, DomainIx, HazardIx, OutputId, Position, RuleIx, SensorIx, SourceIx, StationIx};
use crate::ids::{RunId, TargetIx};
use crate::level::Level;
use crate::plan::{
    Area, Group, Limits, Names, OutageTell, Plan, PlanId, Raise, Route, Rule, Sensor, Side, Station, Subject,
    Target, Terms,
};
use crate::rules::{AnyRule, Threshold};
use crate::time::{Moment, Span, Timestamp};
use crate::units::Unit;
use crate::warning::{About, Cell, Outcome, Revision, TroubleCode, TroubleKey};

/// Civil time of minute 0 in every script.
const START: Timestamp = Timestamp::from_secs(1_750_000_000);

#[expect(clippy::unnecessary_wraps, reason = "it is put into a plan's table as it is")]
pub(crate) fn area(id: &str, parent: Option<u32>) -> Option<Area> {
    Some(Area { id: id.into(), names: [("en", id)].into(), parent: parent.map(AreaIx) })
}

/// A target of contact `c-{id}`, by email, told of everything.
#[expect(clippy::unnecessary_wraps, reason = "it is put into a plan's table as it is")]
pub(crate) fn target(id: &str, role: &str, area: Option<u32>) -> Option<Target> {
    Some(Target {
        id: id.into(),
        contact: format!("c-{id}"),
        roles: vec![role.into()],
        area: area.map(AreaIx),
        channel: "email".into(),
        language: "zh".into(),
        min_level: Level::Blue,
        hours: None,
    })
}

/// Every hazard and level to whoever has this role around.
pub(crate) fn route(role: &str) -> Route {
    Route {
        hazard: None,
        area: None,
        from: Level::Blue,
        to: Level::Red,
        hours: None,
        language: None,
        group: Group::AreaRole(role.into()),
        via: vec![],
        ack: None,
    }
}

pub(crate) fn rule(sensors: impl IntoIterator<Item = u32>, corroboration: u32) -> Rule {
    Rule {
        id: "river".into(),
        kind: AnyRule::Threshold(Threshold {}),
        hazard: HazardIx(0),
        side: Side::Above,
        unit: Unit::parse("m").expect("metres are a unit"),
        subjects: sensors
            .into_iter()
            .map(|ix| Subject { sensor: SensorIx(ix), limits: Limits::default() })
            .collect(),
        raise: [Raise::default(); 4],
        deadband: 0.0,
        hold: Span::from_mins(60),
        outage: OutageTell::SameTargets,
        corroboration,
    }
}

fn sensor(ix: u32) -> Sensor {
    Sensor {
        id: format!("s{ix}").into(),
        station: StationIx(ix),
        terms: Terms {
            quantity: "level".into(),
            unit: Unit::parse("m").expect("metres are a unit"),
            datum: None,
            interval: Span::from_mins(10),
            lateness: Span::ZERO,
            max_age: Span::from_hours(2),
            span: None,
            suspect: None,
            outage_intervals: 3,
            conversions: vec![],
            flat: None,
        }
        .into(),
    }
}

/// One gauge a station, each behind these failure domains, all in the area
/// `ford` under one rule. `t0` is on duty, `t1` is the operator.
pub(crate) fn gauges(domains: &[&[u32]]) -> Plan {
    let station = |(ix, domains): (usize, &&[u32])| {
        Some(Station {
            id: format!("p{ix}").into(),
            names: Names::default(),
            lat: 0.0,
            lon: 0.0,
            area: AreaIx(0),
            domains: domains.iter().map(|&ix| DomainIx(ix)).collect(),
        })
    };
    let count = domains.len() as u32;
    let highest = domains.iter().flat_map(|domains| domains.iter()).max().map_or(0, |&ix| ix + 1);
    Plan {
        stations: domains.iter().enumerate().map(station).collect(),
        sensors: (0..count).map(|ix| Some(sensor(ix))).collect(),
        areas: vec![area("ford", None)],
        hazards: vec!["flood".into()],
        domains: (0..highest).map(|ix| format!("gw{ix}")).collect(),
        rules: vec![Some(rule(0..count, 1))],
        routes: vec![route("duty")],
        targets: vec![target("t0", "duty", Some(0)), target("t1", "it", None)],
        operator: vec![TargetIx(1)],
        sources: vec!["lora".into()],
        ..Plan::default()
    }
}

pub(crate) fn one_gauge() -> Plan {
    gauges(&[&[]])
}

/// Plays a script in a world of one gauge and compares what was said.
pub(crate) fn check(script: &[(i64, &str)], expected: &[&str]) {
    check_under(one_gauge(), script, expected);
}

/// The same under another plan.
pub(crate) fn check_under(plan: Plan, script: &[(i64, &str)], expected: &[&str]) {
    World::new(plan).check(script, expected);
}

/// A stage with its queue and its timers, and what it said.
pub(crate) struct World {
    pub(crate) stage: AreaStage,
    pub(crate) moment: Moment,
    pub(crate) revisions: Vec<Revision>,
    pub(crate) decisions: Vec<Decision>,
    said: Vec<String>,
    position: u64,
}

impl World {
    pub(crate) fn new(plan: Plan) -> World {
        let moment = Moment { at: Timestamp(0), offset: START - Timestamp(0), trusted: true };
        let mut world = World {
            stage: AreaStage::default(),
            moment,
            revisions: vec![],
            decisions: vec![],
            said: vec![],
            position: 0,
        };
        world.replan(plan);
        world
    }

    pub(crate) fn replan(&mut self, plan: Plan) {
        self.stage.set_plan(&Arc::new(plan), self.moment);
        self.settle();
    }

    /// Lets time pass until this minute, firing all that is due on the way.
    pub(crate) fn pass_to(&mut self, minute: i64) {
        let until = Timestamp(0) + Span::from_mins(minute);
        loop {
            let cells: Vec<Cell> = self.stage.cells.keys().copied().collect();
            let cell = cells.iter().filter_map(|&cell| Some((self.stage.cell_due(cell)?, cell))).min();
            let outage = self.stage.outage_due();
            let Some(due) = cell.map(|(due, _)| due).into_iter().chain(outage).min() else { break };
            if due > until {
                break;
            }
            self.moment.at = self.moment.at.max(due);
            if outage == Some(due) {
                self.stage.outage(due);
            } else if let Some((_, cell)) = cell {
                self.stage.rang(cell);
            }
            self.settle();
        }
        self.moment.at = until;
    }

    /// Decides and applies all that waits.
    pub(crate) fn settle(&mut self) {
        self.position += 1;
        let mut ordinal = 0;
        while let Some(work) = self.stage.next_work() {
            self.stage.take(&work);
            let decisions = self.stage.decide(&work, &self.stamp(ordinal));
            ordinal += decisions.len() as u32;
            self.apply(decisions);
            if let Work::Cell(cell) = work {
                self.stage.schedule(cell, self.moment);
            }
        }
    }

    fn stamp(&self, ordinal: u32) -> Stamp {
        let first =
            OutputId { run: RunId(7), position: Position(self.position), ordinal, ..OutputId::default() };
        Stamp { moment: self.moment, first }
    }

    fn apply(&mut self, decisions: Vec<Decision>) {
        for decision in decisions {
            self.stage.apply(&decision, self.moment);
            match &decision {
                Decision::Revision(revision) => {
                    self.said.push(self.line(revision));
                    self.revisions.push(revision.clone());
                }
                Decision::Resent { due, .. } => {
                    self.said.push(format!("{} again {} t{}", self.minute(), due.round, due.target.0));
                }
                Decision::Asked { due, .. } => {
                    let minute = self.minute();
                    let told =
                        due.iter().map(|due| format!("{minute} asked {} t{}", due.round, due.target.0));
                    self.said.extend(told);
                }
                Decision::Acknowledged { number, target, .. } => {
                    self.said.push(format!("{} acknowledged {number} t{}", self.minute(), target.0));
                }
                _ => {}
            }
            self.decisions.push(decision);
        }
    }

    fn minute(&self) -> i64 {
        self.moment.at.as_secs() / 60
    }

    fn line(&self, revision: &Revision) -> String {
        let about = match &revision.about {
            About::Incident(_) => {
                format!("{} {:?} {}", revision.level, revision.reason, revision.certainty)
            }
            About::Trouble(key) => format!("{} {}", key.code.word(), key.subject).trim().into(),
            About::Manual(_) => format!("{} {:?} by hand", revision.level, revision.reason),
            About::NotifyTest => "test".into(),
            About::Canary(_) => "canary".into(),
        };
        let due: Vec<String> = revision.due.iter().map(|due| format!("t{}", due.target.0)).collect();
        format!("{} {} {} -> {}", self.minute(), revision.kind.word(), about, due.join(" ")).trim().into()
    }

    /// One line of a script: `s0 red`, `s0 tip red`, `s0 lost` ...
    pub(crate) fn act(&mut self, deed: &str) {
        let words: Vec<&str> = deed.split(' ').collect();
        let cell = Cell::default();
        self.position += 1;
        match words.as_slice() {
            ["pass"] | [] => {}
            ["clock", minutes, trusted] => {
                self.moment.offset = Span::from_mins(number(minutes));
                self.moment.trusted = *trusted == "trusted";
                self.stage.clock(self.moment);
            }
            ["started", minutes] => {
                self.stage.started(Some(Span::from_mins(number(minutes))), self.moment);
            }
            ["all-clear"] => self.command(&Command::AllClear(cell, "by hand".into())),
            ["cancel"] => self.command(&Command::Cancel(cell, "by hand".into())),
            ["resume"] => self.command(&Command::Resume),
            ["resend", target] => {
                let warning = self.revisions.last().expect("something was sent").warning;
                self.command(&Command::Resend(warning, TargetIx(number(&target[1..]) as u32)));
            }
            ["ack", target, rest @ ..] => {
                let of_incident = |it: &&Revision| matches!(it.about, About::Incident(_));
                let sent = self.revisions.iter().rfind(of_incident).expect("something was sent");
                let seen = rest.first().map_or(sent.number, |seen| number(seen) as u32);
                let target = TargetIx(number(&target[1..]) as u32);
                self.command(&Command::Acknowledge(sent.warning, seen, target));
            }
            ["trouble", code, present] => self.stage.reported(&TroubleReport {
                key: TroubleKey { code: trouble(code), subject: "x".into() },
                present: *present == "present",
                detail: "words".into(),
            }),
            ["source", "up"] => self.stage.source_up(SourceIx(0), self.moment),
            ["source", "down"] => {
                let blind = |ix| Found::Finding(finding(ix, Verdict::Unknown(Why::SourceDown)));
                let found: Vec<Found> = (0..self.stage.plan().sensors.len() as u32).map(blind).collect();
                for found in &found {
                    self.stage.found(found, self.moment);
                }
                self.stage.source_down(SourceIx(0), &found);
            }
            [sensor, rest @ ..] => {
                let sensor = number(&sensor[1..]) as u32;
                self.find(sensor, rest);
            }
        }
        self.settle();
    }

    fn command(&mut self, command: &Command) {
        let decisions = self.stage.decide_command(command, &By::default(), &self.stamp(0));
        self.apply(decisions);
        self.position += 1;
    }

    /// What became of the newest delivery to a target.
    pub(crate) fn outcome(&mut self, target: u32, outcome: Outcome) {
        let newest = self.revisions.iter().rev().find(|it| it.due.iter().any(|due| due.target.0 == target));
        let newest = newest.expect("the target was due something");
        let (warning, number) = (newest.warning, newest.number);
        let target = TargetIx(target);
        self.stage.outcome(&DeliveryOutcome { key: newest.id.digest(), warning, number, target, outcome });
        self.settle();
    }

    fn find(&mut self, sensor: u32, words: &[&str]) {
        let both = |verdict| finding(sensor, verdict);
        let breach = |word: &str| Verdict::Breach(Level::parse(word).expect("a level"));
        let since = self.moment.at;
        let found = match *words {
            ["clear"] => both(Verdict::Clear),
            ["lost"] => both(Verdict::Unknown(Why::BadData)),
            ["warming"] => both(Verdict::Unknown(Why::Warming)),
            ["silent"] => {
                self.stage.found(&Found::Silence(SensorIx(sensor), Some(since)), self.moment);
                both(Verdict::Unknown(Why::Silent(since)))
            }
            ["speaks", level] => {
                self.stage.found(&Found::Silence(SensorIx(sensor), None), self.moment);
                both(
                    Level::parse(level)
                        .filter(|&it| it > Level::Normal)
                        .map_or(Verdict::Clear, Verdict::Breach),
                )
            }
            ["tip", level] => Finding { settled: Verdict::Clear, firm: false, ..both(breach(level)) },
            ["suspect", level] => Finding { suspect: true, ..both(breach(level)) },
            ["suspect", level, "over", sound] => Finding {
                suspect: true,
                firm: false,
                settled: breach(sound),
                sound: breach(sound).level(),
                ..both(breach(level))
            },
            ["pending", level, minutes] => Finding {
                pending: Some(Pending {
                    level: Level::parse(level).expect("a level"),
                    due: since + Span::from_mins(number(minutes)),
                    sound: true,
                }),
                ..both(Verdict::Clear)
            },
            [level] => both(breach(level)),
            _ => panic!("no such deed: {words:?}"),
        };
        let civil = self.moment.civil();
        let found = Finding { since: civil, observed: civil, ..found };
        self.stage.found(&Found::Finding(found), self.moment);
    }

    pub(crate) fn refuses(&self, plan: Plan) -> Option<String> {
        self.stage.refuses(&PlanRef { id: PlanId::default(), orphan: false, body: Some(Arc::new(plan)) })
    }

    /// Plays a script of minutes and deeds and compares what was said.
    pub(crate) fn check(&mut self, script: &[(i64, &str)], expected: &[&str]) {
        self.said.clear();
        for (minute, deed) in script {
            self.pass_to(*minute);
            self.act(deed);
        }
        assert_eq!(self.said, expected, "{script:?}");
    }
}

pub(crate) fn finding(sensor: u32, verdict: Verdict) -> Finding {
    Finding {
        rule: RuleIx(0),
        sensor: SensorIx(sensor),
        tip: verdict,
        settled: verdict,
        firm: true,
        suspect: false,
        sound: Level::Normal,
        since: START,
        pending: None,
        measured: Some(f64::from(sensor)),
        limit: Some(0.0),
        observed: START,
        trend: None,
        saturated: false,
        value: None,
    }
}

fn number(word: &str) -> i64 {
    word.parse().expect("a number")
}

fn trouble(word: &str) -> TroubleCode {
    [TroubleCode::Held, TroubleCode::DiskLow].into_iter().find(|code| code.word() == word).expect("a trouble")
}
