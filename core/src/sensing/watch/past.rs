//! Flags that follow from the readings before: given when a reading comes in,
//! and given anew to all that are not settled when order breaks.

use super::super::window::Sample;
use super::Watch;
use crate::checks::{self, Past, Patience};
use crate::plan::Sensor;
use crate::reading::Flag;
use crate::time::Timestamp;

/// What is remembered of few sensors only.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Rare {
    /// What checks remember up to the newest reading.
    pub(super) past: Past,
    /// The same up to the last reading that left the window.
    pub(super) before: Past,
    /// How long a calm sensor may say the same; `None` where that is not limited.
    pub(super) patience: Option<Patience>,
    /// How often another value came for an instant that was known.
    pub(super) conflicts: u64,
}

impl Rare {
    /// Where there is anything to remember.
    pub(super) fn boxed(rare: Rare) -> Option<Box<Rare>> {
        (rare != Rare::default()).then(|| Box::new(rare))
    }
}

impl Watch {
    /// Counts that another value came for an instant that was known.
    pub(crate) fn count_conflict(&mut self) {
        let rare = self.rare.get_or_insert_default();
        rare.conflicts = rare.conflicts.saturating_add(1);
    }

    /// How often that happened.
    pub(crate) fn conflicts(&self) -> u64 {
        self.rare.as_ref().map_or(0, |rare| rare.conflicts)
    }

    /// Notes how long it may say the same from now on, for quiet readings to be held against it.
    pub(super) fn note_patience(&mut self, sensor: &Sensor) {
        let patience = checks::patience(sensor);
        if patience.is_some() || self.rare.is_some() {
            self.rare.get_or_insert_default().patience = patience;
        }
    }

    /// The flag of a reading by those before it, which it joins.
    fn followed(&mut self, sample: &Sample, sensor: &Sensor) -> Flag {
        if checks::look_back(sensor) {
            let rare = self.rare.get_or_insert_default();
            return checks::follow(&sample.seen(), &mut rare.past, sensor);
        }
        checks::follow(&sample.seen(), &mut Past::default(), sensor)
    }

    /// Flags the newest reading, which came in order.
    pub(super) fn follow(&mut self, sensor: &Sensor) {
        let Some(newest) = self.ring.newest() else { return };
        let flag = self.followed(&newest, sensor);
        self.ring.replace(self.ring.end() - 1, newest.flagged(flag));
    }

    /// Flags every reading that is not settled anew.
    pub(super) fn follow_anew(&mut self, sensor: &Sensor) {
        if !checks::look_back(sensor) {
            return;
        }
        if let Some(rare) = &mut self.rare {
            rare.past = rare.before;
        }
        for number in self.ring.first()..self.ring.end() {
            let Some(sample) = self.ring.get(number) else { continue };
            let flag = self.followed(&sample, sensor);
            if number >= self.settled {
                self.ring.replace(number, sample.flagged(flag));
            }
        }
    }

    /// Remembers of the window what checks by these terms would; flags stay what they are.
    pub(crate) fn look_back_anew(&mut self, sensor: &Sensor) {
        self.forget_past();
        for number in self.ring.first()..self.ring.end() {
            let Some(sample) = self.ring.get(number) else { continue };
            self.followed(&sample, sensor);
        }
    }

    /// As if nothing had been before the window, nor in it.
    pub(super) fn forget_past(&mut self) {
        let conflicts = self.conflicts();
        self.rare = Rare::boxed(Rare { conflicts, ..Rare::default() });
    }

    /// Forgets the oldest reading, but for what checks remember of it.
    pub(super) fn pop_oldest(&mut self, patience: Option<&Patience>) {
        if let Some(patience) = patience
            && let Some(oldest) = self.ring.get(self.ring.first())
        {
            let before = &mut self.rare.get_or_insert_default().before;
            before.flat = before.flat.next(&oldest.seen(), patience);
        }
        self.ring.pop_oldest();
    }

    /// Civil time since when it has said the same, where that is longer than it may.
    pub(crate) fn flat_since(&self, sensor: &Sensor) -> Option<Timestamp> {
        self.rare.as_ref()?.past.flat.flat_since(self.ring.newest()?.observed, sensor)
    }
}
