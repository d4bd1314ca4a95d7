//! From a broker's messages to the inbox: read, handed over, and acknowledged
//! once they are durable.

use std::sync::Arc;
use std::time::{Duration, Instant};

use forewarn_core::event::{Input, TroubleReport};
use forewarn_core::time::Timestamp;
use forewarn_core::warning::{TroubleCode, TroubleKey};
use tracing::{debug, warn};

use super::client::{Arrived, Client, Heard, Lost};
use super::gate::AckGate;
use crate::config::plan::{Mqtt, Setup, Source};
use crate::formats::{self, Message};
use crate::ingest::intake::{self, Origin, Permit, Sending};
use crate::ports::{Acks, Batch, CivilClock, Current, Gate, Ground, Inbox};

/// How long a message too large is told, unless another comes.
const OVERSIZE_TOLD: Duration = Duration::from_hours(1);

/// What remains the same over a source's connections.
pub(super) struct Taking {
    pub(super) source: Source,
    packet_max: usize,
    topics: Vec<String>,
    qos: u8,
    current: Current,
    pub(super) inbox: Arc<dyn Inbox>,
    clock: Arc<dyn CivilClock>,
    pub(super) gate: Arc<AckGate>,
    /// What the format remembers of the source.
    memory: formats::Session,
    last_unnumbered: u64,
    oversize_until: Option<Instant>,
}

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing that matters to the supervisor.
    Goes,
    /// Subscribed: the source is up.
    Up,
    /// The inbox has no room for QoS 1: drop the connection, resume when it has.
    Full,
}

impl Taking {
    pub(super) fn new(
        source: &Source,
        mqtt: &Mqtt,
        current: Current,
        inbox: Arc<dyn Inbox>,
        clock: Arc<dyn CivilClock>,
    ) -> Self {
        Taking {
            source: source.clone(),
            packet_max: mqtt.packet_max as usize,
            topics: mqtt.topics.clone(),
            qos: mqtt.qos,
            current,
            inbox,
            clock,
            gate: Arc::new(AckGate::new(&source.name)),
            memory: formats::Session::default(),
            last_unnumbered: 0,
            oversize_until: None,
        }
    }

    /// Takes what one poll brought, and all that came with the same read.
    pub(super) fn take(&mut self, client: &mut Client, first: Heard) -> Result<Progress, Lost> {
        let mut progress = Ok(Progress::Goes);
        let mut messages = Vec::new();
        let mut next = Some(first);
        while let Some(heard) = next {
            match heard {
                Heard::Message(message) => messages.push(message),
                Heard::Nothing => {}
                Heard::Connected { session_kept } => {
                    debug!(source = %self.source.name, session_kept, "connected to broker");
                    // The broker may have forgotten them, whatever it says of the session.
                    if let Err(reason) = client.subscribe(&self.topics, self.qos) {
                        progress = Err(Lost::Failed(reason));
                    }
                }
                Heard::Subscribed { refused: 0 } => progress = progress.map(|_| Progress::Up),
                Heard::Subscribed { refused } => {
                    progress = Err(Lost::Failed(format!(
                        "the broker refused {refused} of {} topics, expected leave to read them",
                        self.topics.len()
                    )));
                }
            }
            next = client.buffered();
        }
        // What came with a refusal is taken all the same: QoS 0 does not come again.
        match self.hand_over(&messages, Tokens::Given) {
            HandedOver::Yes => progress,
            HandedOver::NoRoom => progress.map(|_| Progress::Full),
        }
    }

    /// Takes what had come in before a connection was lost. Nothing of it can
    /// be acknowledged any more, so QoS 1 comes again and is then a duplicate;
    /// but QoS 0 does not, nor does what a broker forgot.
    pub(super) fn take_rest(&mut self, client: &mut Client) {
        let mut messages = Vec::new();
        while let Some(heard) = client.buffered() {
            if let Heard::Message(message) = heard {
                messages.push(message);
            }
        }
        self.hand_over(&messages, Tokens::None);
    }

    fn hand_over(&mut self, messages: &[Arrived], tokens: Tokens) -> HandedOver {
        if messages.is_empty() {
            return HandedOver::Yes;
        }
        let setup: Arc<Setup> = self.current.borrow().clone();
        let received = self.clock.civil();
        let mut batch = Batch { source: self.source.ix, ..Batch::default() };
        for message in messages {
            self.read(&setup, received, message, &mut batch);
        }
        let packets: Vec<u16> =
            messages.iter().map(|message| message.packet).filter(|packet| *packet != 0).collect();
        let numbered = packets.len();
        let unnumbered = messages.len() - numbered;
        let given = if tokens == Tokens::Given { numbered } else { 0 };
        if given > 0 {
            let gate: Arc<dyn Gate> = self.gate.clone();
            batch.acks = Some(Acks { gate, tokens: self.gate.tokens(&packets) });
        }
        if self.inbox.offer(batch).is_ok() {
            self.count(numbered, unnumbered);
            return HandedOver::Yes;
        }
        self.gate.withdraw(given);
        let source = self.source.name.clone();
        metrics::counter!("forewarn_mqtt_shed_total", "source" => source).increment(unnumbered as u64);
        if given > 0 { HandedOver::NoRoom } else { HandedOver::Yes }
    }

    fn read(&mut self, setup: &Setup, received: Timestamp, arrived: &Arrived, batch: &mut Batch) {
        let topic = String::from_utf8_lossy(&arrived.topic);
        let message =
            Message { topic: &topic, payload: &arrived.payload, received, retained: arrived.retained };
        if arrived.payload.len() > self.packet_max {
            let what = format!(
                "message of {} bytes, expected at most {} (packet_max of the source)",
                arrived.payload.len(),
                self.packet_max
            );
            self.tell_oversize(&what);
            batch.refused.push(intake::refuse(self.source.ix, &message, Ground::TooLarge, what));
            return;
        }
        let packet = match arrived.packet {
            0 => self.unnumbered(received),
            packet => packet.into(),
        };
        let sending = if arrived.again { Sending::PerhapsAgain } else { Sending::First };
        let origin = Origin { source: self.source.ix, packet, sending, permit: Permit::Any };
        // A reload may have changed how this source is read, or taken it away while it winds down.
        let decode = setup.sources.iter().find(|source| source.ix == self.source.ix);
        let decode = &decode.unwrap_or(&self.source).decode;
        intake::take(setup, decode, &mut self.memory, origin, &message, batch);
    }

    /// What stands for the packet id of a message that has none: QoS 0 is never
    /// repeated, so two of the same bytes are two measurements.
    fn unnumbered(&mut self, received: Timestamp) -> u64 {
        self.last_unnumbered = received.0.unsigned_abs().max(self.last_unnumbered + 1);
        self.last_unnumbered | 1 << 63
    }

    fn count(&self, numbered: usize, unnumbered: usize) {
        for (qos, count) in [("1", numbered), ("0", unnumbered)] {
            if count > 0 {
                let source = self.source.name.clone();
                metrics::counter!("forewarn_mqtt_messages_total", "source" => source, "qos" => qos)
                    .increment(count as u64);
            }
        }
    }

    /// A message too large is the operator's to know of, once it is seen and until it stays away.
    pub(super) fn tell_oversize(&mut self, what: &str) {
        warn!(source = %self.source.name, what, "message too large");
        if self.oversize_until.replace(Instant::now() + OVERSIZE_TOLD).is_none() {
            self.tell(Some(what));
        }
    }

    /// When to look whether a message too large stayed away.
    pub(super) fn look_again(&self) -> Option<Instant> {
        self.oversize_until
    }

    /// Ends the trouble of a message too large if its time is up.
    pub(super) fn looked(&mut self) {
        if self.oversize_until.is_some_and(|until| until <= Instant::now()) {
            self.oversize_until = None;
            self.tell(None);
        }
    }

    /// What is too large, or that it is over: then what stood is named.
    fn tell(&self, what: Option<&str>) {
        let key = TroubleKey { code: TroubleCode::MessageTooLarge, subject: self.source.name.clone() };
        let (present, detail) = (what.is_some(), what.unwrap_or_default().to_owned());
        self.inbox.control(Input::Trouble(TroubleReport { key, present, detail }));
    }
}

/// Whether messages can still be acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tokens {
    Given,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HandedOver {
    Yes,
    /// Some of it is QoS 1, and comes again.
    NoRoom,
}
