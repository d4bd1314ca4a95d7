//! From what a record held to readings.

use std::borrow::Cow;

use forewarn_core::reading::Marks;
use forewarn_core::time::Timestamp;
use forewarn_core::units::Unit;

use super::instant::rfc3339;
use super::mapping::{Mapping, Strings, parse_unit, slot};
use super::topic::Named;
use super::walk::{FALSE, Found, Scalar};
use super::{Decoded, Offered, Sink};

/// What every reading of a record shares.
struct Shared<'f> {
    station: Cow<'f, str>,
    observed: Option<Timestamp>,
    seq: Option<u64>,
    /// The unit that the payload gives for all of them.
    unit: Option<Unit>,
    marks: Marks,
}

impl Shared<'_> {
    fn decoded<'a>(&'a self, quantity: &'a str, value: f64, unit: Option<Unit>) -> Decoded<'a> {
        Decoded {
            station: &self.station,
            quantity,
            value,
            unit: unit.or(self.unit),
            observed: self.observed,
            seq: self.seq,
            marks: self.marks,
        }
    }
}

/// One record, and what surrounds it.
pub(super) struct Record<'a, 'de> {
    pub(super) mapping: &'a Mapping,
    pub(super) found: &'a Found<'de>,
    /// What the document around the records says of all of them.
    pub(super) around: Option<&'a Found<'de>>,
    pub(super) named: Named<'a>,
}

impl Record<'_, '_> {
    /// Hands over the record's readings; what is wrong with it is a fault of
    /// the message, and its neighbours count.
    pub(super) fn give(&self, sink: &mut dyn Sink) {
        if let Err(reason) = self.try_give(sink) {
            sink.fault(reason);
        }
    }

    fn try_give(&self, sink: &mut dyn Sink) -> Result<(), String> {
        let shared = Shared {
            station: self.station()?,
            observed: self.observed()?,
            seq: self.seq()?,
            unit: self.unit()?,
            marks: self.marks(),
        };
        let mapped = self.give_mapped(&shared, sink);
        let named = self.give_named(&shared, sink)?;
        let gathered = self.give_gathered(&shared, sink);
        match (mapped, named, gathered) {
            (Seen::Nothing, Seen::Nothing, Seen::Nothing) => Err(self.nothing()),
            _ => Ok(()),
        }
    }

    fn get(&self, slot: usize) -> Option<&Scalar<'_>> {
        match self.found.slots[slot].as_ref() {
            Some(here) => Some(here),
            None => self.around?.slots.get(slot)?.as_ref(),
        }
    }

    fn at(&self, slot: usize, what: &str) -> String {
        format!("{:?}: {what}", self.mapping.pointers[slot])
    }

    fn station(&self) -> Result<Cow<'_, str>, String> {
        if let Some(station) = self.named.station {
            return Ok(Cow::Borrowed(station));
        }
        match self.get(slot::STATION) {
            Some(Scalar::Text(text)) if !text.is_empty() => Ok(Cow::Borrowed(text)),
            Some(Scalar::Whole(number)) => Ok(Cow::Owned(number.to_string())),
            Some(other) => {
                Err(self.at(slot::STATION, &format!("{} is no station, expected its id", describe(other))))
            }
            None => Err(format!(
                "no station, expected its id at {:?}{}",
                self.mapping.pointers[slot::STATION],
                self.mapping.hints.station
            )),
        }
    }

    fn observed(&self) -> Result<Option<Timestamp>, String> {
        let (slot, scalar) = match (self.get(slot::TIME), self.get(slot::TIME_ELSE)) {
            (Some(scalar), _) if *scalar != Scalar::Null => (slot::TIME, scalar),
            (_, Some(scalar)) => (slot::TIME_ELSE, scalar),
            (_, None) => return Ok(None),
        };
        let epoch = self.mapping.epoch;
        let read = match scalar {
            Scalar::Null => return Ok(None),
            Scalar::Whole(number) => epoch.whole(*number),
            Scalar::Float(number) => epoch.fraction(*number),
            Scalar::Text(text) => self.written_time(text),
            Scalar::Other(what) => {
                Err(format!("{what} is no time, expected RFC 3339 or a number since 1970"))
            }
        };
        read.map(Some).map_err(|what| self.at(slot, &what))
    }

    /// A time that stands in a string: a number since 1970 only where strings are numbers.
    fn written_time(&self, text: &str) -> Result<Timestamp, String> {
        let number = text.trim();
        match (self.mapping.strings, number.parse::<i128>(), number.parse::<f64>()) {
            (Strings::Numbers, Ok(whole), _) => self.mapping.epoch.whole(whole),
            (Strings::Numbers, Err(_), Ok(float)) => self.mapping.epoch.fraction(float),
            (Strings::Text, _, Ok(_)) => Err(format!(
                "{text:?} is a string, expected RFC 3339 or a number since 1970{}",
                self.mapping.hints.strings
            )),
            (Strings::Numbers | Strings::Text, _, Err(_)) => rfc3339(text, self.mapping.zoneless),
        }
    }

    fn seq(&self) -> Result<Option<u64>, String> {
        let Some(found) = self.get(slot::SEQ) else { return Ok(None) };
        let number = match (found, self.mapping.strings) {
            (Scalar::Null, _) => return Ok(None),
            (Scalar::Whole(number), _) => u64::try_from(*number).ok(),
            (Scalar::Text(text), Strings::Numbers) => text.trim().parse().ok(),
            (Scalar::Text(_), Strings::Text) | (Scalar::Float(_) | Scalar::Other(_), _) => None,
        };
        let expected = || format!("{} is no counter, expected a whole number from 0 up", describe(found));
        number.map(Some).ok_or_else(|| self.at(slot::SEQ, &expected()))
    }

    /// Simulated where anything says so but no: a simulation that is taken for
    /// a measurement warns people, the other way round is a fault that is seen.
    fn marks(&self) -> Marks {
        match self.get(slot::SIMULATED) {
            None | Some(Scalar::Null | Scalar::Other(FALSE) | Scalar::Whole(0)) => Marks::default(),
            Some(Scalar::Whole(_) | Scalar::Float(_) | Scalar::Text(_) | Scalar::Other(_)) => {
                Marks::SIMULATED
            }
        }
    }

    /// The unit beside the values. What is there and no unit is a fault: read
    /// in the sensor's own, millimetres would be metres.
    fn unit(&self) -> Result<Option<Unit>, String> {
        let read = match self.get(slot::UNIT) {
            None | Some(Scalar::Null) => return Ok(None),
            Some(Scalar::Text(text)) => parse_unit(text),
            Some(other @ (Scalar::Whole(_) | Scalar::Float(_) | Scalar::Other(_))) => {
                Err(format!("{} is no unit, expected its symbol such as \"mm\"", describe(other)))
            }
        };
        read.map(Some).map_err(|what| self.at(slot::UNIT, &what))
    }

    fn number(&self, scalar: &Scalar<'_>) -> Result<Option<f64>, String> {
        let number = match scalar {
            Scalar::Null => return Ok(None),
            Scalar::Whole(number) => *number as f64,
            Scalar::Float(number) => *number,
            Scalar::Text(text) => match self.mapping.strings {
                Strings::Text => {
                    let hint = self.mapping.hints.strings;
                    return Err(format!("{text:?} is a string, expected a number{hint}"));
                }
                Strings::Numbers => {
                    text.trim().parse().map_err(|_| format!("{text:?} is no number, expected one"))?
                }
            },
            Scalar::Other(what) => return Err(format!("{what} is no value, expected a number")),
        };
        if number.is_finite() {
            // Minus nothing is nothing: it compares like it and prints like it.
            Ok(Some(number + 0.0))
        } else {
            Err(format!("{number} is no value, expected a finite number"))
        }
    }

    /// The readings that configuration points at.
    fn give_mapped(&self, shared: &Shared<'_>, sink: &mut dyn Sink) -> Seen {
        let mut seen = Seen::Nothing;
        for (at, reading) in self.mapping.readings.iter().enumerate() {
            let slot = Mapping::FIRST_READING + at;
            // Only the record itself: a value around the records belongs to none of them.
            let Some(scalar) = self.found.slots[slot].as_ref() else { continue };
            seen = Seen::Something;
            match self.number(scalar) {
                Ok(Some(value)) => {
                    sink.reading(shared.decoded(&reading.quantity, reading.apply(value), reading.unit));
                }
                Ok(None) => {}
                Err(what) => sink.fault(self.at(slot, &what)),
            }
        }
        seen
    }

    /// A value whose quantity is named beside it, or by the topic.
    fn give_named(&self, shared: &Shared<'_>, sink: &mut dyn Sink) -> Result<Seen, String> {
        let Some(scalar) = self.found.slots[slot::VALUE].as_ref() else { return Ok(Seen::Nothing) };
        let quantity = match (self.named.quantity, self.get(slot::QUANTITY)) {
            (Some(quantity), _) => quantity,
            (None, Some(Scalar::Text(quantity))) => quantity,
            (None, Some(other)) => {
                return Err(self
                    .at(slot::QUANTITY, &format!("{} is no quantity, expected its name", describe(other))));
            }
            (None, None) => return Ok(Seen::Nothing),
        };
        if let Some(value) = self.number(scalar).map_err(|what| self.at(slot::VALUE, &what))? {
            sink.reading(shared.decoded(quantity, value, None));
        }
        Ok(Seen::Something)
    }

    /// Numbers under their quantities' names: those of configured sensors
    /// count, a battery's voltage or a model's name beside them is left.
    fn give_gathered(&self, shared: &Shared<'_>, sink: &mut dyn Sink) -> Seen {
        let mut taken = Seen::Nothing;
        let mut left = None;
        for (name, scalar) in &self.found.gathered {
            let value = match self.number(scalar) {
                Ok(Some(value)) => value,
                Ok(None) => continue,
                Err(what) => {
                    // A sensor's own value must not vanish unseen beside its neighbours'.
                    if sink.knows(&shared.station, name) {
                        sink.fault(format!("{name:?}: {what}"));
                        taken = Seen::Something;
                    }
                    continue;
                }
            };
            match sink.offer(shared.decoded(name, value, None)) {
                Offered::Taken => taken = Seen::Something,
                Offered::UnknownQuantity | Offered::UnknownStation => {
                    left.get_or_insert((name, value));
                }
            }
        }
        match (taken, left) {
            (Seen::Nothing, Some((name, value))) => {
                // Nothing of the record is known: say so by the first of it.
                sink.reading(shared.decoded(name, value, None));
                Seen::Something
            }
            (seen, _) => seen,
        }
    }

    fn nothing(&self) -> String {
        let mapped = &self.mapping.pointers[Mapping::FIRST_READING..];
        let hint = self.mapping.hints.values;
        if mapped.is_empty() {
            let place = match &self.mapping.gathered {
                Some(pointer) if !pointer.is_empty() => format!(" at {pointer:?}"),
                Some(_) | None => String::new(),
            };
            format!("no value found, expected numbers{place} under their quantities' names{hint}")
        } else {
            let places: Vec<String> = mapped.iter().map(|pointer| format!("{pointer:?}")).collect();
            format!("no value found, expected one at {}{hint}", places.join(" or "))
        }
    }
}

/// Whether there was anything to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Nothing,
    Something,
}

/// A value as a fault shows it.
pub(super) fn describe(scalar: &Scalar<'_>) -> String {
    match scalar {
        Scalar::Whole(number) => number.to_string(),
        Scalar::Float(number) => number.to_string(),
        Scalar::Text(text) => format!("{text:?}"),
        Scalar::Null => "null".into(),
        Scalar::Other(what) => (*what).into(),
    }
}
