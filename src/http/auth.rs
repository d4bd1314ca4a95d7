//! Tokens of integrators and of the operator, compared in constant time.

use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::time::Instant;
use tracing::warn;

use super::Doors;
use super::problem::Problem;
use crate::config::secret::Secret;
use crate::ingest::strangers::Strangers;

/// The name of the integrator whose token the request bears. As an extractor
/// it stands before the body: of who bears none, no body is read.
pub(super) struct Integrator(pub(super) String);

impl FromRequestParts<Doors> for Integrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, doors: &Doors) -> Result<Self, Problem> {
        let setup = doors.current.borrow();
        integrator(&parts.headers, &setup.http.tokens).map(|name| Integrator(name.to_owned()))
    }
}

/// The name of the integrator whose token these headers bear.
fn integrator<'a>(headers: &HeaderMap, tokens: &'a [(String, Secret)]) -> Result<&'a str, Problem> {
    let given = bearer(headers)?;
    // Every token is compared, so that time tells nothing of which came near.
    let mut found = None;
    for (name, token) in tokens {
        if same(given, token.expose()) {
            found = Some(name.as_str());
        }
    }
    found.ok_or_else(Problem::unauthorised)
}

/// Whether the request bears the operator's token.
pub(super) fn operator(headers: &HeaderMap, token: &Secret) -> Result<(), Problem> {
    if same(bearer(headers)?, token.expose()) { Ok(()) } else { Err(Problem::unauthorised()) }
}

/// Tells in the service's log of requests without a valid token, by path.
pub(super) async fn note(State(strangers): State<Arc<Strangers>>, request: Request, next: Next) -> Response {
    // As the router has it: whatever stands in a path is no name of its own here.
    let path = request.extensions().get::<MatchedPath>().cloned();
    let has_token = request.headers().contains_key(header::AUTHORIZATION);
    let why = if has_token { "its token opens nothing" } else { "it has no token" };
    let response = next.run(request).await;
    if response.status() == StatusCode::UNAUTHORIZED
        && let Some(path) = path.as_ref().map(MatchedPath::as_str).filter(|path| path.starts_with("/api/"))
        && let Some(times) = strangers.came(path, Instant::now())
    {
        warn!(path, why, times, "HTTP request turned away");
    }
    response
}

/// `Bearer` as RFC 6750 has it, `Token` as InfluxDB's clients send it.
pub(super) fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token"))
        .map(|(_, token)| token.trim())
        .ok_or_else(Problem::unauthorised)
}

/// Hashed first, so that lengths tell nothing either.
fn same(given: &str, expected: &str) -> bool {
    Sha256::digest(given).ct_eq(&Sha256::digest(expected)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: Option<&str>, expected: Option<&str>) {
        let tokens =
            [("gauges".to_owned(), Secret::new("example-one")), ("rain".into(), Secret::new("example-two"))];
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(header::AUTHORIZATION, header.parse().expect("a header value"));
        }
        assert_eq!(integrator(&headers, &tokens).ok(), expected, "{header:?}");
    }

    #[test]
    fn only_a_whole_token_opens() {
        check(Some("Bearer example-one"), Some("gauges"));
        check(Some("Token example-two"), Some("rain"));
        check(Some("Bearer example"), None);
        check(Some("Basic example-one"), None);
        check(Some("Bearer "), None);
        check(None, None);
    }
}
