//! The public words: warnings with revisions, incidents, troubles, deliveries.

mod canary;
mod reason;
mod trouble;

pub use canary::Canary;
pub use reason::Reason;
pub use trouble::{TroubleCode, TroubleKey};

use minicbor::{Decode, Encode};

use crate::ids::{AreaIx, HazardIx, OutputId, RuleIx, SensorIx, TargetIx};
use crate::level::{Certainty, Level, Severity, Status, Urgency};
use crate::orders::Texts;
use crate::plan::AckTerms;
use crate::time::{Span, Timestamp};

/// One hazard in one area: where incidents happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
pub struct Cell {
    /// Of what.
    #[n(0)]
    pub hazard: HazardIx,
    /// Where.
    #[n(1)]
    pub area: AreaIx,
}

/// Where an incident stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub enum Phase {
    /// Nothing is the matter.
    #[default]
    #[n(0)]
    Watching,
    /// A breach that has not held long enough yet.
    #[n(1)]
    Pending,
    /// People have been warned.
    #[n(2)]
    Active,
    /// Clear, but not yet for a whole hold.
    #[n(3)]
    Easing,
    /// Over; the next breach opens another.
    #[n(4)]
    Closed,
}

/// One hazard in one area, from the first breach to the all-clear.
#[expect(clippy::struct_excessive_bools, reason = "facts that hold or not, each by itself")]
#[derive(Debug, Clone, PartialEq, Default, Encode, Decode)]
pub struct Incident {
    /// The output that opened it.
    #[n(0)]
    pub id: OutputId,
    /// Which hazard, where.
    #[n(1)]
    pub cell: Cell,
    /// Where it stands.
    #[n(2)]
    pub phase: Phase,
    /// The level people have been told, or would be.
    #[n(3)]
    pub level: Level,
    /// The highest level it ever had.
    #[n(4)]
    pub peak: Level,
    /// Engine time of its opening.
    #[n(5)]
    pub opened: Timestamp,
    /// Civil time of the first reading of the breach.
    #[n(6)]
    pub onset: Timestamp,
    /// Whether what it rests on can no longer be seen.
    #[n(7)]
    pub stale: bool,
    /// Whether lost and back have been told often enough to call it intermittent.
    #[n(8)]
    pub intermittent: bool,
    /// Whether settled findings ever supported it.
    #[n(9)]
    pub confirmed: bool,
    /// Whether nothing that could be seen is left in the plan to support or end it.
    #[n(10)]
    pub orphaned: bool,
    /// The warning about it, once there is one.
    #[n(11)]
    pub warning: Option<OutputId>,
    /// Engine time at which blindness was last told.
    #[n(12)]
    pub blind_told: Option<Timestamp>,
    /// How many were told to be lost, one per failure domain.
    #[n(13)]
    #[cbor(default)]
    pub lost: u32,
    /// Engine time at which that was told.
    #[n(14)]
    pub loss_told: Option<Timestamp>,
}

/// What a revision is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Kind {
    /// The first word.
    #[n(0)]
    Alert,
    /// A further word; replaces the one before whole.
    #[n(1)]
    Update,
    /// The danger is over (a CAP Update with responseType `AllClear`).
    #[n(2)]
    AllClear,
    /// It was issued in error.
    #[n(3)]
    Cancel,
}

impl Kind {
    /// The word for logs, JSON and pages.
    pub const fn word(self) -> &'static str {
        match self {
            Kind::Alert => "alert",
            Kind::Update => "update",
            Kind::AllClear => "all-clear",
            Kind::Cancel => "cancel",
        }
    }

    /// Whether nothing follows it.
    pub const fn is_last(self) -> bool {
        matches!(self, Kind::AllClear | Kind::Cancel)
    }
}

/// What a warning is about.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub enum About {
    /// An incident.
    #[n(0)]
    Incident(#[n(0)] Cell),
    /// The service itself.
    #[n(1)]
    Trouble(#[n(0)] TroubleKey),
    /// Nothing: it shows that a target can be reached.
    #[n(2)]
    NotifyTest,
    /// What a person saw, and another approved.
    #[n(3)]
    Manual(#[n(0)] ByHand),
    /// Nothing: it shows that every stage lives. It is for a machine outside,
    /// and never reaches a person.
    #[n(4)]
    Canary(#[n(0)] Canary),
}

/// What a warning by hand is about.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ByHand {
    /// The draft that it came from.
    #[n(0)]
    pub draft: OutputId,
    /// Of what.
    #[n(1)]
    pub hazard: HazardIx,
    /// Where; never empty.
    #[n(2)]
    pub areas: Vec<AreaIx>,
}

impl About {
    /// The cells that it is about; none where it is about the service.
    pub fn cells(&self) -> Vec<Cell> {
        match self {
            About::Incident(cell) => vec![*cell],
            About::Manual(ByHand { hazard, areas, .. }) => {
                areas.iter().map(|&area| Cell { hazard: *hazard, area }).collect()
            }
            About::Trouble(_) | About::NotifyTest | About::Canary(_) => Vec::new(),
        }
    }
}

/// What one sensor contributes to a revision.
#[derive(Debug, Clone, Copy, PartialEq, Encode, Decode)]
pub struct Evidence {
    /// Which rule.
    #[n(0)]
    pub rule: RuleIx,
    /// Which subject.
    #[n(1)]
    pub sensor: SensorIx,
    /// The level it supports.
    #[n(2)]
    pub level: Level,
    /// What the rule measured, in the rule's unit.
    #[n(3)]
    pub measured: Option<f64>,
    /// The limit it is held against, in the rule's unit.
    #[n(4)]
    pub limit: Option<f64>,
    /// Civil time since when.
    #[n(5)]
    pub since: Timestamp,
    /// Civil time of the reading it is told with.
    #[n(6)]
    pub observed: Timestamp,
    /// In the sensor's unit an hour.
    #[n(7)]
    pub trend: Option<f64>,
    /// Whether it can no longer be seen.
    #[n(8)]
    pub unknown: bool,
    /// Whether the sensor is at the end of its span.
    #[n(9)]
    pub saturated: bool,
    /// The value of that reading, in the sensor's unit.
    #[n(10)]
    pub value: Option<f64>,
}

/// A revision carries evidence of at most this many sensors, the worst first.
pub const EVIDENCE_MAX: usize = 10;

/// A target that is due a revision, and in which round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Due {
    /// Whose address.
    #[n(0)]
    pub target: TargetIx,
    /// Rises with each deliberate repeat, never with a retry.
    #[n(1)]
    pub round: u32,
}

/// Those whom one route told of a warning, one of whom is to acknowledge it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Ask {
    /// Whom the route reached, in order of index.
    #[n(0)]
    pub asked: Vec<TargetIx>,
    /// Who was told since, because nobody acknowledged.
    #[n(1)]
    pub also: Vec<TargetIx>,
    /// The route's terms, as they were when it was asked.
    #[n(2)]
    pub terms: AckTerms,
    /// The channels that the route takes.
    #[n(3)]
    pub via: Vec<String>,
    /// How many groups of the terms were told; one more than there are is the
    /// operator, and two more say that nobody is left.
    #[n(4)]
    pub step: u32,
    /// Whether one of them has acknowledged.
    #[n(5)]
    pub acknowledged: bool,
    /// Engine time at which it goes on: to the next group, or once acknowledged
    /// to asking again; `None` once there is nothing more to do.
    #[n(6)]
    pub due: Option<Timestamp>,
    /// The revision that asked: whoever had an earlier one before them has not seen it.
    #[n(7)]
    pub number: u32,
}

impl Ask {
    /// All who were told, by the route or since.
    pub fn told(&self) -> impl Iterator<Item = TargetIx> {
        self.asked.iter().chain(&self.also).copied()
    }

    /// Whether nobody acknowledged it and nobody is left to be told.
    pub fn is_exhausted(&self) -> bool {
        !self.acknowledged && self.step as usize > self.terms.then.len() + 1
    }
}

/// How many of those who were told of a warning have acknowledged it as it
/// holds now; contacts, not addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Seen {
    /// Have.
    #[n(0)]
    pub by: u32,
    /// Were told.
    #[n(1)]
    pub of: u32,
}

/// How far a warning had come when one more person acknowledged what was last
/// news in it, for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Reach {
    /// How long after it was told, by engine time.
    #[n(0)]
    pub after: Span,
    /// How many have by now, this one among them.
    #[n(1)]
    pub seen: Seen,
}

/// One revision of a warning, complete in itself, with its frozen targets.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct Revision {
    /// This output.
    #[n(0)]
    pub id: OutputId,
    /// The warning: the id of its first revision.
    #[n(1)]
    pub warning: OutputId,
    /// From 1.
    #[n(2)]
    pub number: u32,
    /// What it is.
    #[n(3)]
    pub kind: Kind,
    /// Why it was made.
    #[n(4)]
    pub reason: Reason,
    /// What it is about.
    #[n(5)]
    pub about: About,
    /// Actual, or a drill.
    #[n(6)]
    pub status: Status,
    /// The level now.
    #[n(7)]
    pub level: Level,
    /// When people must act.
    #[n(8)]
    pub urgency: Urgency,
    /// How bad.
    #[n(9)]
    pub severity: Severity,
    /// How sure.
    #[n(10)]
    pub certainty: Certainty,
    /// Civil time of the first reading of the breach.
    #[n(11)]
    pub onset: Timestamp,
    /// Civil time of this revision; never before the former's.
    #[n(12)]
    pub sent: Timestamp,
    /// Civil time until which it holds.
    #[n(13)]
    pub expires: Timestamp,
    /// Whether what it rests on can no longer be seen.
    #[n(14)]
    pub stale: bool,
    /// The worst sensors first, at most [`EVIDENCE_MAX`].
    #[n(15)]
    pub evidence: Vec<Evidence>,
    /// How many sensors support it in all, those listed included.
    #[n(16)]
    pub sensors: u32,
    /// More to say, where code and evidence do not: a trouble's detail.
    #[n(17)]
    pub detail: String,
    /// Who is due it, in order of index.
    #[n(18)]
    pub due: Vec<Due>,
    /// The highest level of the incident so far.
    #[n(19)]
    pub peak: Level,
    /// Who had acknowledged what was told before; `None` where this is news to all.
    #[n(20)]
    pub seen: Option<Seen>,
    /// What a person wrote of it, in every language.
    #[n(21)]
    #[cbor(default)]
    pub texts: Option<Texts>,
    /// The mute that hides it: it is recorded, and told to nobody.
    #[n(23)]
    #[cbor(default)]
    pub muted: Option<OutputId>,
    /// How many sensors there went blind since it began, one per failure domain.
    #[n(22)]
    #[cbor(default)]
    pub lost: u32,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Outcome {
    /// The receiver took it.
    #[n(0)]
    Accepted,
    /// A later revision overtook it before it was attempted.
    #[n(1)]
    Superseded,
    /// It was given up.
    #[n(2)]
    Dead(#[n(0)] Death),
}

/// Why a delivery was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Death {
    /// The receiver refused it for good.
    #[n(0)]
    Rejected,
    /// It expired before the receiver could be reached.
    #[n(1)]
    Expired,
    /// The contact was erased.
    #[n(2)]
    Erased,
    /// The address may not be used: the guard refused it.
    #[n(3)]
    Forbidden,
}

impl Death {
    /// Every cause, in order.
    pub const ALL: [Death; 4] = [Death::Rejected, Death::Expired, Death::Erased, Death::Forbidden];

    /// The word for rows, labels, JSON and pages.
    pub const fn word(self) -> &'static str {
        match self {
            Death::Rejected => "rejected",
            Death::Expired => "expired",
            Death::Erased => "erased",
            Death::Forbidden => "forbidden",
        }
    }
}
