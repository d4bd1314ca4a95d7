//! What things are called; by number where the plan has no name for them.

use std::collections::BTreeMap;

use forewarn_core::ids::{AreaIx, RuleIx, SensorIx, SourceIx, TargetIx};
use forewarn_core::plan::{self, Plan};
use forewarn_core::time::Timestamp;
use forewarn_core::warning::{About, Cell};

use crate::channels::show;

/// A name by language tag.
pub type NamesView = BTreeMap<String, String>;

/// The names of one plan.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a>(pub &'a Plan);

impl Names<'_> {
    /// Local time with its offset from UTC.
    pub fn time(&self, civil: Timestamp) -> String {
        show::rfc3339_local(civil, &self.0.settings)
    }

    /// `station/quantity`.
    pub fn sensor(&self, ix: SensorIx) -> String {
        self.0.sensor(ix).map_or_else(|| format!("#{}", ix.0), |sensor| sensor.id.to_string())
    }

    /// The rule's id.
    pub fn rule(&self, ix: RuleIx) -> String {
        self.0.rule(ix).map_or_else(|| format!("#{}", ix.0), |rule| rule.id.clone())
    }

    /// The area's id.
    pub fn area(&self, ix: AreaIx) -> String {
        self.0.area(ix).map_or_else(|| format!("#{}", ix.0), |area| area.id.clone())
    }

    /// The source's name.
    pub fn source(&self, ix: SourceIx) -> String {
        self.0.sources.get(ix.0 as usize).map_or_else(|| format!("#{}", ix.0), Clone::clone)
    }

    /// The contact's id and the channel, never an address.
    pub fn target(&self, ix: TargetIx) -> (Option<String>, Option<String>) {
        let target = self.0.target(ix);
        (target.map(|it| it.contact.clone()), target.map(|it| it.channel.clone()))
    }

    /// `hazard@area`.
    pub fn cell(&self, cell: Cell) -> String {
        format!("{}@{}", self.0.hazard(cell.hazard), self.area(cell.area))
    }

    /// What people call an area.
    pub fn place(&self, area: AreaIx) -> NamesView {
        self.0.area(area).map_or_else(NamesView::new, |area| named(&area.names))
    }

    /// What a warning is about, in a word.
    pub fn about(&self, about: &About) -> String {
        match about {
            About::Incident(cell) => self.cell(*cell),
            About::Trouble(key) => {
                let subject = show::clean(&key.subject);
                if subject.is_empty() {
                    key.code.word().to_owned()
                } else {
                    format!("{}: {subject}", key.code.word())
                }
            }
            About::NotifyTest => "notify-test".to_owned(),
            About::Canary(_) => "canary".to_owned(),
            About::Manual(_) => {
                about.cells().into_iter().map(|cell| self.cell(cell)).collect::<Vec<_>>().join(" ")
            }
        }
    }
}

/// Names by language.
pub(super) fn named(names: &plan::Names) -> NamesView {
    names.iter().map(|(language, name)| (language.to_owned(), show::clean(name))).collect()
}
