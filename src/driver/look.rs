//! A look at the engine between two records: for pages, which must show what is
//! durable and nothing else, and must not hold up the loop.

use std::sync::Arc;

use forewarn_core::engine::Engine;
use forewarn_core::ids::Position;
use forewarn_core::time::{Moment, Timestamp};
use tokio::sync::oneshot;

/// Lookers waiting at most. Full: a further one sees nothing, at once.
pub(super) const LOOKERS_MAX: usize = 64;

/// The engine as a commit left it: its pages are shared with the loop until
/// either writes to them.
#[derive(Debug, Clone)]
pub struct Look {
    /// All that it knows.
    pub engine: Arc<Engine>,
    /// Position of the last committed event.
    pub position: Position,
    /// Engine time of the look itself, which may be long after that event.
    pub now: Timestamp,
}

impl Look {
    /// Civil time of the look.
    pub fn civil(&self) -> Timestamp {
        self.now + self.engine.moment().offset
    }

    /// The moment of the look, by the clock as the engine has it.
    pub fn moment(&self) -> Moment {
        Moment { at: self.now, ..self.engine.moment() }
    }
}

/// Whoever waits for a look.
pub(super) type Looker = oneshot::Sender<Look>;

/// Lets everyone who waits look at once: one photograph does for all.
pub(super) fn show(lookers: Vec<Looker>, engine: &Engine, position: Position, now: Timestamp) {
    if lookers.is_empty() {
        return;
    }
    let look = Look { engine: Arc::new(engine.freeze()), position, now };
    for looker in lookers {
        // Whoever asked may have gone.
        let _ = looker.send(look.clone());
    }
}
