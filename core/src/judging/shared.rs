//! A value that a snapshot and the engine share until one of them writes.

use std::ops::Deref;
use std::sync::Arc;

use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder};

/// Copied when written while a photograph holds it; encoded as the value itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Shared<T>(Arc<T>);

impl<T: Clone> Shared<T> {
    pub(super) fn new(value: T) -> Self {
        Shared(Arc::new(value))
    }

    /// The value, to change.
    pub(super) fn edit(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<C, T: Encode<C>> Encode<C> for Shared<T> {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        self.0.encode(e, ctx)
    }
}

impl<'b, C, T: Decode<'b, C>> Decode<'b, C> for Shared<T> {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        T::decode(d, ctx).map(|value| Shared(Arc::new(value)))
    }
}
