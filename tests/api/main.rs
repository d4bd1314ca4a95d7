//! The API of a running service: who may look, who may command, and whether it
//! is as it describes itself.

#[path = "../common/mod.rs"]
mod common;

mod abuse;
mod described;
mod events;
mod login;
mod permits;
mod silence;
mod world;
