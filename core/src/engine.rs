//! The only door: `step` and `wake_at`.

use crate::event::{Decision, Event, Output};
use crate::time::Timestamp;

/// Version of the engine's judgement: rises when the same log may give other outputs.
pub const ENGINE_VERSION: u32 = 1;

/// The deterministic state machine.
#[derive(Debug, Clone, Default)]
pub struct Engine {
    now: Timestamp,
}

impl Engine {
    /// Says what follows from one event. Work that fell due earlier is done
    /// first, at its own due time, so extra ticks change nothing.
    pub fn step(&mut self, event: &Event, _outputs: &mut Vec<Output>) {
        self.now = event.at;
    }

    /// Recomputes what one event of the log did to windows and memories, and
    /// applies the decisions recorded with it.
    pub fn recover(&mut self, event: &Event, _recorded: &[Decision], _outputs: &mut Vec<Output>) {
        self.now = event.at;
    }

    /// When something falls due without any input.
    pub fn wake_at(&self) -> Option<Timestamp> {
        None
    }
}
