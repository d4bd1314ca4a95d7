//! An inbox that keeps what it gets and speaks when told to.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use forewarn::ports::{Acks, Batch, Inbox, Refused, Taken};
use forewarn_core::event::Input;
use tokio::sync::watch;

/// Longest wait for anything that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// When messages become durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durable {
    /// At once.
    AtOnce,
    /// When the test says so.
    WhenTold,
}

/// Whether a batch fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// Always.
    Free,
    /// Never.
    Full,
}

/// What came in.
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) taken: Vec<Taken>,
    pub(crate) refused: Vec<Refused>,
    pub(crate) batches: usize,
    pub(crate) offers: usize,
    pub(crate) waiting: Vec<Acks>,
    durable: Durable,
    room: Room,
}

#[derive(Debug)]
pub(crate) struct FakeInbox(watch::Sender<Contents>);

impl FakeInbox {
    pub(crate) fn new(durable: Durable) -> Arc<Self> {
        let contents = Contents {
            taken: vec![],
            refused: vec![],
            batches: 0,
            offers: 0,
            waiting: vec![],
            durable,
            room: Room::Free,
        };
        Arc::new(FakeInbox(watch::Sender::new(contents)))
    }

    /// Waits until what came in is as expected.
    pub(crate) async fn until(&self, what: &str, mut expected: impl FnMut(&Contents) -> bool) {
        let mut watching = self.0.subscribe();
        let waited = tokio::time::timeout(PATIENCE, watching.wait_for(|contents| expected(contents))).await;
        assert!(waited.is_ok(), "{what}: {:?}", self.0.borrow());
    }

    /// Looks at what came in.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Contents) -> T) -> T {
        look(&self.0.borrow())
    }

    /// Values in order of arrival.
    pub(crate) fn values(&self) -> Vec<f64> {
        self.look(|contents| contents.taken.iter().map(|taken| taken.raw).collect())
    }

    /// Says of every message so far that it is durable, batch by batch.
    pub(crate) fn sync(&self) {
        let mut due = vec![];
        self.0.send_modify(|contents| due.append(&mut contents.waiting));
        for acks in &due {
            acks.gate.durable(&acks.tokens);
        }
    }

    pub(crate) fn set_room(&self, room: Room) {
        self.0.send_modify(|contents| contents.room = room);
    }
}

impl Inbox for FakeInbox {
    fn offer(&self, mut batch: Batch) -> Result<(), Batch> {
        let mut back = None;
        self.0.send_modify(|contents| {
            contents.offers += 1;
            if contents.room == Room::Full {
                back = Some(std::mem::take(&mut batch));
                return;
            }
            contents.batches += 1;
            contents.taken.append(&mut batch.taken);
            contents.refused.append(&mut batch.refused);
            match (batch.acks.take(), contents.durable) {
                (Some(acks), Durable::AtOnce) => acks.gate.durable(&acks.tokens),
                (Some(acks), Durable::WhenTold) => contents.waiting.push(acks),
                (None, Durable::AtOnce | Durable::WhenTold) => {}
            }
        });
        back.map_or(Ok(()), Err)
    }

    fn control(&self, _: Input) {
        unreachable!("the listener has no control inputs");
    }

    fn room(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let mut watching = self.0.subscribe();
        Box::pin(async move {
            // The sender lives as long as this inbox.
            let _ = watching.wait_for(|contents| contents.room == Room::Free).await;
        })
    }
}
