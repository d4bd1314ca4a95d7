//! Errors as RFC 9457 problems: what was wrong, what was expected.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use forewarn_core::authority::Role;
use schemars::JsonSchema;
use serde::Serialize;

/// One problem, as the sender of a request reads it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Problem {
    #[serde(skip)]
    code: StatusCode,
    title: &'static str,
    status: u16,
    detail: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<String>,
    #[serde(skip)]
    retry_after_secs: Option<u32>,
}

impl Problem {
    fn new(code: StatusCode, title: &'static str, detail: impl Into<String>) -> Self {
        let status = code.as_u16();
        Problem { code, title, status, detail: detail.into(), faults: vec![], retry_after_secs: None }
    }

    pub(crate) fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "no such path",
            "expected /healthz, /readyz, /metrics, /api/v1/readings, /api/v1/warnings or another that /api lists",
        )
    }

    pub(super) fn no_such_method() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "no such method",
            "expected POST for readings and reload, GET for the others; the header `Allow` names it",
        )
    }

    pub(super) fn unauthorised() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "no valid token",
            "expected a header `Authorization: Bearer TOKEN` (or `Token TOKEN`) with a token of http.tokens",
        )
    }

    pub(super) fn nobody() -> Self {
        let detail = "expected a header `Authorization: Bearer TOKEN` with a token of `forewarn tokens add`, \
                      or the cookie of a session that is not over";
        Self::new(StatusCode::UNAUTHORIZED, "nobody is logged in", detail)
    }

    pub(super) fn unknown_token() -> Self {
        let detail = "it is unknown, over or revoked, expected one of `forewarn tokens list`";
        Self::new(StatusCode::UNAUTHORIZED, "no valid token", detail)
    }

    /// The role is too small.
    pub fn role(least: Role) -> Self {
        let detail = format!("expected an account or token with the role {least} or above");
        Self::new(StatusCode::FORBIDDEN, "not allowed to this role", detail)
    }

    /// Outside the areas of whoever asks.
    pub fn foreign() -> Self {
        let detail = "it is outside the areas of this account or token";
        Self::new(StatusCode::FORBIDDEN, "not allowed in this area", detail)
    }

    /// What was named is not there.
    pub fn no_such(what: &str, id: &str) -> Self {
        let shown: String = id.chars().take(80).filter(|c| !c.is_control()).collect();
        let detail = format!("there is no {what} {shown:?}, expected one that is listed, by its whole id");
        Self::new(StatusCode::NOT_FOUND, "no such thing", detail)
    }

    /// The body was not understood.
    pub fn bad_body(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "not understood", detail)
    }

    /// It was understood, and cannot be done as things stand.
    pub fn not_done(lines: &[String]) -> Self {
        Self::new(StatusCode::CONFLICT, "not done", lines.join("\n"))
    }

    pub(super) fn not_from_here() -> Self {
        let detail = "it does not come from a page of this service that was opened in this session; open the page \
                      anew, or use a token";
        Self::new(StatusCode::FORBIDDEN, "not from here", detail)
    }

    /// Not now; it may be asked again.
    pub fn later() -> Self {
        let problem =
            Self::new(StatusCode::SERVICE_UNAVAILABLE, "not now", "too much is asked at once; come again");
        Problem { retry_after_secs: Some(1), ..problem }
    }

    /// A copy publishes nothing before somebody says that it is the one to go on.
    pub(super) fn held() -> Self {
        let detail =
            "this data directory was restored or copied, and is held: expected `forewarn resume` first";
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "held", detail);
        Problem { retry_after_secs: Some(60), ..problem }
    }

    pub(super) fn no_operator_token() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "not switched on",
            "http.operator_token is not configured, expected a secret reference; or use an administrator's token, or SIGHUP",
        )
    }

    pub(super) fn no_source() -> Self {
        let detail = "readings over HTTP are not configured, expected http.tokens in forewarn.toml";
        Self::new(StatusCode::FORBIDDEN, "not switched on", detail)
    }

    pub(super) fn refused_reload(faults: &[String]) -> Self {
        let detail = "the new configuration has faults; the old one stays in force";
        let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "reload refused", detail);
        Problem { faults: faults.to_vec(), ..problem }
    }

    pub(super) fn not_understood(faults: Vec<String>, kept: usize) -> Self {
        let kept = match kept {
            0 => "no reading was kept".to_owned(),
            1 => "1 reading was kept".to_owned(),
            some => format!("{some} readings were kept"),
        };
        let detail = format!("{kept}; what was not understood is in quarantine");
        let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "not understood", detail);
        Problem { faults, ..problem }
    }

    pub(super) fn bad_query(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad query", detail)
    }

    pub(super) fn busy() -> Self {
        let detail = "no room for more readings at the moment: nothing of this request was kept";
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail);
        Problem { retry_after_secs: Some(1), ..problem }
    }

    pub(super) fn unknown_outcome() -> Self {
        let detail =
            "the service stopped before the readings were durable: send them again under the same key";
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", detail);
        Problem { retry_after_secs: Some(5), ..problem }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (code, retry) = (self.code, self.retry_after_secs);
        let mut response = (code, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/problem+json"));
        if let Some(secs) = retry {
            headers.insert(header::RETRY_AFTER, secs.into());
        }
        if code == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        }
        response
    }
}
