//! The whole service with real parts at both ends.

#[path = "../common/mod.rs"]
mod common;
#[allow(dead_code, reason = "each test binary uses its own part")]
#[path = "../common/mosquitto.rs"]
mod mosquitto;
#[path = "../common/smtp.rs"]
mod smtp;
#[path = "../common/tls.rs"]
mod tls_files;

mod abuse;
mod acknowledge;
mod broker;
mod child;
mod connections;
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
mod restore;
mod systemd;
mod valley;
