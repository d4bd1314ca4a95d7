//! The newest readings of one sensor: the last as it is, each one before as
//! what differs from the one after it.

use forewarn_core::reading::Flag;

use super::pool::{End, Pool};
use super::row::Row;
use super::step::{Step, walk};

/// Whether a head is picked for the transaction under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Leaving {
    Yes,
    #[default]
    No,
}

/// One of very many, so its parts lie flat: 48 bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    // The newest row.
    observed: i64,
    received: i64,
    value: f64,
    position: u64,
    flag: Flag,
    marks: u8,
    // Where those before it end.
    filled: u8,
    block: u32,
    rows: u32,
    // What is noted of it by whoever empties heads in order.
    pub(super) leaving: Leaving,
    /// Its number among those that were begun.
    pub(super) begun: u32,
}

impl Default for Head {
    fn default() -> Head {
        Head {
            observed: 0,
            received: 0,
            value: 0.0,
            position: 0,
            flag: Flag::default(),
            marks: 0,
            filled: End::EMPTY.filled,
            block: End::EMPTY.block,
            rows: 0,
            leaving: Leaving::No,
            begun: 0,
        }
    }
}

impl Head {
    /// How many readings it holds.
    pub(super) fn len(&self) -> usize {
        self.rows as usize
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Takes one more in.
    pub(super) fn push(&mut self, row: &Row, pool: &mut Pool) {
        if self.rows > 0 {
            let step = Step::between(row, &self.newest());
            let end = pool.push(self.end(), step.bytes());
            (self.block, self.filled) = (end.block, end.filled);
        }
        let &Row { observed, received, value, position, flag, marks } = row;
        *self = Head { observed, received, value, position, flag, marks, rows: self.rows + 1, ..*self };
    }

    /// Appends its readings, as they came.
    pub(super) fn read(&self, pool: &Pool, rows: &mut Vec<Row>) {
        let before = rows.len();
        rows.reserve(self.len());
        let mut bytes = pool.backwards(self.end());
        let mut row = self.newest();
        for left in (0..self.rows).rev() {
            rows.push(row);
            if left > 0 {
                row = walk(&row, &mut bytes);
            }
        }
        rows[before..].reverse();
    }

    /// Leaves nothing behind.
    pub(super) fn clear(&mut self, pool: &mut Pool) {
        pool.free(self.end());
        *self = Head::default();
    }

    fn newest(&self) -> Row {
        let &Head { observed, received, value, position, flag, marks, .. } = self;
        Row { observed, received, value, position, flag, marks }
    }

    fn end(&self) -> End {
        End { block: self.block, filled: self.filled }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::step::tests::any_row;
    use super::*;

    proptest! {
        #[test]
        fn any_rows_come_back_as_they_came(
            rows in proptest::collection::vec((0usize..3, any_row()), 0..300),
            cleared in 0usize..3,
        ) {
            let mut pool = Pool::new();
            let mut heads = [Head::default(); 3];
            for (head, row) in rows.iter().chain(&rows) {
                heads[*head].push(row, &mut pool);
            }
            heads[cleared].clear(&mut pool);
            for (head, row) in &rows {
                heads[*head].push(row, &mut pool);
            }
            for (n, head) in heads.iter().enumerate() {
                let all = rows.iter().chain(&rows).filter(|_| n != cleared).chain(&rows);
                let want: Vec<_> = all.filter(|it| it.0 == n).map(|it| it.1).collect();
                let mut back = vec![];
                head.read(&pool, &mut back);
                prop_assert_eq!(head.len(), want.len());
                let bits = |rows: &[Row]| {
                    rows.iter().map(|row| (row.value.to_bits(), Row { value: 0.0, ..*row })).collect::<Vec<_>>()
                };
                prop_assert_eq!(bits(&back), bits(&want));
            }
        }
    }

    #[test]
    fn a_head_takes_48_bytes() {
        assert_eq!(size_of::<Head>(), 48);
    }
}
