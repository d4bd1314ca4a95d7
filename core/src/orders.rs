//! What people order beside the rules: warnings by hand, mutes, notes; and why
//! an order is refused.

mod refusal;

pub use refusal::Refusal;

use minicbor::{Decode, Encode};
use sha2::{Digest as _, Sha256};

use crate::ids::{AreaIx, HazardIx, OutputId, RuleIx, SensorIx, StationIx, TargetIx};
use crate::level::{Level, Status};
use crate::time::{Span, Timestamp};
use crate::warning::Cell;

/// What a person wrote, in one language.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct Text {
    /// What is the matter.
    #[n(0)]
    pub headline: String,
    /// What to do; empty is what is always said at the level.
    #[n(1)]
    pub instruction: String,
}

/// What a person wrote, in every language that people are told in: they change
/// together or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct Texts {
    /// Chinese.
    #[n(0)]
    pub zh: Text,
    /// English.
    #[n(1)]
    pub en: Text,
}

impl Texts {
    /// Whether each language says as much as the other.
    pub fn is_whole(&self) -> bool {
        let blank = |text: &str| text.trim().is_empty();
        let (zh, en) = (&self.zh, &self.en);
        !blank(&zh.headline) && !blank(&en.headline) && blank(&zh.instruction) == blank(&en.instruction)
    }

    /// The one for a reader of this language.
    pub fn of(&self, language: &str) -> &Text {
        if language == "zh" { &self.zh } else { &self.en }
    }
}

/// A warning by hand, as it is planned.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Issue {
    /// Of what.
    #[n(0)]
    pub hazard: HazardIx,
    /// Where; in order of index, each once.
    #[n(1)]
    pub areas: Vec<AreaIx>,
    /// How high.
    #[n(2)]
    pub level: Level,
    /// What it says.
    #[n(3)]
    pub texts: Texts,
    /// How long it holds from when it goes out.
    #[n(4)]
    pub lasting: Span,
    /// The standing warning by hand that it brings up to date.
    #[n(5)]
    pub updates: Option<OutputId>,
}

/// What a mute is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Subject {
    /// All that happens in an area and those in it.
    #[n(0)]
    Area(#[n(0)] AreaIx),
    /// One hazard, wherever.
    #[n(1)]
    Hazard(#[n(0)] HazardIx),
    /// One hazard in one area.
    #[n(2)]
    Cell(#[n(0)] Cell),
    /// What rests on one rule.
    #[n(3)]
    Rule(#[n(0)] RuleIx),
    /// What rests on one sensor.
    #[n(4)]
    Sensor(#[n(0)] SensorIx),
    /// What rests on the sensors of one station.
    #[n(5)]
    Station(#[n(0)] StationIx),
}

/// Which kind of silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Quiet {
    /// It is judged and recorded, and not told.
    #[n(0)]
    Muted,
    /// Somebody works on it: its readings say nothing, neither danger nor safety.
    #[n(1)]
    Maintenance,
}

/// An accountable silence, as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Silence {
    /// Of what.
    #[n(0)]
    pub what: Subject,
    /// Which kind.
    #[n(1)]
    pub quiet: Quiet,
    /// The highest level that it hides: what goes beyond it goes out.
    #[n(2)]
    pub up_to: Level,
    /// Why.
    #[n(3)]
    pub reason: String,
    /// How long until it begins, from when it is asked for.
    #[n(4)]
    pub after: Span,
    /// How long it lasts from then.
    #[n(5)]
    pub lasting: Span,
}

/// What waits for a second person.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Proposal {
    /// A warning by hand.
    #[n(0)]
    Warning(#[n(0)] Issue),
    /// A silence.
    #[n(1)]
    Silence(#[n(0)] Silence),
}

/// What an approval is bound to: SHA-256 over all that is proposed, to whom it
/// goes, and in which status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub struct Digest(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub [u8; 32],
);

impl Digest {
    /// Of a proposal that goes to these targets.
    pub fn of(proposal: &Proposal, targets: &[TargetIx], status: Status) -> Digest {
        let bytes = minicbor::to_vec((proposal, targets, status)).expect("encoding into a Vec cannot fail");
        let mut digest = [0; 32];
        digest.copy_from_slice(&Sha256::digest(bytes));
        Digest(digest)
    }

    /// Reads 64 hexadecimal digits.
    pub fn parse(word: &str) -> Option<Digest> {
        let mut digest = [0; 32];
        if word.len() != 64 || !word.is_ascii() {
            return None;
        }
        for (byte, at) in digest.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(&word[at..at + 2], 16).ok()?;
        }
        Some(Digest(digest))
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What became of a draft.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Stage {
    /// It waits for a second person.
    #[n(0)]
    Waiting,
    /// This account approved it.
    #[n(1)]
    Approved(#[n(0)] String),
    /// This account took it back, and why.
    #[n(2)]
    Withdrawn(#[n(0)] String, #[n(1)] String),
    /// Nobody approved it in time.
    #[n(3)]
    Expired,
    /// Nobody approved it in time, and it went out by the stated policy.
    #[n(4)]
    SentUnapproved,
}

impl Stage {
    /// The word for rows, JSON and pages.
    pub const fn word(&self) -> &'static str {
        match self {
            Stage::Waiting => "waiting",
            Stage::Approved(_) => "approved",
            Stage::Withdrawn(..) => "withdrawn",
            Stage::Expired => "expired",
            Stage::SentUnapproved => "sent-unapproved",
        }
    }
}

/// What one person proposed and another must approve.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Draft {
    /// The output that made it.
    #[n(0)]
    pub id: OutputId,
    /// What is proposed.
    #[n(1)]
    pub proposal: Proposal,
    /// The account that drafted it.
    #[n(2)]
    pub by: String,
    /// Engine time from which the time to approve counts.
    #[n(3)]
    pub since: Timestamp,
    /// Civil time of the draft.
    #[n(4)]
    pub made: Timestamp,
    /// To whom it goes, as the plan routes it; in order of index.
    #[n(5)]
    pub targets: Vec<TargetIx>,
    /// What an approval must name.
    #[n(6)]
    pub digest: Digest,
    /// What became of it.
    #[n(7)]
    pub stage: Stage,
    /// How often approvers were reminded.
    #[n(8)]
    pub reminded: u32,
    /// Engine time at which they are reminded, or the draft's time is up.
    #[n(9)]
    pub due: Option<Timestamp>,
    /// As people call it: drafts and mutes are counted together.
    #[n(10)]
    pub number: u32,
}

/// A silence that stands, or stood.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Mute {
    /// The output that made it.
    #[n(0)]
    pub id: OutputId,
    /// What was asked for.
    #[n(1)]
    pub silence: Silence,
    /// The account that answers for it.
    #[n(2)]
    pub owner: String,
    /// The account that approved it, where it takes two.
    #[n(3)]
    pub approved: Option<String>,
    /// Engine time of its beginning.
    #[n(4)]
    pub from: Timestamp,
    /// Engine time of its end.
    #[n(5)]
    pub until: Timestamp,
    /// Civil time of its beginning, for people.
    #[n(6)]
    pub begins: Timestamp,
    /// Where it is on its way.
    #[n(7)]
    pub phase: MutePhase,
    /// As people call it: drafts and mutes are counted together.
    #[n(8)]
    pub number: u32,
}

/// Where a mute is on its way.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum MutePhase {
    /// Its time has not come.
    #[n(0)]
    Planned,
    /// It holds.
    #[n(1)]
    Holding,
    /// It is over: by time, or because this account ended it.
    #[n(2)]
    Over(#[n(0)] Option<String>),
}

impl MutePhase {
    /// The word for rows, JSON and pages.
    pub const fn word(&self) -> &'static str {
        match self {
            MutePhase::Planned => "planned",
            MutePhase::Holding => "holding",
            MutePhase::Over(_) => "over",
        }
    }
}

/// What one shift leaves for the next.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Note {
    /// The output that kept it.
    #[n(0)]
    pub id: OutputId,
    /// The warning it belongs to; `None` for the shift as a whole.
    #[n(1)]
    pub warning: Option<OutputId>,
    /// The account that wrote it.
    #[n(2)]
    pub by: String,
    /// Civil time.
    #[n(3)]
    pub at: Timestamp,
    /// What it says.
    #[n(4)]
    pub text: String,
}

/// How a warning is ended by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Ending {
    /// The danger is over.
    #[n(0)]
    AllClear,
    /// It was issued in error.
    #[n(1)]
    Cancel,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(headline: &str, instruction: &str) -> Text {
        Text { headline: headline.into(), instruction: instruction.into() }
    }

    #[test]
    fn languages_say_as_much_as_each_other() {
        let check = |zh, en, expected| assert_eq!(Texts { zh, en }.is_whole(), expected);
        check(text("水", ""), text("water", ""), true);
        check(text("水", "走"), text("water", "go"), true);
        check(text("水", ""), text(" ", ""), false);
        check(text("", ""), text("water", ""), false);
        check(text("水", "走"), text("water", ""), false);
    }

    #[test]
    fn a_digest_changes_with_all_that_it_is_bound_to() {
        let issue = Issue {
            hazard: HazardIx(0),
            areas: vec![AreaIx(0)],
            level: Level::Red,
            texts: Texts { zh: text("水", ""), en: text("water", "") },
            lasting: Span::from_hours(1),
            updates: None,
        };
        let of = |issue: Issue, targets: &[TargetIx], status| {
            Digest::of(&Proposal::Warning(issue), targets, status)
        };
        let own = of(issue.clone(), &[TargetIx(1)], Status::Actual);
        let others = [
            of(issue.clone(), &[TargetIx(2)], Status::Actual),
            of(issue.clone(), &[TargetIx(1)], Status::Exercise),
            of(Issue { level: Level::Orange, ..issue.clone() }, &[TargetIx(1)], Status::Actual),
            of(Issue { areas: vec![AreaIx(1)], ..issue.clone() }, &[TargetIx(1)], Status::Actual),
            of(
                Issue { texts: Texts { zh: text("火", ""), ..issue.texts.clone() }, ..issue.clone() },
                &[TargetIx(1)],
                Status::Actual,
            ),
        ];
        assert!(!others.contains(&own));
        assert_eq!(Digest::parse(&own.to_string()), Some(own));
        assert_eq!(Digest::parse("00"), None);
    }
}
