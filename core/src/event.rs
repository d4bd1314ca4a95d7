//! What can happen, and what comes out: the two vocabularies of the log.

use std::sync::Arc;

use minicbor::{Decode, Encode};

use crate::authority::By;
use crate::finding::WouldHave;
use crate::ids::{IndexKind, Key, LogId, OutputId, Position, RunId, SourceIx, TargetIx};
use crate::level::Level;
use crate::orders::{Digest, Draft, Ending, Mute, Note, Proposal, Refusal, Texts};
use crate::plan::{Plan, PlanId};
use crate::reading::Reading;
use crate::time::{Span, Timestamp};
use crate::warning::{About, Ask, Canary, Cell, Due, Incident, Outcome, Reach, Revision, TroubleKey};

/// One input, stamped and numbered.
#[derive(Debug, Clone)]
pub struct Event {
    /// Engine time; never before the event before.
    pub at: Timestamp,
    /// Its number in the log.
    pub position: Position,
    /// What happened.
    pub input: Input,
}

/// What can happen. The variants' numbers are the log's, for ever.
#[derive(Debug, Clone, Encode, Decode)]
pub enum Input {
    /// A reading came in, converted under the plan in force.
    #[n(0)]
    Reading(#[n(0)] Reading),
    /// Time passed and something fell due.
    #[n(1)]
    Tick,
    /// The service started.
    #[n(2)]
    Started(#[n(0)] Started),
    /// The plan in force changed. The log holds the hash; the driver resolves it.
    #[n(3)]
    Plan(#[n(0)] PlanRef),
    /// The wall clock was stepped, or came to be (dis)trusted.
    #[n(4)]
    Clock(#[n(0)] ClockStep),
    /// A source came up (true) or went down (false).
    #[n(5)]
    Source(#[n(0)] SourceIx, #[n(1)] bool),
    /// A delivery had an outcome.
    #[n(6)]
    Outcome(#[n(0)] DeliveryOutcome),
    /// A person asked for something, and who it was. In a box: of all that happens
    /// readings are the most by far, and an input takes what its largest kind takes.
    #[n(7)]
    Command(
        #[n(0)] Box<Command>,
        #[n(1)]
        #[cbor(default)]
        By,
    ),
    /// The shell has a trouble to tell, or one that is over.
    #[n(8)]
    Trouble(#[n(0)] TroubleReport),
    /// A name got its dense index; the engine itself needs none of them.
    #[n(9)]
    Assign(#[n(0)] Assignment),
    /// The disk had no room and readings were not taken (false), or are taken
    /// again (true): our own stop is no sensor's silence.
    #[n(10)]
    Intake(#[n(0)] bool),
    /// The courier is about to say this to a target: one delivery, or several as
    /// one digest. What stands here is never put together otherwise again; the
    /// engine itself needs none of it.
    #[n(11)]
    Bundled(#[n(0)] Bundle),
    /// The canary came in, by the lane of readings; the next one is due so long after it.
    #[n(12)]
    Canary(#[n(0)] Span),
}

/// The first event of every run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Started {
    /// The log.
    #[n(0)]
    pub log: LogId,
    /// This run.
    #[n(1)]
    pub run: RunId,
    /// How long the service was down, where the clock can be trusted to say; `None` at the very first start.
    #[n(2)]
    pub downtime: Option<Span>,
    /// Civil minus engine time.
    #[n(3)]
    pub offset: Span,
    /// Whether civil time can be trusted.
    #[n(4)]
    pub trusted: bool,
    /// The directory is a copy, or came out of a backup: another service may be
    /// alive with the same past, so this one is held until a person says resume.
    #[n(5)]
    #[cbor(default)]
    pub restored: bool,
}

/// Civil time moved against engine time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct ClockStep {
    /// Civil minus engine time from now on.
    #[n(0)]
    pub offset: Span,
    /// Whether civil time can be trusted from now on.
    #[n(1)]
    pub trusted: bool,
}

/// A plan by its hash; in memory with its body.
#[derive(Debug, Clone, Encode, Decode)]
pub struct PlanRef {
    /// SHA-256 of the plan's bytes.
    #[n(0)]
    pub id: PlanId,
    /// Whether an active incident whose area has gone is to be orphaned rather than the change refused.
    #[n(1)]
    pub orphan: bool,
    /// Filled in by whoever reads the log; absent from its encoding.
    #[cbor(skip)]
    pub body: Option<Arc<Plan>>,
}

/// What became of a delivery, as the courier reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct DeliveryOutcome {
    /// The delivery.
    #[n(0)]
    pub key: Key,
    /// The warning it belongs to.
    #[n(1)]
    pub warning: OutputId,
    /// Which revision.
    #[n(2)]
    pub number: u32,
    /// To whom.
    #[n(3)]
    pub target: TargetIx,
    /// What became of it.
    #[n(4)]
    pub outcome: Outcome,
}

/// Deliveries that one message carries to a target, fixed before it leaves.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Bundle {
    /// Of the message: that of its one delivery, or [`Key::of_digest`].
    #[n(0)]
    pub key: Key,
    /// To whom.
    #[n(1)]
    pub target: TargetIx,
    /// The deliveries, the worst first; one, or [`BUNDLED_MAX`] at most.
    #[n(2)]
    pub members: Vec<Key>,
    /// The highest level among them.
    #[n(3)]
    pub level: Level,
}

/// Deliveries in one digest at most: a storm over ten thousand areas is one.
/// Full: the rest goes in the next.
pub const BUNDLED_MAX: usize = 10_000;

impl Bundle {
    /// One delivery that goes alone, under its own key.
    pub fn alone(delivery: Key, target: TargetIx, level: Level) -> Bundle {
        Bundle { key: delivery, target, members: vec![delivery], level }
    }

    /// Several as one digest.
    pub fn digest(members: Vec<Key>, target: TargetIx, level: Level) -> Bundle {
        Bundle { key: Key::of_digest(&members), target, members, level }
    }

    /// Whether it is a digest, and not a delivery that goes alone.
    pub fn is_digest(&self) -> bool {
        self.members.len() != 1 || self.members[0] != self.key
    }
}

/// What a person asked for.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Command {
    /// Send a test of notification to these targets, in Exercise status.
    #[n(0)]
    NotifyTest(#[n(0)] Vec<TargetIx>, #[n(1)] String),
    /// End an incident by hand: its all-clear goes to all who heard of it.
    #[n(2)]
    AllClear(#[n(0)] Cell, #[n(1)] String),
    /// Say that a warning was issued in error.
    #[n(3)]
    Cancel(#[n(0)] Cell, #[n(1)] String),
    /// Send the newest revision again to a target whose delivery died: a new round.
    #[n(4)]
    Resend(#[n(0)] OutputId, #[n(1)] TargetIx),
    /// Let a restored directory act again.
    #[n(5)]
    Resume,
    /// Somebody acknowledges a warning, as of the revision with this number.
    #[n(6)]
    Acknowledge(#[n(0)] OutputId, #[n(1)] u32, #[n(2)] TargetIx),
    /// Correct what a standing warning says.
    #[n(7)]
    Correct(#[n(0)] OutputId, #[n(1)] Texts),
    /// Propose a warning by hand, or a silence; what takes two persons waits for the second.
    #[n(8)]
    Propose(#[n(0)] Proposal),
    /// Approve a draft, as it was when it had this digest.
    #[n(9)]
    Approve(#[n(0)] OutputId, #[n(1)] Digest),
    /// Take a draft back, and why.
    #[n(10)]
    Withdraw(#[n(0)] OutputId, #[n(1)] String),
    /// End a mute or a maintenance window before its time, or call a planned one off.
    #[n(11)]
    Unmute(#[n(0)] OutputId),
    /// Leave a note, on a warning or for the shift.
    #[n(12)]
    Note(#[n(0)] Option<OutputId>, #[n(1)] String),
    /// End a warning by hand, and why.
    #[n(13)]
    End(#[n(0)] OutputId, #[n(1)] Ending, #[n(2)] String),
}

/// A trouble that the shell has to tell.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct TroubleReport {
    /// What and about what.
    #[n(0)]
    pub key: TroubleKey,
    /// Whether it is there, or over.
    #[n(1)]
    pub present: bool,
    /// In words for the operator; no addresses.
    #[n(2)]
    pub detail: String,
}

/// A name and the dense index that is its own for good.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Assignment {
    /// Of what.
    #[n(0)]
    pub kind: IndexKind,
    /// The index.
    #[n(1)]
    pub index: u32,
    /// The name.
    #[n(2)]
    pub name: String,
}

/// What the engine decides. Recorded with the event it followed from, applied
/// again on recovery.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub enum Decision {
    /// An incident is now so.
    #[n(0)]
    Incident(#[n(0)] Incident),
    /// A revision goes out.
    #[n(1)]
    Revision(#[n(0)] Revision),
    /// A breach came too late to warn.
    #[n(2)]
    WouldHave(#[n(0)] WouldHave),
    /// A trouble began (or changed its words), or ended.
    #[n(3)]
    Trouble(#[n(0)] TroubleReport),
    /// A plan change was refused, in words.
    #[n(4)]
    PlanRefused(#[n(0)] String),
    /// A restored directory acts again.
    #[n(5)]
    Resumed,
    /// The newest revision of a warning goes to one of its targets again.
    #[n(6)]
    Resent {
        /// The warning.
        #[n(0)]
        warning: OutputId,
        /// Its newest revision.
        #[n(1)]
        number: u32,
        /// To whom, in which round.
        #[n(2)]
        due: Due,
    },
    /// What is asked of a warning's targets is now so; some are due its newest
    /// revision: those it goes on to, or those who are asked again.
    #[n(7)]
    Asked {
        /// The warning.
        #[n(0)]
        warning: OutputId,
        /// Its newest revision.
        #[n(1)]
        number: u32,
        /// One a route; empty where nothing is asked any more.
        #[n(2)]
        asks: Vec<Ask>,
        /// Who is due it now, in which round.
        #[n(3)]
        due: Vec<Due>,
    },
    /// Somebody acknowledged a warning.
    #[n(8)]
    Acknowledged {
        /// The warning.
        #[n(0)]
        warning: OutputId,
        /// Which revision they had before them.
        #[n(1)]
        number: u32,
        /// At which address it had reached them.
        #[n(2)]
        target: TargetIx,
        /// What that adds to its reach; `None` where this person had acknowledged
        /// it before, or had an earlier revision before them.
        #[n(3)]
        #[cbor(default)]
        reach: Option<Reach>,
    },
    /// What was asked for is refused.
    #[n(9)]
    Refused(#[n(0)] Refusal),
    /// A draft is now so.
    #[n(10)]
    Drafted(#[n(0)] Draft),
    /// A mute or a maintenance window is now so.
    #[n(11)]
    Muted(#[n(0)] Mute),
    /// A note was left.
    #[n(12)]
    Noted(#[n(0)] Note),
    /// A warning by hand came to its stated end, of which its targets were told beforehand.
    #[n(13)]
    Lapsed(#[n(0)] OutputId),
    /// The canary is answered: a heartbeat is due outside.
    #[n(16)]
    Canary(#[n(0)] Canary),
}

impl Decision {
    /// The cell that it is about, if any.
    pub(crate) fn cell(&self) -> Option<Cell> {
        match self {
            Decision::Incident(incident) => Some(incident.cell),
            Decision::Revision(Revision { about: About::Incident(cell), .. }) => Some(*cell),
            Decision::Revision(_)
            | Decision::WouldHave(_)
            | Decision::Trouble(_)
            | Decision::PlanRefused(_)
            | Decision::Resumed
            | Decision::Resent { .. }
            | Decision::Asked { .. }
            | Decision::Acknowledged { .. }
            | Decision::Refused(_)
            | Decision::Drafted(_)
            | Decision::Muted(_)
            | Decision::Noted(_)
            | Decision::Lapsed(_)
            | Decision::Canary(_) => None,
        }
    }
}

/// What comes out of one step.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Something was decided: it must be durable before anyone acts on it. Boxed,
    /// so that the far more frequent other one stays small.
    Decision(Box<Decision>),
    /// How a reading was judged: its flag and marks, for the store.
    Flagged(crate::reading::Checked),
}
