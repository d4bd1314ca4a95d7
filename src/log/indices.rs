//! Names and the dense indices that are theirs for good.

use std::sync::Arc;

use forewarn_core::event::Assignment;
use forewarn_core::ids::IndexKind;
use minicbor::{Decode, Encode};

use super::error::LogError;
use super::names::Table;

/// Names that one checkpoint frame holds at most; a table takes as many frames as it needs.
const NAMES_A_FRAME_MAX: usize = 4096;
const KINDS: [IndexKind; 8] = [
    IndexKind::Station,
    IndexKind::Sensor,
    IndexKind::Rule,
    IndexKind::Area,
    IndexKind::Hazard,
    IndexKind::Target,
    IndexKind::Domain,
    IndexKind::Source,
];

/// Every index ever assigned. Nothing leaves it and nothing is renumbered: an
/// index in an old record means what it meant when it was written. A copy
/// shares what neither of the two has added to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Indices {
    tables: [Arc<Table>; KINDS.len()],
}

/// A piece of a checkpoint.
#[derive(Debug, Encode, Decode)]
pub(crate) struct Names {
    #[n(0)]
    pub(crate) assignments: Vec<Assignment>,
}

const fn table(kind: IndexKind) -> usize {
    match kind {
        IndexKind::Station => 0,
        IndexKind::Sensor => 1,
        IndexKind::Rule => 2,
        IndexKind::Area => 3,
        IndexKind::Hazard => 4,
        IndexKind::Target => 5,
        IndexKind::Domain => 6,
        IndexKind::Source => 7,
    }
}

impl Indices {
    /// The index of a name, and where it is new the assignment, which must
    /// stand in the log (`Input::Assign`) before the index is used.
    pub fn assign(&mut self, kind: IndexKind, name: &str) -> (u32, Option<Assignment>) {
        let table = &mut self.tables[table(kind)];
        if let Some(index) = table.find(name) {
            return (index, None);
        }
        let table = Arc::make_mut(table);
        let index = u32::try_from(table.places()).expect("fewer names than 2^32 fit in memory");
        table.own(name, index);
        (index, Some(Assignment { kind, index, name: name.to_owned() }))
    }

    /// The index of a name that has one.
    pub fn find(&self, kind: IndexKind, name: &str) -> Option<u32> {
        self.tables[table(kind)].find(name)
    }

    /// The name of an index that was assigned.
    pub fn name(&self, kind: IndexKind, index: u32) -> Option<&str> {
        self.tables[table(kind)].name(index)
    }

    /// Takes in an assignment as recorded; the same one again changes nothing,
    /// one that contradicts an earlier one is refused.
    pub fn learn(&mut self, assignment: &Assignment) -> Result<(), LogError> {
        let Assignment { kind, index, name } = assignment;
        let table = &mut self.tables[table(*kind)];
        let clash = |other: &str| {
            Err(LogError::Corrupt(format!(
                "{kind:?} {name:?} is assigned index {index}, expected {other}: an index never changes hands"
            )))
        };
        match table.find(name) {
            Some(had) if had == *index => return Ok(()),
            Some(had) => return clash(&format!("its own, {had}")),
            None => {}
        }
        if let Some(owner) = table.name(*index) {
            return clash(&format!("one that {owner:?} does not have"));
        }
        Arc::make_mut(table).own(name, *index);
        Ok(())
    }

    /// How many names have an index.
    pub fn len(&self) -> usize {
        self.tables.iter().map(|table| table.len()).sum()
    }

    /// Whether nothing was ever assigned.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every assignment, by kind and index.
    pub fn assignments(&self) -> impl Iterator<Item = Assignment> + '_ {
        KINDS.into_iter().flat_map(|kind| {
            let names = self.tables[table(kind)].names();
            names.map(move |(index, name)| Assignment { kind, index, name: name.to_owned() })
        })
    }

    /// The whole table in pieces that each fit a frame.
    pub(crate) fn pieces(&self) -> Vec<Names> {
        let all: Vec<_> = self.assignments().collect();
        all.chunks(NAMES_A_FRAME_MAX).map(|piece| Names { assignments: piece.to_vec() }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_index_and_an_index_its_name() {
        let mut indices = Indices::default();
        let (river, fresh) = indices.assign(IndexKind::Area, "river");
        assert_eq!(fresh, Some(Assignment { kind: IndexKind::Area, index: 0, name: "river".into() }));
        assert_eq!(indices.assign(IndexKind::Area, "river"), (river, None));
        assert_eq!(indices.assign(IndexKind::Target, "river").0, 0, "kinds are numbered apart");
        assert_eq!(indices.assign(IndexKind::Area, "coast").0, 1);

        let mut again = Indices::default();
        for piece in indices.pieces() {
            for assignment in &piece.assignments {
                again.learn(assignment).expect("the table's own");
            }
        }
        assert_eq!(again.assignments().collect::<Vec<_>>(), indices.assignments().collect::<Vec<_>>());
        assert_eq!(again, indices);
        again.assign(IndexKind::Area, "hill");
        assert_ne!(again, indices);
    }

    #[test]
    fn an_assignment_that_contradicts_an_earlier_one_is_refused() {
        let mut indices = Indices::default();
        indices.assign(IndexKind::Area, "river");
        for (index, name, fine) in
            [(0, "river", true), (1, "river", false), (0, "coast", false), (5, "coast", true)]
        {
            let learnt = indices.learn(&Assignment { kind: IndexKind::Area, index, name: name.into() });
            assert_eq!(learnt.is_ok(), fine, "{name} {index}");
        }
        // What rot swallowed in between is never given to another.
        assert_eq!(indices.assign(IndexKind::Area, "hill").0, 6);
        assert_eq!(indices.name(IndexKind::Area, 3), None);
    }
}
