//! Reading TOML with a line for every word, and every fault of a table at
//! once: serde stops at the first, and its tagged enums lose the line.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::super::fault::{Fault, Faults, Place, list, quote};

/// Something as written, with its line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) line: u32,
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }
}

/// What the parser says of a key that stands twice.
const TWICE: &str = "duplicate key";

/// A file being read: knows its lines and takes its faults.
pub(crate) struct Reader<'f> {
    file: Arc<str>,
    starts: Vec<usize>,
    faults: &'f mut Faults,
}

impl<'f> Reader<'f> {
    /// Reads a whole document; `None` when it is no TOML, or lacks what it must have.
    pub(crate) fn document<T: Read>(file: &Arc<str>, text: &str, faults: &'f mut Faults) -> Option<T> {
        let mut starts = vec![0];
        starts.extend(text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n').map(|(at, _)| at + 1));
        let mut reader = Reader { file: file.clone(), starts, faults };
        let (root, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            let mut table_told = false;
            for error in &errors {
                let twice = error.message() == TWICE;
                // A table that stands twice has its keys twice as well.
                if !(twice && table_told) {
                    reader.syntax(error, text);
                }
                table_told |= twice && reader.heads_table(error, text);
            }
            return None;
        }
        let span = root.span();
        T::read(Spanned::new(span, DeValue::Table(root.into_inner())), "", &mut reader)
    }

    /// An error of the parser itself. Its own text would print the line, and with it a secret.
    fn syntax(&mut self, error: &toml::de::Error, text: &str) {
        let line = error.span().map_or(0, |span| self.line(span.start));
        if error.message() == TWICE {
            let key = error.span().and_then(|span| text.get(span)).unwrap_or_default();
            let fault =
                Fault::new(self.place(line), format!("key {} stands twice", quote(key)), "each key once");
            let hint = format!("several of a kind are written [[{key}]]");
            let is_table = self.heads_table(error, text);
            return self.fault(if is_table { fault.hint(hint) } else { fault });
        }
        let (what, expected) = error.message().split_once(", expected ").unwrap_or((error.message(), ""));
        self.fault(Fault::new(self.place(line), what, expected));
    }

    /// Whether an error lies in the head of a table.
    fn heads_table(&self, error: &toml::de::Error, text: &str) -> bool {
        let line = error.span().map_or(1, |span| self.line(span.start));
        text.lines().nth(line as usize - 1).is_some_and(|line| line.trim_start().starts_with('['))
    }

    /// The line of an offset, from 1.
    pub(crate) fn line(&self, offset: usize) -> u32 {
        self.starts.partition_point(|&start| start <= offset) as u32
    }

    /// A place in this file.
    pub(crate) fn place(&self, line: u32) -> Place {
        Place { file: self.file.clone(), line }
    }

    /// Notes a fault.
    pub(crate) fn fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// Notes that `path` holds something of the wrong kind.
    pub(crate) fn wrong<T>(&mut self, value: &Spanned<DeValue<'_>>, path: &str, expected: &str) -> Option<T> {
        let fault = self.mistaken(value, path, expected);
        self.fault(fault);
        None
    }

    /// As [`wrong`](Reader::wrong), where a text was expected.
    pub(crate) fn no_text<T>(
        &mut self,
        value: &Spanned<DeValue<'_>>,
        path: &str,
        expected: &str,
    ) -> Option<T> {
        let mut fault = self.mistaken(value, path, expected);
        if !matches!(value.get_ref(), DeValue::Array(_) | DeValue::Table(_)) {
            fault = fault.hint("write it in quotation marks");
        }
        self.fault(fault);
        None
    }

    /// As [`wrong`](Reader::wrong), where a number, true or false was expected.
    pub(crate) fn no_bare<T>(
        &mut self,
        value: &Spanned<DeValue<'_>>,
        path: &str,
        expected: &str,
    ) -> Option<T> {
        let mut fault = self.mistaken(value, path, expected);
        if matches!(value.get_ref(), DeValue::String(_)) {
            fault = fault.hint("write it without quotation marks");
        }
        self.fault(fault);
        None
    }

    fn mistaken(&self, value: &Spanned<DeValue<'_>>, path: &str, expected: &str) -> Fault {
        let kind = match value.get_ref() {
            DeValue::String(_) => "text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        Fault::new(self.place(self.line(value.span().start)), format!("{path} is {kind}"), expected)
    }

    /// Opens a table.
    pub(crate) fn table<'i>(&mut self, value: Spanned<DeValue<'i>>, path: &str) -> Option<Table<'i>> {
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(entries) => {
                let line = self.line(span.start);
                Some(Table { entries, span, line, path: path.to_owned(), known: vec![] })
            }
            other => self.wrong(&Spanned::new(span, other), path, "a table"),
        }
    }
}

/// One table being read, key by key.
pub(crate) struct Table<'i> {
    entries: DeTable<'i>,
    span: std::ops::Range<usize>,
    line: u32,
    path: String,
    known: Vec<&'static str>,
}

impl<'i> Table<'i> {
    /// Where it begins.
    pub(crate) fn line(&self) -> u32 {
        self.line
    }

    /// Reads one key; `None` when it is at fault, or missing and mandatory.
    pub(crate) fn take<T: Read>(&mut self, key: &'static str, reader: &mut Reader<'_>) -> Option<T> {
        self.known.push(key);
        let path = self.join(key);
        match self.entries.remove(key) {
            Some(value) => T::read(value, &path, reader),
            None => T::absent().or_else(|| {
                let what = match self.path.as_str() {
                    "" => format!("{key} is missing"),
                    path => format!("{path} has no {key}"),
                };
                reader.fault(Fault::new(reader.place(self.line), what, T::expected()));
                None
            }),
        }
    }

    /// The keys not taken yet, for a member of a family to read as its own.
    pub(crate) fn rest(self) -> Spanned<DeValue<'i>> {
        Spanned::new(self.span, DeValue::Table(self.entries))
    }

    /// The keys taken so far.
    pub(crate) fn known(&self) -> Vec<&'static str> {
        self.known.clone()
    }

    /// The keys not taken, as names and values: for tables whose keys are names.
    pub(crate) fn named(self) -> impl Iterator<Item = (String, Spanned<DeValue<'i>>)> {
        self.entries.into_iter().map(|(key, value)| (key.into_inner().into_owned(), value))
    }

    /// Refuses every key that nobody took.
    pub(crate) fn finish(self, reader: &mut Reader<'_>) {
        for key in self.entries.keys() {
            let place = reader.place(reader.line(key.span().start));
            let name = key.get_ref();
            let within = if self.path.is_empty() { String::new() } else { format!(" in {}", self.path) };
            let fault = Fault::new(
                place,
                format!("unknown key {}{within}", quote(name)),
                format!("one of {}", list(self.known.iter().copied())),
            );
            reader.fault(fault.nearest(name, self.known.iter().copied()));
        }
    }

    fn join(&self, key: &str) -> String {
        match self.path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        }
    }
}

/// What a TOML value can be read as.
pub(crate) trait Read: Sized {
    /// Reads it, or notes what is wrong with it.
    fn read(value: Spanned<DeValue<'_>>, path: &str, reader: &mut Reader<'_>) -> Option<Self>;

    /// What stands for an absent key; `None` makes the key mandatory.
    fn absent() -> Option<Self> {
        None
    }

    /// What is expected, in words.
    fn expected() -> String {
        "a value".to_owned()
    }
}

impl<T: Read> Read for Option<T> {
    fn read(value: Spanned<DeValue<'_>>, path: &str, reader: &mut Reader<'_>) -> Option<Self> {
        T::read(value, path, reader).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn expected() -> String {
        T::expected()
    }
}

impl<T: Read> Read for At<T> {
    fn read(value: Spanned<DeValue<'_>>, path: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let line = reader.line(value.span().start);
        T::read(value, path, reader).map(|value| At { value, line })
    }

    fn expected() -> String {
        T::expected()
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(value: Spanned<DeValue<'_>>, path: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let span = value.span();
        match value.into_inner() {
            DeValue::Array(items) => {
                // Every element is read, so that each fault is told; one bad element spoils the list.
                let read: Vec<Option<T>> =
                    items.into_iter().map(|item| T::read(item, path, reader)).collect();
                read.into_iter().collect()
            }
            other => {
                let expected = format!("a list in brackets, each {}", T::expected());
                reader.wrong(&Spanned::new(span, other), path, &expected)
            }
        }
    }

    fn expected() -> String {
        format!("a list of {}", T::expected())
    }
}

impl<T: Read> Read for BTreeMap<String, T> {
    fn read(value: Spanned<DeValue<'_>>, path: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let table = reader.table(value, path)?;
        let mut sound = true;
        let mut map = BTreeMap::new();
        for (name, value) in table.named() {
            match T::read(value, &format!("{path}.{name}"), reader) {
                Some(value) => _ = map.insert(name, value),
                None => sound = false,
            }
        }
        sound.then_some(map)
    }

    fn expected() -> String {
        "a table".to_owned()
    }
}

impl Read for bool {
    fn read(value: Spanned<DeValue<'_>>, path: &str, reader: &mut Reader<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::Boolean(on) => Some(*on),
            _ => reader.no_bare(&value, path, "true or false"),
        }
    }

    fn expected() -> String {
        "true or false".to_owned()
    }
}

impl Read for u32 {
    fn read(value: Spanned<DeValue<'_>>, path: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::Integer(number) = value.get_ref() else {
            return reader.no_bare(&value, path, &Self::expected());
        };
        u32::from_str_radix(number.as_str(), number.radix()).ok().or_else(|| {
            let place = reader.place(reader.line(value.span().start));
            reader.fault(Fault::new(place, format!("{path} is {number}"), Self::expected()));
            None
        })
    }

    fn expected() -> String {
        "a whole number from 0".to_owned()
    }
}

/// One value, or a list of them.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// All of them.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, T> {
        match self {
            OneOrMany::One(one) => std::slice::from_ref(one).iter(),
            OneOrMany::Many(many) => many.iter(),
        }
    }
}

impl<T: Read> Read for OneOrMany<T> {
    fn read(value: Spanned<DeValue<'_>>, path: &str, reader: &mut Reader<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::Array(_) => Vec::read(value, path, reader).map(OneOrMany::Many),
            _ => T::read(value, path, reader).map(OneOrMany::One),
        }
    }

    fn expected() -> String {
        format!("{}, or a list of such", T::expected())
    }
}

/// Declares a table as written: its struct, its JSON Schema, and how it is
/// read, every key with its own fault and unknown keys refused. A key whose
/// type is an `Option` may be absent.
macro_rules! raw {
    (
        $(#[$meta:meta])*
        pub(crate) struct $name:ident {
            $( $(#[$field_meta:meta])* $field:ident: $type:ty ),* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, schemars::JsonSchema)]
        #[schemars(deny_unknown_fields)]
        pub(crate) struct $name {
            $( $(#[$field_meta])* pub(crate) $field: $type ),*
        }

        impl $crate::config::raw::table::Read for $name {
            fn read(
                value: toml::Spanned<toml::de::DeValue<'_>>,
                path: &str,
                reader: &mut $crate::config::raw::table::Reader<'_>,
            ) -> Option<Self> {
                let mut table = reader.table(value, path)?;
                $( let $field = table.take::<$type>(stringify!($field), reader); )*
                table.finish(reader);
                Some($name { $( $field: $field? ),* })
            }

            fn expected() -> String {
                concat!("a table with ", $( stringify!($field), " ", )*).trim_end().to_owned()
            }
        }
    };
}

pub(crate) use raw;
