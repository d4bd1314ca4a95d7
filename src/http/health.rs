//! Whether the service lives, and whether it can be relied on now.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use forewarn_core::warning::TroubleCode;
use schemars::JsonSchema;
use serde::Serialize;

use super::Doors;

/// How the service is; asked at every request.
pub trait Health: Send + Sync + std::fmt::Debug {
    /// Looks at the stages.
    fn readiness(&self) -> Readiness;
}

/// Whether each stage keeps up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Readiness {
    /// Whether readings are taken and judged now.
    pub ready: bool,
    /// What is the matter, one sentence each; empty when ready.
    pub reasons: Vec<String>,
    /// Position of the last committed event.
    pub position: u64,
    /// How many are configured, and how many of them are silent.
    pub sensors: Sensors,
    /// Incidents that stand.
    pub incidents: usize,
    /// How many troubles stand, by code; those that do not are left out.
    pub troubles: BTreeMap<&'static str, usize>,
}

/// How many sensors there are in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Sensors {
    /// Configured.
    pub configured: usize,
    /// Silent beyond their allowance.
    pub silent: usize,
}

/// Tells how the service is to whoever scrapes the metrics.
pub(super) fn tell(readiness: &Readiness) {
    let Readiness { ready, position: _, reasons, sensors, incidents, troubles } = readiness;
    metrics::gauge!("forewarn_ready").set(if *ready { 1.0 } else { 0.0 });
    metrics::gauge!("forewarn_unready_reasons").set(reasons.len() as f64);
    metrics::gauge!("forewarn_incidents").set(*incidents as f64);
    metrics::gauge!("forewarn_sensors").set(sensors.configured as f64);
    metrics::gauge!("forewarn_sensors_silent").set(sensors.silent as f64);
    for code in TroubleCode::ALL.map(TroubleCode::word) {
        let standing = troubles.get(code).copied().unwrap_or_default();
        metrics::gauge!("forewarn_troubles", "code" => code).set(standing as f64);
    }
}

/// `GET /healthz`: the process serves.
pub(super) async fn alive() -> &'static str {
    "alive\n"
}

/// `GET /readyz`: 200 when readings are taken and judged, else 503 with the reasons.
pub(super) async fn ready(State(doors): State<Doors>) -> (StatusCode, Json<Readiness>) {
    let readiness = doors.health.readiness();
    let code = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(readiness))
}
