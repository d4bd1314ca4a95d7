//! Many warnings in figures: how many of each level, where, and which are the worst.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use forewarn_core::ids::{AreaIx, OutputId};
use forewarn_core::level::Level;
use forewarn_core::warning::Revision;

/// Places that a summary names, the worst first. Full: the rest is one line with its own figures.
pub const PLACES_MAX: usize = 20;

/// Warnings that a summary tells by themselves.
pub const WORST_MAX: usize = 10;

/// The columns of a summary, the worst first. What is over has one of its own.
pub const COLUMNS: [Column; 5] = [
    Column::At(Level::Red),
    Column::At(Level::Orange),
    Column::At(Level::Yellow),
    Column::At(Level::Blue),
    Column::Over,
];

/// Where a warning is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// It stands at this level.
    At(Level),
    /// It has ended, or was cancelled.
    Over,
}

/// How many warnings there are in each of the [`COLUMNS`]. Compares by how bad that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Tally(pub [u32; COLUMNS.len()]);

impl Tally {
    fn add(&mut self, revision: &Revision) {
        let column = match (revision.kind.is_last(), revision.level) {
            (true, _) => 4,
            (false, Level::Red) => 0,
            (false, Level::Orange) => 1,
            (false, Level::Yellow) => 2,
            // What has not ended is not over, whatever its level.
            (false, Level::Blue | Level::Normal) => 3,
        };
        self.0[column] += 1;
    }

    fn add_all(&mut self, other: Tally) {
        self.0.iter_mut().zip(other.0).for_each(|(count, more)| *count += more);
    }

    /// How many in all.
    pub fn sum(&self) -> u32 {
        self.0.iter().sum()
    }
}

/// Where warnings are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spot {
    /// In an area.
    Area(AreaIx),
    /// In none: they are about the service itself.
    Service,
}

/// Places that are not named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elsewhere {
    /// How many.
    pub places: usize,
    /// What all of them come to.
    pub figures: Tally,
}

/// The order of warnings in one message: what asks most of people first. What has
/// ended comes last, though what was cancelled keeps its level.
pub fn gravest_first(revision: &Revision) -> (bool, Reverse<Level>) {
    (revision.kind.is_last(), Reverse(revision.level))
}

/// Many warnings in figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary<'a> {
    /// Each warning once, by its latest revision; the worst first.
    pub warnings: Vec<&'a Revision>,
    /// Of each level; each warning once.
    pub total: Tally,
    /// Of each level by place, the worst first; a warning about several places counts in each once.
    pub places: Vec<(Spot, Tally)>,
}

impl<'a> Summary<'a> {
    /// What these come to.
    pub fn of(revisions: impl IntoIterator<Item = &'a Revision>) -> Summary<'a> {
        let mut latest: BTreeMap<OutputId, &Revision> = BTreeMap::new();
        for revision in revisions {
            let known = latest.entry(revision.warning).or_insert(revision);
            if revision.number > known.number {
                *known = revision;
            }
        }
        let (mut total, mut places) = (Tally::default(), BTreeMap::<Spot, Tally>::new());
        for revision in latest.values() {
            total.add(revision);
            let cells = revision.about.cells();
            let areas: BTreeSet<Spot> = cells.iter().map(|cell| Spot::Area(cell.area)).collect();
            let spots = if areas.is_empty() { BTreeSet::from([Spot::Service]) } else { areas };
            spots.into_iter().for_each(|spot| places.entry(spot).or_default().add(revision));
        }
        let mut warnings: Vec<&Revision> = latest.into_values().collect();
        // The sort keeps the order of the log among those that are alike.
        warnings.sort_by_key(|it| gravest_first(it));
        let mut places: Vec<(Spot, Tally)> = places.into_iter().collect();
        places.sort_by_key(|&(spot, tally)| (Reverse(tally), spot));
        Summary { warnings, total, places }
    }

    /// The worst, to be told by themselves.
    pub fn worst(&self) -> &[&'a Revision] {
        &self.warnings[..self.warnings.len().min(WORST_MAX)]
    }

    /// The level of the whole: the highest that stands; normal only where nothing
    /// does, as in the figures.
    pub fn level(&self) -> Level {
        let standing = self.warnings.iter().filter(|it| !it.kind.is_last());
        standing.map(|it| it.level.max(Level::Blue)).max().unwrap_or(Level::Normal)
    }

    /// The places to be named, and how many more there are with the figures of all those.
    pub fn named(&self) -> (&[(Spot, Tally)], Option<Elsewhere>) {
        if self.places.len() <= PLACES_MAX {
            return (&self.places, None);
        }
        let (named, rest) = self.places.split_at(PLACES_MAX);
        let mut figures = Tally::default();
        rest.iter().for_each(|(_, tally)| figures.add_all(*tally));
        (named, Some(Elsewhere { places: rest.len(), figures }))
    }
}

#[cfg(test)]
mod tests {
    use forewarn_core::ids::{HazardIx, Position};
    use forewarn_core::level::Status;
    use forewarn_core::warning::{About, ByHand, Cell, Kind, TroubleCode};

    use super::*;
    use crate::channels::sample;

    fn warning(nth: u64, level: Level, areas: &[u32]) -> Revision {
        let id = OutputId { position: Position(nth), ..OutputId::default() };
        let areas: Vec<AreaIx> = areas.iter().copied().map(AreaIx).collect();
        let about = match areas[..] {
            [area] => About::Incident(Cell { hazard: HazardIx(0), area }),
            _ => About::Manual(ByHand { draft: id, hazard: HazardIx(0), areas }),
        };
        Revision { id, warning: id, level, about, ..sample::flood(Status::Actual) }
    }

    #[test]
    fn each_warning_counts_once_in_all_and_once_in_each_of_its_places() {
        let red = warning(1, Level::Red, &[3]);
        let by_hand = warning(2, Level::Orange, &[3, 5, 5]);
        let yellow = warning(3, Level::Yellow, &[5]);
        let later = Revision { number: 2, level: Level::Blue, ..yellow.clone() };
        let over = Revision { kind: Kind::AllClear, ..warning(4, Level::Normal, &[7]) };
        let trouble = Revision { id: red.id, ..sample::trouble(TroubleCode::DiskLow, "", "") };
        let all = [&over, &yellow, &trouble, &by_hand, &later, &red];
        let summary = Summary::of(all);
        assert_eq!(summary.total, Tally([1, 1, 1, 1, 1]), "of yellow and blue the later counts; the trouble");
        assert_eq!(
            summary.places,
            [
                (Spot::Area(AreaIx(3)), Tally([1, 1, 0, 0, 0])),
                (Spot::Area(AreaIx(5)), Tally([0, 1, 0, 1, 0])),
                (Spot::Service, Tally([0, 0, 1, 0, 0])),
                (Spot::Area(AreaIx(7)), Tally([0, 0, 0, 0, 1])),
            ]
        );
        let levels: Vec<Level> = summary.worst().iter().map(|it| it.level).collect();
        assert_eq!(levels, [Level::Red, Level::Orange, Level::Yellow, Level::Blue, Level::Normal]);
        assert_eq!(summary.level(), Level::Red);
        assert_eq!(Summary::of([&over]).level(), Level::Normal);
        let stands = Revision { kind: Kind::Update, ..over };
        assert_eq!(Summary::of([&stands]).level(), Level::Blue, "no all-clear while it stands");
    }

    #[test]
    fn places_beyond_the_named_are_one_line_and_nothing_is_left_out() {
        let many: Vec<Revision> =
            (0..100).map(|nth| warning(nth, Level::Orange, &[u32::try_from(nth).expect("small")])).collect();
        let summary = Summary::of(&many);
        let (named, more) = summary.named();
        let more = more.expect("there are more");
        assert_eq!((named.len(), more.places), (PLACES_MAX, 100 - PLACES_MAX));
        let told: u32 = named.iter().map(|(_, tally)| tally.sum()).sum();
        assert_eq!(told + more.figures.sum(), summary.total.sum());
        assert_eq!(summary.worst().len(), WORST_MAX);
    }
}
