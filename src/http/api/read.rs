//! What is read.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use forewarn_core::ids::{HazardIx, Key, SensorIx};
use forewarn_core::level::{Level, Status};
use forewarn_core::orders::{Draft, Mute, Note};
use forewarn_core::plan::Plan;
use forewarn_core::time::Span;
use serde::Deserialize;

use super::asked::{Asked, LIMIT_MAX, Page, areas, cursor, instant, limit, may_see, may_see_any, place};
use super::{Api, SensorsAsked};
use crate::http::Doors;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::state::{DeliveriesAsked, DeliveryPlace, StateError, StateReader, WarningPlace, WarningsAsked};
use crate::views::{
    DeliveryView, DraftView, IncidentView, MuteView, Names, NoteView, QuarantineView, QuarantinedView,
    ReadingView, SensorDetailView, SensorState, SensorView, StatusView, TroubleView, WarningDetailView,
    WarningView,
};

/// Readings of one answer unless asked otherwise, and at most.
const READINGS: usize = 1_000;
pub(super) const READINGS_MAX: usize = 10_000;

/// Where nobody says from when, readings of this long are given.
const READINGS_BACK: Span = Span::from_hours(24);

type Answer<T> = Result<Json<T>, Problem>;

/// Reads rows beside the runtime: they wait for a disk.
async fn rows<T: Send + 'static>(
    api: &Api,
    read: impl FnOnce(&StateReader) -> Result<T, StateError> + Send + 'static,
) -> Result<T, Problem> {
    let state = api.answers.state();
    match tokio::task::spawn_blocking(move || read(&state)).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => {
            tracing::warn!(%error, "rows cannot be read");
            Err(Problem::later())
        }
        Err(_) => Err(Problem::later()),
    }
}

/// `GET /api/v1/status`.
pub(super) async fn status(State(doors): State<Doors>, _: Caller) -> Json<StatusView> {
    Json(doors.api.answers.status())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Warnings {
    area: Option<String>,
    hazard: Option<String>,
    state: Option<String>,
    level: Option<String>,
    status: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
}

/// `GET /api/v1/warnings`.
pub(super) async fn warnings(
    State(doors): State<Doors>,
    caller: Caller,
    Asked(asked): Asked<Warnings>,
) -> Answer<Page<WarningView>> {
    let plan = doors.api.answers.plan();
    let wanted = asked.understood(&caller, &plan)?;
    let limit = wanted.limit;
    let found = rows(&doors.api, move |state| state.warnings_page(&wanted)).await?;
    let last = found.last().filter(|_| found.len() == limit).map(|(_, place)| *place);
    let next = last.and_then(|WarningPlace { position, id }| cursor(&(position, id.to_vec())));
    let items = found.iter().map(|(row, _)| WarningView::of(row, Names(&plan))).collect();
    Ok(Json(Page { items, next }))
}

impl Warnings {
    fn understood(&self, caller: &Caller, plan: &Plan) -> Result<WarningsAsked, Problem> {
        let one_of = |name: &str, given: &str, expected: &str| {
            Problem::bad_query(format!("{name} is {given:?}, expected {expected}"))
        };
        let hazard = match &self.hazard {
            None => None,
            Some(name) => match plan.hazards.iter().position(|known| known == name) {
                Some(at) => Some(HazardIx(at as u32)),
                None => return Err(Problem::no_such("hazard", name)),
            },
        };
        let ended = match self.state.as_deref() {
            None => None,
            Some("standing") => Some(false),
            Some("ended") => Some(true),
            Some(other) => return Err(one_of("state", other, "standing or ended")),
        };
        let level = match self.level.as_deref() {
            None => None,
            Some(word) => {
                Some(Level::parse(word).ok_or_else(|| one_of("level", word, "blue, yellow, orange or red"))?)
            }
        };
        let status = match self.status.as_deref() {
            None => None,
            Some(word) => {
                let all = [Status::Actual, Status::Exercise, Status::Test];
                let found = all.into_iter().find(|known| known.word().eq_ignore_ascii_case(word));
                Some(found.ok_or_else(|| one_of("status", word, "Actual, Exercise or Test"))?)
            }
        };
        let after = match place::<(i64, Vec<u8>)>(self.after.as_deref())? {
            None => None,
            Some((position, id)) => {
                let id = id
                    .try_into()
                    .map_err(|_| Problem::bad_query("after is not what a page gave as `next`"))?;
                Some(WarningPlace { position, id })
            }
        };
        let areas = areas(caller, plan, self.area.as_deref())?;
        Ok(WarningsAsked { areas, hazard, ended, level, status, after, limit: limit(self.limit, LIMIT_MAX)? })
    }
}

/// `GET /api/v1/warnings/{id}`.
pub(super) async fn warning(
    State(doors): State<Doors>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer<WarningDetailView> {
    let nothing = || Problem::no_such("warning", &id);
    let key = Key::parse(&id).ok_or_else(nothing)?;
    let plan = doors.api.answers.plan();
    let found = rows(&doors.api, move |state| state.warning(key)).await?.ok_or_else(nothing)?;
    let newest = found.revisions.last().ok_or_else(nothing)?;
    may_see_any(&caller, &plan, &newest.about.cells().iter().map(|cell| cell.area).collect::<Vec<_>>())?;
    WarningDetailView::of(&found, Names(&plan)).map(Json).ok_or_else(nothing)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InArea {
    area: Option<String>,
}

/// `GET /api/v1/incidents`.
pub(super) async fn incidents(
    State(doors): State<Doors>,
    caller: Caller,
    Asked(InArea { area }): Asked<InArea>,
) -> Answer<Page<IncidentView>> {
    let plan = doors.api.answers.plan();
    let areas = areas(&caller, &plan, area.as_deref())?;
    let (mut standing, offset) = doors.api.answers.incidents();
    standing.retain(|it| areas.as_ref().is_none_or(|areas| areas.contains(&it.cell.area)));
    standing.sort_by_key(|it| (std::cmp::Reverse(it.level), it.cell));
    let items = standing.iter().map(|it| IncidentView::of(it, offset, Names(&plan))).collect();
    Ok(Json(Page { items, next: None }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sensors {
    area: Option<String>,
    search: Option<String>,
    state: Option<SensorStateAsked>,
    after: Option<String>,
    limit: Option<usize>,
}

/// The states as queries name them.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SensorStateAsked {
    Reporting,
    Late,
    Silent,
    CutOff,
    Maintenance,
    Awaited,
    Never,
}

impl From<SensorStateAsked> for SensorState {
    fn from(asked: SensorStateAsked) -> Self {
        match asked {
            SensorStateAsked::Reporting => SensorState::Reporting,
            SensorStateAsked::Late => SensorState::Late,
            SensorStateAsked::Silent => SensorState::Silent,
            SensorStateAsked::CutOff => SensorState::CutOff,
            SensorStateAsked::Maintenance => SensorState::Maintenance,
            SensorStateAsked::Awaited => SensorState::Awaited,
            SensorStateAsked::Never => SensorState::Never,
        }
    }
}

/// `GET /api/v1/sensors`.
pub(super) async fn sensors(
    State(doors): State<Doors>,
    caller: Caller,
    Asked(asked): Asked<Sensors>,
) -> Answer<Page<SensorView>> {
    let plan = doors.api.answers.plan();
    let wanted = SensorsAsked {
        from: place(asked.after.as_deref())?.unwrap_or_default(),
        areas: areas(&caller, &plan, asked.area.as_deref())?,
        text: asked.search,
        state: asked.state.map(SensorState::from),
        limit: limit(asked.limit, LIMIT_MAX)?,
    };
    let (items, next) = doors.api.answers.sensors(wanted).await.ok_or_else(Problem::later)?;
    Ok(Json(Page { items, next: next.and_then(|next| cursor(&next)) }))
}

/// The sensor `station/quantity`, for whoever may see where it stands.
fn found(caller: &Caller, plan: &Plan, station: &str, quantity: &str) -> Result<SensorIx, Problem> {
    let id = format!("{station}/{quantity}");
    let known = plan.sensors.iter().position(|it| it.as_ref().is_some_and(|it| *it.id == *id));
    let Some(ix) = known.map(|at| SensorIx(at as u32)) else { return Err(Problem::no_such("sensor", &id)) };
    let area = plan.sensor(ix).and_then(|it| plan.station(it.station)).map(|station| station.area);
    may_see(caller, plan, area)?;
    Ok(ix)
}

/// `GET /api/v1/sensors/{station}/{quantity}`.
pub(super) async fn sensor(
    State(doors): State<Doors>,
    caller: Caller,
    Path((station, quantity)): Path<(String, String)>,
) -> Answer<SensorDetailView> {
    let ix = found(&caller, &doors.api.answers.plan(), &station, &quantity)?;
    let seen = doors.api.answers.sensor(ix).await.ok_or_else(Problem::later)?;
    seen.map(Json).ok_or_else(|| Problem::no_such("sensor", &format!("{station}/{quantity}")))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Readings {
    from: Option<String>,
    to: Option<String>,
    limit: Option<usize>,
}

/// `GET /api/v1/sensors/{station}/{quantity}/readings`.
pub(super) async fn readings(
    State(doors): State<Doors>,
    caller: Caller,
    Path((station, quantity)): Path<(String, String)>,
    Asked(asked): Asked<Readings>,
) -> Answer<Page<ReadingView>> {
    let plan = doors.api.answers.plan();
    let ix = found(&caller, &plan, &station, &quantity)?;
    let most = limit(Some(asked.limit.unwrap_or(READINGS)), READINGS_MAX)?;
    let to = match &asked.to {
        Some(to) => instant("to", to)?,
        // What a device dates a little ahead of us is not left out.
        None => doors.civil.civil() + plan.settings.future_tolerance,
    };
    let from = match &asked.from {
        Some(from) => instant("from", from)?,
        None => to - READINGS_BACK,
    };
    if from >= to {
        return Err(Problem::bad_query("from is not before to"));
    }
    let mut kept = doors.api.answers.readings(ix, from, to).await.ok_or_else(Problem::later)?;
    // The newest, as what people want first; of what is older they ask by `to`.
    let older = kept.len().saturating_sub(most);
    let next = kept.get(older).filter(|_| older > 0).map(|it| Names(&plan).time(it.checked.reading.observed));
    let items = kept.drain(..).skip(older).map(|it| ReadingView::of(&it, Names(&plan))).collect();
    Ok(Json(Page { items, next }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Deliveries {
    area: Option<String>,
    state: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
}

/// `GET /api/v1/deliveries`.
pub(super) async fn deliveries(
    State(doors): State<Doors>,
    caller: Caller,
    Asked(asked): Asked<Deliveries>,
) -> Answer<Page<DeliveryView>> {
    let plan = doors.api.answers.plan();
    let all = ["queued", "accepted", "superseded", "dead"];
    let state = asked.state.as_deref().map(|word| {
        all.into_iter().find(|known| *known == word).ok_or_else(|| {
            Problem::bad_query(format!("state is {word:?}, expected queued, accepted, superseded or dead"))
        })
    });
    let state = state.transpose()?;
    let wanted = DeliveriesAsked {
        areas: areas(&caller, &plan, asked.area.as_deref())?,
        state,
        after: place::<DeliveryPlace>(asked.after.as_deref())?,
        limit: limit(asked.limit, LIMIT_MAX)?,
    };
    let limit = wanted.limit;
    let found = rows(&doors.api, move |state| state.deliveries_page(&wanted)).await?;
    let next = found.last().filter(|_| found.len() == limit).and_then(|(_, place)| cursor(place));
    let items = found.iter().map(|(row, _)| DeliveryView::of(row, Names(&plan))).collect();
    Ok(Json(Page { items, next }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Paged {
    after: Option<String>,
    limit: Option<usize>,
}

/// `GET /api/v1/quarantine`.
pub(super) async fn quarantine(
    State(doors): State<Doors>,
    caller: Caller,
    Asked(asked): Asked<Paged>,
) -> Answer<Page<QuarantineView>> {
    let plan = doors.api.answers.plan();
    may_see(&caller, &plan, None)?;
    let (before, limit) = (place(asked.after.as_deref())?, limit(asked.limit, LIMIT_MAX)?);
    let found = rows(&doors.api, move |state| state.quarantine_page(before, limit)).await?;
    let next = found.last().filter(|_| found.len() == limit).and_then(|row| cursor(&row.id));
    let items = found.iter().map(|row| QuarantineView::of(row, Names(&plan))).collect();
    Ok(Json(Page { items, next }))
}

/// `GET /api/v1/quarantine/{id}`.
pub(super) async fn quarantined(
    State(doors): State<Doors>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer<QuarantinedView> {
    let plan = doors.api.answers.plan();
    may_see(&caller, &plan, None)?;
    let nothing = || Problem::no_such("message in quarantine", &id);
    let number: i64 = id.parse().map_err(|_| nothing())?;
    let row = rows(&doors.api, move |state| state.quarantined(number)).await?.ok_or_else(nothing)?;
    Ok(Json(QuarantinedView::of(&row, Names(&plan))))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Orders {
    area: Option<String>,
    limit: Option<usize>,
}

/// Orders are few and kept few: of these the newest are looked through.
const ORDERS_LOOKED_THROUGH: usize = 5_000;

/// `GET /api/v1/mutes`.
pub(super) async fn mutes(
    State(doors): State<Doors>,
    caller: Caller,
    Asked(asked): Asked<Orders>,
) -> Answer<Page<MuteView>> {
    let plan = doors.api.answers.plan();
    let (areas, limit) = (areas(&caller, &plan, asked.area.as_deref())?, limit(asked.limit, LIMIT_MAX)?);
    let found = rows(&doors.api, |state| state.orders::<Mute>(ORDERS_LOOKED_THROUGH)).await?;
    let is_seen = |it: &&Mute| {
        let area = MuteView::area(it, &plan);
        areas.as_ref().is_none_or(|areas| area.is_some_and(|area| areas.contains(&area)))
    };
    let items = found.iter().filter(is_seen).take(limit).map(|it| MuteView::of(it, Names(&plan))).collect();
    Ok(Json(Page { items, next: None }))
}

/// `GET /api/v1/drafts`.
pub(super) async fn drafts(
    State(doors): State<Doors>,
    caller: Caller,
    Asked(asked): Asked<Orders>,
) -> Answer<Page<DraftView>> {
    let plan = doors.api.answers.plan();
    let (areas, limit) = (areas(&caller, &plan, asked.area.as_deref())?, limit(asked.limit, LIMIT_MAX)?);
    let found = rows(&doors.api, |state| state.orders::<Draft>(ORDERS_LOOKED_THROUGH)).await?;
    let is_seen = |it: &&Draft| {
        let of_it = DraftView::areas(it, &plan).unwrap_or_default();
        areas.as_ref().is_none_or(|areas| of_it.iter().any(|area| areas.contains(area)))
    };
    let items = found.iter().filter(is_seen).take(limit).map(|it| DraftView::of(it, Names(&plan))).collect();
    Ok(Json(Page { items, next: None }))
}

/// `GET /api/v1/notes`.
pub(super) async fn notes(
    State(doors): State<Doors>,
    caller: Caller,
    Asked(asked): Asked<Paged>,
) -> Answer<Page<NoteView>> {
    let plan = doors.api.answers.plan();
    may_see(&caller, &plan, None)?;
    let limit = limit(asked.limit, LIMIT_MAX)?;
    let found = rows(&doors.api, move |state| state.orders::<Note>(limit)).await?;
    let items = found.iter().map(|it| NoteView::of(it, Names(&plan))).collect();
    Ok(Json(Page { items, next: None }))
}

/// `GET /api/v1/troubles`.
pub(super) async fn troubles(State(doors): State<Doors>, caller: Caller) -> Answer<Page<TroubleView>> {
    let plan: Arc<Plan> = doors.api.answers.plan();
    may_see(&caller, &plan, None)?;
    let found = rows(&doors.api, StateReader::troubles).await?;
    let items = found.iter().map(|row| TroubleView::of(row, Names(&plan))).collect();
    Ok(Json(Page { items, next: None }))
}
