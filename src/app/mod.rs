//! Builds the service in order and stops it in reverse.

mod alerts;
mod answers;
mod backbone;
mod board;
mod clocks;
pub mod commands;
pub mod control;
pub mod demo;
pub mod desk;
mod doors;
mod ends;
mod findings;
mod heartbeat;
pub mod listening;
mod metrics;
mod notify;
mod opening;
pub mod orders;
mod pages;
mod place;
mod readiness;
mod reloaded;
mod restart;
#[cfg(test)]
mod sample;
pub mod service;
pub mod simulate;
mod sources;
mod stages;
pub mod systemd;
mod teller;
mod undelivered;

pub(crate) use opening::recovery;
