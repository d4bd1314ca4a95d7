//! Where packets begin and end in the bytes of a connection.

use super::refusal::{Fault, Reason};

/// The first two to five bytes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Type and flags.
    pub(super) first: u8,
    /// Bytes of these two to five.
    pub(super) own: usize,
    /// Bytes that follow it, as declared.
    pub(super) body: usize,
}

impl Header {
    /// Bytes of the whole packet.
    pub(super) const fn total(self) -> usize {
        self.own + self.body
    }
}

/// Reads a header; `None` while bytes of it are missing.
pub(super) fn header(bytes: &[u8]) -> Result<Option<Header>, Fault> {
    let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
    Ok(length(rest)?.map(|(body, used)| Header { first, own: 1 + used, body }))
}

/// A length of up to four bytes, seven bits each, with the bytes it took;
/// `None` while bytes of it are missing.
pub(super) fn length(bytes: &[u8]) -> Result<Option<(usize, usize)>, Fault> {
    let mut length = 0;
    for (at, &byte) in bytes.iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(Some((length, at + 1)));
        }
    }
    if bytes.len() < 4 {
        return Ok(None);
    }
    Err(Fault::new(Reason::Malformed, "length of more than four bytes, expected at most four"))
}

/// Walks through the fields of a packet; `None` where its bytes end too early.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    /// One byte.
    pub(super) fn byte(&mut self) -> Option<u8> {
        self.bytes(1).map(|bytes| bytes[0])
    }

    /// Two bytes, the high one first.
    pub(super) fn short(&mut self) -> Option<u16> {
        self.bytes(2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// So many bytes.
    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// Text or bytes behind their length.
    pub(super) fn counted(&mut self) -> Option<&'a [u8]> {
        let length = self.short()?;
        self.bytes(usize::from(length))
    }

    /// The properties of MQTT 5.
    pub(super) fn properties(&mut self) -> Option<&'a [u8]> {
        let (length, used) = length(self.0).ok()??;
        self.bytes(used)?;
        self.bytes(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_from_its_first_bytes_on() {
        let header_of = |own, body| Some(Header { first: 0x30, own, body });
        for (bytes, expected) in [
            (&[][..], None),
            (&[0x30][..], None),
            (&[0x30, 0x80][..], None),
            (&[0x30, 0xff, 0xff, 0xff][..], None),
            (&[0x30, 0][..], header_of(2, 0)),
            (&[0x30, 0x7f, 9][..], header_of(2, 127)),
            (&[0x30, 0x80, 1][..], header_of(3, 128)),
            (&[0x30, 0xff, 0xff, 0xff, 0x7f][..], header_of(5, 268_435_455)),
        ] {
            assert_eq!(header(bytes), Ok(expected), "{bytes:x?}");
        }
        let fault = header(&[0x30, 0xff, 0xff, 0xff, 0xff]).expect_err("five bytes of length");
        assert_eq!(fault.reason, Reason::Malformed);
    }
}
