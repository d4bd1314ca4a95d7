//! Builds the service in order and stops it in reverse.

pub mod control;
