//! The family of payload formats: one file a format. A format reads bytes and
//! names what it found; it knows no sensor, no clock and no network.

mod instant;
mod json;
mod mapping;
mod pointer;
mod record;
#[cfg(test)]
mod testing;
mod topic;
mod walk;

pub use json::Json;

use std::fmt;

use forewarn_core::family;
use forewarn_core::reading::Marks;
use forewarn_core::time::Timestamp;
use forewarn_core::units::Unit;

/// One payload format, configured.
pub trait Format: Send + Sync + fmt::Debug {
    /// Reads one message into the sink. A refusal quarantines the whole
    /// message: what the sink got of it before is dropped.
    fn decode(
        &self,
        session: &mut Session,
        message: &Message<'_>,
        sink: &mut dyn Sink,
    ) -> Result<(), Refusal>;
}

/// What a format remembers of a source between messages (Sparkplug's aliases;
/// nothing for most).
#[derive(Debug, Default)]
pub struct Session {}

/// One message as it came.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// MQTT topic, or HTTP path.
    pub topic: &'a str,
    /// The bytes.
    pub payload: &'a [u8],
    /// Civil time of receipt, for payloads with relative times.
    pub received: Timestamp,
    /// Whether the broker had kept it.
    pub retained: bool,
}

/// One value as a payload names it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decoded<'a> {
    /// The station's id.
    pub station: &'a str,
    /// The quantity.
    pub quantity: &'a str,
    /// As sent, after the format's own mapping.
    pub value: f64,
    /// Its unit where payload or mapping says so.
    pub unit: Option<Unit>,
    /// The device's civil time.
    pub observed: Option<Timestamp>,
    /// The device's counter.
    pub seq: Option<u64>,
    /// What the payload says of it.
    pub marks: Marks,
}

/// Takes what a format finds.
pub trait Sink {
    /// One value that must be a sensor's: a fault of the message if no such
    /// sensor is configured.
    fn reading(&mut self, reading: Decoded<'_>);

    /// One value that need not be a sensor's (a device's battery among its
    /// measurements): taken if such a sensor is configured, else left.
    fn offer(&mut self, reading: Decoded<'_>) -> Offered;

    /// One part of the message was not understood; the rest of it counts.
    fn fault(&mut self, reason: String);
}

/// What became of a value that was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    /// Its sensor is configured; it was taken.
    Taken,
    /// The station is configured, this quantity is not.
    UnknownQuantity,
    /// No such station is configured.
    UnknownStation,
}

/// Why a message was not understood: where, what, expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(pub String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

family! {
    /// Every payload format, in manual order.
    #[derive(Debug, Clone)]
    pub enum AnyFormat: Format {
        Json("json", Json),
    }
}

#[cfg(test)]
mod tests {
    use super::AnyFormat;
    use super::testing;

    #[test]
    fn every_example_reads() {
        for (kind, example) in AnyFormat::KINDS {
            let decode = example.strip_prefix("decode = ").expect(example);
            assert_eq!(testing::format(decode).expect(example).name(), *kind);
        }
    }
}
