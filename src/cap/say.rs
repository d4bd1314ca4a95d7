//! From a revision to the alert that says it: the facts of every channel, in
//! the elements of CAP.

use forewarn_core::ids::Key;
use forewarn_core::level::Status;
use forewarn_core::time::Timestamp;
use forewarn_core::warning::{About, Cell, Kind, Revision};

use super::alert::{Alert, Area, Info, MsgType, Reference, Response, Scope, Time, category};
use crate::channels::facts::Facts;
use crate::channels::words::{Messages, Words};
use crate::channels::{naming, show};
use crate::config::plan::{Outline, Setup};

/// Characters of a headline at most; some receivers show no more. A longer one is cut, with an ellipsis.
pub(super) const HEADLINE_MAX: usize = 160;

/// References at most: beyond, those to the newest stay.
const REFERENCES_MAX: usize = 100;

/// Positions of all polygons of an alert at most, so that no alert grows beyond what
/// receivers take. Beyond: areas are told by name and code alone.
const POSITIONS_MAX: usize = 10_000;

/// Fields that stand elsewhere in an alert, or concern those alone who were told.
const ELSEWHERE: [&str; 5] = ["status", "hazard", "action", "seen", "link"];

/// An alert that was published of the same warning before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// As it is referred to.
    pub reference: Reference,
    /// Until when it holds.
    pub expires: Timestamp,
}

/// The alert that says a revision, after those that were published before,
/// oldest first. `None` where there is nothing to publish: it is about the
/// service, a mute hid it, or nobody hears of it and nobody heard before.
pub fn said(revision: &Revision, setup: &Setup, messages: &Messages, earlier: &[Earlier]) -> Option<Alert> {
    match revision.about {
        About::Incident(_) | About::Manual(_) => {}
        About::Trouble(_) | About::NotifyTest | About::Canary(_) => return None,
    }
    // Whoever read an alert is owed what follows, be there a person left to tell or not.
    if revision.muted.is_some() || (revision.due.is_empty() && earlier.is_empty()) {
        return None;
    }
    let kind = match (revision.kind, earlier.is_empty()) {
        (Kind::Alert | Kind::Update, true) => MsgType::Alert,
        (Kind::AllClear | Kind::Cancel, true) => return None,
        (Kind::Alert | Kind::Update | Kind::AllClear, false) => MsgType::Update,
        (Kind::Cancel, false) => MsgType::Cancel,
    };
    let settings = &setup.plan.settings;
    Some(Alert {
        identifier: identifier(revision.id.digest(), setup),
        sender: setup.cap.sender.clone(),
        sent: Time::of(revision.sent, settings),
        status: revision.status,
        kind,
        scope: scope(setup),
        note: note(revision, setup, messages),
        references: references(revision.sent, earlier),
        incident: revision.warning.digest().to_string(),
        infos: messages.tags().map(|tag| info(revision, setup, messages.language(tag))).collect(),
    })
}

/// The revision's own id, as webhooks and the API name it; behind the
/// registered object identifier where there is one.
fn identifier(id: Key, setup: &Setup) -> String {
    match &setup.cap.oid {
        Some(oid) => format!("urn:oid:{oid}.{}", u128::from_be_bytes(id.0)),
        None => id.to_string(),
    }
}

fn scope(setup: &Setup) -> Scope {
    if setup.cap.public {
        return Scope::Public;
    }
    let site = show::clean(&setup.plan.settings.site);
    Scope::Restricted(format!(
        "仅限持有{site}账号或令牌者 / only for holders of an account or token of {site}"
    ))
}

/// All that still hold when this is said; at least the newest, so that no chain breaks.
fn references(sent: Timestamp, earlier: &[Earlier]) -> Vec<Reference> {
    let newest = earlier.len().saturating_sub(1);
    let holds = |(nth, it): &(usize, &Earlier)| it.expires > sent || *nth == newest;
    let held: Vec<_> = earlier.iter().enumerate().filter(holds).map(|(_, it)| it.reference.clone()).collect();
    held[held.len().saturating_sub(REFERENCES_MAX)..].to_vec()
}

/// That it is a drill or a test; of a cancellation, why.
fn note(revision: &Revision, setup: &Setup, messages: &Messages) -> Option<String> {
    let parts = messages.tags().flat_map(|tag| {
        let facts = Facts::of(revision, setup, messages.language(tag));
        let why = match revision.kind {
            Kind::Cancel => facts.text("reason").to_owned(),
            Kind::Alert | Kind::Update | Kind::AllClear => String::new(),
        };
        [facts.banner, why]
    });
    let parts: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
    (!parts.is_empty()).then(|| parts.join(" / "))
}

fn info(revision: &Revision, setup: &Setup, words: &Words) -> Info {
    let plan = &setup.plan;
    let facts = Facts::of(revision, setup, words);
    let cells = revision.about.cells();
    let hazard = cells.first().map_or("", |cell| plan.hazard(cell.hazard)).to_owned();
    let time = |at| Time::of(at, &plan.settings);
    let instruction = [marked(&facts, words), facts.action.clone()].concat();
    Info {
        language: language(words.language()),
        category: setup.cap.categories.get(&hazard).copied().unwrap_or_else(|| category(&hazard)),
        event: [marked(&facts, words), facts.hazard.clone()].concat(),
        response: response(revision, &hazard),
        urgency: revision.urgency,
        severity: revision.severity,
        certainty: revision.certainty,
        onset: time(revision.onset),
        expires: time(revision.expires),
        sender_name: show::clean(&plan.settings.site),
        headline: headline(&facts, words),
        description: description(&facts, words),
        instruction,
        web: facts.href.clone(),
        parameters: parameters(revision, words),
        areas: areas(revision, setup, words),
        hazard,
    }
}

/// Tags of languages as receivers look for them.
fn language(tag: &str) -> String {
    match tag {
        "zh" => "zh-CN".to_owned(),
        other => other.to_owned(),
    }
}

/// The mark of a drill or a test, to stand before a text; nothing for what is real.
fn marked(facts: &Facts, words: &Words) -> String {
    match facts.status {
        Status::Actual => String::new(),
        Status::Exercise | Status::Test => format!("{}{}", facts.mark, words.get("join.colon")),
    }
}

/// The mark first, so that whatever cuts a line leaves it.
fn headline(facts: &Facts, words: &Words) -> String {
    let (mark, colon) = (marked(facts, words), words.get("join.colon"));
    let line = format!("{mark}[{}] {}{colon}{}", facts.tag, facts.hazard, facts.headline);
    if line.chars().count() <= HEADLINE_MAX {
        return line;
    }
    line.chars().take(HEADLINE_MAX - 1).chain(['…']).collect()
}

fn description(facts: &Facts, words: &Words) -> String {
    let colon = words.get("join.colon");
    let rows = facts.rows.iter().filter(|row| !ELSEWHERE.contains(&row.key));
    let rows = rows.map(|row| format!("{}{colon}{}", row.label, row.text));
    let banner = Some(facts.banner.clone()).filter(|banner| !banner.is_empty());
    banner.into_iter().chain(rows).collect::<Vec<_>>().join("\n")
}

fn response(revision: &Revision, hazard: &str) -> Response {
    match revision.kind {
        Kind::AllClear => Response::AllClear,
        Kind::Cancel => Response::None,
        // Only the instruction knows what a person wrote of it.
        Kind::Alert | Kind::Update if revision.texts.is_some() => Response::Execute,
        Kind::Alert | Kind::Update => Response::to(hazard, revision.level),
    }
}

fn parameters(revision: &Revision, words: &Words) -> Vec<(&'static str, String)> {
    let level = revision.level;
    let mut parameters = vec![
        ("forewarn:level", level.word().to_owned()),
        ("forewarn:colour", words.get(&format!("levels.{level}")).to_owned()),
        ("forewarn:grade", words.get(&format!("grades.{level}")).to_owned()),
        ("forewarn:peak", revision.peak.word().to_owned()),
        ("forewarn:warning", revision.warning.digest().to_string()),
        ("forewarn:revision", revision.number.to_string()),
        ("forewarn:reason", revision.reason.word().to_owned()),
    ];
    if revision.stale {
        parameters.push(("forewarn:stale", "true".to_owned()));
    }
    parameters.retain(|(_, value)| !value.is_empty());
    parameters
}

fn areas(revision: &Revision, setup: &Setup, words: &Words) -> Vec<Area> {
    let outlines: Vec<_> =
        revision.about.cells().into_iter().map(|cell| (cell, setup.outlines.get(&cell.area))).collect();
    let positions = outlines.iter().flat_map(|(_, outline)| outline.iter().flat_map(|it| &it.polygons));
    let fits = positions.map(Vec::len).sum::<usize>() <= POSITIONS_MAX;
    let area = |(cell, outline): (Cell, Option<&Outline>)| {
        let rings = outline.map(|it| it.polygons.as_slice()).filter(|_| fits).unwrap_or_default();
        let id = setup.plan.area(cell.area).map(|area| ("forewarn:area".to_owned(), area.id.clone()));
        Area {
            description: naming::area_name(&setup.plan, cell, words),
            polygons: rings.iter().map(|ring| ring.iter().map(|[lon, lat]| (*lat, *lon)).collect()).collect(),
            geocodes: id.into_iter().chain(outline.and_then(|it| it.geocode.clone())).collect(),
        }
    };
    outlines.into_iter().map(area).collect()
}

#[cfg(test)]
#[path = "tests.rs"]
pub(super) mod tests;
