//! The station stage: admit, check, window, rules, findings.

pub mod window;
