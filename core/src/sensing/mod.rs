//! The station stage: admit, check, window, rules, findings.

pub mod stage;
pub mod window;
