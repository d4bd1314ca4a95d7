//! A watch as snapshots hold it; what earlier releases did not write has a default.

use std::borrow::Cow;

use minicbor::decode;
use minicbor::encode::{Error, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};

use super::super::judge::{Blind, Judge, Rest};
use super::super::window::Ring;
use super::Watch;
use super::mood::Mood;
use super::past::Rare;
use super::seats::Seats;
use crate::checks::Past;
use crate::time::Timestamp;

/// What of it is written; what a quiet reading is follows from the plan.
#[derive(Encode, Decode)]
struct Written<'a> {
    #[n(0)]
    ring: Cow<'a, Ring>,
    #[n(1)]
    settled: u64,
    #[n(2)]
    watermark: Timestamp,
    #[n(3)]
    last_seen: Option<Timestamp>,
    #[n(4)]
    counting: Timestamp,
    #[n(5)]
    blind: Option<Blind>,
    #[n(6)]
    heard: [u64; 2],
    #[n(7)]
    turned: Timestamp,
    #[n(8)]
    conflicts: u64,
    /// None while they rest.
    #[n(9)]
    judges: Cow<'a, [Judge]>,
    #[n(10)]
    kept: u32,
    /// All of them, or none.
    #[n(11)]
    #[cbor(default)]
    rests: Vec<Rest>,
    /// What checks remember up to the newest reading.
    #[n(12)]
    #[cbor(default)]
    past: Past,
    /// The same up to the last reading that left the window.
    #[n(13)]
    #[cbor(default)]
    before: Past,
}

impl<'a> From<&'a Watch> for Written<'a> {
    fn from(watch: &'a Watch) -> Written<'a> {
        let Watch { ring, settled, watermark, counting, heard, turned, rare, seats, .. } = watch;
        let (past, before) = rare.as_ref().map_or_else(Default::default, |rare| (rare.past, rare.before));
        Written {
            ring: Cow::Borrowed(ring),
            settled: *settled,
            watermark: *watermark,
            last_seen: watch.last_seen(),
            counting: *counting,
            blind: watch.blind(),
            heard: *heard,
            turned: *turned,
            conflicts: watch.conflicts(),
            judges: Cow::Borrowed(seats.judges()),
            kept: ring.kept(),
            rests: seats.rests().collect(),
            past,
            before,
        }
    }
}

impl From<Written<'_>> for Watch {
    fn from(written: Written<'_>) -> Watch {
        let Written { settled, watermark, last_seen, counting, blind, heard, turned, .. } = written;
        let Written { conflicts, judges, rests, past, before, .. } = written;
        let mut ring = written.ring.into_owned();
        ring.keep(written.kept);
        Watch {
            mood: Mood::from(blind),
            // What was too far apart for one window settled with it.
            settled: settled.max(ring.first()),
            ring,
            watermark,
            last_seen: last_seen.unwrap_or(Timestamp::MIN),
            counting,
            heard,
            turned,
            rare: Rare::boxed(Rare { past, before, conflicts, patience: None }),
            seats: if rests.is_empty() {
                Seats::Sitting(judges.into_owned().into())
            } else {
                Seats::from(rests)
            },
        }
    }
}

impl<C> Encode<C> for Watch {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, ctx: &mut C) -> Result<(), Error<W::Error>> {
        Written::from(self).encode(e, ctx)
    }
}

impl<'b, C> Decode<'b, C> for Watch {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Watch, decode::Error> {
        Written::decode(d, ctx).map(Watch::from)
    }
}
