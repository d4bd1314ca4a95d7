//! Admission: what is new, what is known already, what comes too late or too early.

use super::trace::Bench;
use super::watch::Watch;
use super::window::{Edition, Sample};
use crate::level::Status;
use crate::reading::{Marks, Reading};
use crate::time::{Span, Timestamp};

/// What becomes of a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It is put in under this number.
    Insert(u64),
    /// It takes the place of this one: a higher edition of the same instant.
    Replace(u64),
    /// It is kept, and not judged.
    Refused(Marks),
    /// It came after the readings of its time were settled.
    Behind,
}

/// How far back a repeated identity is looked for, in readings.
const IDENTITY_LOOKBACK: usize = 64;

/// So many readings without device time may have come in one instant.
const SAME_INSTANT_MAX: i64 = 64;

impl Watch {
    /// Decides on a reading. May move one without device time by microseconds,
    /// so that measurements received in one instant stay apart.
    pub(crate) fn admit(
        &mut self,
        reading: &mut Reading,
        value: f64,
        bench: &Bench<'_>,
        broke: Timestamp,
    ) -> Admission {
        let live = bench.plan.settings.status == Status::Actual;
        let timeless = reading.marks.has(Marks::NO_DEVICE_TIME);
        // What a broker kept without a time of its own may be of any age.
        let ageless = timeless && reading.marks.has(Marks::RETAINED);
        if live && reading.marks.has(Marks::SIMULATED) || ageless {
            return Admission::Refused(Marks::UNJUDGED);
        }
        if timeless && self.is_repeat(reading, value, bench, broke) {
            return Admission::Refused(Marks::DUPLICATE);
        }
        let number = match self.place(reading, timeless) {
            Ok(number) => return self.meet(number, reading, value),
            Err(number) => number,
        };
        let moment = bench.moment;
        if moment.trusted && reading.observed > moment.civil() + bench.plan.settings.future_tolerance {
            return Admission::Refused(Marks::UNJUDGED);
        }
        let no_room = number == self.ring.first() && !self.ring.has_room(reading.observed);
        if reading.observed <= self.watermark || number < self.settled || no_room {
            return Admission::Behind;
        }
        Admission::Insert(number)
    }

    /// Finds the reading's place: one of its instant, or the gap it goes into.
    fn place(&self, reading: &mut Reading, timeless: bool) -> Result<u64, u64> {
        for _ in 0..SAME_INSTANT_MAX {
            let number = self.ring.find(reading.observed)?;
            let other = self.ring.get(number).is_some_and(|known| {
                known.marks.has(Marks::NO_DEVICE_TIME)
                    && self.ring.edition(number).identity != reading.identity
            });
            if !(timeless && other && reading.identity != 0) {
                return Ok(number);
            }
            reading.observed = reading.observed + Span(1);
        }
        self.ring.find(reading.observed)
    }

    /// Two readings of one instant: the highest edition wins, else the first in the log.
    fn meet(&mut self, number: u64, reading: &Reading, value: f64) -> Admission {
        let settled = number < self.settled;
        let Some(known) = self.ring.get(number) else { return Admission::Insert(number) };
        let edition = self.ring.edition(number);
        let higher = reading.seq > edition.seq;
        if known.value.to_bits() == value.to_bits() {
            // The same in a live edition is news, where the one before was history.
            let livens = !known.is_news() && Sample { marks: reading.marks, ..known }.is_news();
            self.ring.set_edition(number, Edition { seq: edition.seq.max(reading.seq), ..edition });
            return if livens && !settled {
                Admission::Replace(number)
            } else {
                Admission::Refused(Marks::DUPLICATE)
            };
        }
        match (higher, settled) {
            (true, false) => Admission::Replace(number),
            (true, true) => Admission::Behind,
            (false, _) if reading.seq < edition.seq => Admission::Refused(Marks::DUPLICATE),
            (false, _) => {
                self.count_conflict();
                Admission::Refused(Marks::CONFLICT)
            }
        }
    }

    /// Whether a reading without a time of its own is one that is known: the
    /// same message again, or the same measurement through another source.
    fn is_repeat(&self, reading: &Reading, value: f64, bench: &Bench<'_>, broke: Timestamp) -> bool {
        let half = Span(bench.sensor.interval.0 / 2);
        let broke = broke + bench.moment.offset;
        let after_break = reading.observed >= broke && reading.observed - broke <= half;
        self.ring.newest_first().take(IDENTITY_LOOKBACK).any(|(known, edition)| {
            let near = Span((reading.observed - known.observed).0.abs()) <= half;
            // Packet ids come round again, and a gauge may well say the same twice:
            // far apart, it needs the sender's own word, or a connection that broke in between.
            let again = reading.identity != 0
                && edition.identity == reading.identity
                && (near || reading.marks.has(Marks::REPEATED) || after_break && known.observed < broke);
            let twin = near
                && known.source != reading.source
                && known.marks.has(Marks::NO_DEVICE_TIME)
                && known.value.to_bits() == value.to_bits();
            again || twin
        })
    }
}
