//! Who was told of which warning: decides what a late revision is still worth.

use std::collections::BTreeMap;

use forewarn_core::ids::{OutputId, TargetIx};
use forewarn_core::warning::{About, Revision};

/// Warnings remembered at once. Full: those with nothing outstanding are
/// forgotten, and a forgotten warning counts as told to everybody.
pub(super) const WARNINGS_MAX: usize = 65_536;

/// The warnings that may still get a revision.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    warnings: BTreeMap<OutputId, Entry>,
}

#[derive(Debug, Clone, Default)]
struct Entry {
    /// Highest revision attempted, by target, in order of target.
    sent: Vec<(TargetIx, u32)>,
    /// Whether `sent` is all there ever was; else whoever is not in it may have been told before.
    whole: Whole,
    /// Deliveries without an outcome in the log.
    open: u32,
    /// Whether no further revision can come.
    ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Whole {
    #[default]
    No,
    Yes,
}

impl Told {
    /// A delivery of this revision is outstanding from now on.
    pub(super) fn open(&mut self, revision: &Revision) {
        if self.warnings.len() >= WARNINGS_MAX && !self.warnings.contains_key(&revision.warning) {
            self.warnings.retain(|_, entry| entry.open > 0);
        }
        let entry = self.warnings.entry(revision.warning).or_insert_with(|| Entry {
            whole: if revision.number == 1 { Whole::Yes } else { Whole::No },
            ..Entry::default()
        });
        entry.open += 1;
        entry.ended |= revision.kind.is_last() || matches!(revision.about, About::NotifyTest);
    }

    /// A delivery of this warning has its outcome in the log.
    pub(super) fn close(&mut self, warning: &OutputId) {
        if let Some(entry) = self.warnings.get_mut(warning) {
            entry.open = entry.open.saturating_sub(1);
            if entry.ended && entry.open == 0 {
                self.warnings.remove(warning);
            }
        }
    }

    /// What the projection knows of a warning that has not ended.
    pub(super) fn recall(&mut self, warning: OutputId, target: TargetIx, number: u32) {
        self.warnings.entry(warning).or_insert_with(|| Entry { whole: Whole::Yes, ..Entry::default() });
        self.mark(&warning, target, number);
    }

    /// An attempt begins.
    pub(super) fn mark(&mut self, warning: &OutputId, target: TargetIx, number: u32) {
        let Some(entry) = self.warnings.get_mut(warning) else { return };
        match entry.sent.binary_search_by_key(&target, |&(target, _)| target) {
            Ok(at) => entry.sent[at].1 = entry.sent[at].1.max(number),
            Err(at) => entry.sent.insert(at, (target, number)),
        }
    }

    /// Whether the target was attempted for this warning, or may have been.
    pub(super) fn may_have_heard(&self, warning: &OutputId, target: TargetIx) -> bool {
        self.warnings
            .get(warning)
            .is_none_or(|entry| entry.whole == Whole::No || find(entry, target).is_some())
    }

    /// The highest revision of this warning attempted for the target.
    pub(super) fn latest(&self, warning: &OutputId, target: TargetIx) -> Option<u32> {
        find(self.warnings.get(warning)?, target)
    }
}

fn find(entry: &Entry, target: TargetIx) -> Option<u32> {
    let at = entry.sent.binary_search_by_key(&target, |&(target, _)| target).ok()?;
    Some(entry.sent[at].1)
}
