//! One message as recipes see it: the words of its revisions, as much of them
//! as there is room for.

use std::collections::BTreeMap;

use minijinja::{Value, context};

use super::SMS;
use super::fit::{Detail, clipped, weight};
use crate::channels::door::World;
use crate::channels::facts::{Facts, Row};
use crate::channels::summary::gravest_first;
use crate::channels::words::Words;
use crate::channels::{Envelope, naming, render, show};

/// What a message tells.
#[derive(Debug, Clone)]
pub(super) struct Telling<'a> {
    /// Its revisions in words, the head first.
    pub(super) facts: Vec<Facts>,
    /// When the head was decided, in short.
    pub(super) sent: String,
    pub(super) words: &'a Words,
    /// Where it can be read and acknowledged.
    pub(super) link: Option<&'a str>,
    /// Why it goes to this receiver, where that is to be told.
    pub(super) notice: &'a str,
    /// Who sends it.
    pub(super) signed: String,
    /// The delivery key: the same at every retry.
    pub(super) key: String,
    /// The telephone number; empty for robots.
    pub(super) to: &'a str,
}

impl<'a> Telling<'a> {
    /// What an envelope tells.
    pub(super) fn of<W: World>(envelope: &'a Envelope<W>, words: &'a Words) -> Telling<'a> {
        let (setup, link) = (&envelope.setup, envelope.link.as_deref());
        let mut revisions: Vec<_> = envelope.revisions.iter().collect();
        // The gravest is the head.
        revisions.sort_by_key(|revision| gravest_first(revision));
        let sent = revisions.first().and_then(|head| show::local(head.sent, &setup.plan.settings));
        let facts = revisions.iter().map(|revision| Facts::of(revision, setup, words).linked(link)).collect();
        let key = envelope.key.to_string();
        let site = show::clean(&setup.plan.settings.site);
        Telling {
            facts,
            sent: sent.unwrap_or_default(),
            words,
            link,
            notice: match revisions.len() {
                0 | 1 => envelope.cause.notice(words),
                _ => envelope.cause.notice_of_several(words),
            },
            signed: words.fill("text.signed", &[("site", &site), ("key", &key)]),
            key,
            to: if envelope.target.channel == SMS { &envelope.target.address } else { "" },
        }
    }

    /// The mark and the banner of all: no envelope mixes them.
    fn marks(&self) -> (&str, &str) {
        let marked = self.facts.iter().find(|facts| !facts.mark.is_empty());
        marked.map_or(("", ""), |facts| (&facts.mark, &facts.banner))
    }

    /// Whether a body bears the mark of what it tells.
    pub(super) fn is_marked(&self, body: &serde_json::Value) -> bool {
        let (mark, _) = self.marks();
        mark.is_empty() || any_text(body, &|text| text.contains(mark))
    }

    /// The whole as templates see it.
    pub(super) fn values(&self, detail: Detail, colours: &BTreeMap<String, String>) -> Value {
        let (mark, banner) = self.marks();
        let shown: Vec<Facts> =
            self.facts.iter().take(detail.revisions).map(|facts| told(facts, detail)).collect();
        let revisions: Vec<Value> = shown.iter().map(|facts| render::value(facts, self.words)).collect();
        let head = revisions.first().cloned().unwrap_or_default();
        let level = shown.first().map(|facts| facts.level.word()).unwrap_or_default();
        // A service's own word for a colour, and our own link: whatever would be made inert in a
        // name is meant in them.
        let meant = |text: &str| Value::from_safe_string(text.to_owned());
        context! {
            lang => self.words.get("lang"),
            to => self.to,
            key => &self.key,
            mark => mark,
            banner => banner,
            notice => self.notice,
            digest => self.digest(),
            head => head,
            revisions => revisions.into_iter().collect::<Value>(),
            short => self.short(shown.first(), mark),
            colour => meant(colours.get(level).map_or(level, String::as_str)),
            link => meant(self.link.unwrap_or_default()),
            acknowledge => self.words.get("text.acknowledge"),
            signed => &self.signed,
        }
    }

    /// How many revisions there are; empty where there is one.
    fn digest(&self) -> String {
        match self.facts.len() {
            0 | 1 => String::new(),
            many => self.words.fill("text.digest", &[("count", &many.to_string())]),
        }
    }

    /// The head in one line: for text messages, and for what telephones show of a chat.
    fn short(&self, head: Option<&Facts>, mark: &str) -> Value {
        let Some(head) = head else { return Value::default() };
        let mark = if mark.is_empty() {
            String::new()
        } else {
            self.words.fill("text.short_mark", &[("mark", mark)])
        };
        let digest = self.digest();
        // The sentence around it has a stop of its own.
        let headline = head.headline.trim_end_matches(['.', '。']);
        let headline = if digest.is_empty() {
            headline.to_owned()
        } else {
            format!("{digest}{}{headline}", self.words.get("join.list"))
        };
        let values = [
            ("mark", mark.as_str()),
            ("tag", &head.tag),
            ("hazard", &head.hazard),
            ("headline", &headline),
            ("action", &head.action),
            ("time", &self.sent),
        ];
        Value::from(self.words.fill("text.short", &values).trim().to_owned())
    }
}

/// As much of a revision as there is room for. Its words and its place in the
/// order of its fields stay as they are.
fn told(facts: &Facts, detail: Detail) -> Facts {
    let mut weights: Vec<usize> = facts.rows.iter().filter_map(|row| weight(row.key)).collect();
    weights.sort_unstable();
    let heaviest = weights.get(detail.rows.min(weights.len()).saturating_sub(1)).copied().unwrap_or(0);
    let rows = facts.rows.iter().filter(|row| weight(row.key).is_some_and(|it| it <= heaviest));
    let rows = rows.map(|row| {
        // When it was said is never cut.
        let most = if row.key == "time" { usize::MAX } else { detail.text };
        Row { text: clipped(&row.text, most), ..row.clone() }
    });
    Facts {
        rows: rows.collect(),
        hazard: clipped(&facts.hazard, detail.text),
        headline: clipped(&facts.headline, detail.text),
        action: clipped(&facts.action, detail.action),
        symbol: naming::symbol(facts.level),
        ..facts.clone()
    }
}

/// Whether any text of a body is one of these.
pub(super) fn any_text(body: &serde_json::Value, is_it: &dyn Fn(&str) -> bool) -> bool {
    match body {
        serde_json::Value::String(text) => is_it(text),
        serde_json::Value::Array(items) => items.iter().any(|item| any_text(item, is_it)),
        serde_json::Value::Object(table) => table.values().any(|value| any_text(value, is_it)),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => false,
    }
}
