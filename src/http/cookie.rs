//! The two cookies: of a session, and of a form that is filled in before there
//! is one. What a form must send back is a hash of its cookie: another site can
//! make a browser send the cookie, and cannot read it.

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

use crate::accounts::SESSION_IDLE_MAX;

/// Longer ones are not ours.
const VALUE_BYTES_MAX: usize = 128;

/// Which cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cookie {
    /// Of a session.
    Session,
    /// Of a form before login.
    Form,
}

/// How browsers reach us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reached {
    /// By TLS: `site.url` says so.
    Https,
    /// Without.
    Http,
}

impl Reached {
    pub(super) fn of(url: Option<&str>) -> Reached {
        if url.is_some_and(|url| url.starts_with("https://")) { Reached::Https } else { Reached::Http }
    }
}

impl Cookie {
    fn name(self, reached: Reached) -> &'static str {
        match (self, reached) {
            // No other host of the site can set these.
            (Cookie::Session, Reached::Https) => "__Host-forewarn",
            (Cookie::Form, Reached::Https) => "__Host-forewarn-form",
            (Cookie::Session, Reached::Http) => "forewarn",
            (Cookie::Form, Reached::Http) => "forewarn-form",
        }
    }

    /// Its value, as the browser sends it.
    pub(super) fn value(self, headers: &HeaderMap, reached: Reached) -> Option<&str> {
        let name = self.name(reached);
        let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
        let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let (_, value) = pairs.find(|(found, _)| *found == name)?;
        (!value.is_empty() && value.len() <= VALUE_BYTES_MAX).then_some(value)
    }

    /// Sets it; an empty value takes it away.
    pub(super) fn set(self, value: &str, reached: Reached) -> HeaderValue {
        let lasts = match (self, value) {
            (_, "") => 0,
            (Cookie::Session, _) => SESSION_IDLE_MAX.0 / 1_000_000,
            (Cookie::Form, _) => 3_600,
        };
        let secure = match reached {
            Reached::Https => "; Secure",
            Reached::Http => "",
        };
        let name = self.name(reached);
        let line = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={lasts}{secure}");
        HeaderValue::try_from(line).unwrap_or(HeaderValue::from_static(""))
    }
}

/// What a form sends back for the secret of a cookie.
pub(super) fn form_token(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!("forewarn form {secret}")))
}

/// Whether a form sent back what belongs to its cookie.
pub(super) fn is_form_token(given: &str, secret: &str) -> bool {
    given.as_bytes().ct_eq(form_token(secret).as_bytes()).into()
}
