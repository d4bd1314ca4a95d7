//! Where a role holds, by the names of areas: those outlive a plan's indices.

use forewarn_core::authority::Scope;
use forewarn_core::ids::AreaIx;
use forewarn_core::plan::Plan;

/// Where a role holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// In every area, and for the service as a whole.
    Everywhere,
    /// In these areas, by id, and all that lie in them.
    Areas(Vec<String>),
}

impl Reach {
    /// From what a person gave: no area means everywhere.
    pub fn of(areas: &[String]) -> Reach {
        if areas.is_empty() { Reach::Everywhere } else { Reach::Areas(areas.to_vec()) }
    }

    /// In the engine's words. An area that has left the plan is nowhere.
    pub fn scope(&self, plan: &Plan) -> Scope {
        match self {
            Reach::Everywhere => Scope::Everywhere,
            Reach::Areas(names) => {
                let is_named = |ix: &AreaIx| plan.area(*ix).is_some_and(|area| names.contains(&area.id));
                Scope::Areas((0..plan.areas.len() as u32).map(AreaIx).filter(is_named).collect())
            }
        }
    }

    /// As the file keeps it: `NULL` is everywhere. Ids of areas hold no line break.
    pub(super) fn column(&self) -> Option<String> {
        match self {
            Reach::Everywhere => None,
            Reach::Areas(areas) => Some(areas.join("\n")),
        }
    }

    pub(super) fn from_column(column: Option<String>) -> Reach {
        match column {
            None => Reach::Everywhere,
            Some(areas) => Reach::Areas(areas.lines().map(str::to_owned).collect()),
        }
    }

    /// For people: `everywhere`, or the areas.
    pub fn words(&self) -> String {
        match self {
            Reach::Everywhere => "everywhere".to_owned(),
            Reach::Areas(areas) => areas.join(" "),
        }
    }
}
