//! One pass over a JSON text: what the pointers of a tree name is kept,
//! everything else is read past. Depth is bounded by the parser (127), so a
//! payload of ten thousand brackets is refused with the stack safe.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Refusal;
use super::pointer::{Node, Others};

/// Values under names that no pointer names, in one record; more are refused.
const GATHERED_MAX: usize = 256;

/// The name of what says no.
pub(super) const FALSE: &str = "false";

/// One value, borrowed from the payload where it can be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar<'de> {
    /// A whole number.
    Whole(i128),
    /// Any other number.
    Float(f64),
    /// A string.
    Text(Cow<'de, str>),
    /// `null`: the device says that it has none.
    Null,
    /// What cannot be a value: its name with an article.
    Other(&'static str),
}

/// What one record held.
#[derive(Debug, Default)]
pub(super) struct Found<'de> {
    /// By slot.
    pub(super) slots: Vec<Option<Scalar<'de>>>,
    /// By name.
    pub(super) gathered: Vec<(Cow<'de, str>, Scalar<'de>)>,
}

impl Found<'_> {
    /// Room for so many slots.
    pub(super) fn new(slots: usize) -> Self {
        Found { slots: vec![None; slots], gathered: Vec::new() }
    }

    /// Ready for the next record.
    pub(super) fn clear(&mut self) {
        self.slots.fill(None);
        self.gathered.clear();
    }
}

/// The payload as text, without a byte order mark.
pub(super) fn text(payload: &[u8]) -> Result<&str, Refusal> {
    let text = std::str::from_utf8(payload).map_err(|fault| {
        Refusal(format!("byte {} is not UTF-8, expected JSON in UTF-8", fault.valid_up_to() + 1))
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Reads what a tree names of a whole text.
pub(super) fn whole<'de>(text: &'de str, tree: &Node, slots: usize) -> Result<Found<'de>, Refusal> {
    let mut found = Found::new(slots);
    let mut json = serde_json::Deserializer::from_str(text);
    Walk { place: Place::At(tree), found: &mut found }
        .deserialize(&mut json)
        .and_then(|()| json.end())
        .map_err(|fault| refusal(&fault))?;
    Ok(found)
}

/// A parser's fault as where, what, expected.
pub(super) fn refusal(fault: &serde_json::Error) -> Refusal {
    let whole = fault.to_string();
    let what = whole.split(" at line ").next().unwrap_or(&whole);
    let what = if fault.is_data() {
        // What our own visitors said is whole, but for the names that serde gives to what it met.
        what.replace("invalid type: sequence", "an array stands here")
            .replace("invalid type: ", "no object stands here but ")
    } else {
        let (what, expected) = match what.strip_prefix("expected ") {
            Some("value") => ("is not JSON", "a value"),
            Some("ident") => ("is not JSON", "null, true or false"),
            Some(expected) => ("is not JSON", expected),
            None => (what, "JSON"),
        };
        format!("{what}, expected {expected} (NaN and Infinity are no numbers in it)")
    };
    Refusal(format!("line {} column {}: {what}", fault.line(), fault.column()))
}

pub(super) fn twice<E: Error>(key: &str) -> E {
    E::custom(format_args!("key {key:?} stands twice, expected it once"))
}

/// Where in the tree a value stands.
pub(super) enum Place<'t, 'de> {
    Nowhere,
    At(&'t Node),
    Named(Cow<'de, str>),
}

/// Reads one value, whatever it is.
pub(super) struct Walk<'a, 't, 'de> {
    pub(super) place: Place<'t, 'de>,
    pub(super) found: &'a mut Found<'de>,
}

impl<'de> Walk<'_, '_, 'de> {
    fn put(self, value: impl FnOnce() -> Scalar<'de>) {
        match self.place {
            Place::Nowhere => {}
            Place::At(node) => {
                let Some((last, others)) = node.slots.split_last() else { return };
                let value = value();
                for slot in others {
                    self.found.slots[*slot].get_or_insert_with(|| value.clone());
                }
                self.found.slots[*last].get_or_insert(value);
            }
            Place::Named(name) => match value() {
                value @ (Scalar::Whole(_) | Scalar::Float(_) | Scalar::Text(_) | Scalar::Other(_)) => {
                    self.found.gathered.push((name, value));
                }
                Scalar::Null => {}
            },
        }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E: Error>(self, is_true: bool) -> Result<(), E> {
        self.put(|| Scalar::Other(if is_true { "a boolean" } else { FALSE }));
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.put(|| Scalar::Whole(value.into()));
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.put(|| Scalar::Whole(value.into()));
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.put(|| Scalar::Float(value));
        Ok(())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.put(|| Scalar::Text(Cow::Owned(value.to_owned())));
        Ok(())
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<(), E> {
        self.put(|| Scalar::Text(Cow::Borrowed(value)));
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.put(|| Scalar::Null);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Walk { place, found } = self;
        let mut index = 0;
        loop {
            let place = match &place {
                Place::Nowhere | Place::Named(_) => Place::Nowhere,
                Place::At(node) => {
                    let child = node.children.iter().find(|child| child.index == Some(index));
                    match child.map(|child| &child.node).or(node.each.as_deref()) {
                        Some(node) => Place::At(node),
                        None => Place::Nowhere,
                    }
                }
            };
            if seq.next_element_seed(Walk { place, found })?.is_none() {
                break;
            }
            index += 1;
        }
        Walk { place, found }.put(|| Scalar::Other("an array"));
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Walk { place, found } = self;
        let Place::At(node) = place else {
            while map.next_key::<IgnoredAny>()?.is_some() {
                map.next_value_seed(Walk { place: Place::Nowhere, found })?;
            }
            Walk { place, found }.put(|| Scalar::Other("an object"));
            return Ok(());
        };
        let mut seen = 0_u128;
        let gathered_before = found.gathered.len();
        while let Some(key) = map.next_key_seed(Key)? {
            let place = match node.children.iter().position(|child| *child.key == *key) {
                // `KEYS_MAX` children at most, one bit each.
                Some(at) if seen & (1 << at) != 0 => return Err(twice(&key)),
                Some(at) => {
                    seen |= 1 << at;
                    Place::At(&node.children[at].node)
                }
                None => match node.others {
                    Others::Labelled if key.ends_with('_') => {
                        return Err(A::Error::custom(format_args!(
                            "label {key:?} must be understood and is not, expected those of RFC 8428"
                        )));
                    }
                    Others::Labelled | Others::Skipped => Place::Nowhere,
                    Others::Gathered => {
                        if found.gathered[gathered_before..].iter().any(|(name, _)| *name == key) {
                            return Err(twice(&key));
                        }
                        if found.gathered.len() == GATHERED_MAX {
                            return Err(A::Error::custom(format_args!(
                                "more than {GATHERED_MAX} values in one record, expected fewer or a mapping \
                                 in the source's decode"
                            )));
                        }
                        Place::Named(key)
                    }
                },
            };
            map.next_value_seed(Walk { place, found })?;
        }
        Walk { place: Place::At(node), found }.put(|| Scalar::Other("an object"));
        Ok(())
    }
}

/// Reads a key, borrowed unless it has escapes.
pub(super) struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E: Error>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}
