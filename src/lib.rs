//! Forewarn: sensor readings in, warnings out, nothing lost between.
//!
//! The rooms: [`config`] reads what people wrote, [`ingest`] takes bytes and
//! [`formats`] reads them, [`driver`] steps the engine of `forewarn-core` and
//! commits to the [`log`], [`state`] and [`stores`] follow that log, [`courier`]
//! carries what was decided out through [`channels`], [`http`] shows it all,
//! and [`app`] builds these in order and stops them in reverse.

pub mod accounts;
pub mod app;
pub mod audit;
pub mod backup;
pub mod board;
pub mod cap;
pub mod channels;
pub mod cli;
pub mod clock;
pub mod config;
pub mod courier;
mod crash;
pub mod driver;
pub mod expiry;
pub mod formats;
#[cfg(any(fuzzing, debug_assertions))]
#[doc(hidden)]
pub mod fuzzed;
pub mod http;
pub mod ingest;
pub mod link;
pub mod log;
pub mod ports;
pub mod state;
pub mod stores;
pub mod views;
