//! The engine's state as bytes, and back.

use std::fmt;
use std::sync::Arc;

use minicbor::Encoder;
use minicbor::encode::{Error, Write};

use super::Engine;
use crate::judging::Intake;
use crate::plan::{Plan, PlanId};
use crate::timers::Timer;

/// Version of the snapshot's encoding: rises when an older reader could misread
/// it, and the engine's version with it, by which a downgrade tells what is not its own.
pub(super) const SNAPSHOT_VERSION: u32 = 2;

/// Fields of an engine that are written.
const FIELDS: u64 = 8;

/// A snapshot cannot be used.
#[derive(Debug)]
pub enum SnapshotError {
    /// Its bytes do not read.
    Bytes(minicbor::decode::Error),
    /// A later version wrote it.
    Version(u32),
    /// It was made under another plan than the one given.
    Plan(PlanId),
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SnapshotError::Bytes(fault) => write!(f, "snapshot does not read: {fault}"),
            SnapshotError::Version(version) => {
                write!(f, "snapshot has version {version}, expected {SNAPSHOT_VERSION} or before")
            }
            SnapshotError::Plan(_) => f.write_str("snapshot was made under another plan, expected its own"),
        }
    }
}

impl std::error::Error for SnapshotError {}

impl Engine {
    /// A photograph of the whole state: pages are shared until either is written.
    #[must_use]
    pub fn freeze(&self) -> Engine {
        self.clone()
    }

    /// The state in numbered fields, without the plan's body and without timers.
    pub fn to_bytes(&self) -> Vec<u8> {
        let stamped = Engine { version: SNAPSHOT_VERSION, ..self.clone() };
        minicbor::to_vec(&stamped).expect("encoding into a Vec cannot fail")
    }

    /// The same bytes, piece by piece. What of a photograph is written is let go:
    /// from then on nothing has to be copied before it changes.
    pub fn write_out<W: Write>(self, sink: W) -> Result<(), Error<W::Error>> {
        let mut e = Encoder::new(sink);
        e.array(FIELDS)?;
        e.encode(SNAPSHOT_VERSION)?.encode(self.moment)?;
        e.encode(self.log)?.encode(self.run)?.encode(self.plan)?;
        self.stations.write_out(&mut e)?;
        e.encode(self.areas)?.encode(self.intake_stopped)?;
        Ok(())
    }

    /// Reads what [`Engine::to_bytes`] wrote, under the plan it was made with.
    pub fn from_bytes(bytes: &[u8], id: PlanId, plan: &Arc<Plan>) -> Result<Engine, SnapshotError> {
        let mut engine: Engine = minicbor::decode(bytes).map_err(SnapshotError::Bytes)?;
        if engine.version > SNAPSHOT_VERSION {
            return Err(SnapshotError::Version(engine.version));
        }
        if engine.plan != id {
            return Err(SnapshotError::Plan(engine.plan));
        }
        engine.stations.attach(plan, engine.moment);
        let intake = if engine.intake_stopped { Intake::Stopped } else { Intake::Taken };
        for (cell, due) in engine.areas.rearm(plan, intake, engine.moment) {
            engine.timers.arm(Timer::Cell(cell), due);
        }
        engine.arm_outage();
        engine.arm_sensors();
        Ok(engine)
    }
}
