//! One delivery on its way, as the lanes see it.

use std::cmp::Reverse;
use std::sync::Arc;

use forewarn_core::event::DeliveryOutcome;
use forewarn_core::ids::{Key, TargetIx};
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::warning::{Death, Revision};

use super::lane::{Health, Rank};

/// One revision for one target in one round.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Delivery {
    /// The same at every attempt.
    pub(super) key: Key,
    /// To whom.
    pub(super) target: TargetIx,
    /// Which repeat.
    pub(super) round: u32,
    /// What.
    pub(super) revision: Arc<Revision>,
    /// Whether the door out lets it pass.
    pub(super) admission: Admission,
}

/// Whether a revision may leave in this world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// It may.
    Admitted,
    /// It may not: a drill at a live door, or the reverse.
    Refused,
}

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    /// The receiver took it.
    Accepted,
    /// Not now; not before this long where the receiver said so.
    Failed(Option<Span>),
    /// Never.
    Dead(Death),
}

impl Attempt {
    /// The word for notes and metrics.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Attempt::Accepted => "accepted",
            Attempt::Failed(_) => "retry",
            Attempt::Dead(death) => death.word(),
        }
    }
}

/// What the shell must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Make an attempt, and tell [`Lanes::finished`] of it.
    Send(Key),
    /// Hand the outcome to the driver.
    Report(DeliveryOutcome),
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// An earlier one of its target and warning has no outcome in the log, or
    /// the directory is held.
    Blocked,
    /// Only permits and the receiver's health hold it.
    Ready,
    /// Between two attempts, until this engine time.
    Resting(Timestamp),
    /// During an attempt.
    Flying,
    /// Its outcome was handed to the driver and is not seen in the log yet.
    Reported,
}

/// A delivery and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// What and to whom.
    pub(super) delivery: Delivery,
    /// Where it stands.
    pub(super) stage: Stage,
    /// Failed attempts.
    pub(super) attempts: u32,
}

impl Item {
    /// Its place in a queue.
    pub(super) fn rank(&self) -> Rank {
        let revision = &self.delivery.revision;
        Rank {
            level: Reverse(revision.level),
            attempts: self.attempts,
            place: (revision.id.position.0, revision.id.ordinal),
            key: self.delivery.key,
        }
    }

    /// Its place among those of its target and warning.
    pub(super) fn order(&self) -> (u32, u32) {
        (self.delivery.revision.number, self.delivery.round)
    }

    /// Whether it is neither in the air nor decided.
    pub(super) fn is_waiting(&self) -> bool {
        match self.stage {
            Stage::Blocked | Stage::Ready | Stage::Resting(_) => true,
            Stage::Flying | Stage::Reported => false,
        }
    }
}

/// An attempt in the air.
#[derive(Debug, Clone)]
pub(super) struct Flight {
    /// To whom.
    pub(super) target: TargetIx,
    /// Whose permit it holds.
    pub(super) server: Arc<str>,
    /// Whether it is a probe.
    pub(super) health: Health,
    /// Failures in a row when it began: attempts begun together fail as one.
    pub(super) failures: u32,
}
