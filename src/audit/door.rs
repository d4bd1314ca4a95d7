//! Where logins are reported, and what else people do that is no input of the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use forewarn_core::time::Timestamp;
use tokio::sync::oneshot;

use super::deed::Deed;

/// Reports on their way. Full: they are dropped, and whoever reports is told so.
const REPORTS_MAX: usize = 256;

/// The door of a trail. A clone is the same door.
#[derive(Debug, Clone)]
pub struct Door {
    reports: SyncSender<Report>,
    failed: Arc<Failed>,
}

#[derive(Debug, Default)]
struct Failed {
    times: AtomicU64,
    /// Civil time of the last.
    last: AtomicI64,
}

/// A deed on its way, and whom to tell that it is on the disk.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) deed: Deed,
    pub(super) told: oneshot::Sender<()>,
}

impl Door {
    pub(super) fn new() -> (Door, Receiver<Report>) {
        let (reports, reported) = sync_channel(REPORTS_MAX);
        (Door { reports, failed: Arc::default() }, reported)
    }

    /// One that nobody stands behind: for tests of rooms that need no trail.
    #[doc(hidden)]
    pub fn nowhere() -> Door {
        Door::new().0
    }

    /// Reports something; resolves to whether it is on the disk.
    pub async fn tell(&self, deed: Deed) -> bool {
        let (told, is_told) = oneshot::channel();
        self.reports.try_send(Report { deed, told }).is_ok() && is_told.await.is_ok()
    }

    /// Reports something, without waiting for it to be on the disk.
    pub fn note(&self, deed: Deed) {
        let (told, _) = oneshot::channel();
        if self.reports.try_send(Report { deed, told }).is_err() {
            metrics::counter!("forewarn_audit_dropped_total").increment(1);
        }
    }

    /// Somebody failed to log in, at this civil time.
    pub fn failed(&self, at: Timestamp) {
        self.failed.last.store(at.0, Ordering::Relaxed);
        self.failed.times.fetch_add(1, Ordering::Relaxed);
    }

    /// How often, since this was asked last.
    pub(super) fn failures(&self) -> Option<Deed> {
        let times = self.failed.times.swap(0, Ordering::Relaxed);
        let at = Timestamp(self.failed.last.load(Ordering::Relaxed));
        (times > 0).then(|| Deed::at_the_door(at, "logins-failed", "", "", times.to_string()))
    }
}
