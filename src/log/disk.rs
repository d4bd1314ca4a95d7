//! The few things the log asks of a disk, so that a test disk can lose, tear
//! and refuse what a real one may.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes written at once while a segment is filled with zeroes.
const ZEROES_BYTES: usize = 1 << 20;

/// One data directory. Names are relative to it, with `/` between folder and file.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Names of the files in a folder; none when there is no such folder.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;

    /// Opens a file that is there.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Makes a file of zeroes, each page of it written and synced, so that
    /// later writes allocate nothing. On failure nothing of it is left.
    fn allocate(&self, name: &str, bytes: u64) -> io::Result<()>;

    /// Puts a small file in place whole, durably: it is there with all its bytes, or as before.
    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Gives a file another name, durably.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
}

/// One open file.
pub trait DiskFile: Send + Sync + fmt::Debug {
    /// Bytes in it.
    fn length(&self) -> io::Result<u64>;

    /// Fills the buffer from `offset` on; returns how much there was of it.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes all of it at `offset`.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Returns once what was written is durable.
    fn sync(&self) -> io::Result<()>;
}

/// A directory of the file system.
#[derive(Debug)]
pub struct RealDisk {
    root: PathBuf,
    mode: Mode,
}

#[derive(Debug, Clone, Copy)]
enum Mode {
    Write,
    Read,
}

impl RealDisk {
    /// For the one writer.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        RealDisk { root: root.into(), mode: Mode::Write }
    }

    /// For commands beside a running service: its files are opened for reading only.
    pub fn read_only(root: impl Into<PathBuf>) -> Self {
        RealDisk { root: root.into(), mode: Mode::Read }
    }

    fn prepared(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.root.join(name);
        if let Some(folder) = path.parent()
            && !folder.is_dir()
        {
            fs::create_dir_all(folder)?;
            folder.parent().map_or(Ok(()), sync_folder)?;
        }
        Ok(path)
    }
}

impl Disk for RealDisk {
    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.root.join(folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
            Err(error) => return Err(error),
        };
        let mut names = vec![];
        for entry in entries {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let write = matches!(self.mode, Mode::Write);
        let file = OpenOptions::new().read(true).write(write).open(self.root.join(name))?;
        Ok(Arc::new(RealFile(file)))
    }

    fn allocate(&self, name: &str, bytes: u64) -> io::Result<()> {
        let path = self.prepared(name)?;
        let filled = fill(&path, bytes);
        if filled.is_err() {
            // What is left of it would only keep the disk full; that it may be gone already is fine.
            let _ = fs::remove_file(&path);
        }
        filled
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.prepared(name)?;
        put_file(&path, bytes)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let path = self.prepared(to)?;
        fs::rename(self.root.join(from), &path)?;
        path.parent().map_or(Ok(()), sync_folder)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.root.join(name))
    }
}

fn fill(path: &Path, bytes: u64) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    let zeroes = vec![0; ZEROES_BYTES.min(bytes as usize)];
    let mut left = bytes;
    while left > 0 {
        let now = zeroes.len().min(left as usize);
        file.write_all(&zeroes[..now])?;
        left -= now as u64;
    }
    file.sync_all()?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Writes a file beside its place, syncs it, moves it there and syncs the folder.
pub(crate) fn put_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = File::create(&beside)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if let Err(error) = written.and_then(|()| fs::rename(&beside, path)) {
        let _ = fs::remove_file(&beside);
        return Err(error);
    }
    path.parent().map_or(Ok(()), sync_folder)
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    // The parent of a relative name may be the empty path: the directory we are in.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}

#[derive(Debug)]
struct RealFile(File);

impl DiskFile for RealFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = 0;
        while read < buffer.len() {
            match self.0.read_at(&mut buffer[read..], offset + read as u64) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}
