//! From a delivery to an envelope: addresses are looked up here, at the moment
//! of sending, and nowhere else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use forewarn_core::ids::{Key, LogId, OutputId, TargetIx};
use forewarn_core::time::Span;
use forewarn_core::warning::{Death, Due, Revision};
use metrics::{Counter, counter};

use super::delivery::{Admission, Attempt, Delivery};
use super::lane::Place;
use crate::channels::door::{Target, World};
use crate::channels::{Cause, Channel, Envelope, Member, Sent, heartbeat};
use crate::config::plan::Setup;
use crate::crash::{self, Before};
use crate::link::Links;
use crate::ports::unnamed_target;

/// Longest attempt. A channel has its own, shorter limit; this one guards
/// against a channel that does not keep it.
const ATTEMPT_MAX: Duration = Duration::from_mins(1);

/// Longest reason that is noted, in bytes.
const REASON_MAX: usize = 400;

/// Stands for the channel where none was tried, or it is not known which.
pub(super) const NO_CHANNEL: &str = "none";

/// What can come of an attempt through a channel.
const BECOMES: [Attempt; 4] = [
    Attempt::Accepted,
    Attempt::Failed(None),
    Attempt::Dead(Death::Rejected),
    Attempt::Dead(Death::Forbidden),
];

/// What can come of one without.
const BECOMES_UNTRIED: [Attempt; 3] =
    [Attempt::Failed(None), Attempt::Dead(Death::Erased), Attempt::Dead(Death::Forbidden)];

/// The ways out, and the log's names of targets.
#[derive(Debug)]
pub(super) struct Door<W: World> {
    channels: Vec<Arc<dyn Channel<W>>>,
    names: BTreeMap<TargetIx, String>,
    links: Option<Links>,
    log: LogId,
}

/// An attempt, ready to be made.
#[derive(Debug)]
pub(super) struct Ready<W: World> {
    channel: Arc<dyn Channel<W>>,
    envelope: Envelope<W>,
}

/// An attempt that was made, or could not be: for the lanes and for people.
#[derive(Debug)]
pub(super) struct Made {
    /// Through what.
    pub(super) channel: &'static str,
    /// Host and port of the server; empty where none was looked for.
    pub(super) server: String,
    /// For the lanes.
    pub(super) attempt: Attempt,
    /// For people: no address in it.
    pub(super) reason: String,
}

impl<W: World> Door<W> {
    /// Its counters of attempts are there from the start, at nought.
    pub(super) fn new(
        channels: Vec<Arc<dyn Channel<W>>>,
        names: BTreeMap<TargetIx, String>,
        links: Option<Links>,
        log: LogId,
    ) -> Self {
        for channel in &channels {
            BECOMES.into_iter().for_each(|attempt| drop(attempts(channel.name(), attempt)));
        }
        BECOMES_UNTRIED.into_iter().for_each(|attempt| drop(attempts(NO_CHANNEL, attempt)));
        Door { channels, names, links, log }
    }

    /// The log gave a target its index.
    pub(super) fn assign(&mut self, target: TargetIx, name: &str) {
        self.names.insert(target, name.to_owned());
    }

    /// The delivery of a revision to a target.
    pub(super) fn delivery(&self, revision: &Arc<Revision>, due: Due, setup: &Setup) -> Delivery {
        let (Due { target, round }, key) = (due, self.key(&revision.id, due, setup));
        // Another log's revision was never decided here, whatever its status.
        let admission = if W::admits(revision) && revision.id.log == self.log {
            Admission::Admitted
        } else {
            Admission::Refused
        };
        Delivery { key, target, round, revision: Arc::clone(revision), admission }
    }

    /// The key of the delivery of a revision to a target.
    pub(super) fn key(&self, revision: &OutputId, due: Due, setup: &Setup) -> Key {
        match self.name(due.target, setup) {
            Some(name) => Key::of_delivery(revision, name, due.round),
            None => Key::of_delivery(revision, &unnamed_target(due.target), due.round),
        }
    }

    /// Where a target is reached under this setup; `None`: nowhere, its address is gone.
    pub(super) fn place(&self, target: TargetIx, setup: &Setup) -> Option<Place> {
        let target = Self::target(target, setup)?;
        Some(match self.channel(&target.channel) {
            Some(channel) => Place {
                server: format!("{} {}", channel.name(), channel.server(&target)).into(),
                connections_max: channel.connections_max(setup),
                digests: channel.digests(setup),
            },
            // The attempt will say that there is no such channel.
            None => Place { server: target.channel.as_str().into(), connections_max: 1, digests: None },
        })
    }

    /// Looks up where it goes under this key: one delivery, or those of a digest,
    /// never none. What cannot be attempted comes back as its outcome.
    pub(super) fn open(
        &self,
        key: Key,
        deliveries: &[Delivery],
        setup: &Arc<Setup>,
    ) -> Result<Ready<W>, Made> {
        let refuse = |death, reason: &str| Made {
            channel: NO_CHANNEL,
            server: String::new(),
            attempt: Attempt::Dead(death),
            reason: reason.to_owned(),
        };
        let ours = |it: &Delivery| it.admission == Admission::Admitted && W::admits(&it.revision);
        let Some(first) = deliveries.first().filter(|_| deliveries.iter().all(ours)) else {
            return Err(refuse(Death::Forbidden, "its status does not belong to this world"));
        };
        let target = Self::target(first.target, setup)
            .ok_or_else(|| refuse(Death::Erased, "the address is gone, expected one in contacts"))?;
        let channel = self
            .channel(&target.channel)
            .ok_or_else(|| refuse(Death::Forbidden, "no channel of this name is set up"))?;
        let link = |key| {
            let (url, links) = setup.url.as_ref().zip(self.links.as_ref())?;
            Some(links.link(url, key))
        };
        let member = |it: &Delivery| Member { key: it.key, link: link(it.key) };
        let is_digest = first.key != key;
        let envelope = Envelope {
            key,
            target,
            // What asks most of whoever gets it is said of the whole.
            cause: deliveries.iter().map(cause).max().unwrap_or(Cause::Routed),
            link: link(key),
            revisions: deliveries.iter().map(|it| Arc::clone(&it.revision)).collect(),
            members: if is_digest { deliveries.iter().map(member).collect() } else { vec![] },
            setup: Arc::clone(setup),
        };
        Ok(Ready { channel: Arc::clone(channel), envelope })
    }

    fn target(ix: TargetIx, setup: &Setup) -> Option<Target<W>> {
        if ix == TargetIx::HEARTBEAT {
            // It has a place even where nobody outside listens: the canary walks all the same.
            let url = setup.heartbeat.outside.as_ref().map_or("", |outside| outside.url.expose());
            let name = heartbeat::NAME.to_owned();
            return Some(Target::new(name.clone(), url.to_owned(), String::new(), name, String::new()));
        }
        let target = setup.plan.target(ix)?;
        let address = setup.addresses.get(&target.id)?;
        Some(Target::new(
            target.id.clone(),
            address.address.clone(),
            address.name.clone(),
            target.channel.clone(),
            target.language.clone(),
        ))
    }

    fn name<'a>(&'a self, ix: TargetIx, setup: &'a Setup) -> Option<&'a str> {
        if ix == TargetIx::HEARTBEAT {
            return Some(heartbeat::NAME);
        }
        let logged = self.names.get(&ix).map(String::as_str);
        logged.or_else(|| setup.plan.target(ix).map(|target| target.id.as_str()))
    }

    fn channel(&self, name: &str) -> Option<&Arc<dyn Channel<W>>> {
        self.channels.iter().find(|channel| channel.name() == name)
    }
}

impl<W: World> Ready<W> {
    /// Makes the attempt.
    pub(super) async fn send(self) -> Made {
        crash::may_come_in_task(Before::Send).await;
        let sent = tokio::time::timeout(ATTEMPT_MAX, self.channel.send(&self.envelope)).await;
        let sent = sent.unwrap_or_else(|_| Sent::Retry {
            after: None,
            reason: format!("no end of the attempt within {} s", ATTEMPT_MAX.as_secs()),
        });
        let (attempt, reason) = match sent {
            Sent::Accepted => (Attempt::Accepted, String::new()),
            Sent::Retry { after, reason } => (Attempt::Failed(after.map(span)), reason),
            Sent::Rejected { reason } => (Attempt::Dead(Death::Rejected), reason),
            Sent::Forbidden { reason } => (Attempt::Dead(Death::Forbidden), reason),
        };
        crash::may_come(Before::Receipt);
        let target = &self.envelope.target;
        let server = without(&self.channel.server(target), &[&target.address]);
        let reason = without(&reason, &[&target.address, &target.name]);
        Made { channel: self.channel.name(), server, attempt, reason }
    }
}

fn cause(delivery: &Delivery) -> Cause {
    let routed = delivery.revision.due.iter().any(|due| due.target == delivery.target);
    match (routed, delivery.round) {
        (true, 0) => Cause::Routed,
        (true, _) => Cause::Again,
        (false, _) => Cause::InStead,
    }
}

/// How many attempts through a channel came to this.
pub(super) fn attempts(channel: &'static str, attempt: Attempt) -> Counter {
    counter!("forewarn_courier_attempts_total", "channel" => channel, "result" => attempt.word())
}

fn span(duration: Duration) -> Span {
    Span(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
}

/// The reason without what is erasable, in one line, within [`REASON_MAX`].
/// Channels keep addresses out themselves; servers quote them in their answers.
fn without(reason: &str, secrets: &[&str]) -> String {
    let mut clean: String = reason.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        clean = clean.replace(*secret, "…");
    }
    let end = (0..=REASON_MAX.min(clean.len())).rev().find(|&at| clean.is_char_boundary(at));
    clean.truncate(end.unwrap_or(0));
    clean
}
