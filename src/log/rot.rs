//! Records that do not read back: kept aside, reported, never taken for a tear.

use std::path::PathBuf;

use forewarn_core::ids::Position;

use super::disk::Disk;
use super::segment::{Segment, name};

/// Bytes of one rotten stretch that are copied to quarantine; the rest stays in its segment.
pub const QUARANTINE_BYTES_MAX: u64 = 16 << 20;

/// A stretch of the log that does not read back as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rot {
    /// The file, in the data directory.
    pub file: String,
    /// Where it begins.
    pub offset: u64,
    /// How many bytes.
    pub bytes: u64,
    /// First and last position that were lost, where that is known.
    pub positions: Option<(Position, Position)>,
    /// The copy, in the data directory.
    pub quarantined: Option<PathBuf>,
    /// What is wrong with it, in words.
    pub reason: String,
}

/// A record that was cut off: it was never acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Torn {
    /// In which segment.
    pub generation: u64,
    /// From where on.
    pub offset: u64,
    /// The position it would have begun at.
    pub first: Position,
}

impl std::fmt::Display for Rot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.bytes {
            0 => write!(f, "{}: {}", self.file, self.reason)?,
            bytes => write!(f, "{} at {}: {bytes} bytes {}", self.file, self.offset, self.reason)?,
        }
        if let Some((first, last)) = self.positions {
            write!(f, "; positions {}..{} are lost", first.0, last.0)?;
        }
        Ok(())
    }
}

impl Rot {
    /// Of a stretch of a segment; `lost` are the positions that should be there.
    pub(crate) fn stretch(
        segment: &Segment,
        (offset, until): (u64, u64),
        lost: Option<(Position, Position)>,
        reason: &str,
    ) -> Rot {
        Rot {
            file: name(segment.generation),
            offset,
            bytes: until - offset,
            positions: lost.filter(|(first, last)| first <= last),
            quarantined: None,
            reason: reason.to_owned(),
        }
    }

    /// Copies the bytes to `quarantine/`. That this fails is said in the
    /// reason: the bytes themselves stay where they are.
    pub(crate) fn quarantine(mut self, disk: &dyn Disk, segment: &Segment) -> Rot {
        if self.bytes == 0 {
            return self;
        }
        let copy = format!("quarantine/{:016x}-{:x}.bin", segment.generation, self.offset);
        let mut bytes = vec![0; self.bytes.min(QUARANTINE_BYTES_MAX) as usize];
        let copied = disk.open(&copy).and_then(|there| there.length()).is_ok_and(|length| length > 0);
        let result = if copied {
            Ok(())
        } else {
            segment.file.read_at(self.offset, &mut bytes).and_then(|read| disk.put(&copy, &bytes[..read]))
        };
        match result {
            Ok(()) => self.quarantined = Some(copy.into()),
            Err(error) => self.reason = format!("{}; not copied to quarantine: {error}", self.reason),
        }
        self
    }
}
