//! From a message to a batch: decode, find the sensor, check who may speak for it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use forewarn_core::ids::{SourceIx, StationIx};
use forewarn_core::reading::Marks;
use sha2::{Digest, Sha256};

use crate::config::plan::{Admits, Catalog, CatalogEntry, DRILL_TOPIC, Decode, Setup, is_drill_topic};
use crate::formats::{Decoded, Format, Message, Offered, Refusal, Session, Sink};
use crate::ports::{Batch, Ground, REFUSED_BYTES_MAX, Refused, Taken};

/// What is kept of the topic of a message that was not understood.
const TOPIC_BYTES_MAX: usize = 1024;

/// What is kept of why; it may quote what came in.
const REASON_BYTES_MAX: usize = 1024;

/// Whom a message may speak for.
#[derive(Debug, Clone, Copy)]
pub enum Permit<'a> {
    /// Any station: an outside broker keeps its own access list.
    Any,
    /// These stations only, in order.
    Stations(&'a [StationIx]),
}

impl Permit<'_> {
    fn allows(self, station: StationIx) -> bool {
        match self {
            Permit::Any => true,
            Permit::Stations(stations) => stations.binary_search(&station).is_ok(),
        }
    }
}

/// Which time a message is sent, as far as its sender says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sending {
    /// The first, or it does not say.
    First,
    /// Perhaps again: MQTT's DUP flag, an HTTP idempotency key.
    PerhapsAgain,
}

/// Where a message came from, beyond its own bytes.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// Which way.
    pub source: SourceIx,
    /// Packet id of a QoS 1 message, or what else tells repeats apart; 0 where
    /// the sender never repeats: then two of the same bytes are two measurements.
    pub packet: u64,
    /// Whether the sender says that it may have sent it before.
    pub sending: Sending,
    /// Whom it may speak for.
    pub permit: Permit<'a>,
}

/// Reads one message into the batch: its readings, and a refusal for what of it was not understood.
pub fn take(
    setup: &Setup,
    decode: &Decode,
    session: &mut Session,
    origin: Origin<'_>,
    message: &Message<'_>,
    batch: &mut Batch,
) {
    let before = batch.taken.len();
    let by_topic = is_drill_topic(message.topic);
    if by_topic && setup.admits == Admits::Real {
        let what = format!("came below {DRILL_TOPIC}/, where only drills are, and the service is live");
        batch.refused.push(refuse(origin.source, message, Ground::OtherWorld, what));
        return;
    }
    let mut sorter = Sorter {
        catalog: &setup.catalog,
        admits: if by_topic { Admits::All } else { setup.admits },
        origin,
        message,
        place_in_batch: before as u64,
        taken: &mut batch.taken,
        identity: None,
        fault: None,
        faults: 0,
    };
    let read = read(decode.format.as_dyn(), session, message, &mut sorter);
    let Sorter { fault, faults, .. } = sorter;
    match read {
        // What does not parse may be anything: none of it counts.
        Err((ground, reason)) => {
            batch.taken.truncate(before);
            batch.refused.push(refuse(origin.source, message, ground, reason));
        }
        // One unknown sensor in a gateway's message must not silence its neighbours:
        // they count, and the message is kept with what was wrong.
        Ok(()) => {
            if let Some((ground, reason)) = fault {
                let more = if faults > 1 {
                    format!(" (and {} more in this message)", faults - 1)
                } else {
                    String::new()
                };
                batch.refused.push(refuse(origin.source, message, ground, reason + &more));
            }
        }
    }
}

/// Decodes it; else why not, and on which ground.
fn read(
    format: &dyn Format,
    session: &mut Session,
    message: &Message<'_>,
    sink: &mut dyn Sink,
) -> Result<(), (Ground, String)> {
    // A payload that trips a bug of ours would come again after every reconnect:
    // better quarantined with its bytes than a crash loop.
    match catch_unwind(AssertUnwindSafe(|| format.decode(session, message, sink))) {
        Ok(read) => read.map_err(|Refusal(reason)| (Ground::Format, reason)),
        Err(_) => {
            Err((Ground::Stumbled, "the decoder stumbled over this message: please report it".to_owned()))
        }
    }
}

/// Keeps what was not understood, with its bytes.
pub fn refuse(source: SourceIx, message: &Message<'_>, ground: Ground, mut reason: String) -> Refused {
    cut(&mut reason, REASON_BYTES_MAX);
    let kept = message.payload.len().min(REFUSED_BYTES_MAX);
    if kept < message.payload.len() {
        reason = format!("{reason} (first {kept} of {} bytes kept)", message.payload.len());
    }
    Refused {
        source,
        topic: {
            let mut topic = message.topic.to_owned();
            cut(&mut topic, TOPIC_BYTES_MAX);
            topic
        },
        bytes: Bytes::copy_from_slice(&message.payload[..kept]),
        reason,
        ground,
    }
}

/// Cuts a text to so many bytes, at a letter, with a mark where something is missing.
fn cut(text: &mut String, bytes_max: usize) {
    if text.len() > bytes_max {
        let at = (0..=bytes_max).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        text.truncate(at);
        text.push('…');
    }
}

struct Sorter<'a, 'b> {
    catalog: &'a Catalog,
    /// Which readings count here.
    admits: Admits,
    origin: Origin<'a>,
    message: &'a Message<'a>,
    taken: &'b mut Vec<Taken>,
    /// Of the message's first reading: two messages of one read have one time of receipt.
    place_in_batch: u64,
    identity: Option<u64>,
    /// The first of them.
    fault: Option<(Ground, String)>,
    faults: usize,
}

impl Sorter<'_, '_> {
    fn place(&mut self, entry: CatalogEntry<'_>, decoded: &Decoded<'_>) -> Result<Taken, (Ground, String)> {
        let Decoded { station, quantity, value, .. } = *decoded;
        if !self.origin.permit.allows(entry.station) {
            let what =
                format!("station {station:?} is not this device's to speak for, expected one in devices.csv");
            return Err((Ground::ForeignStation, what));
        }
        if !value.is_finite() {
            let what = format!("value of {station:?}/{quantity:?} is {value}, expected a finite number");
            return Err((Ground::Value, what));
        }
        let unit = decoded.unit.unwrap_or(entry.device_unit);
        let (scale, offset) = unit.convert(entry.unit).ok_or_else(|| {
            let what = format!(
                "unit {unit} of {station:?}/{quantity:?} does not convert to {}, expected {}",
                entry.unit, entry.device_unit
            );
            (Ground::Unit, what)
        })?;
        let mut marks = decoded.marks;
        let other_world = match (self.admits, marks.has(Marks::SIMULATED)) {
            (Admits::Real, true) => Some("is simulated, and the service is live".to_owned()),
            (Admits::Drilled, false) => Some(format!(
                "is no drill's, expected one marked as simulated or below {DRILL_TOPIC}/ (or mirror = true)"
            )),
            (Admits::Real, false) | (Admits::Drilled, true) | (Admits::All, _) => None,
        };
        if let Some(what) = other_world {
            return Err((Ground::OtherWorld, format!("reading of {station:?}/{quantity:?} {what}")));
        }
        if self.origin.sending == Sending::PerhapsAgain {
            marks = marks.with(Marks::REPEATED);
        }
        if self.message.retained {
            marks = marks.with(Marks::RETAINED);
        }
        let identity = match decoded.observed {
            Some(_) => 0,
            None => self.identity(),
        };
        Ok(Taken {
            sensor: entry.sensor,
            raw: value * scale + offset,
            observed: decoded.observed,
            seq: decoded.seq.unwrap_or(0),
            identity,
            marks,
        })
    }

    fn fault_on(&mut self, ground: Ground, reason: String) {
        self.faults += 1;
        self.fault.get_or_insert((ground, reason));
    }

    /// Source, packet id and payload, hashed once a message.
    fn identity(&mut self) -> u64 {
        *self.identity.get_or_insert_with(|| {
            let mut hash = Sha256::new();
            hash.update(self.origin.source.0.to_be_bytes());
            hash.update(self.origin.packet.to_be_bytes());
            if self.origin.packet == 0 {
                hash.update(self.message.received.0.to_be_bytes());
                hash.update(self.place_in_batch.to_be_bytes());
            }
            hash.update(self.message.topic.as_bytes());
            hash.update(self.message.payload);
            let digest = hash.finalize();
            let mut first = [0; 8];
            first.copy_from_slice(&digest[..8]);
            u64::from_be_bytes(first).max(1)
        })
    }
}

impl Sink for Sorter<'_, '_> {
    fn reading(&mut self, decoded: Decoded<'_>) {
        match self.offer(decoded) {
            Offered::Taken => {}
            Offered::UnknownQuantity | Offered::UnknownStation => {
                let Decoded { station, quantity, .. } = decoded;
                let what = format!(
                    "sensor {station:?}/{quantity:?} is not configured, expected a row of sensors.csv"
                );
                self.fault_on(Ground::UnknownSensor, what);
            }
        }
    }

    fn offer(&mut self, decoded: Decoded<'_>) -> Offered {
        let catalog = self.catalog;
        let Some(mut entries) = catalog.station(decoded.station) else { return Offered::UnknownStation };
        let Some(entry) = entries.find(|entry| entry.quantity == decoded.quantity) else {
            return Offered::UnknownQuantity;
        };
        match self.place(entry, &decoded) {
            Ok(taken) => self.taken.push(taken),
            Err((ground, reason)) => self.fault_on(ground, reason),
        }
        Offered::Taken
    }

    fn knows(&self, station: &str, quantity: &str) -> bool {
        self.catalog.sensor(station, quantity).is_some()
    }

    fn fault(&mut self, reason: String) {
        self.fault_on(Ground::Format, reason);
    }
}

#[cfg(test)]
mod tests {
    use forewarn_core::ids::SensorIx;
    use forewarn_core::time::Timestamp;
    use forewarn_core::units::Unit;

    use super::*;
    use crate::channels::sample;

    /// What comes of one value: raw values taken, and the fault.
    fn check(
        station: &str,
        quantity: &str,
        unit: Option<&str>,
        permit: Permit<'_>,
    ) -> (Offered, Vec<f64>, Option<(Ground, String)>) {
        let unit_of = |symbol: &str| Unit::parse(symbol).expect("a unit");
        let mut plan = sample::plan();
        for (sensor, nth) in plan.sensors.iter_mut().flatten().zip(1..) {
            sensor.id = format!("qj-{nth}/level").into();
        }
        let catalog = Catalog::new(plan.into(), &[0, 1].map(|ix| (SensorIx(ix), unit_of("mm"))).into());
        let message = Message { topic: "t", payload: b"1", received: Timestamp(0), retained: false };
        let mut taken = vec![];
        let mut sorter = Sorter {
            place_in_batch: 0,
            catalog: &catalog,
            admits: Admits::All,
            origin: Origin { source: SourceIx(0), packet: 0, sending: Sending::First, permit },
            message: &message,
            taken: &mut taken,
            identity: None,
            fault: None,
            faults: 0,
        };
        let offered = sorter.offer(Decoded {
            station,
            quantity,
            value: 1500.0,
            unit: unit.map(unit_of),
            observed: None,
            seq: None,
            marks: Marks::default(),
        });
        let fault = sorter.fault.take();
        (offered, taken.iter().map(|taken| taken.raw).collect(), fault)
    }

    #[test]
    fn a_value_is_taken_in_its_sensors_unit_and_what_is_no_sensors_is_left() {
        let any = Permit::Any;
        assert_eq!(check("qj-1", "level", None, any), (Offered::Taken, vec![1.5], None));
        assert_eq!(check("qj-1", "level", Some("cm"), any), (Offered::Taken, vec![15.0], None));
        assert_eq!(check("qj-1", "battery", None, any), (Offered::UnknownQuantity, vec![], None));
        assert_eq!(check("qj-9", "level", None, any), (Offered::UnknownStation, vec![], None));
    }

    /// A format with a bug: it gives what it got of a message, and falls over the rest.
    #[derive(Debug)]
    struct Stumbles;

    impl Format for Stumbles {
        fn decode(&self, _: &mut Session, it: &Message<'_>, sink: &mut dyn Sink) -> Result<(), Refusal> {
            sink.fault("the first of two".into());
            assert!(it.payload != b"poison", "the decoder stumbles");
            Ok(())
        }
    }

    /// Counts faults, and takes nothing.
    #[derive(Debug, Default)]
    struct Faults(usize);

    impl Sink for Faults {
        fn reading(&mut self, _: Decoded<'_>) {}

        fn offer(&mut self, _: Decoded<'_>) -> Offered {
            Offered::UnknownStation
        }

        fn knows(&self, _: &str, _: &str) -> bool {
            false
        }

        fn fault(&mut self, _: String) {
            self.0 += 1;
        }
    }

    #[test]
    fn poison_input_in_decode_is_refused_and_the_next_is_read() {
        let (mut session, mut faults) = (Session::default(), Faults::default());
        let mut read = |payload: &'static [u8]| {
            let message = Message { topic: "t", payload, received: Timestamp(0), retained: false };
            read(&Stumbles, &mut session, &message, &mut faults).map_err(|(ground, _)| ground)
        };
        for _ in 0..3 {
            assert_eq!(read(b"poison"), Err(Ground::Stumbled), "however often it comes");
        }
        assert_eq!(read(b"sound"), Ok(()));
        assert_eq!(faults.0, 4, "each was begun");
    }

    #[test]
    fn a_known_sensor_with_a_foreign_unit_or_speaker_is_a_fault() {
        let own = [StationIx(1)];
        for (station, unit, permit, expected, why) in [
            ("qj-1", Some("°C"), Permit::Any, Ground::Unit, "does not convert to m"),
            ("qj-1", None, Permit::Stations(&own), Ground::ForeignStation, "not this device's to speak for"),
        ] {
            let (offered, taken, fault) = check(station, "level", unit, permit);
            assert_eq!(
                (offered, taken),
                (Offered::Taken, vec![]),
                "it was a sensor's, and is no longer offered"
            );
            let (ground, fault) = fault.expect("a fault");
            assert_eq!(ground, expected);
            assert!(fault.contains(why), "{fault}");
        }
    }
}
