//! What people wrote becomes what is meant, or a list of faults.

pub mod plan;
pub mod secret;
