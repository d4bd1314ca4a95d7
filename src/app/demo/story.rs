//! What the demo can play: its configuration, its readings, and what must come of them.

use std::fmt;
use std::path::Path;

use anyhow::{Context, bail};
use forewarn_core::level::Level;
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::warning::{Kind, Reason};
use forewarn_simulations::Sent;
use forewarn_simulations::recordings::{RECORDINGS, Recording};
use forewarn_simulations::scenario::Scenario;

use super::narrator::reason_word;

/// Midnight at the site of the river, 1 July 2026: a day in the flood season.
const RIVER_START: Timestamp = Timestamp::from_secs(1_782_835_200);

/// A story that can be played.
#[derive(Debug)]
pub(super) struct Story {
    /// What happens, in a few words.
    pub(super) title: String,
    /// Whose figures they are.
    pub(super) source: String,
    /// The readings, in order.
    pub(super) sent: Vec<Sent>,
    /// The gauges, down the river or along the coast.
    pub(super) stations: Vec<String>,
    /// What must come of it, from the scenario's truth.
    pub(super) expected: &'static [Expected],
    files: &'static [(&'static str, &'static str)],
}

/// One thing that must come of a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Expected {
    /// In which area.
    pub(super) area: &'static str,
    /// What is said, and why.
    pub(super) kind: Kind,
    /// Why, where it matters.
    pub(super) reason: Option<Reason>,
    /// At which level, where it matters.
    pub(super) level: Option<Level>,
}

/// In the words in which it would have been told.
impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind.word().to_uppercase())?;
        if let Some(level) = self.level {
            write!(f, " {level}")?;
        }
        if let Some(reason) = self.reason {
            write!(f, " {}", reason_word(reason))?;
        }
        write!(f, " in {}", self.area)
    }
}

const fn said(area: &'static str, kind: Kind, reason: Option<Reason>, level: Option<Level>) -> Expected {
    Expected { area, kind, reason, level }
}

const RIVER: &[(&str, &str)] = &[
    ("forewarn.toml", include_str!("../../../simulations/demo/river/forewarn.toml")),
    ("sensors.csv", include_str!("../../../simulations/demo/river/sensors.csv")),
    ("limits.csv", include_str!("../../../simulations/demo/river/limits.csv")),
    ("areas.geojson", include_str!("../../../simulations/demo/river/areas.geojson")),
    ("rules/river-level.toml", include_str!("../../../simulations/demo/river/rules/river-level.toml")),
    ("routes.toml", include_str!("../../../simulations/demo/river/routes.toml")),
    ("contacts.csv", include_str!("../../../simulations/demo/river/contacts.csv")),
];

const HUGO: &[(&str, &str)] = &[
    ("forewarn.toml", include_str!("../../../simulations/demo/hugo-1989/forewarn.toml")),
    ("sensors.csv", include_str!("../../../simulations/demo/hugo-1989/sensors.csv")),
    ("limits.csv", include_str!("../../../simulations/demo/hugo-1989/limits.csv")),
    ("areas.geojson", include_str!("../../../simulations/demo/hugo-1989/areas.geojson")),
    ("rules/surge.toml", include_str!("../../../simulations/demo/hugo-1989/rules/surge.toml")),
    ("routes.toml", include_str!("../../../simulations/demo/hugo-1989/routes.toml")),
    ("contacts.csv", include_str!("../../../simulations/demo/hugo-1989/contacts.csv")),
];

/// The rivers crest at red, red and orange; the middle gauge is dropped while red.
const RIVER_EXPECTED: &[Expected] = &[
    said("upper", Kind::Alert, Some(Reason::Raised), None),
    said("upper", Kind::Update, Some(Reason::Upgraded), Some(Level::Red)),
    said("upper", Kind::AllClear, None, None),
    said("middle", Kind::Update, Some(Reason::Upgraded), Some(Level::Red)),
    said("middle", Kind::Update, Some(Reason::Blind), None),
    said("middle", Kind::Update, Some(Reason::Seen), None),
    said("middle", Kind::AllClear, None, None),
    said("lower", Kind::Update, Some(Reason::Upgraded), Some(Level::Orange)),
    said("lower", Kind::AllClear, None, None),
];

/// Charleston stood at 4.33 m at landfall; Wilmington at 2.67 m five hours later.
const HUGO_EXPECTED: &[Expected] = &[
    said("charleston", Kind::Alert, Some(Reason::Raised), Some(Level::Red)),
    said("charleston", Kind::AllClear, None, None),
    said("wilmington", Kind::Update, Some(Reason::Upgraded), Some(Level::Yellow)),
    said("wilmington", Kind::AllClear, None, None),
];

impl Story {
    /// The simulated flood.
    pub(super) fn river(seed: Option<u64>) -> anyhow::Result<Story> {
        let mut scenario = Scenario::read(include_str!("../../../simulations/scenarios/river-flood.toml"))
            .context("the demo's own scenario")?;
        if let Some(seed) = seed {
            scenario.seed = seed;
        }
        Ok(Story {
            title: scenario.title.clone(),
            source: format!("simulated, seed {}", scenario.seed),
            sent: scenario.play(RIVER_START),
            stations: ["qj-001", "qj-009", "qj-017"].map(str::to_owned).to_vec(),
            expected: RIVER_EXPECTED,
            files: RIVER,
        })
    }

    /// A recorded disaster.
    pub(super) fn recording(name: &str) -> anyhow::Result<Story> {
        let Some(recording) = Recording::find(name) else {
            let known: Vec<&str> = RECORDINGS.iter().map(|recording| recording.name).collect();
            bail!("recording {name:?} is unknown, expected one of {}", known.join(", "));
        };
        Ok(Story {
            title: recording.title.to_owned(),
            source: format!("recorded: {}", recording.citation),
            sent: recording.play()?,
            stations: recording.gauges.iter().map(|gauge| gauge.station.to_owned()).collect(),
            expected: HUGO_EXPECTED,
            files: HUGO,
        })
    }

    /// When the world's clock begins: a blink before the first reading.
    pub(super) fn start(&self) -> Timestamp {
        self.sent.first().map_or(RIVER_START, |sent| sent.at) - Span::from_secs(1)
    }

    /// Writes its configuration into `folder`, with `{name}`s filled in.
    pub(super) fn write_config(&self, folder: &Path, filled: &[(&str, String)]) -> anyhow::Result<()> {
        for (name, text) in self.files {
            let path = folder.join(name);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
            }
            let mut text = (*text).to_owned();
            for (key, value) in filled {
                text = text.replace(&format!("{{{key}}}"), value);
            }
            std::fs::write(&path, text).with_context(|| path.display().to_string())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_in_the_words_of_the_story() {
        let check = |expected: Expected, words: &str| assert_eq!(expected.to_string(), words);
        check(
            said("upper", Kind::Update, Some(Reason::Upgraded), Some(Level::Red)),
            "UPDATE red upgraded in upper",
        );
        check(
            said("middle", Kind::Update, Some(Reason::Blind), None),
            "UPDATE can no longer be seen in middle",
        );
        check(said("lower", Kind::AllClear, None, None), "ALL-CLEAR in lower");
    }
}
