//! The built-in MQTT listener against raw bytes, real clients and an inbox
//! that says *durable* only when told to.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/skip.rs"]
mod skip;

mod abuse;
mod acknowledging;
mod clients;
mod inbox;
mod mutation;
mod raw;
mod refusing;
mod staying;
mod world;
