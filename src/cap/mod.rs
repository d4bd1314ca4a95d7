//! Warnings as CAP 1.2 alerts, one a revision, and the feed that lists them.
//!
//! An alert is what somebody was told: it is made of the same facts as mails
//! and webhooks, once, when the revision is there, and kept on a [`shelf`] from
//! then on, so that what an identifier stands for never changes. What would not
//! be a sound alert is withheld, counted and told.

pub mod alert;
pub mod check;
pub mod feed;
mod say;
pub mod shelf;
mod write;
pub mod xml;

pub use alert::Alert;
pub use say::{Earlier, said};
pub use shelf::{FILE, Shelf};
