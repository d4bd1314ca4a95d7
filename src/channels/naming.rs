//! Names, words and signs of levels, areas and hazards, as all channels use them.

use forewarn_core::level::Level;
use forewarn_core::plan::Plan;
use forewarn_core::time::Timestamp;
use forewarn_core::warning::{Cell, Revision};

use super::show;
use super::words::Words;
use crate::config::plan::Setup;

/// Civil time by which the next revision comes, if nothing changes before.
pub fn next_update(revision: &Revision, setup: &Setup) -> Timestamp {
    (revision.expires - setup.plan.settings.renew_before).max(revision.sent)
}

/// The area's name in a language.
pub fn area_name(plan: &Plan, cell: Cell, words: &Words) -> String {
    plan.area(cell.area)
        .map_or_else(String::new, |area| show::clean(show::name(&area.names, words.language())))
}

/// The hazard's word in a language; its id where there is none.
pub fn hazard_name(plan: &Plan, cell: Cell, words: &Words) -> String {
    let id = plan.hazard(cell.hazard);
    words.find(&format!("hazards.{id}")).map_or_else(|| show::clean(id), str::to_owned)
}

/// Colour word and grade, never the colour alone.
pub fn level_name(level: Level, words: &Words) -> String {
    level_in("join.level", level, words)
}

/// Colour word and grade, short.
pub fn level_tag(level: Level, words: &Words) -> String {
    level_in("join.level_tag", level, words)
}

fn level_in(path: &str, level: Level, words: &Words) -> String {
    let (colour, grade) = (format!("levels.{level}"), format!("grades.{level}"));
    match (words.get(&colour), words.get(&grade)) {
        (colour, "") => colour.to_owned(),
        (colour, grade) => words.fill(path, &[("level", colour), ("grade", grade)]),
    }
}

/// A sign that tells levels apart without colour, in characters every font has.
pub const fn symbol(level: Level) -> &'static str {
    match level {
        Level::Normal => "✓",
        Level::Blue => "●",
        Level::Yellow => "▲",
        Level::Orange => "◆",
        Level::Red => "■",
    }
}

/// Background and text colour of a level's band: contrast at least 4.5 to 1,
/// the hues of ISO 22324.
pub const fn colours(level: Level) -> (&'static str, &'static str) {
    match level {
        Level::Normal => ("#1b5e20", "#ffffff"),
        Level::Blue => ("#0d47a1", "#ffffff"),
        Level::Yellow => ("#ffd600", "#1a1a1a"),
        Level::Orange => ("#ff8f00", "#1a1a1a"),
        Level::Red => ("#b71c1c", "#ffffff"),
    }
}
