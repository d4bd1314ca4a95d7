//! One delivery on its way, as the lanes see it.

use std::cmp::Reverse;
use std::sync::Arc;

use forewarn_core::event::{Bundle, DeliveryOutcome};
use forewarn_core::ids::{Key, TargetIx};
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::warning::{About, Death, Revision};

use super::lane::{Health, Rank};
use crate::ports::Leaves;

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

impl Delivery {
    /// The place in a queue of what bears this key and has been tried so often.
    pub(super) fn rank(&self, key: Key, attempts: u32) -> Rank {
        let revision = &self.revision;
        let place = (revision.id.position.0, revision.id.ordinal);
        Rank { level: Reverse(revision.level), attempts, place, key }
    }

    /// Whether it counts among the messages that a target takes. A test of
    /// notification is asked for one by one, by whoever waits for it.
    pub(super) fn is_counted(&self) -> bool {
        match &self.revision.about {
            About::Incident(_) | About::Manual(_) | About::Trouble(_) => true,
            About::NotifyTest | About::Canary(_) => false,
        }
    }
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// Have the log say what leaves together, and tell [`Lanes::fixed`] once it does.
    Fix(Bundle),
    /// Make an attempt, and tell [`Lanes::finished`] of it.
    Send(Key),
    /// Hand the outcome to the driver.
    Report(DeliveryOutcome),
    /// Hand the outcomes of all that is in this digest to the driver.
    Settle(Key, Vec<DeliveryOutcome>),
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// An earlier one of its target and warning has no outcome in the log, or
    /// the directory is held.
    Blocked,
    /// Its target was told as much as it takes: it waits for a digest.
    Held,
    /// That it leaves alone, or what is in it, is being fixed in the log.
    Fixing,
    /// It is in a digest, and goes the way of that.
    Joined,
    /// Only permits and the receiver's health hold it.
    Ready,
    /// Between two attempts, until this engine time.
    Resting(Timestamp),
    /// During an attempt.
    Flying,
    /// Its outcome was handed to the driver and is not seen in the log yet.
    Reported,
}

impl Stage {
    /// Whether it waits for a digest, or is in one.
    pub(super) fn is_gathered(self) -> bool {
        match self {
            Stage::Held | Stage::Joined => true,
            Stage::Blocked
            | Stage::Fixing
            | Stage::Ready
            | Stage::Resting(_)
            | Stage::Flying
            | Stage::Reported => false,
        }
    }
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
    /// Whether it may still join a digest.
    pub(super) leaves: Leaves,
    /// The digest it is in.
    pub(super) digest: Option<Key>,
}

impl Item {
    /// Its place in a queue.
    pub(super) fn rank(&self) -> Rank {
        self.delivery.rank(self.delivery.key, self.attempts)
    }

    /// Its place among those of its target and warning.
    pub(super) fn order(&self) -> (u32, u32) {
        (self.delivery.revision.number, self.delivery.round)
    }

    /// Whether it is neither in the air, nor in a digest, nor decided.
    pub(super) fn is_waiting(&self) -> bool {
        match self.stage {
            Stage::Blocked | Stage::Held | Stage::Fixing | Stage::Ready | Stage::Resting(_) => true,
            Stage::Joined | Stage::Flying | Stage::Reported => false,
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
