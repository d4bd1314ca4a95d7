//! Tells the operator of warnings that do not get out, while it lasts: by the
//! engine, as of every trouble, and so by each way that still works.

use std::sync::Arc;

use forewarn_core::event::{Input, TroubleReport};
use forewarn_core::warning::{TroubleCode, TroubleKey};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::courier::{Overdue, Standing};
use crate::driver::inbox::DriverInbox;
use crate::driver::picture::Picture;

/// Reports each change until `stop`, or until the courier has ended.
pub(super) async fn tell(
    mut courier: watch::Receiver<Standing>,
    picture: watch::Receiver<Arc<Picture>>,
    inbox: Arc<DriverInbox>,
    stop: CancellationToken,
) {
    let mut told = Overdue::NotKnown;
    loop {
        let overdue = courier.borrow_and_update().overdue;
        let standing = picture.borrow().troubles.get(&TroubleCode::Undelivered).copied().unwrap_or_default();
        if let Some(report) = news(told, overdue, standing) {
            inbox.ask(vec![Input::Trouble(report)], None);
        }
        if overdue != Overdue::NotKnown {
            told = overdue;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            changed = courier.changed() => if changed.is_err() { return },
        }
    }
}

/// What the engine is to hear after it was told this last, while so many such
/// troubles stand with it: one that an earlier run raised ends as well.
fn news(told: Overdue, overdue: Overdue, standing: usize) -> Option<TroubleReport> {
    let detail = match overdue {
        Overdue::NotKnown => return None,
        Overdue::No if told == Overdue::No || (told == Overdue::NotKnown && standing == 0) => return None,
        Overdue::No => String::new(),
        Overdue::Targets(_) if told == overdue => return None,
        // One wording for every number: the engine takes other words for news.
        Overdue::Targets(count) => {
            format!("targets that have waited for a warning longer than 45 s, and are tried on: {count}")
        }
    };
    let key = TroubleKey { code: TroubleCode::Undelivered, subject: String::new() };
    Some(TroubleReport { key, present: overdue != Overdue::No, detail })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_overdue_is_told_at_each_change_and_its_end_once() {
        use Overdue::{No, NotKnown, Targets};
        // told last, how it is now, troubles that stand, whether one is reported as present
        for (told, now, standing, expected) in [
            (NotKnown, NotKnown, 1, None),
            (NotKnown, No, 0, None),
            (NotKnown, No, 1, Some(false)),
            (NotKnown, Targets(1), 1, Some(true)),
            (No, No, 0, None),
            (No, Targets(2), 0, Some(true)),
            (Targets(2), Targets(2), 1, None),
            (Targets(2), Targets(3), 1, Some(true)),
            (Targets(2), NotKnown, 1, None),
            // The picture may be older than what was told.
            (Targets(3), No, 0, Some(false)),
        ] {
            let report = news(told, now, standing).map(|report| report.present);
            assert_eq!(report, expected, "{told:?} to {now:?}, {standing} standing");
        }
    }
}
