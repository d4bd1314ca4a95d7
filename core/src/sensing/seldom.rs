//! What is almost always the same, and then takes no memory.

use std::ops::Deref;

use minicbor::decode;
use minicbor::encode::{Error, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};

use super::ladder::Ladder;
use crate::rules::Memory;

/// What has a usual value.
pub(crate) trait Usual: Copy + 'static {
    fn usual() -> &'static Self;

    /// Whether it is that, to the bit.
    fn is_usual(&self) -> bool;
}

impl Usual for Ladder {
    fn usual() -> &'static Ladder {
        static IDLE: Ladder = Ladder::IDLE;
        &IDLE
    }

    fn is_usual(&self) -> bool {
        *self == Ladder::IDLE
    }
}

impl Usual for Memory {
    fn usual() -> &'static Memory {
        static NOTHING: Memory = Memory { sums: [0.0; 6], counts: [0; 4] };
        &NOTHING
    }

    fn is_usual(&self) -> bool {
        self.sums.iter().all(|sum| sum.to_bits() == 0) && self.counts == [0; 4]
    }
}

/// A value that is mostly the usual one; only another is kept. Written like the value itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Seldom<T>(Option<Box<T>>);

impl<T: Usual> Seldom<T> {
    pub(crate) fn change<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> R {
        let Some(known) = &mut self.0 else {
            let mut value = *T::usual();
            let result = change(&mut value);
            *self = Seldom::from(value);
            return result;
        };
        let result = change(known);
        if known.is_usual() {
            self.0 = None;
        }
        result
    }
}

impl<T: Usual> From<T> for Seldom<T> {
    fn from(value: T) -> Seldom<T> {
        Seldom((!value.is_usual()).then(|| Box::new(value)))
    }
}

impl<T: Usual> Deref for Seldom<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or(T::usual())
    }
}

impl<C, T: Usual + Encode<C>> Encode<C> for Seldom<T> {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, ctx: &mut C) -> Result<(), Error<W::Error>> {
        T::encode(self, e, ctx)
    }
}

impl<'b, C, T: Usual + Decode<'b, C>> Decode<'b, C> for Seldom<T> {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Seldom<T>, decode::Error> {
        T::decode(d, ctx).map(Seldom::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_usual_is_kept_and_all_comes_back() {
        let mut memory = Seldom::<Memory>::default();
        memory.change(|memory| memory.sums[0] += 0.0);
        assert!(memory.0.is_none());
        // The other zero is another value.
        for sum in [-0.0, 1.5] {
            memory.change(|memory| memory.sums[3] = sum);
            assert_eq!(memory.0.as_ref().map(|kept| kept.sums[3].to_bits()), Some(sum.to_bits()));
            let bytes = minicbor::to_vec(&memory).expect("encoding into a Vec cannot fail");
            assert_eq!(Some(&bytes), minicbor::to_vec(*memory).ok().as_ref(), "it is written as what it is");
            let read: Seldom<Memory> = minicbor::decode(&bytes).expect("it was just written");
            assert_eq!(read.sums[3].to_bits(), sum.to_bits());
        }
        memory.change(|memory| memory.sums[3] = 0.0);
        assert!(memory.0.is_none());
        assert!(Ladder::default().is_usual() && Memory::default().is_usual());
    }
}
