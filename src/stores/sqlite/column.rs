//! Columns of a chunk: integers as steps, values as decimals where they are
//! decimals. Whatever goes in comes out bit for bit.

/// Powers of ten that a value is tried with: up to nine decimals.
pub(super) const POWERS: [f64; 10] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// How many units in the last place a value may stand beside its decimal.
/// `59.1 - 2.345` is one beside `56.755`.
const BESIDE_MAX: i64 = 31;

/// Beyond this, scaled values are no longer whole numbers for certain.
const SCALED_MAX: f64 = 9_007_199_254_740_992.0;

// How a column of integers is written. A number never changes its meaning.
/// The first and the step that all the others follow by.
const STEADY: u8 = 0;
/// The first, then each one's step.
const STEPS: u8 = 1;
/// The first, the first step, then how much each step differs from the one before.
const BENDS: u8 = 2;

// How a column of values is written.
/// An exponent, the scaled integers, and how far each stands beside.
const DECIMAL: u8 = 0;
/// Each value's bits, xor those of the one before, lowest byte first.
const XOR: u8 = 1;
/// Eight bytes each.
const RAW: u8 = 2;
/// All are single precision: their bits as integers, close where the values are.
const SINGLE: u8 = 3;

pub(super) fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

pub(super) fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

pub(super) fn take_byte(bytes: &mut &[u8]) -> Option<u8> {
    let (&byte, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(byte)
}

pub(super) const fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

pub(super) const fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

pub(super) const fn varint_bytes(number: u64) -> usize {
    (70 - (number | 1).leading_zeros() as usize) / 7
}

/// Writes a column of integers in the shortest of its forms. Steps wrap, so
/// that any integers do.
pub(super) fn put_integers(out: &mut Vec<u8>, column: &[i64]) {
    let Some((&first, rest)) = column.split_first() else { return };
    let Some(&second) = rest.first() else {
        out.push(STEADY);
        put_varint(out, zigzag(first));
        put_varint(out, 0);
        return;
    };
    let step = second.wrapping_sub(first);
    let (mut steps, mut bends, mut before) = (0, 0, step);
    let mut steady = true;
    for pair in column.windows(2) {
        let this = pair[1].wrapping_sub(pair[0]);
        steps += varint_bytes(zigzag(this));
        bends += varint_bytes(zigzag(this.wrapping_sub(before)));
        steady &= this == step;
        before = this;
    }
    let form = if steady {
        STEADY
    } else if bends < steps {
        BENDS
    } else {
        STEPS
    };
    out.push(form);
    put_varint(out, zigzag(first));
    if form != STEPS {
        put_varint(out, zigzag(step));
    }
    before = step;
    for pair in column.windows(2) {
        let this = pair[1].wrapping_sub(pair[0]);
        match form {
            STEPS => put_varint(out, zigzag(this)),
            BENDS => put_varint(out, zigzag(this.wrapping_sub(before))),
            _ => break,
        }
        before = this;
    }
}

/// Reads `length` integers; `None` when they are not whole.
pub(super) fn take_integers(bytes: &mut &[u8], length: usize, column: &mut Vec<i64>) -> Option<()> {
    column.clear();
    if length == 0 {
        return Some(());
    }
    let form = take_byte(bytes)?;
    let mut last = unzigzag(take_varint(bytes)?);
    column.push(last);
    let mut step = if form == STEPS { 0 } else { unzigzag(take_varint(bytes)?) };
    for _ in 1..length {
        step = match form {
            STEADY => step,
            STEPS => unzigzag(take_varint(bytes)?),
            BENDS => step.wrapping_add(unzigzag(take_varint(bytes)?)),
            _ => return None,
        };
        last = last.wrapping_add(step);
        column.push(last);
    }
    Some(())
}

/// A value as a whole number of the power's parts, and how far beside.
pub(super) fn split(value: f64, power: f64) -> Option<(i64, i64)> {
    let scaled = value * power;
    if scaled.is_nan() || scaled.abs() >= SCALED_MAX {
        return None;
    }
    let whole = (scaled + 0.5f64.copysign(scaled)) as i64;
    let beside = (value.to_bits() as i64).wrapping_sub((whole as f64 / power).to_bits() as i64);
    (-BESIDE_MAX..=BESIDE_MAX).contains(&beside).then_some((whole, beside))
}

/// The lowest exponent at which every value is a decimal; `wholes` and
/// `besides` are then filled.
fn decimals(values: &[f64], wholes: &mut Vec<i64>, besides: &mut Vec<i64>) -> Option<u8> {
    let mut exponent = 0;
    'again: loop {
        wholes.clear();
        besides.clear();
        for value in values {
            if let Some((whole, beside)) = split(*value, POWERS[exponent]) {
                wholes.push(whole);
                besides.push(beside);
                continue;
            }
            exponent = (exponent + 1..POWERS.len()).find(|&it| split(*value, POWERS[it]).is_some())?;
            continue 'again;
        }
        return Some(exponent as u8);
    }
}

/// Writes a column of values; `wholes` and `besides` are scratch.
pub(super) fn put_values(out: &mut Vec<u8>, values: &[f64], wholes: &mut Vec<i64>, besides: &mut Vec<i64>) {
    if let Some(exponent) = decimals(values, wholes, besides) {
        out.extend([DECIMAL, exponent]);
        put_integers(out, wholes);
        put_integers(out, besides);
        return;
    }
    if values.iter().all(|value| f64::from(*value as f32).to_bits() == value.to_bits()) {
        wholes.clear();
        wholes.extend(values.iter().map(|value| i64::from((*value as f32).to_bits())));
        out.push(SINGLE);
        put_integers(out, wholes);
        return;
    }
    let start = out.len();
    out.push(XOR);
    let mut before = 0;
    for value in values {
        // A sensor's digits stand at the top: what is zero is at the bottom.
        put_varint(out, (value.to_bits() ^ before).swap_bytes());
        before = value.to_bits();
    }
    if out.len() - start > 1 + values.len() * 8 {
        out.truncate(start);
        out.push(RAW);
        for value in values {
            out.extend(value.to_le_bytes());
        }
    }
}

/// Reads `length` values; `None` when they are not whole.
pub(super) fn take_values(
    bytes: &mut &[u8],
    length: usize,
    values: &mut Vec<f64>,
    wholes: &mut Vec<i64>,
    besides: &mut Vec<i64>,
) -> Option<()> {
    values.clear();
    match take_byte(bytes)? {
        DECIMAL => {
            let power = *POWERS.get(usize::from(take_byte(bytes)?))?;
            take_integers(bytes, length, wholes)?;
            take_integers(bytes, length, besides)?;
            let pairs = wholes.iter().zip(besides.iter());
            values.extend(pairs.map(|(&whole, &beside)| {
                f64::from_bits(((whole as f64 / power).to_bits() as i64).wrapping_add(beside) as u64)
            }));
        }
        SINGLE => {
            take_integers(bytes, length, wholes)?;
            values.extend(wholes.iter().map(|&bits| f64::from(f32::from_bits(bits as u32))));
        }
        XOR => {
            let mut before = 0;
            for _ in 0..length {
                before ^= take_varint(bytes)?.swap_bytes();
                values.push(f64::from_bits(before));
            }
        }
        RAW => {
            for _ in 0..length {
                let (value, rest) = bytes.split_first_chunk()?;
                *bytes = rest;
                values.push(f64::from_le_bytes(*value));
            }
        }
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_come_back_and_take_little() {
        for (column, bytes_max) in [
            (vec![], 0),
            (vec![7], 3),
            (vec![900, 1800, 2700, 3600], 6),
            (vec![i64::MIN, i64::MAX, 0, -1, i64::MIN], 60),
            ((0..1000).map(|n| n * n).collect(), 1010),
            ((0..1000).map(|n| 1_000_000 + n % 2).collect(), 1010),
        ] {
            let (mut out, mut back) = (vec![], vec![]);
            put_integers(&mut out, &column);
            let mut bytes = out.as_slice();
            assert_eq!(take_integers(&mut bytes, column.len(), &mut back), Some(()));
            assert_eq!(back, column);
            assert!(bytes.is_empty() && out.len() <= bytes_max, "{} bytes", out.len());
        }
    }

    #[test]
    fn values_come_back_bit_for_bit_and_take_little() {
        let noise = |n: u64| f64::from_bits((n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 12) | 0x3ff0 << 48);
        for (name, values, bytes_max) in [
            ("decimals", (0..100).map(|n| f64::from(n) / 100.0).collect::<Vec<_>>(), 110),
            ("decimals off by a unit", (0..100).map(|n| 59.1 - f64::from(n) * 0.001).collect(), 310),
            ("singles", (0..100).map(|n| f64::from(4.23f32 + n as f32 * 0.013)).collect(), 320),
            ("noise", (0..100).map(noise).collect(), 801),
            ("one value for ever", vec![56.755; 100], 20),
            ("edges", vec![-0.0, 0.0, 1e-308, 5e-324, 1e300, f64::MAX, f64::MIN, f64::MIN_POSITIVE], 70),
            ("not numbers", vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.0], 40),
            ("large whole numbers", vec![9_007_199_254_740_993.0, -9_007_199_254_740_991.0, 1e15], 30),
        ] {
            let (mut out, mut back, mut a, mut b) = (vec![], vec![], vec![], vec![]);
            put_values(&mut out, &values, &mut a, &mut b);
            let mut bytes = out.as_slice();
            assert_eq!(take_values(&mut bytes, values.len(), &mut back, &mut a, &mut b), Some(()), "{name}");
            let bits = |values: &[f64]| values.iter().map(|it| it.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&back), bits(&values), "{name}");
            assert!(bytes.is_empty() && out.len() <= bytes_max, "{name}: {} bytes", out.len());
        }
    }
}
