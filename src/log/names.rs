//! Names by dense index and back, in little memory: a site of a hundred
//! thousand sensors has twice as many names, and they stay for good.

use crate::config::hashed::Hashed;

/// What stands after each name, so that one of no bytes takes some as well.
const END: char = '\n';

/// The names of one kind. Nothing ever leaves it.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    /// All names, one after the other, in the order of their indices.
    text: String,
    /// By index, where the name begins; it ends where the next one does. No
    /// bytes are between the two where the assignment was lost to rot.
    begins: Vec<u32>,
    by_name: Hashed,
    names: usize,
}

/// The same names under the same indices.
impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        self.begins == other.begins && self.text == other.text
    }
}

impl Table {
    /// How many names there are.
    pub(super) fn len(&self) -> usize {
        self.names
    }

    /// One more than the highest index.
    pub(super) fn places(&self) -> usize {
        self.begins.len()
    }

    /// The index of a name.
    pub(super) fn find(&self, name: &str) -> Option<u32> {
        self.by_name.find(name, |index| self.name(index) == Some(name))
    }

    /// The name of an index.
    pub(super) fn name(&self, index: u32) -> Option<&str> {
        named(&self.text, &self.begins, index)
    }

    /// Every name, by index.
    pub(super) fn names(&self) -> impl Iterator<Item = (u32, &str)> {
        (0..self.begins.len() as u32).filter_map(|index| Some((index, self.name(index)?)))
    }

    /// Makes an index a name's own. Neither may have been given before.
    pub(super) fn own(&mut self, name: &str, index: u32) {
        let at = index as usize;
        let bytes = name.len() + END.len_utf8();
        assert!(u32::try_from(self.text.len() + bytes).is_ok(), "names of 4 GB are not configured");
        // An eighth more than there is, not as much again.
        if self.text.capacity() - self.text.len() < bytes {
            self.text.reserve_exact(bytes + self.text.len() / 8);
        }
        let places = (at + 1).saturating_sub(self.begins.len());
        if self.begins.capacity() - self.begins.len() < places {
            self.begins.reserve_exact(places + self.begins.len() / 8);
        }
        if places > 0 {
            self.begins.resize(at + 1, self.text.len() as u32);
            self.text.push_str(name);
            self.text.push(END);
        } else {
            // Only where a checkpoint lost a piece: each moves all that follows.
            let begin = self.begins[at] as usize;
            self.text.insert_str(begin, &format!("{name}{END}"));
            self.begins[at + 1..].iter_mut().for_each(|begin| *begin += bytes as u32);
        }
        self.names += 1;
        let (text, begins) = (&self.text, &self.begins);
        self.by_name.put(name, index, |index| named(text, begins, index).unwrap_or_default());
    }
}

/// The name of an index.
fn named<'t>(text: &'t str, begins: &[u32], index: u32) -> Option<&'t str> {
    let begin = *begins.get(index as usize)? as usize;
    let end = begins.get(index as usize + 1).map_or(text.len(), |next| *next as usize);
    text.get(begin..end)?.strip_suffix(END)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_indices_find_each_other_however_many_there_are() {
        let mut table = Table::default();
        assert_eq!((table.find("a"), table.name(0), table.places()), (None, None, 0));
        let name = |n: u32| format!("gauge-{n}");
        for n in 0..10_000 {
            assert_eq!(table.find(&name(n)), None, "{n}");
            // Some were lost to rot.
            table.own(&name(n), n * 3);
            assert_eq!(table.find(&name(n / 2)), Some(n / 2 * 3), "{n}");
        }
        assert_eq!((table.len(), table.places()), (10_000, 29_998));
        assert_eq!((table.name(3), table.name(4)), (Some("gauge-1"), None));
        assert!(
            table.names().eq((0..10_000)
                .map(|n| (n * 3, name(n)))
                .collect::<Vec<_>>()
                .iter()
                .map(|(n, name)| (*n, name.as_str())))
        );
        // Some come late, and one is empty.
        for n in (10_000..10_100).rev() {
            table.own(&name(n), (n - 10_000) * 3 + 1);
        }
        table.own("", 50_000);
        for n in 0..10_100 {
            assert_eq!(table.find(&name(n)).and_then(|index| table.name(index)), Some(&*name(n)));
        }
        assert_eq!((table.find(""), table.name(50_000), table.name(49_999)), (Some(50_000), Some(""), None));
        assert_eq!(
            (table.name(1), table.name(3), table.name(2)),
            (Some("gauge-10000"), Some("gauge-1"), None)
        );
        assert_eq!((table.len(), table.places()), (10_101, 50_001));
    }
}
