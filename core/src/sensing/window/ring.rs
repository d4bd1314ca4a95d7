//! The kept readings themselves.

use std::hint::black_box;

use super::columns::Columns;
use super::particulars::Particulars;
use super::slots::Slots;
use super::{Edition, Sample};
use crate::sensing::memory_size::Room;
use crate::time::Timestamp;

/// The kept readings of one sensor, oldest first, each under a number that
/// stays its own as long as nothing is put in before it. Allocates when it is
/// made, where readings need other bytes than those before them, and for columns:
/// of editions once one is given, of particulars whenever readings begin to
/// differ in more than time and value.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ring {
    slots: Slots,
    /// The number of the oldest.
    first: u64,
    /// How many settled readings rules may still look back on, for those who make room.
    kept: u16,
    /// What every reading says for which no column says otherwise.
    common: Particulars,
    columns: Option<Box<Columns>>,
}

impl Ring {
    /// Of the size that a sensor and its rules ask for.
    pub(crate) fn of(room: Room) -> Ring {
        let mut ring = Ring::with_capacity(room.capacity());
        ring.keep(room.kept);
        ring
    }

    /// How many settled readings rules may still look back on.
    pub(crate) fn kept(&self) -> u32 {
        u32::from(self.kept)
    }

    /// Rules may look back on so many settled readings; on no more than a window ever holds.
    pub(crate) fn keep(&mut self, readings: u32) {
        self.kept = u16::try_from(readings).unwrap_or(u16::MAX);
    }

    /// Of 65,535 readings at most: far more than any plan asks for.
    pub(crate) fn with_capacity(capacity: usize) -> Ring {
        Ring { slots: Slots::with_capacity(capacity), ..Ring::default() }
    }

    /// An empty one whose next reading has this number and comes into this slot.
    pub(super) fn starting(capacity: usize, head: u32, first: u64) -> Ring {
        Ring { slots: Slots::starting(capacity, head), first, ..Ring::default() }
    }

    /// An empty one that is the same otherwise.
    pub(crate) fn emptied(&self) -> Ring {
        Ring { kept: self.kept, ..Ring::with_capacity(self.capacity()) }
    }

    /// Reads, and makes nothing of, the place of the reading that comes next.
    pub(crate) fn touch_next(&self) {
        self.slots.touch_next();
    }

    /// The same of all that a rule may look back on.
    pub(crate) fn touch(&self) {
        black_box(self.iter().rev().step_by(4).map(|sample| sample.observed.0).max());
    }

    pub(super) fn has_editions(&self) -> bool {
        self.columns.as_ref().is_some_and(|columns| columns.has_editions())
    }

    /// Makes the column of editions, if there is none.
    pub(super) fn make_editions(&mut self) {
        self.columns.get_or_insert_default().make_editions(self.slots.capacity());
    }

    /// The edition of a kept reading.
    pub(crate) fn edition(&self, number: u64) -> Edition {
        let columns = self.columns.as_ref();
        columns.zip(self.place(number)).map_or(Edition::default(), |(columns, slot)| columns.edition(slot))
    }

    /// Notes the edition of a kept reading.
    pub(crate) fn set_edition(&mut self, number: u64, edition: Edition) {
        if (self.columns.is_some() || edition != Edition::default())
            && let Some(slot) = self.place(number)
        {
            self.columns.get_or_insert_default().set_edition(slot, edition, self.slots.capacity());
        }
    }

    /// Kept readings with their editions, newest first.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = (Sample, Edition)> {
        (self.first..self.end()).rev().filter_map(|number| Some((self.get(number)?, self.edition(number))))
    }

    pub(crate) fn capacity(&self) -> usize {
        self.slots.capacity()
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }

    /// Whether a reading of that instant is near enough in time to all that are kept.
    pub(crate) fn reaches(&self, observed: Timestamp) -> bool {
        self.slots.reaches(observed)
    }

    /// Whether a reading of that instant can be put in as things are.
    pub(crate) fn has_room(&self, observed: Timestamp) -> bool {
        !self.is_full() && self.reaches(observed)
    }

    /// The number of the oldest reading.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// The number after the newest's.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.len() as u64
    }

    pub(super) fn head(&self) -> u32 {
        self.slots.head()
    }

    pub(crate) fn get(&self, number: u64) -> Option<Sample> {
        Some(self.sample(self.place(number)?))
    }

    /// Puts another reading of its instant in the place of a kept one, which leaves its edition.
    pub(crate) fn replace(&mut self, number: u64, sample: Sample) {
        let Some(slot) = self.place(number) else { return };
        let packed = self.slots.pack(self.slots.observed(slot), sample.value);
        self.slots.put(slot, packed);
        let says = Particulars::of(&sample);
        if self.particulars(slot) != says {
            self.note(slot, (self.end() - 1 - number) as usize, says);
        }
    }

    pub(crate) fn newest(&self) -> Option<Sample> {
        self.get(self.end().checked_sub(1)?)
    }

    /// The number of the first reading after an instant.
    pub(crate) fn after(&self, instant: Timestamp) -> u64 {
        match self.find(instant) {
            Ok(at) => at + 1,
            Err(next) => next,
        }
    }

    /// The kept readings, oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = Sample> {
        self.live().map(|slot| self.sample(slot))
    }

    /// The slots of the kept readings, oldest first.
    pub(super) fn live(&self) -> impl DoubleEndedIterator<Item = usize> + use<> {
        self.slots.live()
    }

    /// The number of the reading of that instant, or else the number it would get.
    pub(crate) fn find(&self, observed: Timestamp) -> Result<u64, u64> {
        if self.newest().is_none_or(|newest| newest.observed < observed) {
            return Err(self.end());
        }
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.slots.observed(self.slots.slot(middle)) < observed {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let number = self.first + low as u64;
        match self.get(number) {
            Some(found) if found.observed == observed => Ok(number),
            Some(_) | None => Err(number),
        }
    }

    /// The reading of that instant, while it is kept.
    pub(crate) fn at(&self, observed: Timestamp) -> Option<Sample> {
        self.find(observed).ok().and_then(|number| self.get(number))
    }

    /// Puts a reading in its place; those after it get the next number. There must be room.
    pub(crate) fn insert(&mut self, number: u64, sample: Sample) {
        if number == self.end() {
            return self.push(sample, Edition::default());
        }
        assert!(!self.is_full(), "room is made before a reading is put in");
        let packed = self.slots.pack(sample.observed, sample.value);
        let at = (number - self.first) as usize;
        self.slots.grow();
        for offset in (at + 1..self.len()).rev() {
            let (to, from) = (self.slots.slot(offset), self.slots.slot(offset - 1));
            self.slots.move_slot(from, to);
            if let Some(columns) = &mut self.columns {
                columns.move_slot(from, to);
            }
        }
        let slot = self.slots.slot(at);
        self.slots.put(slot, packed);
        self.note(slot, self.len() - 1 - at, Particulars::of(&sample));
        self.set_edition(number, Edition::default());
    }

    /// Puts a reading after the newest, with its edition. There must be room.
    pub(crate) fn push(&mut self, sample: Sample, edition: Edition) {
        assert!(!self.is_full(), "room is made before a reading is put in");
        let packed = self.slots.pack(sample.observed, sample.value);
        let slot = self.slots.slot(self.len());
        self.slots.put(slot, packed);
        self.slots.grow();
        let says = Particulars::of(&sample);
        if says != self.common || self.columns.is_some() {
            self.note_newest(slot, says);
        }
        self.set_edition(self.end() - 1, edition);
    }

    /// Forgets the oldest reading.
    pub(crate) fn pop_oldest(&mut self) {
        if self.len() > 0 {
            self.slots.pop_oldest();
            self.first += 1;
        }
    }

    /// Forgets the newest reading.
    pub(crate) fn pop_newest(&mut self) {
        self.slots.pop_newest();
        if let Some(columns) = &mut self.columns {
            columns.agree(columns.agreeing().saturating_sub(1));
        }
    }

    /// The same readings, the newest of them if need be, in a ring of another size.
    pub(crate) fn resized(&self, capacity: usize) -> Ring {
        let first = self.first + self.len().saturating_sub(capacity) as u64;
        let mut ring = Ring { kept: self.kept, ..Ring::starting(capacity, 0, first) };
        for number in first..self.end() {
            let Some(sample) = self.get(number) else { continue };
            ring.push(sample, self.edition(number));
        }
        ring
    }

    /// Notes what the reading just put in after all others says.
    fn note_newest(&mut self, slot: usize, says: Particulars) {
        let agreeing = self.columns.as_ref().map_or(0, |columns| columns.agreeing());
        self.note(slot, 0, says);
        let is_common = says == self.common;
        self.common = says;
        if let Some(columns) = &mut self.columns {
            columns.agree(if is_common { agreeing.saturating_add(1) } else { 1 });
        }
    }

    /// Notes what a reading says that was put in, where so many are newer.
    fn note(&mut self, slot: usize, newer: usize, says: Particulars) {
        let agrees = says == self.common;
        let len = self.len() as u32;
        if len == 1 {
            self.common = says;
        }
        match &mut self.columns {
            None if agrees || len == 1 => {}
            Some(columns) if len == 1 || agrees && columns.agreeing().saturating_add(1) >= len => {
                columns.drop_particulars();
                if columns.is_empty() {
                    self.columns = None;
                }
            }
            columns => columns.get_or_insert_default().set_particulars(
                (slot, newer),
                says,
                self.common,
                self.slots.capacity(),
            ),
        }
    }

    /// What the reading of a slot says besides time and value.
    fn particulars(&self, slot: usize) -> Particulars {
        let own = self.columns.as_ref().and_then(|columns| columns.particulars(slot));
        own.unwrap_or(self.common)
    }

    /// The reading of a slot.
    pub(super) fn sample(&self, slot: usize) -> Sample {
        self.particulars(slot).of_reading(self.slots.observed(slot), self.slots.value(slot))
    }

    /// Where the reading of a number stands.
    fn place(&self, number: u64) -> Option<usize> {
        let offset = number.checked_sub(self.first)? as usize;
        (offset < self.len()).then(|| self.slots.slot(offset))
    }
}
