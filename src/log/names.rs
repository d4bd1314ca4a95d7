//! Names by dense index and back, in little memory: a site of a hundred
//! thousand sensors has twice as many names, and they stay for good.

use foldhash::fast::FixedState;
use std::hash::BuildHasher as _;

/// A place of the hash table that is free.
const FREE: u32 = u32::MAX;
/// Places that a hash table begins with.
const PLACES_MIN: usize = 8;

/// The names of one kind. Nothing ever leaves it.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    /// All names, one after the other, in the order in which they came.
    text: String,
    /// By index; `None` where the assignment was lost to rot.
    stretches: Vec<Option<Stretch>>,
    /// Indices by the hash of their names, each in the first free place from
    /// there on. A power of two of places, at most three quarters taken.
    by_name: Vec<u32>,
    names: usize,
}

/// Where a name stands.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    from: u32,
    bytes: u32,
}

impl Table {
    /// How many names there are.
    pub(super) fn len(&self) -> usize {
        self.names
    }

    /// One more than the highest index.
    pub(super) fn places(&self) -> usize {
        self.stretches.len()
    }

    /// The index of a name.
    pub(super) fn find(&self, name: &str) -> Option<u32> {
        let index = *self.by_name.get(self.place(name)?)?;
        (index != FREE).then_some(index)
    }

    /// The name of an index.
    pub(super) fn name(&self, index: u32) -> Option<&str> {
        let Stretch { from, bytes } = (*self.stretches.get(index as usize)?)?;
        self.text.get(from as usize..(from + bytes) as usize)
    }

    /// Every name, by index.
    pub(super) fn names(&self) -> impl Iterator<Item = (u32, &str)> {
        (0..self.stretches.len() as u32).filter_map(|index| Some((index, self.name(index)?)))
    }

    /// Makes an index a name's own. Neither may have been given before.
    pub(super) fn own(&mut self, name: &str, index: u32) {
        let at = index as usize;
        if self.stretches.len() <= at {
            self.stretches.resize(at + 1, None);
        }
        let from = u32::try_from(self.text.len()).expect("names of 4 GB are not configured");
        self.text.push_str(name);
        self.stretches[at] = Some(Stretch { from, bytes: name.len() as u32 });
        self.names += 1;
        if self.names * 4 > self.by_name.len() * 3 {
            self.widen();
        } else {
            self.note(index);
        }
    }

    /// Twice the places, and every name in its new one.
    fn widen(&mut self) {
        let places = (self.by_name.len() * 2).max(PLACES_MIN);
        self.by_name = vec![FREE; places];
        for index in 0..self.stretches.len() as u32 {
            self.note(index);
        }
    }

    fn note(&mut self, index: u32) {
        let place = self.name(index).and_then(|name| self.place(name));
        if let Some(place) = place.and_then(|place| self.by_name.get_mut(place)) {
            *place = index;
        }
    }

    /// Where the index of a name stands, or would be put.
    fn place(&self, name: &str) -> Option<usize> {
        let last = self.by_name.len().checked_sub(1)?;
        let mut place = FixedState::default().hash_one(name) as usize & last;
        // There is always a free one: a quarter of them at least.
        while self.by_name[place] != FREE && self.name(self.by_name[place]) != Some(name) {
            place = (place + 1) & last;
        }
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_indices_find_each_other_however_many_there_are() {
        let mut table = Table::default();
        assert_eq!((table.find("a"), table.name(0), table.places()), (None, None, 0));
        let name = |n: u32| format!("gauge-{n}");
        for n in 0..10_000 {
            assert_eq!(table.find(&name(n)), None, "{n}");
            // Some were lost to rot.
            table.own(&name(n), n * 3);
            assert_eq!(table.find(&name(n / 2)), Some(n / 2 * 3), "{n}");
        }
        assert_eq!((table.len(), table.places()), (10_000, 29_998));
        assert_eq!((table.name(3), table.name(4)), (Some("gauge-1"), None));
        assert!(
            table.names().eq((0..10_000)
                .map(|n| (n * 3, name(n)))
                .collect::<Vec<_>>()
                .iter()
                .map(|(n, name)| (*n, name.as_str())))
        );
        assert!(table.by_name.len() <= 16_384, "{} places", table.by_name.len());
    }
}
