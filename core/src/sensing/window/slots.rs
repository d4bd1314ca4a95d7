//! Times and values of a window, in a circle of slots.

use std::hint::black_box;

use super::form::{Bits, Form, NARROW};
use crate::time::{Span, Timestamp};

/// How far apart two readings of one window may be: 48 bits of microseconds,
/// 8.9 years. No rule looks back so far.
pub(crate) const REACH: Span = Span((1 << 48) - 1);

/// How far apart the readings of a window in a narrow form are: seven eighths of
/// what such slots count, so that it need not count anew at every reading.
pub(crate) const NARROW_LASTS_MAX: Span = Span((1 << 40) / 8 * 7);

/// Times and values, oldest first: nine bytes each where they lie within eleven
/// days and all values are short decimals or of single precision, else fourteen.
/// Nobody outside sees which: a reading comes out as it went in, bit by bit.
#[derive(Debug, Clone, Default)]
pub(super) struct Slots {
    /// Always full of something; only `len` slots, from `head`, hold readings.
    bytes: Box<[u8]>,
    /// The instant that slots count from.
    base: Timestamp,
    capacity: u16,
    head: u16,
    len: u16,
    form: Form,
}

impl Slots {
    /// Of 65,535 slots at most: far more than any plan asks for.
    pub(super) fn with_capacity(capacity: usize) -> Slots {
        let capacity = capacity.min(usize::from(u16::MAX));
        Slots { bytes: vec![0; capacity * NARROW].into(), capacity: capacity as u16, ..Slots::default() }
    }

    /// None are held, and the next comes into this one, if there is such a slot.
    pub(super) fn starting(capacity: usize, head: u32) -> Slots {
        let slots = Slots::with_capacity(capacity);
        let head = if (head as usize) < slots.capacity() { head as u16 } else { 0 };
        Slots { head, ..slots }
    }

    pub(super) fn capacity(&self) -> usize {
        usize::from(self.capacity)
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.len)
    }

    pub(super) fn head(&self) -> u32 {
        u32::from(self.head)
    }

    /// The slot of the reading so many after the oldest.
    pub(super) fn slot(&self, after_oldest: usize) -> usize {
        let slot = usize::from(self.head) + after_oldest;
        if slot >= self.capacity() { slot - self.capacity() } else { slot }
    }

    /// The slots that hold a reading, oldest first.
    pub(super) fn live(&self) -> impl DoubleEndedIterator<Item = usize> + use<> {
        let (head, capacity) = (usize::from(self.head), self.capacity());
        let before = (head + self.len()).saturating_sub(capacity);
        let after = (head + self.len()).min(capacity);
        (head..after).chain(0..before)
    }

    pub(super) fn observed(&self, slot: usize) -> Timestamp {
        self.base + self.form.offset(&self.bytes, slot)
    }

    pub(super) fn value(&self, slot: usize) -> f64 {
        self.form.value(&self.bytes, slot)
    }

    /// Reads, and makes nothing of, the place of the reading that comes next.
    pub(super) fn touch_next(&self) {
        let next = self.slot(if self.len == self.capacity { 0 } else { self.len() });
        black_box(self.bytes.get(next * self.form.bytes()).copied());
    }

    /// Whether a reading of that instant is near enough in time to all that are kept.
    pub(super) fn reaches(&self, observed: Timestamp) -> bool {
        // What slots can count from one instant is never too far apart.
        self.form.counts(observed - self.base) || {
            let (oldest, newest) = self.ends(observed);
            newest - oldest <= REACH
        }
    }

    /// A reading as it is kept; it must be within reach. All others may come to
    /// stand in another form for it.
    pub(super) fn pack(&mut self, observed: Timestamp, value: f64) -> Bits {
        let packed = self.form.pack(observed - self.base, value);
        packed.unwrap_or_else(|| {
            self.stand_anew(Some((observed, value)));
            self.form.pack(observed - self.base, value).expect("room is made before a reading is put in")
        })
    }

    /// Puts a packed reading into a slot.
    pub(super) fn put(&mut self, slot: usize, reading: Bits) {
        self.form.write(&mut self.bytes, slot, reading);
    }

    /// A slot's reading moves to another.
    pub(super) fn move_slot(&mut self, from: usize, to: usize) {
        let bytes = self.form.bytes();
        self.bytes.copy_within(from * bytes..(from + 1) * bytes, to * bytes);
    }

    /// One more is held, after the newest.
    pub(super) fn grow(&mut self) {
        self.len += 1;
    }

    /// Forgets the oldest reading; there must be one.
    pub(super) fn pop_oldest(&mut self) {
        self.head = self.slot(1) as u16;
        self.len -= 1;
        if self.head == 0 && self.form == Form::Wide {
            // Once in a round: the one that made it wide may be gone.
            self.stand_anew(None);
        }
    }

    /// Forgets the newest reading.
    pub(super) fn pop_newest(&mut self) {
        self.len = self.len.saturating_sub(1);
    }

    /// Has all readings, one more among them, stand in the form of the fewest
    /// bytes that holds them, and counts from the middle of their time: of so few
    /// years, each half is no more than a slot counts.
    #[cold]
    fn stand_anew(&mut self, more: Option<(Timestamp, f64)>) {
        let oldest = self.live().next().map(|slot| self.observed(slot));
        let Some(one) = more.map(|(observed, _)| observed).or(oldest) else { return };
        let (oldest, newest) = self.ends(one);
        let lasts = newest - oldest;
        let base = newest - Span(lasts.0 / 2);
        let kept = || self.live().map(|slot| (self.observed(slot), self.value(slot)));
        let holds = |form: &Form| {
            (*form == Form::Wide || lasts <= NARROW_LASTS_MAX)
                && kept().chain(more).all(|(observed, value)| form.pack(observed - base, value).is_some())
        };
        let form = Form::all().find(holds).expect("the widest holds whatever is within reach");
        if more.is_none() && form == self.form {
            return;
        }
        if self.len > 0 || form.bytes() != self.form.bytes() {
            let mut bytes = vec![0; self.capacity() * form.bytes()].into_boxed_slice();
            for (slot, (observed, value)) in self.live().zip(kept()) {
                let packed = form.pack(observed - base, value);
                form.write(&mut bytes, slot, packed.expect("room is made before a reading is put in"));
            }
            self.bytes = bytes;
        }
        (self.base, self.form) = (base, form);
    }

    /// When the oldest and the newest reading were observed, one of this instant among them.
    fn ends(&self, observed: Timestamp) -> (Timestamp, Timestamp) {
        // Over all of them: those of a damaged snapshot may stand in no order.
        let times = || self.live().map(|slot| self.observed(slot));
        (times().fold(observed, Timestamp::min), times().fold(observed, Timestamp::max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000;

    /// The form that readings stand in once all of them came, a window of four that drops its oldest.
    fn form(readings: &[(i64, f64)]) -> Form {
        let mut slots = Slots::with_capacity(4);
        for &(at, value) in readings {
            if slots.len() == slots.capacity() {
                slots.pop_oldest();
            }
            let packed = slots.pack(Timestamp(at), value);
            slots.put(slots.slot(slots.len()), packed);
            slots.grow();
        }
        for (&(at, value), slot) in readings.iter().rev().zip(slots.live().rev()) {
            assert_eq!((slots.observed(slot), slots.value(slot).to_bits()), (Timestamp(at), value.to_bits()));
        }
        slots.form
    }

    #[test]
    fn readings_stand_in_the_form_of_the_fewest_bytes_that_holds_them() {
        let now = 1_782_864_000_000_000;
        for (values, expected) in [
            (vec![4.2, 4.207, 4.0], Form::Decimals(3)),
            (vec![4.207, 3e6], Form::Wide),
            (vec![0.1, f64::from(0.3_f32)], Form::Wide),
            (vec![0.5, f64::from(0.3_f32), -0.0], Form::Single),
            (vec![0.1 + 0.2, 0.3], Form::Wide),
            // A round after the odd one left.
            (vec![0.1 + 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9], Form::Decimals(1)),
        ] {
            let readings: Vec<_> = (0..).map(|n| now + n * 60_000_001).zip(values.iter().copied()).collect();
            assert_eq!(form(&readings), expected, "{values:?}");
        }
        let most = NARROW_LASTS_MAX.0;
        for (lasts, expected) in [
            (11 * DAY, Form::Decimals(0)),
            (most, Form::Decimals(0)),
            (most + 1, Form::Wide),
            (12 * DAY, Form::Wide),
            (REACH.0, Form::Wide),
        ] {
            for middle in [1, lasts / 2] {
                let readings = [0, middle, lasts].map(|at| (now + at, 1.0));
                assert_eq!(form(&readings), expected, "{middle} of {lasts}");
            }
        }
        // It may go on for as long as it likes.
        let readings: Vec<_> = (0..400).map(|n| (now + n * DAY, 1.5)).collect();
        assert_eq!(form(&readings), Form::Decimals(1));
    }

    #[test]
    fn a_reading_costs_no_more_than_fourteen_slots_that_stand_anew() {
        const SLOTS: i64 = 28;
        let now = 1_782_864_000_000_000;
        let almost = NARROW_LASTS_MAX.0 / (SLOTS - 1);
        for apart in [DAY / 24, almost / 2, almost - 1_000_000, almost, almost + 1_000_000, 2 * almost] {
            let mut slots = Slots::with_capacity(SLOTS as usize);
            let mut bases = vec![];
            for n in 0..1_000 {
                if slots.len() == slots.capacity() {
                    slots.pop_oldest();
                }
                let packed = slots.pack(Timestamp(now + n * apart), 1.5);
                slots.put(slots.slot(slots.len()), packed);
                slots.grow();
                bases.push(slots.base);
            }
            bases.dedup();
            assert!(bases.len() as i64 * SLOTS <= 14 * 1_000, "{} times at {apart}", bases.len());
        }
    }

    #[test]
    fn a_window_without_slots_and_one_of_too_many_are_windows() {
        let none = Slots::with_capacity(0);
        none.touch_next();
        assert_eq!((none.live().count(), none.reaches(Timestamp::MIN)), (0, true));
        assert_eq!(Slots::with_capacity(70_000).capacity(), usize::from(u16::MAX));
    }
}
