//! The canary, as the area stage answers it: last of all that waits, so that a
//! stage that never comes to an end of its work lets no heartbeat out.

use minicbor::{Decode, Encode};

use super::AreaStage;
use super::decide::Stamp;
use crate::event::Decision;
use crate::time::{Span, Timestamp};
use crate::warning::Canary;

/// What is known of the canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub(super) struct Canaries {
    /// How many were answered.
    #[n(0)]
    number: u32,
    /// Civil time of the last decision that was no canary's.
    #[n(1)]
    decided: Option<Timestamp>,
    /// One that waits to be answered, with how long after it the next is due. A
    /// later one takes its place: one answer is as good as two.
    #[n(2)]
    waits: Option<Span>,
}

impl Canaries {
    /// It is being answered.
    pub(super) fn take(&mut self) {
        self.waits = None;
    }
}

impl AreaStage {
    /// A canary came in.
    pub fn canary(&mut self, every: Span) {
        self.canaries.waits = Some(every);
    }

    /// Its answer. A directory that is held gives none: another service may be
    /// alive under the same name, and the two would count over each other.
    pub(super) fn decide_canary(&self, every: Span, stamp: &Stamp) -> Vec<Decision> {
        if self.held {
            return Vec::new();
        }
        let Canaries { number, decided, .. } = self.canaries;
        let sent = stamp.moment.civil();
        vec![Decision::Canary(Canary {
            id: stamp.id(0),
            number: number.saturating_add(1),
            every,
            sent,
            decided,
        })]
    }

    pub(super) fn apply_canary(&mut self, canary: &Canary) {
        self.canaries.number = self.canaries.number.max(canary.number);
    }

    /// Something that was no canary's was decided.
    pub(super) fn decided_at(&mut self, civil: Timestamp) {
        self.canaries.decided = Some(civil);
    }

    /// The one that waits, as work.
    pub(super) fn waiting_canary(&self) -> Option<Span> {
        self.canaries.waits
    }
}
