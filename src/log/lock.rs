//! One writer a data directory.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::error::LogError;

const LOCK: &str = "LOCK";

/// The right to write to a data directory, held until dropped. The system
/// gives it back when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    dir: PathBuf,
    _file: File,
}

impl Lock {
    /// Takes the right to write to `dir`, making the directory if need be;
    /// refuses with the other process's id when it is taken.
    pub fn take(dir: &Path) -> Result<Lock, LogError> {
        let what = || format!("cannot lock {}", dir.display());
        fs::create_dir_all(dir).map_err(LogError::io(what()))?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(dir.join(LOCK))
            .map_err(LogError::io(what()))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut text = String::new();
                // Its holder may be writing it just now: then the process stays unnamed.
                let _ = file.read_to_string(&mut text);
                return Err(LogError::Locked { dir: dir.to_owned(), pid: text.trim().parse().ok() });
            }
            Err(error) => return Err(LogError::io(what())(error.into())),
        }
        let noted = file
            .set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| writeln!(file, "{}", std::process::id()));
        match noted {
            Ok(()) => {}
            // A full disk must not keep the service from starting: the lock itself holds.
            Err(error) if error.kind() == std::io::ErrorKind::StorageFull => {}
            Err(error) => return Err(LogError::io(what())(error)),
        }
        Ok(Lock { dir: dir.to_owned(), _file: file })
    }

    /// The directory it is for.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}
