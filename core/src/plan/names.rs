//! What people call a place, by language.

use std::fmt;

use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder};

/// Names by language tag, in order. They stand in one text, since every station
/// of a large site has some: tag, name, tag, name, each after its length in
/// bytes and a colon, as in `2:en4:Ford`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Names(Box<str>);

impl Names {
    /// Each language's tag and the name in it.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut rest = &*self.0;
        std::iter::from_fn(move || {
            let (tag, after) = first(rest)?;
            let (name, after) = first(after)?;
            rest = after;
            Some((tag, name))
        })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The text that begins with its length, and what comes after it.
fn first(text: &str) -> Option<(&str, &str)> {
    let (bytes, after) = text.split_once(':')?;
    after.split_at_checked(bytes.parse().ok()?)
}

impl<Tag: AsRef<str>, Name: AsRef<str>> FromIterator<(Tag, Name)> for Names {
    fn from_iter<T: IntoIterator<Item = (Tag, Name)>>(names: T) -> Self {
        let mut text = String::new();
        for (tag, name) in names {
            for part in [tag.as_ref(), name.as_ref()] {
                text.push_str(&part.len().to_string());
                text.push(':');
                text.push_str(part);
            }
        }
        Names(text.into())
    }
}

impl<Tag: AsRef<str>, Name: AsRef<str>, const COUNT: usize> From<[(Tag, Name); COUNT]> for Names {
    fn from(names: [(Tag, Name); COUNT]) -> Self {
        names.into_iter().collect()
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(self.iter()).finish()
    }
}

/// In bytes they are a list of pairs.
impl<C> Encode<C> for Names {
    fn encode<W: Write>(
        &self,
        out: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        out.array(self.iter().count() as u64)?;
        self.iter().try_for_each(|pair| pair.encode(out, context))
    }
}

impl<'b, C> Decode<'b, C> for Names {
    fn decode(bytes: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        bytes.array_iter::<(&str, &str)>()?.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_they_were_made_of_whatever_stands_in_them() {
        for pairs in
            [&[][..], &[("zh", "渡口"), ("en", "Ford")], &[("", ""), ("x-9", "2:9"), ("9:", ":"), ("en", "")]]
        {
            let names: Names = pairs.iter().copied().collect();
            assert_eq!(names.iter().collect::<Vec<_>>(), pairs);
            assert_eq!(names.is_empty(), pairs.is_empty());
            let bytes = minicbor::to_vec(&names).expect("encoding into a Vec cannot fail");
            assert_eq!(bytes, minicbor::to_vec(pairs).expect("encoding into a Vec cannot fail"));
            assert_eq!(minicbor::decode::<Names>(&bytes).expect("its own bytes"), names);
        }
    }
}
