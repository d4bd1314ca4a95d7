//! Values of which a plan holds many that are alike, and each kind once.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use minicbor::decode::Error;
use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder};

use super::{LimitRow, Sensor, Subject, Terms};

/// Kinds that are remembered. Full: all are forgotten and it begins anew, so
/// that a site of which no two sensors are alike costs no more than that.
const KINDS_MAX: usize = 4096;

/// Kinds seen so far, by their bytes: those tell apart what `==` does not (0.0
/// and -0.0), and have an order where floats have none.
#[derive(Debug)]
pub struct Alike<T: ?Sized> {
    kinds: BTreeMap<Vec<u8>, Arc<T>>,
    bytes: Vec<u8>,
}

impl<T: ?Sized> Default for Alike<T> {
    fn default() -> Self {
        Alike { kinds: BTreeMap::new(), bytes: Vec::new() }
    }
}

impl<T: ?Sized + Encode<()>> Alike<T> {
    /// Puts one that came before, if there is one alike, in its place.
    pub fn share(&mut self, value: &mut Arc<T>) {
        self.bytes.clear();
        minicbor::encode(&**value, &mut self.bytes).expect("encoding into a Vec cannot fail");
        if let Some(known) = self.kinds.get(&self.bytes) {
            value.clone_from(known);
            return;
        }
        if self.kinds.len() == KINDS_MAX {
            self.kinds.clear();
        }
        self.kinds.insert(self.bytes.clone(), value.clone());
    }
}

/// Terms of sensors.
pub type AlikeTerms = Alike<Terms>;

/// Rows of limits.
pub type AlikeLimits = Alike<[LimitRow]>;

/// Rows of limits, shared by the subjects that have the same; what is changed
/// is changed for one of them alone.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Limits(Arc<[LimitRow]>);

impl Limits {
    /// Shares them with those that came before.
    pub fn share(&mut self, alike: &mut AlikeLimits) {
        alike.share(&mut self.0);
    }
}

impl From<Vec<LimitRow>> for Limits {
    fn from(rows: Vec<LimitRow>) -> Self {
        Limits(rows.into())
    }
}

impl Deref for Limits {
    type Target = [LimitRow];

    fn deref(&self) -> &[LimitRow] {
        &self.0
    }
}

impl DerefMut for Limits {
    fn deref_mut(&mut self) -> &mut [LimitRow] {
        Arc::make_mut(&mut self.0)
    }
}

impl<C> Encode<C> for Limits {
    fn encode<W: Write>(
        &self,
        out: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        self.0.encode(out, context)
    }
}

impl<'b, C> Decode<'b, C> for Limits {
    fn decode(bytes: &mut Decoder<'b>, context: &mut C) -> Result<Self, Error> {
        Vec::decode(bytes, context).map(Limits::from)
    }
}

/// A table that takes no more memory than it needs.
pub(super) fn table<'b, C, T: Decode<'b, C>>(
    bytes: &mut Decoder<'b>,
    context: &mut C,
) -> Result<Vec<T>, Error> {
    each(bytes, context, |_| {})
}

/// Sensors, of which those alike share their terms.
pub(super) fn sensors<C>(bytes: &mut Decoder<'_>, context: &mut C) -> Result<Vec<Option<Sensor>>, Error> {
    let mut alike = AlikeTerms::default();
    each(bytes, context, |sensor: &mut Option<Sensor>| {
        sensor.iter_mut().for_each(|sensor| alike.share(&mut sensor.terms));
    })
}

/// Subjects, of which those alike share their limits.
pub(super) fn subjects<C>(bytes: &mut Decoder<'_>, context: &mut C) -> Result<Vec<Subject>, Error> {
    let mut alike = AlikeLimits::default();
    each(bytes, context, |subject: &mut Subject| subject.limits.share(&mut alike))
}

fn each<'b, C, T: Decode<'b, C>>(
    bytes: &mut Decoder<'b>,
    context: &mut C,
    mut mend: impl FnMut(&mut T),
) -> Result<Vec<T>, Error> {
    // Whatever length they claim, each takes a byte at least.
    let most = bytes.input().len() - bytes.position();
    let read = bytes.array_iter_with(context)?;
    let mut all = Vec::with_capacity(read.size_hint().0.min(most));
    for one in read {
        let mut one: T = one?;
        mend(&mut one);
        all.push(one);
    }
    all.shrink_to_fit();
    Ok(all)
}
