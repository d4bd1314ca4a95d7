//! What a service's answer means. Most answer 200 whatever comes of it and say
//! in the body what did: a 200 alone is no success where the recipe looks further.

use std::collections::BTreeSet;
use std::time::Duration;

use forewarn_core::time::Moment;
use serde_json::Value;

use crate::channels::post::{Answer, answered, retry};
use crate::channels::{Sent, show};
use crate::config::raw::channels::{self as raw, Code};

/// How long to wait for a busy service that does not say.
const BUSY_FOR: Duration = Duration::from_secs(30);

/// Characters of a code that is a text: nobody's is longer.
const CODE_CHARS_MAX: usize = 40;

/// What answers of one service mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meaning {
    statuses: Vec<u16>,
    text: Option<String>,
    failed: Vec<String>,
    code: Vec<String>,
    ok: BTreeSet<String>,
    busy: BTreeSet<String>,
    dead: BTreeSet<String>,
    wait: Duration,
}

impl Meaning {
    /// As a recipe says.
    pub(super) fn of(raw: &raw::Answer) -> Meaning {
        let codes = |codes: &Option<Vec<Code>>| codes.iter().flatten().map(|code| code.0.clone()).collect();
        Meaning {
            statuses: raw
                .status
                .iter()
                .flatten()
                .map(|status| u16::try_from(status.value).unwrap_or(0))
                .collect(),
            text: raw.text.as_ref().map(|text| text.0.clone()),
            failed: raw.failed.iter().flatten().map(|text| text.0.clone()).collect(),
            code: raw.code.iter().flat_map(|code| code.iter().map(|at| at.value.0.clone())).collect(),
            ok: codes(&raw.ok),
            busy: codes(&raw.busy),
            dead: codes(&raw.dead),
            wait: raw.wait.as_ref().map_or(BUSY_FOR, |wait| show::duration(wait.0)),
        }
    }

    /// What an answer means. `is_signed`: with a clock nobody trusts, the
    /// signature's time is the likeliest thing the service refused.
    pub(super) fn judge(&self, answer: &Answer, is_signed: bool, moment: Moment) -> Sent {
        let said = answer.said.as_deref().map(String::from_utf8_lossy);
        let said = said.as_deref().map(str::trim);
        let status = answer.status.as_u16();
        if let Some(failed) = said.and_then(|said| self.failed.iter().find(|it| said.contains(it.as_str()))) {
            return retry(answer.after, &format!("the receiver answered {status}, and in it \"{failed}\""));
        }
        if let Some(code) = said.and_then(|said| self.code_in(said)) {
            return self.by_code(&code, answer, is_signed, moment);
        }
        let sent = answered(answer.status, answer.after, moment);
        if sent != Sent::Accepted || self.is_success(status, said) {
            return sent;
        }
        // Perhaps it was taken; saying so where it was not would be the worse mistake.
        retry(answer.after, &format!("the receiver answered {status}, but not that it took the message"))
    }

    /// Whether a 2xx says that the message was taken.
    fn is_success(&self, status: u16, said: Option<&str>) -> bool {
        let agreed = self.statuses.is_empty() || self.statuses.contains(&status);
        agreed && self.code.is_empty() && self.text.as_deref().is_none_or(|text| said == Some(text))
    }

    fn by_code(&self, code: &str, answer: &Answer, is_signed: bool, moment: Moment) -> Sent {
        let status = answer.status.as_u16();
        let reason = format!("the receiver answered {status} with code {code}");
        if self.ok.contains(code) {
            // What says "taken" under a status of failure was not taken.
            return answered(answer.status, answer.after, moment);
        }
        if self.dead.contains(code) {
            if is_signed && !moment.trusted {
                let reason = format!("{reason}, perhaps for the signature's time: the clock is untrusted");
                return retry(answer.after, &reason);
            }
            return Sent::Rejected { reason };
        }
        if self.busy.contains(code) {
            return retry(answer.after.or(Some(self.wait)), &format!("{reason}: not now"));
        }
        retry(answer.after, &reason)
    }

    /// The first code that stands in an answer.
    fn code_in(&self, said: &str) -> Option<String> {
        if self.code.is_empty() {
            return None;
        }
        let said: Value = serde_json::from_str(said).ok()?;
        self.code.iter().find_map(|pointer| match said.pointer(pointer)? {
            Value::String(code) => Some(code.chars().take(CODE_CHARS_MAX).collect()),
            Value::Number(code) => Some(code.to_string()),
            Value::Bool(code) => Some(code.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        })
    }
}
