//! Both stores under one suite, and what only one of them has to survive.

#[path = "common/influx.rs"]
#[allow(dead_code, reason = "each test binary uses its own part")]
#[cfg(feature = "influxdb")]
mod influx;
#[path = "common/setup.rs"]
#[allow(dead_code, reason = "the whole service has more parts than its stores")]
mod setup;
#[path = "common/skip.rs"]
#[cfg(feature = "influxdb")]
mod skip;
#[path = "stores/suite.rs"]
mod suite;
#[path = "stores/world.rs"]
mod world;
#[path = "stores/writing.rs"]
mod writing;

#[cfg(feature = "influxdb")]
#[path = "stores/long_history.rs"]
mod long_history;
