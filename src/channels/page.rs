//! The page of one delivery: what the message said, as it stands now, and the
//! button that says "I have it". Legible on a phone, and without a script.

use std::sync::Arc;

use forewarn_core::time::Timestamp;
use forewarn_core::warning::{Revision, Seen};
use minijinja::{Value, context};

use super::digest;
use super::facts::Facts;
use super::kept::PerSetup;
use super::render;
use super::show;
use super::summary::Summary;
use super::words::{Messages, Words};
use crate::config::plan::Setup;

/// The template of one warning's page.
const FILE: &str = "page.html";

/// The template of a digest's page.
const DIGEST_FILE: &str = "digest-page.html";

/// What a page shows.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// The newest revision of the warning.
    pub revision: &'a Revision,
    /// The language of whoever it was sent to.
    pub language: &'a str,
    /// How many of those who were told have acknowledged.
    pub seen: Seen,
    /// Civil time at which whoever it was sent to did.
    pub acknowledged: Option<Timestamp>,
}

/// What the page of a digest shows.
#[derive(Debug, Clone, Copy)]
pub struct ShownDigest<'a> {
    /// The newest revision of each warning in it, and the page of its own delivery.
    pub newest: &'a [(Revision, Option<String>)],
    /// The language of whoever it was sent to.
    pub language: &'a str,
    /// Whether anything is left for whoever it was sent to.
    pub acknowledged: Acknowledged,
    /// The log position that it shows: what came later is not acknowledged by it.
    pub upto: u64,
}

/// Whether anything is left to be acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acknowledged {
    /// All that can be was.
    All,
    /// Something is.
    Part,
    /// Nothing can be: all has ended.
    Over,
}

/// Makes pages.
#[derive(Debug)]
pub struct Pages {
    messages: PerSetup<Messages>,
}

impl Default for Pages {
    fn default() -> Pages {
        Pages { messages: PerSetup::new(|setup| Messages::read(&setup.messages)) }
    }
}

impl Pages {
    /// A page, complete.
    pub fn page(&self, setup: &Arc<Setup>, shown: Shown<'_>) -> String {
        let messages = self.messages.of(setup);
        let words = messages.language(shown.language);
        let facts = Facts::of(shown.revision, setup, words);
        let number = |count: u32| count.to_string();
        let seen =
            words.fill("text.seen_by", &[("by", &number(shown.seen.by)), ("of", &number(shown.seen.of))]);
        let done = shown.acknowledged.map_or_else(String::new, |at| {
            let local = show::local(at, &setup.plan.settings);
            let time = local.unwrap_or_else(|| words.get("text.time_unknown").to_owned());
            words.fill("text.acknowledged_at", &[("time", &time)])
        });
        let site = show::clean(&setup.plan.settings.site);
        let context = context! {
            lang => words.get("lang"),
            head => render::value(&facts, words),
            banner => &facts.banner,
            number => shown.revision.number,
            seen_label => words.get("labels.seen"),
            seen => seen,
            done => done,
            acknowledge => words.get("text.acknowledge"),
            acknowledge_means => words.get("text.acknowledge_means"),
            signed => words.fill("text.page_signed", &[("site", &site)]),
        };
        written(FILE, words, &context)
    }

    /// The page of a digest, complete.
    pub fn digest(&self, setup: &Arc<Setup>, shown: &ShownDigest<'_>) -> String {
        let messages = self.messages.of(setup);
        let words = messages.language(shown.language);
        let summary = Summary::of(shown.newest.iter().map(|(revision, _)| revision));
        let link = |revision: &Revision| {
            let page = shown.newest.iter().find(|(other, _)| other.warning == revision.warning);
            page.and_then(|(_, link)| link.as_deref())
        };
        let worst = summary.worst().iter();
        let facts: Vec<Facts> =
            worst.map(|revision| Facts::of(revision, setup, words).linked(link(revision))).collect();
        let site = show::clean(&setup.plan.settings.site);
        let count = summary.warnings.len().to_string();
        let around = context! {
            number => shown.upto,
            done => match shown.acknowledged {
                Acknowledged::All => words.get("digest.done"),
                Acknowledged::Part => "",
                Acknowledged::Over => words.get("digest.all_over"),
            },
            acknowledge => digest::acknowledge(&summary, words),
            means => words.fill("digest.means", &[("count", &count)]),
            signed => words.fill("text.page_signed", &[("site", &site)]),
        };
        let context = context! { ..digest::values(&summary, &facts, setup, words), ..around };
        written(DIGEST_FILE, words, &context)
    }
}

fn written(file: &str, words: &Words, context: &Value) -> String {
    words.render(file, context).unwrap_or_else(|error| {
        tracing::error!(%error, file, "a page cannot be written");
        format!("<!DOCTYPE html><title>{file}</title>")
    })
}
