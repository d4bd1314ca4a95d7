//! The door out. What is live and what is a drill are different types here,
//! so that no path leads from a drill to a live address.
//!
//! What belongs to one world leaves by that world's channels:
//!
//! ```
//! use forewarn::channels::{Channel, Envelope, door::Live};
//!
//! async fn leave(channel: &dyn Channel<Live>, envelope: &Envelope<Live>) {
//!     channel.send(envelope).await;
//! }
//! ```
//!
//! A drill's envelope does not go through a live channel:
//!
//! ```compile_fail,E0308
//! use forewarn::channels::{Channel, Envelope, door::{Drill, Live}};
//!
//! async fn leave(channel: &dyn Channel<Live>, envelope: &Envelope<Drill>) {
//!     channel.send(envelope).await;
//! }
//! ```
//!
//! A live target does not go into a drill's envelope, nor the other way round:
//!
//! ```compile_fail,E0308
//! use forewarn::channels::{Envelope, door::{Drill, Live, Target}};
//!
//! fn readdress(envelope: Envelope<Drill>, target: Target<Live>) -> Envelope<Drill> {
//!     Envelope { target, ..envelope }
//! }
//! ```
//!
//! A courier of one world takes no channel of the other:
//!
//! ```compile_fail,E0308
//! use std::sync::Arc;
//! use forewarn::channels::{Channel, door::{Drill, Live}};
//! use forewarn::courier::Parts;
//!
//! fn equip(parts: Parts<Drill>, channels: Vec<Arc<dyn Channel<Live>>>) -> Parts<Drill> {
//!     Parts { channels, ..parts }
//! }
//! ```
//!
//! And nobody makes a third world that would admit both:
//!
//! ```compile_fail,E0277
//! use forewarn::channels::door::World;
//! use forewarn_core::warning::Revision;
//!
//! #[derive(Debug, Clone, Copy)]
//! struct Both;
//!
//! impl World for Both {
//!     const STAMP: &'static str = "both";
//!
//!     fn admits(_: &Revision) -> bool {
//!         true
//!     }
//! }
//! ```

use std::marker::PhantomData;

use forewarn_core::level::Status;
use forewarn_core::warning::{About, Revision};

mod sealed {
    pub trait Sealed {}
}

/// A world: live or drill. A data directory belongs to one of them for good.
pub trait World: sealed::Sealed + Copy + Send + Sync + std::fmt::Debug + 'static {
    /// Whether a revision may leave in this world.
    fn admits(revision: &Revision) -> bool;

    /// The stamp in the data directory.
    const STAMP: &'static str;
}

/// The real world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Live;

/// Drills, demos, replays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drill;

impl sealed::Sealed for Live {}
impl sealed::Sealed for Drill {}

impl World for Live {
    const STAMP: &'static str = "live";

    fn admits(revision: &Revision) -> bool {
        match revision.about {
            // A test of notification is an exercise that goes to live addresses, and says so.
            About::NotifyTest => true,
            // The canary's alone may be a test, and nothing else of the canary's may leave.
            About::Canary(_) => revision.status == Status::Test,
            About::Incident(_) | About::Trouble(_) | About::Manual(_) => revision.status == Status::Actual,
        }
    }
}

impl World for Drill {
    const STAMP: &'static str = "drill";

    fn admits(revision: &Revision) -> bool {
        revision.status != Status::Actual
    }
}

/// One address of one contact on one channel, in one world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target<W: World> {
    /// Opaque target id.
    pub id: String,
    /// The mail address or URL.
    pub address: String,
    /// The contact's name.
    pub name: String,
    /// The channel.
    pub channel: String,
    /// `zh` or `en`.
    pub language: String,
    world: PhantomData<W>,
}

impl<W: World> Target<W> {
    /// A target of this world. Only the courier of a data directory stamped
    /// with the same world makes them.
    pub fn new(id: String, address: String, name: String, channel: String, language: String) -> Self {
        Target { id, address, name, channel, language, world: PhantomData }
    }
}
