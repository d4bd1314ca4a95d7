//! Tables that can be photographed: copy-on-write pages.
//!
//! A snapshot clones one pointer a page, at a durable barrier; the engine goes
//! on and copies a page only when it next writes there. So nothing is ever
//! serialised inside the loop.

use std::sync::Arc;

/// Rows a page. Small enough that copying one is cheap, large enough that a
/// million rows are few pointers.
const PAGE: usize = 64;

/// A dense table in copy-on-write pages.
#[derive(Debug, Clone)]
pub struct Pages<T> {
    pages: Vec<Arc<Vec<T>>>,
    len: usize,
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Pages { pages: Vec::new(), len: 0 }
    }
}

impl<T: Clone> Pages<T> {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The row at `index`.
    pub fn get(&self, index: usize) -> Option<&T> {
        self.pages.get(index / PAGE)?.get(index % PAGE)
    }

    /// The row at `index`, to change; its page is copied first if a snapshot holds it.
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        Arc::make_mut(self.pages.get_mut(index / PAGE)?).get_mut(index % PAGE)
    }

    /// Appends a row.
    pub fn push(&mut self, row: T) {
        if self.len.is_multiple_of(PAGE) {
            self.pages.push(Arc::new(Vec::with_capacity(PAGE)));
        }
        let page = self.pages.last_mut().expect("a page was pushed when the last was full");
        Arc::make_mut(page).push(row);
        self.len += 1;
    }

    /// Grows to `len` rows, each new one made by `row`.
    pub fn grow(&mut self, len: usize, mut row: impl FnMut(usize) -> T) {
        while self.len < len {
            self.push(row(self.len));
        }
    }

    /// Every row in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flat_map(|page| page.iter())
    }
}

impl<T: Clone> FromIterator<T> for Pages<T> {
    fn from_iter<I: IntoIterator<Item = T>>(rows: I) -> Self {
        let mut pages = Pages::default();
        rows.into_iter().for_each(|row| pages.push(row));
        pages
    }
}

impl<T: minicbor::Encode<()> + Clone> Pages<T> {
    /// Writes itself out as it encodes, and lets go of each page once it is written.
    pub(crate) fn write_out<W: minicbor::encode::Write>(
        self,
        e: &mut minicbor::Encoder<W>,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(self.len as u64)?;
        for page in self.pages {
            page.iter().try_for_each(|row| e.encode(row).map(drop))?;
        }
        Ok(())
    }
}

impl<C, T: minicbor::Encode<C> + Clone> minicbor::Encode<C> for Pages<T> {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(self.len as u64)?;
        self.iter().try_for_each(|row| row.encode(e, ctx))
    }
}

impl<'b, C, T: minicbor::Decode<'b, C> + Clone> minicbor::Decode<'b, C> for Pages<T> {
    fn decode(d: &mut minicbor::Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        Ok(Vec::<T>::decode(d, ctx)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_keeps_what_it_saw() {
        let mut table: Pages<u32> = (0..1000).collect();
        let photograph = table.clone();
        *table.get_mut(500).expect("row 500 was pushed") = 9;
        assert_eq!(photograph.get(500), Some(&500));
        assert_eq!(table.get(500), Some(&9));
        assert!(Arc::ptr_eq(&table.pages[0], &photograph.pages[0]), "untouched pages are shared");
    }
}
