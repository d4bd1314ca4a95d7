//! What happens around a commit: who is told, and what is said of it.

use std::sync::Arc;

use forewarn_core::event::{Decision, Input};
use forewarn_core::ids::{Key, SourceIx};
use metrics::counter;
use tracing::{info, warn};

use crate::ports::{Acks, Ground, Refused};

/// Decisions are rare: encoding one twice costs less than any bookkeeping.
pub(super) fn bytes_of(decision: &Decision) -> usize {
    minicbor::to_vec(decision).map_or(0, |bytes| bytes.len())
}

/// The bytes of the one input, but for plans, that may be longer than a reading.
pub(super) fn bytes_of_bundle(input: &Input) -> usize {
    match input {
        Input::Bundled(bundle) => bundle.members.len() * size_of::<Key>(),
        Input::Reading(_)
        | Input::Tick
        | Input::Started(_)
        | Input::Plan(_)
        | Input::Clock(_)
        | Input::Source(..)
        | Input::Outcome(_)
        | Input::Command(..)
        | Input::Trouble(_)
        | Input::Canary(_)
        | Input::Assign(_)
        | Input::Intake(_) => 0,
    }
}

/// One call a gate, with all its tokens of this commit.
pub(super) fn acknowledge(mut acks: Vec<Acks>) {
    // Brought together by address: which gate goes first means nothing.
    acks.sort_by_key(|ack| Arc::as_ptr(&ack.gate).addr());
    let mut gathered: Option<Acks> = None;
    for ack in acks {
        match &mut gathered {
            Some(last) if Arc::ptr_eq(&last.gate, &ack.gate) => last.tokens.extend(ack.tokens),
            _ => {
                if let Some(Acks { gate, tokens }) = gathered.replace(ack) {
                    gate.durable(&tokens);
                }
            }
        }
    }
    if let Some(Acks { gate, tokens }) = gathered {
        gate.durable(&tokens);
    }
}

/// One line a decision that people act on.
pub(super) fn tell(decision: &Decision) {
    match decision {
        Decision::Revision(revision) => {
            counter!("forewarn_revisions_total", "kind" => revision.kind.word()).increment(1);
            info!(
                warning = %revision.warning.digest(),
                number = revision.number,
                kind = revision.kind.word(),
                reason = ?revision.reason,
                level = revision.level.word(),
                targets = revision.due.len(),
                "revision"
            );
        }
        Decision::Trouble(report) => {
            warn!(
                code = report.key.code.word(),
                subject = report.key.subject,
                present = report.present,
                "trouble"
            );
        }
        Decision::PlanRefused(why) => warn!(why, "plan refused"),
        Decision::Acknowledged { warning, number, target, reach: _ } => {
            counter!("forewarn_acknowledgements_total").increment(1);
            info!(warning = %warning.digest(), number, target = target.0, "acknowledged");
        }
        Decision::Asked { warning, number, due, .. } if !due.is_empty() => {
            counter!("forewarn_asked_on_total").increment(due.len() as u64);
            info!(warning = %warning.digest(), number, targets = due.len(), "not acknowledged, goes on");
        }
        Decision::Refused(why) => warn!(why = why.word(), "order refused"),
        Decision::Drafted(draft) => {
            info!(number = draft.number, by = draft.by, stage = draft.stage.word(), "draft");
        }
        Decision::Muted(mute) => {
            info!(number = mute.number, owner = mute.owner, phase = mute.phase.word(), "mute");
        }
        Decision::Noted(note) => info!(by = note.by, "note"),
        Decision::Lapsed(warning) => info!(warning = %warning.digest(), "warning came to its stated end"),
        Decision::Incident(_)
        | Decision::WouldHave(_)
        | Decision::Resumed
        | Decision::Resent { .. }
        | Decision::Asked { .. }
        | Decision::Canary(_) => {}
    }
}

pub(super) fn gone(source: SourceIx, sensor: u32) -> Refused {
    Refused {
        source,
        topic: String::new(),
        bytes: bytes::Bytes::new(),
        reason: format!("sensor #{sensor} left the plan while its reading was under way"),
        ground: Ground::LeftPlan,
    }
}

pub(super) fn source_of(input: &Input) -> SourceIx {
    match input {
        Input::Reading(reading) => reading.source,
        Input::Source(source, _) => *source,
        Input::Tick
        | Input::Started(_)
        | Input::Plan(_)
        | Input::Clock(_)
        | Input::Outcome(_)
        | Input::Command(..)
        | Input::Trouble(_)
        | Input::Assign(_)
        | Input::Intake(_)
        | Input::Bundled(_)
        | Input::Canary(_) => SourceIx::default(),
    }
}
