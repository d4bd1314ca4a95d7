//! Builds the service in order and stops it in reverse.

mod backbone;
mod clocks;
pub mod control;
pub mod demo;
pub mod desk;
mod findings;
pub mod listening;
mod metrics;
mod notify;
mod opening;
mod pages;
mod place;
mod reloaded;
mod restart;
#[cfg(test)]
mod sample;
pub mod service;
pub mod simulate;
mod sources;
mod stages;
pub mod systemd;
mod undelivered;

pub(crate) use opening::recovery;
