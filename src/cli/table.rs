//! Rows under a head, each column as wide as its widest cell on a terminal.

use std::io::{self, Write};

use forewarn_core::level::Level;

use super::Paint;

/// Blanks between two columns.
const GAP: usize = 2;

/// A cell: what it says, and whether it is a level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    /// Words.
    Text(String),
    /// A level, in its colour where there is any.
    Level(Level),
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Cell {
        Cell::Text(text.into())
    }
}

impl Cell {
    fn width(&self) -> usize {
        match self {
            Cell::Text(text) => width(text),
            Cell::Level(level) => level.word().len(),
        }
    }

    /// As it is written.
    pub(super) fn painted(&self, paint: Paint) -> String {
        match self {
            Cell::Text(text) => text.clone(),
            Cell::Level(level) => paint.level(*level),
        }
    }
}

/// Writes the rows under their head.
pub(super) fn table<const N: usize>(
    out: &mut dyn Write,
    paint: Paint,
    head: [&str; N],
    rows: &[[Cell; N]],
) -> io::Result<()> {
    let head = head.map(Cell::from);
    let widest =
        |column: usize| rows.iter().chain([&head]).map(|row| row[column].width()).max().unwrap_or_default();
    let widths: [usize; N] = std::array::from_fn(widest);
    for row in [&head].into_iter().chain(rows) {
        let mut line = String::new();
        let mut owed = 0;
        for (cell, column) in row.iter().zip(widths) {
            // Blanks are written before the next cell, so that no line ends in them.
            if cell.width() > 0 {
                line.extend(std::iter::repeat_n(' ', owed));
                line.push_str(&cell.painted(paint));
                owed = 0;
            }
            owed += column - cell.width() + GAP;
        }
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Columns that a text takes on a terminal: two for each character of Chinese,
/// Japanese or Korean (Unicode's East Asian Width, the ranges in use).
pub(super) fn width(text: &str) -> usize {
    let of = |c: char| match u32::from(c) {
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    };
    text.chars().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_each_other_whatever_the_script() {
        let rows =
            [["渡口镇".into(), Cell::Level(Level::Red), "x".into()], ["a".into(), "".into(), "y".into()]];
        let mut out = vec![];
        table(&mut out, Paint::Off, ["PLACE", "LEVEL", "Z"], &rows).expect("written");
        let text = String::from_utf8(out).expect("UTF-8");
        assert_eq!(text, "PLACE   LEVEL  Z\n渡口镇  red    x\na              y\n");
    }
}
