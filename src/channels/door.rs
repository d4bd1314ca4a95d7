//! The door out. What is live and what is a drill are different types here,
//! so that no path leads from a drill to a live address.

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
        // A test of notification is an exercise that goes to live addresses, and says so.
        revision.status == Status::Actual || matches!(revision.about, About::NotifyTest)
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
