//! How far each reader of the log is: what every one of them has, the log may forget.

use std::sync::{Arc, Mutex, PoisonError};

use forewarn_core::ids::Position;
use tokio::sync::watch;

/// The cursors of all readers.
#[derive(Debug, Clone, Default)]
pub struct Cursors(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    cursors: Vec<watch::Receiver<Position>>,
    complete: bool,
}

impl Cursors {
    /// Counts one more reader.
    pub fn add(&self, cursor: watch::Receiver<Position>) {
        self.lock().cursors.push(cursor);
    }

    /// No further reader comes: from now on the log may be trimmed.
    pub fn complete(&self) {
        self.lock().complete = true;
    }

    /// The lowest of them; 0 while there may be a reader that is not counted yet.
    pub fn lowest(&self) -> Position {
        let inner = self.lock();
        if !inner.complete {
            return Position(0);
        }
        inner.cursors.iter().map(|cursor| *cursor.borrow()).min().unwrap_or_default()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_may_go_before_every_reader_is_counted() {
        let cursors = Cursors::default();
        let (fast, slow) = (watch::Sender::new(Position(9)), watch::Sender::new(Position(4)));
        cursors.add(fast.subscribe());
        assert_eq!(cursors.lowest(), Position(0));
        cursors.add(slow.subscribe());
        cursors.complete();
        assert_eq!(cursors.lowest(), Position(4));
        slow.send_replace(Position(20));
        assert_eq!(cursors.lowest(), Position(9));
    }
}
