//! A file that takes up room until the disk is full, and then gives it to `SQLite`.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Room kept for the projection on a full disk, bytes: the write-ahead log of
/// some thousand deliveries with their outcomes.
pub const BALLAST_BYTES: usize = 8 * 1024 * 1024;

/// Room that must be left beside it, bytes: taking the last of a disk would
/// bring about what it is there for.
const BESIDE_BYTES: u64 = 4 * 1024 * 1024;

/// The file beside the projection.
#[derive(Debug)]
pub(super) struct Ballast {
    path: PathBuf,
    /// Whether it was said that there is none.
    told: bool,
}

impl Ballast {
    pub(super) fn beside(path: &Path) -> Self {
        let mut name = path.as_os_str().to_owned();
        name.push(".ballast");
        Ballast { path: name.into(), told: false }
    }

    /// Takes the room, if there is enough; a disk too full for it is no fault yet.
    pub(super) fn restore(&mut self) {
        let room = room_beside(&self.path);
        self.restore_in(room);
    }

    /// As [`Ballast::restore`], with so much room on the disk, bytes.
    fn restore_in(&mut self, room: io::Result<u64>) {
        let there = std::fs::metadata(&self.path).map_or(0, |file| file.len());
        if there == BALLAST_BYTES as u64 {
            self.told = false;
            return;
        }
        let taken = room.and_then(|room| {
            // What a crash left of it counts as room.
            if room + there < BALLAST_BYTES as u64 + BESIDE_BYTES {
                return Err(io::Error::from(ErrorKind::StorageFull));
            }
            self.fill().inspect_err(|_| {
                // Half of it would be room that nobody gets; that it stays is no new fault.
                let _ = std::fs::remove_file(&self.path);
            })
        });
        match taken {
            Ok(()) => self.told = false,
            Err(error) if !self.told => {
                self.told = true;
                tracing::warn!(path = %self.path.display(), %error, "no room for the projection's ballast");
            }
            Err(_) => {}
        }
    }

    /// Gives the room away.
    pub(super) fn free(&mut self) {
        match std::fs::remove_file(&self.path) {
            Ok(()) => {
                tracing::warn!(path = %self.path.display(), "disk is full, the projection's ballast is freed");
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => tracing::error!(path = %self.path.display(), %error, "the ballast cannot be freed"),
        }
    }

    fn fill(&self) -> io::Result<()> {
        let mut file = File::create(&self.path)?;
        let block = vec![0; 64 * 1024];
        for _ in 0..BALLAST_BYTES / block.len() {
            file.write_all(&block)?;
        }
        file.sync_data()
    }
}

/// Room that this process may use on the disk of a file, bytes.
fn room_beside(path: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(path.parent().unwrap_or(path))?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_room_of_a_disk_is_not_taken() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut ballast = Ballast::beside(&dir.path().join("state.db"));
        let whole = BALLAST_BYTES as u64;
        for (room, there) in [(0, false), (whole, false), (whole + BESIDE_BYTES, true), (0, true)] {
            ballast.restore_in(Ok(room));
            assert_eq!((ballast.path.exists(), ballast.told), (there, !there), "room for {room}");
        }
        // Cut off by a crash: what there is of it counts.
        File::options().write(true).open(&ballast.path).and_then(|it| it.set_len(whole / 2)).expect("ours");
        ballast.restore_in(Ok(whole / 2 + BESIDE_BYTES));
        assert_eq!(ballast.path.metadata().expect("it is there").len(), whole);
        ballast.free();
        ballast.restore();
        assert!(ballast.path.exists(), "a disk with room for tests has room for it");
    }
}
