//! A frame: a head of 32 bytes, a body, and zeroes up to the next multiple of
//! eight. Both checksums are mixed with log id, segment generation and file
//! offset, so that neither a former life of the segment nor another log nor a
//! misplaced write can pass.

use crc32fast::Hasher;
use forewarn_core::ids::{LogId, Position};

/// Bytes of a head.
pub(crate) const HEAD_BYTES: usize = 32;
/// Frames begin at multiples of this.
pub(crate) const ALIGN: u64 = 8;
/// A body is at most this long; whatever says otherwise is not a head.
pub(crate) const BODY_BYTES_MAX: usize = 16 << 20;

/// What every head begins with.
pub(crate) const MAGIC: [u8; 4] = *b"FWR1";

/// A frame that holds a record.
pub(crate) const RECORD: u32 = 0;
/// A frame that holds index assignments: a piece of a segment's checkpoint.
pub(crate) const NAMES: u32 = 1;

/// What a frame says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// Bytes of the body.
    pub(crate) length: u32,
    /// Position of its first event.
    pub(crate) first: Position,
    /// How many positions it takes.
    pub(crate) count: u32,
    /// [`RECORD`], [`NAMES`], or what a later version writes and this one passes over.
    pub(crate) kind: u32,
}

impl Head {
    /// Bytes of the whole frame.
    pub(crate) fn frame_bytes(&self) -> u64 {
        frame_bytes(self.length as usize)
    }

    /// Position of its last event.
    pub(crate) fn last(&self) -> Position {
        Position(self.first.0 + u64::from(self.count.max(1)) - 1)
    }
}

/// Bytes of a frame whose body has `body` bytes.
pub(crate) fn frame_bytes(body: usize) -> u64 {
    ((HEAD_BYTES + body) as u64).next_multiple_of(ALIGN)
}

/// What all checksums of one life of one segment begin with.
#[derive(Debug, Clone)]
pub(crate) struct Seed(Hasher);

impl Seed {
    /// Of this log, this life.
    pub(crate) fn new(id: LogId, generation: u64) -> Seed {
        let mut hash = Hasher::new();
        hash.update(&id.0);
        hash.update(&generation.to_le_bytes());
        Seed(hash)
    }

    fn head(&self, offset: u64, head: &[u8]) -> Hasher {
        let mut hash = self.0.clone();
        hash.update(&offset.to_le_bytes());
        hash.update(&head[..24]);
        hash
    }

    /// Makes a frame of `buffer`, which holds room for the head and then the
    /// body: fills in the head and pads the end.
    pub(crate) fn close(&self, offset: u64, mut head: Head, buffer: &mut Vec<u8>) {
        let body = buffer.len() - HEAD_BYTES;
        head.length = body as u32;
        buffer[0..4].copy_from_slice(&MAGIC);
        buffer[4..8].copy_from_slice(&head.length.to_le_bytes());
        buffer[8..16].copy_from_slice(&head.first.0.to_le_bytes());
        buffer[16..20].copy_from_slice(&head.count.to_le_bytes());
        buffer[20..24].copy_from_slice(&head.kind.to_le_bytes());
        let mut hash = self.head(offset, buffer);
        let head_sum = hash.clone().finalize();
        hash.update(&buffer[HEAD_BYTES..]);
        buffer[24..28].copy_from_slice(&head_sum.to_le_bytes());
        buffer[28..32].copy_from_slice(&hash.finalize().to_le_bytes());
        buffer.resize(frame_bytes(body) as usize, 0);
    }

    /// The head that stands at `offset`, if there is one of this life.
    pub(crate) fn read_head(&self, offset: u64, bytes: &[u8]) -> Option<Head> {
        let bytes = bytes.get(..HEAD_BYTES)?;
        if bytes[..4] != MAGIC || self.head(offset, bytes).finalize() != word(bytes, 24) {
            return None;
        }
        let head = Head {
            length: word(bytes, 4),
            first: Position(u64::from(word(bytes, 8)) | u64::from(word(bytes, 12)) << 32),
            count: word(bytes, 16),
            kind: word(bytes, 20),
        };
        (head.length as usize <= BODY_BYTES_MAX).then_some(head)
    }

    /// Whether the body is what was written. `frame` begins with its head.
    pub(crate) fn body_holds(&self, offset: u64, frame: &[u8]) -> bool {
        let mut hash = self.head(offset, frame);
        hash.update(&frame[HEAD_BYTES..]);
        hash.finalize() == word(frame, 28)
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
