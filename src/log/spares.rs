//! Segments made ahead of need, so that appending allocates nothing and a full
//! disk is met before anything is stepped, not in the middle of a write.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use super::disk::Disk;
use super::segment::{FOLDER, spare_name, spare_number};

/// How long after a failed attempt the next one is made.
const RETRY: Duration = Duration::from_secs(1);
/// How long a caller waits for a segment that is just being made.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// Recycled segments kept beyond those wanted; further ones are removed.
const SURPLUS_MAX: usize = 2;

/// Who makes segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allocation {
    /// A thread of its own.
    Background,
    /// Whoever asks for room: for tests, which must not depend on threads.
    OnDemand,
}

/// The store of spare segments.
#[derive(Debug)]
pub(crate) struct Spares {
    inner: Arc<Inner>,
    worker: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Inner {
    disk: Arc<dyn Disk>,
    bytes: u64,
    wanted: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    ready: VecDeque<String>,
    next: u64,
    /// Why the last attempt failed.
    failed: Option<String>,
    stop: bool,
}

impl Spares {
    /// Takes over the spares that are there and sees to it that `wanted` are.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        bytes: u64,
        wanted: usize,
        allocation: Allocation,
    ) -> io::Result<Spares> {
        let mut state = State::default();
        for file in disk.list(FOLDER)? {
            let Some(number) = spare_number(&file) else { continue };
            state.next = state.next.max(number + 1);
            let name = spare_name(number);
            // One of another size is half made, or of other settings.
            if disk.open(&name)?.length()? == bytes && state.ready.len() < wanted + SURPLUS_MAX {
                state.ready.push_back(name);
            } else {
                disk.remove(&name)?;
            }
        }
        let inner =
            Arc::new(Inner { disk, bytes, wanted, state: Mutex::new(state), changed: Condvar::new() });
        let worker = match allocation {
            Allocation::OnDemand => None,
            Allocation::Background => {
                let inner = Arc::clone(&inner);
                Some(std::thread::Builder::new().name("log-spares".into()).spawn(move || inner.work())?)
            }
        };
        Ok(Spares { inner, worker })
    }

    /// How many are ready; waits while fewer than `least` are ready and one is being made.
    pub(crate) fn ready(&self, least: usize) -> usize {
        let inner = &*self.inner;
        self.tend();
        if self.worker.is_none() {
            return inner.lock().ready.len();
        }
        let waiting = |state: &mut State| state.ready.len() < least && state.failed.is_none() && !state.stop;
        let (state, _) =
            inner.changed.wait_timeout_while(inner.lock(), WAIT_MAX, waiting).expect("no holder panics");
        state.ready.len()
    }

    /// Makes what is wanted, where no thread does.
    pub(crate) fn tend(&self) {
        if self.worker.is_some() {
            return;
        }
        let mut state = self.inner.lock();
        while state.ready.len() < self.inner.wanted {
            let name = state.take_name();
            let made = self.inner.disk.allocate(&name, self.inner.bytes);
            if !state.note(name, made) {
                return;
            }
        }
    }

    /// Why no more are ready, in words.
    pub(crate) fn reason(&self) -> Option<String> {
        self.inner.lock().failed.clone()
    }

    /// Takes one out.
    pub(crate) fn take(&self) -> Option<String> {
        let taken = self.inner.lock().ready.pop_front();
        self.inner.changed.notify_all();
        taken
    }

    /// Makes a segment that is no longer needed a spare, or removes it.
    pub(crate) fn recycle(&self, name: &str, bytes: u64) -> io::Result<()> {
        let mut state = self.inner.lock();
        if bytes != self.inner.bytes || state.ready.len() >= self.inner.wanted + SURPLUS_MAX {
            return self.inner.disk.remove(name);
        }
        let spare = state.take_name();
        self.inner.disk.rename(name, &spare)?;
        state.note(spare, Ok(()));
        drop(state);
        self.inner.changed.notify_all();
        Ok(())
    }
}

impl Drop for Spares {
    fn drop(&mut self) {
        self.inner.lock().stop = true;
        self.inner.changed.notify_all();
        if let Some(worker) = self.worker.take() {
            // A panic of the worker has been printed; there is nothing to add to it.
            let _ = worker.join();
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    fn work(&self) {
        loop {
            let idle = |state: &mut State| !state.stop && state.ready.len() >= self.wanted;
            let mut state = self.changed.wait_while(self.lock(), idle).expect("no holder panics");
            if state.stop {
                return;
            }
            let name = state.take_name();
            drop(state);
            let made = self.disk.allocate(&name, self.bytes);
            let mut state = self.lock();
            let fine = state.note(name, made);
            self.changed.notify_all();
            if !fine {
                let waiting = |state: &mut State| !state.stop && state.ready.len() < self.wanted;
                drop(self.changed.wait_timeout_while(state, RETRY, waiting).expect("no holder panics"));
            }
        }
    }
}

impl State {
    fn take_name(&mut self) -> String {
        let name = spare_name(self.next);
        self.next += 1;
        name
    }

    /// Notes how an attempt ended; whether it ended well.
    fn note(&mut self, name: String, made: io::Result<()>) -> bool {
        match made {
            Ok(()) => {
                self.ready.push_back(name);
                self.failed = None;
                true
            }
            Err(error) => {
                self.failed = Some(format!("cannot make a new segment: {error}"));
                false
            }
        }
    }
}
