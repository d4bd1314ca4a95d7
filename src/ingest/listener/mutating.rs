//! Breaks packets, the same way every time.

/// Xorshift64*.
pub(super) struct Random(pub(super) u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    /// One of the samples, with one to four bytes changed, removed, added, or its end cut off.
    pub(super) fn broken(&mut self, samples: &[&[u8]]) -> Vec<u8> {
        let mut bytes = samples[self.below(samples.len())].to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len().max(1));
            match self.below(6) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                1 if at < bytes.len() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][self.below(5)],
                2 if at < bytes.len() => bytes[at] = self.below(256) as u8,
                3 if at < bytes.len() => drop(bytes.remove(at)),
                4 => bytes.truncate(at.max(2)),
                _ => bytes.insert(at, self.below(256) as u8),
            }
        }
        // Most often the declared length fits, so that the body is met and not only the header.
        if self.below(4) > 0 && (2..=129).contains(&bytes.len()) {
            bytes[1] = bytes.len() as u8 - 2;
        }
        bytes
    }
}
