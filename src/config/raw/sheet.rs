//! Reading CSV as spreadsheets write it: a byte order mark, either line end,
//! comma, semicolon or tab, comments from `#`; every cell with its line, every
//! fault at once.

use std::path::Path;
use std::sync::Arc;

use super::super::fault::{Fault, Faults, Place, list, quote};
use super::words::Word;

/// Most rows of one file.
const ROWS_MAX: usize = 2_000_000;

/// One column of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// As the header names it.
    pub(crate) name: &'static str,
    /// Whether the header must name it.
    pub(crate) need: Need,
    /// What stands in it, for the manual.
    pub(crate) means: &'static str,
}

/// Whether something must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Must,
    May,
}

/// A column that must be there.
pub(crate) const fn must(name: &'static str, means: &'static str) -> Column {
    Column { name, need: Need::Must, means }
}

/// A column that may be there.
pub(crate) const fn may(name: &'static str, means: &'static str) -> Column {
    Column { name, need: Need::May, means }
}

/// A file of rows under a header.
pub(crate) struct Sheet {
    file: Arc<str>,
    columns: &'static [Column],
    /// By column: where in a record it stands.
    at: Vec<Option<usize>>,
    /// Cells of the header.
    width: usize,
    records: Vec<(u32, csv::StringRecord)>,
}

impl Sheet {
    /// Reads a file that must be there.
    pub(crate) fn required(
        dir: &Path,
        file: &str,
        columns: &'static [Column],
        faults: &mut Faults,
    ) -> Option<Sheet> {
        let text = super::required(dir, file, faults)?;
        Sheet::parse(file, &text, columns, faults)
    }

    /// Reads a file that may be absent; `Err` where it is there and at fault.
    pub(crate) fn optional(
        dir: &Path,
        file: &str,
        columns: &'static [Column],
        faults: &mut Faults,
    ) -> Result<Option<Sheet>, ()> {
        match super::optional(dir, file, faults)? {
            None => Ok(None),
            Some(text) => Sheet::parse(file, &text, columns, faults).ok_or(()).map(Some),
        }
    }

    fn parse(file: &str, text: &str, columns: &'static [Column], faults: &mut Faults) -> Option<Sheet> {
        let file: Arc<str> = Arc::from(file);
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter(text))
            .comment(Some(b'#'))
            .flexible(true)
            .has_headers(false)
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let mut lines = Lines { text, offset: 0, line: 1 };
        let mut records = vec![];
        for record in reader.records() {
            // The text is UTF-8 and in memory, and rows may differ in length: nothing else can fail.
            let record = record.ok()?;
            let start = record.position().map_or(0, |position| position.byte() as usize);
            records.push((lines.of(start), record));
            if records.len() > ROWS_MAX {
                let what = format!("has more than {ROWS_MAX} rows");
                faults.push(Fault::new(Place { file, line: 0 }, what, "fewer"));
                return None;
            }
        }
        if records.is_empty() {
            let names =
                list(columns.iter().filter(|column| column.need == Need::Must).map(|column| column.name));
            faults.push(Fault::new(
                Place { file, line: 1 },
                "has no header",
                format!("a line that names {names}"),
            ));
            return None;
        }
        let (line, header) = records.remove(0);
        let place = Place { file: file.clone(), line };
        let at = columns_of(&place, &header, columns, faults)?;
        records.retain(|(_, record)| record.iter().any(|cell| !cell.is_empty()));
        Some(Sheet { file, columns, at, width: header.len(), records })
    }

    /// Every row that is not empty.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.records.iter().map(|(line, record)| Row {
            sheet: self,
            place: Place { file: self.file.clone(), line: *line },
            record,
            sound: true,
            told: Told::Each,
        })
    }
}

/// The delimiter and the columns of a file's header; those of a new one where
/// it is not there.
pub(crate) fn header(
    dir: &Path,
    file: &str,
    columns: &'static [Column],
    faults: &mut Faults,
) -> (char, Vec<String>) {
    let names = || columns.iter().map(|column| column.name.to_owned()).collect();
    let Ok(Some(text)) = super::optional(dir, file, faults) else { return (',', names()) };
    let delimiter = char::from(delimiter(&text));
    let mut lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let Some(header) = lines.next() else { return (delimiter, names()) };
    let unquoted = |cell: &str| cell.trim().trim_matches('"').to_lowercase();
    (delimiter, header.split(delimiter).map(unquoted).collect())
}

/// Where each column stands; `None` when the header is at fault.
fn columns_of(
    place: &Place,
    header: &csv::StringRecord,
    columns: &'static [Column],
    faults: &mut Faults,
) -> Option<Vec<Option<usize>>> {
    let before = faults.count();
    let mut at = vec![None; columns.len()];
    let names = || columns.iter().map(|column| column.name);
    for (position, name) in header.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
        match columns.iter().position(|column| column.name.eq_ignore_ascii_case(name)) {
            Some(column) if at[column].is_none() => at[column] = Some(position),
            Some(_) => {
                faults.push(Fault::new(
                    place.clone(),
                    format!("column {} stands twice", quote(name)),
                    "it once",
                ));
            }
            None => {
                let what = format!("unknown column {}", quote(name));
                let fault = Fault::new(place.clone(), what, format!("one of {}", list(names())));
                faults.push(fault.nearest(name, names()));
            }
        }
    }
    for (column, at) in columns.iter().zip(&at) {
        if column.need == Need::Must && at.is_none() {
            let what = format!("column {} is missing", column.name);
            faults.push(Fault::new(place.clone(), what, column.means));
        }
    }
    (faults.count() == before).then_some(at)
}

/// The delimiter that the header uses.
fn delimiter(text: &str) -> u8 {
    let header = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#')).unwrap_or("");
    let count = |delimiter: u8| header.bytes().filter(|&byte| byte == delimiter).count();
    // Of equals the last is the greatest, so the comma stands last.
    [b'\t', b';', b','].into_iter().max_by_key(|&delimiter| count(delimiter)).unwrap_or(b',')
}

/// Counts lines while offsets grow. The csv reader's own count stands before
/// the blank and comment lines that it skips.
struct Lines<'t> {
    text: &'t str,
    offset: usize,
    line: u32,
}

impl Lines<'_> {
    fn of(&mut self, start: usize) -> u32 {
        let bytes = self.text.as_bytes();
        self.advance(start);
        loop {
            let rest = &bytes[self.offset.min(bytes.len())..];
            let end = rest.iter().position(|&byte| byte == b'\n');
            let this = &rest[..end.unwrap_or(rest.len())];
            let skipped = this.first() == Some(&b'#') || this.iter().all(|&byte| byte == b'\r');
            match end {
                Some(end) if skipped => self.advance(self.offset + end + 1),
                _ => return self.line,
            }
        }
    }

    fn advance(&mut self, to: usize) {
        let bytes = &self.text.as_bytes()[self.offset..to.min(self.text.len())];
        self.line += super::lines_in(bytes);
        self.offset = to.min(self.text.len());
    }
}

/// One row being read.
pub(crate) struct Row<'s> {
    sheet: &'s Sheet,
    pub(crate) place: Place,
    record: &'s csv::StringRecord,
    sound: bool,
    told: Told,
}

/// Whether a row's cells are worth a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// Each fault is told.
    Each,
    /// It has more cells than the header, so that whatever is at fault may only
    /// stand under another's name: that is told in place of the first fault.
    AsTooLong,
    /// The row is at fault as a whole, and that was told.
    Whole,
}

impl Row<'_> {
    /// Whether nothing in it was at fault so far.
    pub(crate) fn sound(&self) -> bool {
        self.sound
    }

    /// Refuses cells beyond the header, and cells of several lines.
    pub(crate) fn shape(&mut self, faults: &mut Faults) {
        if self.record.iter().any(|cell| cell.chars().any(char::is_control)) {
            let fault = Fault::new(self.place.clone(), "has a value of several lines", "one line a value");
            self.fault(fault.hint("is a quotation mark left open?"), faults);
            // Its values are whole rows; what each of them lacks says nothing more.
            self.told = Told::Whole;
            return;
        }
        let beyond = self
            .record
            .iter()
            .enumerate()
            .any(|(at, cell)| !cell.is_empty() && !self.sheet.at.contains(&Some(at)));
        if self.record.len() > self.sheet.width {
            // Empty cells at its end are no fault by themselves; with another they are its cause.
            self.told = Told::AsTooLong;
        }
        if beyond {
            let fault = Fault::new(
                self.place.clone(),
                "has a value that no column of the header names",
                "as many values as the header",
            );
            self.fault(fault.hint("a value with the delimiter in it must be quoted"), faults);
        }
    }

    /// The text of a cell; empty where there is none.
    pub(crate) fn cell(&self, name: &str) -> &str {
        let column = self.sheet.columns.iter().position(|column| column.name == name);
        column
            .and_then(|column| self.sheet.at[column])
            .and_then(|at| self.record.get(at))
            .unwrap_or("")
            .trim()
    }

    /// Reads a cell that must not be empty.
    pub(crate) fn must<T: Word>(&mut self, name: &str, faults: &mut Faults) -> Option<T> {
        if self.cell(name).is_empty() {
            self.fault(Fault::new(self.place.clone(), format!("{name} is empty"), T::EXPECTED), faults);
            return None;
        }
        self.may(name, faults)
    }

    /// Reads a cell that may be empty; `None` also where it is at fault.
    pub(crate) fn may<T: Word>(&mut self, name: &str, faults: &mut Faults) -> Option<T> {
        let text = self.cell(name);
        if text.is_empty() {
            return None;
        }
        let read = T::parse(text);
        if read.is_none() {
            let fault = Fault::new(self.place.clone(), format!("{name} is {}", T::shown(text)), T::EXPECTED);
            self.fault(fault, faults);
        }
        read
    }

    /// Reads a cell of several names, with `;` or `|` between them.
    pub(crate) fn several<T: Word>(&mut self, name: &str, faults: &mut Faults) -> Vec<T> {
        let texts: Vec<String> = self
            .cell(name)
            .split([';', '；', '|'])
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
            .collect();
        let mut read = vec![];
        for text in texts {
            if let Some(word) = T::parse(&text) {
                read.push(word);
            } else {
                let what = format!("{name} has {}", T::shown(&text));
                self.fault(Fault::new(self.place.clone(), what, T::EXPECTED), faults);
            }
        }
        read
    }

    /// Notes a fault of this row.
    pub(crate) fn fault(&mut self, fault: Fault, faults: &mut Faults) {
        self.sound = false;
        match self.told {
            Told::Each => faults.push(fault),
            Told::AsTooLong => {
                let what = format!("has {} values, the header {}", self.record.len(), self.sheet.width);
                let fault = Fault::new(self.place.clone(), what, "as many values as the header");
                let hint = "does the header lack a column? a value with the delimiter in it must be quoted";
                faults.push(fault.hint(hint));
                self.told = Told::Whole;
            }
            Told::Whole => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::words::Number;
    use super::*;

    const COLUMNS: &[Column] = &[must("name", "a name"), may("value", "a number")];

    fn check(text: &str) -> (Vec<(u32, String, Option<f64>)>, String) {
        let mut faults = Faults::default();
        let mut rows = vec![];
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if let Some(sheet) = Sheet::parse("t.csv", text, COLUMNS, &mut faults) {
            for mut row in sheet.rows() {
                row.shape(&mut faults);
                let value = row.may::<Number>("value", &mut faults).map(|number| number.0);
                rows.push((row.place.line, row.cell("name").to_owned(), value));
            }
        }
        (rows, faults.to_string())
    }

    #[test]
    fn comma_semicolon_tab_line_ends_and_comments_are_all_one() {
        let expected = vec![(2, "a".to_owned(), Some(1.0)), (5, "b".to_owned(), None)];
        for text in [
            "name,value\na,1\n\n# said\nb,\n",
            "name;value\r\na;1\r\n\r\n# said\r\nb;\r\n",
            "\u{feff}name\tvalue\na\t1\n\n# said\nb",
            "value,name,\n1,a,\n,,\n# said\n,b,\n",
            "Name,VALUE\na , 1\n\n\"#\",\n\"b\",\n",
        ] {
            let (mut rows, faults) = check(text);
            rows.retain(|row| row.1 != "#");
            assert_eq!((rows, faults.as_str()), (expected.clone(), ""), "{text:?}");
        }
    }

    #[test]
    fn every_fault_of_a_sheet_has_its_line() {
        for (text, expected) in [
            ("", "t.csv:1: has no header, expected a line that names name"),
            (
                "nam,value\n",
                "t.csv:1: column name is missing, expected a name\nt.csv:1: unknown column \"nam\", expected one of name, value, did you mean \"name\"?",
            ),
            ("name,name\n", "t.csv:1: column \"name\" stands twice, expected it once"),
            (
                "# c\nname,value\n\na,x\n",
                "t.csv:4: value is \"x\", expected a number with a decimal point, such as 4.2",
            ),
            (
                "name,value\na,1,2\nb,x,\n",
                "t.csv:2: has 3 values, the header 2, expected as many values as the header, does the header lack a column? a value with the delimiter in it must be quoted\n\
                 t.csv:3: has 3 values, the header 2, expected as many values as the header, does the header lack a column? a value with the delimiter in it must be quoted",
            ),
            (
                "name,value,\na,1,2\n",
                "t.csv:2: has a value that no column of the header names, expected as many values as the header, a value with the delimiter in it must be quoted",
            ),
            ("name,value\na,1,\n", ""),
            (
                "name,value\n\"a,1\nb,2\n",
                "t.csv:2: has a value of several lines, expected one line a value, is a quotation mark left open?",
            ),
        ] {
            let mut lines: Vec<String> = check(text).1.lines().map(str::to_owned).collect();
            lines.sort();
            assert_eq!(lines.join("\n"), expected, "{text:?}");
        }
    }
}
