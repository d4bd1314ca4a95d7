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
/// Those of them that are published together, during which nobody reads the shelf.
const TOGETHER: usize = 64;

/// While deliveries leave, it rests so many times as long as it worked: whoever waits
/// to be told comes before those who look by themselves.
const RESTS: u32 = 4;
/// But no longer at a time: what took the disk long is not to hold up the rest of them.
const REST_MAX: Duration = Duration::from_millis(200);

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
        let press = Press {
            shelf: self.shelf.clone(),
            state: self.state.clone(),
            current: self.current.clone(),
            messages: messages.clone(),
            courier: self.courier.clone(),
            stop: stop.clone(),
        };
        let civil = self.civil.clone();
        let looked = tokio::task::spawn_blocking(move || {
            press.all()?;
            Ok(press.shelf.withheld(civil.civil())?)
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

/// What publishes, on a thread that may wait for the disk.
struct Press {
    shelf: Arc<Shelf>,
    state: Arc<StateReader>,
    current: Current,
    messages: Arc<PerSetup<Messages>>,
    courier: watch::Receiver<Standing>,
    stop: CancellationToken,
}

impl Press {
    /// A shelf that was lost is made again from all there is: no stop waits for that.
    fn all(&self) -> Result<(), Unpublished> {
        while self.some()? == REVISIONS && !self.stop.is_cancelled() {}
        Ok(())
    }

    /// Looks at the next revisions; how many there were.
    fn some(&self) -> Result<usize, Unpublished> {
        let Place { position, ordinal } = self.shelf.place()?;
        let revisions = self.state.revisions_after(position, ordinal, REVISIONS)?;
        // Asked for after the revisions: what was decided after a reload is said in its words, however
        // long this waited for its turn.
        let setup = self.current.borrow().clone();
        let messages = self.messages.of(&setup);
        for some in revisions.chunks(TOGETHER) {
            if self.stop.is_cancelled() {
                break;
            }
            let began = Instant::now();
            // One that fails holds back those after it, and none before it.
            if together(&self.shelf, some, &setup, &messages).is_err() {
                some.chunks(1).try_for_each(|one| together(&self.shelf, one, &setup, &messages))?;
            }
            if some.len() == TOGETHER && !self.courier.borrow().idle && !self.stop.is_cancelled() {
                std::thread::sleep((began.elapsed() * RESTS).min(REST_MAX));
            }
        }
        Ok(revisions.len())
    }
}

/// Publishes these revisions: all, or none where one fails.
fn together(
    shelf: &Shelf,
    revisions: &[Revision],
    setup: &Setup,
    messages: &Messages,
) -> Result<(), ShelfError> {
    let Some(last) = revisions.last() else { return Ok(()) };
    let made = shelf.change(|change| {
        let one = |revision| publish(change, revision, setup, messages).transpose();
        let made = revisions.iter().filter_map(one).collect::<Result<Vec<_>, _>>()?;
        change.pass(Place::of(last))?;
        Ok(made)
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
