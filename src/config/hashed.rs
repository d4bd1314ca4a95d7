//! Numbers by names that stand elsewhere: a few bytes each, however long the names.

use std::hash::BuildHasher as _;

use foldhash::fast::FixedState;

/// A place that is free.
const FREE: u32 = u32::MAX;
/// Places that a table begins with.
const PLACES_MIN: usize = 8;

/// Numbers by the hash of their names, each in the first free place from there
/// on; two thirds of the places are taken at most. Nothing ever leaves it.
#[derive(Debug, Clone, Default)]
pub struct Hashed {
    places: Vec<u32>,
    taken: usize,
}

impl Hashed {
    /// With half the places free once so many numbers are in it: that finds a
    /// name with hardly ever a look at another.
    pub fn with_room(numbers: usize) -> Self {
        Hashed { places: vec![FREE; numbers * 2], taken: 0 }
    }

    /// The number of a name: the one of which `is` says that the name is its.
    pub fn find(&self, name: &str, is: impl Fn(u32) -> bool) -> Option<u32> {
        let (before, from) = self.places.split_at_checked(self.place(name)?)?;
        let taken = from.iter().chain(before).take_while(|number| **number != FREE);
        taken.copied().find(|number| is(*number))
    }

    /// Puts in a number whose name is not in it yet. `name_of` names those that
    /// are, should they have to move.
    pub fn put<'n>(&mut self, name: &str, number: u32, name_of: impl Fn(u32) -> &'n str) {
        self.taken += 1;
        if self.taken * 3 > self.places.len() * 2 {
            let places = (self.places.len() / 2 * 3).max(PLACES_MIN);
            let before = std::mem::replace(&mut self.places, vec![FREE; places]);
            before.into_iter().filter(|number| *number != FREE).for_each(|it| self.note(name_of(it), it));
        }
        self.note(name, number);
    }

    fn note(&mut self, name: &str, number: u32) {
        let Some(place) = self.place(name) else { return };
        let (before, from) = self.places.split_at_mut(place);
        if let Some(free) = from.iter_mut().chain(before).find(|place| **place == FREE) {
            *free = number;
        }
    }

    /// Where the number of a name stands, or one of the next.
    fn place(&self, name: &str) -> Option<usize> {
        let hash = FixedState::default().hash_one(name);
        // The hash's upper half as a part of one, times the places: they need be no power of two.
        let place = ((hash >> 32) * self.places.len() as u64) >> 32;
        (!self.places.is_empty()).then_some(place as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_found_by_its_name_and_near_its_place() {
        let names: Vec<String> = (0..20_000).map(|n| format!("g-{n:07}")).collect();
        let name_of = |number: u32| names[number as usize].as_str();
        for mut hashed in [Hashed::default(), Hashed::with_room(names.len())] {
            assert_eq!(hashed.find("g-0000000", |_| true), None);
            for (name, number) in names.iter().zip(0..) {
                hashed.put(name, number, name_of);
            }
            let looks = std::cell::Cell::new(0);
            for (name, number) in names.iter().zip(0..) {
                let found = hashed.find(name, |it| {
                    looks.set(looks.get() + 1);
                    name_of(it) == name
                });
                assert_eq!(found, Some(number));
            }
            assert_eq!(hashed.find("g-x", |it| name_of(it) == "g-x"), None);
            assert!(looks.get() < names.len() * 5 / 2, "{} looks", looks.get());
            assert!(hashed.places.len() * 4 <= names.len() * 9, "{} places", hashed.places.len());
        }
    }
}
