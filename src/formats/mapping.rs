//! Where in a JSON payload station, time and values stand, as configuration
//! says it; shared by every format that carries JSON.

use std::collections::BTreeMap;
use std::fmt;

use forewarn_core::units::Unit;
use serde::Deserialize;
use serde::de::{self, MapAccess, Visitor, value::MapAccessDeserializer};

use super::instant::{EpochUnit, Zoneless};
use super::pointer::{self, Node, Others};
use super::topic::Template;

/// One value as configuration writes it: a pointer alone, or with unit and more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RawReading {
    from: String,
    unit: Option<String>,
    apply: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FullReading {
    from: String,
    unit: Option<String>,
    apply: Option<String>,
}

impl<'de> Deserialize<'de> for RawReading {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = RawReading;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a pointer such as \"/level\", or { from = \"/level\", unit = \"m\" }")
            }

            fn visit_str<E: de::Error>(self, from: &str) -> Result<RawReading, E> {
                Ok(RawReading { from: from.to_owned(), unit: None, apply: None })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawReading, A::Error> {
                let FullReading { from, unit, apply } =
                    FullReading::deserialize(MapAccessDeserializer::new(map))?;
                Ok(RawReading { from, unit, apply })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// Values by quantity, as configuration writes them.
pub(super) type RawReadings = BTreeMap<String, RawReading>;

/// What is done to a value before the sensor's own rows convert it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Apply {
    /// Nothing.
    Value,
    /// A distance down from the instrument: negated here; the sensor's offset,
    /// its zero, completes `zero - value`.
    ZeroMinusValue,
}

/// One value to read.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) quantity: String,
    pub(super) unit: Option<Unit>,
    apply: Apply,
}

impl Reading {
    /// The value as the sensor's rows want it. Minus nothing is nothing.
    pub(super) fn apply(&self, value: f64) -> f64 {
        match self.apply {
            Apply::Value => value,
            Apply::ZeroMinusValue => 0.0 - value,
        }
    }
}

/// Slots of a record; those of its readings follow [`Mapping::FIRST_READING`].
pub(super) mod slot {
    pub(in crate::formats) const STATION: usize = 0;
    pub(in crate::formats) const TIME: usize = 1;
    /// Where the time stands if not at `TIME`.
    pub(in crate::formats) const TIME_ELSE: usize = 2;
    pub(in crate::formats) const SEQ: usize = 3;
    pub(in crate::formats) const QUANTITY: usize = 4;
    pub(in crate::formats) const VALUE: usize = 5;
    pub(in crate::formats) const UNIT: usize = 6;
    /// Whether it was not measured at all.
    pub(in crate::formats) const SIMULATED: usize = 7;
}

/// How strings that hold numbers are met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Strings {
    /// A string is no number.
    #[default]
    Text,
    /// They are read as numbers.
    Numbers,
}

/// What helps where something is not understood, in brackets behind the fault:
/// only what the format has a setting for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hints {
    /// No station was found.
    pub(super) station: &'static str,
    /// A number stands in a string.
    pub(super) strings: &'static str,
    /// No value was found.
    pub(super) values: &'static str,
}

/// A mapping ready to use.
#[derive(Debug, Clone, Default)]
pub(super) struct Mapping {
    pub(super) tree: Node,
    pub(super) readings: Vec<Reading>,
    /// For faults: where each slot was looked for.
    pub(super) pointers: Vec<String>,
    /// For faults: whose numbers are taken under their own names.
    pub(super) gathered: Option<String>,
    pub(super) topic: Option<Template>,
    pub(super) epoch: EpochUnit,
    pub(super) zoneless: Zoneless,
    pub(super) strings: Strings,
    pub(super) hints: Hints,
}

impl Mapping {
    /// The slot of the first reading.
    pub(super) const FIRST_READING: usize = 8;

    /// A mapping that finds nothing yet.
    pub(super) fn new() -> Self {
        Mapping { pointers: vec![String::new(); Self::FIRST_READING], ..Mapping::default() }
    }

    /// How many slots a record has.
    pub(super) fn slots(&self) -> usize {
        Self::FIRST_READING + self.readings.len()
    }

    /// Looks for a slot at a pointer.
    pub(super) fn find(&mut self, slot: usize, pointer: &str) -> Result<(), String> {
        self.tree.add(&pointer::parse(pointer)?, slot)?;
        if self.pointers[slot].is_empty() {
            pointer.clone_into(&mut self.pointers[slot]);
        }
        Ok(())
    }

    /// Takes the numbers of the object at a pointer as quantities of their keys' names.
    pub(super) fn gather(&mut self, pointer: &str) -> Result<(), String> {
        self.tree.reach(&pointer::parse(pointer)?)?.others = Others::Gathered;
        self.gathered = Some(pointer.to_owned());
        Ok(())
    }

    /// The quantities that it reads at pointers of their own.
    pub(super) fn quantities(&self) -> Vec<&str> {
        self.readings.iter().map(|reading| reading.quantity.as_str()).collect()
    }

    /// Whether a quantity is negated on its way.
    pub(super) fn turns(&self, quantity: &str) -> bool {
        self.readings
            .iter()
            .any(|reading| reading.quantity == quantity && reading.apply == Apply::ZeroMinusValue)
    }

    /// Reads values at pointers.
    pub(super) fn read(&mut self, readings: RawReadings) -> Result<(), String> {
        for (quantity, RawReading { from, unit, apply }) in readings {
            let fault = |what: String| format!("readings.{quantity}: {what}");
            let unit = match unit {
                Some(text) => Some(parse_unit(&text).map_err(fault)?),
                None => None,
            };
            let apply = match apply.as_deref().map(|text| text.replace(' ', "")).as_deref() {
                None | Some("value") => Apply::Value,
                Some("zero-value") => Apply::ZeroMinusValue,
                Some(_) => {
                    return Err(fault(format!(
                        "apply {:?} is unknown, expected \"value\" or \"zero - value\"",
                        apply.unwrap_or_default()
                    )));
                }
            };
            if self.readings.iter().any(|reading| reading.quantity == quantity) {
                return Err(format!("{quantity} stands in readings and in quantities, expected it in one"));
            }
            let slot = self.slots();
            self.pointers.push(String::new());
            self.find(slot, &from).map_err(|what| format!("readings.{quantity}: {what}"))?;
            self.readings.push(Reading { quantity, unit, apply });
        }
        Ok(())
    }

    /// Reads values under their quantities' own names.
    pub(super) fn read_named(&mut self, quantities: &[String]) -> Result<(), String> {
        let readings = quantities.iter().map(|quantity| {
            let from = format!("/{}", quantity.replace('~', "~0").replace('/', "~1"));
            (quantity.clone(), RawReading { from, unit: None, apply: None })
        });
        self.read(readings.collect())
    }
}

/// A unit by its symbol, or a fault that lists those known.
pub(super) fn parse_unit(text: &str) -> Result<Unit, String> {
    Unit::parse(text).ok_or_else(|| {
        let known = Unit::symbols().collect::<Vec<_>>().join(" ");
        format!("unit {text:?} is unknown, expected one of {known}, or one of them with /h")
    })
}
