//! Tells the operator of what ends: certificates and tokens, by the engine, as
//! of every trouble. Nothing is judged while nobody trusts the clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use forewarn_core::engine::Engine;
use forewarn_core::event::{Input, TroubleReport};
use forewarn_core::time::{Moment, Span};
use forewarn_core::warning::{TroubleCode, TroubleKey};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::clocks::Ticking;
use crate::accounts::{Accounts, Token};
use crate::driver::inbox::DriverInbox;
use crate::expiry::{self, Thing, Unread};
use crate::ports::Current;

/// How often it is looked.
const LOOKED_APART: Duration = Duration::from_mins(5);

/// A token that ended is told of for so long: by then somebody misses it, or nobody will.
const TOKEN_OVER: Span = Span::from_hours(7 * 24);

/// What the name of a token begins with, among the things that end.
const TOKEN: &str = "token ";

/// What is looked at, and whom it is told.
pub(super) struct Ends {
    pub(super) current: Current,
    pub(super) accounts: Arc<Accounts>,
    pub(super) inbox: Arc<DriverInbox>,
    pub(super) ticking: Ticking,
    /// The listener's certificates, as it read them when it started.
    pub(super) served: Vec<Thing>,
}

impl Ends {
    /// Looks now and then, and at every reload, until `stop`.
    pub(super) async fn watch(mut self, stop: CancellationToken) {
        loop {
            self.look().await;
            tokio::select! {
                () = stop.cancelled() => return,
                changed = self.current.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(LOOKED_APART) => {}
            }
        }
    }

    async fn look(&mut self) {
        let moment = self.ticking.moment();
        if !moment.trusted {
            return;
        }
        let setup = self.current.borrow_and_update().clone();
        let accounts = self.accounts.clone();
        // Files and the table of tokens: neither may keep a task from others.
        let read = tokio::task::spawn_blocking(move || {
            let tokens = accounts.tokens().inspect_err(|error| warn!(%error, "tokens cannot be listed"));
            let found = expiry::certificates(&setup);
            (setup, found, tokens.ok())
        });
        let Ok((setup, found, tokens)) = read.await else { return };
        let mut unread = Unreadable { subjects: BTreeSet::new(), tokens: tokens.is_none() };
        let mut things = self.served.clone();
        for found in found {
            match found {
                Ok(thing) => things.push(thing),
                Err(Unread { subject }) => drop(unread.subjects.insert(subject)),
            }
        }
        things.extend(tokens.iter().flatten().filter_map(|token| lasting(token, moment)));
        let settings = &setup.plan.settings;
        let due: BTreeMap<TroubleKey, String> =
            things.iter().filter_map(|thing| thing.told(moment.civil(), settings)).collect();
        let Some(standing) = self.inbox.look(standing).await else { return };
        for report in news(&due, &standing, &unread) {
            self.inbox.ask(vec![Input::Trouble(report)], None);
        }
    }
}

/// What could not be looked at. It has not been renewed: what stands of it goes on standing.
#[derive(Debug, Default)]
struct Unreadable {
    /// Certificates.
    subjects: BTreeSet<String>,
    /// Whether the table of tokens is among it.
    tokens: bool,
}

impl Unreadable {
    fn has(&self, subject: &str) -> bool {
        self.subjects.contains(subject) || (self.tokens && subject.starts_with(TOKEN))
    }
}

/// A token that opens something, or did until lately.
fn lasting(token: &Token, moment: Moment) -> Option<Thing> {
    let gone = token.revoked.is_some() || moment.civil() >= token.expires + TOKEN_OVER;
    let Token { prefix, created: began, expires: ends, .. } = token;
    (!gone).then(|| Thing {
        subject: format!("{TOKEN}{prefix}"),
        what: format!("token {prefix}…"),
        began: *began,
        ends: *ends,
    })
}

fn standing(engine: &Engine) -> BTreeMap<TroubleKey, String> {
    let is_end = |key: &TroubleKey| matches!(key.code, TroubleCode::EndsSoon | TroubleCode::HasEnded);
    let ends = engine.troubles().filter(|(key, _)| is_end(key));
    ends.map(|(key, trouble)| (key.clone(), trouble.detail.clone())).collect()
}

/// What the engine does not know yet: every report is a record of the log.
fn news(
    due: &BTreeMap<TroubleKey, String>,
    standing: &BTreeMap<TroubleKey, String>,
    unread: &Unreadable,
) -> Vec<TroubleReport> {
    let over = standing.keys().filter(|key| !due.contains_key(key) && !unread.has(&key.subject));
    let over = over.map(|key| TroubleReport { key: key.clone(), present: false, detail: String::new() });
    let new = due.iter().filter(|(key, detail)| standing.get(*key) != Some(*detail));
    let new =
        new.map(|(key, detail)| TroubleReport { key: key.clone(), present: true, detail: detail.clone() });
    over.chain(new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(things: &[(&str, &str)]) -> BTreeMap<TroubleKey, String> {
        let key = |subject: &str| TroubleKey { code: TroubleCode::EndsSoon, subject: subject.into() };
        things.iter().map(|(subject, detail)| (key(subject), (*detail).into())).collect()
    }

    #[test]
    fn only_what_the_engine_does_not_know_is_reported() {
        let standing = told(&[("a", "within a month"), ("b", "within a week"), ("c", "within a day")]);
        let due = told(&[("a", "within a month"), ("b", "within a day"), ("d", "within a month")]);
        let reports: Vec<_> = news(&due, &standing, &Unreadable::default())
            .into_iter()
            .map(|it| (it.key.subject, it.present, it.detail))
            .collect();
        let expected = [("c", false, ""), ("b", true, "within a day"), ("d", true, "within a month")];
        let expected = expected.map(|(subject, present, detail)| (subject.into(), present, detail.into()));
        assert_eq!(reports, expected);
        assert_eq!(news(&standing, &standing, &Unreadable::default()), []);
    }

    #[test]
    fn what_cannot_be_read_has_not_been_renewed() {
        let standing =
            told(&[("webhook.ca", "within a week"), ("token fw_1", "within a day"), ("email.ca", "")]);
        let ended = |unread: &Unreadable| -> Vec<String> {
            news(&BTreeMap::new(), &standing, unread).into_iter().map(|it| it.key.subject).collect()
        };
        let subjects = BTreeSet::from(["webhook.ca".to_owned()]);
        assert_eq!(ended(&Unreadable { subjects, tokens: false }), ["email.ca", "token fw_1"]);
        assert_eq!(
            ended(&Unreadable { subjects: BTreeSet::new(), tokens: true }),
            ["email.ca", "webhook.ca"]
        );
    }
}
