//! An engine with its sensors, and readings for them in random order.

use std::sync::Arc;

use forewarn_core::engine::{Engine, FORESEEN_MAX};
use forewarn_core::event::{Event, Input, Output, PlanRef, Started};
use forewarn_core::ids::{HazardIx, LogId, Position, RunId, SensorIx, SourceIx};
use forewarn_core::level::Level;
use forewarn_core::plan::{LimitRow, Plan, Rule};
use forewarn_core::reading::{Marks, Reading};
use forewarn_core::rules::{AnyRule, Slope};
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::units::Unit;
use forewarn_simulations::random::Random;

use crate::site;

/// Civil time of the start: 2026-07-01T00:00:00Z.
pub(crate) const START: Timestamp = Timestamp::from_secs(1_782_864_000);

/// How often a gauge of `site` reports.
pub(crate) const INTERVAL: Span = Span::from_mins(10);

/// How far the slope looks back: twelve intervals.
pub(crate) const WINDOW: Span = Span::from_hours(2);

/// After so many readings each every window is full.
pub(crate) const WINDOW_FULL: usize = 30;

/// Metres: below every limit of `site::LEVELS`, between blue and yellow, and between yellow and orange.
pub(crate) const CALM: f64 = 1.0;
pub(crate) const CROSSED: f64 = 3.5;
pub(crate) const RISEN: f64 = 4.5;

/// Which rules judge each gauge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rules {
    Threshold,
    ThresholdAndSlope,
}

/// So many gauges, so many of them an area, each area with its duty officer.
pub(crate) fn plan(sensors: u32, an_area: u32, rules: Rules) -> Plan {
    let mut plan = site::site();
    for first in (0..sensors).step_by(an_area as usize) {
        let area = site::area(&mut plan, &format!("a-{first:06}"));
        for at in first..(first + an_area).min(sensors) {
            site::gauge(&mut plan, &format!("g-{at:06}"), area, &[]);
        }
    }
    site::river_level(&mut plan, site::LEVELS);
    site::route(&mut plan, "duty", Level::Blue);
    if rules == Rules::ThresholdAndSlope {
        let mut slope: Rule = site::rule(&mut plan).clone();
        slope.id = "river-rise".into();
        slope.kind = AnyRule::Slope(Slope { window: WINDOW });
        slope.hazard = HazardIx(0);
        slope.unit = Unit::parse("m/h").expect("metres an hour are a unit");
        let row = LimitRow { from: Timestamp::MIN, season: None, levels: [None, Some(0.5), Some(1.0), None] };
        slope.subjects.iter_mut().for_each(|subject| subject.limits = vec![row.clone()].into());
        plan.rules.push(Some(slope));
    }
    plan
}

/// Every sensor once, in random order.
pub(crate) fn shuffled(sensors: u32) -> Vec<u32> {
    let mut random = Random::new(7, "order");
    let mut order: Vec<u32> = (0..sensors).collect();
    for at in (1..order.len()).rev() {
        order.swap(at, (random.bits() % (at as u64 + 1)) as usize);
    }
    order
}

/// Millimetres of waves, the same for every contestant.
pub(crate) fn wave(sensor: u32, round: u32) -> f64 {
    f64::from((sensor.wrapping_mul(37) ^ round.wrapping_mul(101)) % 89) / 1000.0
}

/// A running engine.
pub(crate) struct World {
    engine: Engine,
    order: Vec<u32>,
    at: Timestamp,
    step: Span,
    position: u64,
    round: u32,
    outputs: Vec<Output>,
}

impl World {
    /// Started, with its plan in force.
    pub(crate) fn new(plan: Plan, sensors: u32) -> World {
        let mut world = World {
            engine: Engine::default(),
            order: shuffled(sensors),
            at: START,
            step: Span(INTERVAL.0 / i64::from(sensors)),
            position: 0,
            round: 0,
            outputs: vec![],
        };
        world.put(Input::Started(Started {
            log: LogId([7; 16]),
            run: RunId(1),
            downtime: None,
            offset: Span::ZERO,
            trusted: true,
            restored: false,
        }));
        world.put(Input::Plan(PlanRef { id: plan.id(), orphan: false, body: Some(Arc::new(plan)) }));
        world
    }

    fn put(&mut self, input: Input) {
        self.position += 1;
        let event = Event { at: self.at, position: Position(self.position), input };
        self.engine.step(&event, &mut self.outputs);
        self.outputs.clear();
    }

    /// One interval: a reading of every sensor, about so many metres.
    pub(crate) fn sweep(&mut self, metres: f64) {
        self.round += 1;
        let mut coming = Vec::with_capacity(FORESEEN_MAX);
        for first in (0..self.order.len()).step_by(FORESEEN_MAX) {
            let last = (first + FORESEEN_MAX).min(self.order.len());
            coming.extend((first..last).map(|place| self.reading(place, metres)));
            self.engine.foresee(&coming);
            for input in coming.drain(..) {
                self.at = self.at + self.step;
                self.put(input);
            }
        }
    }

    fn reading(&self, place: usize, metres: f64) -> Input {
        let sensor = self.order[place];
        Input::Reading(Reading {
            sensor: SensorIx(sensor),
            source: SourceIx(0),
            observed: self.at,
            value: metres + wave(sensor, self.round),
            seq: 0,
            identity: 0,
            marks: Marks::default(),
        })
    }
}
