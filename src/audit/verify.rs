//! Whether a trail is as it was written: every line bound to the one before,
//! none missing, and as long as its head says; and whether it tells what the
//! log holds, as far as that is still kept.

use std::path::{Path, PathBuf};

use super::AuditError;
use super::chain::{Head, Line};
use super::deed::Deed;
use super::files::{self, Met, walk};

/// Flaws that are told at most; one edit breaks one line, a cut all after it.
const FLAWS_MAX: usize = 100;

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// In which file.
    pub file: PathBuf,
    /// At which line of it.
    pub line: u64,
    /// What, in words.
    pub what: String,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    /// The number of the first line that is kept, and of the last.
    pub lines: Option<(u64, u64)>,
    /// The hash of the last.
    pub hash: String,
    /// Lines that were held against the log.
    pub compared: u64,
    /// What is not as it was written, in order; at most a hundred.
    pub flaws: Vec<Flaw>,
}

impl Verified {
    /// Whether all of it holds.
    pub fn is_sound(&self) -> bool {
        self.flaws.is_empty()
    }

    fn flaw(&mut self, file: &Path, line: u64, what: impl Into<String>) {
        if self.flaws.len() < FLAWS_MAX {
            self.flaws.push(Flaw { file: file.to_owned(), line, what: what.into() });
        }
    }
}

/// Holds a trail against itself, its head and the deeds of the log that is kept,
/// in order. `noted` is a head that somebody wrote down elsewhere.
pub fn verify(
    data: &Path,
    noted: Option<&Head>,
    deeds: impl IntoIterator<Item = Deed>,
) -> Result<Verified, AuditError> {
    let mut found = Verified::default();
    let mut before: Option<String> = None;
    let mut next = 1;
    let mut deeds = deeds.into_iter().peekable();
    let begins = deeds.peek().and_then(|deed| deed.position).unwrap_or(u64::MAX);
    let mut noted_hash = None;
    walk(data, |file, at, met| match met {
        Met::Preface(after, first) => {
            match before.take() {
                Some(before) if before != after || first != next => {
                    found.flaw(file, at, format!("it goes on from another line, expected line {next} here"));
                }
                Some(_) | None => {}
            }
            (before, next) = (Some(after), first);
        }
        Met::Strange(what) => found.flaw(file, at, what),
        Met::Line(sealed) => {
            let Line { n, log, .. } = sealed.line;
            if n != next {
                found.flaw(
                    file,
                    at,
                    format!("it is line {n}, expected line {next}: a line was dropped or moved"),
                );
            } else if !before.as_deref().is_some_and(|before| sealed.follows(before)) {
                found.flaw(file, at, "its hash does not follow: it was edited, or the line before it was");
            }
            if let Some(position) = log
                && position >= begins
            {
                found.compared += 1;
                match deeds.next() {
                    Some(deed) if sealed.line.is_of(&deed) => {}
                    Some(_) | None => {
                        found.flaw(file, at, format!("the log says otherwise at position {position}"));
                    }
                }
            }
            if noted.is_some_and(|noted| noted.lines == n) {
                noted_hash = Some(sealed.hash.clone());
            }
            found.lines = Some((found.lines.map_or(n, |(first, _)| first), n));
            found.hash.clone_from(&sealed.hash);
            (before, next) = (Some(sealed.hash), n + 1);
        }
    })?;
    let folder = data.join(files::FOLDER);
    let last = found.lines.map_or(0, |(_, last)| last);
    let head = files::head(data)?;
    if let Some(head) = &head {
        if head.lines > last || head.lines == last && last > 0 && head.hash != found.hash {
            let what =
                format!("its head has {} lines, and {last} are there: its end was cut off", head.lines);
            found.flaw(&folder, head.lines, what);
        }
    } else if last > 0 {
        found.flaw(&folder, last, "its head is missing");
    }
    // What the head has not reached yet is told at the next start.
    let told = head.map_or(0, |head| head.log);
    if let Some(untold) = deeds.next().filter(|deed| deed.position.is_some_and(|position| position <= told)) {
        let position = untold.position.unwrap_or_default();
        found.flaw(&folder, last, format!("the log has more: {} at position {position}", untold.what));
    }
    if let Some(noted) = noted
        && noted_hash.as_ref() != Some(&noted.hash)
    {
        found.flaw(&folder, noted.lines, "line and hash are not those that were noted down elsewhere");
    }
    Ok(found)
}
