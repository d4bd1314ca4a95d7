//! Webhooks: one signed POST (Standard Webhooks), to where the guard lets it
//! go and nowhere else.

use std::marker::PhantomData;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use forewarn_core::time::{Moment, Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER, USER_AGENT};
use reqwest::{Certificate, Client, Response, StatusCode, Url};
use sha2::Sha256;

use super::body::Body;
use super::cause::{Cause, cause};
use super::door::{Target, World};
use super::guard::{Guard, Rules, Scheme, system_lookup};
use super::kept::PerSetup;
use super::words::Messages;
use super::{Channel, Envelope, Now, Sent, admitted, show};
use crate::config::plan::{self, Setup};
use crate::config::secret::Secret;

/// Bytes of an answer that are read; the rest is cut off with the connection.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Idle connections kept a host.
const IDLE_MAX: usize = 4;
/// How long an idle connection is kept.
const IDLE_FOR: Duration = Duration::from_secs(30);

/// POST to machines.
#[derive(Debug)]
pub struct Webhook<W: World> {
    now: Now,
    kept: PerSetup<Ready>,
    world: PhantomData<W>,
}

/// What holds as long as a setup does.
#[derive(Debug)]
struct Ready {
    messages: Messages,
    guard: Guard,
    https: Result<Client, String>,
    http: Result<Client, String>,
}

impl Ready {
    fn of(setup: &Setup) -> Ready {
        let guard = Guard::new(Rules::of(&setup.webhook), system_lookup());
        Ready {
            messages: Messages::read(&setup.messages),
            https: client(&setup.webhook, &guard, Scheme::Https),
            http: client(&setup.webhook, &guard, Scheme::Http),
            guard,
        }
    }
}

impl<W: World> Webhook<W> {
    /// Webhooks; `now` gives civil time and whether it can be trusted.
    pub fn new(now: Now) -> Webhook<W> {
        Webhook { now, kept: PerSetup::new(Ready::of), world: PhantomData }
    }

    async fn attempt(&self, envelope: &Envelope<W>) -> Sent {
        if let Err(refusal) = admitted(envelope) {
            return refusal;
        }
        let setup = &envelope.setup;
        let ready = self.kept.of(setup);
        let Ok(url) = Url::parse(&envelope.target.address) else {
            return Sent::Rejected { reason: "the address is not a URL, expected https://...".into() };
        };
        if let Err(refused) = ready.guard.check_url(&url) {
            return Sent::Forbidden { reason: refused.to_string() };
        }
        let Some(secret) = &setup.webhook.secret else {
            return Sent::Rejected { reason: "no signing secret is configured for webhooks".into() };
        };
        let client = match if url.scheme() == "http" { &ready.http } else { &ready.https } {
            Ok(client) => client,
            Err(reason) => {
                // A file that cannot be read now may be read the next time.
                self.kept.forget(&ready);
                return retry(None, reason);
            }
        };
        let words = ready.messages.language(&envelope.target.language);
        let revisions: Vec<_> = envelope.revisions.iter().map(AsRef::as_ref).collect();
        let body =
            serde_json::to_vec(&Body::of(envelope.key, &revisions, setup, words, envelope.link.as_deref()))
                .expect("a body of strings and finite numbers is JSON");
        let moment = self.now.moment();
        let headers = headers(&envelope.key.to_string(), moment.civil(), secret, &body);
        let limit = show::duration(setup.webhook.timeout);
        post(client, url, headers, body, limit, moment).await
    }
}

impl<W: World> Channel<W> for Webhook<W> {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn server(&self, target: &Target<W>) -> String {
        host_and_port(&target.address)
    }

    fn connections_max(&self, setup: &Setup) -> usize {
        setup.webhook.connections_max
    }

    fn send<'a>(&'a self, envelope: &'a Envelope<W>) -> Pin<Box<dyn Future<Output = Sent> + Send + 'a>> {
        Box::pin(self.attempt(envelope))
    }
}

/// Host and port only: paths of webhooks are secrets.
pub(super) fn host_and_port(address: &str) -> String {
    let url = Url::parse(address).ok();
    url.map_or_else(String::new, |url| {
        format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default())
    })
}

/// One POST, from connect to the last byte read within `limit`.
pub(super) async fn post(
    client: &Client,
    url: Url,
    headers: HeaderMap,
    body: Vec<u8>,
    limit: Duration,
    moment: Moment,
) -> Sent {
    let until = tokio::time::Instant::now() + limit;
    let request = client.post(url).headers(headers).body(body).send();
    match tokio::time::timeout_at(until, request).await {
        Err(_) => retry(None, "the receiver took too long"),
        Ok(Err(error)) => failed(&error),
        Ok(Ok(response)) => {
            let (status, after) = (response.status(), wish(response.headers(), moment.civil()));
            // Read for the connection's sake only; what it says changes nothing.
            let _ = tokio::time::timeout_at(until, drain(response)).await;
            answered(status, after, moment)
        }
    }
}

async fn drain(mut response: Response) {
    let mut read = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        read += chunk.len();
        if read >= ANSWER_BYTES_MAX {
            return;
        }
    }
}

/// What a status means for the next attempt.
fn answered(status: StatusCode, after: Option<Duration>, moment: Moment) -> Sent {
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

fn retry(after: Option<Duration>, reason: &str) -> Sent {
    Sent::Retry { after, reason: reason.to_owned() }
}

/// `Retry-After`: seconds, or a date as HTTP writes it. How much of it is
/// heeded is the courier's to say.
fn wish(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
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

pub(super) fn headers(id: &str, now: Timestamp, secret: &Secret, body: &[u8]) -> HeaderMap {
    let timestamp = now.as_secs().to_string();
    let signature = signature(secret, id, &timestamp, body);
    let mut headers = HeaderMap::new();
    for (name, value) in
        [("webhook-id", id), ("webhook-timestamp", &timestamp), ("webhook-signature", &signature)]
    {
        headers.insert(name, value.parse().expect("digits and base64 are header text"));
    }
    headers.insert(CONTENT_TYPE, "application/json".parse().expect("a constant"));
    headers.insert(USER_AGENT, concat!("forewarn/", env!("CARGO_PKG_VERSION")).parse().expect("a constant"));
    headers
}

/// Standard Webhooks: `v1,` and the HMAC-SHA256 of `id.timestamp.body`. A
/// secret `whsec_...` is base64; any other is taken as its bytes.
pub fn signature(secret: &Secret, id: &str, timestamp: &str, body: &[u8]) -> String {
    let text = secret.expose();
    let key = text.strip_prefix("whsec_").and_then(|coded| STANDARD.decode(coded).ok());
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_deref().unwrap_or(text.as_bytes()))
        .expect("HMAC takes keys of any length");
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

pub(super) fn client(webhook: &plan::Webhook, guard: &Guard, scheme: Scheme) -> Result<Client, String> {
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
mod tests;
