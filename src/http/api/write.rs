//! What is commanded.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;

use super::DoneView;
use crate::http::Doors;
use crate::http::caller::Caller;
use crate::http::problem::Problem;

/// `POST /api/v1/commands`.
pub(super) async fn command(
    State(doors): State<Doors>,
    caller: Caller,
    body: Bytes,
) -> Result<Json<DoneView>, Problem> {
    doors.api.answers.command(&body, &caller).await.map(Json)
}
