//! `place`: where this data directory stands, so that a copy of it knows that
//! it is one.
//!
//! The file notes its own birth, its own inode and the machine. Copying,
//! unpacking a backup and moving to another disk give it another birth, a
//! cloned disk finds another machine: then the note and the file disagree, and
//! the directory is held. It stays where it is through reboots and `mv`. What
//! it cannot see is a machine cloned with its machine id and all; there, delete
//! the file before the first start.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::UNIX_EPOCH;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::targets::hex;

/// The file's name in the data directory.
pub(super) const FILE: &str = "place";

/// Where Linux keeps the machine's id; containers often have none.
const MACHINE_ID: &str = "/etc/machine-id";

/// Where a data directory stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// Drawn for each place anew, 48 random bits in hexadecimal: names the sessions at brokers,
    /// so that a copy never takes over those of the original.
    pub(super) id: String,
    /// A hash of the machine's id; empty where it has none.
    machine: String,
    /// The file's own number in its file system.
    inode: u64,
    /// When the file came to be, nanoseconds since 1970; absent where the file system does not say.
    born: Option<u64>,
}

/// What the note says of the directory it was found in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// It is where it was.
    Here(Place),
    /// It came from elsewhere, or says nothing that can be relied on.
    Elsewhere(String),
}

impl Place {
    /// Looks whether a directory is where it was.
    pub(super) fn find(data: &Path) -> anyhow::Result<Found> {
        let path = data.join(FILE);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Found::Elsewhere("it has no note of where it stands".into()));
            }
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        };
        let Ok(noted) = serde_json::from_reader::<_, Place>(&mut file) else {
            return Ok(Found::Elsewhere("its note of where it stands does not read back".into()));
        };
        let here = Place { id: noted.id.clone(), ..Place::of(&file)? };
        Ok(if noted.machine != here.machine {
            Found::Elsewhere("it comes from another machine".into())
        } else if noted == here {
            Found::Here(noted)
        } else {
            Found::Elsewhere("it is a copy".into())
        })
    }

    /// Notes that the directory stands here from now on, durably.
    pub(super) fn settle(data: &Path) -> anyhow::Result<Place> {
        let path = data.join(FILE);
        let new = path.with_extension("new");
        // A rename keeps inode and birth; a file that is written over keeps its former ones.
        let _ = fs::remove_file(&new);
        let written = (|| {
            let mut file = File::create(&new)?;
            let place = Place { id: drawn()?, ..Place::of(&file)? };
            serde_json::to_writer(&mut file, &place)?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            File::open(data)?.sync_all()?;
            Ok::<_, io::Error>(place)
        })();
        written.with_context(|| format!("cannot write {}", path.display()))
    }

    /// Where an open file is; without an id.
    fn of(file: &File) -> io::Result<Place> {
        let metadata = file.metadata()?;
        let since_1970 = metadata.created().ok().and_then(|born| born.duration_since(UNIX_EPOCH).ok());
        Ok(Place {
            id: String::new(),
            machine: machine(),
            inode: metadata.ino(),
            born: since_1970.map(|born| born.as_nanos() as u64),
        })
    }
}

/// A hash of the machine's id, which is not for others to see; empty where there is none.
fn machine() -> String {
    match fs::read_to_string(MACHINE_ID).unwrap_or_default().trim() {
        "" | "uninitialized" => String::new(),
        id => hex(&Sha256::digest(format!("forewarn place {id}"))[..8]),
    }
}

fn drawn() -> io::Result<String> {
    let mut bits = [0; 6];
    getrandom::fill(&mut bits)?;
    Ok(hex(&bits))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    #[test]
    fn a_directory_knows_its_place_and_a_copy_that_it_is_one() {
        let base = tempfile::tempdir().unwrap();
        let (data, copy) = (base.path().join("data"), base.path().join("copy"));
        fs::create_dir(&data).unwrap();
        let elsewhere = |found, why: &str| assert_eq!(found, Found::Elsewhere(why.into()));
        elsewhere(Place::find(&data).unwrap(), "it has no note of where it stands");
        let place = Place::settle(&data).unwrap();
        assert_eq!(Place::find(&data).unwrap(), Found::Here(place.clone()));

        // Moved, it is the same file still.
        let moved = base.path().join("moved");
        fs::rename(&data, &moved).unwrap();
        assert_eq!(Place::find(&moved).unwrap(), Found::Here(place.clone()));

        fs::create_dir(&copy).unwrap();
        fs::copy(moved.join(FILE), copy.join(FILE)).unwrap();
        elsewhere(Place::find(&copy).unwrap(), "it is a copy");
        let settled = Place::settle(&copy).unwrap();
        assert_ne!(settled.id, place.id, "sessions of its own");
        assert_eq!(Place::find(&copy).unwrap(), Found::Here(settled.clone()));

        // The same bytes on the same disk, in another machine.
        let mut other = settled.clone();
        other.machine = "0011223344556677".into();
        let mut file = File::options().write(true).truncate(true).open(copy.join(FILE)).unwrap();
        serde_json::to_writer(&mut file, &other).unwrap();
        elsewhere(Place::find(&copy).unwrap(), "it comes from another machine");

        fs::write(copy.join(FILE), "{").unwrap();
        elsewhere(Place::find(&copy).unwrap(), "its note of where it stands does not read back");
    }
}
