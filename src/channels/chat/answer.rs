//! What a service's answer means. Most answer 200 whatever comes of it and say
//! in the body what did: a 200 alone is no success where the recipe looks further.

use std::collections::BTreeSet;
use std::time::Duration;

use forewarn_core::time::Moment;
use reqwest::StatusCode;
use serde_json::Value;

use crate::channels::post::{Answer, answered, retry};
use crate::channels::{Sent, show};
use crate::config::raw::channels::{self as raw, Code};

/// How long to wait for a busy service that does not say.
const BUSY_FOR: Duration = Duration::from_secs(30);

/// Characters of a code that is told, where the recipe does not list it.
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
            return self.by_code(&code, answer, said, is_signed, moment);
        }
        match self.by_status(answer, said, moment) {
            // The code is what says that it was taken.
            Sent::Accepted if !self.code.is_empty() => unsaid(answer),
            sent => sent,
        }
    }

    /// What a status means, where all that the recipe looks at besides the code agrees.
    fn by_status(&self, answer: &Answer, said: Option<&str>, moment: Moment) -> Sent {
        // Who says "too many" and not for how long is busy.
        let is_busy = answer.status == StatusCode::TOO_MANY_REQUESTS;
        let sent = answered(answer.status, answer.after.or(is_busy.then_some(self.wait)), moment);
        if sent == Sent::Accepted && !self.agrees(answer.status, said) { unsaid(answer) } else { sent }
    }

    /// Whether status and text of a 2xx are those of a success.
    fn agrees(&self, status: StatusCode, said: Option<&str>) -> bool {
        let status_agrees = self.statuses.is_empty() || self.statuses.contains(&status.as_u16());
        let text_agrees = self.text.as_deref().is_none_or(|text| said == Some(text));
        // Of an answer that broke off nobody knows whether it says that it failed.
        status_agrees && text_agrees && (self.failed.is_empty() || said.is_some())
    }

    fn by_code(
        &self,
        code: &str,
        answer: &Answer,
        said: Option<&str>,
        is_signed: bool,
        moment: Moment,
    ) -> Sent {
        if self.ok.contains(code) {
            // What says "taken" under a status of failure was not taken.
            return self.by_status(answer, said, moment);
        }
        let reason = format!("the receiver answered {} with {}", answer.status.as_u16(), self.named(code));
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

    /// The code as it may be told. One that the recipe does not know is told where it is a word or a
    /// number: a sentence may quote a telephone number or an address.
    fn named(&self, code: &str) -> String {
        let is_listed = self.busy.contains(code) || self.dead.contains(code);
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if is_listed || (code.len() <= CODE_CHARS_MAX && code.chars().all(is_word)) {
            format!("code {code}")
        } else {
            "a code that is none".to_owned()
        }
    }

    /// The first code that stands in an answer.
    fn code_in(&self, said: &str) -> Option<String> {
        if self.code.is_empty() {
            return None;
        }
        let said: Value = serde_json::from_str(said).ok()?;
        self.code.iter().find_map(|pointer| match said.pointer(pointer)? {
            Value::String(code) => Some(code.clone()),
            Value::Number(code) => Some(code.to_string()),
            Value::Bool(code) => Some(code.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        })
    }
}

/// Perhaps it was taken; saying so where it was not would be the worse mistake.
fn unsaid(answer: &Answer) -> Sent {
    let status = answer.status.as_u16();
    retry(answer.after, &format!("the receiver answered {status}, but not that it took the message"))
}
