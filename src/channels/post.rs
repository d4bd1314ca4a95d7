//! One HTTP request to a receiver outside: connected where the guard lets it,
//! its answer read within bounds, and what stood in place of an answer in words.

use std::path::Path;
use std::time::Duration;

use forewarn_core::time::{Moment, Timestamp};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Certificate, Client, Request, Response, StatusCode, Url};

use super::cause::{Cause, cause};
use super::guard::{Guard, Rules, Scheme, system_lookup};
use super::{Sent, show};
use crate::config::plan::{self, Setup};

/// Bytes of an answer that are read; the rest is cut off with the connection.
pub(super) const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Idle connections kept a host.
const IDLE_MAX: usize = 4;
/// How long an idle connection is kept.
const IDLE_FOR: Duration = Duration::from_secs(30);

/// How we name ourselves.
pub(super) const AGENT: &str = concat!("forewarn/", env!("CARGO_PKG_VERSION"));

/// The clients of one setup, each behind the guard.
#[derive(Debug)]
pub(super) struct Clients {
    guard: Guard,
    https: Result<Client, String>,
    http: Result<Client, String>,
}

/// Why there is no client for an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoClient {
    /// The guard lets nothing go there.
    Refused(Sent),
    /// The TLS settings cannot be used now; a file may be readable the next time.
    Unready(Sent),
}

impl Clients {
    /// Those of a setup.
    pub(super) fn of(setup: &Setup) -> Clients {
        let guard = Guard::new(Rules::of(&setup.webhook), system_lookup());
        Clients {
            https: client(&setup.webhook, &guard, Scheme::Https),
            http: client(&setup.webhook, &guard, Scheme::Http),
            guard,
        }
    }

    /// The one for an address, once the guard has seen it.
    pub(super) fn to(&self, url: &Url) -> Result<&Client, NoClient> {
        if let Err(refused) = self.guard.check_url(url) {
            return Err(NoClient::Refused(Sent::Forbidden { reason: refused.to_string() }));
        }
        let client = if url.scheme() == "http" { &self.http } else { &self.https };
        client.as_ref().map_err(|reason| NoClient::Unready(retry(None, reason)))
    }
}

/// Host and port only: paths of webhooks are secrets.
pub(super) fn host_and_port(address: &str) -> String {
    let url = Url::parse(address).ok();
    url.map_or_else(String::new, |url| {
        format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default())
    })
}

/// What a receiver answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// Its status.
    pub(super) status: StatusCode,
    /// How long it wishes us to wait.
    pub(super) after: Option<Duration>,
    /// What it said; `None` where it did not come to an end within time and [`ANSWER_BYTES_MAX`].
    pub(super) said: Option<Vec<u8>>,
}

/// Makes one request, from connect to the last byte read within `limit`; where
/// no answer came, what is to be made of that.
pub(super) async fn ask(
    client: &Client,
    request: Request,
    limit: Duration,
    now: Timestamp,
) -> Result<Answer, Sent> {
    let until = tokio::time::Instant::now() + limit;
    match tokio::time::timeout_at(until, client.execute(request)).await {
        Err(_) => Err(retry(None, "the receiver took too long")),
        Ok(Err(error)) => Err(failed(&error)),
        Ok(Ok(response)) => {
            let (status, after) = (response.status(), wish(response.headers(), now));
            let said = tokio::time::timeout_at(until, whole(response)).await.ok().flatten();
            Ok(Answer { status, after, said })
        }
    }
}

/// The whole of an answer, if it ends.
async fn whole(mut response: Response) -> Option<Vec<u8>> {
    let mut said = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if said.len() + chunk.len() > ANSWER_BYTES_MAX {
            return None;
        }
        said.extend_from_slice(&chunk);
    }
    Some(said)
}

/// What a status means for the next attempt.
pub(super) fn answered(status: StatusCode, after: Option<Duration>, moment: Moment) -> Sent {
    let reason = format!("the receiver answered {}", status.as_u16());
    match status.as_u16() {
        200..=299 => Sent::Accepted,
        300..=399 => Sent::Rejected { reason: format!("{reason}: redirects are not followed") },
        // With a clock nobody trusts, the timestamp is the likeliest thing it refused.
        400 | 401 | 403 if !moment.trusted => {
            retry(after, &format!("{reason}, perhaps for the timestamp: the clock is untrusted"))
        }
        408 | 425 | 429 => retry(after, &reason),
        410 => Sent::Rejected { reason: format!("{reason}: gone for good") },
        400..=499 => Sent::Rejected { reason },
        _ => retry(after, &reason),
    }
}

/// What came in place of an answer.
fn failed(error: &reqwest::Error) -> Sent {
    match cause(error) {
        Some(Cause::Refused(refused)) => Sent::Forbidden { reason: refused.to_string() },
        Some(Cause::Known(words)) => retry(None, words),
        None if error.is_timeout() => retry(None, "the receiver took too long"),
        None if error.is_builder() => Sent::Rejected { reason: "the request could not be made".into() },
        None if error.is_connect() => retry(None, "no connection to the receiver"),
        None => retry(None, "the receiver broke off"),
    }
}

/// Not now, and why.
pub(super) fn retry(after: Option<Duration>, reason: &str) -> Sent {
    Sent::Retry { after, reason: reason.to_owned() }
}

/// `Retry-After`: seconds, or a date as HTTP writes it. How much of it is
/// heeded is the courier's to say.
pub(super) fn wish(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if let Ok(secs) = text.parse::<u64>() {
        Duration::from_secs(secs)
    } else {
        let date = jiff::civil::DateTime::strptime("%a, %d %b %Y %H:%M:%S GMT", text).ok()?;
        let at = jiff::tz::TimeZone::UTC.to_timestamp(date).ok()?;
        Duration::from_secs(u64::try_from(at.as_second() - now.as_secs()).unwrap_or(0))
    };
    Some(wait)
}

fn client(webhook: &plan::Webhook, guard: &Guard, scheme: Scheme) -> Result<Client, String> {
    // Whoever installed a provider before us chose the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let extra = match &webhook.ca {
        None => vec![],
        Some(path) => authorities(path)?,
    };
    let builder = || {
        Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            // A proxy would resolve names itself, past the guard.
            .no_proxy()
            .dns_resolver(guard.resolver(scheme))
            .timeout(show::duration(webhook.timeout))
            .pool_max_idle_per_host(IDLE_MAX)
            .pool_idle_timeout(IDLE_FOR)
    };
    let system = builder().tls_certs_merge(extra.clone()).build();
    // A machine without authorities of its own trusts the configured ones alone.
    system
        .or_else(|_| builder().tls_certs_only(extra).build())
        .map_err(|_| "the TLS settings for webhooks cannot be used".to_owned())
}

fn authorities(path: &Path) -> Result<Vec<Certificate>, String> {
    let pem = std::fs::read(path)
        .map_err(|error| format!("{}: cannot be read ({})", path.display(), error.kind()))?;
    Certificate::from_pem_bundle(&pem)
        .map_err(|_| format!("{}: no certificate in it, expected PEM", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_to_wait_is_seconds_or_a_date() {
        let now = Timestamp::from_secs(1_783_970_400);
        for (text, expected) in [
            ("7", Some(Duration::from_secs(7))),
            ("0", Some(Duration::ZERO)),
            ("99999999999", Some(Duration::from_secs(99_999_999_999))),
            ("Mon, 13 Jul 2026 19:20:09 GMT", Some(Duration::from_secs(9))),
            ("Mon, 13 Jul 2020 19:20:09 GMT", Some(Duration::ZERO)),
            ("soon", None),
            ("-3", None),
            ("((((((((((((((((", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().expect("header text"));
            assert_eq!(wish(&headers, now), expected, "{text}");
        }
    }

    #[test]
    fn abuse_48_date_of_ten_thousand_nested_comments() {
        let now = Timestamp::from_secs(1_783_970_400);
        let (open, close) = ("(".repeat(10_000), ")".repeat(10_000));
        for text in [format!("{open}{close}"), format!("Mon, 13 Jul 2026 {open}{close} 19:20:09 GMT"), open] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().expect("header text"));
            assert_eq!(wish(&headers, now), None);
        }
    }
}
