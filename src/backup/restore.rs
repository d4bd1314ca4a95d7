//! Putting a backup in place.

use std::fs::{self, File};
use std::path::{Component, Path};

use super::make::make_folder;
use super::{BackupError, FORMAT, MANIFEST, Manifest, sum};
use crate::log::Log;
use crate::ports::Copied;

/// Puts the backup `from` in place as `data`, which must hold no log. All of
/// it is checked before it counts; until then it stands beside `data` under
/// another name. It has no note of its place, so its first start is held.
pub fn restore(from: &Path, data: &Path, progress: Copied<'_>) -> Result<Manifest, BackupError> {
    let manifest = read(from)?;
    if Log::exists(data) || fs::read_dir(data).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(BackupError::InTheWay(data.to_owned()));
    }
    let name = data.file_name().ok_or_else(|| {
        BackupError::unsound(data, "names no folder", "the path of a data directory to be made")
    })?;
    let beside = data.with_file_name(format!("{}.restoring", name.to_string_lossy()));
    // What an interrupted restore left there was never a data directory.
    let _ = fs::remove_dir_all(&beside);
    make_folder(&beside)?;
    for entry in &manifest.files {
        let (source, target) = (from.join(&entry.path), beside.join(&entry.path));
        if let Some(folder) = target.parent() {
            make_folder(folder)?;
        }
        fs::copy(&source, &target).map_err(BackupError::io(&source))?;
        let (bytes, sha256) = sum(&target, progress).map_err(BackupError::io(&target))?;
        if (bytes, &sha256) != (entry.bytes, &entry.sha256) {
            let what = format!("{bytes} bytes with SHA-256 {sha256}");
            let expected = format!("{} bytes with {}, as it was backed up", entry.bytes, entry.sha256);
            return Err(BackupError::unsound(&source, what, expected));
        }
        File::open(&target).and_then(|file| file.sync_all()).map_err(BackupError::io(&target))?;
    }
    let placed = || {
        // An empty folder may stand there; a rename replaces it.
        fs::rename(&beside, data)?;
        let parent = data.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
    };
    placed().map_err(BackupError::io(data))?;
    Ok(manifest)
}

fn read(from: &Path) -> Result<Manifest, BackupError> {
    let path = from.join(MANIFEST);
    let bytes = fs::read(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            BackupError::unsound(&path, "not there", "the folder of a finished `forewarn backup`")
        }
        _ => BackupError::io(&path)(error),
    })?;
    let manifest: Manifest = serde_json::from_slice(&bytes)
        .map_err(|error| BackupError::unsound(&path, error.to_string(), "the manifest of a backup"))?;
    if manifest.format != FORMAT {
        let what = format!("form {} of release {}", manifest.format, manifest.forewarn);
        return Err(BackupError::unsound(
            &path,
            what,
            format!("form {FORMAT}: restore it with that release"),
        ));
    }
    let stays = |path: &str| Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    if let Some(strange) = manifest.files.iter().find(|entry| !stays(&entry.path)) {
        return Err(BackupError::unsound(
            &path,
            format!("names {:?}", strange.path),
            "files inside the data directory",
        ));
    }
    Ok(manifest)
}
