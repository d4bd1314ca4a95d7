//! Webhooks: one signed POST (Standard Webhooks), to where the guard lets it
//! go and nowhere else.

use std::marker::PhantomData;
use std::pin::Pin;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use forewarn_core::time::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{CONTENT_TYPE, HeaderMap, USER_AGENT};
use reqwest::{Method, Request, Url};
use sha2::Sha256;

use super::body::Body;
use super::door::{Target, World};
use super::kept::PerSetup;
use super::post::{AGENT, Clients, NoClient, answered, ask, host_and_port};
use super::words::Messages;
use super::{Channel, Envelope, Now, Sent, admitted, show};
use crate::config::plan::{Digests, Setup};
use crate::config::secret::Secret;

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
    clients: Clients,
}

impl Ready {
    fn of(setup: &Setup) -> Ready {
        Ready { messages: Messages::read(&setup.messages), clients: Clients::of(setup) }
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
        let client = match ready.clients.to(&url) {
            Ok(client) => client,
            Err(NoClient::Refused(sent)) => return sent,
            Err(NoClient::Unready(sent)) => {
                // A file that cannot be read now may be read the next time.
                self.kept.forget(&ready);
                return sent;
            }
        };
        let Some(secret) = &setup.webhook.secret else {
            return Sent::Rejected { reason: "no signing secret is configured for webhooks".into() };
        };
        let words = ready.messages.language(&envelope.target.language);
        let revisions: Vec<_> = envelope.revisions.iter().map(AsRef::as_ref).collect();
        let (members, link) = (&envelope.members, envelope.link.as_deref());
        let body = serde_json::to_vec(&Body::of(envelope.key, &revisions, members, setup, words, link))
            .expect("a body of strings and finite numbers is JSON");
        let moment = self.now.moment();
        let headers = headers(&envelope.key.to_string(), moment.civil(), secret, &body);
        let mut request = Request::new(Method::POST, url);
        *request.headers_mut() = headers;
        *request.body_mut() = Some(body.into());
        match ask(client, request, show::duration(setup.webhook.timeout), moment.civil()).await {
            Ok(answer) => answered(answer.status, answer.after, moment),
            Err(sent) => sent,
        }
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

    fn digests(&self, setup: &Setup) -> Option<Digests> {
        setup.webhook.digest
    }

    fn send<'a>(&'a self, envelope: &'a Envelope<W>) -> Pin<Box<dyn Future<Output = Sent> + Send + 'a>> {
        Box::pin(self.attempt(envelope))
    }
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
    headers.insert(USER_AGENT, AGENT.parse().expect("a constant"));
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

#[cfg(test)]
mod tests;
