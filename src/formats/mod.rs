//! The family of payload formats: one file a format. A format reads bytes and
//! names what it found; it knows no sensor, no clock and no network.

mod chirpstack;
mod instant;
mod json;
mod known;
mod line_protocol;
mod lines;
mod mapping;
mod pointer;
mod record;
mod records;
mod senml;
#[cfg(test)]
mod testing;
mod topic;
mod walk;

pub use chirpstack::ChirpStack;
pub use json::Json;
pub use line_protocol::{LineProtocol, Precision};
pub use senml::SenMl;

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

    /// The quantities that its settings name one by one; a format that takes
    /// whatever a payload names has none.
    fn quantities(&self) -> Vec<&str> {
        vec![]
    }

    /// Whether it takes a quantity for a distance down from the instrument, and
    /// gives it negated: a sensor that does so once more would turn it back.
    fn turns(&self, _quantity: &str) -> bool {
        false
    }
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

    /// Whether such a sensor is configured: what is wrong with its value is then
    /// a fault, where that of any other field is nobody's business.
    fn knows(&self, station: &str, quantity: &str) -> bool;

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
        SenMl("senml", SenMl),
        LineProtocol("line-protocol", LineProtocol),
        ChirpStack("chirpstack", ChirpStack),
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

    /// Small, seeded, the same everywhere (Marsaglia 2003, xorshift64).
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, n: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 % n as u64) as usize
        }
    }

    fn mutate(dice: &mut Dice, payload: &mut Vec<u8>, other: &[u8]) {
        const LIKELY: &[u8] = b"{}[]\",:\\\n =#_-.9e\0\xff";
        let at = dice.below(payload.len().max(1));
        match dice.below(6) {
            0 if !payload.is_empty() => payload[at] = dice.below(256) as u8,
            1 if !payload.is_empty() => drop(payload.remove(at)),
            2 => payload.insert(at, LIKELY[dice.below(LIKELY.len())]),
            3 => payload.truncate(at),
            4 => payload.extend_from_slice(&other[dice.below(other.len())..]),
            _ => {
                let copied: Vec<u8> = payload[at..].iter().copied().take(dice.below(16)).collect();
                payload.splice(at..at, copied);
            }
        }
        payload.truncate(4096);
    }

    #[test]
    fn no_mutated_payload_trips_a_format() {
        let payloads: [&[u8]; 5] = [
            br#"[{"station":"qj-1","time":"2026-07-01T08:00:00.5+08:00","seq":7,"level":3.21,"unit":"mm","x":[1,{"a":null}]},{"station":7,"quantity":"rain","value":1e3}]"#,
            br#"{"deviceInfo":{"devEui":"qj1"},"time":"2026-07-01T08:00:00Z","fCnt":4,"object":{"distance":812,"level":1.5},"rxInfo":[{"gwTime":"2026-07-01T08:00:02Z"}]}"#,
            br#"[{"bn":"qj-1:","bt":1782892800,"bu":"Cel","bver":5,"n":"temperature","v":20.5},{"n":"level","u":"m","v":3,"t":-5}]"#,
            b"# c\nriver,basin=a\\ b,station=qj-1 level=3.21,rain=4i,note=\"a \\\" b\",wet=t 1782892800000000000\n",
            "{\"station\":\"qj水\",\"level\":\"\\u6c34\"}".as_bytes(),
        ];
        let settings = [
            r#"{ format = "json" }"#,
            r#"{ format = "json", each = "/rxInfo", strings = true, topic = "river/{station}/{quantity}" }"#,
            r#"{ format = "json", station = "/0/station", readings = { level = "/1/value", rain = "/object/distance" } }"#,
            r#"{ format = "senml" }"#,
            r#"{ format = "line-protocol" }"#,
            r#"{ format = "chirpstack" }"#,
        ];
        for settings in settings {
            let format = testing::format(settings).expect(settings);
            let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
            let mut payload = Vec::new();
            for round in 0..100_000 {
                if round % 8 == 0 {
                    payload = payloads[dice.below(payloads.len())].to_vec();
                }
                mutate(&mut dice, &mut payload, payloads[round % payloads.len()]);
                testing::decode(&format, "river/qj-1/level", &payload);
            }
        }
    }
}
