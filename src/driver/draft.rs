//! A record in the making: inputs that will be stepped at one instant and
//! become durable together.

use forewarn_core::event::Input;
use forewarn_core::time::Timestamp;

use super::inbox::{Asked, Reply};
use crate::ports::{Acks, Refused};

/// Inputs for one record, with everybody who waits for it.
#[derive(Default)]
pub(super) struct Draft {
    /// The latest stamp among them.
    pub(super) at: Timestamp,
    /// In order.
    pub(super) inputs: Vec<Input>,
    /// Each told of the decisions on the inputs from its first index up to its last.
    pub(super) replies: Vec<(std::ops::Range<usize>, Reply)>,
    /// Told once it is durable.
    pub(super) acks: Vec<Acks>,
    /// Committed beside the inputs.
    pub(super) refused: Vec<Refused>,
}

impl Draft {
    pub(super) fn is_empty(&self) -> bool {
        self.inputs.is_empty() && self.refused.is_empty() && self.acks.is_empty()
    }

    /// Adds a control input with its stamp.
    pub(super) fn ask(&mut self, asked: Asked) {
        let first = self.inputs.len();
        self.at = self.at.max(asked.at);
        self.inputs.extend(asked.inputs);
        if let Some(reply) = asked.reply {
            self.replies.push((first..self.inputs.len(), reply));
        }
    }

    /// Whether nothing may follow in this record: a plan change closes its batch.
    pub(super) fn is_closed(&self) -> bool {
        self.inputs.iter().any(|input| matches!(input, Input::Plan(_) | Input::Started(_)))
    }

    /// Cuts it in two: the first `at` inputs, and the rest.
    /// Whoever waits is told with the second part: by then both are durable.
    pub(super) fn cut(mut self, at: usize) -> (Draft, Draft) {
        let second = Draft {
            at: self.at,
            inputs: self.inputs.split_off(at),
            replies: Vec::new(),
            acks: std::mem::take(&mut self.acks),
            refused: std::mem::take(&mut self.refused),
        };
        let mut first = self;
        let mut second = second;
        for (range, reply) in std::mem::take(&mut first.replies) {
            if range.end <= at {
                first.replies.push((range, reply));
            } else {
                let range = range.start.saturating_sub(at)..range.end - at;
                second.replies.push((range, reply));
            }
        }
        (first, second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_keeps_every_input_and_everybody_who_waits() {
        let mut draft = Draft::default();
        for inputs in [1, 2, 2] {
            let asked = Asked {
                at: Timestamp(inputs),
                inputs: vec![Input::Tick; inputs as usize],
                reply: Some(Box::new(|_| {})),
            };
            draft.ask(asked);
        }
        let (first, second) = draft.cut(2);
        assert_eq!((first.inputs.len(), second.inputs.len()), (2, 3));
        assert_eq!((first.replies.len(), second.replies.len()), (1, 2));
        assert_eq!(second.replies[0].0, 0..1, "what straddles the cut is told with the second part");
    }
}
