//! In which order heads took their first reading, and when.

use std::collections::VecDeque;

use forewarn_core::ids::Position;
use forewarn_core::time::{Span, Timestamp};

/// Heads begun by one handing over within so long share one mark, and count as
/// begun when the first of them was.
const MARK_SPAN: Span = Span::from_secs(1);

/// When a head took its first reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Begun {
    pub(super) sensor: u32,
    /// Counts them all, round and round.
    pub(super) number: u32,
    /// All up to here had been handed over before it.
    pub(super) after: Position,
    pub(super) received: Timestamp,
}

/// What heads begun one after the other have in common.
#[derive(Debug, Clone, Copy)]
struct Mark {
    /// The number of the first of them.
    first: u32,
    after: Position,
    received: Timestamp,
}

/// The order. Those of heads that were emptied since stay until they are the first.
#[derive(Debug, Default)]
pub(super) struct Order {
    sensors: VecDeque<u32>,
    marks: VecDeque<Mark>,
    /// The number of the first that is left.
    first: u32,
}

impl Order {
    /// Adds a head; returns its number.
    pub(super) fn push(&mut self, sensor: u32, after: Position, received: Timestamp) -> u32 {
        let number = self.first.wrapping_add(self.sensors.len() as u32);
        let shared = |mark: &Mark| {
            mark.after == after && (Span::ZERO..MARK_SPAN).contains(&(received - mark.received))
        };
        if !self.marks.back().is_some_and(shared) {
            self.marks.push_back(Mark { first: number, after, received });
        }
        if self.sensors.len() == self.sensors.capacity() {
            // Doubled, it would have half as much room again for nothing.
            self.sensors.reserve_exact(self.sensors.len() / 8 + 1_024);
        }
        self.sensors.push_back(sensor);
        number
    }

    /// All that are left, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Begun> {
        let mut marks = self.marks.iter().copied().peekable();
        let mut mark = marks.next();
        self.sensors.iter().zip(0..).filter_map(move |(&sensor, n)| {
            let number = self.first.wrapping_add(n);
            if let Some(next) = marks.next_if(|next| next.first == number) {
                mark = Some(next);
            }
            mark.map(|Mark { after, received, .. }| Begun { sensor, number, after, received })
        })
    }

    /// Forgets the first ones, as long as `gone` says so of sensor and number.
    pub(super) fn pop_while(&mut self, gone: impl Fn(u32, u32) -> bool) {
        while self.sensors.front().is_some_and(|&sensor| gone(sensor, self.first)) {
            self.sensors.pop_front();
            self.first = self.first.wrapping_add(1);
            if self.sensors.is_empty() || self.marks.get(1).is_some_and(|next| next.first == self.first) {
                self.marks.pop_front();
            }
        }
    }

    /// What it holds of the machine's memory.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.sensors.capacity() * size_of::<u32>() + self.marks.capacity() * size_of::<Mark>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_one_batch_share_a_mark_and_keep_their_order() {
        let mut order = Order { first: u32::MAX - 5, ..Order::default() };
        let batches = [(0, 0), (10, 1_000), (10, 1_900), (10, 2_100), (10, 1_500), (20, 1_500)];
        let mut want = vec![];
        for (after, millis) in batches {
            for sensor in 0..3 {
                let (after, received) = (Position(after), Timestamp(millis * 1_000));
                let number = order.push(sensor, after, received);
                want.push(Begun { sensor, number, after, received });
            }
        }
        // It counts as begun with the first of its mark.
        for begun in &mut want[6..9] {
            begun.received = Timestamp(1_000_000);
        }
        assert_eq!(order.marks.len(), 5);
        for gone in 0..=want.len() {
            assert_eq!(order.iter().collect::<Vec<_>>(), want[gone..]);
            let next = want.get(gone).map(|begun| (begun.sensor, begun.number));
            order.pop_while(|sensor, number| next == Some((sensor, number)));
        }
        assert!(order.marks.is_empty());
        let number = order.push(7, Position(30), Timestamp::from_secs(70));
        assert_eq!(order.iter().map(|begun| begun.number).collect::<Vec<_>>(), [number]);
    }
}
