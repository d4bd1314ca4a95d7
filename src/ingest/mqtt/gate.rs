//! Acknowledgements on their way back to the broker.
//!
//! A broker numbers the messages of a connection and takes the number again
//! once it is acknowledged, or the session is lost. So a token carries the
//! epoch of its connection beside the packet id: an acknowledgement that comes
//! after the connection was lost goes nowhere, and its message comes again.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use metrics::{Counter, Gauge, counter, gauge};

use crate::ports::Gate;

/// Acknowledgements waiting for room in the client's channel: every packet id
/// once. Beyond it they are dropped, counted, and their messages come again.
pub const BACKLOG_MAX: usize = 65_535;

/// Bits of a token that hold the packet id; the epoch stands above them.
const PACKET_BITS: u32 = 16;

/// Sends one acknowledgement without waiting.
pub(super) trait Acknowledge: Send + fmt::Debug {
    /// `Err` when there is no room now.
    fn try_ack(&self, packet: u16) -> Result<(), Full>;
}

/// No room in the client's channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

/// The gate of one source, over all of its connections.
#[derive(Debug)]
pub(super) struct AckGate {
    state: Mutex<State>,
    told: Told,
}

/// What is told of it to whoever watches; there from the start.
#[derive(Debug)]
struct Told {
    waiting: Gauge,
    stale: Counter,
    dropped: Counter,
}

#[derive(Debug, Default)]
struct State {
    epoch: u64,
    line: Option<Box<dyn Acknowledge>>,
    backlog: VecDeque<u16>,
    /// Tokens given out in this epoch and not yet durable.
    owed: usize,
    #[cfg(test)]
    epochs_ignored: bool,
}

impl AckGate {
    /// Closed until the first connection.
    pub(super) fn new(source: &str) -> Self {
        let told = Told {
            waiting: gauge!("forewarn_mqtt_acks_waiting", "source" => source.to_owned()),
            stale: counter!("forewarn_mqtt_acks_stale_total", "source" => source.to_owned()),
            dropped: counter!("forewarn_mqtt_acks_dropped_total", "source" => source.to_owned()),
        };
        AckGate { state: Mutex::default(), told }
    }

    /// A new connection: an epoch of its own.
    pub(super) fn open(&self, line: Box<dyn Acknowledge>) {
        let mut state = self.lock();
        state.close();
        state.line = Some(line);
    }

    /// The connection is lost: none of its tokens counts any more.
    pub(super) fn close(&self) {
        self.lock().close();
        self.told.waiting.set(0.0);
    }

    /// The tokens of messages that came on the present connection.
    pub(super) fn tokens(&self, packets: &[u16]) -> Vec<u64> {
        let mut state = self.lock();
        state.owed += packets.len();
        packets.iter().map(|packet| state.epoch << PACKET_BITS | u64::from(*packet)).collect()
    }

    /// Takes back tokens of messages that were not handed over after all.
    pub(super) fn withdraw(&self, tokens: usize) {
        let mut state = self.lock();
        state.owed = state.owed.saturating_sub(tokens);
    }

    /// How many messages of this connection are not acknowledged yet, as far as they were handed over.
    pub(super) fn owed(&self) -> usize {
        let state = self.lock();
        state.owed + state.backlog.len()
    }

    /// Sends on what waited for room. Called after every poll: a full channel
    /// means that the poll has acknowledgements to send, so it will return.
    pub(super) fn flush(&self) {
        let mut state = self.lock();
        let State { line: Some(line), backlog, .. } = &mut *state else { return };
        while let Some(packet) = backlog.front() {
            if line.try_ack(*packet).is_err() {
                break;
            }
            backlog.pop_front();
        }
        self.told.waiting.set(backlog.len() as f64);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under this lock can panic half-way, so a poisoned lock is as good as any.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn close(&mut self) {
        self.epoch += 1;
        self.line = None;
        self.backlog.clear();
        self.owed = 0;
    }

    fn is_of_this_epoch(&self, token: u64) -> bool {
        #[cfg(test)]
        if self.epochs_ignored {
            return true;
        }
        token >> PACKET_BITS == self.epoch
    }

    /// Whether the acknowledgement is on its way.
    fn acknowledge(&mut self, token: u64) -> Acknowledged {
        if !self.is_of_this_epoch(token) {
            return Acknowledged::Stale;
        }
        let Some(line) = &self.line else { return Acknowledged::Stale };
        self.owed = self.owed.saturating_sub(1);
        let packet = token as u16;
        // In order: none overtakes those that wait.
        if self.backlog.is_empty() && line.try_ack(packet).is_ok() {
            return Acknowledged::Sent;
        }
        if self.backlog.len() == BACKLOG_MAX {
            return Acknowledged::Dropped;
        }
        self.backlog.push_back(packet);
        Acknowledged::Sent
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Acknowledged {
    Sent,
    Stale,
    Dropped,
}

impl Gate for AckGate {
    fn durable(&self, tokens: &[u64]) {
        let (mut late, mut dropped) = (0, 0);
        // One lock for all: `close` cannot come between a token's check and its sending.
        let mut state = self.lock();
        for token in tokens {
            match state.acknowledge(*token) {
                Acknowledged::Sent => {}
                Acknowledged::Stale => late += 1,
                Acknowledged::Dropped => dropped += 1,
            }
        }
        self.told.waiting.set(state.backlog.len() as f64);
        drop(state);
        self.told.stale.increment(late);
        self.told.dropped.increment(dropped);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// A channel with room for so many acknowledgements.
    #[derive(Debug, Clone)]
    struct Line {
        sent: Arc<Mutex<Vec<u16>>>,
        room: Arc<Mutex<usize>>,
    }

    impl Line {
        fn new(room: usize) -> Self {
            Line { sent: Arc::default(), room: Arc::new(Mutex::new(room)) }
        }

        fn sent(&self) -> Vec<u16> {
            self.sent.lock().expect("lock").clone()
        }
    }

    impl Acknowledge for Line {
        fn try_ack(&self, packet: u16) -> Result<(), Full> {
            let mut room = self.room.lock().expect("lock");
            *room = room.checked_sub(1).ok_or(Full)?;
            self.sent.lock().expect("lock").push(packet);
            Ok(())
        }
    }

    /// Message A has packet id 1; the connection and the broker's session are
    /// lost; message B gets packet id 1. Then A turns durable.
    fn acknowledged_on_the_second_connection(gate: &AckGate) -> Vec<u16> {
        let (first, second) = (Line::new(9), Line::new(9));
        gate.open(Box::new(first));
        let a = gate.tokens(&[1])[0];
        gate.close();
        gate.open(Box::new(second.clone()));
        let _b = gate.tokens(&[1]);
        gate.durable(&[a]);
        second.sent()
    }

    #[test]
    fn an_acknowledgement_never_outlives_its_connection() {
        assert_eq!(acknowledged_on_the_second_connection(&AckGate::new("lora")), Vec::<u16>::new());
    }

    #[test]
    fn without_the_epoch_rule_the_wrong_message_is_acknowledged() {
        let gate = AckGate::new("lora");
        gate.lock().epochs_ignored = true;
        assert_eq!(acknowledged_on_the_second_connection(&gate), [1], "B, which nobody has kept");
    }

    #[test]
    fn what_finds_no_room_waits_its_turn() {
        let gate = AckGate::new("lora");
        let line = Line::new(2);
        gate.open(Box::new(line.clone()));
        let tokens = gate.tokens(&[1, 2, 3, 4, 5]);
        gate.durable(&tokens[..4]);
        assert_eq!((line.sent(), gate.owed()), (vec![1, 2], 3));
        *line.room.lock().expect("lock") = 9;
        gate.durable(&tokens[4..]);
        assert_eq!(line.sent(), [1, 2], "none overtakes those that wait");
        gate.flush();
        assert_eq!((line.sent(), gate.owed()), (vec![1, 2, 3, 4, 5], 0));
    }

    #[test]
    fn the_backlog_is_bounded() {
        let gate = AckGate::new("lora");
        gate.open(Box::new(Line::new(0)));
        let token = gate.tokens(&[7])[0];
        gate.durable(&vec![token; BACKLOG_MAX + 10]);
        assert_eq!(gate.owed(), BACKLOG_MAX);
        gate.close();
        assert_eq!(gate.owed(), 0);
    }
}
