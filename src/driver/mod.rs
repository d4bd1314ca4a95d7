//! Stamp, step, commit, acknowledge, release: the loop that turns what came in
//! into what is durable, and only then into what is acted on.

pub mod inbox;
pub mod stamp;
