//! A look at the engine as a commit left it: for pages, which show what is
//! durable and nothing else.

use std::sync::Arc;

use forewarn_core::engine::Engine;
use forewarn_core::ids::Position;
use forewarn_core::time::{Moment, Timestamp};

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
    /// Of an engine, at an instant of civil time.
    pub fn new(engine: Engine, position: Position, civil: Timestamp) -> Look {
        let moment = engine.moment();
        Look { engine: Arc::new(engine), position, now: (civil - moment.offset).max(moment.at) }
    }

    /// Civil time of the look.
    pub fn civil(&self) -> Timestamp {
        self.now + self.engine.moment().offset
    }

    /// The moment of the look, by the clock as the engine has it.
    pub fn moment(&self) -> Moment {
        Moment { at: self.now, ..self.engine.moment() }
    }
}
