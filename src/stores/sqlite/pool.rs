//! Bytes of many heads in small blocks of one size: what a head leaves, the
//! next one takes, and none has more room than the rest of its last block.

#[cfg(test)]
use super::column::put_varint;
use super::column::varint_bytes;
use super::paged::Paged;

/// Bytes of a block that a head fills.
const ROOM: usize = 60;
/// The bit of each byte of a varint that says that there is more.
const MORE: u64 = 0x8080_8080_8080_8080;
/// No block.
const NONE: u32 = u32::MAX;

/// A line of the processor's cache.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Block {
    bytes: [u8; ROOM],
    /// The block before it in its head, or among the free ones.
    before: u32,
}

impl Default for Block {
    fn default() -> Block {
        Block { bytes: [0; ROOM], before: NONE }
    }
}

/// Where the bytes of a head end: its last block, and how much of that is
/// filled. All blocks before it are full.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    pub(super) block: u32,
    pub(super) filled: u8,
}

impl End {
    /// Of a head without bytes.
    pub(super) const EMPTY: End = End { block: NONE, filled: ROOM as u8 };
}

/// The blocks. They are never given back to the machine, and never more than
/// the most readings that all heads may hold ever needed.
#[derive(Debug)]
pub(super) struct Pool {
    blocks: Paged<Block>,
    /// Blocks that were ever in use.
    used: u32,
    free: u32,
}

impl Pool {
    pub(super) fn new() -> Pool {
        Pool { blocks: Paged::default(), used: 0, free: NONE }
    }

    /// Appends bytes; returns where they end.
    pub(super) fn push(&mut self, end: End, bytes: &[u8]) -> End {
        let mut end = end;
        let mut bytes = bytes;
        while !bytes.is_empty() {
            let filled = usize::from(end.filled);
            if filled == ROOM {
                end = End { block: self.take(end.block), filled: 0 };
                continue;
            }
            let (these, rest) = bytes.split_at(bytes.len().min(ROOM - filled));
            let block = &mut self.blocks[end.block as usize];
            block.bytes[filled..filled + these.len()].copy_from_slice(these);
            end.filled += these.len() as u8;
            bytes = rest;
        }
        end
    }

    fn take(&mut self, before: u32) -> u32 {
        let number = if self.free == NONE {
            self.used += 1;
            self.used - 1
        } else {
            self.free
        };
        let block = self.blocks.grown(number as usize);
        if number == self.free {
            self.free = block.before;
        }
        block.before = before;
        number
    }

    /// The bytes up to there, the last one first.
    pub(super) fn backwards(&self, end: End) -> Backwards<'_> {
        let mut walk = Backwards { pool: self, left: &[], before: end.block };
        walk.enter(usize::from(end.filled));
        walk
    }

    /// Takes the blocks that end there back.
    pub(super) fn free(&mut self, end: End) {
        let mut next = end.block;
        while next != NONE {
            let block = &mut self.blocks[next as usize];
            let before = std::mem::replace(&mut block.before, self.free);
            self.free = next;
            next = before;
        }
    }

    /// What it holds of the machine's memory.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.blocks.bytes()
    }
}

/// A walk from the last byte of a head to its first.
#[derive(Debug)]
pub(super) struct Backwards<'a> {
    pool: &'a Pool,
    /// What is left of this block.
    left: &'a [u8],
    before: u32,
}

impl Backwards<'_> {
    /// The number that a [`spread`] one before says. The head must have one.
    pub(super) fn varint(&mut self) -> u64 {
        if let Some(last) = self.left.last_chunk() {
            let word = u64::from_be_bytes(*last);
            let ends = !word & MORE;
            if ends != 0 {
                let bits = ends.trailing_zeros() + 1;
                self.left = &self.left[..self.left.len() - bits as usize / 8];
                return gather(word & u64::MAX >> (64 - bits));
            }
        }
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.byte();
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return number;
            }
            shift += 7;
        }
    }

    /// The byte before. The head must have one.
    pub(super) fn byte(&mut self) -> u8 {
        loop {
            if let Some((&byte, left)) = self.left.split_last() {
                self.left = left;
                return byte;
            }
            assert!(self.before != NONE, "a head has as many steps as it counts");
            self.enter(ROOM);
        }
    }

    fn enter(&mut self, filled: usize) {
        if self.before != NONE {
            let block = &self.pool.blocks[self.before as usize];
            self.left = &block.bytes[..filled];
            self.before = block.before;
        }
    }
}

/// Eight bytes of a varint as the number that they say.
const fn gather(bytes: u64) -> u64 {
    let pairs = bytes & 0x007f_007f_007f_007f | (bytes & 0x7f00_7f00_7f00_7f00) >> 1;
    let fours = pairs & 0x0000_3fff_0000_3fff | (pairs & 0x3fff_0000_3fff_0000) >> 2;
    fours & 0x0fff_ffff | (fours & 0x0fff_ffff_0000_0000) >> 4
}

/// The bytes of a varint of a number below 2^56, lowest first, and how many.
pub(super) const fn spread(number: u64) -> (u64, usize) {
    let fours = number & 0x0fff_ffff | (number & 0x00ff_ffff_f000_0000) << 4;
    let pairs = fours & 0x0000_3fff_0000_3fff | (fours & 0x0fff_c000_0fff_c000) << 2;
    let bytes = pairs & 0x007f_007f_007f_007f | (pairs & 0x3f80_3f80_3f80_3f80) << 1;
    let length = varint_bytes(number);
    // All but the last say that there is more.
    (bytes | MORE & ((1 << (8 * (length - 1))) - 1), length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spread_is_gathered() {
        for number in (0..56).flat_map(|bit| [(1u64 << bit) - 1, 1 << bit, 0x5a_a55a_5aa5_5a13 >> bit]) {
            let mut plain = vec![];
            put_varint(&mut plain, number);
            let (bytes, length) = spread(number);
            assert_eq!(bytes.to_le_bytes()[..length], plain[..], "{number:x}");
            assert_eq!(gather(bytes & !MORE), number);
        }
    }

    #[test]
    fn heads_keep_apart_and_leave_their_blocks_to_others() {
        let mut pool = Pool::new();
        let mut used = None;
        for round in 0..3u8 {
            let mut ends = [End::EMPTY; 7];
            for n in 0..700usize {
                let piece = vec![n as u8 ^ round; n % 130];
                ends[n % 7] = pool.push(ends[n % 7], &piece);
            }
            for (head, end) in ends.into_iter().enumerate() {
                let mut back = pool.backwards(end);
                for n in (0..700usize).rev().filter(|n| n % 7 == head) {
                    assert!((0..n % 130).all(|_| back.byte() == n as u8 ^ round), "{round} {head} {n}");
                }
                pool.free(end);
            }
            assert_eq!(*used.get_or_insert(pool.used), pool.used, "round {round} takes no new ones");
        }
    }
}
