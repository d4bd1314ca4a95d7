//! Bounded history of one sensor in event time order.

mod columns;
mod form;
mod particulars;
mod ring;
mod slots;
mod written;

use minicbor::{Decode, Encode};

use crate::checks::Seen;
use crate::ids::SourceIx;
use crate::reading::{Flag, Marks};
use crate::time::{Span, Timestamp};

pub(super) use self::columns::Columns;
pub(super) use self::form::{NARROW, WIDE};
pub(super) use self::particulars::Particulars;
pub(crate) use self::ring::Ring;
pub(super) use self::slots::NARROW_LASTS_MAX;
pub(crate) use self::slots::REACH;

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

    /// The same with the flag that the readings before it make of it.
    #[must_use]
    pub(crate) fn flagged(self, flag: Flag) -> Sample {
        let alone = self.alone.unwrap_or(self.flag);
        Sample { flag, alone: (flag != alone).then_some(alone), ..self }
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

/// What a rule sees: one reading to be judged, and the good ones before it, as
/// far back as it asked for.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    ring: &'a Ring,
    newest: Sample,
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
    pub fn newest(&self) -> Sample {
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
    pub fn sample(&self, number: u64) -> Option<Sample> {
        if number > self.last {
            return None;
        }
        self.ring.get(number).filter(|sample| number == self.last || sample.is_good())
    }

    /// The reading of a number, whatever its quality; also one that has just left the view.
    pub(crate) fn kept(&self, number: u64) -> Option<Sample> {
        self.ring.get(number)
    }

    /// The reading to be judged, then the good ones before it, newest first, no further back than `span`.
    pub fn back(&self, span: Span) -> impl Iterator<Item = Sample> + use<'a> {
        let from = self.newest.observed - span;
        let (skipped, seen) = (self.ring.end() - 1 - self.last, self.last + 1 - self.first);
        self.ring
            .iter()
            .rev()
            .skip(skipped as usize)
            .take(seen as usize)
            .take_while(move |sample| sample.observed >= from)
            .enumerate()
            .filter_map(|(nth, sample)| (nth == 0 || sample.is_good()).then_some(sample))
    }
}

#[cfg(test)]
mod tests;
