//! How the service shows that all of it lives.

use forewarn_core::time::Span;

use super::Build;
use super::service::{WEBHOOK_SECRET_MIN, unreachable};
use crate::config::Purpose;
use crate::config::plan::{Heartbeat, Outside, Webhook};
use crate::config::raw::forewarn_toml::{self, Main, length};
use crate::config::secret::Secret;

/// A round, unless configured: what is outside fires within three of them.
const EVERY: Span = Span::from_mins(1);

/// The shortest round. Each is a record of the log and a request.
const EVERY_MIN: Span = Span::from_secs(1);

impl Build<'_> {
    /// `None` where something is at fault.
    pub(super) fn heartbeat(&mut self, main: &Main, webhook: Option<&Webhook>) -> Option<Heartbeat> {
        let Some(written) = &main.heartbeat else { return Some(Heartbeat { every: EVERY, outside: None }) };
        let (line, written) = (written.line, &written.value);
        let every = length(written.every.as_ref().map(|at| &at.value), EVERY);
        if !(EVERY_MIN..=EVERY).contains(&every) {
            let line = written.every.as_ref().map_or(line, |at| at.line);
            self.fault(
                &self.at(line),
                format!("heartbeat.every is {every}"),
                format!("{EVERY_MIN} to {EVERY}: whoever waits outside fires after three rounds"),
            );
        }
        let Some(url) = &written.url else {
            if let Some(secret) = &written.secret {
                self.warn(
                    &self.at(secret.line),
                    "heartbeat has a secret and no url",
                    "url beside secret, or neither",
                );
            }
            return Some(Heartbeat { every, outside: None });
        };
        let place = self.at(url.line);
        let open = webhook
            .and_then(|it| unreachable(it, ("a heartbeat", &url.value.0), &place, self.raw.files.ways));
        open.into_iter().for_each(|fault| self.faults.push(fault));
        let secret = self.signing(written, webhook);
        // Where a secret is named and not to be had, or all of [webhook] is not, that is said already.
        if secret.is_none() && written.secret.is_none() && webhook.is_some() {
            self.fault(
                &place,
                "heartbeat has no secret to sign with",
                "heartbeat.secret, or webhook.secret, by reference",
            );
        }
        let outside = Outside { url: Secret::new(url.value.0.clone()), secret: secret? };
        let outside = (self.request.purpose == Purpose::Live).then_some(outside);
        Some(Heartbeat { every, outside })
    }

    /// What heartbeats are signed with; by default what webhooks are.
    fn signing(&mut self, written: &forewarn_toml::Heartbeat, webhook: Option<&Webhook>) -> Option<Secret> {
        let Some(reference) = &written.secret else { return webhook.and_then(|it| it.secret.clone()) };
        let secret = self.secret(reference)?;
        if secret.expose().len() < WEBHOOK_SECRET_MIN {
            self.fault(
                &self.at(reference.line),
                "heartbeat.secret is short enough to be guessed",
                format!("{WEBHOOK_SECRET_MIN} characters at least"),
            );
        }
        Some(secret)
    }
}
