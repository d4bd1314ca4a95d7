//! What can be wrong with the service itself, and how each is called.

use minicbor::{Decode, Encode};

/// What the operator must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum TroubleCode {
    /// A sensor stopped.
    #[n(0)]
    SensorSilent,
    /// A gateway, a power supply or the like stopped, and all behind it.
    #[n(1)]
    DomainSilent,
    /// A source (a broker) is down.
    #[n(2)]
    SourceDown,
    /// The service itself was down.
    #[n(3)]
    OwnDowntime,
    /// The clock cannot be trusted.
    #[n(4)]
    ClockUntrusted,
    /// Nobody is routed to hear of this area and hazard.
    #[n(5)]
    Unrouted,
    /// An incident is left that no rule supports.
    #[n(6)]
    Orphaned,
    /// A delivery was given up.
    #[n(7)]
    DeadLetter,
    /// This version would decide otherwise than the log records.
    #[n(8)]
    Diverged,
    /// A record or a file does not read back as it was written.
    #[n(9)]
    Rot,
    /// The disk is full, or nearly.
    #[n(10)]
    DiskLow,
    /// The long history falls behind, or refuses points.
    #[n(11)]
    StoreBehind,
    /// Something that came in made the service stumble; it is quarantined.
    #[n(12)]
    PoisonInput,
    /// Two values for one sensor and instant.
    #[n(13)]
    Conflict,
    /// A message larger than the limit keeps coming back.
    #[n(14)]
    MessageTooLarge,
    /// A restored directory is held until somebody says `resume`.
    #[n(15)]
    Held,
    /// A new configuration was refused.
    #[n(16)]
    ReloadRefused,
    /// Warnings wait longer than promised, and are tried on.
    #[n(17)]
    Undelivered,
    /// Nobody acknowledged a warning, and nobody is left to ask.
    #[n(18)]
    Unacknowledged,
    /// A draft waits for a second person.
    #[n(21)]
    ApprovalWaiting,
    /// Something is muted, or in maintenance.
    #[n(22)]
    Muted,
    /// Something of a drill stood among what is live, or the other way round; it was not sent.
    #[n(23)]
    OtherWorld,
    /// A warning was not published as a CAP alert, as it would not have been a sound one.
    #[n(41)]
    AlertWithheld,
    /// A certificate or a token comes to its end soon.
    #[n(19)]
    EndsSoon,
    /// A certificate or a token has come to its end.
    #[n(20)]
    HasEnded,
    /// The canary has not come through, or its heartbeat reaches nobody outside.
    #[n(42)]
    HeartbeatLate,
}

impl TroubleCode {
    /// Every code, in order.
    pub const ALL: [TroubleCode; 26] = [
        TroubleCode::SensorSilent,
        TroubleCode::DomainSilent,
        TroubleCode::SourceDown,
        TroubleCode::OwnDowntime,
        TroubleCode::ClockUntrusted,
        TroubleCode::Unrouted,
        TroubleCode::Orphaned,
        TroubleCode::DeadLetter,
        TroubleCode::Diverged,
        TroubleCode::Rot,
        TroubleCode::DiskLow,
        TroubleCode::StoreBehind,
        TroubleCode::PoisonInput,
        TroubleCode::Conflict,
        TroubleCode::MessageTooLarge,
        TroubleCode::Held,
        TroubleCode::ReloadRefused,
        TroubleCode::Undelivered,
        TroubleCode::Unacknowledged,
        TroubleCode::ApprovalWaiting,
        TroubleCode::Muted,
        TroubleCode::OtherWorld,
        TroubleCode::AlertWithheld,
        TroubleCode::EndsSoon,
        TroubleCode::HasEnded,
        TroubleCode::HeartbeatLate,
    ];

    /// The word for logs, JSON, messages and pages.
    pub const fn word(self) -> &'static str {
        match self {
            TroubleCode::SensorSilent => "sensor-silent",
            TroubleCode::DomainSilent => "domain-silent",
            TroubleCode::SourceDown => "source-down",
            TroubleCode::OwnDowntime => "own-downtime",
            TroubleCode::ClockUntrusted => "clock-untrusted",
            TroubleCode::Unrouted => "unrouted",
            TroubleCode::Orphaned => "orphaned",
            TroubleCode::DeadLetter => "dead-letter",
            TroubleCode::Diverged => "diverged",
            TroubleCode::Rot => "rot",
            TroubleCode::DiskLow => "disk-low",
            TroubleCode::StoreBehind => "store-behind",
            TroubleCode::PoisonInput => "poison-input",
            TroubleCode::Conflict => "conflict",
            TroubleCode::MessageTooLarge => "message-too-large",
            TroubleCode::Held => "held",
            TroubleCode::ReloadRefused => "reload-refused",
            TroubleCode::Undelivered => "undelivered",
            TroubleCode::Unacknowledged => "unacknowledged",
            TroubleCode::ApprovalWaiting => "approval-waiting",
            TroubleCode::Muted => "muted",
            TroubleCode::OtherWorld => "other-world",
            TroubleCode::AlertWithheld => "alert-withheld",
            TroubleCode::EndsSoon => "ends-soon",
            TroubleCode::HasEnded => "has-ended",
            TroubleCode::HeartbeatLate => "heartbeat-late",
        }
    }
}

/// One trouble: its code and what it is about (a sensor's id, a target's id, a file).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct TroubleKey {
    /// What is the matter.
    #[n(0)]
    pub code: TroubleCode,
    /// With what; never an address or a name of a person.
    #[n(1)]
    pub subject: String,
}
