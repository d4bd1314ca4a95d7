//! From messages to one batch a read.

use std::sync::Arc;

use forewarn_core::time::Timestamp;
use rmqtt_codec::types::Publish;

use crate::config::plan::{Decode, Setup};
use crate::formats::{Message, Session};
use crate::ingest::intake::{self, Origin, Permit, Sending};
use crate::ports::{Acks, Batch, Ground};

use super::alias::Aliases;
use super::checks;
use super::desk::Desk;
use super::gate::Owed;
use super::limits::IN_FLIGHT_MAX;
use super::refusal::{Fault, Reason};
use super::sessions::Identity;

/// What a connection remembers between messages.
#[derive(Debug, Default)]
pub(super) struct Taking {
    aliases: Aliases,
    session: Session,
}

/// What one read yields, under one setup and one time of receipt.
pub(super) struct Gathered<'a> {
    setup: &'a Arc<Setup>,
    decode: &'a Decode,
    permit: Permit<'a>,
    received: Timestamp,
    batch: Batch,
    tokens: Vec<u64>,
    messages: u64,
}

impl<'a> Gathered<'a> {
    /// Begins with nothing. Refuses where the setup in force no longer knows
    /// the listener or the device.
    pub(super) fn begin(setup: &'a Arc<Setup>, identity: &Identity, desk: &Desk) -> Result<Self, Fault> {
        let source = setup.sources.iter().find(|source| source.ix == desk.source).ok_or_else(|| {
            Fault::new(Reason::SourceGone, "the listener's source left the configuration, expected a restart")
        })?;
        Ok(Gathered {
            setup,
            decode: &source.decode,
            permit: identity.permit(setup)?,
            received: desk.clock.civil(),
            batch: Batch { source: desk.source, ..Batch::default() },
            tokens: Vec::new(),
            messages: 0,
        })
    }

    /// The batch, and how many messages it is of.
    pub(super) fn finish(self, acks: impl FnOnce(Vec<u64>) -> Acks) -> (Batch, u64) {
        let mut batch = self.batch;
        batch.acks = (!self.tokens.is_empty()).then(|| acks(self.tokens));
        (batch, self.messages)
    }
}

impl Taking {
    /// Takes one message into the batch; with QoS 1 it is owed its acknowledgement.
    pub(super) fn message(
        &mut self,
        publish: &Publish,
        owed: &mut Owed,
        gathered: &mut Gathered<'_>,
        desk: &Desk,
    ) -> Result<(), Fault> {
        let alias = publish.properties.as_ref().and_then(|properties| properties.topic_alias);
        let topic = self.aliases.resolve(&publish.topic, alias)?;
        if let Some(packet) = publish.packet_id {
            if owed.is_full() {
                let detail =
                    format!("message without leave, expected at most {IN_FLIGHT_MAX} unacknowledged");
                return Err(Fault::new(Reason::ReceiveMaximum, detail));
            }
            gathered.tokens.push(owed.add(packet));
        }
        gathered.messages += 1;
        // RETAIN asks a broker to keep the message: here it says nothing about
        // its age. Only what a broker gives out again is history.
        let message =
            Message { topic, payload: &publish.payload, received: gathered.received, retained: false };
        if let Some(oddity) = checks::unusual(topic) {
            desk.tally.count(Reason::TopicUnusual, 1);
            let refused = intake::refuse(desk.source, &message, Ground::Topic, oddity.into());
            gathered.batch.refused.push(refused);
            return Ok(());
        }
        let packet = publish.packet_id.map_or(0, |packet| u64::from(packet.get()));
        let sending = if publish.dup { Sending::PerhapsAgain } else { Sending::First };
        let origin = Origin { source: desk.source, packet, sending, permit: gathered.permit };
        let Gathered { setup, decode, batch, .. } = gathered;
        intake::take(setup, decode, &mut self.session, origin, &message, batch);
        Ok(())
    }
}
