//! A data directory, read beside the service that may be writing it: nothing
//! is locked, nothing is changed, and no configuration is needed but to find it.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use forewarn_core::event::{Decision, Input};
use forewarn_core::ids::{Position, RuleIx, SensorIx, TargetIx};
use forewarn_core::level::Status;
use forewarn_core::orders::Subject;
use forewarn_core::plan::{Plan, PlanId};
use forewarn_core::time::Timestamp;
use forewarn_core::warning::{About, Cell, Evidence, Revision, TroubleKey};

use super::places::{CONFIG_DEFAULT, Places};
use super::{Exit, Surroundings};
use crate::app::control::{shell_word, socket_path};
use crate::app::desk::cell_word;
use crate::channels::show;
use crate::config::{Purpose, zone};
use crate::log::{Identity, LogError, Record, Records, Stamp, kept_plans, load_plan, segments};
use crate::state::StateReader;

/// The file of the service's own settings, in the folder of the configuration.
const SETTINGS: &str = "forewarn.toml";

/// The file of a drill's own settings, there.
const DRILL_SETTINGS: &str = "drill/drill.toml";

/// Earlier plans that are asked for a name at most, newest first.
const PLANS_ASKED: usize = 100;

/// The data directory: as said, or else as the configuration has it. Only the
/// one key is read, so that a configuration that is being edited hides no warning.
pub(super) fn data_dir(places: &Places) -> Result<PathBuf, Nowhere> {
    let data = match &places.data {
        Some(data) => data.clone(),
        None => configured(places)?,
    };
    // FOREWARN_DATA of the live service may stand in the environment of whoever asks for the drill's.
    let is_live = || Identity::of(&data).is_ok_and(|log| log.stamp == Stamp::Live);
    if places.drill && is_live() {
        let what = format!("{} is live, expected a drill's data directory", data.display());
        return Err(Nowhere(what));
    }
    Ok(data)
}

/// The data directory as the configuration has it.
fn configured(places: &Places) -> Result<PathBuf, Nowhere> {
    let settings = settings(places).map_err(|fault| Nowhere(format!("{fault}, or give --data DIR")))?;
    let data = settings.get("data").and_then(toml::Value::as_str);
    let data = match places.purpose() {
        Purpose::Drill => {
            let none = || Nowhere(format!("{DRILL_SETTINGS} has no data, expected the drill's own folder"));
            data.ok_or_else(none)?
        }
        Purpose::Live | Purpose::Play => data.unwrap_or("../data"),
    };
    Ok(places.config.join(data))
}

/// A command as a person can paste it who used these places: the data directory
/// if it was given, or else the configuration if it is not the usual one.
pub(super) fn command(places: &Places, words: &str) -> String {
    match &places.data {
        Some(data) => format!("forewarn {words} --data {}{}", shell_word(data), drill_flag(places)),
        None => command_on_config(places, words),
    }
}

/// The same for a command that reads or writes the configuration itself.
pub(super) fn command_on_config(places: &Places, words: &str) -> String {
    format!("forewarn {words}{}{}", config_flag(&places.config), drill_flag(places))
}

fn drill_flag(places: &Places) -> &'static str {
    if places.drill { " --drill" } else { "" }
}

fn config_flag(config: &Path) -> String {
    if config == Path::new(CONFIG_DEFAULT) {
        String::new()
    } else {
        format!(" --config {}", shell_word(config))
    }
}

/// Whether a service runs on a data directory: only one that does answers its control socket.
pub(super) fn is_running(data: &Path) -> bool {
    UnixStream::connect(socket_path(data)).is_ok()
}

/// The file that says where the service that is meant stands, unjudged.
pub(super) fn settings(places: &Places) -> Result<toml::Table, String> {
    let file = match places.purpose() {
        Purpose::Drill => DRILL_SETTINGS,
        Purpose::Live | Purpose::Play => SETTINGS,
    };
    let path = places.config.join(file);
    let text = std::fs::read_to_string(&path)
        .map_err(|error| format!("{}: {error}, expected the service's settings", path.display()))?;
    text.parse().map_err(|error: toml::de::Error| format!("{}: {}", path.display(), error.message()))
}

/// The data directory cannot be told: the configuration is at fault, or not there.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Nowhere(String);

/// A data directory with the names of its newest plan.
#[derive(Debug)]
pub(super) struct Beside {
    /// Where it is.
    pub(super) data: PathBuf,
    /// What its sensors, areas and targets are called.
    pub(super) names: Names,
}

impl Beside {
    /// Opens the one that is meant.
    pub(super) fn open(places: &Places) -> anyhow::Result<Beside> {
        let data = data_dir(places)?;
        let hint = if places.data.is_some() { "" } else { ", or give --data DIR" };
        let plan =
            newest_plan(&data).map_err(|error| anyhow::anyhow!("{}: {error}{hint}", data.display()))?;
        Ok(Beside { data, names: Names(plan) })
    }

    /// Gives back the names of what has left the plan since, where something is
    /// shown that lacks them: indices are their owners' for good, and so the
    /// newest earlier plan that has a name for one is the one to ask.
    pub(super) fn recall(&mut self, lacks_names: impl Fn(&Plan) -> bool) {
        if !lacks_names(&self.names.0) {
            return;
        }
        for id in kept_plans(&self.data).into_iter().take(PLANS_ASKED) {
            // One that does not read back has nothing to say.
            if let Ok(earlier) = load_plan(&self.data, id) {
                fill(&mut self.names.0, earlier);
            }
            if !lacks_names(&self.names.0) {
                return;
            }
        }
    }

    /// Its projection: warnings, deliveries, quarantine.
    pub(super) fn state(&self) -> anyhow::Result<StateReader> {
        Ok(StateReader::open_read_only(&self.data.join("state.db"))?)
    }
}

/// Puts what is in an earlier plan, and in this one no more, into its place.
fn fill(plan: &mut Plan, earlier: Plan) {
    fn gaps<T>(table: &mut Vec<Option<T>>, earlier: Vec<Option<T>>) {
        if table.len() < earlier.len() {
            table.resize_with(earlier.len(), || None);
        }
        for (slot, was) in table.iter_mut().zip(earlier) {
            if slot.is_none() {
                *slot = was;
            }
        }
    }
    gaps(&mut plan.stations, earlier.stations);
    gaps(&mut plan.sensors, earlier.sensors);
    gaps(&mut plan.areas, earlier.areas);
    gaps(&mut plan.rules, earlier.rules);
    gaps(&mut plan.targets, earlier.targets);
    if plan.hazards.len() < earlier.hazards.len() {
        plan.hazards = earlier.hazards;
    }
}

/// Whether a plan has no name for something that a revision is about, rests on, or goes to.
pub(super) fn lacks_names(plan: &Plan, revision: &Revision) -> bool {
    let about = match &revision.about {
        About::Incident(_) | About::Manual(_) => revision
            .about
            .cells()
            .iter()
            .any(|cell| plan.area(cell.area).is_none() || plan.hazard(cell.hazard).is_empty()),
        About::Trouble(_) | About::NotifyTest | About::Canary(_) => false,
    };
    let rests = |it: &Evidence| plan.sensor(it.sensor).is_none() || plan.rule(it.rule).is_none();
    about
        || revision.evidence.iter().any(rests)
        || revision.due.iter().any(|due| plan.target(due.target).is_none())
}

/// Answers with what was found; a failure is told in a line.
pub(super) fn told(found: anyhow::Result<Exit>, around: &mut Surroundings<'_>) -> io::Result<Exit> {
    match found.map_err(anyhow::Error::downcast::<io::Error>) {
        Ok(exit) => Ok(exit),
        Err(Ok(error)) => Err(error),
        Err(Err(error)) => {
            writeln!(around.err, "{error:#}")?;
            Ok(if error.is::<Nowhere>() { Exit::Fault } else { Exit::Failed })
        }
    }
}

/// Says first that what follows is a drill's, where it is.
pub(super) fn mark(beside: &Beside, around: &mut Surroundings<'_>) -> io::Result<()> {
    if beside.names.0.settings.status == Status::Actual {
        return Ok(());
    }
    let line = around.paint.warning(MARK);
    writeln!(around.out, "{line}")
}

/// What a drill's lists and log lines begin with.
pub(super) const MARK: &str = "[演练] [EXERCISE]";

/// Where nothing was found: said on standard error, so that a pipe stays empty.
pub(super) fn nothing(what: &str, around: &mut Surroundings<'_>) -> anyhow::Result<Exit> {
    writeln!(around.err, "{what}")?;
    Ok(Exit::Remarks)
}

/// JSON for machines, in full and indented.
pub(super) fn json(value: &serde_json::Value, around: &mut Surroundings<'_>) -> anyhow::Result<()> {
    writeln!(around.out, "{value:#}")?;
    Ok(())
}

/// The newest record that reads back.
pub(super) fn newest_record(data: &Path) -> Result<Option<Record>, LogError> {
    let newest = segments(data)?.last().map_or(Position(0), |segment| segment.first);
    let last_from = |from| -> Result<Option<Record>, LogError> {
        Ok(Records::open_read_only(data, from)?.filter_map(Result::ok).last())
    };
    // A segment that was begun just now has no record yet.
    Ok(match last_from(newest)? {
        Some(record) => Some(record),
        None => last_from(Position(newest.0.saturating_sub(1)))?,
    })
}

/// The plan in force after a record.
fn plan_after(record: &Record) -> PlanId {
    let refused = record.decisions.iter().any(|(_, it)| matches!(it, Decision::PlanRefused(_)));
    let brought = record.inputs.iter().rev().find_map(|input| match input {
        Input::Plan(plan) => (!refused).then_some(plan.id),
        Input::Reading(_)
        | Input::Tick
        | Input::Started(_)
        | Input::Clock(_)
        | Input::Source(..)
        | Input::Outcome(_)
        | Input::Command(..)
        | Input::Trouble(_)
        | Input::Assign(_)
        | Input::Intake(_)
        | Input::Bundled(_)
        | Input::Canary(_) => None,
    });
    brought.unwrap_or(record.plan)
}

fn newest_plan(data: &Path) -> Result<Plan, LogError> {
    let Some(record) = newest_record(data)? else { return Ok(Plan::default()) };
    // Without its file there are only numbers for names: better than nothing to read.
    Ok(load_plan(data, plan_after(&record)).unwrap_or_default())
}

/// `code: subject`; the code alone where it is about the service as a whole.
pub(super) fn trouble_word(key: &TroubleKey) -> String {
    match show::clean(&key.subject) {
        none if none.is_empty() => key.code.word().to_owned(),
        subject => format!("{}: {subject}", key.code.word()),
    }
}

/// What things are called; by number where the plan has no name for them.
#[derive(Debug, Default)]
pub(super) struct Names(pub(super) Plan);

impl Names {
    /// Local time with its offset from UTC.
    pub(super) fn time(&self, civil: Timestamp) -> String {
        zone::shown(&self.0.settings, civil)
    }

    /// The same to the second: for what happens more than once a minute.
    pub(super) fn instant(&self, civil: Timestamp) -> String {
        let settings = &self.0.settings;
        let shown = show::rfc3339_local(civil, settings);
        // `2026-07-01T03:00:07+08:00`: date, time and offset each on their own.
        match (shown.get(..10), shown.get(11..19), shown.get(19..)) {
            (Some(date), Some(time), Some(offset)) => format!("{date} {time} {offset}"),
            (None, _, _) | (_, None, _) | (_, _, None) => self.time(civil),
        }
    }

    /// The same for machines.
    pub(super) fn time_json(&self, civil: Timestamp) -> String {
        show::rfc3339_local(civil, &self.0.settings)
    }

    /// `station/quantity`.
    pub(super) fn sensor(&self, ix: SensorIx) -> String {
        self.0.sensor(ix).map_or_else(|| format!("sensor #{}", ix.0), |sensor| sensor.id.to_string())
    }

    /// The rule's id.
    pub(super) fn rule(&self, ix: RuleIx) -> String {
        self.0.rule(ix).map_or_else(|| format!("rule #{}", ix.0), |rule| rule.id.clone())
    }

    /// The contact and the channel, never an address.
    pub(super) fn target(&self, ix: TargetIx) -> String {
        match self.0.target(ix) {
            Some(target) => format!("{} by {}", target.contact, target.channel),
            None => format!("target #{}", ix.0),
        }
    }

    /// `hazard@area`.
    pub(super) fn cell(&self, cell: Cell) -> String {
        cell_word(&self.0, cell)
    }

    /// What a mute is about.
    pub(super) fn subject(&self, what: Subject) -> String {
        match what {
            Subject::Area(area) => self.0.area(area).map_or("?", |area| area.id.as_str()).to_owned(),
            Subject::Hazard(hazard) => self.0.hazard(hazard).to_owned(),
            Subject::Cell(cell) => self.cell(cell),
            Subject::Rule(rule) => self.rule(rule),
            Subject::Sensor(sensor) => self.sensor(sensor),
            Subject::Station(station) => {
                self.0.station(station).map_or("?", |station| &*station.id).to_owned()
            }
        }
    }

    /// What a warning is about.
    pub(super) fn about(&self, about: &About) -> String {
        match about {
            About::Incident(cell) => self.cell(*cell),
            About::Trouble(key) => trouble_word(key),
            About::NotifyTest => "test of notification".to_owned(),
            About::Canary(_) => "canary".to_owned(),
            About::Manual(_) => {
                let cells: Vec<String> = about.cells().iter().map(|cell| self.cell(*cell)).collect();
                format!("{} by hand", cells.join(", "))
            }
        }
    }

    /// What people call the place that it is about; empty where it is about the service.
    pub(super) fn place(&self, about: &About) -> String {
        match about {
            About::Incident(_) | About::Manual(_) => {
                let areas = about.cells().into_iter().filter_map(|cell| self.0.area(cell.area));
                let names: Vec<String> =
                    areas.map(|area| show::clean(show::name(&area.names, "en"))).collect();
                names.join(", ")
            }
            About::Trouble(_) | About::NotifyTest | About::Canary(_) => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use forewarn_core::warning::TroubleCode;

    use super::*;

    #[test]
    fn a_command_names_the_places_that_were_used() {
        let check = |config: &str, data: Option<&str>, expected: &str| {
            let places = Places { config: config.into(), data: data.map(PathBuf::from), drill: false };
            assert_eq!(command(&places, "resume"), expected);
        };
        check("config", None, "forewarn resume");
        check("my-config", None, "forewarn resume --config my-config");
        check("my-config", Some("my-data"), "forewarn resume --data my-data");
        check("config", Some("my data"), "forewarn resume --data 'my data'");
        check("config", Some("it's"), r"forewarn resume --data 'it'\''s'");
    }

    #[test]
    fn a_trouble_without_a_subject_is_its_code_alone() {
        let check = |subject: &str, expected: &str| {
            let key = TroubleKey { code: TroubleCode::OwnDowntime, subject: subject.into() };
            assert_eq!(trouble_word(&key), expected);
        };
        check("", "own-downtime");
        check("gw-1", "own-downtime: gw-1");
        check("\u{1b}[31m", "own-downtime: [31m");
    }
}
