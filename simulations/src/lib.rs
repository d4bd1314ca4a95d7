//! Worlds that pretend: a river in flood, a recorded surge, and the faults of
//! real feeds. Pure and seeded: the same seed gives the same readings anywhere.

pub mod faults;
pub mod phenomena;
pub mod random;
pub mod recordings;
pub mod scenario;

use forewarn_core::time::Timestamp;

/// One reading on its way from a pretended device.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// When it leaves the device; later than `observed` when a link was down.
    pub at: Timestamp,
    /// When it was measured, civil time.
    pub observed: Timestamp,
    /// Whose station.
    pub station: String,
    /// Which quantity.
    pub quantity: String,
    /// As the device measures it, in the world's unit (metres for levels).
    pub value: f64,
}

/// Puts readings into the order in which they leave, by station where they leave together.
pub fn in_order(mut sent: Vec<Sent>) -> Vec<Sent> {
    sent.sort_by(|a, b| {
        (a.at, &a.station, &a.quantity, a.observed).cmp(&(b.at, &b.station, &b.quantity, b.observed))
    });
    sent
}
