//! What the tests of the whole service share.

pub(crate) mod setup;
