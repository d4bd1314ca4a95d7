//! The files of a trail: `audit/` in the data directory, a file a stretch of it,
//! named by its first line, and beside them the head.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::AuditError;
use super::chain::{Head, Line, Link, Sealed};
use super::deed::Deed;
use crate::log::{put_file, sync_folder};

/// The folder in the data directory.
pub const FOLDER: &str = "audit";
/// The file of the head.
const HEAD: &str = "head.json";
/// A file that is as long as this is the last no more.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Files at most, 16 GiB: then the oldest goes. It is years of a busy service.
const FILES_MAX: usize = 256;
/// What a file begins with: the hash of the line before its first.
const PREFACE: &str = "{\"after\":\"";

/// A trail, open to be written.
#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
    path: PathBuf,
    file: File,
    bytes: u64,
    head: Head,
    /// How many lines there should be and are not.
    missing: u64,
}

/// Where the log is to be taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    /// The position that may be told in part.
    pub(super) position: u64,
    /// How many deeds of it are told; `None` where all of it is.
    pub(super) told: Option<usize>,
}

impl Files {
    /// Opens it, or begins it. A last line that is no whole one was being written
    /// when the power went: it is cut off, and told anew from the log.
    pub(super) fn open(data: &Path, log: &str) -> Result<(Files, Place), AuditError> {
        let folder = data.join(FOLDER);
        fs::create_dir_all(&folder).map_err(|error| AuditError::Io(folder.clone(), error))?;
        let head = read_head(&folder)?.unwrap_or_else(|| Head::first(log));
        match files(&folder)?.pop() {
            None => {
                let missing = head.lines;
                let place = Place { position: head.log, told: None };
                Ok((Files { missing, ..begin(folder, head)? }, place))
            }
            Some(path) => resume(folder, path, head),
        }
    }

    /// How far it goes.
    pub(super) fn head(&self) -> &Head {
        &self.head
    }

    /// How many lines its head knows of that are not there.
    pub(super) fn missing(&self) -> u64 {
        self.missing
    }

    /// Appends a line; not on the disk before [`Files::sync`].
    pub(super) fn append(&mut self, deed: &Deed) -> Result<(), AuditError> {
        if self.bytes >= FILE_BYTES_MAX {
            self.sync()?;
            *self = begin(self.folder.clone(), self.head.clone())?;
            self.forget_oldest()?;
        }
        let n = self.head.lines + 1;
        let (text, hash) = Line::of(deed, n).seal(&self.head.hash);
        self.write(&text)?;
        (self.head.lines, self.head.hash) = (n, hash);
        Ok(())
    }

    /// All of the log up to there is told.
    pub(super) fn reached(&mut self, position: u64) {
        self.head.log = self.head.log.max(position);
    }

    /// Puts on the disk what was appended, and then how far it goes.
    pub(super) fn sync(&mut self) -> Result<(), AuditError> {
        let io = |error| AuditError::Io(self.path.clone(), error);
        self.file.sync_data().map_err(io)?;
        let head = serde_json::to_vec(&self.head).expect("a head has no key that is no text");
        let path = self.folder.join(HEAD);
        put_file(&path, &head).map_err(|error| AuditError::Io(path, error))
    }

    fn write(&mut self, text: &str) -> Result<(), AuditError> {
        let written = self.file.write_all(text.as_bytes());
        if let Err(error) = written {
            // Half a line must not stay before the next one.
            let whole = self.file.set_len(self.bytes).and_then(|()| self.file.seek(SeekFrom::End(0)));
            return Err(AuditError::Io(self.path.clone(), whole.err().unwrap_or(error)));
        }
        self.bytes += text.len() as u64;
        Ok(())
    }

    fn forget_oldest(&self) -> Result<(), AuditError> {
        let files = files(&self.folder)?;
        let over = files.len().saturating_sub(FILES_MAX);
        for path in &files[..over] {
            fs::remove_file(path).map_err(|error| AuditError::Io(path.clone(), error))?;
        }
        Ok(())
    }
}

/// A new file that goes on from there.
fn begin(folder: PathBuf, head: Head) -> Result<Files, AuditError> {
    let path = folder.join(format!("{:010}.jsonl", head.lines + 1));
    let opened = OpenOptions::new().create_new(true).append(true).open(&path);
    let file = opened.map_err(|error| AuditError::Io(path.clone(), error))?;
    sync_folder(&folder).map_err(|error| AuditError::Io(folder.clone(), error))?;
    let mut files = Files { folder, path, file, bytes: 0, head, missing: 0 };
    files.write(&format!("{PREFACE}{}\"}}\n", files.head.hash))?;
    Ok(files)
}

/// The last file, after its last whole line. What stands behind the head was
/// written and not yet counted.
fn resume(folder: PathBuf, path: PathBuf, noted: Head) -> Result<(Files, Place), AuditError> {
    let io = |error| AuditError::Io(path.clone(), error);
    let (mut whole, mut told) = (0, 0);
    let mut head: Option<Head> = None;
    let mut reader = BufReader::new(File::open(&path).map_err(io)?);
    let mut text = String::new();
    while reader.read_line(&mut text).map_err(io)? > 0 && text.ends_with('\n') {
        let trimmed = text.trim_end();
        head = match (head, preface(trimmed), Line::read(trimmed)) {
            (None, Some(after), _) => {
                let lines = first_of(&path).saturating_sub(1);
                Some(Head { lines, hash: after, log: 0 })
            }
            (Some(before), _, Ok(sealed)) => {
                let log = sealed.line.log.unwrap_or(before.log);
                told = if log == before.log { told + usize::from(sealed.line.log.is_some()) } else { 1 };
                Some(Head { lines: sealed.line.n, hash: sealed.hash, log })
            }
            // Something strange among what the head counted is kept, for whoever looks into it.
            (Some(before), _, Err(_)) if before.lines < noted.lines => Some(before),
            (before, _, _) => {
                head = before;
                break;
            }
        };
        whole += text.len() as u64;
        text.clear();
    }
    let Some(head) = head else {
        // Not even its beginning got to the disk.
        fs::remove_file(&path).map_err(io)?;
        let place = Place { position: noted.log, told: None };
        return Ok((begin(folder, noted)?, place));
    };
    let mut file = OpenOptions::new().write(true).open(&path).map_err(io)?;
    file.set_len(whole).and_then(|()| file.seek(SeekFrom::End(0))).map_err(io)?;
    let missing = noted.lines.saturating_sub(head.lines);
    // What the head counted was told in whole; what stands behind it, perhaps not.
    let place = if noted.lines >= head.lines {
        Place { position: noted.log, told: None }
    } else {
        Place { position: head.log, told: Some(told) }
    };
    // Lines that are missing keep their numbers, so that nobody fills their place.
    let head = Head { lines: head.lines.max(noted.lines), log: place.position, ..head };
    Ok((Files { folder, path, file, bytes: whole, head, missing }, place))
}

/// How far the trail of a data directory goes, as it says itself; `None` where there is none.
pub fn head(data: &Path) -> Result<Option<Head>, AuditError> {
    read_head(&data.join(FOLDER))
}

fn read_head(folder: &Path) -> Result<Option<Head>, AuditError> {
    let path = folder.join(HEAD);
    match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| AuditError::Line(path, 1, error.to_string())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(AuditError::Io(path, error)),
    }
}

/// The files of a trail, oldest first.
fn files(folder: &Path) -> Result<Vec<PathBuf>, AuditError> {
    let io = |error| AuditError::Io(folder.to_owned(), error);
    let mut files = vec![];
    for entry in fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.extension().is_some_and(|it| it == "jsonl") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn first_of(path: &Path) -> u64 {
    path.file_stem().and_then(|stem| stem.to_str()?.parse().ok()).unwrap_or(1)
}

fn preface(text: &str) -> Option<Link> {
    Some(text.strip_prefix(PREFACE)?.strip_suffix("\"}")?.to_owned())
}

/// What a walk over all files meets.
#[derive(Debug)]
pub(super) enum Met {
    /// A file begins, which goes on from this hash; its first line has this number.
    Preface(Link, u64),
    /// A line.
    Line(Box<Sealed>),
    /// Something that is no line.
    Strange(String),
}

/// Walks over all files in order; tells where each thing stands.
pub(super) fn walk(data: &Path, mut meet: impl FnMut(&Path, u64, Met)) -> Result<(), AuditError> {
    let folder = data.join(FOLDER);
    if !folder.exists() {
        return Ok(());
    }
    for path in files(&folder)? {
        let io = |error| AuditError::Io(path.clone(), error);
        let reader = BufReader::new(File::open(&path).map_err(io)?);
        for (number, text) in (1..).zip(reader.split(b'\n')) {
            let text = text.map_err(io)?;
            let met = match std::str::from_utf8(&text) {
                Ok(text) if number == 1 => match preface(text) {
                    Some(after) => Met::Preface(after, first_of(&path)),
                    None => Met::Strange("it does not begin as a file of the trail does".into()),
                },
                Ok(text) => Line::read(text).map_or_else(Met::Strange, |line| Met::Line(Box::new(line))),
                Err(error) => Met::Strange(error.to_string()),
            };
            meet(&path, number, met);
        }
    }
    Ok(())
}

/// The newest lines of a trail, newest first, without a look at whether they hold.
pub fn lines(data: &Path, limit: usize) -> Result<Vec<Line>, AuditError> {
    let mut newest = std::collections::VecDeque::new();
    walk(data, |_, _, met| {
        if let Met::Line(sealed) = met {
            newest.push_front(sealed.line);
            newest.truncate(limit);
        }
    })?;
    Ok(newest.into())
}
