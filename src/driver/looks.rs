//! Looks at the engine by those who are asked about sensors: between two
//! batches, so that they see only what is committed, and never for long.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use forewarn_core::engine::Engine;
use tokio::sync::oneshot;

/// Looks that wait at most. Full: whoever asks is told to come again.
const LOOKS_MAX: usize = 64;

type Look = Box<dyn FnOnce(&Engine) + Send>;

/// Looks that wait for the loop.
#[derive(Default)]
pub(super) struct Looks(Mutex<Vec<Look>>);

impl Looks {
    /// Puts one in line; what it saw comes through the receiver. `None` when the line is full.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Engine) -> T + Send + 'static,
    ) -> Option<oneshot::Receiver<T>> {
        let (reply, answer) = oneshot::channel();
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= LOOKS_MAX {
            metrics::counter!("forewarn_looks_dropped_total").increment(1);
            return None;
        }
        waiting.push(Box::new(move |engine| {
            // Whoever asked may have gone on without it.
            if !reply.is_closed() {
                let _ = reply.send(look(engine));
            }
        }));
        Some(answer)
    }

    /// Lets each of them look.
    pub(super) fn serve(&self, engine: &Engine) {
        let waiting = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for look in waiting {
            // A bug in what is shown must not stop what is judged.
            if catch_unwind(AssertUnwindSafe(|| look(engine))).is_err() {
                tracing::error!("a look at the engine panicked: whoever asked gets no answer");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_look_sees_the_engine_and_a_panic_in_it_harms_nobody() {
        let looks = Looks::default();
        let clumsy = looks.ask(|_| -> u32 { panic!("a bug of what is shown") }).expect("there is room");
        let seen = looks.ask(|engine| engine.plan().sensors.len()).expect("there is room");
        looks.serve(&Engine::default());
        assert!(clumsy.await.is_err());
        assert_eq!(seen.await, Ok(0));
    }

    #[test]
    fn the_line_is_bounded() {
        let looks = Looks::default();
        let held: Vec<_> = (0..LOOKS_MAX).map(|_| looks.ask(|_| ()).expect("there is room")).collect();
        assert!(looks.ask(|_| ()).is_none());
        looks.serve(&Engine::default());
        assert!(looks.ask(|_| ()).is_some());
        drop(held);
    }
}
