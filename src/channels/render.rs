//! From facts to the text of a mail: subject, text, HTML. Whatever a template
//! leaves out of a drill's mark is put back here.

use forewarn_core::warning::Revision;
use minijinja::{Value, context};

use super::chart::HOURS;
use super::facts::{FIELDS, Facts};
use super::words::Words;
use super::{Cause, naming, show};
use crate::config::plan::Setup;

/// Characters of a subject; the rest is cut.
const SUBJECT_CHARS_MAX: usize = 240;

/// What became of the chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chart<'a> {
    /// There is nothing to draw: a trouble, a test, no evidence.
    None,
    /// It could not be had in time, and the mail says so.
    LeftOut,
    /// It stands in the mail under this content id; what it shows in words.
    Inline(&'a str, &'a str),
}

/// A message in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// HTML, complete.
    pub html: String,
}

/// What a message says beside its revision.
#[derive(Debug, Clone, Copy)]
pub struct Beside<'a> {
    /// The delivery key.
    pub key: &'a str,
    /// Why it goes to this receiver.
    pub cause: Cause,
    /// Where it can be read and acknowledged.
    pub link: Option<&'a str>,
    /// Its chart.
    pub chart: Chart<'a>,
}

/// Renders a message about one revision.
pub fn render(revision: &Revision, setup: &Setup, words: &Words, beside: Beside<'_>) -> Rendered {
    let facts = Facts::of(revision, setup, words).linked(beside.link);
    let site = show::clean(&setup.plan.settings.site);
    let signed = words.fill("text.signed", &[("site", &site), ("key", beside.key)]);
    let acknowledge = beside.link.map_or("", |_| words.get("text.acknowledge"));
    let notice = beside.cause.notice(words);
    written(&facts, words, Frame { signed: &signed, notice, acknowledge, chart: beside.chart })
}

/// What stands around the revision of a message.
#[derive(Clone, Copy)]
struct Frame<'a> {
    signed: &'a str,
    notice: &'a str,
    /// What the button to the page says; empty where there is no page.
    acknowledge: &'a str,
    chart: Chart<'a>,
}

fn written(facts: &Facts, words: &Words, frame: Frame<'_>) -> Rendered {
    let (mark, banner) = (&*facts.mark, &*facts.banner);
    let context = values(facts, words, frame, mark, banner);
    let last_resort = || plain(std::slice::from_ref(facts), frame.signed);
    let file = |name| words.render(name, &context).unwrap_or_else(|_| last_resort());
    let subject = show::clean(file("subject.txt").trim());
    let subject: String = subject.chars().take(SUBJECT_CHARS_MAX).collect();
    Rendered {
        subject: marked_subject(subject, mark),
        text: marked_text(file("mail.txt"), banner),
        html: marked_html(file("mail.html"), banner),
    }
}

fn values(facts: &Facts, words: &Words, frame: Frame<'_>, mark: &str, banner: &str) -> Value {
    let head = value(facts, words);
    let (chart_image, chart_alt, chart_note) = match frame.chart {
        Chart::None => ("", "", String::new()),
        Chart::LeftOut => ("", "", words.get("text.chart_left_out").to_owned()),
        Chart::Inline(id, alt) => {
            let hours = HOURS.to_string();
            (id, alt, words.fill("text.chart_follows", &[("hours", &hours)]))
        }
    };
    context! {
        lang => words.get("lang"),
        head => head.clone(),
        // Templates of a site may still go through these: digests have their own files.
        revisions => vec![head],
        digest => "",
        mark => mark,
        banner => banner,
        chart_image => chart_image,
        chart_alt => chart_alt,
        chart_note => chart_note,
        notice => frame.notice,
        acknowledge => frame.acknowledge,
        signed => frame.signed,
    }
}

/// One revision, as templates see it.
pub(crate) fn value(facts: &Facts, words: &Words) -> Value {
    let rows: Vec<Value> = facts
        .rows
        .iter()
        .map(|row| {
            let href = if row.key == "link" { facts.href.as_deref().unwrap_or_default() } else { "" };
            context! { key => row.key, label => &row.label, text => &row.text, href => href }
        })
        .collect();
    let (background, foreground) = naming::colours(facts.level);
    context! {
        status => facts.status.word(),
        level => facts.level.word(),
        tag => &facts.tag,
        symbol => facts.symbol,
        kind => &facts.kind,
        reason => facts.text("reason"),
        hazard => &facts.hazard,
        headline => &facts.headline,
        action => &facts.action,
        action_label => words.get("labels.action"),
        href => facts.href.as_deref().unwrap_or_default(),
        background => background,
        foreground => foreground,
        rows => rows.into_iter().collect::<Value>(),
    }
}

/// The last resort when even the built-in template fails: the facts alone.
pub(super) fn plain(facts: &[Facts], signed: &str) -> String {
    let heads = facts.iter().map(|facts| {
        let rows = facts.rows.iter().map(|row| format!("{}: {}\n", row.label, row.text));
        format!("[{}] {}: {}\n{}", facts.tag, facts.hazard, facts.headline, rows.collect::<String>())
    });
    heads.chain([signed.to_owned() + "\n"]).collect()
}

fn marked_subject(subject: String, mark: &str) -> String {
    if mark.is_empty() || subject.contains(&format!("[{mark}]")) {
        subject
    } else {
        format!("[{mark}] {subject}")
    }
}

pub(super) fn marked_text(text: String, banner: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    if banner.is_empty() || first.contains(banner) { text } else { format!("*** {banner} ***\n\n{text}") }
}

pub(super) fn marked_html(html: String, banner: &str) -> String {
    let banner: String = banner.chars().filter(|c| !matches!(c, '<' | '>' | '&')).collect();
    if banner.is_empty() || html.contains(&banner) {
        return html;
    }
    let at = html.find("<body").and_then(|body| Some(body + html[body..].find('>')? + 1)).unwrap_or(0);
    let (before, after) = html.split_at(at);
    format!(
        "{before}<p style=\"background-color:#4a148c;color:#ffffff;padding:12px;\"><b>{banner}</b></p>{after}"
    )
}

/// What a language's templates leave out, tried on made-up facts: every field
/// in text and HTML, the mark of a drill, nothing taken for markup.
pub(super) fn check(words: &Words) -> Vec<String> {
    let facts = Facts { headline: "sample-headline <b>{{ head }}</b>".into(), ..Facts::sample() };
    let frame = Frame { signed: "signed", notice: "sample-notice", acknowledge: "", chart: Chart::None };
    let context = values(&facts, words, frame, &facts.mark, &facts.banner);
    let mut faults = Vec::new();
    for file in ["subject.txt", "mail.txt", "mail.html"] {
        let place = format!("messages/{}/{file}", words.language());
        match words.render_strictly(file, &context) {
            Err(error) => faults.push(format!("{place}: {error:#}")),
            Ok(text) => faults.extend(left_out(file, &text).map(|what| {
                format!("{place}: leaves out \"{what}\", expected every field in text and HTML")
            })),
        }
    }
    faults
}

fn left_out(file: &str, text: &str) -> impl Iterator<Item = String> {
    let fields = FIELDS
        .into_iter()
        .filter(|_| file != "subject.txt")
        .map(|key| (key.to_owned(), format!("sample-{key}-text")));
    let marks = if file == "subject.txt" {
        vec!["sample-tag", "sample-mark", "sample-hazard", "sample-headline"]
    } else {
        vec![
            "sample-tag",
            "sample-banner",
            "sample-hazard",
            "sample-headline",
            "sample-action",
            "sample-notice",
        ]
    };
    let marks =
        marks.into_iter().map(|mark| (mark.trim_start_matches("sample-").to_owned(), mark.to_owned()));
    let missing: Vec<String> = fields
        .chain(marks)
        .filter(|(_, sample)| !text.contains(sample.as_str()))
        .map(|(name, _)| name)
        .collect();
    missing.into_iter()
}

#[cfg(test)]
mod tests;
