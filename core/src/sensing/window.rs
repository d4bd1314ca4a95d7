//! Bounded history of one sensor in event time order.

use std::hint::black_box;

use minicbor::{Decode, Encode};

use crate::checks::Seen;
use crate::ids::SourceIx;
use crate::reading::{Flag, Marks};
use crate::time::{Span, Timestamp};

/// One kept reading.
#[derive(Debug, Clone, Copy, PartialEq, Default, Encode, Decode)]
pub struct Sample {
    /// Civil time of the measurement; no two of one sensor are the same.
    #[n(0)]
    pub observed: Timestamp,
    /// In the sensor's unit; beyond the sensor's span, the end of the span.
    #[n(1)]
    pub value: f64,
    /// Its quality.
    #[n(2)]
    pub flag: Flag,
    /// What else is known of it.
    #[n(3)]
    pub marks: Marks,
    // 4 and 5 were what editions are now.
    /// Which way it came in first.
    #[n(6)]
    pub source: SourceIx,
    /// Whether it lay in the future when it came, by a clock that nobody could trust.
    #[n(7)]
    pub unproven: bool,
    /// What its value by itself was flagged, where the readings before it made another flag of it.
    #[n(8)]
    pub(crate) alone: Option<Flag>,
}

impl Sample {
    /// Whether it passed its checks (flag 1), or none is configured (flag 2).
    pub fn is_good(&self) -> bool {
        match self.flag {
            Flag::Good | Flag::Unevaluated => true,
            Flag::Suspect | Flag::Fail | Flag::Missing => false,
        }
    }

    /// As checks see it that go by the readings before it.
    pub(crate) fn seen(&self) -> Seen {
        Seen {
            observed: self.observed,
            value: self.value,
            flag: self.alone.unwrap_or(self.flag),
            at_end: self.marks.has(Marks::SATURATED),
        }
    }

    /// Takes the flag that the readings before it make of it.
    pub(crate) fn flag_as(&mut self, flag: Flag) {
        let alone = self.alone.unwrap_or(self.flag);
        self.alone = (flag != alone).then_some(alone);
        self.flag = flag;
    }

    /// Whether it says anything of the place: it did not fail its checks.
    pub fn is_usable(&self) -> bool {
        match self.flag {
            Flag::Good | Flag::Unevaluated | Flag::Suspect => true,
            Flag::Fail | Flag::Missing => false,
        }
    }

    /// Whether it is news: history, given out at subscription or from a device's memory, raises nothing.
    pub fn is_news(&self) -> bool {
        !self.marks.has(Marks::RETAINED) && !self.marks.has(Marks::HISTORICAL)
    }
}

/// How a reading is told from a repeat of it, where its time alone does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub(crate) struct Edition {
    /// The device's own counter.
    #[n(0)]
    pub(crate) seq: u64,
    /// Stands in for identity where the device gives no time; else zero.
    #[n(1)]
    pub(crate) identity: u64,
}

/// The kept readings of one sensor, oldest first, each under a number that
/// stays its own as long as nothing is put in before it. Allocates when it is
/// made, and once more at the first reading that has an edition.
#[derive(Debug, Clone, PartialEq, Default, Encode, Decode)]
pub(crate) struct Ring {
    /// Always full of something; only `len` of them, from `head`, are readings.
    #[n(0)]
    slots: Vec<Sample>,
    #[n(1)]
    head: u32,
    #[n(2)]
    len: u32,
    /// The number of the oldest.
    #[n(3)]
    first: u64,
    /// By slot; empty while none was given, as most devices give none.
    #[n(4)]
    #[cbor(default)]
    editions: Vec<Edition>,
}

impl Ring {
    pub(crate) fn with_capacity(capacity: usize) -> Ring {
        Ring { slots: vec![Sample::default(); capacity], ..Ring::default() }
    }

    /// Reads, and makes nothing of, the place of the reading that comes next.
    pub(crate) fn touch_next(&self) {
        let next = self.slots.get(self.slot(if self.is_full() { 0 } else { self.len() }));
        black_box(next.map(|slot| slot.observed));
    }

    /// The same of all that a rule may look back on.
    pub(crate) fn touch(&self) {
        black_box(self.iter().rev().step_by(2).map(|sample| sample.observed.0).max());
    }

    /// The edition of a kept reading.
    pub(crate) fn edition(&self, number: u64) -> Edition {
        self.place(number).and_then(|slot| self.editions.get(slot)).copied().unwrap_or_default()
    }

    /// Notes the edition of a kept reading.
    pub(crate) fn set_edition(&mut self, number: u64, edition: Edition) {
        if self.editions.is_empty() && edition != Edition::default() {
            self.editions = vec![Edition::default(); self.slots.len()];
        }
        if let Some(slot) = self.place(number)
            && let Some(known) = self.editions.get_mut(slot)
        {
            *known = edition;
        }
    }

    /// Kept readings with their editions, newest first.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = (&Sample, Edition)> {
        (self.first..self.end()).rev().filter_map(|number| Some((self.get(number)?, self.edition(number))))
    }

    pub(crate) fn capacity(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len() == self.slots.len()
    }

    /// The number of the oldest reading.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// The number after the newest's.
    pub(crate) fn end(&self) -> u64 {
        self.first + u64::from(self.len)
    }

    pub(crate) fn get(&self, number: u64) -> Option<&Sample> {
        self.slots.get(self.place(number)?)
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut Sample> {
        let slot = self.place(number)?;
        self.slots.get_mut(slot)
    }

    pub(crate) fn newest(&self) -> Option<&Sample> {
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
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Sample> {
        let head = self.head as usize;
        let before = (head + self.len()).saturating_sub(self.slots.len());
        let after = (head + self.len()).min(self.slots.len());
        self.slots[head..after].iter().chain(&self.slots[..before])
    }

    /// The number of the reading of that instant, or else the number it would get.
    pub(crate) fn find(&self, observed: Timestamp) -> Result<u64, u64> {
        if self.newest().is_none_or(|newest| newest.observed < observed) {
            return Err(self.end());
        }
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.slots[self.slot(middle)].observed < observed {
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
    pub(crate) fn at(&self, observed: Timestamp) -> Option<&Sample> {
        self.find(observed).ok().and_then(|number| self.get(number))
    }

    /// Puts a reading in its place; those after it get the next number. There must be room.
    pub(crate) fn insert(&mut self, number: u64, sample: Sample) {
        assert!(!self.is_full(), "room is made before a reading is put in");
        let at = (number - self.first) as usize;
        self.len += 1;
        for offset in (at + 1..self.len()).rev() {
            let (to, from) = (self.slot(offset), self.slot(offset - 1));
            self.slots[to] = self.slots[from];
            if !self.editions.is_empty() {
                self.editions[to] = self.editions[from];
            }
        }
        let slot = self.slot(at);
        self.slots[slot] = sample;
        self.set_edition(number, Edition::default());
    }

    /// Puts a reading after the newest, with its edition. There must be room.
    pub(crate) fn push(&mut self, sample: Sample, edition: Edition) {
        assert!(!self.is_full(), "room is made before a reading is put in");
        let slot = self.slot(self.len());
        self.slots[slot] = sample;
        self.len += 1;
        if edition != Edition::default() || !self.editions.is_empty() {
            self.set_edition(self.end() - 1, edition);
        }
    }

    /// Forgets the oldest reading.
    pub(crate) fn pop_oldest(&mut self) {
        if self.len > 0 {
            self.head = self.slot(1) as u32;
            self.len -= 1;
            self.first += 1;
        }
    }

    /// Forgets the newest reading.
    pub(crate) fn pop_newest(&mut self) {
        self.len = self.len.saturating_sub(1);
    }

    /// The same readings, the newest of them if need be, in a ring of another size.
    pub(crate) fn resized(&self, capacity: usize) -> Ring {
        let mut ring = Ring::with_capacity(capacity);
        ring.first = self.first + self.len().saturating_sub(capacity) as u64;
        for number in ring.first..self.end() {
            let Some(&sample) = self.get(number) else { continue };
            ring.insert(number, sample);
            ring.set_edition(number, self.edition(number));
        }
        ring
    }

    fn slot(&self, offset: usize) -> usize {
        let slot = self.head as usize + offset;
        if slot >= self.slots.len() { slot - self.slots.len() } else { slot }
    }

    /// Where the reading of a number stands.
    fn place(&self, number: u64) -> Option<usize> {
        let offset = number.checked_sub(self.first)? as usize;
        (offset < self.len()).then(|| self.slot(offset))
    }
}

/// What a rule sees: one reading to be judged, and the good ones before it, as
/// far back as it asked for.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    ring: &'a Ring,
    newest: &'a Sample,
    first: u64,
    last: u64,
    full: bool,
}

impl<'a> View<'a> {
    /// On the reading numbered `last`, with at most `readings` kept ones up to it; `None` where there is none.
    pub(crate) fn new(ring: &'a Ring, last: u64, readings: usize) -> Option<View<'a>> {
        let newest = ring.get(last)?;
        let first = (last + 1).saturating_sub(readings.max(1) as u64).max(ring.first());
        let full = last + 1 - first >= readings as u64;
        Some(View { ring, newest, first, last, full })
    }

    /// How far back it goes, good readings or not, where it holds as many as it
    /// has room for: what is further back cannot be seen.
    pub(crate) fn room(&self) -> Option<Span> {
        let oldest = self.kept(self.first).filter(|_| self.full)?;
        Some(self.newest.observed - oldest.observed)
    }

    /// The reading to be judged.
    pub fn newest(&self) -> &'a Sample {
        self.newest
    }

    /// The number of the oldest reading that may be looked at.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The number of the reading to be judged.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// The reading of a number: the one to be judged, or a good one before it.
    pub fn sample(&self, number: u64) -> Option<&'a Sample> {
        if number > self.last {
            return None;
        }
        self.ring.get(number).filter(|sample| number == self.last || sample.is_good())
    }

    /// The reading of a number, whatever its quality; also one that has just left the view.
    pub(crate) fn kept(&self, number: u64) -> Option<&'a Sample> {
        self.ring.get(number)
    }

    /// The reading to be judged, then the good ones before it, newest first, no further back than `span`.
    pub fn back(&self, span: Span) -> impl Iterator<Item = &'a Sample> + use<'a> {
        let newest = self.newest;
        let from = newest.observed - span;
        let (skipped, seen) = (self.ring.end() - 1 - self.last, self.last + 1 - self.first);
        self.ring
            .iter()
            .rev()
            .skip(skipped as usize)
            .take(seen as usize)
            .take_while(move |sample| sample.observed >= from)
            .filter(move |sample| sample.is_good() || std::ptr::eq(*sample, newest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(capacity: usize, times: &[i64]) -> Ring {
        let mut ring = Ring::with_capacity(capacity);
        for &at in times {
            if ring.is_full() {
                ring.pop_oldest();
            }
            let number = ring.find(Timestamp(at)).expect_err("times differ");
            ring.insert(number, Sample { observed: Timestamp(at), ..Sample::default() });
        }
        ring
    }

    fn check(capacity: usize, times: &[i64], expected: &[i64], first: u64) {
        let ring = ring(capacity, times);
        let got: Vec<i64> = ring.iter().map(|sample| sample.observed.0).collect();
        assert_eq!(got, expected, "{times:?}");
        assert_eq!(ring.first(), first, "{times:?}");
        for (offset, &at) in expected.iter().enumerate() {
            assert_eq!(ring.find(Timestamp(at)), Ok(first + offset as u64));
        }
        assert_eq!(ring.resized(capacity + 3).iter().map(|s| s.observed.0).collect::<Vec<_>>(), expected);
        assert_eq!(ring.resized(1).newest(), ring.newest());
    }

    #[test]
    fn a_ring_keeps_the_newest_in_event_time_order() {
        check(4, &[1, 2, 3], &[1, 2, 3], 0);
        check(4, &[3, 1, 2], &[1, 2, 3], 0);
        check(3, &[1, 2, 3, 4, 5], &[3, 4, 5], 2);
        check(3, &[1, 2, 4, 5, 3], &[3, 4, 5], 2);
        check(4, &[1, 2, 3, 4, 9, 8, 7], &[4, 7, 8, 9], 3);
    }
}
