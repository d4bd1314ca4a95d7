//! Takes bytes in: sessions with outside brokers, the built-in MQTT listener,
//! HTTP. Never waits on anything downstream while it polls.

pub mod credentials;
pub mod intake;
pub mod listener;
pub mod mqtt;
pub mod strangers;
