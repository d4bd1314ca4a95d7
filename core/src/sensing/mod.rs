//! The station stage: admit, check, window, rules, findings.
//!
//! [`StationStage`] judges every sensor by itself, in event time. What it
//! remembers of a rule is held twice: *settled*, over the readings that no
//! late one can precede any more, and *tip*, over all of them; the tip is
//! rebuilt from the settled only when order breaks.

mod admit;
mod aside;
mod calm;
mod change;
mod judge;
mod ladder;
mod limits;
mod memory_size;
mod seldom;
mod stage;
mod trace;
mod watch;
pub mod window;

pub use aside::Aside;
pub use ladder::Gathering;
pub use memory_size::{SensorBytes, bytes_per_sensor};
pub use stage::{RuleState, SensorState, StationStage};
pub use watch::SOURCES_MAX;
