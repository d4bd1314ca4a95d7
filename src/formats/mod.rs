//! The family of payload formats: one file a format. A format reads bytes and
//! names what it found; it knows no sensor, no clock and no network.

mod json;

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
    /// One value.
    fn reading(&mut self, reading: Decoded<'_>);
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
