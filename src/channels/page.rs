//! The page of one delivery: what the message said, as it stands now, and the
//! button that says "I have it". Legible on a phone, and without a script.

use std::sync::Arc;

use forewarn_core::time::Timestamp;
use forewarn_core::warning::{Revision, Seen};
use minijinja::context;

use super::facts::Facts;
use super::kept::PerSetup;
use super::render;
use super::show;
use super::words::Messages;
use crate::config::plan::Setup;

/// The template's file.
const FILE: &str = "page.html";

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
        words.render(FILE, &context).unwrap_or_else(|error| {
            tracing::error!(%error, "the page of a delivery cannot be written");
            format!("<!DOCTYPE html><title>{FILE}</title>")
        })
    }
}
