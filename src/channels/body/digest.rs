//! What is in a digest: all of it in short, and in figures.

use forewarn_core::warning::{Cell, Revision};
use schemars::JsonSchema;
use serde::Serialize;

use super::{LevelBody, Named, level};
use crate::channels::summary::{COLUMNS, Column, Spot, Summary, Tally, gravest_first};
use crate::channels::words::Words;
use crate::channels::{Member, naming};
use crate::config::plan::Setup;

/// What is in a digest.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Digest")]
pub struct DigestBody {
    /// How many warnings.
    pub warnings: u32,
    /// How many of them at each level, the highest first; without those at nought.
    pub levels: Vec<CountBody>,
    /// How many have ended.
    pub ended: u32,
    /// How many where, the worst first. A warning about several areas counts in each.
    pub places: Vec<PlaceBody>,
    /// Every delivery in it, the worst first; those of `revisions` as well.
    pub members: Vec<MemberBody>,
}

/// How many warnings at a level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Count")]
pub struct CountBody {
    /// The level.
    pub level: LevelBody,
    /// How many.
    pub count: u32,
}

/// How many warnings in a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Place")]
pub struct PlaceBody {
    /// The area; null for what is about the service itself.
    pub area: Option<Named>,
    /// How many at each level.
    pub levels: Vec<CountBody>,
    /// How many have ended.
    pub ended: u32,
}

/// One delivery in a digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Member")]
pub struct MemberBody {
    /// Its own delivery key.
    pub id: String,
    /// The revision, as `id` of a revision.
    pub revision: String,
    /// The warning.
    pub warning: String,
    /// The revision's number.
    pub number: u32,
    /// What it is.
    #[schemars(extend("enum" = ["alert", "update", "all-clear", "cancel"]))]
    pub kind: &'static str,
    /// The level's word.
    #[schemars(extend("enum" = ["normal", "blue", "yellow", "orange", "red"]))]
    pub level: &'static str,
}

pub(super) fn of(revisions: &[&Revision], members: &[Member], setup: &Setup, words: &Words) -> DigestBody {
    let summary = Summary::of(revisions.iter().copied());
    let place = |&(spot, tally): &(Spot, Tally)| PlaceBody {
        area: match spot {
            Spot::Area(area) => Some(Named {
                id: setup.plan.area(area).map(|area| area.id.clone()).unwrap_or_default(),
                name: naming::area_name(&setup.plan, Cell { area, ..Cell::default() }, words),
            }),
            Spot::Service => None,
        },
        levels: levels(tally, words),
        ended: ended(tally),
    };
    let mut told: Vec<(&&Revision, &Member)> = revisions.iter().zip(members).collect();
    told.sort_by_key(|(revision, _)| gravest_first(revision));
    let member = |(revision, member): (&&Revision, &Member)| MemberBody {
        id: member.key.to_string(),
        revision: revision.id.digest().to_string(),
        warning: revision.warning.digest().to_string(),
        number: revision.number,
        kind: revision.kind.word(),
        level: revision.level.word(),
    };
    DigestBody {
        warnings: summary.total.sum(),
        levels: levels(summary.total, words),
        ended: ended(summary.total),
        places: summary.places.iter().map(place).collect(),
        members: told.into_iter().map(member).collect(),
    }
}

fn levels(tally: Tally, words: &Words) -> Vec<CountBody> {
    let counts = COLUMNS.into_iter().zip(tally.0).filter(|(_, count)| *count > 0);
    let counts = counts.filter_map(|(column, count)| match column {
        Column::At(at) => Some(CountBody { level: level(at, words), count }),
        Column::Over => None,
    });
    counts.collect()
}

fn ended(tally: Tally) -> u32 {
    let counts = COLUMNS.into_iter().zip(tally.0);
    counts.filter(|(column, _)| *column == Column::Over).map(|(_, count)| count).sum()
}
