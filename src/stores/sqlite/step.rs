//! A reading as what differs from the one that came after it, in a few bytes.
//! Whatever goes in comes out bit for bit.

use forewarn_core::reading::Flag;

use super::column::{POWERS, split, unzigzag, varint_bytes, zigzag};
use super::pool::{Backwards, spread};
use super::row::Row;

/// No row takes more, and eight bytes are written at once.
const STEP_MAX: usize = 56;

/// Microseconds that a step of the observed time may be a whole multiple of:
/// the lowest two bits of a step's first byte say which.
const GRAINS: [i64; 4] = [1, 1_000, 1_000_000, 60_000_000];

// What the received time is counted from: the next two bits.
/// From the row's own observed time, which is earlier.
const AFTER: u8 = 0;
/// The same, in whole milliseconds.
const AFTER_MILLIS: u8 = 1;
/// From the row's own observed time, which is later: a clock is wrong.
const BEFORE: u8 = 2;
/// From the received time of the other, where that is shorter: most came in one batch.
const TOGETHER: u8 = 3;

/// The next bit: flag and marks differ, and follow.
const MARKED: u8 = 1 << 4;

// How the value is written: the highest three bits.
/// It is the same.
const SAME: u8 = 0;
/// This and the next three: a decimal of none to three places, as what differs.
const DECIMAL: u8 = 1;
/// The most places of such a one.
const PLACES_MAX: u8 = 3;
/// A byte says its places, and how many units in the last place it stands beside.
const BESIDE: u8 = 5;
/// Units in the last place that this byte has room for, on either side.
const BESIDE_MAX: i64 = 7;
/// By how much a value that is a decimal may differ from it, as a part of it.
const NEAR: f64 = 1e-14;
/// Its bits, xor those of the other, highest byte first: what is zero at the bottom takes nothing.
const XOR: u8 = 6;
/// Eight bytes.
const RAW: u8 = 7;

/// The bytes of one step, in reverse: they are read from behind.
#[derive(Debug)]
pub(super) struct Step {
    bytes: [u8; STEP_MAX],
    from: usize,
}

impl Step {
    /// What makes `to` of `from`.
    pub(super) fn between(from: &Row, to: &Row) -> Step {
        let mut step = Step { bytes: [0; STEP_MAX], from: STEP_MAX };
        let (grain, grains) = grains_of(to.observed.wrapping_sub(from.observed));
        let (clock, received) = received_of(from, to);
        let value = value_of(from.value, to.value);
        let marked = from.flag != to.flag || from.marks != to.marks;
        step.byte(grain | clock << 2 | if marked { MARKED } else { 0 } | value.form() << 5);
        if marked {
            step.byte(to.flag.number());
            step.byte(to.marks);
        }
        step.varint(zigzag(grains));
        step.varint(received);
        step.varint(zigzag(to.position.wrapping_sub(from.position) as i64));
        match value {
            Value::Same => {}
            Value::Decimal { whole, .. } => step.varint(zigzag(whole)),
            Value::Beside { places, beside, whole } => {
                step.byte(places | ((beside + BESIDE_MAX) as u8) << 4);
                step.varint(zigzag(whole));
            }
            Value::Xor(bits) => step.varint(bits),
            Value::Raw(bits) => bits.to_le_bytes().into_iter().for_each(|byte| step.byte(byte)),
        }
        step
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[self.from..]
    }

    fn byte(&mut self, byte: u8) {
        self.from -= 1;
        self.bytes[self.from] = byte;
    }

    fn varint(&mut self, number: u64) {
        let mut number = number;
        if number < 1 << 56 {
            let (bytes, length) = spread(number);
            let place = self.bytes[..self.from].last_chunk_mut();
            *place.expect("a step has room for eight bytes more") = bytes.to_be_bytes();
            self.from -= length;
            return;
        }
        while number >= 0x80 {
            self.byte(number as u8 | 0x80);
            number >>= 7;
        }
        self.byte(number as u8);
    }
}

/// The row that a step makes of `from`.
pub(super) fn walk(from: &Row, bytes: &mut Backwards<'_>) -> Row {
    let first = bytes.byte();
    let (mut flag, mut marks) = (from.flag, from.marks);
    if first & MARKED != 0 {
        flag = Flag::from_number(bytes.byte()).expect("a step holds the number of a flag");
        marks = bytes.byte();
    }
    let grain = GRAINS[usize::from(first & 3)];
    let observed = from.observed.wrapping_add(unzigzag(bytes.varint()).wrapping_mul(grain));
    let received = bytes.varint();
    let received = match first >> 2 & 3 {
        AFTER => observed.wrapping_add(received as i64),
        AFTER_MILLIS => observed.wrapping_add(received as i64 * 1_000),
        BEFORE => observed.wrapping_sub(received as i64),
        _ => from.received.wrapping_add(unzigzag(received)),
    };
    let position = from.position.wrapping_add(unzigzag(bytes.varint()) as u64);
    let value = match first >> 5 {
        SAME => from.value,
        BESIDE => {
            let byte = bytes.byte();
            let beside = i64::from(byte >> 4) - BESIDE_MAX;
            decimal(from.value, byte & 15, unzigzag(bytes.varint()), beside)
        }
        XOR => f64::from_bits(bytes.varint().swap_bytes() ^ from.value.to_bits()),
        RAW => f64::from_le_bytes(std::array::from_fn(|_| bytes.byte())),
        form => decimal(from.value, form - DECIMAL, unzigzag(bytes.varint()), 0),
    };
    Row { observed, received, value, position, flag, marks }
}

/// The largest grain that a span is whole in, and how many of it.
const fn grains_of(span: i64) -> (u8, i64) {
    // By numbers that the compiler knows: it makes no divisions of these.
    let (millis, seconds, minutes) = (span / 1_000, span / 1_000_000, span / 60_000_000);
    if span % 1_000 != 0 {
        (0, span)
    } else if millis % 1_000 != 0 {
        (1, millis)
    } else if seconds % 60 != 0 {
        (2, seconds)
    } else {
        (3, minutes)
    }
}

fn received_of(from: &Row, to: &Row) -> (u8, u64) {
    let together = zigzag(to.received.wrapping_sub(from.received));
    let after = to.received.wrapping_sub(to.observed);
    let (form, number) = match after {
        0.. if after % 1_000 == 0 => (AFTER_MILLIS, after as u64 / 1_000),
        0.. => (AFTER, after as u64),
        _ => (BEFORE, after.unsigned_abs()),
    };
    if varint_bytes(together) < varint_bytes(number) { (TOGETHER, together) } else { (form, number) }
}

/// A value as what differs from another.
#[derive(Debug, Clone, Copy)]
enum Value {
    Same,
    Decimal { places: u8, whole: i64 },
    Beside { places: u8, beside: i64, whole: i64 },
    Xor(u64),
    Raw(u64),
}

impl Value {
    fn form(self) -> u8 {
        match self {
            Value::Same => SAME,
            Value::Decimal { places, .. } => DECIMAL + places,
            Value::Beside { .. } => BESIDE,
            Value::Xor(_) => XOR,
            Value::Raw(_) => RAW,
        }
    }
}

fn value_of(from: f64, to: f64) -> Value {
    let bits = to.to_bits();
    if bits == from.to_bits() {
        return Value::Same;
    }
    for (places, &power) in POWERS.iter().enumerate() {
        // Most powers are refused here, at a fraction of what asking them costs.
        let scaled = to * power;
        if (scaled - wholes(scaled) as f64).abs() > scaled.abs() * NEAR {
            continue;
        }
        let Some((whole, beside)) = split(to, power) else { continue };
        if !(-BESIDE_MAX..=BESIDE_MAX).contains(&beside) {
            continue;
        }
        let (places, whole) = (places as u8, whole.wrapping_sub(wholes(from * power)));
        return if beside == 0 && places <= PLACES_MAX {
            Value::Decimal { places, whole }
        } else {
            Value::Beside { places, beside, whole }
        };
    }
    let xor = (bits ^ from.to_bits()).swap_bytes();
    if varint_bytes(xor) < size_of::<u64>() { Value::Xor(xor) } else { Value::Raw(bits) }
}

/// The nearest whole number; of any other number some whole one, always the same.
fn wholes(scaled: f64) -> i64 {
    (scaled + 0.5f64.copysign(scaled)) as i64
}

/// What [`value_of`] took apart.
fn decimal(from: f64, places: u8, whole: i64, beside: i64) -> f64 {
    let power = POWERS[usize::from(places)];
    let whole = wholes(from * power).wrapping_add(whole);
    f64::from_bits(((whole as f64 / power).to_bits() as i64).wrapping_add(beside) as u64)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::super::pool::{End, Pool};
    use super::*;

    pub(in super::super) fn any_row() -> impl Strategy<Value = Row> {
        let number = prop_oneof![
            any::<i64>(),
            -3i64..3,
            (0i64..90_000).prop_map(|n| n * 60_000_000),
            (0i64..90_000).prop_map(|n| 1_700_000_000_000_000 + n * 1_000),
            Just(i64::MIN),
            Just(i64::MAX)
        ];
        let value = prop_oneof![
            any::<u64>().prop_map(f64::from_bits),
            any::<f32>().prop_map(f64::from),
            (-9_000i32..9_000).prop_map(|n| f64::from(n) / 100.0),
            (-9_000i32..9_000, 0i32..10).prop_map(|(n, places)| 59.1 - f64::from(n) / 10f64.powi(places)),
            (-9_000i32..9_000).prop_map(|n| f64::from(n) * 1e12),
            Just(-0.0),
            Just(0.0),
            Just(f64::MAX)
        ];
        let flag = (1u8..=9).prop_filter_map("no flag", Flag::from_number);
        (number.clone(), number, value, any::<u64>(), flag, any::<u8>()).prop_map(
            |(observed, received, value, position, flag, marks)| Row {
                observed,
                received,
                value,
                position,
                flag,
                marks,
            },
        )
    }

    fn check(from: &Row, to: &Row) -> usize {
        let step = Step::between(from, to);
        let mut pool = Pool::new();
        // With something before it, over the end of a block or not.
        let before = pool.push(End::EMPTY, &[0xa5; 60][..=usize::from(to.marks) % 60]);
        let end = pool.push(before, step.bytes());
        let mut bytes = pool.backwards(end);
        let back = walk(from, &mut bytes);
        let bits =
            |row: &Row| (row.observed, row.received, row.value.to_bits(), row.position, row.flag, row.marks);
        assert_eq!(bits(&back), bits(to));
        assert_eq!(bytes.byte(), 0xa5, "all of it is read, and no more");
        step.bytes().len()
    }

    proptest! {
        #[test]
        fn any_row_comes_back_from_any_other(from in any_row(), to in any_row()) {
            check(&from, &to);
            check(&from, &Row { value: to.value, ..from });
            check(&from, &Row { received: to.received, ..from });
        }
    }

    #[test]
    fn a_usual_step_takes_ten_bytes() {
        let minute = 60_000_000;
        let row = |n: i64, value: f64| Row {
            observed: n * 10 * minute,
            received: n * 10 * minute + 40_000 + n * 7_919,
            value,
            position: 5_000 + n as u64 * 100_013,
            flag: Flag::Good,
            marks: 0,
        };
        assert_eq!(check(&row(3, 4.21), &row(2, 4.19)), 9);
        assert_eq!(check(&row(3, 4.21), &row(2, 4.21)), 8, "the same value takes none");
        assert_eq!(
            check(&row(3, 4.21), &row(2, f64::from_bits(56.755f64.to_bits() + 1))),
            12,
            "one unit beside 56.755"
        );
        assert_eq!(check(&row(3, 4.21), &Row { flag: Flag::Fail, ..row(2, 4.19) }), 11);
    }
}
