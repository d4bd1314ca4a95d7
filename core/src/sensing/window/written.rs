//! A window as snapshots hold it: reading by reading, in slots, whether or not
//! they are kept so. What earlier releases did not write has a default.

use minicbor::decode;
use minicbor::encode::{Error, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};

use super::{Edition, Ring, Sample};

#[derive(Encode, Decode)]
struct Written {
    /// Only `len` of them, from `head`, are readings; the others mean nothing.
    #[n(0)]
    slots: Vec<Sample>,
    #[n(1)]
    head: u32,
    #[n(2)]
    len: u32,
    /// The number of the oldest.
    #[n(3)]
    first: u64,
    /// By slot; empty while none was given.
    #[n(4)]
    #[cbor(default)]
    editions: Vec<Edition>,
}

impl From<&Ring> for Written {
    fn from(ring: &Ring) -> Written {
        let mut slots = vec![Sample::default(); ring.capacity()];
        let mut editions = vec![Edition::default(); if ring.has_editions() { ring.capacity() } else { 0 }];
        for (slot, number) in ring.live().zip(ring.first()..) {
            slots[slot] = ring.sample(slot);
            if let Some(edition) = editions.get_mut(slot) {
                *edition = ring.edition(number);
            }
        }
        Written { slots, head: ring.head(), len: ring.len() as u32, first: ring.first(), editions }
    }
}

impl From<Written> for Ring {
    /// Of readings too far apart for one window, the newest.
    fn from(written: Written) -> Ring {
        let Written { slots, head, len, first, editions } = written;
        // A damaged snapshot may count from anywhere; numbers must not run out.
        let mut ring = Ring::starting(slots.len(), head, first.min(u64::MAX / 2));
        if !editions.is_empty() {
            // Once there, it is written for good, be it empty by now.
            ring.make_editions();
        }
        let from = ring.head() as usize;
        for slot in (0..slots.len()).cycle().skip(from).take(ring.capacity().min(len as usize)) {
            while !ring.reaches(slots[slot].observed) {
                ring.pop_oldest();
            }
            ring.push(slots[slot], editions.get(slot).copied().unwrap_or_default());
        }
        ring
    }
}

impl<C> Encode<C> for Ring {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, ctx: &mut C) -> Result<(), Error<W::Error>> {
        Written::from(self).encode(e, ctx)
    }
}

impl<'b, C> Decode<'b, C> for Ring {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Ring, decode::Error> {
        Written::decode(d, ctx).map(Ring::from)
    }
}
