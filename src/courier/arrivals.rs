//! Released, and not in the lanes yet. A storm releases half a million deliveries
//! in a few records: they enter by slices, so that the first of them are on their
//! way long before the last has its place, and red goes in first. What is no storm
//! enters at once, in order of release.

use std::collections::VecDeque;
use std::sync::Arc;

use forewarn_core::level::Level;
use forewarn_core::warning::{Due, Revision};

/// Deliveries that enter the lanes at once: a few milliseconds' work.
pub(super) const SLICE_MAX: usize = 1_024;

/// What a delivery will count against once it is in the lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Burden {
    /// [`Limits::outstanding`](super::Limits).
    Pressing,
    /// [`Limits::gathered`](super::Limits): its target takes only so many
    /// messages, and what is more waits for a digest.
    Gathered,
}

/// A delivery that the log released.
#[derive(Debug, Clone)]
pub(super) struct Release {
    pub(super) revision: Arc<Revision>,
    pub(super) due: Due,
    pub(super) burden: Burden,
}

impl Release {
    /// Whether it may overtake what was released before it. A later revision makes
    /// the earlier ones of its warning superfluous; the last word does not, for what
    /// comes behind the last word would be taken for a warning of its own.
    pub(super) fn goes_ahead(&self) -> bool {
        self.revision.level == Level::Red && !self.revision.kind.is_last()
    }
}

/// Deliveries in order of release, and red apart from all others. Bounded by the
/// limits of the lanes, in which they are counted already.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    red: VecDeque<(u64, Release)>,
    others: VecDeque<(u64, Release)>,
    /// How many have come.
    came: u64,
    gathered: usize,
}

impl Arrivals {
    /// One more, behind all like it.
    pub(super) fn push(&mut self, release: Release) {
        self.gathered += usize::from(release.burden == Burden::Gathered);
        let queue = if release.goes_ahead() { &mut self.red } else { &mut self.others };
        queue.push_back((self.came, release));
        self.came += 1;
    }

    /// The next [`SLICE_MAX`]: red first, unless these are all there are.
    pub(super) fn slice(&mut self) -> Vec<Release> {
        let red = SLICE_MAX.min(self.red.len());
        let others = (SLICE_MAX - red).min(self.others.len());
        let mut next: Vec<_> = self.red.drain(..red).chain(self.others.drain(..others)).collect();
        if self.is_empty() {
            next.sort_by_key(|&(nth, _)| nth);
        }
        let next: Vec<Release> = next.into_iter().map(|(_, release)| release).collect();
        self.gathered -= next.iter().filter(|release| release.burden == Burden::Gathered).count();
        next
    }

    /// Those that will wait for a digest.
    pub(super) fn gathered(&self) -> usize {
        self.gathered
    }

    /// The others.
    pub(super) fn pressing(&self) -> usize {
        self.red.len() + self.others.len() - self.gathered
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.red.is_empty() && self.others.is_empty()
    }
}
