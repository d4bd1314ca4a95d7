//! What the tests of the stores share: a plan, readings, records, and an inbox
//! that remembers.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use forewarn::log::Record;
use forewarn::ports::{Batch, Inbox, Kept};
use forewarn_core::event::{Input, TroubleReport};
use forewarn_core::ids::{AreaIx, LogId, Position, RunId, SensorIx, SourceIx, StationIx};
use forewarn_core::plan::{Area, Names, Plan, PlanId, Sensor, Station, Terms};
use forewarn_core::reading::{Checked, Flag, Marks, Reading};
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::units::Unit;
use forewarn_core::warning::TroubleCode;

/// The log that all records are of.
pub(crate) const LOG: LogId = LogId([7; 16]);
/// Noon of some day, microseconds.
pub(crate) const NOON: i64 = 1_700_000_000_000_000;
/// How long any wait may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// Stations with a level gauge and a rain gauge each, under awkward names too.
pub(crate) fn plan() -> Plan {
    let stations = ["qj-1", "甲, 乙=丙", "back\\slash\"quote\"", "#hash ${x}"];
    let sensor = |station: usize, quantity: &str, unit: &str| Sensor {
        id: format!("{}/{quantity}", stations[station]).into(),
        station: StationIx(station as u32),
        terms: Terms {
            quantity: quantity.into(),
            unit: Unit::parse(unit).expect("a unit"),
            datum: None,
            interval: Span::from_mins(15),
            lateness: Span::ZERO,
            max_age: Span::ZERO,
            span: None,
            suspect: None,
            outage_intervals: 3,
            conversions: vec![],
            flat: None,
        }
        .into(),
    };
    Plan {
        stations: stations
            .map(|id| {
                let (names, domains) = (Names::default(), Box::default());
                Some(Station { id: id.into(), names, lat: 30.0, lon: 120.0, area: AreaIx(0), domains })
            })
            .to_vec(),
        areas: vec![Some(Area { id: "old town".into(), names: Names::default(), parent: None })],
        sensors: (0..stations.len())
            .flat_map(|at| [Some(sensor(at, "level", "m")), Some(sensor(at, "rain rate", "mm/h"))])
            .collect(),
        ..Plan::default()
    }
}

/// A reading as kept; `at` in seconds after noon.
pub(crate) fn kept(sensor: u32, at: i64, value: f64, position: u64) -> Kept {
    let reading = Reading {
        sensor: SensorIx(sensor),
        source: SourceIx(0),
        observed: Timestamp(NOON + at * 1_000_000),
        value,
        seq: 0,
        identity: 0,
        marks: Marks::default(),
    };
    let received = Timestamp(NOON + position as i64 * 1_000 + 7);
    Kept { checked: Checked { reading, flag: Flag::Good }, received, position: Position(position) }
}

/// A record of readings as the driver writes it, from `first` on.
pub(crate) fn record(first: u64, plan: PlanId, readings: &[Checked]) -> Arc<Record> {
    Arc::new(Record {
        first: Position(first),
        at: Timestamp(NOON + first as i64 * 1_000),
        offset: Span(7),
        run: RunId(1),
        engine: 1,
        plan,
        inputs: readings.iter().map(|checked| Input::Reading(checked.reading)).collect(),
        decisions: vec![],
        flagged: readings.to_vec(),
        refused: vec![],
    })
}

/// Troubles as they were reported.
#[derive(Debug, Default)]
pub(crate) struct Ears(Mutex<Vec<TroubleReport>>);

impl Ears {
    pub(crate) fn heard(&self) -> Vec<TroubleReport> {
        self.0.lock().expect("no holder panics").clone()
    }

    pub(crate) fn forget(&self) {
        self.0.lock().expect("no holder panics").clear();
    }

    /// Those about a store that is behind, or refuses points: present, or over.
    pub(crate) fn about(&self, subject: &str) -> Vec<bool> {
        self.heard()
            .iter()
            .filter(|it| it.key.code == TroubleCode::StoreBehind && it.key.subject == subject)
            .map(|it| it.present)
            .collect()
    }
}

impl Inbox for Ears {
    fn offer(&self, batch: Batch) -> Result<(), Batch> {
        Err(batch)
    }

    fn control(&self, input: Input) {
        if let Input::Trouble(report) = input {
            self.0.lock().expect("no holder panics").push(report);
        }
    }

    fn room(&self) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::pending())
    }
}

/// Waits until something is so.
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::yield_now();
    }
}
