//! What people see: published once it is durable, never before.

use std::collections::BTreeMap;
use std::sync::Arc;

use forewarn_core::engine::Engine;
use forewarn_core::ids::Position;
use forewarn_core::plan::Plan;
use forewarn_core::time::{Moment, Timestamp};
use forewarn_core::warning::{Cell, Incident, TroubleCode};

/// How far the loop is; published at every commit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pulse {
    /// Position of the last committed event.
    pub position: Position,
    /// The moment of it.
    pub moment: Moment,
    /// When something falls due next without any input.
    pub wake_at: Option<Timestamp>,
}

/// The state of things; published when something was decided, and now and then.
#[derive(Debug, Clone, Default)]
pub struct Picture {
    /// When.
    pub moment: Moment,
    /// Position of the last committed event.
    pub position: Position,
    /// Incidents that are not closed.
    pub incidents: BTreeMap<Cell, Incident>,
    /// How many sensors the plan has.
    pub sensors: usize,
    /// How many of them are silent.
    pub silent: usize,
    /// The plan in force.
    pub plan: Arc<Plan>,
    /// Whether the directory was restored or copied: nothing but Trouble goes out.
    pub held: bool,
    /// Whether readings are refused for want of disk.
    pub intake_stopped: bool,
    /// How many troubles stand, by code.
    pub troubles: BTreeMap<TroubleCode, usize>,
}

impl Picture {
    /// Takes the picture.
    pub(super) fn of(engine: &Engine, position: Position) -> Self {
        Picture {
            moment: engine.moment(),
            position,
            incidents: engine.incidents().map(|incident| (incident.cell, incident.clone())).collect(),
            sensors: engine.plan().sensors.iter().flatten().count(),
            silent: engine.sensors_silent(),
            plan: engine.plan().clone(),
            held: engine.is_held(),
            intake_stopped: false,
            troubles: by_code(engine),
        }
    }
}

fn by_code(engine: &Engine) -> BTreeMap<TroubleCode, usize> {
    let mut standing = BTreeMap::new();
    for (key, _) in engine.troubles() {
        *standing.entry(key.code).or_default() += 1;
    }
    standing
}
