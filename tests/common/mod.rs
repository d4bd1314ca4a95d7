//! What the tests of the whole service share.
#![allow(dead_code, reason = "each test file uses its own part")]

pub(crate) mod house;
pub(crate) mod packet;
pub(crate) mod setup;
