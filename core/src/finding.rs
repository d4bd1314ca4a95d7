//! What a station found: the only thing that passes from the station stage to
//! the area stage.

use minicbor::{Decode, Encode};

use crate::ids::{RuleIx, SensorIx};
use crate::level::Level;
use crate::time::Timestamp;

/// What a rule says of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Verdict {
    /// Below every limit.
    #[n(0)]
    Clear,
    /// At this level.
    #[n(1)]
    Breach(#[n(0)] Level),
    /// Nobody can say: neither danger nor safety.
    #[n(2)]
    Unknown(#[n(0)] Why),
}

impl Verdict {
    /// The level it supports; normal for clear and for unknown.
    pub fn level(self) -> Level {
        match self {
            Verdict::Breach(level) => level,
            Verdict::Clear | Verdict::Unknown(_) => Level::Normal,
        }
    }

    /// Whether nobody can say.
    pub fn is_unknown(self) -> bool {
        matches!(self, Verdict::Unknown(_))
    }
}

/// Why nobody can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Why {
    /// Just started, or just configured: no reading yet. Tells nobody.
    #[n(0)]
    Warming,
    /// No reading since this instant of engine time.
    #[n(1)]
    Silent(#[n(0)] Timestamp),
    /// Every source it was heard through is down.
    #[n(2)]
    SourceDown,
    /// The newest readings failed their checks.
    #[n(3)]
    BadData,
    /// Too few good readings in the window for the rule to measure.
    #[n(4)]
    TooFew,
    /// A suspect value that nothing corroborates.
    #[n(5)]
    Suspect,
    /// The sensor is no longer configured.
    #[n(6)]
    Removed,
    /// What came last is older than the sensor's `max_age`, or history: too old to say how things stand.
    #[n(7)]
    Old,
    /// Somebody works on it: what it says meanwhile is neither danger nor safety.
    #[n(8)]
    Maintenance,
}

/// A level that is reached once nothing contradicts it until `due`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Pending {
    /// The level.
    #[n(0)]
    pub level: Level,
    /// Engine time at which it counts as reached.
    #[n(1)]
    pub due: Timestamp,
    /// Whether good values alone bring it; else it only counts when corroborated.
    #[n(2)]
    pub sound: bool,
}

/// The newest word of one rule on one subject. A later one replaces it whole.
#[derive(Debug, Clone, Copy, PartialEq, Encode, Decode)]
pub struct Finding {
    /// Which rule.
    #[n(0)]
    pub rule: RuleIx,
    /// Which subject.
    #[n(1)]
    pub sensor: SensorIx,
    /// On all readings so far, in their order: may raise, never clears.
    #[n(2)]
    pub tip: Verdict,
    /// On the readings that no late one can precede any more: may clear or
    /// hold, never raises (a breach that was too old at the tip stands here too).
    #[n(3)]
    pub settled: Verdict,
    /// Whether no late reading can take the tip's breach back.
    #[n(4)]
    pub firm: bool,
    /// Whether the tip's breach rests on suspect values (flag 3): only counts when corroborated.
    #[n(5)]
    pub suspect: bool,
    /// Civil time of the first reading of the breach, or of the verdict.
    #[n(6)]
    pub since: Timestamp,
    /// A higher level that is on its way.
    #[n(7)]
    pub pending: Option<Pending>,
    /// What the rule measured last, in the rule's unit.
    #[n(8)]
    pub measured: Option<f64>,
    /// The limit of the level reached, or else of the lowest level, in the rule's unit.
    #[n(9)]
    pub limit: Option<f64>,
    /// Civil time of the reading it is told with: the newest one that says
    /// anything, or the one that came late and breached.
    #[n(10)]
    pub observed: Timestamp,
    /// Trend of the sensor's last readings, in its unit an hour.
    #[n(11)]
    pub trend: Option<f64>,
    /// Whether the value stands at the end of the sensor's span: the truth is there or beyond.
    #[n(12)]
    pub saturated: bool,
    /// The value of that reading, in the sensor's unit; `None` where none says anything.
    #[n(13)]
    pub value: Option<f64>,
    /// The level that good readings alone support at the tip; lower than the tip's where that is `suspect`.
    #[n(14)]
    pub sound: Level,
}

/// A breach that came too late to warn.
#[derive(Debug, Clone, Copy, PartialEq, Encode, Decode)]
pub struct WouldHave {
    /// Which rule.
    #[n(0)]
    pub rule: RuleIx,
    /// Which subject.
    #[n(1)]
    pub sensor: SensorIx,
    /// The level it would have warned at.
    #[n(2)]
    pub level: Level,
    /// Civil time of the breach.
    #[n(3)]
    pub observed: Timestamp,
    /// What was measured, in the rule's unit.
    #[n(4)]
    pub measured: f64,
}

/// What the station stage puts out.
#[derive(Debug, Clone, Copy, PartialEq, Encode, Decode)]
pub enum Found {
    /// A verdict changed.
    #[n(0)]
    Finding(#[n(0)] Finding),
    /// A breach came too late to warn.
    #[n(1)]
    WouldHave(#[n(0)] WouldHave),
    /// A sensor fell silent (engine time since when), or spoke again after that
    /// or after its sources went down.
    #[n(2)]
    Silence(#[n(0)] SensorIx, #[n(1)] Option<Timestamp>),
}
