//! A chunk: up to a few hundred readings of one sensor as one small blob,
//! column by column, with a checksum.

use forewarn_core::reading::Flag;

use super::column::{
    put_integers, put_values, put_varint, take_byte, take_integers, take_values, take_varint,
};
use super::row::Row;

/// Readings of a chunk as it is first written, at most.
pub(super) const CHUNK_READINGS: usize = 128;
/// Readings that a chunk may grow to by late ones; beyond, it is cut in pieces.
pub(super) const CHUNK_READINGS_MAX: usize = 256;
/// Decoding trusts no larger number.
const ROWS_MAX: u64 = 1 << 16;

/// The layout. A later one gets another number.
const VERSION: u8 = 1;

/// Microseconds that all instants of a chunk may be whole multiples of.
const GRAINS: [i64; 3] = [1_000_000, 1_000, 1];

// What the received times are counted from.
/// From the observed time of the same reading: live ones.
const AFTER_OBSERVED: u8 = 0;
/// From nothing: a whole batch came at once.
const AS_IT_IS: u8 = 1;

/// A chunk that does not read back as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a chunk does not read back, expected what this version or an earlier one wrote")]
pub(super) struct Rotten;

/// Encodes and decodes; holds the scratch, so that neither allocates a reading.
#[derive(Debug, Default)]
pub(super) struct Codec {
    blob: Vec<u8>,
    other: Vec<u8>,
    column: Vec<i64>,
    column_b: Vec<i64>,
    observed: Vec<i64>,
    received: Vec<i64>,
    positions: Vec<i64>,
    values: Vec<f64>,
}

impl Codec {
    /// The blob of rows that are in order. It holds until the next call.
    pub(super) fn encode(&mut self, rows: &[Row]) -> &[u8] {
        self.blob.clear();
        self.blob.push(VERSION);
        put_varint(&mut self.blob, rows.len() as u64);
        self.put_observed(rows);
        self.put_received(rows);
        self.column.clear();
        self.column.extend(rows.iter().map(|row| row.position as i64));
        put_integers(&mut self.blob, &self.column);
        self.values.clear();
        self.values.extend(rows.iter().map(|row| row.value));
        put_values(&mut self.blob, &self.values, &mut self.column, &mut self.column_b);
        put_flags(&mut self.blob, rows);
        let sum = crc32fast::hash(&self.blob);
        self.blob.extend(sum.to_le_bytes());
        &self.blob
    }

    fn put_observed(&mut self, rows: &[Row]) {
        let grain = GRAINS.into_iter().find(|grain| rows.iter().all(|row| row.observed % grain == 0));
        let grain = grain.unwrap_or(1);
        put_varint(&mut self.blob, grain as u64);
        self.column.clear();
        self.column.extend(rows.iter().map(|row| row.observed / grain));
        put_integers(&mut self.blob, &self.column);
    }

    fn put_received(&mut self, rows: &[Row]) {
        self.column.clear();
        self.column.extend(rows.iter().map(|row| row.received.wrapping_sub(row.observed)));
        self.column_b.clear();
        self.column_b.extend(rows.iter().map(|row| row.received));
        let start = self.blob.len();
        self.blob.push(AFTER_OBSERVED);
        put_integers(&mut self.blob, &self.column);
        self.other.clear();
        put_integers(&mut self.other, &self.column_b);
        if self.other.len() < self.blob.len() - start - 1 {
            self.blob.truncate(start);
            self.blob.push(AS_IT_IS);
            self.blob.extend_from_slice(&self.other);
        }
    }

    /// Appends the rows of a blob to `rows`; on an error nothing.
    pub(super) fn decode(&mut self, blob: &[u8], rows: &mut Vec<Row>) -> Result<(), Rotten> {
        let before = rows.len();
        let read = self.read(blob, rows);
        if read.is_none() {
            rows.truncate(before);
        }
        read.ok_or(Rotten)
    }

    fn read(&mut self, blob: &[u8], rows: &mut Vec<Row>) -> Option<()> {
        let (body, sum) = blob.split_last_chunk::<4>()?;
        if crc32fast::hash(body) != u32::from_le_bytes(*sum) {
            return None;
        }
        let mut bytes = body;
        let bytes = &mut bytes;
        if take_byte(bytes)? != VERSION {
            return None;
        }
        let length = take_varint(bytes).filter(|&length| length <= ROWS_MAX)? as usize;
        let grain = take_varint(bytes)? as i64;
        take_integers(bytes, length, &mut self.observed)?;
        self.observed.iter_mut().for_each(|instant| *instant = instant.wrapping_mul(grain));
        let from = take_byte(bytes)?;
        take_integers(bytes, length, &mut self.received)?;
        if from == AFTER_OBSERVED {
            let pairs = self.received.iter_mut().zip(&self.observed);
            pairs.for_each(|(received, observed)| *received = received.wrapping_add(*observed));
        }
        take_integers(bytes, length, &mut self.positions)?;
        take_values(bytes, length, &mut self.values, &mut self.column, &mut self.column_b)?;
        rows.reserve(length);
        let mut at = 0;
        while at < length {
            let flag = Flag::from_number(take_byte(bytes)?)?;
            let marks = take_byte(bytes)?;
            let end = at.checked_add(take_varint(bytes)? as usize).filter(|&end| end <= length)?;
            if end == at {
                return None;
            }
            rows.extend((at..end).map(|at| Row {
                observed: self.observed[at],
                received: self.received[at],
                value: self.values[at],
                position: self.positions[at] as u64,
                flag,
                marks,
            }));
            at = end;
        }
        bytes.is_empty().then_some(())
    }
}

/// Flags and marks, each pair with how many readings in a row have it.
fn put_flags(out: &mut Vec<u8>, rows: &[Row]) {
    for run in rows.chunk_by(|a, b| a.flag == b.flag && a.marks == b.marks) {
        out.extend([run[0].flag.number(), run[0].marks]);
        put_varint(out, run.len() as u64);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_row() -> impl Strategy<Value = Row> {
        let flag = prop_oneof![
            Just(Flag::Good),
            Just(Flag::Unevaluated),
            Just(Flag::Suspect),
            Just(Flag::Fail),
            Just(Flag::Missing)
        ];
        let value = prop_oneof![any::<f64>(), (-9_000i32..9_000).prop_map(|n| f64::from(n) / 100.0)];
        (any::<i64>(), any::<i64>(), value, any::<u64>(), flag, any::<u8>()).prop_map(
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

    fn check(rows: &[Row]) -> usize {
        let mut codec = Codec::default();
        let blob = codec.encode(rows).to_vec();
        let mut back = vec![];
        codec.decode(&blob, &mut back).unwrap();
        let bits = |rows: &[Row]| {
            rows.iter()
                .map(|row| {
                    (row.observed, row.received, row.value.to_bits(), row.position, row.flag, row.marks)
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(bits(&back), bits(rows));
        blob.len()
    }

    proptest! {
        #[test]
        fn any_rows_come_back(rows in proptest::collection::vec(any_row(), 0..60)) {
            check(&rows);
        }

        #[test]
        fn a_damaged_blob_is_refused_and_adds_nothing(at in 0usize..10_000, bit in 0u8..8) {
            let rows: Vec<Row> = live(40);
            let mut codec = Codec::default();
            let mut blob = codec.encode(&rows).to_vec();
            let at = at % blob.len();
            blob[at] ^= 1 << bit;
            let mut back = rows[..2].to_vec();
            prop_assert_eq!(codec.decode(&blob, &mut back), Err(Rotten));
            prop_assert_eq!(back.len(), 2);
            prop_assert_eq!(codec.decode(&blob[..at], &mut back), Err(Rotten));
        }
    }

    /// A gauge every 15 minutes among ten thousand others, received a moment later.
    fn live(readings: i64) -> Vec<Row> {
        let jitter = |n: i64| n.wrapping_mul(0x9e37_79b9).rem_euclid(1 << 17);
        (0..readings)
            .map(|n| Row {
                observed: 1_700_000_000_000_000 + n * 900_000_000,
                received: 1_700_000_000_000_000 + n * 900_000_000 + 40_000 + jitter(n),
                value: f64::from(423 + (jitter(n) % 7) as i32) / 100.0,
                position: (1_000_000 + n * 10_000 + jitter(n) % 3_000) as u64,
                flag: if n == 7 { Flag::Suspect } else { Flag::Good },
                marks: 0,
            })
            .collect()
    }

    #[test]
    fn a_live_reading_takes_less_than_nine_bytes() {
        let bytes = check(&live(CHUNK_READINGS as i64));
        assert!(bytes <= 9 * CHUNK_READINGS, "{} bytes a reading", bytes as f64 / CHUNK_READINGS as f64);
    }

    #[test]
    fn a_batch_from_memory_takes_less_than_six_bytes() {
        let mut rows = live(CHUNK_READINGS as i64);
        for (n, row) in rows.iter_mut().enumerate() {
            row.received = 1_800_000_000_123_456;
            row.position = 5_000 + n as u64;
        }
        let bytes = check(&rows);
        assert!(bytes <= 6 * CHUNK_READINGS, "{} bytes a reading", bytes as f64 / CHUNK_READINGS as f64);
    }
}
