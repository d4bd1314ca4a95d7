//! The family of phenomena: one file each. A phenomenon knows what a place
//! would measure at an instant; devices, links and their faults come after.

mod flood;

pub use flood::{Flood, Gauge};

use forewarn_core::family;
use forewarn_core::time::Timestamp;

use crate::Sent;

/// Something that happens to a place.
pub trait Phenomenon {
    /// Why it cannot be played as written, in words; `None` where it can.
    fn refuses(&self) -> Option<String>;

    /// The stations that measure it.
    fn stations(&self) -> Vec<&str>;

    /// All that its sensors measure from `start` on, in order.
    fn play(&self, start: Timestamp, seed: u64) -> Vec<Sent>;
}

family! {
    /// Every phenomenon, in manual order.
    #[derive(Debug, Clone)]
    pub enum AnyPhenomenon: Phenomenon {
        Flood("flood", Flood),
    }
}
