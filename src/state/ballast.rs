//! A file that takes up room until the disk is full, and then gives it to `SQLite`.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Room kept for the projection on a full disk, bytes: the write-ahead log of
/// some thousand deliveries with their outcomes.
pub const BALLAST_BYTES: usize = 8 * 1024 * 1024;

/// The file beside the projection.
#[derive(Debug)]
pub(super) struct Ballast {
    path: PathBuf,
}

impl Ballast {
    pub(super) fn beside(path: &Path) -> Self {
        let mut name = path.as_os_str().to_owned();
        name.push(".ballast");
        Ballast { path: name.into() }
    }

    /// Takes the room, if there is enough; a disk too full for it is no fault yet.
    pub(super) fn restore(&mut self) {
        let whole = std::fs::metadata(&self.path).is_ok_and(|file| file.len() == BALLAST_BYTES as u64);
        if whole {
            return;
        }
        if let Err(error) = self.fill() {
            tracing::warn!(path = %self.path.display(), %error, "no room for the projection's ballast");
            self.free();
        }
    }

    /// Gives the room away.
    pub(super) fn free(&mut self) {
        match std::fs::remove_file(&self.path) {
            Ok(()) => {
                tracing::warn!(path = %self.path.display(), "disk is full, the projection's ballast is freed");
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => tracing::error!(path = %self.path.display(), %error, "the ballast cannot be freed"),
        }
    }

    fn fill(&self) -> std::io::Result<()> {
        let mut file = File::create(&self.path)?;
        let block = vec![0; 64 * 1024];
        for _ in 0..BALLAST_BYTES / block.len() {
            file.write_all(&block)?;
        }
        file.sync_data()
    }
}
