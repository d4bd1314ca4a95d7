//! What stands on our side of the wire: how far the server has got, and the
//! points that it would not take.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use forewarn_core::ids::Position;
use serde::{Deserialize, Serialize};

use crate::stores::Refusals;

/// Bytes of refused points that are kept. Full: the file before the last is forgotten.
pub const DEAD_LETTER_BYTES_MAX: u64 = 4 << 20;
/// Gaps that are remembered; beyond, the oldest are forgotten.
const GAPS_MAX: usize = 1_000;
/// What is kept of what the server said.
const REASON_CHARS_MAX: usize = 300;

/// How far a server has got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Id of the log that is followed.
    pub(super) log: String,
    /// Which bucket of which server: another one begins at nothing.
    pub(super) server: String,
    /// It has all up to here.
    pub(super) cursor: u64,
    /// Positions it will never get, as first and last.
    #[serde(default)]
    pub(super) gaps: Vec<(u64, u64)>,
}

impl Progress {
    /// What the file says, if it is of this log and server, and not ahead of the log.
    pub(super) fn read(path: &Path, log: &str, server: &str, end: Position) -> Progress {
        let fresh = || Progress { log: log.to_owned(), server: server.to_owned(), cursor: 0, gaps: vec![] };
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return fresh(),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "the cursor cannot be read, all of the log is sent again");
                return fresh();
            }
        };
        match serde_json::from_str::<Progress>(&text) {
            Ok(found) if found.log == log && found.server == server && found.cursor <= end.0 => found,
            Ok(_) => {
                tracing::warn!("the cursor is of another log or server, all of the log is sent");
                fresh()
            }
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "the cursor does not read back, all of the log is sent again");
                fresh()
            }
        }
    }

    pub(super) fn gap(&mut self, first: Position, last: Position) {
        self.gaps.push((first.0, last.0));
        let beyond = self.gaps.len().saturating_sub(GAPS_MAX);
        self.gaps.drain(..beyond);
    }

    /// Puts the file in place, whole and synced, or leaves the former one.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let beside = path.with_extension("new");
        let mut file = File::create(&beside)?;
        file.write_all(serde_json::to_string(self)?.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    }
}

/// Points that the server would not take, in a file that people can read,
/// mend and send: each line of line protocol under a comment that says why.
#[derive(Debug)]
pub(super) struct DeadLetters {
    path: PathBuf,
    refusals: Refusals,
}

impl DeadLetters {
    pub(super) fn at(path: PathBuf) -> DeadLetters {
        DeadLetters { path, refusals: Refusals { points: 0, reason: String::new() } }
    }

    /// Keeps one refused line, or says of `points` that are not known one by one.
    pub(super) fn bury(&mut self, line: &str, points: u64, reason: &str) {
        let reason: String =
            reason.chars().map(|c| if c.is_control() { ' ' } else { c }).take(REASON_CHARS_MAX).collect();
        self.refusals.points += points;
        self.refusals.reason = format!("{reason} (see {})", self.path.display());
        if let Err(error) = self.append(&format!("# {points} refused: {reason}\n{line}")) {
            tracing::error!(path = %self.path.display(), %error, line, "a refused point cannot be kept");
        }
    }

    fn append(&self, text: &str) -> io::Result<()> {
        if fs::metadata(&self.path).is_ok_and(|it| it.len() + text.len() as u64 > DEAD_LETTER_BYTES_MAX / 2) {
            fs::rename(&self.path, self.path.with_extension("lp.old"))?;
        }
        File::options().create(true).append(true).open(&self.path)?.write_all(text.as_bytes())
    }

    pub(super) fn refusals(&self) -> Option<Refusals> {
        (self.refusals.points > 0).then(|| self.refusals.clone())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    #[test]
    fn progress_holds_for_its_own_log_and_server_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("influx.cursor");
        let end = Position(100);
        let mut progress = Progress::read(&path, "a", "s", end);
        assert_eq!(progress.cursor, 0);
        progress.cursor = 90;
        progress.gap(Position(3), Position(5));
        progress.write(&path).unwrap();
        assert_eq!(Progress::read(&path, "a", "s", end), progress);
        for (log, server, end) in [("b", "s", 100), ("a", "t", 100), ("a", "s", 89)] {
            assert_eq!(Progress::read(&path, log, server, Position(end)).cursor, 0, "{log} {server} {end}");
        }
        std::fs::write(&path, "{").unwrap();
        assert_eq!(Progress::read(&path, "a", "s", end).cursor, 0);
    }

    #[test]
    fn dead_letters_are_counted_and_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("influx-refused.lp");
        let mut dead = DeadLetters::at(path.clone());
        assert_eq!(dead.refusals(), None);
        let line = format!("{}\n", "x".repeat(100_000));
        for _ in 0..100 {
            dead.bury(&line, 1, "does\nnot parse");
        }
        assert_eq!(dead.refusals().unwrap().points, 100);
        let kept = std::fs::metadata(&path).unwrap().len()
            + std::fs::metadata(path.with_extension("lp.old")).unwrap().len();
        assert!((DEAD_LETTER_BYTES_MAX / 4..=DEAD_LETTER_BYTES_MAX).contains(&kept), "{kept} bytes");
        assert!(std::fs::read_to_string(&path).unwrap().starts_with("# 1 refused: does not parse\nxxx"));
    }
}
