//! What is owed to a connection: which of its messages wait for the log's
//! sync, and the gate through which word of it comes.

use std::collections::VecDeque;
use std::num::NonZeroU16;
use std::sync::{Mutex, PoisonError};

use bytes::BytesMut;
use tokio::sync::Notify;

use crate::ports::Gate;

use super::answer;
use super::limits::IN_FLIGHT_MAX;

/// The gate of one connection, and of no later one of the same client: word
/// that comes for a connection which has ended goes nowhere.
#[derive(Debug, Default)]
pub(super) struct ConnectionGate {
    // Bounded by the tokens given out: at most `IN_FLIGHT_MAX`.
    durable: Mutex<Vec<u64>>,
    wake: Notify,
}

impl Gate for ConnectionGate {
    fn durable(&self, tokens: &[u64]) {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(tokens);
        self.wake.notify_one();
    }
}

impl ConnectionGate {
    /// Resolves once something became durable since the last call.
    pub(super) async fn opened(&self) {
        self.wake.notified().await;
    }

    /// Moves what became durable into `into`, which keeps its memory.
    pub(super) fn take(&self, into: &mut Vec<u64>) {
        into.append(&mut self.durable.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Messages not yet acknowledged, in order of arrival.
#[derive(Debug, Default)]
pub(super) struct Owed {
    first: u64,
    messages: VecDeque<Message>,
    scratch: Vec<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Message {
    packet: NonZeroU16,
    durable: bool,
}

impl Owed {
    /// Whether as many wait as may.
    pub(super) fn is_full(&self) -> bool {
        self.messages.len() >= usize::from(IN_FLIGHT_MAX.get())
    }

    /// Whether none waits.
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Notes a message; the token stands for it at the gate.
    pub(super) fn add(&mut self, packet: NonZeroU16) -> u64 {
        self.messages.push_back(Message { packet, durable: false });
        self.first + self.messages.len() as u64 - 1
    }

    /// Writes the acknowledgements that are due. They go out in the order in
    /// which the messages came, as MQTT demands.
    pub(super) fn settle(&mut self, gate: &ConnectionGate, out: &mut BytesMut) {
        gate.take(&mut self.scratch);
        for token in self.scratch.drain(..) {
            let at = token.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
            if let Some(message) = at.and_then(|at| self.messages.get_mut(at)) {
                message.durable = true;
            }
        }
        while let Some(message) = self.messages.pop_front_if(|message| message.durable) {
            self.first += 1;
            answer::acknowledge(message.packet, out);
        }
        if self.messages.is_empty() {
            // An idle connection keeps no memory for what it may owe.
            self.messages = VecDeque::new();
            self.scratch = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packet ids acknowledged after each word from the log.
    fn check(words: &[&[u64]], expected: &[&[u16]]) {
        let gate = ConnectionGate::default();
        let mut owed = Owed::default();
        for packet in 1..=4 {
            owed.add(NonZeroU16::new(packet).expect("from 1"));
        }
        for (tokens, expected) in words.iter().zip(expected) {
            gate.durable(tokens);
            let mut out = BytesMut::new();
            owed.settle(&gate, &mut out);
            let met: Vec<_> = out.chunks(4).map(|ack| u16::from_be_bytes([ack[2], ack[3]])).collect();
            assert_eq!(&met, expected, "{words:?}");
        }
    }

    #[test]
    fn acknowledgements_follow_the_order_of_arrival() {
        check(&[&[0, 1], &[2, 3]], &[&[1, 2], &[3, 4]]);
        check(&[&[1], &[3], &[0], &[2]], &[&[], &[], &[1, 2], &[3, 4]]);
        check(&[&[0, 0], &[0, 9, u64::MAX]], &[&[1], &[]]);
    }
}
