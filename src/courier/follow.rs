//! From the log's blocking door to the courier's loop.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use forewarn_core::ids::Position;
use metrics::Counter;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::Opener;
use crate::log::Record;

/// Records on their way from a log's follower. Full: the follower waits, which
/// is counted, and the rest stays in the log.
pub const RECORDS_MAX: usize = 64;

/// Rest before a log that could not be read is opened again.
const FAULT_REST: Duration = Duration::from_secs(1);

/// Follows the log after a position on a thread of its own, which ends with
/// the log, or at the next record once nobody takes them. `full` counts how
/// often it waited because the courier was behind.
pub(super) fn follow(
    opener: &Opener,
    after: Position,
    full: Counter,
) -> io::Result<mpsc::Receiver<Arc<Record>>> {
    let (sender, receiver) = mpsc::channel(RECORDS_MAX);
    let reopen = Arc::clone(&opener.0);
    std::thread::Builder::new().name("courier-log".into()).spawn(move || {
        let mut reached = after;
        while !sender.is_closed() {
            let mut follow = reopen(reached);
            while let Some(record) = follow.next() {
                if record.last() <= reached {
                    continue;
                }
                reached = record.last();
                let left = match sender.try_send(record) {
                    Ok(()) => continue,
                    Err(TrySendError::Full(record)) => record,
                    Err(TrySendError::Closed(_)) => return,
                };
                full.increment(1);
                if sender.blocking_send(left).is_err() {
                    return;
                }
            }
            let Some(fault) = follow.fault() else { return };
            // A courier that ended here would be silent: it stays, and says why it stands.
            tracing::error!(after = reached.0, fault, "the courier cannot read the log, trying again");
            metrics::counter!("forewarn_courier_log_faults_total").increment(1);
            std::thread::sleep(FAULT_REST);
        }
    })?;
    Ok(receiver)
}
