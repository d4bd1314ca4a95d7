//! What the operator hears of a store: that it is behind or fails, once; that
//! it refuses points; and that it is well again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use forewarn_core::event::{Input, TroubleReport};
use forewarn_core::ids::Position;
use forewarn_core::warning::{TroubleCode, TroubleKey};

use super::Refusals;
use crate::ports::Inbox;

/// When a store's troubles are told, and for how long they stand at least.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Failing for so long is told.
    pub(super) patience: Duration,
    /// Further behind is told.
    pub(super) behind_max: u64,
    /// What was told is not taken back sooner.
    pub(super) hold: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// A former run may have told of a trouble: the first success takes it back.
    Perhaps,
    No,
    Since(Instant),
}

impl Told {
    fn may_end(self, hold: Duration) -> bool {
        match self {
            Told::Perhaps => true,
            Told::No => false,
            Told::Since(at) => at.elapsed() >= hold,
        }
    }
}

/// The health of one store.
#[derive(Debug)]
pub(super) struct Health {
    store: &'static str,
    inbox: Arc<dyn Inbox>,
    bounds: Bounds,
    behind: Told,
    failing: Option<Instant>,
    refusing: Told,
    refused: u64,
    refused_told: u64,
    rotten: Told,
    rot: Option<String>,
}

impl Health {
    pub(super) fn new(store: &'static str, inbox: Arc<dyn Inbox>, bounds: Bounds) -> Health {
        Health {
            store,
            inbox,
            bounds,
            behind: Told::Perhaps,
            failing: None,
            refusing: Told::Perhaps,
            refused: 0,
            refused_told: 0,
            rotten: Told::Perhaps,
            rot: None,
        }
    }

    /// A batch could not be kept, or the log not be read; it will be tried again.
    pub(super) fn failed(&mut self, what: &str, retry: Duration) {
        metrics::counter!("forewarn_store_failures_total", "store" => self.store).increment(1);
        let retry_ms = retry.as_millis() as u64;
        tracing::warn!(store = self.store, what, retry_ms, "a store fails, it will be tried again");
        let since = *self.failing.get_or_insert_with(Instant::now);
        if since.elapsed() >= self.bounds.patience {
            self.tell_behind(format!("readings are not kept there until this is over: {what}"));
        }
    }

    /// These positions will never be kept: the log no longer had them.
    pub(super) fn gap(&mut self, first: Position, last: Position) {
        metrics::counter!("forewarn_store_gaps_total", "store" => self.store).increment(1);
        tracing::error!(store = self.store, first = first.0, last = last.0, "readings were lost to a store");
        self.behind = Told::No;
        self.tell_behind(format!(
            "the log had to forget positions {} to {} before they were kept there",
            first.0, last.0
        ));
    }

    /// A batch was kept; `lag` is how many positions the log is ahead.
    pub(super) fn kept(&mut self, lag: u64) {
        self.failing = None;
        if lag > self.bounds.behind_max {
            self.tell_behind(format!("{lag} log positions behind"));
        } else if self.behind.may_end(self.bounds.hold) && lag <= self.bounds.behind_max / 2 {
            self.behind = Told::No;
            self.report(self.subject(), None);
        }
    }

    /// What it would not take since the start.
    pub(super) fn refusals(&mut self, refusals: Option<&Refusals>) {
        let points = refusals.map_or(0, |refusals| refusals.points);
        if let Some(refusals) = refusals.filter(|it| it.points > self.refused) {
            let more = refusals.points - self.refused;
            metrics::counter!("forewarn_store_refused_total", "store" => self.store).increment(more);
            tracing::error!(store = self.store, points, reason = refusals.reason, "a store refuses points");
            let news = refusals.points >= self.refused_told.saturating_mul(2);
            self.refusing = Told::Since(Instant::now());
            if news {
                self.refused_told = points;
                self.report(
                    format!("{}/refused", self.subject()),
                    Some(format!("{points} points refused: {}", refusals.reason)),
                );
            }
        } else if self.refusing.may_end(self.bounds.hold) && self.failing.is_none() {
            self.refusing = Told::No;
            self.refused_told = 0;
            self.report(format!("{}/refused", self.subject()), None);
        }
        self.refused = points;
    }

    /// What of it does not read back. It is told until the next start finds all well.
    pub(super) fn rot(&mut self, rot: Option<String>) {
        if rot.is_some() && rot != self.rot {
            self.rotten = Told::Since(Instant::now());
            self.tell(TroubleCode::Rot, self.subject(), rot.clone());
            self.rot = rot;
        } else if rot.is_none() && self.rotten == Told::Perhaps {
            self.rotten = Told::No;
            self.tell(TroubleCode::Rot, self.subject(), None);
        }
    }

    fn subject(&self) -> String {
        format!("store/{}", self.store)
    }

    fn tell_behind(&mut self, detail: String) {
        if !matches!(self.behind, Told::Since(_)) {
            self.behind = Told::Since(Instant::now());
            self.report(self.subject(), Some(detail));
        }
    }

    fn report(&self, subject: String, detail: Option<String>) {
        self.tell(TroubleCode::StoreBehind, subject, detail);
    }

    fn tell(&self, code: TroubleCode, subject: String, detail: Option<String>) {
        let key = TroubleKey { code, subject };
        let present = detail.is_some();
        let detail = detail.unwrap_or_default();
        self.inbox.control(Input::Trouble(TroubleReport { key, present, detail }));
    }
}
