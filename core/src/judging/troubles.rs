//! Troubles: what the operator must know, each raised once and ended once.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};

use crate::event::TroubleReport;
use crate::ids::OutputId;
use crate::level::Level;
use crate::time::Timestamp;
use crate::warning::{TroubleCode, TroubleKey};

/// A trouble that stands.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct Trouble {
    /// In words for the operator, as last told.
    #[n(0)]
    pub detail: String,
    /// Civil time it was raised.
    #[n(1)]
    pub since: Timestamp,
    /// The warning about it.
    #[n(2)]
    pub warning: Option<OutputId>,
    /// Engine time at which that is renewed; follows from it.
    #[cbor(skip)]
    renewal: Option<Timestamp>,
}

/// What stands, and what is still to be decided on.
#[derive(Debug, Clone, PartialEq, Default, Encode, Decode)]
pub(super) struct Troubles {
    #[n(0)]
    standing: BTreeMap<TroubleKey, Trouble>,
    /// Reports not decided on yet; a later one of the same key replaces the former.
    #[n(1)]
    claims: BTreeMap<TroubleKey, TroubleReport>,
    /// Those that stand, by when their warnings are renewed.
    #[cbor(skip)]
    renewals: BTreeSet<(Timestamp, TroubleKey)>,
}

/// What a claim comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Raised,
    Grew,
    /// It still stands, and would have expired.
    Renewed,
    Ended,
}

impl Troubles {
    pub(super) fn standing(&self) -> &BTreeMap<TroubleKey, Trouble> {
        &self.standing
    }

    pub(super) fn get_mut(&mut self, key: &TroubleKey) -> Option<&mut Trouble> {
        self.standing.get_mut(key)
    }

    /// Something is the matter.
    pub(super) fn raise(&mut self, code: TroubleCode, subject: String, detail: String) {
        let key = TroubleKey { code, subject };
        self.report(TroubleReport { key, present: true, detail });
    }

    /// It is over; nothing where it never stood.
    pub(super) fn end(&mut self, code: TroubleCode, subject: String) {
        self.report(TroubleReport {
            key: TroubleKey { code, subject },
            present: false,
            detail: String::new(),
        });
    }

    /// Whether it stands, or is reported and not decided on yet.
    pub(super) fn is_known(&self, code: TroubleCode, subject: &str) -> bool {
        let key = TroubleKey { code, subject: subject.to_owned() };
        self.standing.contains_key(&key) || self.claims.contains_key(&key)
    }

    /// Takes a report in, to be decided on.
    pub(super) fn report(&mut self, report: TroubleReport) {
        let stands = self.standing.contains_key(&report.key);
        if report.present || stands {
            self.claims.insert(report.key.clone(), report);
        } else {
            self.claims.remove(&report.key);
        }
    }

    /// All that stands is looked at again, but for what is reported already.
    pub(super) fn claim_again(&mut self) {
        for (key, trouble) in &self.standing {
            let report = || TroubleReport { key: key.clone(), present: true, detail: trouble.detail.clone() };
            self.claims.entry(key.clone()).or_insert_with(report);
        }
    }

    /// When the next one has to be told again before it expires.
    pub(super) fn renewal_due(&self) -> Option<Timestamp> {
        self.renewals.first().map(|&(due, _)| due)
    }

    /// From when on one that stands has to be told again; `None` while that is decided on.
    pub(super) fn renew_at(&mut self, key: &TroubleKey, due: Option<Timestamp>) {
        let Some(trouble) = self.standing.get_mut(key) else { return };
        if let Some(former) = std::mem::replace(&mut trouble.renewal, due) {
            self.renewals.remove(&(former, key.clone()));
        }
        self.renewals.extend(due.map(|due| (due, key.clone())));
    }

    /// Those that would expire are looked at again.
    pub(super) fn claim_expiring(&mut self, at: Timestamp) {
        while let Some((_, key)) = self.renewals.first().filter(|&&(due, _)| due <= at) {
            let key = key.clone();
            self.renew_at(&key, None);
            if let Some(trouble) = self.standing.get(&key) {
                let report = TroubleReport { key, present: true, detail: trouble.detail.clone() };
                self.claims.entry(report.key.clone()).or_insert(report);
            }
        }
    }

    pub(super) fn next_claim(&self) -> Option<&TroubleReport> {
        self.claims.values().next()
    }

    /// What is reported of one kind.
    pub(super) fn claim_of(&self, code: TroubleCode) -> Option<&TroubleReport> {
        let first = TroubleKey { code, subject: String::new() };
        self.claims.range(first..).next().map(|(_, report)| report).filter(|report| report.key.code == code)
    }

    pub(super) fn drop_claim(&mut self, key: &TroubleKey) {
        self.claims.remove(key);
    }

    /// What a claim comes to; `None` where it says nothing new.
    pub(super) fn turn(&self, claim: &TroubleReport) -> Option<Turn> {
        match (self.standing.get(&claim.key), claim.present) {
            (None, true) => Some(Turn::Raised),
            (Some(trouble), true) if materially_other(&trouble.detail, &claim.detail) => Some(Turn::Grew),
            (Some(_), false) => Some(Turn::Ended),
            (None, false) | (Some(_), true) => None,
        }
    }

    /// A trouble was decided on.
    pub(super) fn apply(&mut self, report: &TroubleReport, civil: Timestamp) {
        if !report.present {
            self.renew_at(&report.key, None);
            self.standing.remove(&report.key);
            return;
        }
        let fresh = || Trouble { detail: String::new(), since: civil, warning: None, renewal: None };
        self.standing.entry(report.key.clone()).or_insert_with(fresh).detail.clone_from(&report.detail);
    }
}

/// How high a trouble stands on the operator's ladder.
pub(super) fn level(code: TroubleCode) -> Level {
    match code {
        TroubleCode::ClockUntrusted
        | TroubleCode::Unrouted
        | TroubleCode::Diverged
        | TroubleCode::Rot
        | TroubleCode::DiskLow
        | TroubleCode::Undelivered
        | TroubleCode::ApprovalWaiting
        | TroubleCode::Unacknowledged
        | TroubleCode::OtherWorld
        | TroubleCode::AlertWithheld
        | TroubleCode::HasEnded
        | TroubleCode::HeartbeatLate => Level::Orange,
        TroubleCode::SensorSilent
        | TroubleCode::DomainSilent
        | TroubleCode::SourceDown
        | TroubleCode::OwnDowntime
        | TroubleCode::Orphaned
        | TroubleCode::DeadLetter
        | TroubleCode::StoreBehind
        | TroubleCode::PoisonInput
        | TroubleCode::Conflict
        | TroubleCode::MessageTooLarge
        | TroubleCode::Held
        | TroubleCode::ReloadRefused
        | TroubleCode::Muted
        | TroubleCode::EndsSoon => Level::Yellow,
    }
}

/// Whether the operator has to be told again: other words, or a figure that at
/// least doubled. A count that creeps up is no news.
fn materially_other(told: &str, now: &str) -> bool {
    let is_figure = |c: &char| c.is_ascii_digit();
    let words = |text: &str| text.chars().filter(|c| !is_figure(c)).collect::<String>();
    let figures = |text: &str| -> Vec<u64> {
        let parts = text.split(|c: char| !is_figure(&c)).filter(|part| !part.is_empty());
        parts.map(|part| part.parse().unwrap_or(u64::MAX)).collect()
    };
    words(told) != words(now)
        || figures(told)
            .iter()
            .zip(figures(now))
            .any(|(&told, now)| now >= told.saturating_mul(2).max(1) && now != told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_that_creeps_up_is_no_news() {
        for (told, now, news) in [
            ("91 % full", "91 % full", false),
            ("91 % full", "97 % full", false),
            ("12 sensors silent", "23 sensors silent", false),
            ("12 sensors silent", "24 sensors silent", true),
            ("0 refused", "0 refused", false),
            ("0 refused", "3 refused", true),
            ("disk full", "disk nearly full", true),
        ] {
            assert_eq!(materially_other(told, now), news, "{told} -> {now}");
        }
    }
}
