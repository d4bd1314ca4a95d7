//! How a service is spoken to, as `config/channels/NAME.toml` says it. A body
//! is built as a tree whose texts are templates: whatever a name holds, it
//! stays within its text.

use std::collections::BTreeMap;

use minijinja::{Environment, UndefinedBehavior};
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::SERVICES;
use super::answer::Meaning;
use super::fit::{Bound, Detail, Most};
use super::markup::Markup;
use super::sign::Sign;
use super::telling::Telling;
use crate::config::fault::{Fault, Faults, Place, list};
use crate::config::raw::channels as raw;
use crate::config::raw::table::{At, OneOrMany};

/// The built-in recipes, in the order of [`SERVICES`].
const BUILT_IN: [&str; SERVICES.len()] = [
    include_str!("../../../config/channels/wecom.toml"),
    include_str!("../../../config/channels/dingtalk.toml"),
    include_str!("../../../config/channels/feishu.toml"),
    include_str!("../../../config/channels/slack.toml"),
    include_str!("../../../config/channels/teams.toml"),
    include_str!("../../../config/channels/sms.toml"),
];

/// The key of a table that is there only where this is not empty.
const ONLY_WITH: &str = "only_with";

/// The levels that have colours.
const LEVELS: [&str; 5] = ["normal", "blue", "yellow", "orange", "red"];

/// How a service is spoken to.
#[derive(Debug)]
pub(super) struct Recipe {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) sign: Option<Sign>,
    pub(super) answer: Meaning,
    bounds: Vec<Bound>,
    colours: BTreeMap<String, String>,
    body: Node,
    templates: Environment<'static>,
    /// Where each template begins.
    lines: Vec<u32>,
}

/// A part of a body; texts by the number of their template.
#[derive(Debug)]
enum Node {
    Text(usize),
    Bare(Value),
    List(Vec<Node>),
    Table { only_with: Option<usize>, entries: BTreeMap<String, Node> },
}

impl Recipe {
    /// The site's own where there is one that can be read, else the built-in
    /// one; with so many segments where it counts segments and the site says how many.
    pub(super) fn of(service: &str, given: &BTreeMap<String, String>, segments: Option<u32>) -> Recipe {
        let file = format!("{service}.toml");
        let own = given.get(&file).and_then(|text| Recipe::read(&file, text).ok());
        let mut recipe = own.unwrap_or_else(|| Recipe::built_in(service));
        for bound in &mut recipe.bounds {
            if let (Most::Segments(most), Some(segments)) = (&mut bound.most, segments) {
                *most = segments as usize;
            }
        }
        recipe
    }

    /// The built-in recipe of one of [`SERVICES`].
    pub(super) fn built_in(service: &str) -> Recipe {
        let text = built_in_text(service);
        Recipe::read(service, text).unwrap_or_else(|faults| panic!("the built-in recipe is sound: {faults}"))
    }

    /// Reads a recipe, or tells every fault of it.
    pub(super) fn read(file: &str, text: &str) -> Result<Recipe, Faults> {
        let mut faults = Faults::default();
        let raw = raw::recipe(file, text, &mut faults);
        let recipe = raw.map(|raw| Reading::new(file, &raw, &mut faults).recipe(&raw));
        recipe.filter(|_| faults.is_empty()).ok_or(faults)
    }

    /// The body of a message, with as much of it as the service takes; `None`
    /// where not even the least of it fits.
    pub(super) fn body(&self, telling: &Telling<'_>) -> Result<Option<Value>, minijinja::Error> {
        Ok(self.fitting(telling)?.map(|(_, body)| body))
    }

    /// The body of a message, and with how much of it.
    pub(super) fn fitting(&self, telling: &Telling<'_>) -> Result<Option<(Detail, Value)>, minijinja::Error> {
        for detail in Detail::falling() {
            let body = self.filled(telling, detail)?;
            if self.bounds.iter().all(|bound| bound.holds(&body)) {
                return Ok(Some((detail, body)));
            }
        }
        Ok(None)
    }

    /// The body with so much of a message in it.
    pub(super) fn filled(&self, telling: &Telling<'_>, detail: Detail) -> Result<Value, minijinja::Error> {
        let values = telling.values(detail, &self.colours);
        let mut body = self.node(&self.body, &values)?.unwrap_or_default();
        self.bounds.iter().for_each(|bound| bound.plain(&mut body));
        Ok(body)
    }

    /// The line of its file at which a template failed.
    pub(super) fn line(&self, error: &minijinja::Error) -> u32 {
        let number = error.name().and_then(|name| name.parse::<usize>().ok());
        number.and_then(|number| self.lines.get(number)).map_or(0, |start| start + within(error))
    }

    /// What the service takes at most.
    pub(super) fn bounds(&self) -> &[Bound] {
        &self.bounds
    }

    fn node(&self, node: &Node, values: &minijinja::Value) -> Result<Option<Value>, minijinja::Error> {
        Ok(Some(match node {
            Node::Text(template) => Value::String(self.text(*template, values)?),
            Node::Bare(value) => value.clone(),
            Node::List(items) => {
                let filled: Result<Vec<_>, _> = items.iter().map(|item| self.node(item, values)).collect();
                Value::Array(filled?.into_iter().flatten().collect())
            }
            Node::Table { only_with, entries } => {
                if let Some(template) = only_with
                    && self.text(*template, values)?.is_empty()
                {
                    return Ok(None);
                }
                let mut table = serde_json::Map::new();
                for (key, entry) in entries {
                    if let Some(value) = self.node(entry, values)? {
                        table.insert(key.clone(), value);
                    }
                }
                Value::Object(table)
            }
        }))
    }

    fn text(&self, template: usize, values: &minijinja::Value) -> Result<String, minijinja::Error> {
        let text = self.templates.get_template(&template.to_string())?.render(values)?;
        Ok(text.trim().to_owned())
    }
}

/// What an error of a template says, without its source.
pub(super) fn why(error: &minijinja::Error) -> String {
    error.detail().map_or_else(|| error.kind().to_string(), str::to_owned)
}

/// Lines from a template's first to the one that an error is in.
fn within(error: &minijinja::Error) -> u32 {
    error.line().map_or(0, |line| u32::try_from(line.saturating_sub(1)).unwrap_or(0))
}

/// The text of a built-in recipe.
pub(super) fn built_in_text(service: &str) -> &'static str {
    let at = SERVICES.iter().position(|it| *it == service).expect("one of the services");
    BUILT_IN[at]
}

/// A recipe being read from what is written.
struct Reading<'a> {
    file: &'a str,
    faults: &'a mut Faults,
    templates: Environment<'static>,
    lines: Vec<u32>,
}

impl<'a> Reading<'a> {
    fn new(file: &'a str, raw: &raw::Recipe, faults: &'a mut Faults) -> Reading<'a> {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        let markup = Markup::from(raw.markup);
        templates.set_formatter(move |out, state, value| match value.as_str() {
            Some(text) if !value.is_safe() => {
                out.write_str(&markup.inert(text)).map_err(minijinja::Error::from)
            }
            _ => minijinja::escape_formatter(out, state, value),
        });
        Reading { file, faults, templates, lines: vec![] }
    }

    fn recipe(mut self, raw: &raw::Recipe) -> Recipe {
        let body = self.node(&raw.body.value);
        if !matches!(body, Node::Table { .. }) {
            self.fault(raw.body.line, "body is no table".into(), "a table as the service's JSON has it");
        }
        let bounds = raw.limit.iter().filter_map(|limit| self.bound(limit)).collect();
        let headers = self.headers(raw);
        let answer = self.answer(&raw.answer);
        let colours: BTreeMap<String, String> =
            raw.colours.iter().flatten().map(|(level, word)| (level.clone(), word.0.clone())).collect();
        let unknown = colours.keys().filter(|level| !LEVELS.contains(&level.as_str()));
        let unknown: Vec<String> = unknown.cloned().collect();
        if !unknown.is_empty() {
            let what = format!("colours has {}", list(unknown.iter().map(String::as_str)));
            self.fault(0, what, &format!("levels: {}", list(LEVELS)));
        }
        Recipe {
            method: match raw.method.unwrap_or(raw::Verb::Post) {
                raw::Verb::Post => Method::POST,
                raw::Verb::Put => Method::PUT,
            },
            headers,
            sign: raw.sign.map(Sign::from),
            answer,
            bounds,
            colours,
            body,
            templates: self.templates,
            lines: self.lines,
        }
    }

    fn fault(&mut self, line: u32, what: String, expected: &str) {
        self.faults.push(Fault::new(Place::new(self.file, line), what, expected));
    }

    fn node(&mut self, body: &raw::Body) -> Node {
        match body {
            raw::Body::Text(text) => Node::Text(self.template(text)),
            raw::Body::Bare(value) => Node::Bare(value.clone()),
            raw::Body::List(items) => Node::List(items.iter().map(|item| self.node(item)).collect()),
            raw::Body::Table(table) => {
                let only_with = table.get(ONLY_WITH).and_then(|body| match body {
                    raw::Body::Text(text) => Some(self.template(text)),
                    raw::Body::Bare(_) | raw::Body::List(_) | raw::Body::Table(_) => {
                        self.fault(0, "only_with is no text".into(), "a template such as \"{{ link }}\"");
                        None
                    }
                });
                let entries = table.iter().filter(|(key, _)| *key != ONLY_WITH);
                let entries = entries.map(|(key, body)| (key.clone(), self.node(body))).collect();
                Node::Table { only_with, entries }
            }
        }
    }

    /// Keeps a template by its number; one that is none is a fault with its own line.
    fn template(&mut self, text: &At<String>) -> usize {
        let number = self.lines.len();
        // The text of several lines begins behind its quotation marks.
        let start = if text.value.contains('\n') { text.line + 1 } else { text.line };
        self.lines.push(start);
        if let Err(error) = self.templates.add_template_owned(number.to_string(), text.value.clone()) {
            let what = format!("the template cannot be read ({})", why(&error));
            self.fault(start + within(&error), what, "a template as in the built-in recipes");
        }
        number
    }

    fn bound(&mut self, limit: &At<raw::Limit>) -> Option<Bound> {
        let line = limit.line;
        let limit = &limit.value;
        let at = limit.at.as_ref().map_or_else(String::new, |at| at.0.clone());
        let most = |written: &Option<At<u32>>| written.as_ref().map(|written| written.value as usize);
        let most = match (most(&limit.bytes), most(&limit.chars), most(&limit.segments)) {
            (Some(bytes), None, None) => Most::Bytes(bytes),
            (None, Some(chars), None) => Most::Chars(chars),
            (None, None, Some(segments)) if !at.is_empty() => Most::Segments(segments),
            _ => {
                self.fault(
                    line,
                    "limit counts nothing, or two things".into(),
                    "one of bytes, chars, segments",
                );
                return None;
            }
        };
        if !at.is_empty() && !at.starts_with('/') {
            self.fault(line, "limit.at is no JSON pointer".into(), "one such as \"/markdown/content\"");
        }
        Some(Bound { at, most })
    }

    /// What an answer means. Rules that could call no message taken, or any, are faults: the one sends
    /// it again until it expires, the other loses it unseen.
    fn answer(&mut self, raw: &raw::Answer) -> Meaning {
        let pointers: Vec<&At<_>> = raw.code.iter().flat_map(OneOrMany::iter).collect();
        let [ok, busy, dead] =
            [&raw.ok, &raw.busy, &raw.dead].map(|codes| codes.as_deref().unwrap_or_default());
        match pointers.first() {
            Some(first) if ok.is_empty() => {
                let what = "answer has a code and none that means success".to_owned();
                self.fault(first.line, what, "ok = [...] with the codes of what was taken");
            }
            None if [ok, busy, dead].iter().any(|codes| !codes.is_empty()) => {
                let what = "answer has codes, and not where one stands".to_owned();
                self.fault(0, what, "code = \"/errcode\", a JSON pointer into the answer");
            }
            Some(_) | None => {}
        }
        if let Some(both) = ok.iter().find(|code| busy.contains(code) || dead.contains(code)) {
            let what = format!("answer has {} both in ok and in busy or dead", both.0);
            self.fault(0, what, "each code once");
        }
        for pointer in pointers.iter().filter(|pointer| !pointer.value.0.starts_with('/')) {
            self.fault(pointer.line, "answer.code is no JSON pointer".into(), "one such as \"/errcode\"");
        }
        for status in raw.status.iter().flatten().filter(|status| !(200..=299).contains(&status.value)) {
            let what = format!("answer.status has {}", status.value);
            self.fault(status.line, what, "200 to 299: no other means success");
        }
        Meaning::of(raw)
    }

    fn headers(&mut self, raw: &raw::Recipe) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in raw.headers.iter().flatten() {
            let read = name.parse::<HeaderName>().ok().zip(value.value.0.parse::<HeaderValue>().ok());
            match read {
                Some((name, _)) if name == reqwest::header::AUTHORIZATION => {
                    let what = "headers has Authorization".to_owned();
                    self.fault(
                        value.line,
                        what,
                        "token, or user and password, by reference in forewarn.toml",
                    );
                }
                Some((name, value)) => _ = headers.insert(name, value),
                None => self.fault(value.line, "headers has no header".into(), "NAME = \"value\" in ASCII"),
            }
        }
        headers
    }
}
