//! The way back to the release before: its last snapshot stays, and the log
//! after it, until somebody confirms that the new one does well.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use forewarn_core::ids::Position;
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use super::snapshots;
use crate::log::put_file;

/// This release.
pub const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// In the data directory: which release wrote there last.
const FILE: &str = "release";

/// What stands in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Written {
    release: String,
    #[serde(default)]
    before: Option<Before>,
}

/// The release before, while there is a way back to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// Its version; nothing where it did not say.
    pub release: Option<String>,
    /// Of its last snapshot.
    position: u64,
}

impl Before {
    /// As people say it: `0.1.0`, or that it is not known.
    pub fn named(&self) -> &str {
        self.release.as_deref().unwrap_or("an earlier release")
    }
}

/// Whether the data directory was upgraded, and what is kept for that.
#[derive(Debug)]
pub struct Upgrade {
    file: PathBuf,
    release: String,
    before: Mutex<Option<Before>>,
}

impl Upgrade {
    /// At a start of this release, before it takes a snapshot of its own. The
    /// way back stays open until it is confirmed, however many releases come.
    pub fn begin(data: &Path, release: &str) -> io::Result<Arc<Upgrade>> {
        let dir = snapshots::folder(data);
        let file = data.join(FILE);
        let written = read(&file);
        let newest = snapshots::newest(data);
        // A directory that knows of no release was written before releases were noted.
        let last = |release| (newest > Position(0)).then_some(Before { release, position: newest.0 });
        let before = match &written {
            None => last(None),
            Some(same) if same.release == release => same.before.clone(),
            Some(Written { before: Some(before), .. }) if before.release.as_deref() == Some(release) => {
                info!(release, "the release before runs again: an upgrade was taken back");
                None
            }
            Some(Written { before: Some(before), .. }) => Some(before.clone()),
            Some(other) => last(Some(other.release.clone())),
        };
        let before = before.filter(|it| snapshots::path(&dir, Position(it.position)).exists());
        let upgrade = Upgrade { file, release: release.to_owned(), before: Mutex::new(before.clone()) };
        let now = Written { release: release.to_owned(), before };
        if written.as_ref() != Some(&now) {
            upgrade.write(&now)?;
        }
        if let Some(before) = &now.before {
            let from = before.named();
            info!(
                from,
                release, "upgraded: the last snapshot before it is kept until the upgrade is confirmed"
            );
        }
        Ok(Arc::new(upgrade))
    }

    /// The release before, if the upgrade is not confirmed yet.
    pub fn before(&self) -> Option<Before> {
        self.before.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Position of the snapshot that is kept for the way back.
    pub(super) fn kept(&self) -> Option<Position> {
        self.before().map(|before| Position(before.position))
    }

    /// Gives the way back up: what was kept for it goes in time. Which release
    /// that was, or nothing where there was none.
    pub fn confirm(&self) -> io::Result<Option<Before>> {
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        if before.is_some() {
            self.write(&Written { release: self.release.clone(), before: None })?;
        }
        Ok(before.take())
    }

    /// On a disk that fills, readings are worth more than a way back.
    pub(super) fn yield_room(&self) {
        match self.confirm() {
            Ok(None) => {}
            Ok(Some(before)) => {
                let from = before.named();
                warn!(from, "the disk fills: what was kept for the way back to the release before is let go");
            }
            Err(error) => warn!(%error, "what is kept for the way back to the release before stays"),
        }
    }

    fn write(&self, written: &Written) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(written)?;
        bytes.push(b'\n');
        put_file(&self.file, &bytes)
    }
}

fn read(file: &Path) -> Option<Written> {
    let bytes = fs::read(file).ok()?;
    serde_json::from_slice(&bytes)
        .inspect_err(
            |error| warn!(path = %file.display(), %error, "it does not say which release wrote here"),
        )
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn before(release: Option<&str>, position: u64) -> Before {
        Before { release: release.map(str::to_owned), position }
    }

    /// A directory with snapshots at these positions.
    fn directory(positions: &[u64]) -> tempfile::TempDir {
        let data = tempfile::tempdir().expect("a temporary directory");
        let dir = snapshots::folder(data.path());
        fs::create_dir_all(&dir).expect("writable");
        for position in positions {
            fs::write(snapshots::path(&dir, Position(*position)), "a snapshot").expect("writable");
        }
        data
    }

    /// Starts one release after another; what is kept after the last start.
    fn check(positions: &[u64], releases: &[&str], expected: Option<&Before>) {
        let data = directory(positions);
        let mut found = None;
        for release in releases {
            found = Upgrade::begin(data.path(), release).expect("writable").before();
        }
        assert_eq!(found.as_ref(), expected, "{positions:?} {releases:?}");
    }

    #[test]
    fn what_the_release_before_left_is_kept_until_confirmed() {
        check(&[], &["0.2.0"], None);
        check(&[], &["0.2.0", "0.3.0"], None);
        check(&[10, 20], &["0.2.0"], Some(&before(None, 20)));
        check(&[10, 20], &["0.2.0", "0.2.0"], Some(&before(None, 20)));
        let data = directory(&[]);
        let begin = |release| Upgrade::begin(data.path(), release).expect("writable");
        assert_eq!(begin("0.1.0").before(), None);
        let snapshot = snapshots::path(&snapshots::folder(data.path()), Position(30));
        fs::write(&snapshot, "a snapshot").expect("writable");
        assert_eq!(begin("0.1.0").before(), None, "one's own");
        assert_eq!(begin("0.2.0").before(), Some(before(Some("0.1.0"), 30)));
        assert_eq!(begin("0.3.0").before(), Some(before(Some("0.1.0"), 30)), "none confirmed in between");
        let upgrade = begin("0.3.0");
        assert_eq!(upgrade.confirm().expect("writable"), Some(before(Some("0.1.0"), 30)));
        assert_eq!((upgrade.confirm().expect("writable"), upgrade.kept()), (None, None));
        assert_eq!(begin("0.3.0").before(), None, "confirmed for good");
        assert_eq!(begin("0.4.0").before(), Some(before(Some("0.3.0"), 30)));
        assert_eq!(begin("0.3.0").before(), None, "taken back");
        fs::write(data.path().join(FILE), "rot").expect("writable");
        assert_eq!(begin("0.3.0").before(), Some(before(None, 30)), "rather keep one too many");
        begin("0.3.0").yield_room();
        assert_eq!(begin("0.3.0").before(), None, "a disk that fills takes it");
        fs::write(data.path().join(FILE), "rot").expect("writable");
        fs::remove_file(snapshot).expect("writable");
        assert_eq!(begin("0.3.0").before(), None, "nothing is there to keep");
    }
}
