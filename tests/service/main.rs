//! The whole service with real parts at both ends.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/mosquitto.rs"]
mod mosquitto;

mod broker;
mod child;
mod crash;
mod disk;
mod first;
mod http;
mod mail;
mod outage;
mod poison;
mod publisher;
mod recorder;
mod reload;
mod replay;
mod restart;
mod valley;
