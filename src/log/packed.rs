//! Readings and their flags, packed: what a log mostly consists of. About a
//! dozen bytes each, written and read in one pass, without allocation.
//!
//! One row a reading: a control byte; sensor and observed time as differences
//! to the row before (zigzag, base 128); the value's 8 bytes as they are; then
//! what the control byte says is there. The layout never changes: another one
//! gets another field of the record.

use forewarn_core::ids::{SensorIx, SourceIx};
use forewarn_core::reading::{Checked, Flag, Marks, Reading};
use forewarn_core::time::Timestamp;

/// A row is at most this long.
pub(crate) const ROW_BYTES_MAX: usize = 1 + 5 + 10 + 8 + 5 + 10 + 8 + 1 + 1;

const SOURCE: u8 = 1;
const SEQ: u8 = 2;
const IDENTITY: u8 = 4;
const MARKS: u8 = 8;
const FINAL_MARKS: u8 = 16;
const FLAG_SHIFT: u8 = 5;

/// What the rows so far leave behind for the differences of the next.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    sensor: u32,
    source: u32,
    observed: i64,
}

/// A reading, and its flag and final marks where it was judged.
pub(crate) type Row = (Reading, Option<(Flag, Marks)>);

impl Rows {
    /// Appends a row.
    pub(crate) fn put(&mut self, out: &mut Vec<u8>, reading: &Reading, judged: Option<(Flag, Marks)>) {
        let mut control = judged.map_or(0, |(flag, _)| flag_code(flag)) << FLAG_SHIFT;
        let final_marks = judged.map(|(_, marks)| marks).filter(|marks| *marks != reading.marks);
        for (there, bit) in [
            (reading.source.0 != self.source, SOURCE),
            (reading.seq != 0, SEQ),
            (reading.identity != 0, IDENTITY),
            (reading.marks != Marks::default(), MARKS),
            (final_marks.is_some(), FINAL_MARKS),
        ] {
            if there {
                control |= bit;
            }
        }
        out.push(control);
        put_signed(out, i64::from(reading.sensor.0) - i64::from(self.sensor));
        put_signed(out, reading.observed.0.wrapping_sub(self.observed));
        out.extend_from_slice(&reading.value.to_bits().to_le_bytes());
        if control & SOURCE != 0 {
            put_unsigned(out, u64::from(reading.source.0));
        }
        if control & SEQ != 0 {
            put_unsigned(out, reading.seq);
        }
        if control & IDENTITY != 0 {
            out.extend_from_slice(&reading.identity.to_le_bytes());
        }
        if control & MARKS != 0 {
            out.push(reading.marks.0);
        }
        if let Some(marks) = final_marks {
            out.push(marks.0);
        }
        self.follow(reading);
    }

    /// Takes the next row off the front of `bytes`; `None` when it is not whole.
    pub(crate) fn take(&mut self, bytes: &mut &[u8]) -> Option<Row> {
        let [control] = take_bytes::<1>(bytes)?;
        let sensor = i64::from(self.sensor).checked_add(take_signed(bytes)?)?;
        let observed = self.observed.wrapping_add(take_signed(bytes)?);
        let value = f64::from_bits(u64::from_le_bytes(take_bytes(bytes)?));
        let source = match control & SOURCE {
            0 => self.source,
            _ => u32::try_from(take_unsigned(bytes)?).ok()?,
        };
        let seq = if control & SEQ == 0 { 0 } else { take_unsigned(bytes)? };
        let identity = if control & IDENTITY == 0 { 0 } else { u64::from_le_bytes(take_bytes(bytes)?) };
        let marks = if control & MARKS == 0 { 0 } else { take_bytes::<1>(bytes)?[0] };
        let final_marks = if control & FINAL_MARKS == 0 { marks } else { take_bytes::<1>(bytes)?[0] };
        let reading = Reading {
            sensor: SensorIx(u32::try_from(sensor).ok()?),
            source: SourceIx(source),
            observed: Timestamp(observed),
            value,
            seq,
            identity,
            marks: Marks(marks),
        };
        self.follow(&reading);
        let judged = match control >> FLAG_SHIFT {
            0 => None,
            code => Some((flag_of(code)?, Marks(final_marks))),
        };
        Some((reading, judged))
    }

    fn follow(&mut self, reading: &Reading) {
        self.sensor = reading.sensor.0;
        self.source = reading.source.0;
        self.observed = reading.observed.0;
    }
}

/// Whether a verdict is that of this very reading: the same in all but the marks.
pub(crate) fn judges(checked: &Checked, reading: &Reading) -> bool {
    let judged = &checked.reading;
    judged.sensor == reading.sensor
        && judged.source == reading.source
        && judged.observed == reading.observed
        && judged.value.to_bits() == reading.value.to_bits()
        && judged.seq == reading.seq
        && judged.identity == reading.identity
}

const fn flag_code(flag: Flag) -> u8 {
    match flag {
        Flag::Good => 1,
        Flag::Unevaluated => 2,
        Flag::Suspect => 3,
        Flag::Fail => 4,
        Flag::Missing => 5,
    }
}

const fn flag_of(code: u8) -> Option<Flag> {
    match code {
        1 => Some(Flag::Good),
        2 => Some(Flag::Unevaluated),
        3 => Some(Flag::Suspect),
        4 => Some(Flag::Fail),
        5 => Some(Flag::Missing),
        _ => None,
    }
}

fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_unsigned(out, ((value << 1) ^ (value >> 63)) as u64);
}

fn take_signed(bytes: &mut &[u8]) -> Option<i64> {
    let zigzag = take_unsigned(bytes)?;
    Some((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
}

fn put_unsigned(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn take_unsigned(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let [byte] = take_bytes::<1>(bytes)?;
        let part = u64::from(byte & 0x7f);
        // The tenth byte has room for one bit only.
        if shift == 63 && part > 1 {
            return None;
        }
        value |= part << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn take_bytes<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*taken)
}
