//! `log.meta`: whose log this is, and whether it is for real.

use std::fmt;
use std::io;
use std::path::Path;

use forewarn_core::ids::{LogId, Position};
use forewarn_core::time::Timestamp;
use minicbor::{Decode, Encode};

use super::disk::{Disk, DiskFile, RealDisk};
use super::error::LogError;
use super::readonly::meta_of_segments;

/// The file's name in the data directory.
pub(crate) const META: &str = "log.meta";
/// Bytes before the first frame of a segment: one page, of which the preface takes the beginning.
pub(crate) const PREFACE_BYTES: u64 = 4096;

const META_MAGIC: [u8; 8] = *b"FWMETA1\n";
const PREFACE_MAGIC: [u8; 8] = *b"FWSEGM1\n";
const META_BYTES_MAX: usize = 4096;

/// Which world a data directory belongs to, for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Stamp {
    /// Warnings go to people who must act on them.
    #[n(0)]
    Live,
    /// A drill or a demo.
    #[n(1)]
    Drill,
}

impl Stamp {
    /// The word for it in files and in what people read.
    pub fn word(self) -> &'static str {
        match self {
            Stamp::Live => "live",
            Stamp::Drill => "drill",
        }
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What `log.meta` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Meta {
    /// 128 random bits.
    #[n(0)]
    pub(crate) id: LogId,
    /// Live or drill.
    #[n(1)]
    pub(crate) stamp: Stamp,
}

/// What stands at the head of a segment. All of it can be had from elsewhere
/// (the file's name, `log.meta`, the frames), so that no single sector is
/// needed to read the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Preface {
    /// Whose log, and whether for real: stands in for a lost `log.meta`.
    #[n(0)]
    pub(crate) meta: Meta,
    /// Its number among all segments ever begun, from 1.
    #[n(1)]
    pub(crate) generation: u64,
    /// Position of the first event in it.
    #[n(2)]
    pub(crate) first: Position,
    /// Engine time of the last record before it.
    #[n(3)]
    pub(crate) before: Timestamp,
    /// How many index assignments its checkpoint holds.
    #[n(4)]
    pub(crate) names: u32,
}

/// Whose log a data directory holds, read beside the service that writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Its id.
    pub log: LogId,
    /// Whether it is for real.
    pub stamp: Stamp,
}

impl Identity {
    /// What `log.meta` says, or where it does not read back, what the segments do.
    pub fn of(dir: &Path) -> Result<Identity, LogError> {
        let disk = RealDisk::read_only(dir);
        let meta = match Meta::read(&disk) {
            Some(meta) => meta,
            None => meta_of_segments(&disk)?.ok_or(LogError::Missing)?,
        };
        Ok(Identity { log: meta.id, stamp: meta.stamp })
    }
}

impl Meta {
    /// A new log: draws its id.
    pub(crate) fn draw(stamp: Stamp) -> Result<Meta, LogError> {
        let mut id = [0; 16];
        getrandom::fill(&mut id)
            .map_err(io::Error::from)
            .map_err(LogError::io("cannot draw an id for the log"))?;
        Ok(Meta { id: LogId(id), stamp })
    }

    /// What the file says; `None` when there is none or it does not read back.
    pub(crate) fn read(disk: &dyn Disk) -> Option<Meta> {
        let file = disk.open(META).ok()?;
        let mut bytes = vec![0; META_BYTES_MAX];
        let read = file.read_at(0, &mut bytes).ok()?;
        unseal(META_MAGIC, &bytes[..read])
    }

    /// Puts the file in place.
    pub(crate) fn write(&self, disk: &dyn Disk) -> Result<(), LogError> {
        disk.put(META, &seal(META_MAGIC, self)).map_err(LogError::io("cannot write log.meta"))
    }
}

impl Preface {
    /// What a segment's first page says; `None` when it does not read back.
    pub(crate) fn read(file: &dyn DiskFile) -> io::Result<Option<Preface>> {
        let mut page = vec![0; PREFACE_BYTES as usize];
        let read = file.read_at(0, &mut page)?;
        Ok(unseal(PREFACE_MAGIC, &page[..read]))
    }

    /// The whole first page.
    pub(crate) fn page(&self) -> Vec<u8> {
        let mut page = seal(PREFACE_MAGIC, self);
        debug_assert!(page.len() < PREFACE_BYTES as usize, "a preface fits its page");
        page.resize(PREFACE_BYTES as usize, 0);
        page
    }
}

/// Magic, length, checksum, body.
fn seal(magic: [u8; 8], body: &impl Encode<()>) -> Vec<u8> {
    let body = minicbor::to_vec(body).expect("encoding into a Vec cannot fail");
    let mut bytes = magic.to_vec();
    bytes.extend((body.len() as u32).to_le_bytes());
    bytes.extend(checksum(&magic, &body).to_le_bytes());
    bytes.extend(body);
    bytes
}

fn unseal<T: for<'b> Decode<'b, ()>>(magic: [u8; 8], bytes: &[u8]) -> Option<T> {
    let (head, rest) = bytes.split_at_checked(16)?;
    let length = u32::from_le_bytes(head[8..12].try_into().ok()?) as usize;
    let sum = u32::from_le_bytes(head[12..16].try_into().ok()?);
    let body = rest.get(..length)?;
    if head[..8] != magic || checksum(&magic, body) != sum {
        return None;
    }
    minicbor::decode(body).ok()
}

fn checksum(magic: &[u8], body: &[u8]) -> u32 {
    let mut hash = crc32fast::Hasher::new();
    hash.update(magic);
    hash.update(&(body.len() as u32).to_le_bytes());
    hash.update(body);
    hash.finalize()
}
