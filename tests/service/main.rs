//! The whole service with real parts at both ends.

#[path = "../common/mod.rs"]
mod common;
#[cfg(feature = "influxdb")]
#[allow(dead_code, reason = "each test binary uses its own part")]
#[path = "../common/influx.rs"]
mod influx;
#[allow(dead_code, reason = "each test binary uses its own part")]
#[path = "../common/mosquitto.rs"]
mod mosquitto;
#[path = "../common/skip.rs"]
mod skip;
#[path = "../common/smtp.rs"]
mod smtp;
#[path = "../common/tls.rs"]
mod tls_files;

mod abuse;
mod acknowledge;
mod audit;
mod broker;
#[cfg(feature = "influxdb")]
mod carriers;
mod chat;
mod child;
mod connections;
mod crash;
mod digests;
mod disk;
mod drill;
mod first;
mod http;
mod led;
mod mail;
mod orders;
mod outage;
#[cfg(feature = "influxdb")]
mod outages;
mod poison;
mod publisher;
mod recorder;
mod reload;
mod replay;
mod restart;
mod restore;
mod systemd;
mod upgrade;
mod valley;
