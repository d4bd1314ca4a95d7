//! The family of channels: one file a way to reach people or machines. A
//! channel makes one attempt and says what came of it; retries, order and
//! receipts are the courier's.

mod against;
mod at_level;
pub mod body;
mod by_hand;
mod cause;
pub mod chart;
pub mod chat;
mod check;
mod detail;
pub mod digest;
pub mod door;
pub mod email;
pub mod facts;
pub mod guard;
pub mod heartbeat;
pub(crate) mod kept;
pub mod mail;
pub mod naming;
pub mod page;
mod png;
mod post;
pub mod render;
#[cfg(test)]
pub(crate) mod sample;
mod service;
pub mod show;
pub mod summary;
pub mod webhook;
pub mod words;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use forewarn_core::ids::Key;
use forewarn_core::time::Moment;
use forewarn_core::warning::{About, Revision};

use crate::config::plan::{Digests, Setup};
use crate::ports::{Current, History};
use door::{Target, World};

/// What is to be delivered: one target, and the revisions in it.
#[derive(Debug, Clone)]
pub struct Envelope<W: World> {
    /// The delivery key: the same at every retry.
    pub key: Key,
    /// To whom; carries the world in its type.
    pub target: Target<W>,
    /// Why it goes there.
    pub cause: Cause,
    /// The page where whoever got it can acknowledge; `None` where the site has no public address.
    pub link: Option<String>,
    /// One revision, or several for a digest, the worst first; each complete in itself.
    pub revisions: Vec<Arc<Revision>>,
    /// In a digest, the delivery that each of them is, in the same order; else empty.
    pub members: Vec<Member>,
    /// Names, units, words and senders of the moment of sending.
    pub setup: Arc<Setup>,
}

/// One of the deliveries in a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its own key.
    pub key: Key,
    /// Its own page, as [`Envelope::link`].
    pub link: Option<String>,
}

/// Why a revision goes to a target; of several, the last of these counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A route leads there.
    Routed,
    /// It went there before, and is sent once more: asked again, or re-sent by hand.
    Again,
    /// Those whom it went to have not acknowledged it.
    InStead,
}

impl Cause {
    /// Why it goes to this receiver, where that is to be told; else nothing.
    fn notice(self, words: &words::Words) -> &str {
        match self {
            Cause::Routed => "",
            Cause::Again => words.get("text.asked_again"),
            Cause::InStead => words.get("text.goes_on"),
        }
    }

    /// The same of a message with several warnings in it.
    fn notice_of_several(self, words: &words::Words) -> &str {
        match self {
            Cause::Routed => "",
            Cause::Again => words.get("digest.asked_again"),
            Cause::InStead => words.get("digest.goes_on"),
        }
    }
}

/// What came of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// The receiver took it.
    Accepted,
    /// Not now: try again, not before this long where the receiver said so.
    Retry {
        /// The receiver's own wish (`Retry-After`).
        after: Option<Duration>,
        /// Why, without addresses.
        reason: String,
    },
    /// The receiver refused it for good.
    Rejected {
        /// Why, without addresses.
        reason: String,
    },
    /// The guard refused the address.
    Forbidden {
        /// Why, without addresses.
        reason: String,
    },
}

/// Connections at once to one server, where a channel says nothing else.
pub const CONNECTIONS_MAX: usize = 4;

/// One way to reach people or machines.
pub trait Channel<W: World>: Send + Sync + std::fmt::Debug {
    /// The name that contacts and routes use.
    fn name(&self) -> &'static str;

    /// The server an address leads to: the courier caps connections by it.
    fn server(&self, target: &Target<W>) -> String;

    /// Connections at once to one server; the courier opens no more.
    fn connections_max(&self, _setup: &Setup) -> usize {
        CONNECTIONS_MAX
    }

    /// From how many messages on a target gets digests; `None`: each warning
    /// goes by itself. Whatever people read has some.
    fn digests(&self, _setup: &Setup) -> Option<Digests> {
        None
    }

    /// Makes one attempt, within the channel's own time limit.
    fn send<'a>(&'a self, envelope: &'a Envelope<W>) -> Pin<Box<dyn Future<Output = Sent> + Send + 'a>>;
}

/// Gives the time: engine and civil, and whether civil time can be trusted.
#[derive(Clone)]
pub struct Now(Arc<dyn Fn() -> Moment + Send + Sync>);

impl Now {
    /// A clock that is asked at every attempt.
    pub fn new(clock: impl Fn() -> Moment + Send + Sync + 'static) -> Now {
        Now(Arc::new(clock))
    }

    /// The time.
    pub fn moment(&self) -> Moment {
        (self.0)()
    }
}

impl std::fmt::Debug for Now {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Now").finish_non_exhaustive()
    }
}

/// Every channel, ready to send in one world.
pub fn build<W: World>(
    setup: Current,
    history: Arc<dyn History>,
    now: Now,
    canary: heartbeat::Watched,
) -> Vec<Arc<dyn Channel<W>>> {
    let mut channels: Vec<Arc<dyn Channel<W>>> = vec![
        Arc::new(heartbeat::Heartbeat::<W>::new(now.clone(), canary)),
        Arc::new(email::Email::<W>::new(setup, history, now.clone())),
    ];
    let chats = chat::SERVICES.map(|service| chat::Chat::<W>::new(service, now.clone()));
    channels.push(Arc::new(webhook::Webhook::<W>::new(now)));
    channels.extend(chats.map(|chat| Arc::new(chat) as Arc<dyn Channel<W>>));
    channels
}

/// The last look at the door: every revision may leave in this world, and a
/// drill shares no envelope with what is real.
fn admitted<W: World>(envelope: &Envelope<W>) -> Result<(), Sent> {
    let Some(head) = envelope.revisions.first() else {
        return Err(Sent::Rejected { reason: "an empty envelope".into() });
    };
    if envelope.revisions.iter().any(|revision| matches!(revision.about, About::Canary(_))) {
        return Err(Sent::Forbidden {
            reason: "the canary goes by its own channel, and to no person".into(),
        });
    }
    if !envelope.revisions.iter().all(|revision| W::admits(revision)) {
        return Err(Sent::Forbidden { reason: format!("its status may not leave a {} service", W::STAMP) });
    }
    if envelope.revisions.iter().any(|revision| revision.status != head.status) {
        return Err(Sent::Rejected { reason: "a drill and what is real in one envelope".into() });
    }
    Ok(())
}
