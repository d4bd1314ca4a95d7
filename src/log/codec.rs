//! A record as bytes: numbered fields (unknown ones are skipped), readings packed.

use bytes::Bytes;
use forewarn_core::event::{Decision, Input};
use forewarn_core::ids::{Position, RunId, SourceIx};
use forewarn_core::plan::PlanId;
use forewarn_core::reading::{Checked, Reading};
use forewarn_core::time::{Span, Timestamp};
use minicbor::data::Type;
use minicbor::decode::Error;
use minicbor::{Decoder, Encoder};

use super::Record;
use super::packed::{self, ROW_BYTES_MAX, Rows};
use crate::ports::{Ground, Refused};

// The fields of a record. A number never changes its meaning.
const FIRST: u64 = 0;
const AT: u64 = 1;
const OFFSET: u64 = 2;
const RUN: u64 = 3;
const ENGINE: u64 = 4;
const PLAN: u64 = 5;
/// How many inputs there are, readings and others.
const COUNT: u64 = 6;
/// The inputs that are no readings, each with its index among all.
const OTHERS: u64 = 7;
/// The readings, packed, with flag and final marks of those that were judged in order.
const READINGS: u64 = 8;
const DECISIONS: u64 = 9;
/// The flagged readings as they are, when they are not those of the inputs in order.
const FLAGGED: u64 = 10;
const REFUSED: u64 = 11;

/// A record holds at most this many inputs; decoding trusts no larger number.
pub const INPUTS_MAX: usize = 1 << 20;
/// What one reading takes in a record, at most: packed, and flagged apart.
pub const READING_BYTES_MAX: usize = ROW_BYTES_MAX + 64;
/// What a record takes beyond its contents, at most.
pub const RECORD_BYTES_BASE: usize = 256;

/// The most a record of these contents can take. `other_bytes` is what the
/// other inputs and all decisions may take, by the engine's limits.
pub fn bytes_at_most(readings: usize, refused: &[Refused], other_bytes: usize) -> usize {
    let refused: usize =
        refused.iter().map(|it| it.topic.len() + it.bytes.len() + it.reason.len() + 32).sum();
    RECORD_BYTES_BASE + readings * READING_BYTES_MAX + refused + other_bytes
}

/// Appends a record's bytes to `out`; allocates nothing else for its readings.
pub fn encode(record: &Record, out: &mut Vec<u8>) {
    write_fields(record, out).expect("encoding into a Vec cannot fail");
}

/// Reads what [`encode`] wrote, now or in an earlier or later version.
pub fn decode(bytes: &[u8]) -> Result<Record, Error> {
    let mut parts = Parts::default();
    let mut decoder = Decoder::new(bytes);
    entries(&mut decoder, |d| {
        // A later version may have come to any number.
        let field = d.u64()?;
        parts.read(field, d)
    })?;
    parts.assemble()
}

/// The engine version that wrote a record which as a whole may not decode.
pub(crate) fn engine_of(bytes: &[u8]) -> Option<u32> {
    let (mut decoder, mut engine) = (Decoder::new(bytes), None);
    let read = entries(&mut decoder, |d| match d.u64()? {
        ENGINE => d.u32().map(|version| engine = Some(version)),
        _ => d.skip(),
    });
    read.ok().and(engine)
}

type Written = Result<(), minicbor::encode::Error<std::convert::Infallible>>;

fn write_fields(record: &Record, out: &mut Vec<u8>) -> Written {
    let readings = record.inputs.iter().filter(|input| matches!(input, Input::Reading(_))).count();
    let pairing = Pairing::of(record);
    let mut e = Encoder::new(out);
    e.begin_map()?;
    e.u64(FIRST)?.encode(record.first)?.u64(AT)?.encode(record.at)?;
    e.u64(OFFSET)?.encode(record.offset)?.u64(RUN)?.encode(record.run)?;
    e.u64(ENGINE)?.u32(record.engine)?.u64(PLAN)?.encode(record.plan)?;
    e.u64(COUNT)?.u64(record.inputs.len() as u64)?;
    if readings < record.inputs.len() {
        e.u64(OTHERS)?.array((record.inputs.len() - readings) as u64)?;
        for (index, input) in record.inputs.iter().enumerate() {
            if !matches!(input, Input::Reading(_)) {
                e.array(2)?.u64(index as u64)?.encode(input)?;
            }
        }
    }
    if readings > 0 {
        e.u64(READINGS)?;
        write_readings(record, pairing, e.writer_mut());
    }
    if !record.decisions.is_empty() {
        e.u64(DECISIONS)?.encode(&record.decisions)?;
    }
    if matches!(pairing, Pairing::Apart) {
        e.u64(FLAGGED)?.encode(&record.flagged)?;
    }
    if !record.refused.is_empty() {
        e.u64(REFUSED)?.array(record.refused.len() as u64)?;
        for refused in &record.refused {
            e.array(5)?.encode(refused.source)?.str(&refused.topic)?;
            e.bytes(&refused.bytes)?.str(&refused.reason)?.u8(refused.ground as u8)?;
        }
    }
    e.end()?.ok()
}

/// How the flagged readings stand to those of the inputs.
#[derive(Debug, Clone, Copy)]
enum Pairing {
    /// Each is the next of the inputs that it judges: one row holds both.
    InOrder,
    /// They are others, or in another order: kept as they are.
    Apart,
}

impl Pairing {
    fn of(record: &Record) -> Pairing {
        let mut flagged = record.flagged.iter().peekable();
        for input in &record.inputs {
            if let Input::Reading(reading) = input {
                flagged.next_if(|checked| packed::judges(checked, reading));
            }
        }
        if flagged.peek().is_none() { Pairing::InOrder } else { Pairing::Apart }
    }
}

/// A byte string whose length is known only afterwards.
fn write_readings(record: &Record, pairing: Pairing, out: &mut Vec<u8>) {
    const BYTES_WITH_U32_LENGTH: u8 = 0x5a;
    out.push(BYTES_WITH_U32_LENGTH);
    let length_at = out.len();
    out.extend([0; 4]);
    let mut flagged = match pairing {
        Pairing::InOrder => record.flagged.iter(),
        Pairing::Apart => [].iter(),
    }
    .peekable();
    let mut rows = Rows::default();
    for input in &record.inputs {
        if let Input::Reading(reading) = input {
            let judged = flagged.next_if(|checked| packed::judges(checked, reading));
            rows.put(out, reading, judged.map(|checked| (checked.flag, checked.reading.marks)));
        }
    }
    let length = (out.len() - length_at - 4) as u32;
    out[length_at..length_at + 4].copy_from_slice(&length.to_be_bytes());
}

/// What has been read of a record so far.
#[derive(Debug, Default)]
struct Parts<'b> {
    first: Option<Position>,
    at: Timestamp,
    offset: Span,
    run: RunId,
    engine: u32,
    plan: PlanId,
    count: usize,
    others: Vec<(usize, Input)>,
    readings: &'b [u8],
    decisions: Vec<(u32, Decision)>,
    flagged: Option<Vec<Checked>>,
    refused: Vec<Refused>,
}

impl<'b> Parts<'b> {
    fn read(&mut self, field: u64, d: &mut Decoder<'b>) -> Result<(), Error> {
        match field {
            FIRST => self.first = Some(d.decode()?),
            AT => self.at = d.decode()?,
            OFFSET => self.offset = d.decode()?,
            RUN => self.run = d.decode()?,
            ENGINE => self.engine = d.u32()?,
            PLAN => self.plan = d.decode()?,
            COUNT => self.count = d.u64()? as usize,
            OTHERS => items(d, |d| {
                self.others.push(tuple(d, 2, |d| Ok((d.u64()? as usize, d.decode()?)))?);
                Ok(())
            })?,
            READINGS => self.readings = d.bytes()?,
            DECISIONS => items(d, |d| {
                self.decisions.push(tuple(d, 2, |d| Ok((d.u32()?, d.decode()?)))?);
                Ok(())
            })?,
            FLAGGED => self.flagged = Some(d.decode()?),
            REFUSED => items(d, |d| {
                self.refused.push(refused(d)?);
                Ok(())
            })?,
            _ => d.skip()?,
        }
        Ok(())
    }

    fn assemble(mut self) -> Result<Record, Error> {
        if self.count > INPUTS_MAX || self.others.len() > self.count {
            return Err(Error::message("more inputs than a record may hold"));
        }
        let mut inputs = Vec::with_capacity(self.count);
        let mut flagged = Vec::with_capacity(self.count - self.others.len());
        let mut others = self.others.drain(..).peekable();
        let (mut rows, mut bytes) = (Rows::default(), self.readings);
        for index in 0..self.count {
            if let Some((_, other)) = others.next_if(|(at, _)| *at == index) {
                inputs.push(other);
                continue;
            }
            let (reading, judged) =
                rows.take(&mut bytes).ok_or_else(|| Error::message("a packed reading is not whole"))?;
            inputs.push(Input::Reading(reading));
            if let Some((flag, marks)) = judged {
                flagged.push(Checked { reading: Reading { marks, ..reading }, flag });
            }
        }
        if others.next().is_some() || !bytes.is_empty() {
            return Err(Error::message("inputs left over after the last"));
        }
        drop(others);
        Ok(Record {
            first: self.first.ok_or_else(|| Error::message("a record without position"))?,
            at: self.at,
            offset: self.offset,
            run: self.run,
            engine: self.engine,
            plan: self.plan,
            inputs,
            decisions: self.decisions,
            flagged: self.flagged.unwrap_or(flagged),
            refused: self.refused,
        })
    }
}

fn refused(d: &mut Decoder<'_>) -> Result<Refused, Error> {
    let length = d.array()?.ok_or_else(|| Error::message("an array of unknown length"))?;
    let mut read = Refused {
        source: d.decode::<SourceIx>()?,
        topic: d.str()?.to_owned(),
        bytes: Bytes::copy_from_slice(d.bytes()?),
        reason: d.str()?.to_owned(),
        ground: Ground::Unsaid,
    };
    // Its ground came later than the rest of it.
    if length > 4 {
        let number = usize::try_from(d.u64()?).unwrap_or(usize::MAX);
        read.ground = Ground::ALL.get(number).copied().unwrap_or(Ground::Unsaid);
    }
    (5..length).try_for_each(|_| d.skip())?;
    Ok(read)
}

/// Reads a map entry by entry, however its length is written.
fn entries<'b>(
    d: &mut Decoder<'b>,
    mut entry: impl FnMut(&mut Decoder<'b>) -> Result<(), Error>,
) -> Result<(), Error> {
    let length = d.map()?;
    repeat(d, length, &mut entry)
}

/// Reads an array item by item, however its length is written.
fn items<'b>(
    d: &mut Decoder<'b>,
    mut item: impl FnMut(&mut Decoder<'b>) -> Result<(), Error>,
) -> Result<(), Error> {
    let length = d.array()?;
    repeat(d, length, &mut item)
}

fn repeat<'b>(
    d: &mut Decoder<'b>,
    length: Option<u64>,
    one: &mut impl FnMut(&mut Decoder<'b>) -> Result<(), Error>,
) -> Result<(), Error> {
    let Some(length) = length else {
        while d.datatype()? != Type::Break {
            one(d)?;
        }
        return d.skip();
    };
    (0..length).try_for_each(|_| one(d))
}

/// Reads the first `known` items of an array and skips what a later version added.
fn tuple<'b, T>(
    d: &mut Decoder<'b>,
    known: u64,
    read: impl FnOnce(&mut Decoder<'b>) -> Result<T, Error>,
) -> Result<T, Error> {
    let length = d.array()?.ok_or_else(|| Error::message("an array of unknown length"))?;
    let more = length.checked_sub(known).ok_or_else(|| Error::message("an array that is too short"))?;
    let value = read(d)?;
    (0..more).try_for_each(|_| d.skip())?;
    Ok(value)
}
