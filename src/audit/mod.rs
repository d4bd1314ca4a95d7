//! The audit trail: every command, decision, delivery and login in order, each
//! line bound to the one before by a hash. Lines are appended and never
//! changed, so that [`verify`] finds one that was edited, dropped or moved.
//!
//! It follows the log: what stands there is told from the log alone, so that a
//! trail can be held against it. Logins are no inputs of the log; whoever keeps
//! the door reports them, and they are on the disk before they are answered.
//!
//! The trail stays when the log is trimmed. What an intruder with the rights of
//! the service could still do is to write the whole of it anew: note the head
//! down elsewhere (`forewarn audit head`), and `verify` finds that too.

mod chain;
mod deed;
mod door;
mod files;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests;
mod trail;
mod verify;

pub use chain::{Head, Line};
pub use deed::{Deed, deeds};
pub use door::Door;
pub use files::{FOLDER, head, lines};
pub use trail::{Trail, TrailHandle};
pub use verify::{Flaw, Verified, verify};

/// Why the trail cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The disk.
    #[error("{0}: {1}")]
    Io(std::path::PathBuf, std::io::Error),
    /// What stands there is no line of a trail.
    #[error("{0} line {1}: {2}")]
    Line(std::path::PathBuf, u64, String),
}
