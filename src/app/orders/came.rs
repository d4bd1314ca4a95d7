//! What came of an order, or why nothing did, for people and for machines.

use forewarn_core::authority::Denied;
use forewarn_core::event::Decision;
use forewarn_core::orders::{Draft, Mute, MutePhase, Quiet, Refusal, Stage};
use forewarn_core::warning::{Kind, Revision};
use serde_json::{Value, json};

use super::super::control::Response;
use crate::state::StateError;

/// Why an order was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undone {
    /// The step refused it.
    Refused(Refusal),
    /// It names something that is not there, in words.
    Unknown(String),
    /// The projection cannot be read.
    Unreadable(String),
    /// The service is stopping.
    Stopping,
    /// The engine stumbled over it: it is in quarantine.
    Quarantined,
}

impl From<StateError> for Undone {
    fn from(error: StateError) -> Self {
        Undone::Unreadable(error.to_string())
    }
}

/// What came of an order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Done {
    /// The draft that it made or moved on.
    pub draft: Option<Draft>,
    /// The mute or window that it made or moved on.
    pub mute: Option<Mute>,
    /// What was said.
    pub revision: Option<Revision>,
}

impl Done {
    pub(super) fn of(decisions: &[Decision]) -> Done {
        let mut done = Done::default();
        for decision in decisions {
            match decision {
                Decision::Drafted(draft) => done.draft = Some(draft.clone()),
                Decision::Muted(mute) => done.mute = Some(mute.clone()),
                Decision::Revision(revision) if !revision.about.cells().is_empty() => {
                    done.revision = Some(revision.clone());
                }
                _ => {}
            }
        }
        done
    }

    /// What to tell a person.
    pub fn sentence(&self) -> String {
        match self {
            Done { revision: Some(it), .. } => {
                let word = match it.kind {
                    Kind::Alert => "a warning",
                    Kind::Update => "an update",
                    Kind::AllClear => "the all-clear",
                    Kind::Cancel => "that it was issued in error",
                };
                let to = match it.due.len() {
                    1 => "1 target is".to_owned(),
                    count => format!("{count} targets are"),
                };
                format!("{to} told: {word}, {}, revision {}", it.level, it.number)
            }
            Done { mute: Some(it), .. } => match (&it.phase, it.silence.quiet) {
                (MutePhase::Planned, _) => format!("window {} is planned", it.number),
                (MutePhase::Holding, Quiet::Muted) => format!("mute {} holds", it.number),
                (MutePhase::Holding, Quiet::Maintenance) => format!("window {} holds", it.number),
                (MutePhase::Over(_), _) => format!("{} is over", it.number),
            },
            Done { draft: Some(it), .. } => match it.stage {
                Stage::Waiting => format!(
                    "draft {} waits for another person: nobody is told yet; its digest is {}",
                    it.number, it.digest
                ),
                Stage::Withdrawn(..) => format!("draft {} is withdrawn", it.number),
                Stage::Approved(_) | Stage::Expired | Stage::SentUnapproved => {
                    format!("draft {} is {}", it.number, it.stage.word())
                }
            },
            Done { draft: None, mute: None, revision: None } => "noted".to_owned(),
        }
    }

    /// The same for machines.
    pub fn json(&self) -> Value {
        json!({
            "done": true,
            "draft": self.draft.as_ref().map(|it| json!({
                "number": it.number, "digest": it.digest.to_string(), "stage": it.stage.word(),
                "targets": it.targets.len(),
            })),
            "mute": self.mute.as_ref().map(|it| json!({ "number": it.number, "phase": it.phase.word() })),
            "warning": self.revision.as_ref().map(|it| json!({
                "id": it.warning.digest().to_string(), "number": it.number, "kind": it.kind.word(),
                "targets": it.due.len(),
            })),
        })
    }
}

impl Undone {
    /// What to tell a person.
    pub fn sentence(&self) -> String {
        match self {
            Undone::Refused(refusal) => refusal_sentence(*refusal),
            Undone::Unknown(what) => what.clone(),
            Undone::Unreadable(what) => format!("what stands cannot be read: {what}"),
            Undone::Stopping => "the service is stopping".to_owned(),
            Undone::Quarantined => "the engine stumbled over it; see `forewarn quarantine`".to_owned(),
        }
    }

    /// The word for machines.
    pub fn word(&self) -> &'static str {
        match self {
            Undone::Refused(refusal) => refusal.word(),
            Undone::Unknown(_) => "unknown",
            Undone::Unreadable(_) => "unreadable",
            Undone::Stopping => "stopping",
            Undone::Quarantined => "quarantined",
        }
    }
}

/// Why the step refused, for a person.
fn refusal_sentence(refusal: Refusal) -> String {
    match refusal {
        Refusal::Denied(Denied::Role(role)) => {
            return format!("this account may not, expected one with the role {role} or above");
        }
        Refusal::Denied(Denied::Scope) => "this account may not do that there: its areas are others",
        Refusal::Held => "the service is held since it was restored or copied: nothing goes out until `resume`",
        Refusal::Unknown => "there is no such draft, mute or standing warning",
        Refusal::Texts => "expected a headline in zh and en, and what to do in both or in neither",
        Refusal::Own => "whoever drafted it cannot approve it, expected another account",
        Refusal::Decided => "it was decided on before: nothing follows from it now",
        Refusal::Changed => "it is not what you had before you any more; look at it again, then approve its new digest",
        Refusal::TargetsChanged => {
            "the plan now routes it to others than those it was drafted for: the approval is void; \
             look at it again, then approve its new digest"
        }
        Refusal::Nobody => "nobody is routed to hear of it, expected a route for this hazard, level and area",
        Refusal::Lasting => "it would last for no time, or longer than it may (orders.mute_max; 7 days for a warning)",
        Refusal::TooMany => "as many stand as may, expected some of them to be ended first",
        Refusal::Kind => "that cannot be done with it, expected a warning of a danger, or for maintenance a sensor or station",
        Refusal::NotInPlan => "expected an area, hazard, rule, sensor or station of the plan, and a warning level",
        Refusal::Empty => "expected words that say why",
    }
    .to_owned()
}

/// What came of an order, as the control socket says it.
pub(in crate::app) fn answered(came: &Result<Done, Undone>, json: bool) -> Response {
    match (came, json) {
        (Ok(done), true) => Response::done(done.json().to_string()),
        (Ok(done), false) => Response::done(done.sentence()),
        (Err(undone), true) => {
            let why = json!({ "done": false, "why": undone.word(), "what": undone.sentence() });
            Response::refused(why.to_string())
        }
        (Err(undone), false) => Response::refused(undone.sentence()),
    }
}
