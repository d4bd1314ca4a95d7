//! Segment files: names, and how one begins its life.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use forewarn_core::ids::Position;
use forewarn_core::time::Timestamp;

use super::disk::{Disk, DiskFile};
use super::frame::{HEAD_BYTES, Head, NAMES, Seed};
use super::indices::Indices;
use super::meta::{Meta, PREFACE_BYTES, Preface};
use super::walk::Walk;

/// Folder of the segments in a data directory.
pub(crate) const FOLDER: &str = "log";
const ENDING: &str = ".seg";
const SPARE: &str = "spare-";

/// A segment in use.
#[derive(Debug)]
pub(crate) struct Segment {
    /// Its number among all segments ever begun.
    pub(crate) generation: u64,
    /// Position of the first event in it.
    pub(crate) first: Position,
    /// Engine time of the last record before it; `None` where its preface is lost.
    pub(crate) before: Option<Timestamp>,
    /// The file.
    pub(crate) file: Arc<dyn DiskFile>,
    /// Bytes in the file.
    pub(crate) length: u64,
    /// What its checksums begin with.
    pub(crate) seed: Seed,
    /// Set once it was trimmed: what its file holds from then on is another's.
    pub(crate) gone: AtomicBool,
}

impl Segment {
    /// Walks its frames, up to `limit`.
    pub(crate) fn walk(&self, limit: u64) -> Walk {
        Walk::new(Arc::clone(&self.file), self.seed.clone(), PREFACE_BYTES, limit.min(self.length))
    }

    /// Whether it was trimmed.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }
}

/// The name of the segment of a generation.
pub(crate) fn name(generation: u64) -> String {
    format!("{FOLDER}/{generation:016x}{ENDING}")
}

/// The generation that a file name in the folder stands for.
pub(crate) fn generation(file: &str) -> Option<u64> {
    let digits = file.strip_suffix(ENDING)?;
    (digits.len() == 16).then(|| u64::from_str_radix(digits, 16).ok())?
}

/// The name of a spare.
pub(crate) fn spare_name(number: u64) -> String {
    format!("{FOLDER}/{SPARE}{number}{ENDING}")
}

/// The number that a file name in the folder stands for.
pub(crate) fn spare_number(file: &str) -> Option<u64> {
    file.strip_prefix(SPARE)?.strip_suffix(ENDING)?.parse().ok()
}

/// Generations of the segments in use, oldest first.
pub(crate) fn generations(disk: &dyn Disk) -> io::Result<Vec<u64>> {
    let mut generations: Vec<_> = disk.list(FOLDER)?.iter().filter_map(|name| generation(name)).collect();
    generations.sort_unstable();
    Ok(generations)
}

/// What a segment's first bytes are to say.
#[derive(Debug)]
pub(crate) struct Begin<'a> {
    pub(crate) meta: Meta,
    pub(crate) generation: u64,
    pub(crate) first: Position,
    pub(crate) before: Timestamp,
    pub(crate) indices: &'a Indices,
}

/// The first bytes of a segment: preface and checkpoint, so that it can be
/// read without those before it.
pub(crate) fn opening(begin: &Begin<'_>) -> Vec<u8> {
    let preface = Preface {
        meta: begin.meta,
        generation: begin.generation,
        first: begin.first,
        before: begin.before,
        names: begin.indices.len() as u32,
    };
    let seed = Seed::new(begin.meta.id, begin.generation);
    let mut bytes = preface.page();
    for piece in begin.indices.pieces() {
        let mut frame = vec![0; HEAD_BYTES];
        minicbor::encode(&piece, &mut frame).expect("encoding into a Vec cannot fail");
        let head = Head { length: 0, first: begin.first, count: 0, kind: NAMES };
        seed.close(bytes.len() as u64, head, &mut frame);
        bytes.extend(frame);
    }
    // What follows may be of a former life: an all-zero head marks the end.
    bytes.extend([0; HEAD_BYTES]);
    bytes
}

/// Turns a spare into the segment that `begin` describes. The rename is what
/// makes it one: until then a crash leaves a spare.
pub(crate) fn begin(disk: &dyn Disk, spare: &str, begin: &Begin<'_>) -> io::Result<(Segment, u64)> {
    let file = disk.open(spare)?;
    let length = file.length()?;
    let mut bytes = opening(begin);
    let end = (bytes.len() - HEAD_BYTES) as u64;
    bytes.truncate(length as usize);
    file.write_at(0, &bytes)?;
    file.sync()?;
    disk.rename(spare, &name(begin.generation))?;
    let segment = Segment {
        generation: begin.generation,
        first: begin.first,
        before: Some(begin.before),
        file,
        length,
        seed: Seed::new(begin.meta.id, begin.generation),
        gone: AtomicBool::new(false),
    };
    Ok((segment, end))
}
