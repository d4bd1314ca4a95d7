//! The list of warnings: those that stand first, then what was, newest first.

use forewarn_core::ids::OutputId;
use minijinja::{Value, context};

use super::voice::Voice;
use super::{Draft, PAGE_ROWS, Scene};
use crate::channels::naming;
use crate::channels::words::Words;
use crate::state::WarningRow;

/// Which of them are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those that have not ended.
    Standing,
    /// All.
    All,
}

impl Which {
    /// As queries call it.
    pub const fn word(self) -> &'static str {
        match self {
            Which::Standing => "standing",
            Which::All => "all",
        }
    }

    /// What a query asks for; all where it does not say.
    pub fn parse(word: &str) -> Which {
        if word == Which::Standing.word() { Which::Standing } else { Which::All }
    }
}

/// Where a warning's page stands.
pub(super) fn path(warning: &OutputId) -> String {
    format!("/warnings/{}", warning.digest())
}

/// Draws one page of the list; `rows` has one more than it shows where there are further ones.
pub fn draw(scene: &Scene<'_>, rows: &[WarningRow], which: Which, page: usize, words: &Words) -> Draft {
    let voice = Voice::of(scene, words);
    let shown: Vec<Value> = rows.iter().take(PAGE_ROWS).map(|row| listed(&voice, row)).collect();
    let content = context! {
        rows => shown,
        which => which.word(),
        page => page,
        earlier => page.checked_sub(1).filter(|page| *page > 0),
        later => (rows.len() > PAGE_ROWS).then_some(page + 1),
    };
    Draft { template: "warnings.html", content }
}

fn listed(voice: &Voice<'_>, row: &WarningRow) -> Value {
    let newest = &row.newest;
    let areas: Vec<String> =
        newest.about.cells().iter().map(|cell| naming::area_name(voice.plan(), *cell, voice.words)).collect();
    let state = match (row.ended, newest.stale) {
        (true, _) => "ended",
        (false, true) => "blind",
        (false, false) => "standing",
    };
    context! {
        facts => voice.facts(newest),
        href => format!("/warnings/{}", row.digest),
        area => areas.join(voice.words.get("join.comma")),
        state => voice.word(&format!("state.{state}")),
        ended => row.ended,
        since => voice.time(newest.onset),
        sent => voice.time(newest.sent),
        number => newest.number,
    }
}
