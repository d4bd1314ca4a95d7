//! From names to dense indices. The log owns the table; configuration only asks.

use std::collections::BTreeMap;

use forewarn_core::ids::IndexKind;

/// Gives every name its index, the same for ever.
pub trait Assign {
    /// The index of a name of this kind; a new one where it has none yet.
    fn index(&mut self, kind: IndexKind, name: &str) -> u32;
}

/// Indices for a configuration without a log: `check`, a demo, a test.
#[derive(Debug, Clone, Default)]
pub struct FreshIndices {
    names: BTreeMap<(IndexKind, String), u32>,
    next: BTreeMap<IndexKind, u32>,
}

impl Assign for FreshIndices {
    fn index(&mut self, kind: IndexKind, name: &str) -> u32 {
        if let Some(&index) = self.names.get(&(kind, name.to_owned())) {
            return index;
        }
        let next = self.next.entry(kind).or_default();
        let index = *next;
        *next += 1;
        self.names.insert((kind, name.to_owned()), index);
        index
    }
}
