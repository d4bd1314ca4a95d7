//! A plan of one gauge, and a station stage to feed it to.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part of it")]

use std::sync::Arc;

use forewarn_core::finding::{Finding, Found, Verdict, WouldHave};
use forewarn_core::ids::{HazardIx, RuleIx, SensorIx, SourceIx, StationIx};
use forewarn_core::level::Status;
use forewarn_core::plan::{
    Conversion, LimitRow, OutageTell, Plan, Raise, Rule, Sensor, Settings, Side, Subject, Terms,
};
use forewarn_core::reading::{Checked, Marks, Reading};
use forewarn_core::rules::{AnyRule, Threshold};
use forewarn_core::sensing::StationStage;
use forewarn_core::time::{Moment, Span, Timestamp};
use forewarn_core::units::{Base, Unit};

/// Civil time at which every test begins: 2026-07-01T00:00:00Z.
pub const START: i64 = 1_782_864_000;

/// Engine time of the same instant; not civil time, so that none passes for the other.
pub const ENGINE_START: i64 = 1_000_000;

pub const GAUGE: SensorIx = SensorIx(0);
pub const LEVELS: [Option<f64>; 4] = [Some(2.0), Some(4.0), Some(6.0), Some(8.0)];

pub fn metre() -> Unit {
    Unit { base: Base::Metre, per_hour: false }
}

/// A gauge that reports every minute, five minutes late at most, with a span of 0 to 10 m.
pub fn gauge() -> Sensor {
    gauge_of(terms())
}

/// The gauge on other terms.
pub fn gauge_of(terms: Terms) -> Sensor {
    Sensor { id: "ford/level".into(), station: StationIx(0), terms: terms.into() }
}

/// The terms of [`gauge`].
pub fn terms() -> Terms {
    Terms {
        quantity: "level".into(),
        unit: metre(),
        datum: None,
        interval: Span::from_mins(1),
        lateness: Span::from_mins(5),
        max_age: Span::from_mins(30),
        span: Some((0.0, 10.0)),
        suspect: None,
        outage_intervals: 3,
        conversions: vec![Conversion { from: Timestamp(0), scale: 1.0, offset: 0.0 }],
        flat: None,
    }
}

/// A rule on the gauge, in its unit or that an hour, by [`LEVELS`].
pub fn rule(kind: AnyRule) -> Rule {
    let per_hour = kind.as_dyn().measures_rate();
    let limits = vec![LimitRow { from: Timestamp(0), season: None, levels: LEVELS }];
    Rule {
        id: "river".into(),
        kind,
        hazard: HazardIx(0),
        side: Side::Above,
        unit: Unit { per_hour, ..metre() },
        subjects: vec![Subject { sensor: GAUGE, limits: limits.into() }],
        raise: [Raise::default(); 4],
        deadband: 0.0,
        hold: Span::from_mins(60),
        outage: OutageTell::SameTargets,
        corroboration: 1,
    }
}

pub fn threshold() -> Rule {
    rule(AnyRule::Threshold(Threshold {}))
}

pub fn plan(sensor: Sensor, rules: Vec<Rule>) -> Plan {
    Plan {
        settings: Settings { status: Status::Actual, ..Settings::default() },
        sensors: vec![Some(sensor)],
        rules: rules.into_iter().map(Some).collect(),
        ..Plan::default()
    }
}

/// A reading of the gauge, so many seconds after [`START`].
pub fn at(secs: i64, value: f64) -> Reading {
    Reading {
        sensor: GAUGE,
        source: SourceIx(0),
        observed: Timestamp::from_secs(START + secs),
        value,
        seq: 0,
        identity: 0,
        marks: Marks::default(),
    }
}

/// A stage, the moment it stands at, and all that it found.
pub struct Bench {
    pub stage: StationStage,
    pub plan: Arc<Plan>,
    pub moment: Moment,
    pub found: Vec<Found>,
}

impl Bench {
    pub fn new(plan: Plan) -> Bench {
        let at = Timestamp::from_secs(ENGINE_START);
        let moment = Moment { at, offset: Span::from_secs(START - ENGINE_START), trusted: true };
        let mut bench = Bench { stage: StationStage::default(), plan: Arc::new(plan), moment, found: vec![] };
        bench.stage.set_plan(&bench.plan, moment, &mut bench.found);
        bench
    }

    /// Lets time pass until so many seconds after the start.
    pub fn wait(&mut self, secs: i64) -> &mut Bench {
        self.moment.at = Timestamp::from_secs(ENGINE_START + secs);
        self
    }

    /// Hands in a reading now.
    pub fn hand(&mut self, reading: Reading) -> Checked {
        self.stage.reading(&reading, self.moment, &mut self.found)
    }

    /// Waits until a reading is observed, then hands it in.
    pub fn read(&mut self, secs: i64, value: f64) -> Checked {
        self.wait(secs).hand(at(secs, value))
    }

    pub fn change(&mut self, plan: Plan) {
        self.plan = Arc::new(plan);
        self.stage.set_plan(&self.plan, self.moment, &mut self.found);
    }

    /// The newest word of a rule.
    pub fn finding(&self, rule: u32) -> Finding {
        self.findings(rule).last().expect("a rule says something as soon as it is in the plan")
    }

    pub fn findings(&self, rule: u32) -> impl Iterator<Item = Finding> {
        self.found.iter().filter_map(move |found| match found {
            Found::Finding(finding) if finding.rule == RuleIx(rule) => Some(*finding),
            Found::Finding(_) | Found::WouldHave(_) | Found::Silence(..) => None,
        })
    }

    pub fn tip(&self) -> Verdict {
        self.finding(0).tip
    }

    pub fn settled(&self) -> Verdict {
        self.finding(0).settled
    }

    pub fn would_have(&self) -> Vec<WouldHave> {
        let entry = |found: &Found| match found {
            Found::WouldHave(entry) => Some(*entry),
            Found::Finding(_) | Found::Silence(..) => None,
        };
        self.found.iter().filter_map(entry).collect()
    }

    /// Through a snapshot and back.
    pub fn restore(&mut self) {
        let bytes = minicbor::to_vec(&self.stage).expect("encoding into a Vec cannot fail");
        self.stage = minicbor::decode(&bytes).expect("a snapshot reads back");
        self.stage.attach(&self.plan, self.moment);
    }
}
