//! One target's lane and one server's permits: who may be sent to next.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use forewarn_core::ids::{Key, OutputId, TargetIx};
use forewarn_core::level::Level;
use forewarn_core::time::Timestamp;

use crate::config::plan::Digests;

/// What goes first: the higher level, then the less often tried, then the older.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    /// Level of the revision, highest first.
    pub(super) level: Reverse<Level>,
    /// Failed attempts so far.
    pub(super) attempts: u32,
    /// Position and ordinal of the revision in the log.
    pub(super) place: (u64, u32),
    /// The delivery.
    pub(super) key: Key,
}

/// Where a target is reached: a server, and the connections it stands at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// As the channel names it.
    pub(super) server: Arc<str>,
    /// At least 1.
    pub(super) connections_max: usize,
    /// How many messages it takes; `None`: as many as there are.
    pub(super) digests: Option<Digests>,
}

impl Place {
    /// Connections that one healthy lane may hold. Few messages need but one: a
    /// mailbox that hangs takes no more of a server that it shares with all others.
    fn lane_max(&self) -> usize {
        match self.digests {
            Some(_) => 1,
            None => self.connections_max.saturating_sub(share(self.connections_max)).max(1),
        }
    }
}

/// Attempts failed in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sick {
    /// How many.
    pub(super) failures: u32,
    /// Engine time of the next probe.
    pub(super) until: Timestamp,
}

/// Whether a lane's last attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Health {
    /// It did not.
    Well,
    /// It did: one probe at a time, within the server's share for such.
    Sick,
}

/// All deliveries to one target.
#[derive(Debug, Clone, Default)]
pub(super) struct Lane {
    /// `None`: no address, nothing can be sent.
    pub(super) place: Option<Place>,
    /// Attempts in the air.
    pub(super) flying: usize,
    /// What could be sent at once.
    pub(super) ready: BTreeSet<Rank>,
    /// By warning: its deliveries in order of release; only the first may be sent.
    pub(super) chains: BTreeMap<OutputId, VecDeque<Key>>,
    /// Whether the receiver failed last time.
    pub(super) sick: Option<Sick>,
    /// What stands in the server's queue for it.
    pub(super) offer: Option<(Health, Rank)>,
    /// What stands among the timers for it.
    pub(super) timer: Option<Timestamp>,
    /// What waits to be put into a digest, or for a place to go singly.
    pub(super) held: BTreeSet<Rank>,
    /// When that is, while no digest is under way.
    pub(super) due: Option<Timestamp>,
    /// The digest that is fixed, or being fixed, and has not all its outcomes in the log.
    pub(super) digest: Option<Key>,
}

impl Lane {
    /// The delivery that this lane would send now.
    pub(super) fn best(&self, now: Timestamp) -> Option<(Health, Rank)> {
        let place = self.place.as_ref()?;
        match self.sick {
            None if self.flying < place.lane_max() => self.ready.first().map(|&rank| (Health::Well, rank)),
            Some(sick) if self.flying == 0 && sick.until <= now => {
                self.probe().map(|rank| (Health::Sick, rank))
            }
            None | Some(_) => None,
        }
    }

    /// The delivery to try a sick receiver with: the least tried, so that one
    /// it cannot digest does not stand before all others for ever.
    fn probe(&self) -> Option<Rank> {
        let least = |level| {
            let from = Rank { level: Reverse(level), attempts: 0, place: (0, 0), key: Key([0; 16]) };
            self.ready.range(from..).next().filter(|rank| rank.level == Reverse(level)).copied()
        };
        let levels = Level::WARNING.into_iter().rev().chain([Level::Normal]);
        levels.filter_map(least).min_by_key(|rank| (rank.attempts, *rank))
    }

    /// Whether nothing needs it any more.
    pub(super) fn is_idle(&self) -> bool {
        self.chains.is_empty() && self.flying == 0
    }
}

/// The permits of one server.
#[derive(Debug, Clone, Default)]
pub(super) struct Server {
    /// Permits in all.
    pub(super) connections_max: usize,
    /// Permits taken.
    pub(super) flying: usize,
    /// Permits taken by sick lanes.
    pub(super) probing: usize,
    /// What healthy lanes would send.
    pub(super) well: BTreeSet<(Rank, TargetIx)>,
    /// What sick lanes would try.
    pub(super) sick: BTreeSet<(Rank, TargetIx)>,
}

impl Server {
    /// The queue of lanes of this health.
    pub(super) fn queue(&mut self, health: Health) -> &mut BTreeSet<(Rank, TargetIx)> {
        match health {
            Health::Well => &mut self.well,
            Health::Sick => &mut self.sick,
        }
    }

    /// Who gets the next permit. Sick lanes hold a quarter of the permits at
    /// most, and a healthy lane leaves that quarter free: neither can keep
    /// the other out.
    pub(super) fn next(&self) -> Option<(Health, Rank, TargetIx)> {
        if self.flying >= self.connections_max {
            return None;
        }
        let well = self.well.first().map(|&(rank, target)| (Health::Well, rank, target));
        let sick = self.sick.first().map(|&(rank, target)| (Health::Sick, rank, target));
        let sick = sick.filter(|_| self.probing < share(self.connections_max));
        match (well, sick) {
            // With a permit to share the rank decides; with more, the probe's is its own.
            (Some(well), Some(sick)) if self.connections_max == 1 && well.1 < sick.1 => Some(well),
            (well, sick) => sick.or(well),
        }
    }

    /// Whether nothing needs it any more.
    pub(super) fn is_idle(&self) -> bool {
        self.flying == 0 && self.well.is_empty() && self.sick.is_empty()
    }
}

/// The permits that sick lanes may hold together: a quarter, at least one.
fn share(connections_max: usize) -> usize {
    (connections_max / 4).max(1)
}
