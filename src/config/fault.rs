//! What is wrong with a configuration: every fault at once, each with its
//! place, what was found, what was expected, and a hint where one is known.

use std::fmt;
use std::sync::Arc;

/// Faults kept in full; further ones are only counted, so that a file of the
/// wrong kind does not fill memory and screen.
pub const FAULTS_MAX: usize = 500;

/// Characters of a quoted word that a message shows.
const QUOTED_MAX: usize = 60;

/// Faults that a nearest name is looked for: where more names are wrong, the
/// file is, and comparing each with each would take minutes.
const HINTS_MAX: usize = 100;

/// Names compared with a word, to find the one that was meant.
const KNOWN_MAX: usize = 20_000;

/// A place in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, as seen from the configuration's directory.
    pub file: Arc<str>,
    /// Its line, from 1; 0 is the file as a whole.
    pub line: u32,
}

impl Place {
    /// A line of a file.
    pub fn new(file: impl Into<Arc<str>>, line: u32) -> Self {
        Place { file: file.into(), line }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

/// One thing that is wrong: the configuration cannot be used with it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// What was found.
    pub what: String,
    /// What should stand there; empty where the rest says it.
    pub expected: String,
    /// What might help; empty when nothing is known.
    pub hint: String,
}

impl Fault {
    /// Something found where something else was expected.
    pub fn new(place: Place, what: impl Into<String>, expected: impl Into<String>) -> Self {
        Fault { place, what: what.into(), expected: expected.into(), hint: String::new() }
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// The same with the nearest of the names that would have done as its hint.
    #[must_use]
    pub fn nearest<'a>(self, word: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        match nearest(word, known) {
            Some(near) => self.hint(format!("did you mean {}?", quote(near))),
            None => self,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)?;
        if !self.expected.is_empty() {
            write!(f, ", expected {}", self.expected)?;
        }
        if !self.hint.is_empty() {
            write!(f, ", {}", self.hint)?;
        }
        Ok(())
    }
}

/// Everything that is wrong, in the order of files and lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    list: Vec<Fault>,
    beyond: usize,
}

impl Faults {
    /// Notes one more.
    pub fn push(&mut self, fault: Fault) {
        if self.list.len() < FAULTS_MAX {
            self.list.push(fault);
        } else {
            self.beyond += 1;
        }
    }

    /// Notes one more, with the nearest of the names that would have done as
    /// its hint; beyond [`HINTS_MAX`] none is looked for.
    pub(crate) fn push_nearest<'a>(
        &mut self,
        fault: Fault,
        word: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) {
        let few = self.list.len() < HINTS_MAX;
        self.push(if few { fault.nearest(word, known) } else { fault });
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many there are, those beyond [`FAULTS_MAX`] included.
    pub fn count(&self) -> usize {
        self.list.len() + self.beyond
    }

    /// Those kept in full.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.list.iter()
    }

    /// In the order of files and lines, each once.
    #[must_use]
    pub(crate) fn in_order(mut self) -> Self {
        self.list.sort();
        self.list.dedup();
        self
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.list.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            fault.fmt(f)?;
        }
        match self.beyond {
            0 => Ok(()),
            beyond => write!(f, "\nand {beyond} more"),
        }
    }
}

impl std::error::Error for Faults {}

/// Something that can be used as it stands, but will surprise: what can never
/// fire, whom nobody tells, what others may read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// Where.
    pub place: Place,
    /// What follows from it.
    pub what: String,
    /// What might be done; empty when nothing is known.
    pub hint: String,
}

impl Warning {
    /// What follows from something at a place, and what might be done.
    pub fn new(place: Place, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Warning { place, what: what.into(), hint: hint.into() }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: warning: {}", self.place, self.what)?;
        if self.hint.is_empty() { Ok(()) } else { write!(f, ", {}", self.hint) }
    }
}

/// A word as messages show it: quoted, control and direction characters
/// escaped, cut where it is long.
pub(crate) fn quote(word: &str) -> String {
    let mut quoted = String::from("\"");
    for (at, c) in word.chars().enumerate() {
        if at == QUOTED_MAX {
            quoted.push('…');
            break;
        }
        quoted.extend(c.escape_debug());
    }
    quoted.push('"');
    quoted
}

/// Words as messages list them.
pub(crate) fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().collect::<Vec<_>>().join(", ")
}

/// The known name that a word was probably meant to be.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    // A name of thousands of characters is no slip of the pen, and comparing it would cost.
    if length > QUOTED_MAX {
        return None;
    }
    let allowed = (length / 3).clamp(1, 3);
    known
        .into_iter()
        .take(KNOWN_MAX)
        .filter(|name| name.chars().count().abs_diff(length) <= allowed)
        .map(|name| (distance(word, name), name))
        // The word itself is no hint: it stands there, and something else about it is wrong.
        .filter(|&(distance, name)| distance <= allowed && name != word)
        .min()
        .map(|(_, name)| name)
}

/// Insertions, deletions, replacements and swaps of neighbours between two
/// words, letter case aside (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().collect();
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_the_hint() {
        let known = ["station", "quantity", "name_zh", "interval", "level"];
        for (word, expected) in [
            ("statoin", Some("station")),
            ("Interval", Some("interval")),
            ("name-zh", Some("name_zh")),
            ("bogus", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
    }

    #[test]
    fn a_message_is_one_line_whatever_it_quotes() {
        let fault =
            Fault::new(Place::new("a.csv", 3), quote("x\r\n{\"level\":\"red\"}\u{1b}[31m\u{202e}"), "");
        assert!(!fault.to_string().chars().any(|c| c.is_control() || c == '\u{202e}'), "{fault}");
    }

    #[test]
    fn faults_beyond_the_limit_are_counted() {
        let mut faults = Faults::default();
        for line in 0..FAULTS_MAX as u32 + 7 {
            faults.push(Fault::new(Place::new("a", line), "x", ""));
        }
        assert_eq!(faults.count(), FAULTS_MAX + 7);
        assert!(faults.to_string().ends_with("and 7 more"));
    }
}
