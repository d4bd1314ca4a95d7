//! From the log's blocking door to the courier's loop.

use std::io;
use std::sync::Arc;

use forewarn_core::ids::Position;
use tokio::sync::mpsc;

use super::Opener;
use crate::log::Record;

/// Records on their way from a log's follower. Full: the follower waits, the
/// rest stays in the log.
const RECORDS_MAX: usize = 64;

/// Follows the log after a position on a thread of its own, which ends with
/// the log, or at the next record once nobody takes them.
pub(super) fn follow(opener: &Opener, after: Position) -> io::Result<mpsc::Receiver<Arc<Record>>> {
    let (sender, receiver) = mpsc::channel(RECORDS_MAX);
    let reopen = Arc::clone(&opener.0);
    std::thread::Builder::new().name("courier-log".into()).spawn(move || {
        let mut follow = reopen(after);
        while let Some(record) = follow.next() {
            if record.last() > after && sender.blocking_send(record).is_err() {
                break;
            }
        }
    })?;
    Ok(receiver)
}
