//! What people see of a sensor's past: from a thread of its own, within two
//! seconds or not at all.

use std::fmt;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use forewarn_core::ids::SensorIx;
use forewarn_core::time::Timestamp;
use tokio::sync::oneshot;

use super::bucket::Bucket;
use super::sqlite::Readings;
use crate::ports::{History, Kept};

/// Questions that wait. Full: a further one is answered with nothing, at once.
pub const QUESTIONS_MAX: usize = 256;
/// How long anybody waits for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// Readings in one answer; of more, the newest.
pub const READINGS_MAX: usize = 50_000;

type Question = Box<dyn FnOnce(&Readings) + Send>;

/// Answers from the embedded store, what is only in memory included. It ends
/// with its last handle.
pub struct StoreHistory {
    questions: SyncSender<Question>,
}

impl fmt::Debug for StoreHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreHistory").finish_non_exhaustive()
    }
}

impl StoreHistory {
    /// Starts the thread that reads.
    pub fn start(readings: Readings) -> std::io::Result<StoreHistory> {
        let (questions, asked) = sync_channel(QUESTIONS_MAX);
        let thread = std::thread::Builder::new().name("store-read".into());
        thread.spawn(move || answer(&readings, &asked))?;
        Ok(StoreHistory { questions })
    }

    /// The newest reading of a sensor; the outer `None` when it cannot be had in time.
    pub async fn latest(&self, sensor: SensorIx) -> Option<Option<Kept>> {
        self.ask(move |readings| readings.latest(sensor)).await
    }

    /// `[from, to)` in at most so many parts of equal length; `None` when they
    /// cannot be had in time.
    pub async fn downsampled(
        &self,
        sensor: SensorIx,
        from: Timestamp,
        to: Timestamp,
        buckets: usize,
    ) -> Option<Vec<Bucket>> {
        self.ask(move |readings| readings.downsampled(sensor, from, to, buckets)).await
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Readings) -> anyhow::Result<T> + Send + 'static,
    ) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        let question = move |readings: &Readings| {
            waiting().decrement(1.0);
            // Whoever asked may have gone on without it.
            if reply.is_closed() {
                return;
            }
            match question(readings) {
                Ok(found) => drop(reply.send(found)),
                Err(error) => tracing::error!(%error, "readings cannot be read"),
            }
        };
        waiting().increment(1.0);
        if self.questions.try_send(Box::new(question)).is_err() {
            waiting().decrement(1.0);
            metrics::counter!("forewarn_store_questions_dropped_total").increment(1);
            return None;
        }
        tokio::time::timeout(ANSWER_MAX, answer).await.ok()?.ok()
    }
}

impl History for StoreHistory {
    fn recent(
        &self,
        sensor: SensorIx,
        from: Timestamp,
        to: Timestamp,
    ) -> Pin<Box<dyn Future<Output = Option<Vec<Kept>>> + Send + '_>> {
        Box::pin(self.ask(move |readings| readings.range(sensor, from, to, READINGS_MAX)))
    }
}

/// Questions that wait for an answer.
fn waiting() -> metrics::Gauge {
    metrics::gauge!("forewarn_queue_items", "queue" => "store_questions")
}

fn answer(readings: &Readings, asked: &Receiver<Question>) {
    while let Ok(question) = asked.recv() {
        question(readings);
    }
}
