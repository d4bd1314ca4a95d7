//! How many sensors there are to a warning, and how many of them stand at its level now.

use std::collections::BTreeSet;

use forewarn_core::ids::SensorIx;
use forewarn_core::plan::Plan;
use forewarn_core::warning::{Evidence, Revision};

use super::against::Against;
use super::facts::Teller;
use super::naming;

/// Stations named in the line of sensors; the count says how many there are.
const NAMED_MAX: usize = 5;

/// Whether sensors that are not listed may be at the level as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unlisted {
    /// All that are at it are listed.
    None,
    /// More than are listed may be.
    Perhaps,
}

/// How many of a revision's sensors stand at its level, or above it, now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AtLevel {
    /// Listed and measured.
    pub(super) seen: usize,
    /// Listed, and at it when last measured.
    pub(super) lost: usize,
    /// Whether there may be more.
    pub(super) unlisted: Unlisted,
}

impl AtLevel {
    pub(super) fn of(revision: &Revision, plan: &Plan) -> AtLevel {
        let listed: BTreeSet<SensorIx> = revision.evidence.iter().map(|evidence| evidence.sensor).collect();
        // A level that a rule still has for its deadband is held, not measured.
        let fell_short = |it: &Evidence| Against::of(revision, it, plan).is_some_and(Against::fell_short);
        let at = revision.evidence.iter();
        let at = at.filter(|evidence| evidence.level >= revision.level && !fell_short(evidence));
        let (lost, seen): (Vec<&Evidence>, Vec<&Evidence>) = at.partition(|evidence| evidence.unknown);
        let sensors = |of: &[&Evidence]| of.iter().map(|evidence| evidence.sensor).collect::<BTreeSet<_>>();
        let (seen, lost) = (sensors(&seen), sensors(&lost));
        // The highest come first: where the last one listed is lower, so is all that follows.
        let all_at = revision.evidence.last().is_none_or(|last| last.level >= revision.level);
        let more = revision.sensors as usize > listed.len();
        AtLevel {
            lost: lost.difference(&seen).count(),
            seen: seen.len(),
            unlisted: if more && all_at { Unlisted::Perhaps } else { Unlisted::None },
        }
    }
}

impl Teller<'_> {
    /// How many sensors there are to it, and how many of them stand at the level now.
    pub(super) fn sensors(&self) -> String {
        if self.revision.sensors == 0 {
            return self.word("text.no_sensors");
        }
        let mut names: Vec<String> = Vec::new();
        for name in self.revision.evidence.iter().filter_map(|evidence| self.station(evidence)) {
            if !names.contains(&name) && names.len() < NAMED_MAX {
                names.push(name);
            }
        }
        let names = names.join(self.words.get("join.comma"));
        let count = self.revision.sensors.to_string();
        if self.revision.kind.is_last() {
            return self.words.fill("text.sensors_in_all", &[("count", &count), ("names", &names)]);
        }
        let now = AtLevel::of(self.revision, self.plan());
        let path = match now.unlisted {
            Unlisted::None => "text.sensors_now",
            // Nothing is known of the level of those that are not listed.
            Unlisted::Perhaps if now.seen == 0 => "text.sensors_listed",
            Unlisted::Perhaps => "text.sensors_at_least",
        };
        let (at, level) = (now.seen.to_string(), naming::level_name(self.revision.level, self.words));
        let mut parts = vec![self.words.fill(path, &[("at", &at), ("count", &count), ("level", &level)])];
        if now.lost > 0 {
            parts.push(self.words.fill("text.sensors_lost", &[("count", &now.lost.to_string())]));
        }
        parts.push(self.words.fill("text.sensors_worst", &[("names", &names)]));
        parts.join(self.words.get("join.list"))
    }
}
