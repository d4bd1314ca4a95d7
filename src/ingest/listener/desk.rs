//! What all connections of a listener share.

use std::sync::Arc;
use std::time::Duration;

use forewarn_core::ids::SourceIx;
use tokio_util::sync::CancellationToken;

use crate::config::plan;
use crate::ingest::strangers::Strangers;
use crate::ports::{CivilClock, Current, Inbox};

use super::refusal::Tally;
use super::sessions::Sessions;
use super::slots::Slots;

/// What all connections share.
#[derive(Debug)]
pub(super) struct Desk {
    /// The listener's source.
    pub(super) source: SourceIx,
    /// Largest packet, bytes.
    pub(super) packet_max: usize,
    /// Packets a second of one connection; 0 is no limit.
    pub(super) rate_max: u32,
    /// From accept to a whole CONNECT.
    pub(super) handshake_max: Duration,
    /// The setup in force.
    pub(super) current: Current,
    /// Where messages go.
    pub(super) inbox: Arc<dyn Inbox>,
    /// Civil time.
    pub(super) clock: Arc<dyn CivilClock>,
    /// Who is connected.
    pub(super) sessions: Arc<Sessions>,
    /// Places for connections.
    pub(super) slots: Arc<Slots>,
    /// What was refused.
    pub(super) tally: Arc<Tally>,
    /// Who was turned away for a wrong name or secret.
    pub(super) strangers: Strangers,
    /// Cancelled when the listener stops.
    pub(super) stop: CancellationToken,
}

impl Desk {
    /// Sets it up.
    pub(super) fn new(
        settings: &plan::Listener,
        current: Current,
        inbox: Arc<dyn Inbox>,
        clock: Arc<dyn CivilClock>,
        stop: CancellationToken,
    ) -> Self {
        let tally = Arc::new(Tally::default());
        Desk {
            source: settings.source,
            packet_max: settings.packet_max,
            rate_max: settings.rate_max,
            handshake_max: Duration::from_micros(settings.handshake_max.0.max(0) as u64),
            current,
            inbox,
            clock,
            sessions: Arc::default(),
            slots: Slots::new(settings.connections_max, Arc::clone(&tally)),
            tally,
            strangers: Strangers::default(),
            stop,
        }
    }
}
