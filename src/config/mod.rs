//! What people wrote becomes what is meant, or a list of faults.
//!
//! [`load`] reads the folder of the configuration and changes nothing on disk,
//! so a reload is a load and a comparison.

mod advice;
mod build;
mod coverage;
pub mod edit;
pub mod fault;
pub mod hashed;
pub mod names;
pub mod plan;
pub mod predict;
pub(crate) mod raw;
pub mod schema;
pub mod secret;
pub mod targets;
pub mod zone;

use std::path::Path;

use forewarn_core::level::Status;
use forewarn_core::time::Timestamp;

use fault::{Fault, Faults, Place, Warning};
use names::Assign;
use plan::Setup;
use targets::TargetIds;

/// What to load, and in which surroundings.
pub struct Request<'a> {
    /// The folder of the configuration.
    pub dir: &'a Path,
    /// The data directory, where it is not the configuration's to say.
    pub data: Option<&'a Path>,
    /// What it is read for.
    pub purpose: Purpose,
    /// Civil time now: the table of the zone's offsets lies around it.
    pub at: Timestamp,
    /// Reads environment variables, for secrets.
    pub env: &'a dyn Fn(&str) -> Option<String>,
}

/// What a configuration is read for: which world its service will act in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To warn.
    Live,
    /// To drill: what stands in `drill/` takes the place of all that leads in and out.
    Drill,
    /// To play by itself, as a demo does: as written, and everything it says is an exercise.
    Play,
}

impl Purpose {
    /// The status of all that is said.
    pub const fn status(self) -> Status {
        match self {
            Purpose::Live => Status::Actual,
            Purpose::Drill | Purpose::Play => Status::Exercise,
        }
    }
}

/// A configuration that can be used.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What every other room goes by.
    pub setup: Setup,
    /// What will surprise, in the order of files and lines.
    pub warnings: Vec<Warning>,
    /// Where each route of the plan was written.
    pub routes: Vec<Place>,
    /// Memory that sensors and rules will take.
    pub memory: predict::Memory,
}

/// A configuration as written, and what is wrong with that: read once, and
/// built as often as there are tables of names to build it under.
pub struct Written<'a> {
    request: &'a Request<'a>,
    raw: raw::Raw,
    faults: Faults,
}

/// Reads and builds a configuration, or tells every fault of it at once.
///
/// Where it fails, `indices` and `targets` may hold names that nothing uses: hand
/// in copies. `targets` must be saved before an event names the plan.
pub fn load(
    request: &Request<'_>,
    indices: &mut dyn Assign,
    targets: &mut TargetIds,
) -> Result<Loaded, Faults> {
    Written::read(request)?.build(indices, targets)
}

impl<'a> Written<'a> {
    /// Reads the folder; only that there is none is told at once.
    pub fn read(request: &'a Request<'a>) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        if !request.dir.is_dir() {
            let place = Place::new(request.dir.to_string_lossy(), 0);
            faults.push(Fault::new(place, "is no folder", "the folder of forewarn.toml"));
            return Err(faults);
        }
        let raw = raw::Raw::read(request.dir, request.purpose, &mut faults);
        words(&raw.messages, &mut faults);
        recipes(&raw, &mut faults);
        Ok(Written { request, raw, faults })
    }

    /// Where its data stand and how their log is kept, which can be said before
    /// anything is built; `None` where something about that is at fault, or anything
    /// that is written: it may be the very word that says where.
    pub fn keeping(&self) -> Option<plan::Keeping> {
        if !self.faults.is_empty() {
            return None;
        }
        build::keeping(&self.raw, self.request)
    }

    /// Builds it as [`load`] does.
    pub fn build(&self, indices: &mut dyn Assign, targets: &mut TargetIds) -> Result<Loaded, Faults> {
        let mut faults = self.faults.clone();
        let built = build::build(&self.raw, self.request, indices, targets, &mut faults);
        let memory = built.as_ref().map(|built| affordable(built, &mut faults)).unwrap_or_default();
        let Some(built) = built.filter(|_| faults.is_empty()) else { return Err(faults.in_order()) };
        let mut warnings = built.warnings;
        advice::advise(&built.setup, &built.places, self.request.at, &mut warnings);
        warnings.sort();
        warnings.dedup();
        Ok(Loaded { setup: built.setup, warnings, routes: built.places.routes, memory })
    }
}

/// The site's own templates and words, as the channels judge them.
fn words(messages: &raw::messages::Messages, faults: &mut Faults) {
    for fault in crate::channels::words::Words::check(messages) {
        let (file, what) = fault.split_once(": ").unwrap_or(("messages", &fault));
        let (what, expected) = what.split_once(", expected ").unwrap_or((what, ""));
        faults.push(Fault::new(Place::new(file, 0), what, expected));
    }
}

/// The site's own descriptions of chat services, as the channels judge them, in the site's own words.
fn recipes(raw: &raw::Raw, faults: &mut Faults) {
    // Words at fault have been told; the recipes are judged by those that are left.
    for fault in crate::channels::chat::check(&raw.recipes, &raw.messages) {
        faults.push(fault);
    }
}

/// The memory that a plan takes; more than the limit is a fault.
fn affordable(built: &build::Built, faults: &mut Faults) -> predict::Memory {
    let memory = predict::memory(&built.setup.plan);
    if memory.bytes > built.memory_max {
        let what = format!("sensors and rules need {} of memory", predict::bytes(memory.bytes));
        let place = Place::new(raw::forewarn_toml::FILE, 0);
        let fault = Fault::new(place, what, format!("{} at most", predict::bytes(built.memory_max)));
        faults.push(fault.hint("raise limits.memory_max, or shorten windows and lateness"));
    }
    memory
}

#[cfg(test)]
mod tests {
    use forewarn_core::plan::Subject;

    use super::names::FreshIndices;
    use super::*;

    #[test]
    fn the_example_loads_without_a_warning() {
        let request = Request {
            dir: Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/config")),
            data: None,
            purpose: Purpose::Live,
            at: Timestamp::from_secs(1_782_864_000),
            env: &|_| None,
        };
        let loaded = load(&request, &mut FreshIndices::default(), &mut TargetIds::counted());
        let loaded = loaded.unwrap_or_else(|faults| panic!("{faults}"));
        assert_eq!(loaded.warnings, []);
        let plan = &loaded.setup.plan;
        assert_eq!(
            (plan.sensors.len(), plan.rules.len(), plan.areas.len(), plan.targets.len()),
            (3, 2, 4, 4)
        );
        assert_eq!(loaded.setup.sources.len(), 2);
        let in_order = |subjects: &[Subject]| subjects.is_sorted_by_key(|subject| subject.sensor);
        assert!(plan.rules.iter().flatten().all(|rule| in_order(&rule.subjects)), "a rule searches them");
        let dukou =
            plan.sensors.iter().flatten().find(|sensor| &*sensor.id == "qj-02/level").expect("is there");
        assert_eq!(dukou.conversions.len(), 2);
        assert_eq!(dukou.outage_intervals, 3);
        assert_eq!(
            dukou.flat.map(|flat| (flat.suspect, flat.fail)),
            Some((forewarn_core::time::Span::from_hours(1), None))
        );
    }
}
