//! Where records stand in a JSON text: it is one, it is an array of them, or
//! the array stands somewhere inside.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::Refusal;
use super::pointer::Node;
use super::walk::{Found, Key, Place, Walk, refusal, twice};

/// Where the records of a payload stand.
#[derive(Debug, Clone, Copy)]
pub(super) enum Records<'t> {
    /// The document is one record, or an array of them.
    Document,
    /// In the array at this pointer.
    At(&'t [String]),
}

/// Which record of a payload it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// The only one: the document, or what stands where the array should.
    Only,
    /// Of an array, from 1.
    OfMany(usize),
}

impl Which {
    /// A fault with where it is.
    pub(super) fn place(self, what: String) -> String {
        match self {
            Which::Only => what,
            Which::OfMany(number) => format!("record {number}: {what}"),
        }
    }
}

/// Reads every record of a text and hands each over.
pub(super) fn each<'de>(
    text: &'de str,
    tree: &Node,
    slots: usize,
    records: Records<'_>,
    mut give: impl FnMut(Which, &Found<'de>),
) -> Result<(), Refusal> {
    let mut found = Found::new(slots);
    let mut json = serde_json::Deserializer::from_str(text);
    let reader = Reader { tree, found: &mut found, each: &mut give };
    match records {
        Records::Document => reader.deserialize(&mut json),
        Records::At(path) => match (Descend { path, reader: Some(reader) }).deserialize(&mut json) {
            Ok(Reached::Yes) => Ok(()),
            Ok(Reached::No) => {
                return Err(Refusal(format!(
                    "no array at \"/{}\", expected the records there",
                    path.join("/")
                )));
            }
            Err(fault) => Err(fault),
        },
    }
    .and_then(|()| json.end())
    .map_err(|fault| refusal(&fault))
}

/// Reads a document that is one record or an array of them.
struct Reader<'a, 't, 'de, F> {
    tree: &'t Node,
    found: &'a mut Found<'de>,
    each: &'a mut F,
}

impl<'de, F: FnMut(Which, &Found<'de>)> Reader<'_, '_, 'de, F> {
    fn single<E>(self, read: impl FnOnce(Walk<'_, '_, 'de>) -> Result<(), E>) -> Result<(), E> {
        self.found.clear();
        read(Walk { place: Place::At(self.tree), found: self.found })?;
        (self.each)(Which::Only, self.found);
        Ok(())
    }
}

impl<'de, F: FnMut(Which, &Found<'de>)> DeserializeSeed<'de> for Reader<'_, '_, 'de, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

macro_rules! scalars {
    ($visit:ident) => {
        fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
            self.$visit(|walk| walk.visit_bool(value))
        }
        fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
            self.$visit(|walk| walk.visit_u64(value))
        }
        fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
            self.$visit(|walk| walk.visit_i64(value))
        }
        fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
            self.$visit(|walk| walk.visit_f64(value))
        }
        fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
            self.$visit(|walk| walk.visit_str(value))
        }
        fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<(), E> {
            self.$visit(|walk| walk.visit_borrowed_str(value))
        }
        fn visit_unit<E: Error>(self) -> Result<(), E> {
            self.$visit(|walk| walk.visit_unit())
        }
    };
}

impl<'de, F: FnMut(Which, &Found<'de>)> Visitor<'de> for Reader<'_, '_, 'de, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record or an array of records")
    }

    scalars!(single);

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.single(|walk| walk.visit_map(map))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        for number in 1.. {
            self.found.clear();
            let walk = Walk { place: Place::At(self.tree), found: self.found };
            if seq.next_element_seed(walk)?.is_none() {
                break;
            }
            (self.each)(Which::OfMany(number), self.found);
        }
        Ok(())
    }
}

/// Goes down a path to the records.
struct Descend<'p, R> {
    path: &'p [String],
    reader: Option<R>,
}

enum Reached {
    Yes,
    No,
}

impl<'de, R: DeserializeSeed<'de, Value = ()>> DeserializeSeed<'de> for Descend<'_, R> {
    type Value = Reached;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Reached, D::Error> {
        match (self.path, self.reader) {
            ([], Some(reader)) => reader.deserialize(deserializer).map(|()| Reached::Yes),
            (path, reader) => deserializer.deserialize_map(Descend { path, reader }),
        }
    }
}

impl<'de, R: DeserializeSeed<'de, Value = ()>> Visitor<'de> for Descend<'_, R> {
    type Value = Reached;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with the key {:?}", self.path.first().map_or("", String::as_str))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Reached, A::Error> {
        let mut reached = Reached::No;
        while let Some(key) = map.next_key_seed(Key)? {
            if self.path.first().is_some_and(|first| *first == *key) {
                let Some(reader) = self.reader.take() else { return Err(twice(&key)) };
                reached = map.next_value_seed(Descend { path: &self.path[1..], reader: Some(reader) })?;
            } else {
                map.next_value_seed(Walk { place: Place::Nowhere, found: &mut Found::default() })?;
            }
        }
        Ok(reached)
    }
}
