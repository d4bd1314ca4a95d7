//! One connection once it is let in: one task that reads, hands over, and
//! acknowledges what the log has synced.

use std::sync::Arc;

use bytes::BytesMut;
use rmqtt_codec::v5::DisconnectReasonCode;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::ports::{Acks, Batch, Gate};

use super::answer;
use super::desk::Desk;
use super::gate::{ConnectionGate, Owed};
use super::handshake::Admitted;
use super::limits::{INBOX_PAUSE, INBOX_WAIT_MAX, LIFE_BYTES, STOP_MAX};
use super::rate::Rate;
use super::refusal::{Fault, Reason};
use super::stream::{self, WriteError};
use super::taking::{Gathered, Taking};
use super::wire::{Packet, Version};

/// A connection and what it has under way.
pub(super) struct Connection<S> {
    stream: S,
    desk: Arc<Desk>,
    client: Admitted,
    taking: Taking,
    gate: Arc<ConnectionGate>,
    owed: Owed,
    out: BytesMut,
    rate: Rate,
    waits: Waits,
    /// The last sign of life.
    heard: Instant,
    /// Bytes of an unfinished packet since then.
    progress: usize,
    timer: std::pin::Pin<Box<Sleep>>,
}

/// What a connection waits for before it takes in more.
enum Waits {
    /// More bytes from the peer.
    Bytes,
    /// Word from the log: 3.1.1 knows no Receive Maximum, so it is not read meanwhile.
    Acknowledgements,
    /// Its allowance of packets to fill up.
    Rate(Instant),
    /// The inbox to have room for this.
    Inbox {
        batch: Batch,
        /// Not offered again before.
        again: Instant,
        /// Given up at.
        until: Instant,
    },
}

/// How a connection ended.
#[derive(Debug)]
pub(super) enum End {
    /// The peer left, with or without goodbye.
    Left,
    /// The listener stops.
    Stopping,
    /// Refused.
    Refused(Fault),
}

impl From<Fault> for End {
    fn from(fault: Fault) -> Self {
        End::Refused(fault)
    }
}

impl From<WriteError> for End {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Gone => End::Left,
            WriteError::Slow(fault) => End::Refused(fault),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Takes over after the handshake.
    pub(super) fn new(stream: S, client: Admitted, desk: Arc<Desk>) -> Self {
        let now = Instant::now();
        Connection {
            stream,
            taking: Taking::default(),
            gate: Arc::default(),
            owed: Owed::default(),
            out: BytesMut::new(),
            rate: Rate::new(desk.rate_max, now),
            waits: Waits::Bytes,
            heard: now,
            progress: 0,
            timer: Box::pin(sleep_until(now + client.silence)),
            client,
            desk,
        }
    }

    /// Serves the client until it leaves or has to.
    pub(super) async fn run(&mut self) -> End {
        match self.serve().await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    /// Says why, where there is somebody to hear it, and closes.
    pub(super) async fn close(mut self, end: &End) {
        let version = self.client.wire.version;
        match end {
            End::Left => {}
            End::Stopping => {
                self.settle_all().await;
                answer::goodbye(version, DisconnectReasonCode::ServerShuttingDown, &mut self.out);
            }
            End::Refused(fault) => answer::goodbye(version, fault.reason.code(), &mut self.out),
        }
        // The seat is free at once for whoever comes next; the place is not.
        drop(self.client);
        stream::close(&mut self.stream, &self.out).await;
    }

    async fn serve(&mut self) -> Result<std::convert::Infallible, End> {
        let mut ended = std::pin::pin!(self.client.seat.end.clone().cancelled_owned());
        loop {
            self.owed.settle(&self.gate, &mut self.out);
            let taken = self.take_in(Instant::now());
            if !self.out.is_empty() {
                stream::write(&mut self.stream, &mut self.out).await?;
            }
            taken?;
            self.arm();
            let may_read = matches!(self.waits, Waits::Bytes);
            let may_offer = matches!(self.waits, Waits::Inbox { again, .. } if again <= Instant::now());
            tokio::select! {
                biased;
                () = &mut ended => return Err(self.told_to_end()),
                () = self.gate.opened() => {}
                () = self.desk.inbox.room(), if may_offer => self.offer_again(),
                read = stream::read(&mut self.stream, &mut self.client.wire.carry), if may_read => {
                    self.heard_bytes(&read)?;
                }
                () = &mut self.timer => self.check_time(Instant::now())?,
            }
        }
    }

    /// Takes in what stands in the carry, as far as it may.
    fn take_in(&mut self, now: Instant) -> Result<(), End> {
        if matches!(self.waits, Waits::Inbox { .. }) {
            return Ok(());
        }
        self.waits = Waits::Bytes;
        if !self.client.wire.has_packet()? {
            return Ok(());
        }
        let setup = Arc::clone(&self.desk.current.borrow());
        let mut gathered = Gathered::begin(&setup, &self.client.identity, &self.desk)?;
        let taken = self.gather(&mut gathered, now);
        // What came before a fault counts: it was sent in good order.
        let (batch, messages) = gathered.finish(|tokens| {
            let gate: Arc<dyn Gate> = Arc::clone(&self.gate) as _;
            Acks { gate, tokens }
        });
        if messages > 0 {
            self.offer(batch, messages, now);
        }
        taken
    }

    fn gather(&mut self, gathered: &mut Gathered<'_>, now: Instant) -> Result<(), End> {
        let version = self.client.wire.version;
        while self.client.wire.has_packet()? {
            if version == Version::V4 && self.owed.is_full() {
                self.waits = Waits::Acknowledgements;
                return Ok(());
            }
            if let Err(at) = self.rate.take(now) {
                self.waits = Waits::Rate(at);
                return Ok(());
            }
            let Some(packet) = self.client.wire.next()? else { return Ok(()) };
            (self.heard, self.progress) = (now, 0);
            let from = self.out.len();
            match packet {
                Packet::Publish(publish) => {
                    self.taking.message(&publish, &mut self.owed, gathered, &self.desk)?;
                }
                Packet::Subscribe { packet, filters } => {
                    self.desk.tally.count(Reason::Subscription, 1);
                    answer::refuse_subscription(version, packet, filters, &mut self.out);
                }
                Packet::Unsubscribe { packet, filters } => {
                    answer::unsubscribed(version, packet, filters, &mut self.out);
                }
                Packet::Ping => answer::pong(&mut self.out),
                Packet::Disconnect => return Err(End::Left),
            }
            answer::fits(from, &self.out, self.client.peer_max)?;
        }
        Ok(())
    }

    /// Hands a batch over. Full: with QoS 1 in it, it is kept and the client
    /// not read until there is room; QoS 0 alone is shed.
    fn offer(&mut self, batch: Batch, messages: u64, now: Instant) {
        match self.desk.inbox.offer(batch) {
            Ok(()) => {}
            Err(batch) if batch.acks.is_some() => {
                self.waits = Waits::Inbox { batch, again: now, until: now + INBOX_WAIT_MAX };
            }
            Err(_) => return self.desk.tally.count(Reason::Shed, messages),
        }
        metrics::counter!("forewarn_listener_messages_total").increment(messages);
    }

    fn offer_again(&mut self) {
        if let Waits::Inbox { batch, until, .. } = std::mem::replace(&mut self.waits, Waits::Bytes)
            && let Err(batch) = self.desk.inbox.offer(batch)
        {
            self.waits = Waits::Inbox { batch, again: Instant::now() + INBOX_PAUSE, until };
        }
    }

    fn heard_bytes(&mut self, read: &std::io::Result<usize>) -> Result<(), End> {
        match read {
            Ok(0) | Err(_) => Err(End::Left),
            Ok(bytes) => {
                self.progress += bytes;
                if self.progress >= LIFE_BYTES {
                    (self.heard, self.progress) = (Instant::now(), 0);
                }
                Ok(())
            }
        }
    }

    /// Sets the timer to whatever falls due first. It is moved only where it
    /// must ring earlier, so that a reading does not touch the timer wheel.
    fn arm(&mut self) {
        let now = Instant::now();
        let due = match &self.waits {
            Waits::Bytes => self.heard + self.client.silence,
            // Who is not read cannot be heard: its keep-alive stands still.
            Waits::Acknowledgements => {
                self.heard = now;
                now + self.client.silence
            }
            Waits::Rate(at) => {
                self.heard = now;
                *at
            }
            Waits::Inbox { again, until, .. } => {
                self.heard = now;
                if *again > now { (*again).min(*until) } else { *until }
            }
        };
        if self.timer.is_elapsed() || due < self.timer.deadline() {
            self.timer.as_mut().reset(due);
        }
    }

    fn check_time(&self, now: Instant) -> Result<(), Fault> {
        match &self.waits {
            Waits::Bytes if now >= self.heard + self.client.silence => {
                let secs = self.client.silence.as_secs_f64();
                Err(Fault::new(Reason::KeepAlive, format!("nothing heard for {secs} s")))
            }
            Waits::Inbox { until, .. } if now >= *until => {
                let detail = format!("inbox was full for {} s", INBOX_WAIT_MAX.as_secs());
                Err(Fault::new(Reason::InboxFull, detail))
            }
            Waits::Bytes | Waits::Acknowledgements | Waits::Rate(_) | Waits::Inbox { .. } => Ok(()),
        }
    }

    fn told_to_end(&self) -> End {
        if self.desk.stop.is_cancelled() {
            return End::Stopping;
        }
        Fault::new(Reason::TakenOver, "the same client has connected again").into()
    }

    /// Hands over and acknowledges what was read before the stop, for a while.
    async fn settle_all(&mut self) {
        let until = Instant::now() + STOP_MAX;
        loop {
            self.owed.settle(&self.gate, &mut self.out);
            if !self.out.is_empty() && stream::write(&mut self.stream, &mut self.out).await.is_err() {
                return;
            }
            let again = match self.waits {
                Waits::Inbox { again, .. } => Some(again),
                Waits::Bytes | Waits::Acknowledgements | Waits::Rate(_) => None,
            };
            if self.owed.is_empty() && again.is_none() {
                return;
            }
            let offer_at = again.filter(|again| *again <= Instant::now());
            tokio::select! {
                biased;
                () = self.gate.opened() => {}
                () = self.desk.inbox.room(), if offer_at.is_some() => self.offer_again(),
                () = sleep_until(again.unwrap_or(until)), if again.is_some() && offer_at.is_none() => {}
                () = sleep_until(until) => return,
            }
        }
    }
}
