//! Why a revision was made, and how each reason is called.

use minicbor::{Decode, Encode};

/// Why a revision was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Reason {
    /// A level was reached.
    #[n(0)]
    Raised,
    /// A higher level was reached.
    #[n(1)]
    Upgraded,
    /// Nothing supported the higher level for a whole hold.
    #[n(2)]
    Downgraded,
    /// What it rests on can no longer be seen: treat as dangerous.
    #[n(3)]
    Blind,
    /// It can be seen again.
    #[n(4)]
    Seen,
    /// Lost and back, again and again.
    #[n(5)]
    Intermittent,
    /// Still standing, before it would have expired.
    #[n(6)]
    Renewed,
    /// Clear for a whole hold.
    #[n(7)]
    Eased,
    /// Late readings did not confirm it; clear for a whole hold.
    #[n(8)]
    Unconfirmed,
    /// No rule of the plan supports it, or nothing that could is seen: it stands
    /// until that changes or a person ends it.
    #[n(9)]
    Orphaned,
    /// A person ended it.
    #[n(10)]
    EndedByHand,
    /// A person said it was issued in error.
    #[n(11)]
    InError,
    /// A trouble began, or grew.
    #[n(12)]
    TroubleRaised,
    /// A trouble ended.
    #[n(13)]
    TroubleEnded,
    /// Somebody asked for a test of notification.
    #[n(14)]
    NotifyTest,
    /// A person corrected what it says.
    #[n(16)]
    Corrected,
    /// A person issued it, or brought it up to date.
    #[n(17)]
    Manual,
    /// It comes to its stated end soon.
    #[n(18)]
    EndsSoon,
    /// The canary came by.
    #[n(20)]
    Canary,
    // 15 stood for easing broken off by a breach. No log has it: it was never made. The number stays reserved.
}

impl Reason {
    /// What says that a level was reached of which people have not heard: it asks
    /// anew for an acknowledgement, and what came before acknowledges nothing now.
    pub const NEWS: [Reason; 3] = [Reason::Raised, Reason::Upgraded, Reason::Manual];

    /// Whether it is one of [`Reason::NEWS`].
    pub fn is_news(self) -> bool {
        Reason::NEWS.contains(&self)
    }

    /// The word for logs, JSON, rows, messages and pages.
    pub const fn word(self) -> &'static str {
        match self {
            Reason::Raised => "raised",
            Reason::Upgraded => "upgraded",
            Reason::Downgraded => "downgraded",
            Reason::Blind => "blind",
            Reason::Seen => "seen",
            Reason::Intermittent => "intermittent",
            Reason::Renewed => "renewed",
            Reason::Eased => "eased",
            Reason::Unconfirmed => "unconfirmed",
            Reason::Orphaned => "orphaned",
            Reason::EndedByHand => "ended-by-hand",
            Reason::InError => "in-error",
            Reason::TroubleRaised => "trouble-raised",
            Reason::TroubleEnded => "trouble-ended",
            Reason::NotifyTest => "notify-test",
            Reason::Corrected => "corrected",
            Reason::Manual => "manual",
            Reason::EndsSoon => "ends-soon",
            Reason::Canary => "canary",
        }
    }
}
