//! Names, words and signs of levels, areas and hazards, as all channels use them.

use forewarn_core::level::Level;
use forewarn_core::plan::{Plan, Sensor};
use forewarn_core::time::Timestamp;
use forewarn_core::warning::{Cell, Kind, Revision, TroubleCode};

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

/// A sensor as people know it: its station's name in a language, and its id; the id alone where it has no name.
pub fn sensor_name(sensor: &Sensor, plan: &Plan, language: &str) -> String {
    let id = show::clean(&sensor.id);
    let station =
        plan.station(sensor.station).map(|station| show::clean(show::name(&station.names, language)));
    match station.filter(|name| !name.is_empty()) {
        Some(name) => format!("{name} ({id})"),
        None => id,
    }
}

/// What is the matter, or what was: the present tense ends with the trouble.
pub fn trouble_text(code: TroubleCode, kind: Kind, words: &Words) -> String {
    let table = if kind.is_last() { "troubles_over" } else { "troubles" };
    words.get(&format!("{table}.{}", code.word())).to_owned()
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
