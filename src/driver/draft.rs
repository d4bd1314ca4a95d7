//! A record in the making: inputs that will be stepped at one instant and
//! become durable together.

use forewarn_core::event::Input;
use forewarn_core::time::Timestamp;

use super::inbox::{Asked, Reply};
use crate::ports::{Acks, Refused};

/// Bytes of a refused message in a record beside its texts: numbers, lengths and tags.
const REFUSED_BYTES_BASE: usize = 64;

/// Inputs for one record, with everybody who waits for it.
#[derive(Default)]
pub(super) struct Draft {
    /// The latest stamp among them.
    pub(super) at: Timestamp,
    /// In order.
    pub(super) inputs: Vec<Input>,
    /// Each told of the decisions on the inputs from its first index up to its last;
    /// of none where what it asked was quarantined.
    pub(super) replies: Vec<(std::ops::Range<usize>, Reply)>,
    /// Told once it is durable.
    pub(super) acks: Vec<Acks>,
    /// Committed beside the inputs.
    pub(super) refused: Vec<Refused>,
    /// Nothing may follow in this record: a plan change closes its batch.
    pub(super) closed: bool,
}

impl Draft {
    pub(super) fn is_empty(&self) -> bool {
        self.inputs.is_empty() && self.refused.is_empty() && self.acks.is_empty()
    }

    /// Adds a control input with its stamp.
    pub(super) fn ask(&mut self, asked: Asked) {
        let first = self.inputs.len();
        self.at = self.at.max(asked.at);
        self.closed |= asked.inputs.iter().any(|input| matches!(input, Input::Plan(_) | Input::Started(_)));
        self.inputs.extend(asked.inputs);
        if let Some(reply) = asked.reply {
            self.replies.push((first..self.inputs.len(), reply));
        }
    }

    /// Whether nothing may follow in this record.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// The first of what was refused, where all of it takes more than `bytes`:
    /// a record of its own, to be committed before this one. Whoever sent is
    /// told with the last.
    pub(super) fn shed_refused(&mut self, bytes: usize) -> Option<Draft> {
        let mut taken = 0;
        let fitting = self.refused.iter().take_while(|refused| {
            taken += weight(refused);
            taken <= bytes
        });
        let fitting = fitting.count().max(1);
        (fitting < self.refused.len()).then(|| {
            let rest = self.refused.split_off(fitting);
            let refused = std::mem::replace(&mut self.refused, rest);
            Draft { at: self.at, refused, ..Draft::default() }
        })
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
            closed: self.closed,
        };
        let mut first = self;
        let mut second = second;
        // What was cut off leaves its room behind, and a record is kept for a while.
        first.inputs.shrink_to_fit();
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

/// Bytes that a refused message takes in a record, at most.
pub(super) fn weight(refused: &Refused) -> usize {
    REFUSED_BYTES_BASE + refused.topic.len() + refused.reason.len() + refused.bytes.len()
}

#[cfg(test)]
mod tests {
    use forewarn_core::ids::SourceIx;

    use super::*;
    use crate::ports::Ground;

    #[test]
    fn what_was_refused_is_shed_until_the_rest_fits() {
        let refused = |bytes: usize| Refused {
            source: SourceIx::default(),
            topic: "t".into(),
            bytes: vec![0; bytes].into(),
            reason: "r".into(),
            ground: Ground::Format,
        };
        for (sizes, parts) in [
            (vec![], vec![0]),
            (vec![10, 10], vec![2]),
            (vec![400, 400, 400], vec![2, 1]),
            (vec![5_000, 1], vec![1, 1]),
            (vec![5_000], vec![1]),
        ] {
            let mut draft =
                Draft { refused: sizes.iter().copied().map(refused).collect(), ..Draft::default() };
            let mut found = Vec::new();
            while let Some(part) = draft.shed_refused(1_000) {
                found.push(part.refused.len());
            }
            found.push(draft.refused.len());
            assert_eq!(found, parts, "{sizes:?}");
        }
    }

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
