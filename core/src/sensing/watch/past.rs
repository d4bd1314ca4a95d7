//! Flags that follow from the readings before: given when a reading comes in,
//! and given anew to all that are not settled when order breaks.

use super::Watch;
use crate::checks::{self, Past, Patience};
use crate::plan::Sensor;
use crate::time::Timestamp;

impl Watch {
    /// Flags the newest reading, which came in order.
    pub(super) fn follow(&mut self, sensor: &Sensor) {
        let Some(newest) = self.ring.newest() else { return };
        let flag = checks::follow(&newest.seen(), &mut self.past, sensor);
        self.ring.replace(self.ring.end() - 1, newest.flagged(flag));
    }

    /// Flags every reading that is not settled anew.
    pub(super) fn follow_anew(&mut self, sensor: &Sensor) {
        if !checks::look_back(sensor) {
            return;
        }
        self.past = self.before;
        for number in self.ring.first()..self.ring.end() {
            let Some(sample) = self.ring.get(number) else { continue };
            let flag = checks::follow(&sample.seen(), &mut self.past, sensor);
            if number >= self.settled {
                self.ring.replace(number, sample.flagged(flag));
            }
        }
    }

    /// Remembers of the window what checks by these terms would; flags stay what they are.
    pub(crate) fn look_back_anew(&mut self, sensor: &Sensor) {
        self.forget_past();
        for sample in self.ring.iter() {
            checks::follow(&sample.seen(), &mut self.past, sensor);
        }
    }

    /// As if nothing had been before the window, nor in it.
    pub(super) fn forget_past(&mut self) {
        self.before = Past::default();
        self.past = Past::default();
    }

    /// Forgets the oldest reading, but for what checks remember of it.
    pub(super) fn pop_oldest(&mut self, patience: Option<&Patience>) {
        if let Some(patience) = patience
            && let Some(oldest) = self.ring.get(self.ring.first())
        {
            self.before.flat = self.before.flat.next(&oldest.seen(), patience);
        }
        self.ring.pop_oldest();
    }

    /// Civil time since when it has said the same, where that is longer than it may.
    pub(crate) fn flat_since(&self, sensor: &Sensor) -> Option<Timestamp> {
        self.past.flat.flat_since(self.ring.newest()?.observed, sensor)
    }
}
