//! What the benches share.

#![allow(dead_code, reason = "each bench uses its own part")]

pub(crate) mod cpu;
pub(crate) mod figures;
pub(crate) mod memory;
pub(crate) mod ports;
pub(crate) mod table;
