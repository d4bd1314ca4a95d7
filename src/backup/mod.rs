//! Backups: a whole data directory, taken beside the running service, and put
//! back elsewhere. What comes back is held (`app::place`): another service may
//! be alive with the same past.
//!
//! A backup is a folder of plain files with a manifest, `backup.json`, which is
//! written last: a folder without it is an unfinished one. Snapshots and
//! databases are copied before the log, so that none is ahead of it, and plans
//! after it, so that none that it names is missing.

mod make;
mod restore;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use forewarn_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::accounts::AccountsError;
use crate::config::targets::hex;
use crate::log::LogError;
use crate::ports::Copied;

pub use make::make;
pub use restore::restore;

/// The manifest's name in a backup.
pub const MANIFEST: &str = "backup.json";

/// The form that this release writes and reads.
const FORMAT: u32 = 1;

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Its form.
    pub format: u32,
    /// The release that made it.
    pub forewarn: String,
    /// Id of the log.
    pub log: String,
    /// Whether it is for real: `live` or `drill`.
    pub stamp: String,
    /// The last position of the log in it.
    pub position: u64,
    /// Wall time it was made, microseconds since 1970.
    pub made: Timestamp,
    /// Its files.
    pub files: Vec<Entry>,
}

/// One file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Where in the data directory.
    pub path: String,
    /// How long it is.
    pub bytes: u64,
    /// Its SHA-256, hexadecimal.
    pub sha256: String,
}

/// Why no backup was made, or none restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file or folder could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A database could not be copied.
    #[error("{path}: {source}")]
    Database {
        /// Which.
        path: PathBuf,
        /// What it said.
        source: rusqlite::Error,
    },
    /// The accounts could not be copied.
    #[error(transparent)]
    Accounts(#[from] AccountsError),
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Something stands where it would go.
    #[error("{0} is not empty, expected a new or an empty folder")]
    InTheWay(PathBuf),
    /// The log went on faster than it could be copied.
    #[error("the log let go of its oldest segment {0} times while it was copied, expected a longer log.keep")]
    Overtaken(u32),
    /// It is no backup, or not all of one.
    #[error("{path}: {what}, expected {expected}")]
    Unsound {
        /// Which file.
        path: PathBuf,
        /// What is the matter.
        what: String,
        /// What it should be.
        expected: String,
    },
}

impl BackupError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
        let path = path.to_owned();
        move |source| BackupError::Io { path, source }
    }

    fn unsound(path: &Path, what: impl Into<String>, expected: impl Into<String>) -> BackupError {
        BackupError::Unsound { path: path.to_owned(), what: what.into(), expected: expected.into() }
    }
}

/// Length and SHA-256 of a file.
fn sum(path: &Path, progress: Copied<'_>) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let (mut hash, mut length) = (Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((length, hex(&hash.finalize())));
        }
        hash.update(&buffer[..read]);
        length += read as u64;
        progress(read as u64);
    }
}
