//! A small PNG writer for charts: 8-bit RGB, rows as differences from the row
//! above, runs packed by deflate with its fixed code. The same pixels give the
//! same bytes, whatever version of whatever library is about.

/// Longest run that deflate can name.
const RUN_MAX: usize = 258;
/// Shortest run that deflate can name.
const RUN_MIN: usize = 3;

/// First length that each of deflate's length codes from 257 on stands for,
/// and how many extra bits follow it (RFC 1951, 3.2.5).
const LENGTHS: [(usize, u32); 29] = [
    (3, 0),
    (4, 0),
    (5, 0),
    (6, 0),
    (7, 0),
    (8, 0),
    (9, 0),
    (10, 0),
    (11, 1),
    (13, 1),
    (15, 1),
    (17, 1),
    (19, 2),
    (23, 2),
    (27, 2),
    (31, 2),
    (35, 3),
    (43, 3),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 4),
    (115, 4),
    (131, 5),
    (163, 5),
    (195, 5),
    (227, 5),
    (258, 0),
];

/// A PNG of `width` x `height` pixels, three bytes each, row by row.
pub(super) fn encode(pixels: &[u8], width: u32, height: u32) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = Vec::with_capacity(13);
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    // Eight bits, RGB, deflate, the usual filters, not interlaced.
    header.extend([8, 2, 0, 0, 0]);
    chunk(&mut png, *b"IHDR", &header);
    let filtered = filter(pixels, width as usize * 3);
    // 32 KiB window, no dictionary.
    let mut packed = vec![0x78, 0x01];
    packed.extend(deflate(&filtered));
    packed.extend(adler32(&filtered).to_be_bytes());
    chunk(&mut png, *b"IDAT", &packed);
    chunk(&mut png, *b"IEND", &[]);
    png
}

fn chunk(png: &mut Vec<u8>, name: [u8; 4], data: &[u8]) {
    png.extend((data.len() as u32).to_be_bytes());
    png.extend(name);
    png.extend(data);
    let mut crc = crc32fast::Hasher::new();
    crc.update(&name);
    crc.update(data);
    png.extend(crc.finalize().to_be_bytes());
}

/// Each row as its difference from the row above (filter 2): most become zeros.
fn filter(pixels: &[u8], row_bytes: usize) -> Vec<u8> {
    let mut filtered = Vec::with_capacity(pixels.len() + pixels.len() / row_bytes.max(1));
    let mut above = vec![0; row_bytes];
    for row in pixels.chunks_exact(row_bytes) {
        filtered.push(2);
        filtered.extend(row.iter().zip(&above).map(|(now, above)| now.wrapping_sub(*above)));
        above.copy_from_slice(row);
    }
    filtered
}

fn deflate(data: &[u8]) -> Vec<u8> {
    let mut bits = Bits::default();
    // The last block, with the fixed code.
    bits.put(1, 1);
    bits.put(1, 2);
    let mut at = 0;
    while let Some(&byte) = data.get(at) {
        let run = match at.checked_sub(1).map(|before| data[before]) {
            Some(before) if before == byte => {
                data[at..].iter().take(RUN_MAX).take_while(|next| **next == byte).count()
            }
            _ => 0,
        };
        if run >= RUN_MIN {
            bits.run(run);
            at += run;
        } else {
            bits.symbol(u32::from(byte));
            at += 1;
        }
    }
    bits.symbol(256);
    bits.finish()
}

/// Bits from the lowest up, as deflate wants them.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    held: u64,
    count: u32,
}

impl Bits {
    fn put(&mut self, value: u32, count: u32) {
        self.held |= u64::from(value) << self.count;
        self.count += count;
        while self.count >= 8 {
            self.bytes.push(self.held as u8);
            self.held >>= 8;
            self.count -= 8;
        }
    }

    /// One symbol of the fixed code (RFC 1951, 3.2.6), its highest bit first.
    fn symbol(&mut self, symbol: u32) {
        let (code, count) = match symbol {
            0..=143 => (0x30 + symbol, 8),
            144..=255 => (0x190 + symbol - 144, 9),
            256..=279 => (symbol - 256, 7),
            _ => (0xc0 + symbol - 280, 8),
        };
        self.put(code.reverse_bits() >> (32 - count), count);
    }

    /// The byte before, `length` times more.
    fn run(&mut self, length: usize) {
        let at = LENGTHS.partition_point(|(first, _)| *first <= length) - 1;
        let (first, extra) = LENGTHS[at];
        self.symbol(257 + at as u32);
        self.put((length - first) as u32, extra);
        // Distance one: code 0, five bits.
        self.put(0, 5);
    }

    fn finish(mut self) -> Vec<u8> {
        self.put(0, 7);
        self.bytes
    }
}

fn adler32(data: &[u8]) -> u32 {
    let (mut a, mut b) = (1u32, 0u32);
    for byte in data {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    b << 16 | a
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Width and height as a PNG's header says.
    pub(in crate::channels) fn dimensions(png: &[u8]) -> (u32, u32) {
        let word = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().expect("four bytes"));
        assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
        (word(16), word(20))
    }

    /// Unpacks what [`deflate`] wrote, by the standard's own description.
    fn inflate(packed: &[u8]) -> Vec<u8> {
        let mut at = 0;
        let mut bit = || {
            let value = packed[at / 8] >> (at % 8) & 1;
            at += 1;
            u32::from(value)
        };
        assert_eq!((bit(), bit(), bit()), (1, 1, 0), "one last block with the fixed code");
        let mut out: Vec<u8> = Vec::new();
        loop {
            let mut code = (0..7).fold(0, |code, _| code << 1 | bit());
            let symbol = if code < 24 {
                256 + code
            } else {
                code = code << 1 | bit();
                match code {
                    0x30..=0xbf => code - 0x30,
                    0xc0..=0xc7 => 280 + code - 0xc0,
                    _ => 144 + (code << 1 | bit()) - 0x190,
                }
            };
            match symbol {
                0..=255 => out.push(symbol as u8),
                256 => return out,
                _ => {
                    let (first, extra) = LENGTHS[symbol as usize - 257];
                    let more = (0..extra).fold(0, |more, n| more | bit() << n);
                    assert_eq!((0..5).map(|_| bit()).sum::<u32>(), 0, "distance one");
                    let last = *out.last().expect("a byte to repeat");
                    out.extend(std::iter::repeat_n(last, first + more as usize));
                }
            }
        }
    }

    #[test]
    fn what_was_packed_unpacks() {
        let noise: Vec<u8> = (0..4000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for data in
            [vec![], vec![0; 1], vec![0; 100_000], noise, (0..=300).flat_map(|n| vec![n as u8; n]).collect()]
        {
            assert_eq!(inflate(&deflate(&data)), data);
        }
    }

    #[test]
    fn checksums_are_the_standards() {
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
        let png = encode(&[0; 12], 2, 2);
        assert_eq!(dimensions(&png), (2, 2));
        // The IEND chunk with its checksum, as in every PNG.
        assert!(png.ends_with(b"\0\0\0\0IEND\xae\x42\x60\x82"));
    }
}
