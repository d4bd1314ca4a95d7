//! Publishes warnings as CAP alerts: each revision once, when the projection
//! has it, and tells the operator of those that cannot be.

use std::sync::Arc;
use std::time::{Duration, Instant};

use forewarn_core::event::{Input, TroubleReport};
use forewarn_core::ids::Position;
use forewarn_core::warning::{Revision, TroubleCode, TroubleKey};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::cap::shelf::{Change, Made, Place, ShelfError, Withheld};
use crate::cap::{Shelf, said};
use crate::channels::kept::PerSetup;
use crate::channels::words::Messages;
use crate::config::plan::Setup;
use crate::courier::Standing;
use crate::driver::inbox::DriverInbox;
use crate::driver::picture::Picture;
use crate::ports::{CivilClock, Current};
use crate::state::{StateError, StateReader};

/// Revisions that are read at once: each look goes through all that stand after them.
const REVISIONS: usize = 1_024;
/// Those of them that are published in one go, during which nobody reads the shelf.
const AT_ONCE: usize = 64;

/// While deliveries leave, it rests so many times as long as it worked: whoever waits
/// to be told comes before those who look by themselves.
const RESTS: u32 = 4;

/// Without any news, what was withheld is looked at again so often: it may hold no longer.
const LOOKS_APART: Duration = Duration::from_secs(30);

/// How long a decision waits for the projection; then the next look finds it.
const PROJECTED_WITHIN: Duration = Duration::from_secs(5);

/// What it is made of.
pub(super) struct Publisher {
    pub(super) shelf: Arc<Shelf>,
    pub(super) current: Current,
    pub(super) state: Arc<StateReader>,
    pub(super) picture: watch::Receiver<Arc<Picture>>,
    /// How far the projection is.
    pub(super) projected: watch::Receiver<Position>,
    /// Where the courier stands.
    pub(super) courier: watch::Receiver<Standing>,
    pub(super) inbox: Arc<DriverInbox>,
    pub(super) civil: Arc<dyn CivilClock>,
}

/// Why nothing was published.
#[derive(Debug, thiserror::Error)]
enum Unpublished {
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error("it was cut off")]
    CutOff,
}

impl Publisher {
    /// Publishes until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let messages = Arc::new(PerSetup::new(|setup| Messages::read(&setup.messages)));
        let mut told = None;
        loop {
            let picture = self.picture.borrow_and_update().clone();
            let there = self.projected.wait_for(|at| *at >= picture.position);
            // That it takes longer is no fault: it looks again soon.
            let _ = tokio::time::timeout(PROJECTED_WITHIN, there).await.map(drop);
            // A copy must not speak for the service that it is a copy of.
            if !picture.held {
                let amiss = self.look(&messages, &stop).await;
                let standing = picture.troubles.get(&TroubleCode::AlertWithheld).copied().unwrap_or_default();
                if let Some(report) = news(told.as_deref(), &amiss, standing) {
                    self.inbox.ask(vec![Input::Trouble(report)], None);
                }
                told = Some(amiss);
            }
            tokio::select! {
                () = stop.cancelled() => return,
                changed = self.picture.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(LOOKS_APART) => {}
            }
        }
    }

    /// Publishes what there is to publish; what is amiss then, in words.
    async fn look(&self, messages: &Arc<PerSetup<Messages>>, stop: &CancellationToken) -> String {
        let (shelf, state, now) = (self.shelf.clone(), self.state.clone(), self.civil.civil());
        let (current, messages, stop) = (self.current.clone(), messages.clone(), stop.clone());
        let courier = self.courier.clone();
        let looked = tokio::task::spawn_blocking(move || {
            // A shelf that was lost is made again from all there is: no stop waits for that.
            while some(&shelf, &state, &current, &messages, &courier)? == REVISIONS && !stop.is_cancelled() {}
            Ok(shelf.withheld(now)?)
        });
        let looked: Result<Vec<Withheld>, Unpublished> = looked.await.unwrap_or(Err(Unpublished::CutOff));
        match looked {
            Ok(withheld) => amiss(&withheld),
            Err(error) => {
                metrics::counter!("forewarn_cap_failures_total").increment(1);
                tracing::error!(%error, "alerts cannot be published, it is tried again");
                format!("no alert can be published: {error}")
            }
        }
    }
}

/// Looks at the next revisions; how many there were.
fn some(
    shelf: &Shelf,
    state: &StateReader,
    current: &Current,
    messages: &PerSetup<Messages>,
    courier: &watch::Receiver<Standing>,
) -> Result<usize, Unpublished> {
    let Place { position, ordinal } = shelf.place()?;
    let revisions = state.revisions_after(position, ordinal, REVISIONS)?;
    // Asked for after the revisions: what was decided after a reload is said in its words, however
    // long this waited for its turn.
    let setup = current.borrow().clone();
    let messages = messages.of(&setup);
    for revisions in revisions.chunks(AT_ONCE) {
        let began = Instant::now();
        at_once(shelf, revisions, &setup, &messages)?;
        if revisions.len() == AT_ONCE && !courier.borrow().idle {
            std::thread::sleep(began.elapsed() * RESTS);
        }
    }
    Ok(revisions.len())
}

/// Publishes these revisions.
fn at_once(
    shelf: &Shelf,
    revisions: &[Revision],
    setup: &Setup,
    messages: &Messages,
) -> Result<(), ShelfError> {
    let Some(last) = revisions.last() else { return Ok(()) };
    let made = shelf.change(|change| {
        let publish = |it| publish(change, it, setup, messages).transpose();
        let made: Result<Vec<_>, ShelfError> = revisions.iter().filter_map(publish).collect();
        change.pass(Place::of(last))?;
        made
    })?;
    let published = made.iter().filter(|(_, made)| matches!(made, Made::Published)).count();
    metrics::counter!("forewarn_cap_alerts_total").increment(published as u64);
    for (revision, made) in made {
        if let Made::Withheld(unsound) = made {
            metrics::counter!("forewarn_cap_withheld_total").increment(1);
            let (warning, number) = (revision.warning.digest(), revision.number);
            tracing::error!(%warning, number, why = unsound.words(), "an alert is withheld");
        }
    }
    Ok(())
}

/// Publishes one revision, if there is something to say of it.
fn publish<'a>(
    change: &Change<'_>,
    revision: &'a Revision,
    setup: &Setup,
    messages: &Messages,
) -> Result<Option<(&'a Revision, Made)>, ShelfError> {
    let warning = revision.warning.digest();
    match said(revision, setup, messages, &change.earlier(warning)?) {
        Some(alert) => Ok(Some((revision, change.put(&alert, revision)?))),
        // The end of what was never published is nothing to publish, and nothing is amiss then.
        None if revision.kind.is_last() => change.over(warning).map(|()| None),
        None => Ok(None),
    }
}

/// What is amiss, in one sentence; empty where nothing is.
fn amiss(withheld: &[Withheld]) -> String {
    match withheld {
        [] => String::new(),
        [first, ..] => {
            let (count, Withheld { warning, number, why }) = (withheld.len(), first);
            format!(
                "warnings that are not published as they stand: {count}; revision {number} of {warning}: {why}"
            )
        }
    }
}

/// What the engine is to hear after it was told this last, while so many such
/// troubles stand with it: one that an earlier run raised ends as well.
fn news(told: Option<&str>, amiss: &str, standing: usize) -> Option<TroubleReport> {
    let is_known = match told {
        Some(told) => told == amiss,
        None => amiss.is_empty() && standing == 0,
    };
    if is_known {
        return None;
    }
    let key = TroubleKey { code: TroubleCode::AlertWithheld, subject: String::new() };
    Some(TroubleReport { key, present: !amiss.is_empty(), detail: amiss.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_withheld_is_told_at_each_change_and_its_end_once() {
        for (told, amiss, standing, expected) in [
            (None, "", 0, None),
            (None, "", 1, Some(false)),
            (None, "one", 1, Some(true)),
            (Some(""), "", 0, None),
            (Some(""), "one", 0, Some(true)),
            (Some("one"), "one", 1, None),
            (Some("one"), "two", 1, Some(true)),
            // The picture may be older than what was told.
            (Some("one"), "", 0, Some(false)),
        ] {
            let report = news(told, amiss, standing).map(|report| report.present);
            assert_eq!(report, expected, "{told:?} to {amiss:?}, {standing} standing");
        }
    }
}
