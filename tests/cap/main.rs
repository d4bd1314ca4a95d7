//! CAP alerts and their feed of running services, held against the schemas of
//! OASIS and Atom, and read by readers that are not ours.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/skip.rs"]
mod skip;

mod floods;
mod readers;
mod validators;
mod withheld;
