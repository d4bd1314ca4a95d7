//! What can go wrong with the log, by what the caller can do about it.

use std::io;
use std::path::PathBuf;

use forewarn_core::engine::ENGINE_VERSION;
use forewarn_core::ids::Position;

use super::codec::engine_of;
use super::meta::Stamp;
use super::segment::name;

/// Why the log did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Another process has the directory. Stop it, or read beside it with `Records::open_read_only`.
    #[error("{} is in use by {}, expected one writer a data directory", dir.display(), process(*pid))]
    Locked {
        /// The data directory.
        dir: PathBuf,
        /// Who has it, where its lock file says so.
        pid: Option<u32>,
    },
    /// The directory belongs to the other world. Use another one.
    #[error(
        "the data directory is stamped {found}, expected {asked}: data of a drill never serve live, nor the other way round"
    )]
    Stamp {
        /// What it was stamped at its creation.
        found: Stamp,
        /// What the service wants to run as.
        asked: Stamp,
    },
    /// There is a log already. Open it.
    #[error("{} holds a log already, expected an empty directory", .0.display())]
    Exists(PathBuf),
    /// There is no log. Create it.
    #[error("no log here, expected log.meta or a segment in log/")]
    Missing,
    /// No room. Nothing was written; ask again, it comes back by itself.
    #[error("no room in the log for {bytes} bytes: {reason}")]
    NoSpace {
        /// What was asked for.
        bytes: u64,
        /// Why there is none.
        reason: String,
    },
    /// Larger than any segment can hold. Split it.
    #[error("a record of {bytes} bytes is too large, expected at most {max}")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// What one record may take.
        max: u64,
    },
    /// The record does not follow on the last one: a defect of the caller.
    #[error("record begins at position {found}, expected {expected}", found = found.0, expected = expected.0)]
    OutOfOrder {
        /// Where the log stands.
        expected: Position,
        /// Where the record says it begins.
        found: Position,
    },
    /// A write or a sync failed: what is on the disk is not known. Abort the
    /// process; its next start finds out. Never to be retried.
    #[error("{what} failed, the process must stop: {source}")]
    Fatal {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// Something could not be read or made while opening or trimming.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// The reader wants what is no longer kept.
    #[error(
        "position {wanted} was trimmed, the log begins at {first}: what follows it must be rebuilt from there",
        wanted = wanted.0,
        first = first.0
    )]
    Trimmed {
        /// What was asked for.
        wanted: Position,
        /// The oldest position kept.
        first: Position,
    },
    /// A record whose checksum is good cannot be decoded: a newer version wrote it.
    #[error(
        "{file}: record at position {first} does not decode ({reason}), {wrote}",
        first = first.0,
        wrote = by_whom(*engine)
    )]
    Unreadable {
        /// The file it stands in.
        file: String,
        /// Its first position.
        first: Position,
        /// The engine version that wrote it, where that much can be read.
        engine: Option<u32>,
        /// What the decoder said.
        reason: String,
    },
    /// Log or file does not say what it must.
    #[error("{0}")]
    Corrupt(String),
}

impl LogError {
    /// Wraps what the system said with what was tried.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> LogError {
        let what = what.into();
        move |source| LogError::Io { what, source }
    }

    /// Says which record it is that does not decode, and who wrote it.
    pub(crate) fn unreadable(
        generation: u64,
        first: Position,
        body: &[u8],
    ) -> impl FnOnce(minicbor::decode::Error) -> LogError {
        move |error| LogError::Unreadable {
            file: name(generation),
            first,
            engine: engine_of(body),
            reason: error.to_string(),
        }
    }

    /// The same for what must never be retried.
    pub(crate) fn fatal(what: impl Into<String>) -> impl FnOnce(io::Error) -> LogError {
        let what = what.into();
        move |source| LogError::Fatal { what, source }
    }
}

/// What a record's engine version says of whoever wants to read it.
fn by_whom(engine: Option<u32>) -> String {
    match engine {
        Some(engine) if engine > ENGINE_VERSION => format!(
            "engine version {engine} wrote it, expected {ENGINE_VERSION} or earlier: run the release that wrote it, \
             or restore a backup from before it"
        ),
        Some(_) | None => "expected one of this or an earlier version".to_owned(),
    }
}

fn process(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}
