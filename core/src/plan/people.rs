//! Who is told, by which way.

use minicbor::{Decode, Encode};

use crate::ids::{AreaIx, HazardIx};
use crate::level::Level;
use crate::time::Span;

/// Who hears of what.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct Route {
    /// The hazard, or any.
    #[n(0)]
    pub hazard: Option<HazardIx>,
    /// The area, with all that lie in it, or any.
    #[n(1)]
    pub area: Option<AreaIx>,
    /// Lowest level that goes this way.
    #[n(2)]
    pub from: Level,
    /// Highest level that goes this way.
    #[n(3)]
    pub to: Level,
    /// Local hours in which it holds: minutes of the day, start included, end
    /// not, wrapping over midnight; `None` is always.
    #[n(4)]
    pub hours: Option<(u16, u16)>,
    /// The language it is for (`zh`, `en`), or any.
    #[n(5)]
    pub language: Option<String>,
    /// The group it goes to.
    #[n(6)]
    pub group: Group,
    /// The channels it takes, by name, in order.
    #[n(7)]
    pub via: Vec<String>,
    /// Whether those it reaches are to acknowledge, and what follows if they do not.
    #[n(8)]
    pub ack: Option<AckTerms>,
}

/// That a warning is to be acknowledged: by one of those whom its route reaches.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct AckTerms {
    /// How long they have, from the revision that asked.
    #[n(0)]
    pub within: Span,
    /// Who is told next if nobody does, one group after the other, each with as
    /// long; after the last of them the operator is.
    #[n(1)]
    pub then: Vec<Group>,
    /// A warning that is still red so long after its acknowledgement is asked
    /// about again.
    #[n(2)]
    pub again: Option<Span>,
}

/// Whose targets a route means.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Group {
    /// `{area}/role`: those with this role in the warning's area, or else in
    /// the nearest area around it that has any.
    #[n(0)]
    AreaRole(#[n(0)] String),
    /// `area-id/role`: those with this role in one area.
    #[n(1)]
    Role(#[n(0)] AreaIx, #[n(1)] String),
    /// One contact, by id.
    #[n(2)]
    Contact(#[n(0)] String),
}

/// One address of one contact on one channel. The address itself, and the
/// contact's name, stand in an erasable table outside the plan.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Target {
    /// Random, opaque, for good.
    #[n(0)]
    pub id: String,
    /// The contact it belongs to, by id.
    #[n(1)]
    pub contact: String,
    /// The contact's roles: `duty`, `mayor` ...
    #[n(2)]
    pub roles: Vec<String>,
    /// The area the contact answers for; `None` is all.
    #[n(3)]
    pub area: Option<AreaIx>,
    /// The channel's name: `email`, `webhook`.
    #[n(4)]
    pub channel: String,
    /// The language it is told in.
    #[n(5)]
    pub language: String,
    /// The lowest level it is told of.
    #[n(6)]
    pub min_level: Level,
    /// Local hours it is told in, as in [`Route::hours`].
    #[n(7)]
    pub hours: Option<(u16, u16)>,
}

/// What holds for warnings by hand and for mutes.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct OrderTerms {
    /// How long a second person has to approve a draft.
    #[n(0)]
    pub approve_within: Span,
    /// Levels of warnings by hand that go out when nobody has approved them by
    /// then; all others expire.
    #[n(1)]
    pub send_unapproved: Vec<Level>,
    /// How long a mute may last.
    #[n(2)]
    pub mute_max: Span,
}

impl Default for OrderTerms {
    fn default() -> Self {
        OrderTerms {
            approve_within: Span::from_mins(10),
            send_unapproved: vec![],
            mute_max: Span::from_hours(24),
        }
    }
}
