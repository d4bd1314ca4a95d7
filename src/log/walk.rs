//! Walks the frames of one segment: the good ones, the rotten stretches
//! between them, and what stands after the last.

use std::io;
use std::sync::Arc;

use forewarn_core::ids::Position;

use super::disk::DiskFile;
use super::frame::{ALIGN, HEAD_BYTES, Head, MAGIC, Seed, frame_bytes};

/// Bytes read ahead at once.
const READ_BYTES: u64 = 256 * 1024;

/// What comes next in a segment.
#[derive(Debug)]
pub(crate) enum Step {
    /// A frame as it was written. Its body is `Walk::body`.
    Frame {
        /// Where it begins.
        offset: u64,
        /// What it says of itself.
        head: Head,
    },
    /// Bytes that are no frame, though one follows.
    Rot {
        /// Where they begin.
        offset: u64,
        /// Where the next frame begins.
        until: u64,
    },
    /// No further frame.
    Tail(Tail),
}

/// What stands after the last frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tail {
    /// Where the next frame would begin.
    pub(crate) offset: u64,
    /// What is there.
    pub(crate) is: TailIs,
}

/// What may stand after the last frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TailIs {
    /// Zeroes, or the end of the segment: it was left so.
    Blank,
    /// A head of this life whose body does not hold.
    Headed(Head),
    /// Something that is no head of this life.
    Strange,
}

/// A place in a segment, moving forward.
#[derive(Debug)]
pub(crate) struct Walk {
    file: Arc<dyn DiskFile>,
    seed: Seed,
    /// Nothing at or after this is looked at.
    limit: u64,
    offset: u64,
    /// Positions below this were passed: a frame that claims one is not believed.
    passed: Position,
    window: Vec<u8>,
    window_at: u64,
    body: (usize, usize),
}

impl Walk {
    /// Begins at `offset`, looks at nothing from `limit` on.
    pub(crate) fn new(file: Arc<dyn DiskFile>, seed: Seed, offset: u64, limit: u64) -> Walk {
        Walk { file, seed, limit, offset, passed: Position(0), window: vec![], window_at: 0, body: (0, 0) }
    }

    /// Looks as far as `limit` from now on.
    pub(crate) fn extend(&mut self, limit: u64) {
        self.limit = self.limit.max(limit);
    }

    /// The body of the frame that [`Walk::step`] gave last.
    pub(crate) fn body(&self) -> &[u8] {
        &self.window[self.body.0..self.body.1]
    }

    /// What comes next.
    pub(crate) fn step(&mut self) -> io::Result<Step> {
        let offset = self.offset;
        if let Some(head) = self.frame_at(offset)? {
            self.pass(offset, &head);
            return Ok(Step::Frame { offset, head });
        }
        let is = self.look(offset)?;
        let search = match is {
            TailIs::Headed(head) => offset + head.frame_bytes(),
            TailIs::Blank | TailIs::Strange => offset + ALIGN,
        };
        Ok(match self.next_good(search)? {
            Some(until) => {
                self.offset = until;
                Step::Rot { offset, until }
            }
            None => Step::Tail(Tail { offset, is }),
        })
    }

    fn pass(&mut self, offset: u64, head: &Head) {
        self.offset = offset + head.frame_bytes();
        if head.count > 0 {
            self.passed = head.last().next();
        }
        let start = (offset - self.window_at) as usize + HEAD_BYTES;
        self.body = (start, start + head.length as usize);
    }

    fn head_at(&mut self, offset: u64) -> io::Result<Option<Head>> {
        let (limit, passed) = (self.limit, self.passed);
        let seed = self.seed.clone();
        let bytes = self.bytes(offset, HEAD_BYTES)?;
        let head = seed.read_head(offset, bytes);
        Ok(head.filter(|head| head.first >= passed && offset + head.frame_bytes() <= limit))
    }

    fn frame_at(&mut self, offset: u64) -> io::Result<Option<Head>> {
        let Some(head) = self.head_at(offset)? else { return Ok(None) };
        let seed = self.seed.clone();
        let bytes = HEAD_BYTES + head.length as usize;
        let frame = self.bytes(offset, bytes)?;
        Ok((frame.len() == bytes && seed.body_holds(offset, frame)).then_some(head))
    }

    fn look(&mut self, offset: u64) -> io::Result<TailIs> {
        if let Some(head) = self.head_at(offset)? {
            return Ok(TailIs::Headed(head));
        }
        let blank = self.bytes(offset, HEAD_BYTES)?.iter().all(|byte| *byte == 0);
        Ok(if blank { TailIs::Blank } else { TailIs::Strange })
    }

    /// The next offset at or after `from` where a whole good frame stands.
    fn next_good(&mut self, from: u64) -> io::Result<Option<u64>> {
        let mut offset = from.next_multiple_of(ALIGN);
        while offset + frame_bytes(0) <= self.limit {
            let bytes = self.bytes(offset, READ_BYTES as usize)?;
            if bytes.len() < HEAD_BYTES {
                return Ok(None);
            }
            // Most of what is passed here is zeroes: only a magic is worth a checksum.
            let Some(ahead) = bytes.chunks_exact(ALIGN as usize).position(|piece| piece[..4] == MAGIC) else {
                offset += (bytes.len() as u64 / ALIGN * ALIGN).max(ALIGN);
                continue;
            };
            offset += ahead as u64 * ALIGN;
            if self.frame_at(offset)?.is_some() {
                return Ok(Some(offset));
            }
            offset += ALIGN;
        }
        Ok(None)
    }

    /// Up to `length` bytes at `offset`, fewer at the limit or the file's end.
    fn bytes(&mut self, offset: u64, length: usize) -> io::Result<&[u8]> {
        let wanted = (length as u64).min(self.limit.saturating_sub(offset));
        let has = self.window_at..self.window_at + self.window.len() as u64;
        if offset < has.start || offset + wanted > has.end {
            let ahead = wanted.max(READ_BYTES).min(self.limit.saturating_sub(offset));
            self.window.resize(ahead as usize, 0);
            self.window_at = offset;
            let read = self.file.read_at(offset, &mut self.window)?;
            self.window.truncate(read);
        }
        let start = (offset - self.window_at) as usize;
        let end = (start + wanted as usize).min(self.window.len());
        Ok(&self.window[start.min(end)..end])
    }
}
