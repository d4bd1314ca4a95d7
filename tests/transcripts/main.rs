//! Golden transcripts: scenarios driven through the engine on their own clock,
//! with what an operator would have seen. Each has hard expectations besides,
//! written from the scenario's truth before it ran.

#![allow(unreachable_pub, reason = "modules of one test")]

mod bench;
mod floods;
mod histories;
mod losses;
mod masses;
mod site;
mod transcript;
