//! Every fault of a configuration, as people make them: one change to a sound
//! configuration, and what must be said of it. A room for each file.

mod areas;
mod chat;
mod contacts;
mod devices;
mod drill;
mod forewarn_toml;
mod heartbeat;
mod limits;
mod messages;
mod pages;
mod routes;
mod rules;
mod sensors;
mod whole;
mod world;
