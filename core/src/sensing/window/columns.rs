//! What a window keeps slot by slot only where it has to.

use super::Edition;
use super::particulars::Particulars;

/// By slot: editions, once a device gives one, and particulars, while they differ.
#[derive(Debug, Clone, Default)]
pub(crate) struct Columns {
    /// Empty while none was given, as most devices give none.
    editions: Box<[Edition]>,
    /// Empty while all readings agree.
    particulars: Box<[Particulars]>,
    /// So many of the newest readings, at least, are known to agree with what is common.
    agreeing: u32,
}

impl Columns {
    pub(super) fn is_empty(&self) -> bool {
        self.editions.is_empty() && self.particulars.is_empty()
    }

    pub(super) fn has_editions(&self) -> bool {
        !self.editions.is_empty()
    }

    pub(super) fn edition(&self, slot: usize) -> Edition {
        self.editions.get(slot).copied().unwrap_or_default()
    }

    /// Makes the column of so many slots, if there is none.
    pub(super) fn make_editions(&mut self, slots: usize) {
        if self.editions.is_empty() {
            self.editions = vec![Edition::default(); slots].into();
        }
    }

    /// Notes an edition; makes the column of so many slots for the first that says anything.
    pub(super) fn set_edition(&mut self, slot: usize, edition: Edition, slots: usize) {
        if edition != Edition::default() {
            self.make_editions(slots);
        }
        if let Some(known) = self.editions.get_mut(slot) {
            *known = edition;
        }
    }

    /// What a slot says for itself.
    pub(super) fn particulars(&self, slot: usize) -> Option<Particulars> {
        self.particulars.get(slot).copied()
    }

    /// Notes what a slot says, where so many readings are newer; makes the column
    /// of so many slots, which all said what was common until now.
    pub(super) fn set_particulars(
        &mut self,
        (slot, newer): (usize, usize),
        says: Particulars,
        common: Particulars,
        slots: usize,
    ) {
        if self.particulars.is_empty() {
            self.particulars = vec![common; slots].into();
            self.agreeing = slots as u32;
        }
        if let Some(known) = self.particulars.get_mut(slot) {
            *known = says;
        }
        if says != common {
            self.agreeing = self.agreeing.min(newer as u32);
        }
    }

    /// So many readings agree with what is common now, the newest.
    pub(super) fn agree(&mut self, readings: u32) {
        self.agreeing = readings;
    }

    pub(super) fn agreeing(&self) -> u32 {
        if self.particulars.is_empty() { u32::MAX } else { self.agreeing }
    }

    /// Lets go of what no reading needs any more, as all of them agree.
    pub(super) fn drop_particulars(&mut self) {
        self.particulars = Box::default();
    }

    /// A slot's reading moves to another.
    pub(super) fn move_slot(&mut self, from: usize, to: usize) {
        if self.has_editions() {
            self.editions[to] = self.editions[from];
        }
        if !self.particulars.is_empty() {
            self.particulars[to] = self.particulars[from];
        }
    }
}
