//! Taking a backup beside the running service: nothing is locked, nothing waits.

use std::fs::{self, DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::{BackupError, Entry, FORMAT, MANIFEST, Manifest, sum};
use crate::accounts;
use crate::log::{Identity, Records, segments};
use crate::ports::Copied;

/// Databases, copied as they stand at one moment.
const DATABASES: [&str; 4] = ["state.db", "readings.db", "cap.db", accounts::FILE];

/// Files copied as they are, where they are there.
const FILES: [&str; 3] = ["log.meta", "targets.toml", "release"];

/// How often the log is copied anew because a segment of it was let go meanwhile.
const TRIES: u32 = 5;

/// Makes a backup of `data` in `to`, which must be new or empty; `made` is the
/// wall time that it notes. Returns what it holds.
pub fn make(
    data: &Path,
    to: &Path,
    made: forewarn_core::time::Timestamp,
    progress: Copied<'_>,
) -> Result<Manifest, BackupError> {
    let identity = Identity::of(data)?;
    new_folder(to)?;
    let mut copy = Copy { data, to, files: Vec::new(), progress };
    copy.folder("snapshots", "snap")?;
    for database in DATABASES {
        copy.database(database)?;
    }
    accounts::forget_sessions(to)?;
    // Behind the log, which tells it the rest; and its head not beyond its lines.
    copy.folder("audit", "json")?;
    copy.folder("audit", "jsonl")?;
    copy.log()?;
    // A plan is saved before the record that names it: now all are there.
    copy.folder("plans", "plan")?;
    copy.folder("quarantine", "")?;
    for file in FILES {
        copy.file(file)?;
    }
    let files = copy.sealed()?;
    let mut position = 0;
    for record in Records::open_read_only(to, forewarn_core::ids::Position(0))? {
        position = record?.last().0;
    }
    let manifest = Manifest {
        format: FORMAT,
        forewarn: env!("CARGO_PKG_VERSION").to_owned(),
        log: identity.log.to_string(),
        stamp: identity.stamp.word().to_owned(),
        position,
        made,
        files,
    };
    seal(to, &manifest)?;
    Ok(manifest)
}

struct Copy<'a> {
    data: &'a Path,
    to: &'a Path,
    /// What was copied, in the data directory's own names.
    files: Vec<String>,
    progress: Copied<'a>,
}

impl Copy<'_> {
    /// One file; nothing where there is none.
    fn file(&mut self, name: &str) -> Result<(), BackupError> {
        let from = self.data.join(name);
        if !from.exists() {
            return Ok(());
        }
        fs::copy(&from, self.to.join(name)).map_err(BackupError::io(&from))?;
        self.files.push(name.to_owned());
        Ok(())
    }

    /// The files of a folder with this ending; what goes away meanwhile is not needed any more.
    fn folder(&mut self, name: &str, ending: &str) -> Result<(), BackupError> {
        let from = self.data.join(name);
        let Ok(entries) = fs::read_dir(&from) else { return Ok(()) };
        make_folder(&self.to.join(name))?;
        for entry in entries {
            let path = entry.map_err(BackupError::io(&from))?.path();
            let file = path.file_name().and_then(|file| file.to_str()).unwrap_or_default();
            let is_meant = ending.is_empty() || path.extension().is_some_and(|found| found == ending);
            if !is_meant || !path.is_file() {
                continue;
            }
            let name = format!("{name}/{file}");
            match fs::copy(&path, self.to.join(&name)) {
                Ok(_) => self.files.push(name),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(BackupError::io(&path)(error)),
            }
        }
        Ok(())
    }

    /// A database as it stands at one moment, while others write to it.
    fn database(&mut self, name: &str) -> Result<(), BackupError> {
        let path = self.data.join(name);
        if !path.exists() {
            return Ok(());
        }
        let fault = |source| BackupError::Database { path: path.clone(), source };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let source = Connection::open_with_flags(&path, flags).map_err(fault)?;
        let to = self.to.join(name);
        source.execute("VACUUM INTO ?1", [to.to_string_lossy()]).map_err(fault)?;
        self.files.push(name.to_owned());
        Ok(())
    }

    /// The segments, oldest first. One that is let go while it is copied is
    /// used again under another name: then what was copied of it is nothing,
    /// and all begins anew.
    fn log(&mut self) -> Result<(), BackupError> {
        let folder = self.to.join("log");
        make_folder(&folder)?;
        for _ in 0..TRIES {
            let seen = segments(self.data)?;
            let copied: Vec<Option<String>> =
                seen.iter().map(|segment| self.segment(&segment.file)).collect::<Result<_, _>>()?;
            if let Some(files) = copied.into_iter().collect::<Option<Vec<String>>>() {
                self.files.extend(files);
                return Ok(());
            }
            fs::remove_dir_all(&folder).map_err(BackupError::io(&folder))?;
            make_folder(&folder)?;
        }
        Err(BackupError::Overtaken(TRIES))
    }

    /// One segment; `None` where it was let go.
    fn segment(&self, name: &str) -> Result<Option<String>, BackupError> {
        let from = self.data.join(name);
        let inode = |path: &PathBuf| fs::metadata(path).ok().map(|it| it.ino());
        let before = inode(&from);
        match fs::copy(&from, self.to.join(name)) {
            Ok(_) => Ok((before.is_some() && inode(&from) == before).then(|| name.to_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(BackupError::io(&from)(error)),
        }
    }

    /// Sums and syncs all that was copied.
    fn sealed(self) -> Result<Vec<Entry>, BackupError> {
        let entry = |name: String| {
            let path = self.to.join(&name);
            let synced = File::open(&path).and_then(|file| file.sync_all());
            let summed = synced.and_then(|()| sum(&path, self.progress));
            let (bytes, sha256) = summed.map_err(BackupError::io(&path))?;
            Ok(Entry { path: name, bytes, sha256 })
        };
        self.files.into_iter().map(entry).collect()
    }
}

/// Writes the manifest, last of all.
fn seal(to: &Path, manifest: &Manifest) -> Result<(), BackupError> {
    let path = to.join(MANIFEST);
    let written = || {
        let mut file = File::create(&path)?;
        serde_json::to_writer_pretty(&mut file, manifest)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        File::open(to)?.sync_all()
    };
    written().map_err(BackupError::io(&path))
}

/// Makes a folder, or takes an empty one.
fn new_folder(folder: &Path) -> Result<(), BackupError> {
    match fs::read_dir(folder).map(|mut entries| entries.next().is_some()) {
        Ok(true) => Err(BackupError::InTheWay(folder.to_owned())),
        Ok(false) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => make_folder(folder),
        Err(error) => Err(BackupError::io(folder)(error)),
    }
}

/// For its owner alone, as the data directory is.
pub(super) fn make_folder(folder: &Path) -> Result<(), BackupError> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(BackupError::io(folder))
}
