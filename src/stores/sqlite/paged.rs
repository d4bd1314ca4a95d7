//! A table that grows by a page at a time: no place of it is ever moved, and
//! filled in order at most one page lies idle.

/// Places of a page.
const PAGE: usize = 1 << 10;

/// A table of equal things by number.
#[derive(Debug)]
pub(super) struct Paged<T> {
    pages: Vec<Box<[T; PAGE]>>,
}

impl<T> Default for Paged<T> {
    fn default() -> Paged<T> {
        Paged { pages: vec![] }
    }
}

impl<T: Copy + Default> Paged<T> {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.pages.len() * PAGE
    }

    /// What stands at `index`, if the table has grown so far.
    pub(super) fn get(&self, index: usize) -> Option<&T> {
        self.pages.get(index / PAGE).map(|page| &page[index % PAGE])
    }

    /// The same, to change.
    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.pages.get_mut(index / PAGE).map(|page| &mut page[index % PAGE])
    }

    /// The place of `index`; the table grows until there is one.
    pub(super) fn grown(&mut self, index: usize) -> &mut T {
        if index >= self.len() {
            self.grow(index);
        }
        &mut self[index]
    }

    #[cold]
    fn grow(&mut self, index: usize) {
        while index >= self.len() {
            // Not by an array, which would stand on the stack first.
            let Ok(page) = vec![T::default(); PAGE].into_boxed_slice().try_into() else {
                unreachable!("a page has so many places");
            };
            self.pages.push(page);
        }
    }

    /// What it holds of the machine's memory.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.len() * size_of::<T>() + self.pages.capacity() * size_of::<Box<[T; PAGE]>>()
    }
}

impl<T> std::ops::Index<usize> for Paged<T> {
    type Output = T;

    fn index(&self, index: usize) -> &T {
        &self.pages[index / PAGE][index % PAGE]
    }
}

impl<T> std::ops::IndexMut<usize> for Paged<T> {
    fn index_mut(&mut self, index: usize) -> &mut T {
        &mut self.pages[index / PAGE][index % PAGE]
    }
}
