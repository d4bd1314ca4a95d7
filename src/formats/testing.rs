//! What the tests of every format share: a sink that writes down what it got.

use forewarn_core::time::Timestamp;

use super::{AnyFormat, Decoded, Message, Offered, Session, Sink};

/// When every test message is received: 2026-07-01T08:00:00Z.
pub(super) const RECEIVED: Timestamp = Timestamp::from_secs(1_782_892_800);

/// Writes down what it gets: `station/quantity=value`, then unit, `@` seconds
/// after [`RECEIVED`], `#` counter where given; faults behind `!`.
#[derive(Debug, Default)]
pub(super) struct Notes(pub(super) Vec<String>);

impl Sink for Notes {
    fn reading(&mut self, reading: Decoded<'_>) {
        match self.offer(reading) {
            Offered::Taken => {}
            Offered::UnknownQuantity | Offered::UnknownStation => {
                self.fault(format!("{}/{} is not configured", reading.station, reading.quantity));
            }
        }
    }

    fn offer(&mut self, reading: Decoded<'_>) -> Offered {
        let Decoded { station, quantity, value, unit, observed, seq, marks: _ } = reading;
        assert!(value.is_finite(), "{reading:?}");
        if !station.starts_with("qj") {
            return Offered::UnknownStation;
        }
        if !self.knows(station, quantity) {
            return Offered::UnknownQuantity;
        }
        let unit = unit.map_or(String::new(), |unit| format!(" {unit}"));
        let observed =
            observed.map_or(String::new(), |at| format!(" @{:?}", (at.0 - RECEIVED.0) as f64 / 1e6));
        let seq = seq.map_or(String::new(), |seq| format!(" #{seq}"));
        self.0.push(format!("{station}/{quantity}={value:?}{unit}{observed}{seq}"));
        Offered::Taken
    }

    fn knows(&self, station: &str, quantity: &str) -> bool {
        station.starts_with("qj") && matches!(quantity, "level" | "rain" | "temperature")
    }

    fn fault(&mut self, reason: String) {
        self.0.push(format!("! {reason}"));
    }
}

/// A format from the `decode` table that configures it.
pub(super) fn format(decode: &str) -> Result<AnyFormat, String> {
    let document: toml::Table = format!("decode = {decode}").parse().map_err(|fault| format!("{fault}"))?;
    let mut table = document["decode"].as_table().expect("a table").clone();
    let kind = table.remove("format").expect("a format");
    let kind = kind.as_str().expect("a name");
    AnyFormat::read(kind, table).ok_or("no such format")?.map_err(|fault| fault.to_string())
}

/// What a format makes of one message.
pub(super) fn decode(format: &AnyFormat, topic: &str, payload: &[u8]) -> Vec<String> {
    let message = Message { topic, payload, received: RECEIVED, retained: false };
    let mut notes = Notes::default();
    match format.as_dyn().decode(&mut Session::default(), &message, &mut notes) {
        Ok(()) => notes.0,
        Err(refusal) => vec![format!("refused: {refusal}")],
    }
}

/// Holds what a format makes of one message against what it should; a fault
/// or refusal needs only to contain what is expected.
pub(super) fn check(settings: &str, topic: &str, payload: &str, expected: &[&str]) {
    let got = decode(&format(settings).expect(settings), topic, payload.as_bytes());
    let alike = got.len() == expected.len()
        && got.iter().zip(expected).all(|(got, expected)| {
            got == expected || (got.starts_with(['!', 'r']) && got.contains(expected))
        });
    assert!(alike, "{settings}\n{topic} {payload}\n got {got:#?}\n expected {expected:#?}");
}
