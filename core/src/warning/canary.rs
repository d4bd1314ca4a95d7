//! The canary: nobody's reading, which walks the way of all readings once a
//! round and leaves as a heartbeat. Whoever waits outside for the next one
//! knows that every stage in between lives.

use minicbor::{Decode, Encode};

use super::{About, Due, Kind, Reason, Revision};
use crate::ids::{OutputId, Position, RunId, TargetIx};
use crate::level::{Certainty, Level, Severity, Status, Urgency};
use crate::time::{Span, Timestamp};

/// A heartbeat is worth sending for so many rounds; after that there is a newer one, or silence is due.
const ROUNDS_WORTH: i64 = 2;

/// One round of the canary, as the engine answers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Canary {
    /// This output.
    #[n(0)]
    pub id: OutputId,
    /// Its number, from 1; rises by one a round for as long as the log lives.
    #[n(1)]
    pub number: u32,
    /// How long after it the next one is due.
    #[n(2)]
    pub every: Span,
    /// Civil time at which it was answered.
    #[n(3)]
    pub sent: Timestamp,
    /// Civil time of the last decision before it that was no canary's; `None` where there was none.
    #[n(4)]
    pub decided: Option<Timestamp>,
}

impl Canary {
    /// What is delivered of it: status Test, to one fixed target, and never to
    /// a person. All rounds are one warning's, so that a later one overtakes
    /// those before it that are still on their way.
    pub fn revision(&self) -> Revision {
        let warning = OutputId { run: RunId(0), position: Position(0), ordinal: 0, ..self.id };
        Revision {
            id: self.id,
            warning,
            number: self.number,
            kind: Kind::Update,
            reason: Reason::Canary,
            about: About::Canary(*self),
            status: Status::Test,
            level: Level::Normal,
            urgency: Urgency::Unknown,
            severity: Severity::Unknown,
            certainty: Certainty::Unknown,
            onset: self.sent,
            sent: self.sent,
            expires: self.sent + self.every.times(ROUNDS_WORTH),
            stale: false,
            evidence: Vec::new(),
            sensors: 0,
            detail: String::new(),
            due: vec![Due { target: TargetIx::HEARTBEAT, round: 0 }],
            peak: Level::Normal,
            seen: None,
            texts: None,
            muted: None,
            lost: 0,
        }
    }
}
