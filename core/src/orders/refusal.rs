//! Why an order is refused.

use minicbor::{Decode, Encode};

use crate::authority::Denied;

/// Why an order was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Refusal {
    /// Whoever asked may not.
    #[n(0)]
    Denied(#[n(0)] Denied),
    /// A restored directory is held: nothing but Trouble goes out.
    #[n(1)]
    Held,
    /// There is no such draft, warning or mute.
    #[n(2)]
    Unknown,
    /// The texts do not say the same in both languages.
    #[n(3)]
    Texts,
    /// Whoever drafted it cannot approve it.
    #[n(4)]
    Own,
    /// It was decided on before.
    #[n(5)]
    Decided,
    /// It is not what the approval names any more.
    #[n(6)]
    Changed,
    /// The plan routes it to others than those it was drafted for: it has to be looked at again.
    #[n(7)]
    TargetsChanged,
    /// Nobody is routed to hear of it.
    #[n(8)]
    Nobody,
    /// It lasts for no time, or longer than may be.
    #[n(9)]
    Lasting,
    /// As many stand as may.
    #[n(10)]
    TooMany,
    /// That warning cannot be changed in this way.
    #[n(11)]
    Kind,
    /// It names an area, hazard, rule or sensor that is not in the plan, or no warning level.
    #[n(12)]
    NotInPlan,
    /// It says nothing.
    #[n(13)]
    Empty,
}

impl Refusal {
    /// The word for JSON and pages.
    pub const fn word(self) -> &'static str {
        match self {
            Refusal::Denied(Denied::Role(_)) => "role",
            Refusal::Denied(Denied::Scope) => "scope",
            Refusal::Held => "held",
            Refusal::Unknown => "unknown",
            Refusal::Texts => "texts",
            Refusal::Own => "own",
            Refusal::Decided => "decided",
            Refusal::Changed => "changed",
            Refusal::TargetsChanged => "targets-changed",
            Refusal::Nobody => "nobody",
            Refusal::Lasting => "lasting",
            Refusal::TooMany => "too-many",
            Refusal::Kind => "kind",
            Refusal::NotInPlan => "not-in-plan",
            Refusal::Empty => "empty",
        }
    }
}
