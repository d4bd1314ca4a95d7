//! The pure engine of Forewarn.
//!
//! Readings, commands and clock steps go in as [`event::Event`]s; decisions
//! come out: incidents, warnings with revisions, deliveries, troubles. The
//! engine asks no clock, does no IO, draws no randomness and iterates no hash
//! map, so the same log gives the same outputs on every machine. Live,
//! replay, simulation and crash recovery are the same [`engine::Engine::step`].

pub mod authority;
pub mod checks;
pub mod engine;
pub mod event;
pub mod family;
pub mod finding;
pub mod ids;
pub mod judging;
pub mod level;
pub mod orders;
pub mod pages;
pub mod plan;
pub mod reading;
pub mod rules;
pub mod sensing;
pub mod time;
pub mod timers;
pub mod units;
pub mod warning;
