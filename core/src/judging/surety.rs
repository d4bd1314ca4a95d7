//! CAP's urgency and certainty: how soon people must act, and how sure it is.

use super::CellState;
use super::vote::Word;
use super::votes::{Count, Terms};
use crate::level::{Certainty, Level, Urgency};
use crate::time::Timestamp;
use crate::warning::{Incident, Kind, Reason};

pub(super) fn urgency(level: Level) -> Urgency {
    match level {
        Level::Red | Level::Orange => Urgency::Immediate,
        Level::Yellow => Urgency::Expected,
        Level::Blue => Urgency::Future,
        Level::Normal => Urgency::Past,
    }
}

/// How sure it is.
pub(super) fn certainty(
    kind: Kind,
    reason: Reason,
    incident: &Incident,
    state: &CellState,
    at: Timestamp,
    terms: Terms<'_>,
) -> Certainty {
    if kind.is_last() {
        return match reason {
            Reason::Eased | Reason::TroubleEnded => Certainty::Observed,
            Reason::Raised
            | Reason::Upgraded
            | Reason::Downgraded
            | Reason::Blind
            | Reason::Seen
            | Reason::Intermittent
            | Reason::Renewed
            | Reason::Unconfirmed
            | Reason::Orphaned
            | Reason::EndedByHand
            | Reason::InError
            | Reason::TroubleRaised
            | Reason::NotifyTest
            | Reason::Corrected
            | Reason::Manual
            | Reason::EndsSoon
            | Reason::Canary => Certainty::Likely,
        };
    }
    if incident.stale || incident.orphaned {
        Certainty::Possible
    } else if state.votes.supported(Word::Sure, Count::Apart, at, terms) >= incident.level {
        Certainty::Observed
    } else {
        Certainty::Likely
    }
}
