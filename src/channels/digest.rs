//! A digest in words: a subject and a mail that say how many warnings of each
//! level came, where, and which are the worst.

use std::collections::BTreeMap;

use forewarn_core::ids::{Key, OutputId};
use forewarn_core::level::{Level, Status};
use forewarn_core::warning::{Cell, Revision};
use minijinja::{Value, context};

use super::facts::Facts;
use super::render::{self, Rendered};
use super::summary::{COLUMNS, Column, Spot, Summary, Tally};
use super::words::Words;
use super::{Cause, Member, naming, show};
use crate::config::plan::Setup;

/// A digest to be told.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// Its key.
    pub key: Key,
    /// What is in it; never empty.
    pub revisions: &'a [&'a Revision],
    /// The delivery that each of them is.
    pub members: &'a [Member],
    /// Its own page, where all can be acknowledged.
    pub link: Option<&'a str>,
    /// Why it goes to this receiver.
    pub cause: Cause,
}

/// Renders it as a mail.
pub fn render(told: &Told<'_>, setup: &Setup, words: &Words) -> Rendered {
    let summary = Summary::of(told.revisions.iter().copied());
    let links = links(told);
    let facts = summary.worst().iter().map(|revision| {
        Facts::of(revision, setup, words).linked(links.get(&revision.warning).copied().flatten())
    });
    let facts: Vec<Facts> = facts.collect();
    let site = show::clean(&setup.plan.settings.site);
    let signed = words.fill("text.signed", &[("site", &site), ("key", &told.key.to_string())]);
    let acknowledge = told.link.map_or_else(String::new, |_| acknowledge(&summary, words));
    let around = context! {
        notice => told.cause.notice_of_several(words),
        acknowledge => acknowledge,
        href => told.link.unwrap_or_default(),
        signed => &signed,
    };
    let (mark, banner) = facts.first().map_or(("", ""), |facts| (&*facts.mark, &*facts.banner));
    let context = context! { ..values(&summary, &facts, setup, words), ..around };
    let file = |name| words.render(name, &context).unwrap_or_else(|_| render::plain(&facts, &signed));
    let marks = if mark.is_empty() { String::new() } else { format!("[{mark}]") };
    let subject = format!("[{}]{marks} {}", tag(&summary, words), title(&summary, words));
    Rendered {
        subject: show::clean(&subject),
        text: render::marked_text(file("digest.txt"), banner),
        html: render::marked_html(file("digest.html"), banner),
    }
}

/// The page of each warning's own delivery.
fn links<'a>(told: &Told<'a>) -> BTreeMap<OutputId, Option<&'a str>> {
    let pairs = told.revisions.iter().zip(told.members);
    pairs.map(|(revision, member)| (revision.warning, member.link.as_deref())).collect()
}

/// What the button says.
pub(super) fn acknowledge(summary: &Summary<'_>, words: &Words) -> String {
    words.fill("digest.acknowledge", &[("count", &summary.warnings.len().to_string())])
}

/// How many warnings, and how many of each level: one line.
pub(super) fn title(summary: &Summary<'_>, words: &Words) -> String {
    let count = summary.warnings.len().to_string();
    words.fill("digest.title", &[("count", &count), ("levels", &figures(summary.total, words))])
}

/// Colour word and grade of the highest level; that all is over where nothing stands.
fn tag(summary: &Summary<'_>, words: &Words) -> String {
    match summary.level() {
        Level::Normal => words.get("tags.all-clear").to_owned(),
        level => naming::level_tag(level, words),
    }
}

/// As in `12 RED, 3 ORANGE`; what is nought is left out.
fn figures(tally: Tally, words: &Words) -> String {
    let some = COLUMNS.into_iter().zip(tally.0).filter(|(_, count)| *count > 0);
    let figures = some.map(|(column, count)| {
        let level = column_name(column, words);
        words.fill("digest.figure", &[("count", &count.to_string()), ("level", &level)])
    });
    figures.collect::<Vec<_>>().join(words.get("join.comma"))
}

fn column_name(column: Column, words: &Words) -> String {
    match column {
        Column::At(level) => words.get(&format!("levels.{level}")).to_owned(),
        Column::Over => words.get("digest.over").to_owned(),
    }
}

fn spot_name(spot: Spot, setup: &Setup, words: &Words) -> String {
    match spot {
        Spot::Area(area) => naming::area_name(&setup.plan, Cell { area, ..Cell::default() }, words),
        Spot::Service => words.get("text.service").to_owned(),
    }
}

/// What mails and pages of digests show, with the facts of the worst.
pub(super) fn values(summary: &Summary<'_>, facts: &[Facts], setup: &Setup, words: &Words) -> Value {
    let used: Vec<usize> = (0..COLUMNS.len()).filter(|&nth| summary.total.0[nth] > 0).collect();
    let columns: Vec<Value> = used
        .iter()
        .map(|&nth| {
            let level = match COLUMNS[nth] {
                Column::At(level) => level,
                Column::Over => Level::Normal,
            };
            let (background, foreground) = naming::colours(level);
            let (name, symbol) = (column_name(COLUMNS[nth], words), naming::symbol(level));
            context! { name, symbol, background, foreground, total => summary.total.0[nth] }
        })
        .collect();
    let row = |name: String, tally: Tally| {
        let counts: Vec<u32> = used.iter().map(|&nth| tally.0[nth]).collect();
        context! { name, counts, figures => figures(tally, words) }
    };
    let (named, more) = summary.named();
    let mut places: Vec<Value> =
        named.iter().map(|&(spot, tally)| row(spot_name(spot, setup, words), tally)).collect();
    places.extend(more.map(|more| {
        row(words.fill("digest.elsewhere", &[("count", &more.places.to_string())]), more.figures)
    }));
    let several = summary.warnings.iter().any(|revision| revision.about.cells().len() > 1);
    let (background, foreground) = naming::colours(summary.level());
    let (mark, banner) = facts.first().map_or(("", ""), |facts| (&*facts.mark, &*facts.banner));
    let (count, worst) = (summary.warnings.len().to_string(), facts.len().to_string());
    context! {
        lang => words.get("lang"),
        mark => mark,
        banner => banner,
        tag => tag(summary, words),
        symbol => naming::symbol(summary.level()),
        background => background,
        foreground => foreground,
        title => title(summary, words),
        intro => words.fill("digest.intro", &[("count", &count)]),
        columns => columns,
        place_label => words.get("digest.place"),
        places => places,
        total_label => words.get("digest.total"),
        total => figures(summary.total, words),
        each => if several { words.get("digest.each") } else { "" },
        worst_label => words.fill("digest.worst", &[("count", &worst)]),
        worst => facts.iter().map(|facts| render::value(facts, words)).collect::<Vec<_>>(),
        open => words.get("digest.open"),
    }
}

/// What a language's templates of digests leave out, tried on made-up facts.
pub(super) fn check(words: &Words) -> Vec<String> {
    let worst = context! {
        tag => "sample-tag", symbol => "◆", hazard => "sample-hazard", kind => "sample-kind",
        reason => "sample-reason", headline => "sample-headline", action => "sample-action",
        action_label => "sample-do", href => "sample-own-page", background => "#ffffff",
        foreground => "#000000", status => "Exercise", level => "orange", rows => Vec::<Value>::new(),
    };
    let column = context! {
        name => "sample-column", symbol => "◆", background => "#ffffff", foreground => "#000000", total => 41,
    };
    let place = context! { name => "sample-place", counts => vec![17], figures => "17 sample-level" };
    let context = context! {
        lang => "en", mark => "sample-mark", banner => "sample-banner", tag => "sample-highest",
        symbol => "◆", background => "#ffffff", foreground => "#000000", title => "sample-title",
        intro => "sample-intro", columns => vec![column], place_label => "sample-where",
        places => vec![place], total_label => "sample-in-all", total => "41 sample-level", each => "sample-each",
        worst_label => "sample-worst", worst => vec![worst], open => "sample-open",
        notice => "sample-notice", acknowledge => "sample-acknowledge", href => "sample-page",
        signed => "sample-signed", number => 4_711, done => "", means => "sample-means",
        status => Status::Exercise.word(),
    };
    let always =
        ["banner", "highest", "title", "place", "worst", "headline", "hazard", "own-page", "acknowledge"];
    let files: [(&str, &[&str]); 3] = [
        ("digest.txt", &["notice", "page", "signed", "level"]),
        ("digest.html", &["notice", "page", "signed", "column"]),
        ("digest-page.html", &["column", "means"]),
    ];
    let mut faults = Vec::new();
    for (file, also) in files {
        let place = format!("messages/{}/{file}", words.language());
        match words.render_strictly(file, &context) {
            Err(error) => faults.push(format!("{place}: {error:#}")),
            Ok(text) => {
                let needed = always.iter().chain(also);
                let missing = needed.filter(|name| !text.contains(&format!("sample-{name}")));
                faults.extend(missing.map(|name| format!("{place}: leaves out \"{name}\" of a digest")));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests;
