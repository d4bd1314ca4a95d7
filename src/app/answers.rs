//! What the running service answers to those who look.

use std::fmt;
use std::sync::Arc;

use forewarn_core::ids::{AreaIx, SensorIx};
use forewarn_core::plan::Plan;
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::warning::Incident;
use tokio::sync::watch;

use super::desk::Desk;
use crate::driver::inbox::DriverInbox;
use crate::driver::picture::Picture;
use crate::http::Health;
use crate::http::api::{Answering, Answers, Commanding, SensorsAsked};
use crate::http::caller::Caller;
use crate::ports::{CivilClock, History, Kept};
use crate::state::StateReader;
use crate::views::{Names, SensorDetailView, SensorView, StatusView};

/// Sensors that one look at the engine goes through: a thousandth of a second.
const LOOKED_THROUGH: usize = 1_000;

/// Who answers.
pub(super) struct Answerer {
    pub(super) desk: Arc<Desk>,
    pub(super) inbox: Arc<DriverInbox>,
    pub(super) picture: watch::Receiver<Arc<Picture>>,
    pub(super) state: Arc<StateReader>,
    pub(super) history: Arc<dyn History>,
    pub(super) civil: Arc<dyn CivilClock>,
}

impl Answerer {
    /// Engine time now, as what was last committed has it.
    fn now(&self) -> Timestamp {
        let moment = self.picture.borrow().moment;
        (self.civil.civil() - moment.offset).max(moment.at)
    }

    async fn page(&self, asked: SensorsAsked) -> Option<(Vec<SensorView>, Option<u32>)> {
        let (now, asked) = (self.now(), Arc::new(asked));
        let (mut found, mut from) = (Vec::new(), asked.from);
        loop {
            let (wanted, room) = (asked.clone(), asked.limit - found.len());
            let (views, next) = self.inbox.look(move |engine| some(engine, &wanted, from, room, now)).await?;
            found.extend(views);
            match next {
                Some(next) if found.len() < asked.limit => from = next,
                next => return Some((found, next)),
            }
        }
    }
}

/// What one look finds, and where the next goes on.
fn some(
    engine: &forewarn_core::engine::Engine,
    asked: &SensorsAsked,
    from: u32,
    room: usize,
    now: Timestamp,
) -> (Vec<SensorView>, Option<u32>) {
    let plan = engine.plan();
    let (mut found, end) = (Vec::new(), plan.sensors.len() as u32);
    let upto = end.min(from.saturating_add(LOOKED_THROUGH as u32));
    for ix in from..upto {
        let ix = SensorIx(ix);
        if is_meant(plan, ix, asked)
            && let Some(view) = SensorView::of(engine, ix, now)
            && asked.state.is_none_or(|state| state == view.state)
        {
            if found.len() == room {
                return (found, Some(ix.0));
            }
            found.push(view);
        }
    }
    (found, (upto < end).then_some(upto))
}

fn is_meant(plan: &Plan, ix: SensorIx, asked: &SensorsAsked) -> bool {
    let Some(sensor) = plan.sensor(ix) else { return false };
    let area: Option<AreaIx> = plan.station(sensor.station).map(|station| station.area);
    asked.text.as_ref().is_none_or(|text| sensor.id.contains(text.as_str()))
        && asked.areas.as_ref().is_none_or(|areas| area.is_some_and(|area| areas.contains(&area)))
}

impl Answers for Answerer {
    fn plan(&self) -> Arc<Plan> {
        self.picture.borrow().plan.clone()
    }

    fn status(&self) -> StatusView {
        let picture = self.picture.borrow().clone();
        let readiness = self.desk.readiness();
        StatusView {
            site: picture.plan.settings.site.clone(),
            status: picture.plan.settings.status.word(),
            now: Names(&picture.plan).time(self.civil.civil()),
            clock_trusted: picture.moment.trusted,
            position: readiness.position,
            ready: readiness.ready,
            reasons: readiness.reasons,
            held: picture.held,
            sensors: picture.sensors,
            sensors_silent: picture.silent,
            incidents: picture.incidents.len(),
            troubles: readiness.troubles,
        }
    }

    fn incidents(&self) -> (Vec<Incident>, Span) {
        let picture = self.picture.borrow();
        (picture.incidents.values().cloned().collect(), picture.moment.offset)
    }

    fn state(&self) -> Arc<StateReader> {
        self.state.clone()
    }

    fn sensors(&self, asked: SensorsAsked) -> Answering<'_, (Vec<SensorView>, Option<u32>)> {
        Box::pin(self.page(asked))
    }

    fn sensor(&self, sensor: SensorIx) -> Answering<'_, Option<SensorDetailView>> {
        let now = self.now();
        Box::pin(self.inbox.look(move |engine| SensorDetailView::of(engine, sensor, now)))
    }

    fn readings(&self, sensor: SensorIx, from: Timestamp, to: Timestamp) -> Answering<'_, Vec<Kept>> {
        self.history.recent(sensor, from, to)
    }

    fn command<'a>(&'a self, body: &'a [u8], caller: &'a Caller) -> Commanding<'a> {
        Box::pin(self.desk.commanded(body, caller))
    }
}

impl fmt::Debug for Answerer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answerer").finish_non_exhaustive()
    }
}
