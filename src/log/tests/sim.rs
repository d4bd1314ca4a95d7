//! A disk that loses, tears and refuses what a real one may.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use super::Rng;
use crate::log::{Disk, DiskFile};

/// What survives a power cut whole or not at all.
const SECTOR: u64 = 512;

/// Whether a sync does what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Honesty {
    Honest,
    /// Says so and does nothing: the planted defect that the tests must find.
    Lying,
}

/// How often the disk did what a real one may, so that a test can show that it met all of it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Met {
    /// Sectors that were written and not synced, gone with the power.
    pub(super) dropped: u64,
    /// Power cuts that kept a later write and dropped an earlier one.
    pub(super) reordered: u64,
    /// Writes that got only part of the way.
    pub(super) torn: u64,
    /// EIO.
    pub(super) errors: u64,
    /// ENOSPC.
    pub(super) full: u64,
    /// Removed files that were there again.
    pub(super) returned: u64,
}

#[derive(Debug)]
pub(super) struct SimDisk(Arc<Mutex<World>>);

#[derive(Debug)]
struct World {
    files: BTreeMap<String, Arc<Mutex<Inode>>>,
    /// Removed since a folder was last synced.
    removed: BTreeMap<String, Arc<Mutex<Inode>>>,
    met: Met,
    rng: Rng,
    honesty: Honesty,
    /// Bytes that may be allocated in all.
    capacity: u64,
    /// Changes until the power goes or one of them fails.
    fuse: Option<(u64, Blow)>,
    powerless: bool,
}

/// What happens at a chosen change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blow {
    /// Nothing works from then on.
    PowerCut,
    /// That one returns EIO, having done part of its work.
    Error,
}

#[derive(Debug, Default)]
struct Inode {
    durable: Vec<u8>,
    cached: Vec<u8>,
    /// Written since the last sync.
    pending: Vec<(u64, u64)>,
}

impl SimDisk {
    pub(super) fn new(seed: u64, honesty: Honesty) -> Arc<SimDisk> {
        Arc::new(SimDisk(Arc::new(Mutex::new(World {
            files: BTreeMap::new(),
            removed: BTreeMap::new(),
            met: Met::default(),
            rng: Rng(seed),
            honesty,
            capacity: u64::MAX,
            fuse: None,
            powerless: false,
        }))))
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    pub(super) fn limit(&self, capacity: u64) {
        self.world().capacity = capacity;
    }

    pub(super) fn met(&self) -> Met {
        self.world().met
    }

    pub(super) fn used(&self) -> u64 {
        self.world().used()
    }

    /// Lights a fuse that many changes long.
    pub(super) fn light(&self, changes: u64, blow: Blow) {
        self.world().fuse = Some((changes, blow));
    }

    /// The process is gone, the machine is not: what was written is there.
    pub(super) fn restart_process(&self) {
        let mut world = self.world();
        (world.fuse, world.powerless) = (None, false);
    }

    /// The machine is gone: of what was not synced, each sector is there or not,
    /// and so is each file that was removed.
    pub(super) fn restart_machine(&self) {
        let mut world = self.world();
        (world.fuse, world.powerless) = (None, false);
        for (name, file) in std::mem::take(&mut world.removed) {
            if world.rng.below(2) == 0 && !world.files.contains_key(&name) {
                world.files.insert(name, file);
                world.met.returned += 1;
            }
        }
        let files: Vec<_> = world.files.values().cloned().collect();
        for file in files {
            let mut inode = file.lock().unwrap();
            let (mut dropped, mut reordered) = (0, 0_u64);
            for (from, to) in std::mem::take(&mut inode.pending) {
                let before = dropped;
                let mut at = from;
                while at < to {
                    let end = (at / SECTOR * SECTOR + SECTOR).min(to);
                    if world.rng.below(2) == 0 {
                        let range = at as usize..end as usize;
                        let bytes = inode.cached[range.clone()].to_vec();
                        inode.durable[range].copy_from_slice(&bytes);
                        reordered |= u64::from(before > 0 || dropped > before);
                    } else {
                        dropped += 1;
                    }
                    at = end;
                }
            }
            world.met.dropped += dropped;
            world.met.reordered += reordered;
            inode.cached = inode.durable.clone();
        }
    }

    /// Changes bytes where they lie, durably.
    pub(super) fn damage(&self, name: &str, offset: u64, change: impl Fn(&mut u8), bytes: u64) {
        let file = Arc::clone(&self.world().files[name]);
        let mut inode = file.lock().unwrap();
        for at in offset..offset + bytes {
            change(&mut inode.durable[at as usize]);
        }
        inode.cached = inode.durable.clone();
    }

    pub(super) fn bytes(&self, name: &str) -> Vec<u8> {
        let file = Arc::clone(&self.world().files[name]);
        let inode = file.lock().unwrap();
        inode.cached.clone()
    }

    /// A copy of everything, in another world.
    pub(super) fn fork(&self) -> Arc<SimDisk> {
        let copy = SimDisk::new(1, Honesty::Honest);
        for (name, file) in &self.world().files {
            let bytes = file.lock().unwrap().cached.clone();
            copy.world().insert(name, bytes);
        }
        copy
    }

    pub(super) fn names(&self, folder: &str) -> Vec<String> {
        self.list(folder).unwrap()
    }
}

impl World {
    fn used(&self) -> u64 {
        self.files.values().map(|file| file.lock().unwrap().cached.len() as u64).sum()
    }

    /// Whether so many more bytes fit.
    fn check_room(&mut self, bytes: u64) -> io::Result<()> {
        if self.used() + bytes > self.capacity {
            self.met.full += 1;
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    /// What was removed before is gone for good, as with a file system's one journal.
    fn sync_folders(&mut self) {
        self.removed.clear();
    }

    fn insert(&mut self, name: &str, bytes: Vec<u8>) {
        let inode = Inode { durable: bytes.clone(), cached: bytes, pending: vec![] };
        self.files.insert(name.to_owned(), Arc::new(Mutex::new(inode)));
    }

    /// Counts a change; whether it is struck.
    fn change(&mut self) -> Result<(), Blow> {
        if self.powerless {
            return Err(Blow::PowerCut);
        }
        match &mut self.fuse {
            Some((0, blow)) => {
                let blow = *blow;
                self.fuse = None;
                self.powerless = blow == Blow::PowerCut;
                self.met.errors += u64::from(blow == Blow::Error);
                Err(blow)
            }
            Some((left, _)) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

fn struck(blow: Blow) -> io::Error {
    io::Error::other(format!("{blow:?}"))
}

impl Disk for SimDisk {
    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let world = self.world();
        let names = world.files.keys().filter_map(|name| name.strip_prefix(folder)?.strip_prefix('/'));
        Ok(names.map(str::to_owned).collect())
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.world().files.get(name).cloned().ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(SimFile { world: Arc::clone(&self.0), inode: file }))
    }

    fn allocate(&self, name: &str, bytes: u64) -> io::Result<()> {
        let mut world = self.world();
        if let Err(blow) = world.change() {
            if blow == Blow::PowerCut {
                let part = world.rng.below(bytes);
                world.insert(name, vec![0; part as usize]);
            }
            return Err(struck(blow));
        }
        world.check_room(bytes)?;
        world.insert(name, vec![0; bytes as usize]);
        world.sync_folders();
        Ok(())
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut world = self.world();
        world.change().map_err(struck)?;
        world.check_room(bytes.len() as u64)?;
        world.insert(name, bytes.to_vec());
        world.sync_folders();
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut world = self.world();
        let outcome = world.change();
        // Struck, it may have happened all the same.
        if outcome.is_ok() || world.rng.below(2) == 0 {
            let file = world.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
            world.files.insert(to.to_owned(), file);
        }
        if outcome.is_ok() {
            world.sync_folders();
        }
        outcome.map_err(struck)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut world = self.world();
        world.change().map_err(struck)?;
        let file = world.files.remove(name).ok_or(io::ErrorKind::NotFound)?;
        world.removed.insert(name.to_owned(), file);
        Ok(())
    }
}

#[derive(Debug)]
struct SimFile {
    world: Arc<Mutex<World>>,
    inode: Arc<Mutex<Inode>>,
}

impl DiskFile for SimFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.inode.lock().unwrap().cached.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let inode = self.inode.lock().unwrap();
        let there = inode.cached.get(offset as usize..).unwrap_or_default();
        let read = there.len().min(buffer.len());
        buffer[..read].copy_from_slice(&there[..read]);
        Ok(read)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut world = self.world.lock().unwrap();
        let was_off = world.powerless;
        let outcome = world.change();
        // The write that is struck still reaches the cache, in part.
        let written = match outcome {
            Ok(()) => bytes.len(),
            Err(_) if was_off => 0,
            Err(_) => world.rng.below(bytes.len() as u64 + 1) as usize,
        };
        world.met.torn += u64::from((1..bytes.len()).contains(&written));
        let mut inode = self.inode.lock().unwrap();
        let at = offset as usize;
        assert!(at + bytes.len() <= inode.cached.len(), "a write never allocates");
        inode.cached[at..at + written].copy_from_slice(&bytes[..written]);
        inode.pending.push((offset, offset + written as u64));
        outcome.map_err(struck)
    }

    fn sync(&self) -> io::Result<()> {
        let mut world = self.world.lock().unwrap();
        world.change().map_err(struck)?;
        if world.honesty == Honesty::Honest {
            let mut inode = self.inode.lock().unwrap();
            inode.durable = inode.cached.clone();
            inode.pending.clear();
        }
        Ok(())
    }
}
