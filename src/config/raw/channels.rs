//! `channels/NAME.toml` as written: how a chat service or a gateway is spoken
//! to. What is not there is built in.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::DeValue;

use super::table::{At, OneOrMany, Read, Reader, raw};
use super::words::{Length, Text, Word, word_schema};
use crate::config::fault::{Fault, Faults, Place, list};

/// The folder.
pub(crate) const FOLDER: &str = "channels";

/// Tables and lists within one another in a body.
const DEPTH_MAX: usize = 24;

/// Reads the site's own files, by file name; their text is judged later.
pub(crate) fn read(dir: &Path, known: &[&str], faults: &mut Faults) -> BTreeMap<String, String> {
    let mut recipes = BTreeMap::new();
    for file in super::folder(dir, FOLDER, "", faults) {
        let name = &file[FOLDER.len() + 1..];
        let service = name.strip_suffix(".toml").unwrap_or_default();
        if !known.contains(&service) {
            let files: Vec<String> = known.iter().map(|name| format!("{name}.toml")).collect();
            let expected = format!("one of {}", list(files.iter().map(String::as_str)));
            faults.push(Fault::new(Place::new(&*file, 0), "unknown file", expected));
        } else if let Ok(Some(text)) = super::optional(dir, &file, faults) {
            recipes.insert(name.to_owned(), text);
        }
    }
    recipes
}

/// Reads one file's text.
pub(crate) fn recipe(file: &str, text: &str, faults: &mut Faults) -> Option<Recipe> {
    Reader::document(&Arc::from(file), text, faults)
}

raw! {
    /// How a service is spoken to.
    pub(crate) struct Recipe {
        /// "POST" (the default) or "PUT".
        method: Option<Verb>,
        /// Headers beside Content-Type and Authorization.
        headers: Option<BTreeMap<String, At<Text>>>,
        /// What the service reads as markup in a text: "none", "markdown" or "slack". What is
        /// filled in loses whatever would be taken for it.
        markup: MarkupWord,
        /// How requests are signed where a robot has a secret: "dingtalk" or "feishu".
        sign: Option<SignWord>,
        /// What the service takes at most. A message that is longer loses what matters least.
        limit: Vec<At<Limit>>,
        /// What an answer means.
        answer: Answer,
        /// The service's word for each level's colour, as `{{ colour }}` has it: normal, blue ...
        colours: Option<BTreeMap<String, Text>>,
        /// The body, as JSON has it: every text in it is a template. A table with `only_with` is
        /// left out where that is empty.
        body: At<Body>,
    }
}

raw! {
    /// What the service takes at most: one of bytes, chars and segments.
    pub(crate) struct Limit {
        /// Where, as a JSON pointer; the whole body if absent.
        at: Option<Text>,
        /// Bytes of UTF-8.
        bytes: Option<At<u32>>,
        /// Characters.
        chars: Option<At<u32>>,
        /// Segments of a text message.
        segments: Option<At<u32>>,
    }
}

raw! {
    /// What an answer means. Where no code is looked for, its status tells.
    pub(crate) struct Answer {
        /// Statuses that mean success, where the rest agrees. Default 200 to 299.
        status: Option<Vec<At<u32>>>,
        /// What the whole answer must be.
        text: Option<Text>,
        /// What stands in an answer that failed, whatever its status.
        failed: Option<Vec<Text>>,
        /// Where the code stands, as a JSON pointer or several, of which the first found counts.
        code: Option<OneOrMany<At<Text>>>,
        /// Codes that mean success. A success whose code is none of these is none.
        ok: Option<Vec<Code>>,
        /// Codes that mean: later, and not before `wait`.
        busy: Option<Vec<Code>>,
        /// Codes that mean: never. Any other is tried again.
        dead: Option<Vec<Code>>,
        /// How long to wait where the service is busy, by its code or by a 429, and does not say how
        /// long. Default "30 s".
        wait: Option<Length>,
    }
}

/// A code of an answer, however it is written there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) String);

impl Read for Code {
    fn read(value: Spanned<DeValue<'_>>, path: &str, reader: &mut Reader<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(text) => Some(Code(text.clone().into_owned())),
            DeValue::Boolean(on) => Some(Code(on.to_string())),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Some(Code(number.to_string())),
                Err(_) => reader.wrong(&value, path, &Self::expected()),
            },
            DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
                reader.wrong(&value, path, &Self::expected())
            }
        }
    }

    fn expected() -> String {
        "a code as the service answers it: a whole number, a text, true or false".to_owned()
    }
}

impl schemars::JsonSchema for Code {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Code".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["integer", "string", "boolean"], "description": Self::expected() })
    }
}

/// A body as JSON has it, its texts still to be filled in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Body {
    /// A template, with its line.
    Text(At<String>),
    /// A number, true or false.
    Bare(serde_json::Value),
    /// In order.
    List(Vec<Body>),
    /// By key.
    Table(BTreeMap<String, Body>),
}

impl Read for Body {
    fn read(value: Spanned<DeValue<'_>>, path: &str, reader: &mut Reader<'_>) -> Option<Self> {
        if path.matches('.').count() > DEPTH_MAX {
            return reader.wrong(&value, path, "fewer tables within one another");
        }
        let line = reader.line(value.span().start);
        match value.get_ref() {
            DeValue::String(text) => return Some(Body::Text(At { value: text.clone().into_owned(), line })),
            DeValue::Boolean(on) => return Some(Body::Bare((*on).into())),
            DeValue::Integer(number) => {
                let read = i64::from_str_radix(number.as_str(), number.radix()).ok();
                return match read {
                    Some(number) => Some(Body::Bare(number.into())),
                    None => reader.wrong(&value, path, "a smaller number"),
                };
            }
            DeValue::Float(number) => {
                let read = number.as_str().parse::<f64>().ok().and_then(serde_json::Number::from_f64);
                return match read {
                    Some(number) => Some(Body::Bare(serde_json::Value::Number(number))),
                    None => reader.wrong(&value, path, "a number that JSON has"),
                };
            }
            DeValue::Datetime(_) => return reader.wrong(&value, path, "a text in quotation marks"),
            DeValue::Array(_) | DeValue::Table(_) => {}
        }
        if matches!(value.get_ref(), DeValue::Array(_)) {
            let DeValue::Array(items) = value.into_inner() else { return None };
            let read: Vec<Option<Body>> =
                items.into_iter().map(|item| Body::read(item, &format!("{path}.[]"), reader)).collect();
            return read.into_iter().collect::<Option<Vec<Body>>>().map(Body::List);
        }
        BTreeMap::<String, Body>::read(value, path, reader).map(Body::Table)
    }

    fn expected() -> String {
        "a table as the service's JSON has it".to_owned()
    }
}

impl schemars::JsonSchema for Body {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Body".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "object", "description": Self::expected() })
    }
}

/// How a request is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Post,
    Put,
}

impl Word for Verb {
    const EXPECTED: &'static str = "\"POST\" or \"PUT\"";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "POST" => Some(Verb::Post),
            "PUT" => Some(Verb::Put),
            _ => None,
        }
    }
}

/// What a service reads as markup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MarkupWord {
    None,
    Markdown,
    Slack,
}

impl Word for MarkupWord {
    const EXPECTED: &'static str = "\"none\", \"markdown\" or \"slack\"";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "none" => Some(MarkupWord::None),
            "markdown" => Some(MarkupWord::Markdown),
            "slack" => Some(MarkupWord::Slack),
            _ => None,
        }
    }
}

/// How requests are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignWord {
    Dingtalk,
    Feishu,
}

impl Word for SignWord {
    const EXPECTED: &'static str = "\"dingtalk\" or \"feishu\"";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "dingtalk" => Some(SignWord::Dingtalk),
            "feishu" => Some(SignWord::Feishu),
            _ => None,
        }
    }
}

word_schema!(Verb, MarkupWord, SignWord);
