//! How a reading stands in as few bytes as hold it exactly.

use crate::time::Span;

/// Bytes of the time in the two narrow forms, and in the wide one.
const NARROW_TIME: usize = 5;
const WIDE_TIME: usize = 6;
/// Bytes of a slot.
pub(crate) const NARROW: usize = NARROW_TIME + size_of::<u32>();
pub(crate) const WIDE: usize = WIDE_TIME + size_of::<u64>();

/// One and as many noughts: what a value is counted in.
const POWERS: [f64; 10] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// How all readings of one window stand in their slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// 40 bits of time, and the value counted in so many decimals, 32 bits: what
    /// people read off and most devices send.
    Decimals(u8),
    /// 40 bits of time, and a value of single precision: what many devices measure with.
    Single,
    /// 48 bits of time, and the value as it is.
    Wide,
}

impl Default for Form {
    fn default() -> Form {
        Form::Decimals(0)
    }
}

/// Time and value of a reading as one form holds them; the upper bits may say nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bits {
    time: u64,
    value: u64,
}

impl Form {
    /// Every form, those of fewer bytes first.
    pub(super) fn all() -> impl Iterator<Item = Form> {
        (0..POWERS.len() as u8).map(Form::Decimals).chain([Form::Single, Form::Wide])
    }

    /// Bytes of a slot.
    pub(super) fn bytes(self) -> usize {
        match self {
            Form::Decimals(_) | Form::Single => NARROW,
            Form::Wide => WIDE,
        }
    }

    fn time_bytes(self) -> usize {
        match self {
            Form::Decimals(_) | Form::Single => NARROW_TIME,
            Form::Wide => WIDE_TIME,
        }
    }

    /// Whether it counts so far from the window's instant.
    pub(super) fn counts(self, offset: Span) -> bool {
        let half = 1 << (8 * self.time_bytes() - 1);
        (-half..half).contains(&offset.0)
    }

    /// A reading so far from the window's instant; `None` where this form does not hold it exactly.
    pub(super) fn pack(self, offset: Span, value: f64) -> Option<Bits> {
        let value = match self {
            Form::Decimals(count) => u64::from(counted(value, power(count))? as u32),
            Form::Single => u64::from(single(value)?),
            Form::Wide => value.to_bits(),
        };
        self.counts(offset).then_some(Bits { time: offset.0 as u64, value })
    }

    /// Puts a reading of this form into its slot.
    pub(super) fn write(self, bytes: &mut [u8], slot: usize, reading: Bits) {
        let (time, value) = (reading.time.to_le_bytes(), reading.value.to_le_bytes());
        let into = &mut bytes[slot * self.bytes()..];
        match self {
            Form::Decimals(_) | Form::Single => {
                into[..NARROW_TIME].copy_from_slice(&time[..NARROW_TIME]);
                into[NARROW_TIME..NARROW].copy_from_slice(&value[..NARROW - NARROW_TIME]);
            }
            Form::Wide => {
                into[..WIDE_TIME].copy_from_slice(&time[..WIDE_TIME]);
                into[WIDE_TIME..WIDE].copy_from_slice(&value);
            }
        }
    }

    /// How far from the window's instant the reading of a slot is.
    pub(super) fn offset(self, bytes: &[u8], slot: usize) -> Span {
        let word = i64::from_le_bytes(some(&bytes[slot * self.bytes()..]));
        // The upper bytes of the eight belong to the value.
        let upper = i64::BITS - 8 * self.time_bytes() as u32;
        Span(word << upper >> upper)
    }

    /// The value of a slot.
    pub(super) fn value(self, bytes: &[u8], slot: usize) -> f64 {
        let from = &bytes[slot * self.bytes() + self.time_bytes()..];
        match self {
            Form::Decimals(count) => f64::from(i32::from_le_bytes(some(from))) / power(count),
            Form::Single => f64::from(f32::from_le_bytes(some(from))),
            Form::Wide => f64::from_le_bytes(some(from)),
        }
    }
}

/// The first bytes of what is longer.
fn some<const COUNT: usize>(bytes: &[u8]) -> [u8; COUNT] {
    *bytes.first_chunk().expect("a slot ends within its window")
}

fn power(count: u8) -> f64 {
    POWERS[usize::from(count)]
}

/// How many of one over `power` the value is: as division gives it back, bit by bit.
fn counted(value: f64, power: f64) -> Option<i32> {
    // Rounded by hand: without newer instructions, `round` is a call of a function.
    let count = (value * power + 0.5_f64.copysign(value)) as i32;
    (same(f64::from(count) / power, value)).then_some(count)
}

/// The bits of the value, if single precision holds it.
fn single(value: f64) -> Option<u32> {
    let single = value as f32;
    same(f64::from(single), value).then_some(single.to_bits())
}

/// Whether two values are the same bit by bit: minus nought is another than nought.
fn same(one: f64, other: f64) -> bool {
    one.to_bits() == other.to_bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a form gives back, between two slots that must stay as they are.
    fn through(form: Form, offset: i64, value: f64) -> Option<(i64, u64)> {
        let packed = form.pack(Span(offset), value)?;
        let mut bytes = vec![0xa5; 3 * form.bytes()];
        form.write(&mut bytes, 1, packed);
        let (before, after) = (&bytes[..form.bytes()], &bytes[2 * form.bytes()..]);
        assert!(before.iter().chain(after).all(|byte| *byte == 0xa5), "{form:?}");
        Some((form.offset(&bytes, 1).0, form.value(&bytes, 1).to_bits()))
    }

    fn holds(form: Form, values: &[f64]) {
        for &value in values {
            assert_eq!(through(form, -1, value), Some((-1, value.to_bits())), "{form:?} {value:e}");
        }
    }

    fn refuses(form: Form, values: &[f64]) {
        for &value in values {
            assert_eq!(through(form, 0, value), None, "{form:?} {value:e}");
        }
    }

    #[test]
    fn what_a_form_holds_it_holds_exactly() {
        holds(Form::Decimals(0), &[0.0, 1.0, -7.0, f64::from(i32::MAX), f64::from(i32::MIN)]);
        holds(Form::Decimals(3), &[0.0, 0.001, 4.207, -0.33, 1013.25, 2_147_483.647, -2_147_483.648]);
        holds(Form::Decimals(9), &[0.1, 1e-9, -2.147_483_648]);
        holds(Form::Single, &[0.0, -0.0, f64::from(4.2_f32), f64::from(1.5e30_f32), f64::INFINITY, f64::NAN]);
        holds(Form::Wide, &[0.1 + 0.2, -0.0, f64::MIN_POSITIVE, f64::MAX, f64::NAN, f64::NEG_INFINITY]);
    }

    #[test]
    fn what_a_form_does_not_hold_exactly_it_refuses() {
        refuses(Form::Decimals(0), &[0.5, -0.0, 2_147_483_648.0, 1e300, f64::NAN, f64::INFINITY]);
        refuses(Form::Decimals(3), &[0.0004, 2_147_483.648, 0.1 + 0.2, f64::from(4.2_f32)]);
        refuses(Form::Single, &[0.1, 16_777_217.0, 1e300]);
    }

    #[test]
    fn a_form_counts_as_far_as_it_says_and_no_further() {
        for (form, far) in [(Form::Decimals(2), 1 << 39), (Form::Single, 1 << 39), (Form::Wide, 1 << 47)] {
            for offset in [0, 1, -1, 1 << 32, -(1 << 32), (1 << 32) - 1, far - 1, -far] {
                assert_eq!(through(form, offset, -1.5), Some((offset, (-1.5_f64).to_bits())), "{form:?}");
            }
            for offset in [far, -far - 1, i64::MAX, i64::MIN] {
                assert_eq!(through(form, offset, -1.5), None, "{form:?} {offset}");
            }
        }
    }
}
