//! Stamp, step, commit, acknowledge, release: the loop that turns what came in
//! into what is durable, and only then into what is acted on.

mod bounds;
pub mod cursors;
mod draft;
pub mod embedded;
pub mod inbox;
mod looks;
pub mod picture;
pub mod recovery;
mod release;
pub mod snapshots;
pub mod stamp;
mod tally;
#[cfg(test)]
mod tests;
pub mod upgrade;
