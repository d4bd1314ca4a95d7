//! One draft: stepped, made durable with all that it decided, or taken apart
//! where the engine stumbles over it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use forewarn_core::engine::{ENGINE_VERSION, FORESEEN_MAX};
use forewarn_core::event::{Decision, Event, Input, Output, TroubleReport};
use forewarn_core::ids::Position;
use forewarn_core::plan::PlanId;
use forewarn_core::reading::Checked;
use forewarn_core::time::Moment;
use forewarn_core::warning::{TroubleCode, TroubleKey};
use metrics::{counter, gauge, histogram};
use tracing::error;

use super::super::draft::Draft;
use super::super::release::{acknowledge, bytes_of, bytes_of_bundle, source_of};
use super::Loop;
use crate::crash::{self, Before, Done, Early};
use crate::log::Record;
use crate::ports::{Ground, Refused};

/// What a draft's inputs led to.
#[derive(Default)]
struct Stepped {
    /// Each with the index of its input.
    decisions: Vec<(u32, Decision)>,
    /// One a reading.
    flagged: Vec<Checked>,
    /// How many of the draft's inputs were stepped.
    inputs: usize,
}

impl Loop {
    /// Steps a draft and makes it durable with all that it decided; only then
    /// is anybody told. A panic in the step finds its culprit by halves.
    pub(super) fn commit(&mut self, mut draft: Draft) {
        while let Some(part) = draft.shed_refused(self.bounds.refused_bytes) {
            self.commit(part);
        }
        if draft.inputs.is_empty() {
            draft.inputs.push(Input::Tick);
        }
        while !draft.inputs.is_empty() {
            let plan = self.parts.engine.plan_id();
            crash::may_come(Before::Step);
            let Ok(stepped) = catch_unwind(AssertUnwindSafe(|| self.step(&draft))) else {
                return self.find_culprit(draft);
            };
            let rest;
            (draft, rest) = match stepped.inputs {
                all if all == draft.inputs.len() => (draft, Draft::default()),
                some => draft.cut(some),
            };
            self.make_durable(draft, plan, stepped);
            draft = rest;
        }
    }

    /// Steps the draft's inputs, as many as one record can hold with what they led to.
    fn step(&mut self, draft: &Draft) -> Stepped {
        let at = draft.at.max(self.parts.moment.at);
        let (mut decisions, mut inputs, mut bytes) = (Vec::new(), 0, 0);
        let mut flagged = Vec::with_capacity(draft.inputs.len().min(self.bounds.inputs));
        // A step that stumbled may have left some behind: they are no part of this one.
        self.outputs.clear();
        for (index, input) in draft.inputs.iter().enumerate().take(self.bounds.inputs) {
            if bytes > self.bounds.decisions_bytes {
                break;
            }
            if index % FORESEEN_MAX == 0 {
                let coming = &draft.inputs[index..];
                self.parts.engine.foresee(&coming[..coming.len().min(FORESEEN_MAX)]);
            }
            let position = Position(self.parts.position.0 + 1 + index as u64);
            // Inputs are small; the one that is not, a plan, sits behind a shared pointer.
            let event = Event { at, position, input: input.clone() };
            self.parts.engine.step(&event, &mut self.outputs);
            // As late as a bug of the engine's may strike: with some of its outputs out.
            #[cfg(test)]
            super::super::tests::stumble_over(input);
            inputs += 1;
            bytes += bytes_of_bundle(input);
            for output in self.outputs.drain(..) {
                match output {
                    Output::Decision(decision) => {
                        bytes += bytes_of(&decision);
                        decisions.push((index as u32, *decision));
                    }
                    Output::Flagged(checked) => flagged.push(checked),
                }
            }
        }
        // The record is kept for a while: not with room for what it has not.
        flagged.shrink_to_fit();
        decisions.shrink_to_fit();
        Stepped { decisions, flagged, inputs }
    }

    fn make_durable(&mut self, draft: Draft, plan: PlanId, stepped: Stepped) {
        let Draft { at, inputs, replies, mut acks, refused, closed: _ } = draft;
        let Stepped { decisions, flagged, .. } = stepped;
        let at = at.max(self.parts.moment.at);
        let moment = self.parts.engine.moment();
        let record = Arc::new(Record {
            first: self.parts.position.next(),
            at,
            offset: moment.offset,
            run: self.parts.run,
            engine: ENGINE_VERSION,
            plan,
            inputs,
            decisions,
            flagged,
            refused,
        });
        let began = Instant::now();
        self.last_sync = Some(began);
        crash::too_early(Early::Acknowledge, || {
            let done = if acks.is_empty() { Done::Nothing } else { Done::Something };
            acknowledge(std::mem::take(&mut acks));
            done
        });
        crash::may_come(Before::Append);
        self.append(&record);
        histogram!("forewarn_log_sync_seconds").record(began.elapsed().as_secs_f64());
        self.tally.count(&record, self.parts.engine.plan(), Moment { at, ..moment });
        self.parts.position = record.last();
        gauge!("forewarn_log_position").set(self.parts.position.0 as f64);
        self.parts.moment = Moment { at, ..moment };
        self.release(&record, replies, acks);
    }

    /// The engine stumbled: rebuild it from the log, and step by halves until
    /// the culprit stands alone; that one is quarantined and acknowledged.
    fn find_culprit(&mut self, draft: Draft) {
        self.parts.engine = match self.parts.recovery.rebuild() {
            Ok(engine) => engine,
            Err(error) => {
                error!(%error, "the engine cannot be rebuilt from the log: stopping at once");
                std::process::abort();
            }
        };
        if draft.inputs.len() > 1 {
            let middle = draft.inputs.len() / 2;
            let (first, second) = draft.cut(middle);
            self.commit(first);
            self.commit(second);
            return;
        }
        let Draft { at, inputs, replies, acks, mut refused, closed: _ } = draft;
        for input in &inputs {
            error!(?input, "an input made the engine stumble: it is quarantined");
            refused.push(Refused {
                source: source_of(input),
                topic: "engine".into(),
                bytes: minicbor::to_vec(input).expect("encoding into a Vec cannot fail").into(),
                reason: "the engine stumbled over this input: please report it".into(),
                ground: Ground::Stumbled,
            });
        }
        counter!("forewarn_poison_inputs_total").increment(1);
        let key = TroubleKey { code: TroubleCode::PoisonInput, subject: "engine".into() };
        let detail = "an input made the engine stumble; see `forewarn quarantine`".to_owned();
        let report = Input::Trouble(TroubleReport { key, present: true, detail });
        // Whoever asked hears that nothing came of it: the trouble is no answer.
        let replies = replies.into_iter().map(|(_, reply)| (0..0, reply)).collect();
        self.commit(Draft { at, inputs: vec![report], replies, acks, refused, ..Draft::default() });
    }
}
