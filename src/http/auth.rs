//! Tokens of integrators and of the operator, compared in constant time.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Doors;
use super::problem::Problem;
use crate::config::secret::Secret;

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

/// `Bearer` as RFC 6750 has it, `Token` as InfluxDB's clients send it.
fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
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
