//! What falls due without any input: which timer rings, and what for.

use super::Engine;
use super::pen::Pen;
use crate::ids::SensorIx;
use crate::time::Timestamp;
use crate::timers::{Row, Timer};
use crate::warning::Cell;

/// What is due.
#[derive(Debug, Clone, Copy)]
enum Ring {
    Silence(SensorIx),
    Outage,
    Cell(Cell),
}

impl Ring {
    /// The timer that rings for it.
    fn timer(self) -> Timer {
        match self {
            Ring::Silence(sensor) => Timer::Silence(Row::of(sensor)),
            Ring::Outage => Timer::Outage,
            Ring::Cell(cell) => Timer::Cell(cell),
        }
    }
}

impl Engine {
    /// When something may fall due without any input: now, if work was left
    /// over; never too late, but it can be early ([`Engine::is_due`] tells).
    pub fn wake_at(&self) -> Option<Timestamp> {
        match self.areas.next_work() {
            Some(_) => Some(self.moment.at),
            None => self.timers.next(),
        }
    }

    /// Whether a tick at `at` would fire anything, and so has to be logged.
    pub fn is_due(&mut self, at: Timestamp) -> bool {
        if self.areas.next_work().is_some() {
            return true;
        }
        let ring = self.next_ring(at);
        if let Some((due, ring)) = ring {
            self.timers.arm(ring.timer(), due);
        }
        ring.is_some()
    }

    /// Does what fell due by `at`, instant by instant, each at its own time.
    pub(super) fn fire(&mut self, at: Timestamp, pen: &mut Pen<'_>) {
        while !pen.is_full()
            && let Some((due, ring)) = self.next_ring(at)
        {
            self.moment.at = self.moment.at.max(due);
            self.ring(ring, pen);
            while let Some((_, ring)) = self.next_ring(due) {
                self.ring(ring, pen);
            }
            self.settle(pen);
        }
    }

    /// What is truly due next by `at`; timers that rang early are armed again.
    fn next_ring(&mut self, at: Timestamp) -> Option<(Timestamp, Ring)> {
        while let Some((rung, timer)) = self.timers.pop(at) {
            let due = match timer {
                Timer::Silence(row) => self.next_silence(row),
                Timer::Outage => self.areas.outage_due().map(|due| (due, Ring::Outage)),
                Timer::Cell(cell) => self.areas.cell_due(cell).map(|due| (due, Ring::Cell(cell))),
            };
            match due {
                Some((due, _)) if due > rung => self.timers.arm(timer, due),
                Some((_, ring)) => return Some((rung, ring)),
                None => {}
            }
        }
        None
    }

    /// The sensor of a row that falls silent first, unless it is heard before.
    fn next_silence(&self, row: Row) -> Option<(Timestamp, Ring)> {
        let silences = row.sensors().filter_map(|sensor| Some((self.stations.silence_due(sensor)?, sensor)));
        silences.min().map(|(due, sensor)| (due, Ring::Silence(sensor)))
    }

    fn ring(&mut self, ring: Ring, pen: &mut Pen<'_>) {
        match ring {
            // A sensor that we do not listen to is not silent. All are armed anew once we do.
            Ring::Silence(_) if self.intake_stopped => {}
            Ring::Silence(sensor) => {
                self.stations.silence(sensor, self.moment, &mut self.found);
                self.absorb(pen);
                let row = Row::of(sensor);
                if let Some((due, _)) = self.next_silence(row) {
                    self.timers.arm(Timer::Silence(row), due);
                }
            }
            Ring::Outage => self.areas.outage(self.moment.at),
            Ring::Cell(cell) => self.areas.rang(cell),
        }
    }

    pub(super) fn schedule(&mut self, cell: Cell) {
        if let Some(due) = self.areas.schedule(cell, self.moment) {
            self.timers.arm(Timer::Cell(cell), due);
        }
    }

    pub(super) fn arm_outage(&mut self) {
        if let Some(due) = self.areas.outage_due() {
            self.timers.arm(Timer::Outage, due);
        }
    }

    pub(super) fn arm_sensor(&mut self, sensor: SensorIx) {
        if let Some(due) = self.stations.silence_due(sensor) {
            self.timers.arm(Timer::Silence(Row::of(sensor)), due);
        }
    }

    pub(super) fn arm_sensors(&mut self) {
        let sensors = self.plan().sensors.len() as u32;
        (0..sensors).for_each(|ix| self.arm_sensor(SensorIx(ix)));
    }
}
