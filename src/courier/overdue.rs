//! Whether warnings reach those they are due to: what has waited longer than
//! promised is told to the operator, who may still be reached by another way.

use std::collections::{BTreeMap, BTreeSet};

use forewarn_core::ids::{OutputId, TargetIx};
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::warning::About;

use super::delivery::Stage;
use super::lanes::Lanes;

/// Longest time from a target being reachable to its delivery: the longest rest
/// between two attempts, 30 s, and the longest attempt of a channel, 15 s.
pub(super) const OVERDUE_AFTER: Span = Span::from_secs(45);

/// It is looked this often at most: every delivery that waits is looked at.
const LOOKED_APART: Span = Span::from_secs(1);

/// Whether warnings have waited longer than [`OVERDUE_AFTER`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overdue {
    /// Too early to say: something waits, and the courier has just begun, or it is held.
    #[default]
    NotKnown,
    /// None has.
    No,
    /// For so many targets.
    Targets(usize),
}

/// Since when each warning waits for each of its targets. A later revision that
/// takes the place of an earlier one has waited as long: nothing has arrived.
#[derive(Debug)]
pub(super) struct Waiting {
    began: Timestamp,
    looked: Timestamp,
    since: BTreeMap<(OutputId, TargetIx), Timestamp>,
    overdue: Overdue,
}

impl Waiting {
    /// Nothing counts as having waited before `now`: what a stop left behind is
    /// sent at once.
    pub(super) fn new(now: Timestamp) -> Self {
        Waiting { began: now, looked: Timestamp::MIN, since: BTreeMap::new(), overdue: Overdue::NotKnown }
    }

    /// A revision of a warning reached a target.
    pub(super) fn got_through(&mut self, warning: OutputId, target: TargetIx) {
        self.since.remove(&(warning, target));
    }

    /// How things stand now.
    pub(super) fn look(&mut self, lanes: &Lanes, now: Timestamp) -> Overdue {
        if lanes.is_held() {
            (self.overdue, self.began) = (Overdue::NotKnown, now);
            self.since.clear();
        } else if lanes.outstanding() == 0 || now >= self.looked + LOOKED_APART {
            self.looked = now;
            let waits = waits(lanes, now);
            self.since.retain(|pair, _| waits.contains(pair));
            for pair in waits {
                self.since.entry(pair).or_insert(now);
            }
            self.overdue = self.judge(now);
        }
        self.overdue
    }

    fn judge(&self, now: Timestamp) -> Overdue {
        let late = self.since.iter().filter(|&(_, &since)| now.since(since) >= OVERDUE_AFTER);
        let targets: BTreeSet<TargetIx> = late.map(|(&(_, target), _)| target).collect();
        if !targets.is_empty() {
            Overdue::Targets(targets.len())
        } else if !self.since.is_empty() && now.since(self.began) < OVERDUE_AFTER {
            Overdue::NotKnown
        } else {
            Overdue::No
        }
    }
}

/// Warnings of incidents that some target has not got yet. A trouble about
/// undelivered warnings that is itself undelivered would never end. What is kept
/// for its digest on purpose does not wait yet.
fn waits(lanes: &Lanes, now: Timestamp) -> BTreeSet<(OutputId, TargetIx)> {
    let items = lanes.items.values().filter(|item| match item.stage {
        Stage::Blocked | Stage::Fixing | Stage::Joined | Stage::Ready | Stage::Resting(_) | Stage::Flying => {
            true
        }
        Stage::Held => !lanes.is_early(item.delivery.target, now),
        Stage::Reported => false,
    });
    items
        .filter(|item| match item.delivery.revision.about {
            About::Incident(_) | About::Manual(_) => true,
            About::Trouble(_) | About::NotifyTest | About::Canary(_) => false,
        })
        .map(|item| (item.delivery.revision.warning, item.delivery.target))
        .collect()
}
