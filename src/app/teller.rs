//! Tells those who follow what happens: a reader of the log like all others,
//! so that nothing is told before it is durable, and a look at the sensors now
//! and then, since the log has their readings and not their states.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use forewarn_core::event::{Decision, DeliveryOutcome, Input};
use forewarn_core::ids::{AreaIx, Key, Position, SensorIx};
use forewarn_core::plan::Plan;
use forewarn_core::warning::{Incident, Outcome, Revision};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::driver::inbox::DriverInbox;
use crate::driver::picture::Picture;
use crate::http::api::{Happened, Hub, Kind, Where};
use crate::log::{LogReader, Record};
use crate::ports::Follow as _;
use crate::state::StateReader;
use crate::views::{IncidentView, Names, ReachView, SensorState, SensorView, TroubleView, WarningView};

/// How often sensors are looked at.
const LOOKED_APART: Duration = Duration::from_secs(5);

/// Sensors that one look goes through.
const LOOKED_THROUGH: usize = 1_000;

/// Events handed on together, and all others of the same input: of a storm a record holds ten thousand.
const TOLD_TOGETHER: usize = 256;

/// Warnings whose place is kept in mind. Full: all are forgotten, and rows are asked.
const PLACES_MAX: usize = 10_000;

/// What happens is read here.
pub(super) struct Teller {
    pub(super) hub: Arc<Hub>,
    pub(super) picture: watch::Receiver<Arc<Picture>>,
    pub(super) state: Arc<StateReader>,
    pub(super) inbox: Arc<DriverInbox>,
    /// Where the warnings are that were told of: rows may not have them yet.
    pub(super) places: Mutex<BTreeMap<Key, Where>>,
}

impl Teller {
    /// Follows the log from after a position, until it is closed; looks at
    /// sensors until `shutdown`.
    pub(super) fn start(
        self,
        reader: &LogReader,
        after: Position,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        let mut follower = reader.follow(after.next())?;
        let teller = Arc::new(self);
        let (watching, hub) = (teller.clone(), teller.hub.clone());
        std::thread::Builder::new().name("teller".into()).spawn(move || {
            while let Some(record) = follower.next() {
                teller.record(&record);
            }
            // Nobody may take the silence for calm.
            hub.close();
        })?;
        tokio::spawn(async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = watching.sensors() => {}
            }
        });
        Ok(())
    }

    fn record(&self, record: &Record) {
        let plan = self.picture.borrow().plan.clone();
        let mut happened = Vec::new();
        let mut nth = 0;
        for (index, input) in record.inputs.iter().enumerate() {
            let outcome =
                if let Input::Outcome(outcome) = input { Some(self.outcome(outcome, &plan)) } else { None };
            let decided = record.decided_on(index).filter_map(|it| self.decision(it, record, &plan));
            for (kind, seen_in, data) in outcome.into_iter().chain(decided) {
                let place = (record.first.0 + index as u64, nth);
                happened.push(Happened { place, kind, seen_in, data: data.to_string().into() });
                nth += 1;
            }
            // Between two inputs: what stands in no record is placed right after the last that was told.
            if happened.len() >= TOLD_TOGETHER {
                self.hub.tell(&happened, &plan);
                happened.clear();
            }
        }
        if !happened.is_empty() {
            self.hub.tell(&happened, &plan);
        }
    }

    fn decision(&self, decision: &Decision, record: &Record, plan: &Plan) -> Option<(Kind, Where, Value)> {
        let names = Names(plan);
        Some(match decision {
            Decision::Revision(revision) => {
                let told = revised(revision, names);
                let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
                if places.len() >= PLACES_MAX {
                    places.clear();
                }
                places.insert(revision.warning.digest(), told.1.clone());
                told
            }
            Decision::Incident(incident) => stands(incident, record, names),
            Decision::Acknowledged { warning, number, target, reach } => {
                let (contact, channel) = names.target(*target);
                let data = json!({
                    "warning": warning.digest().to_string(), "number": number, "contact": contact, "channel": channel,
                    "reach": reach.map(ReachView::of),
                });
                (Kind::Acknowledged, self.place_of(warning.digest()), data)
            }
            Decision::Trouble(report) => {
                let view = TroubleView {
                    code: report.key.code.word().to_owned(),
                    subject: crate::channels::show::clean(&report.key.subject),
                    detail: crate::channels::show::clean(&report.detail),
                    since: names.time(record.at + record.offset),
                };
                (Kind::Trouble, Where::Service, json!({ "present": report.present, "trouble": view }))
            }
            Decision::WouldHave(_)
            | Decision::PlanRefused(_)
            | Decision::Resumed
            | Decision::Resent { .. }
            | Decision::Asked { .. }
            | Decision::Refused(_)
            | Decision::Drafted(_)
            | Decision::Muted(_)
            | Decision::Noted(_)
            | Decision::Lapsed(_)
            | Decision::Canary(_) => return None,
        })
    }

    fn outcome(&self, outcome: &DeliveryOutcome, plan: &Plan) -> (Kind, Where, Value) {
        let (contact, channel) = Names(plan).target(outcome.target);
        let (state, death) = match outcome.outcome {
            Outcome::Accepted => ("accepted", None),
            Outcome::Superseded => ("superseded", None),
            Outcome::Dead(death) => ("dead", Some(death.word())),
        };
        let warning = outcome.warning.digest();
        let data = json!({
            "key": outcome.key.to_string(), "warning": warning.to_string(), "number": outcome.number,
            "contact": contact, "channel": channel, "state": state, "death": death,
        });
        (Kind::Delivery, self.place_of(warning), data)
    }

    /// Where a warning is; where that is not known, only those who see all are told.
    fn place_of(&self, warning: Key) -> Where {
        let kept = self.places.lock().unwrap_or_else(PoisonError::into_inner).get(&warning).cloned();
        if let Some(kept) = kept {
            return kept;
        }
        match self.state.warning_areas(warning) {
            Ok(Some(areas)) if !areas.is_empty() => Where::Areas(areas),
            Ok(_) | Err(_) => Where::Service,
        }
    }

    async fn sensors(&self) {
        let mut known: Vec<Option<SensorState>> = Vec::new();
        let mut turn = tokio::time::interval(LOOKED_APART);
        turn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            turn.tick().await;
            let mut from = 0;
            while let Some(next) = self.look(from, &mut known).await {
                from = next;
            }
        }
    }

    /// Looks at some sensors and tells of those whose state is another; where to go on, if anywhere.
    async fn look(&self, from: usize, known: &mut Vec<Option<SensorState>>) -> Option<usize> {
        let before: Vec<Option<SensorState>> =
            known.iter().skip(from).take(LOOKED_THROUGH).copied().collect();
        let (plan, states, changed) = self
            .inbox
            .look(move |engine| {
                let now = engine.moment().at;
                let (mut states, mut changed) = (Vec::new(), Vec::new());
                let plan = engine.plan().clone();
                for at in from..plan.sensors.len().min(from + LOOKED_THROUGH) {
                    let view = SensorView::of(engine, SensorIx(at as u32), now);
                    let state = view.as_ref().map(|view| view.state);
                    // What was never looked at has not changed.
                    let was = before.get(at - from).copied();
                    if let (Some(view), Some(was)) = (view, was)
                        && was != state
                    {
                        changed.push((SensorIx(at as u32), view));
                    }
                    states.push(state);
                }
                (plan, states, changed)
            })
            .await?;
        let upto = from + states.len();
        known.resize(known.len().max(upto), None);
        known[from..upto].copy_from_slice(&states);
        for (ix, view) in changed {
            let data = serde_json::to_value(&view).unwrap_or_default();
            self.hub.tell_now(Kind::Sensor, stands_in(&plan, ix), &data, &plan);
        }
        (upto < plan.sensors.len() && !states.is_empty()).then_some(upto)
    }
}

fn stands_in(plan: &Plan, ix: SensorIx) -> Where {
    let station = plan.sensor(ix).and_then(|sensor| plan.station(sensor.station));
    station.map_or(Where::Service, |station| Where::Areas(vec![station.area]))
}

fn revised(revision: &Revision, names: Names<'_>) -> (Kind, Where, Value) {
    let areas: Vec<AreaIx> = revision.about.cells().into_iter().map(|cell| cell.area).collect();
    let seen_in = if areas.is_empty() { Where::Service } else { Where::Areas(areas) };
    let id = revision.warning.digest().to_string();
    let view = WarningView::new(id, revision.kind.is_last(), revision, names);
    (Kind::Revision, seen_in, serde_json::to_value(view).unwrap_or_default())
}

fn stands(incident: &Incident, record: &Record, names: Names<'_>) -> (Kind, Where, Value) {
    let view = IncidentView::of(incident, record.offset, names);
    let data = serde_json::to_value(view).unwrap_or_default();
    (Kind::Incident, Where::Areas(vec![incident.cell.area]), data)
}
