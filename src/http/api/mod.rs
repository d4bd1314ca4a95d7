//! `/api/v1`: what programs ask, answered as the views have it, each within
//! the areas of whoever asks.

mod asked;
mod document;
mod events;
mod page;
mod read;
mod table;
mod write;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Bytes;
use forewarn_core::ids::{AreaIx, SensorIx};
use forewarn_core::plan::Plan;
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::warning::Incident;
use schemars::JsonSchema;
use serde::Serialize;

use super::caller::Caller;
use super::problem::Problem;
use crate::ports::Kept;
use crate::state::StateReader;
use crate::views::{SensorDetailView, SensorState, SensorView, StatusView};

pub use asked::Page;
pub(super) use asked::{areas, may_see_any};
pub use document::document;
pub use events::{Happened, Hub, Kind, Where};
pub(super) use page::show;
pub(super) use table::table;

/// What the API is made of.
#[derive(Debug)]
pub struct Api {
    /// Who answers.
    pub answers: Arc<dyn Answers>,
    /// What happens, as it happens.
    pub hub: Arc<Hub>,
    /// Its own description.
    pub document: Bytes,
}

/// An answer on its way; `None` where too much is asked at once.
pub type Answering<'a, T> = Pin<Box<dyn Future<Output = Option<T>> + Send + 'a>>;

/// A command on its way.
pub type Commanding<'a> = Pin<Box<dyn Future<Output = Result<DoneView, Problem>> + Send + 'a>>;

/// Who answers for the running service.
pub trait Answers: Send + Sync + fmt::Debug {
    /// The plan that was judged by last.
    fn plan(&self) -> Arc<Plan>;

    /// How the service is.
    fn status(&self) -> StatusView;

    /// Incidents as they stand, with civil minus engine time.
    fn incidents(&self) -> (Vec<Incident>, Span);

    /// What the log says, in rows.
    fn state(&self) -> Arc<StateReader>;

    /// Sensors from an index on, and where to go on.
    fn sensors(&self, asked: SensorsAsked) -> Answering<'_, (Vec<SensorView>, Option<u32>)>;

    /// One sensor; the inner `None` for one that is not in the plan.
    fn sensor(&self, sensor: SensorIx) -> Answering<'_, Option<SensorDetailView>>;

    /// Readings of a sensor in `[from, to)`, oldest first; of too many, the newest.
    fn readings(&self, sensor: SensorIx, from: Timestamp, to: Timestamp) -> Answering<'_, Vec<Kept>>;

    /// Carries out what somebody commands, or says why not.
    fn command<'a>(&'a self, body: &'a [u8], caller: &'a Caller) -> Commanding<'a>;
}

/// Which sensors.
#[derive(Debug, Clone, Default)]
pub struct SensorsAsked {
    /// From this index on.
    pub from: u32,
    /// In these areas; `None` is all.
    pub areas: Option<Vec<AreaIx>>,
    /// Whose id has this in it.
    pub text: Option<String>,
    /// In this state.
    pub state: Option<SensorState>,
    /// How many at most.
    pub limit: usize,
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct DoneView {
    /// Always true; what is not done is a problem.
    pub done: bool,
    /// What to tell the person, line by line.
    pub lines: Vec<String>,
}
