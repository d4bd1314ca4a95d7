//! From the log and the projection into the lanes: what is released is taken
//! while there is room, and left in the log while there is none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use forewarn_core::event::{Decision, Input, TroubleReport};
use forewarn_core::ids::{IndexKind, Key, OutputId, Position, TargetIx};
use forewarn_core::time::Moment;
use forewarn_core::warning::{Due, Revision, TroubleCode, TroubleKey};
use metrics::Counter;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::arrivals::{Burden, Release};
use super::delivery::{Admission, Delivery};
use super::follow;
use super::lane::Place;
use super::shell::Shell;
use crate::channels::door::World;
use crate::config::plan::Setup;
use crate::log::Record;
use crate::ports::{Bundled, Hold, Leaves, Outstanding};

/// How long until the projection is asked again for what it did not have yet.
pub(super) const ASK_AGAIN: Duration = Duration::from_millis(500);

/// Resends whose revision the projection has not reached yet. Full: the
/// resend is dropped with an error; a person can ask again.
const LATE_MAX: usize = 1_024;

/// Red deliveries taken ahead of others that still stand in the log. Full:
/// further ones wait their turn there.
const AHEAD_MAX: usize = 65_536;

/// A second reader of the log, for what did not fit in memory.
#[derive(Debug)]
pub(super) struct Lag {
    records: mpsc::Receiver<Arc<Record>>,
    upto: Position,
    /// Taken by the first reader already.
    ahead: BTreeSet<Key>,
    /// Not read before then: the last try ended too early.
    not_before: Instant,
}

/// A revision to be sent to a target once more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resent {
    warning: OutputId,
    number: u32,
    due: Due,
    /// Where the log says so: what the projection does not have by then it never will.
    position: Position,
}

/// What the projection has of a revision.
enum Kept {
    Revision(Arc<Revision>),
    /// It cannot say yet.
    NotYet,
    /// It has come past the place and does not have it.
    Gone,
}

impl<W: World> Shell<W> {
    /// The newest record: what it says of time, names and outcomes counts at
    /// once; what it releases counts if there is room.
    pub(super) async fn follow_head(&mut self, record: &Record) {
        if record.last() <= self.upto {
            return;
        }
        self.heed(record);
        let (releases, resent) = self.released(record);
        if self.lag.is_none() && !self.has_room_for(&releases) {
            metrics::counter!("forewarn_courier_overflows_total").increment(1);
            self.fall_behind(Position(record.first.0 - 1));
        }
        self.upto = record.last();
        let setup = self.setup();
        let room = (self.parts.limits.outstanding + self.parts.limits.red).saturating_sub(self.pressing());
        match &mut self.lag {
            None => {
                self.arrive(releases);
                self.resend(resent).await;
            }
            Some(lag) => {
                let red: Vec<Release> = releases
                    .into_iter()
                    .filter(Release::goes_ahead)
                    .take(room.min(AHEAD_MAX.saturating_sub(lag.ahead.len())))
                    .collect();
                lag.ahead.extend(red.iter().map(|it| self.door.key(&it.revision.id, it.due, &setup)));
                self.arrive(red);
            }
        }
        self.lanes.advance(self.now());
    }

    /// Whether these may be held beside what is held already; one record always may.
    fn has_room_for(&self, releases: &[Release]) -> bool {
        let limits = self.parts.limits;
        let gathered = releases.iter().filter(|release| release.burden == Burden::Gathered).count();
        let pressing = releases.len() - gathered;
        (self.lanes.outstanding() == 0 && self.arrivals.is_empty())
            || (self.pressing() + pressing <= limits.outstanding
                && self.gathered() + gathered <= limits.gathered)
    }

    /// What a record says of time, names, outcomes and the directory itself.
    fn heed(&mut self, record: &Record) {
        let now = self.now();
        for input in &record.inputs {
            match input {
                Input::Started(started) => {
                    self.lanes.civil_is(Moment { at: now, offset: started.offset, trusted: started.trusted });
                }
                Input::Clock(step) => {
                    self.lanes.civil_is(Moment { at: now, offset: step.offset, trusted: step.trusted });
                }
                Input::Outcome(outcome) => self.lanes.logged(outcome, now),
                Input::Bundled(bundle) => self.lanes.fixed(bundle, now),
                Input::Assign(assigned) if assigned.kind == IndexKind::Target => {
                    self.door.assign(TargetIx(assigned.index), &assigned.name);
                }
                Input::Reading(_)
                | Input::Tick
                | Input::Plan(_)
                | Input::Source(..)
                | Input::Command(..)
                | Input::Trouble(_)
                | Input::Intake(_)
                | Input::Canary(_)
                | Input::Assign(_) => {}
            }
        }
        for (_, decision) in &record.decisions {
            match decision {
                Decision::Resumed => self.lanes.hold(Hold::No, now),
                Decision::Trouble(report) if report.key.code == TroubleCode::Held => {
                    let hold = if report.present { Hold::UntilResumed } else { Hold::No };
                    self.lanes.hold(hold, now);
                }
                Decision::Trouble(_)
                | Decision::Incident(_)
                | Decision::Revision(_)
                | Decision::WouldHave(_)
                | Decision::PlanRefused(_)
                | Decision::Resent { .. }
                | Decision::Asked { .. }
                | Decision::Acknowledged { .. }
                | Decision::Refused(_)
                | Decision::Drafted(_)
                | Decision::Muted(_)
                | Decision::Noted(_)
                | Decision::Lapsed(_)
                | Decision::Canary(_) => {}
            }
        }
    }

    /// A record that the first reader had no room for.
    pub(super) async fn follow_behind(&mut self, record: Option<Arc<Record>>) {
        let Some(lag) = &mut self.lag else { return };
        let upto = lag.upto;
        match record {
            // The log does not end before the first reader's end of it.
            None => {
                self.fall_behind(upto);
                if let Some(lag) = &mut self.lag {
                    lag.not_before = Instant::now() + ASK_AGAIN;
                }
            }
            Some(record) if record.last() <= upto => {}
            Some(record) => {
                lag.upto = record.last();
                let (mut releases, resent) = self.released(&record);
                let setup = self.setup();
                if let Some(lag) = &mut self.lag {
                    releases.retain(|it| !lag.ahead.remove(&self.door.key(&it.revision.id, it.due, &setup)));
                }
                self.arrive(releases);
                self.resend(resent).await;
            }
        }
        self.catch_up();
    }

    pub(super) fn fall_behind(&mut self, after: Position) {
        let ahead = self.lag.take().map(|lag| lag.ahead).unwrap_or_default();
        // That this one waits for room is what it is there for.
        let records = follow::follow(&self.parts.reopen, after, Counter::noop()).unwrap_or_else(|error| {
            tracing::error!(%error, "no thread to read the log with, trying again");
            mpsc::channel(1).1
        });
        self.lag = Some(Lag { records, upto: after, ahead, not_before: Instant::now() });
    }

    fn catch_up(&mut self) {
        if self.backlog.is_none() && self.lag.as_ref().is_some_and(|lag| lag.upto >= self.upto) {
            self.lag = None;
        }
    }

    fn released(&self, record: &Record) -> (Vec<Release>, Vec<Resent>) {
        let setup = self.setup();
        let position = record.last();
        let (mut releases, mut resent) = (Vec::new(), Vec::new());
        // One look a target: a record may release ten thousand warnings to each.
        let mut burdens: BTreeMap<TargetIx, Burden> = BTreeMap::new();
        let mut release = |revision: Revision| {
            let revision = Arc::new(revision);
            for &due in &revision.due {
                let burden = *burdens.entry(due.target).or_insert_with(|| self.burden(due.target, &setup));
                releases.push(Release { revision: Arc::clone(&revision), due, burden });
            }
        };
        for (_, decision) in &record.decisions {
            match decision {
                Decision::Revision(revision) => release(revision.clone()),
                Decision::Canary(canary) => release(canary.revision()),
                &Decision::Resent { warning, number, due } => {
                    resent.push(Resent { warning, number, due, position });
                }
                &Decision::Asked { warning, number, ref due, .. } => {
                    resent.extend(due.iter().map(|&due| Resent { warning, number, due, position }));
                }
                Decision::Acknowledged { .. }
                | Decision::Incident(_)
                | Decision::WouldHave(_)
                | Decision::Trouble(_)
                | Decision::PlanRefused(_)
                | Decision::Resumed
                | Decision::Refused(_)
                | Decision::Drafted(_)
                | Decision::Muted(_)
                | Decision::Noted(_)
                | Decision::Lapsed(_) => {}
            }
        }
        (releases, resent)
    }

    fn burden(&self, target: TargetIx, setup: &Setup) -> Burden {
        match self.door.place(target, setup) {
            Some(Place { digests: Some(_), .. }) => Burden::Gathered,
            Some(Place { digests: None, .. }) | None => Burden::Pressing,
        }
    }

    /// Deliveries that count against [`Limits::outstanding`](super::Limits): those that
    /// wait for a digest cost memory alone, and hold up nobody else.
    pub(super) fn pressing(&self) -> usize {
        self.lanes.outstanding() - self.lanes.gathered() + self.arrivals.pressing()
    }

    /// Those that count against [`Limits::gathered`](super::Limits).
    pub(super) fn gathered(&self) -> usize {
        self.lanes.gathered() + self.arrivals.gathered()
    }

    fn arrive(&mut self, releases: Vec<Release>) {
        releases.into_iter().for_each(|release| self.arrivals.push(release));
    }

    /// Lets the next slice of what has arrived into the lanes.
    pub(super) fn let_in(&mut self) {
        if self.arrivals.is_empty() {
            return;
        }
        let (setup, now) = (self.setup(), self.now());
        let releases = self.arrivals.slice();
        let delivery = |it: Release| self.door.delivery(&it.revision, it.due, &setup);
        let deliveries: Vec<Delivery> = releases.into_iter().map(delivery).collect();
        self.refuse(deliveries.iter().filter(|it| it.admission == Admission::Refused).count());
        let mut places: BTreeMap<TargetIx, Option<Place>> = BTreeMap::new();
        for delivery in deliveries {
            let target = delivery.target;
            let place = places.entry(target).or_insert_with(|| self.door.place(target, &setup)).clone();
            self.lanes.release(delivery, Leaves::Open, place, now);
        }
    }

    fn release(&mut self, delivery: Delivery, leaves: Leaves) {
        let (setup, now) = (self.setup(), self.now());
        let place = self.door.place(delivery.target, &setup);
        self.lanes.release(delivery, leaves, place, now);
    }

    /// Tells of deliveries that belong to the other world.
    fn refuse(&mut self, foreign: usize) {
        if foreign == 0 {
            return;
        }
        self.foreign += foreign;
        tracing::error!(foreign, "deliveries belong to the other world: they are not sent");
        let key = TroubleKey { code: TroubleCode::OtherWorld, subject: String::new() };
        let count = self.foreign;
        let detail = format!("deliveries that belong to the other world, and were not sent: {count}");
        self.parts.inbox.control(Input::Trouble(TroubleReport { key, present: true, detail }));
    }

    /// What was outstanding before this courier began counts as attempted. A row
    /// of the other world has no outcome either: a person is to look at it, and
    /// nobody is to be told by another way instead.
    pub(super) fn take_rows(&mut self, rows: &[Outstanding]) {
        let mut foreign = 0;
        for row in rows {
            match self.of_this_world(row) {
                Some(delivery) => {
                    self.lanes.recall(row.revision.warning, row.due.target, row.revision.number);
                    self.release(delivery, row.leaves);
                }
                None => foreign += 1,
            }
        }
        self.refuse(foreign);
        self.lanes.advance(self.now());
    }

    /// A digest that was fixed and not wholly decided before this courier began,
    /// without what belongs to the other world.
    pub(super) fn take_digest(&mut self, bundled: &Bundled) {
        let members: Vec<Delivery> =
            bundled.members.iter().filter_map(|row| self.of_this_world(row)).collect();
        self.refuse(bundled.members.len() - members.len());
        let Some(target) = members.first().map(|member| member.target) else { return };
        for Delivery { revision, .. } in &members {
            self.lanes.recall(revision.warning, target, revision.number);
        }
        let place = self.door.place(target, &self.setup());
        self.lanes.recall_digest(bundled.key, members, &bundled.decided, place, self.now());
    }

    /// The delivery of a row, if it may leave in this world.
    fn of_this_world(&self, row: &Outstanding) -> Option<Delivery> {
        let delivery = self.door.delivery(&row.revision, row.due, &self.setup());
        // Two words for one status: somebody put the row there, or changed one of them.
        let is_ours = delivery.admission == Admission::Admitted && row.status == Some(row.revision.status);
        is_ours.then_some(delivery)
    }

    async fn resend(&mut self, resent: Vec<Resent>) {
        for resent in resent {
            match self.revision(resent).await {
                Kept::Revision(revision) => {
                    let setup = self.setup();
                    let (due, burden) = (resent.due, self.burden(resent.due.target, &setup));
                    self.arrivals.push(Release { revision, due, burden });
                }
                Kept::NotYet if self.late.len() < LATE_MAX => self.late.push_back(resent),
                Kept::NotYet => {
                    tracing::error!(number = resent.number, "too many resends wait, this one is dropped");
                }
                Kept::Gone => tracing::error!(
                    warning = %resent.warning.digest(),
                    number = resent.number,
                    target = resent.due.target.0,
                    "the projection has lost what is to be sent again, this resend is dropped"
                ),
            }
        }
    }

    async fn revision(&self, resent: Resent) -> Kept {
        let archive = Arc::clone(&self.parts.archive);
        let read = move || -> anyhow::Result<Kept> {
            // First how far it is: it may move on while it is asked.
            let is_past = archive.reached()? >= resent.position;
            Ok(match archive.revision(&resent.warning, resent.number)? {
                Some(revision) => Kept::Revision(revision),
                None if is_past => Kept::Gone,
                None => Kept::NotYet,
            })
        };
        match tokio::task::spawn_blocking(read).await {
            Ok(Ok(kept)) => kept,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the projection cannot be read, trying again");
                Kept::NotYet
            }
            Err(_) => Kept::NotYet,
        }
    }

    /// Asks the projection for what it did not have, and for the next page.
    pub(super) async fn ask_again(&mut self) {
        self.ask_at = Instant::now() + ASK_AGAIN;
        let late = std::mem::take(&mut self.late);
        self.resend(late.into()).await;
        let Some(after) = self.backlog.clone() else { return };
        let (archive, limits, upto) = (
            Arc::clone(&self.parts.archive),
            self.parts.limits,
            self.lag.as_ref().map_or(self.upto, |lag| lag.upto),
        );
        let read = move || archive.outstanding(&after, upto, limits.page);
        match tokio::task::spawn_blocking(read).await {
            Ok(Ok(rows)) => {
                self.backlog = rows.last().filter(|_| rows.len() >= limits.page).cloned();
                self.take_rows(&rows);
                self.ask_at = Instant::now();
                self.catch_up();
            }
            Ok(Err(error)) => tracing::warn!(%error, "the projection cannot be read, trying again"),
            Err(_) => {}
        }
    }
}

/// The next record of the second reader; never, while there is none.
pub(super) async fn next_behind(lag: &mut Option<Lag>) -> Option<Arc<Record>> {
    match lag {
        Some(lag) => {
            tokio::time::sleep_until(lag.not_before).await;
            lag.records.recv().await
        }
        None => std::future::pending().await,
    }
}
