//! The thin shell around the lanes: follows the log, makes attempts, reports.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use forewarn_core::event::{Decision, DeliveryOutcome, Input};
use forewarn_core::ids::{IndexKind, Key, OutputId, Position, TargetIx};
use forewarn_core::level::Level;
use forewarn_core::time::Timestamp;
use forewarn_core::warning::{Due, Outcome, Revision};
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::delivery::{Action, Attempt, Delivery};
use super::door::{Door, Made};
use super::lanes::Lanes;
use super::{Parts, Standing, follow};
use crate::channels::door::World;
use crate::config::plan::Setup;
use crate::log::Record;
use crate::ports::{Note, Outstanding};

/// How long attempts in the air may go on after a stop.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// How long until the projection is asked again for what it did not have yet.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// Resends whose revision the projection has not reached yet. Full: the
/// resend is dropped with an error; a person can ask again.
const LATE_MAX: usize = 1_024;

/// Red deliveries taken ahead of others that still stand in the log. Full:
/// further ones wait their turn there.
const AHEAD_MAX: usize = 65_536;

/// A second reader of the log, for what did not fit in memory.
#[derive(Debug)]
struct Lag {
    records: mpsc::Receiver<Arc<Record>>,
    upto: Position,
    /// Taken by the first reader already.
    ahead: BTreeSet<Key>,
}

#[derive(Debug, Clone, Copy)]
struct Resent {
    warning: OutputId,
    number: u32,
    due: Due,
}

/// The courier's loop and all it holds.
#[derive(Debug)]
pub(super) struct Shell<W: World> {
    parts: Parts<W>,
    door: Door<W>,
    lanes: Lanes,
    attempts: JoinSet<Made>,
    keys: HashMap<Id, Key>,
    upto: Position,
    lag: Option<Lag>,
    /// The last row of the projection taken, while there may be more.
    backlog: Option<Outstanding>,
    late: VecDeque<Resent>,
    /// When the projection may be asked again.
    ask_at: Instant,
    standing: watch::Sender<Standing>,
}

/// What woke the loop.
enum Woken {
    Stopped,
    Made(Result<(Id, Made), JoinError>),
    Head(Option<Arc<Record>>),
    Behind(Option<Arc<Record>>),
    Time,
    Reloaded,
    AskAgain,
}

impl<W: World> Shell<W> {
    pub(super) fn new(mut parts: Parts<W>, standing: watch::Sender<Standing>) -> Self {
        let resume = std::mem::take(&mut parts.resume);
        let door = Door::new(std::mem::take(&mut parts.channels), resume.targets.clone());
        let mut shell = Shell {
            lanes: Lanes::new(parts.seed),
            door,
            attempts: JoinSet::new(),
            keys: HashMap::new(),
            upto: resume.cursor,
            lag: None,
            backlog: None,
            late: VecDeque::new(),
            ask_at: Instant::now(),
            standing,
            parts,
        };
        shell.lanes.civil_is(resume.offset, resume.trusted, shell.now());
        for (warning, target, number) in resume.told {
            shell.lanes.recall(warning, target, number);
        }
        if resume.outstanding.len() >= shell.parts.limits.page {
            shell.backlog = resume.outstanding.last().cloned();
        }
        shell.take_rows(resume.outstanding);
        shell
    }

    /// Runs until stopped, or until the log is closed and all is said.
    pub(super) async fn run(mut self, mut head: mpsc::Receiver<Arc<Record>>, stop: CancellationToken) {
        if self.backlog.is_some() {
            self.fall_behind(self.upto);
        }
        loop {
            self.act();
            self.publish();
            match self.wake(&mut head, &stop).await {
                Woken::Stopped | Woken::Head(None) => break,
                Woken::Made(made) => self.finish(made),
                Woken::Head(Some(record)) => self.follow_head(&record).await,
                Woken::Behind(record) => self.follow_behind(record).await,
                Woken::Time => self.lanes.advance(self.now()),
                Woken::Reloaded => self.reload(),
                Woken::AskAgain => self.ask_again().await,
            }
        }
        self.wind_up().await;
    }

    async fn wake(&mut self, head: &mut mpsc::Receiver<Arc<Record>>, stop: &CancellationToken) -> Woken {
        let clock = Arc::clone(&self.parts.clock);
        let wake_at = self.lanes.wake_at();
        let room = self.lanes.outstanding() < self.parts.limits.outstanding / 2;
        let wants_rows = self.backlog.is_some() && room;
        let wants_behind = self.backlog.is_none() && room;
        let asking = !self.late.is_empty() || wants_rows;
        tokio::select! {
            biased;
            () = stop.cancelled() => Woken::Stopped,
            Some(made) = self.attempts.join_next_with_id() => Woken::Made(made),
            record = head.recv() => Woken::Head(record),
            record = next_behind(&mut self.lag), if wants_behind => Woken::Behind(record),
            Ok(()) = self.parts.current.changed() => Woken::Reloaded,
            () = sleep(&*clock, wake_at) => Woken::Time,
            () = tokio::time::sleep_until(self.ask_at), if asking => Woken::AskAgain,
        }
    }

    fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    fn setup(&self) -> Arc<Setup> {
        Arc::clone(&self.parts.current.borrow())
    }

    /// Does what the lanes say.
    fn act(&mut self) {
        loop {
            let actions = self.lanes.take_actions();
            if actions.is_empty() {
                break;
            }
            for action in actions {
                match action {
                    Action::Send(key) => self.send(key),
                    Action::Report(outcome) => self.report(outcome),
                }
            }
        }
    }

    fn send(&mut self, key: Key) {
        let Some(delivery) = self.lanes.delivery(key) else { return };
        match self.door.open(delivery, &self.setup()) {
            Ok(ready) => {
                let task = self.attempts.spawn(ready.send());
                self.keys.insert(task.id(), key);
            }
            Err(made) => self.made(key, &made),
        }
    }

    fn report(&self, outcome: DeliveryOutcome) {
        let DeliveryOutcome { key, number, target, outcome: became, .. } = outcome;
        match became {
            Outcome::Accepted => tracing::info!(%key, number, target = target.0, "delivery accepted"),
            Outcome::Superseded => tracing::info!(%key, number, target = target.0, "delivery superseded"),
            Outcome::Dead(death) => {
                tracing::error!(%key, number, target = target.0, ?death, "delivery given up");
            }
        }
        self.parts.inbox.control(Input::Outcome(outcome));
    }

    fn finish(&mut self, joined: Result<(Id, Made), JoinError>) {
        let (id, made) = match joined {
            Ok((id, made)) => (id, made),
            Err(error) => {
                // A channel's panic is a failed attempt, not the courier's end.
                let reason = "the channel failed, see the log".to_owned();
                tracing::error!(%error, "an attempt ended in a panic");
                let made = Made { channel: "none", attempt: Attempt::Failed(None), result: "retry", reason };
                (error.id(), made)
            }
        };
        if let Some(key) = self.keys.remove(&id) {
            self.made(key, &made);
        }
    }

    fn made(&mut self, key: Key, made: &Made) {
        let now = self.now();
        metrics::counter!("forewarn_courier_attempts_total", "channel" => made.channel, "result" => made.result)
            .increment(1);
        let outcome = match made.reason.as_str() {
            "" => made.result.to_owned(),
            reason => format!("{}: {reason}", made.result),
        };
        if self.parts.notes.try_send(Note { key, at: self.lanes.civil(now), outcome }).is_err() {
            metrics::counter!("forewarn_courier_notes_dropped_total").increment(1);
        }
        self.lanes.finished(key, made.attempt, now);
    }

    /// The newest record: what it says of time, names and outcomes counts at
    /// once; what it releases counts if there is room.
    async fn follow_head(&mut self, record: &Record) {
        if record.last() <= self.upto {
            return;
        }
        let now = self.now();
        for input in &record.inputs {
            match input {
                Input::Started(started) => self.lanes.civil_is(started.offset, started.trusted, now),
                Input::Clock(step) => self.lanes.civil_is(step.offset, step.trusted, now),
                Input::Outcome(outcome) => self.lanes.logged(outcome, now),
                Input::Assign(assigned) if assigned.kind == IndexKind::Target => {
                    self.door.assign(TargetIx(assigned.index), &assigned.name);
                }
                Input::Reading(_)
                | Input::Tick
                | Input::Plan(_)
                | Input::Source(..)
                | Input::Command(_)
                | Input::Trouble(_)
                | Input::Assign(_) => {}
            }
        }
        let (deliveries, resent) = self.released(record);
        let held = self.lanes.outstanding();
        let fits = held == 0 || held + deliveries.len() <= self.parts.limits.outstanding;
        if self.lag.is_none() && !fits {
            self.fall_behind(Position(record.first.0 - 1));
        }
        self.upto = record.last();
        let most = self.parts.limits.outstanding + self.parts.limits.red;
        match &mut self.lag {
            None => {
                self.take(deliveries);
                self.resend(resent).await;
            }
            Some(lag) => {
                let red: Vec<Delivery> = deliveries
                    .into_iter()
                    .filter(|delivery| delivery.revision.level == Level::Red)
                    .take(most.saturating_sub(held).min(AHEAD_MAX.saturating_sub(lag.ahead.len())))
                    .collect();
                lag.ahead.extend(red.iter().map(|delivery| delivery.key));
                self.take(red);
            }
        }
        self.lanes.advance(now);
    }

    /// A record that the first reader had no room for.
    async fn follow_behind(&mut self, record: Option<Arc<Record>>) {
        let Some(lag) = &mut self.lag else { return };
        let upto = lag.upto;
        match record {
            // The log does not end before the first reader's end of it.
            None => {
                tokio::time::sleep(ASK_AGAIN).await;
                self.fall_behind(upto);
            }
            Some(record) if record.last() <= upto => {}
            Some(record) => {
                lag.upto = record.last();
                let (mut deliveries, resent) = self.released(&record);
                if let Some(lag) = &mut self.lag {
                    deliveries.retain(|delivery| !lag.ahead.remove(&delivery.key));
                }
                self.take(deliveries);
                self.resend(resent).await;
            }
        }
        self.catch_up();
    }

    fn fall_behind(&mut self, after: Position) {
        let ahead = self.lag.take().map(|lag| lag.ahead).unwrap_or_default();
        let records = follow::follow(&self.parts.reopen, after).unwrap_or_else(|error| {
            tracing::error!(%error, "no thread to read the log with, trying again");
            mpsc::channel(1).1
        });
        self.lag = Some(Lag { records, upto: after, ahead });
    }

    fn catch_up(&mut self) {
        if self.backlog.is_none() && self.lag.as_ref().is_some_and(|lag| lag.upto >= self.upto) {
            self.lag = None;
        }
    }

    fn released(&self, record: &Record) -> (Vec<Delivery>, Vec<Resent>) {
        let setup = self.setup();
        let (mut deliveries, mut resent) = (Vec::new(), Vec::new());
        for (_, decision) in &record.decisions {
            match decision {
                Decision::Revision(revision) => {
                    let revision = Arc::new(revision.clone());
                    let due = revision.due.iter();
                    deliveries
                        .extend(due.map(|due| self.door.delivery(&revision, due.target, due.round, &setup)));
                }
                &Decision::Resent { warning, number, due } => resent.push(Resent { warning, number, due }),
                Decision::Incident(_)
                | Decision::WouldHave(_)
                | Decision::Trouble(_)
                | Decision::PlanRefused(_)
                | Decision::Resumed => {}
            }
        }
        (deliveries, resent)
    }

    fn take(&mut self, deliveries: Vec<Delivery>) {
        let (setup, now) = (self.setup(), self.now());
        for delivery in deliveries {
            let place = self.door.place(delivery.target, &setup);
            self.lanes.release(delivery, place, now);
        }
    }

    /// What was outstanding before this courier began counts as attempted.
    fn take_rows(&mut self, rows: Vec<Outstanding>) {
        let setup = self.setup();
        for row in &rows {
            self.lanes.recall(row.revision.warning, row.due.target, row.revision.number);
        }
        let rows =
            rows.iter().map(|row| self.door.delivery(&row.revision, row.due.target, row.due.round, &setup));
        let deliveries = rows.collect();
        self.take(deliveries);
    }

    async fn resend(&mut self, resent: Vec<Resent>) {
        for resent in resent {
            match self.revision(resent).await {
                Some(revision) => {
                    let setup = self.setup();
                    let due = resent.due;
                    self.take(vec![self.door.delivery(&revision, due.target, due.round, &setup)]);
                }
                None if self.late.len() < LATE_MAX => self.late.push_back(resent),
                None => tracing::error!(number = resent.number, "too many resends wait, this one is dropped"),
            }
        }
    }

    async fn revision(&self, resent: Resent) -> Option<Arc<Revision>> {
        let archive = Arc::clone(&self.parts.archive);
        let read = move || archive.revision(&resent.warning, resent.number);
        match tokio::task::spawn_blocking(read).await {
            Ok(Ok(revision)) => revision,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the projection cannot be read, trying again");
                None
            }
            Err(_) => None,
        }
    }

    /// Asks the projection for what it did not have, and for the next page.
    async fn ask_again(&mut self) {
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
                self.take_rows(rows);
                self.ask_at = Instant::now();
                self.catch_up();
            }
            Ok(Err(error)) => tracing::warn!(%error, "the projection cannot be read, trying again"),
            Err(_) => {}
        }
    }

    fn reload(&mut self) {
        let (setup, now) = (self.setup(), self.now());
        for target in self.lanes.targets() {
            self.lanes.place(target, self.door.place(target, &setup), now);
        }
        self.lanes.advance(now);
    }

    fn publish(&self) {
        let now = self.now();
        let standing = Standing {
            upto: self.upto,
            idle: self.lanes.is_idle() && self.lag.is_none() && self.late.is_empty(),
            next_attempt: self.lanes.next_attempt(),
            wake_at: self.lanes.wake_at(),
        };
        metrics::gauge!("forewarn_courier_outstanding").set(self.lanes.outstanding() as f64);
        let age = self.lanes.oldest().map_or(0.0, |sent| self.lanes.civil(now).since(sent).as_secs_f64());
        metrics::gauge!("forewarn_courier_oldest_secs").set(age);
        self.standing.send_if_modified(|was| std::mem::replace(was, standing) != standing);
    }

    /// Hears the attempts in the air out, within [`STOP_WITHIN`]. Outcomes are
    /// reported; what was not said is said again under its key at the next start.
    async fn wind_up(&mut self) {
        let deadline = Instant::now() + STOP_WITHIN;
        while let Ok(Some(made)) = tokio::time::timeout_at(deadline, self.attempts.join_next_with_id()).await
        {
            self.finish(made);
            for action in self.lanes.take_actions() {
                match action {
                    Action::Report(outcome) => self.report(outcome),
                    Action::Send(_) => {}
                }
            }
        }
    }
}

async fn next_behind(lag: &mut Option<Lag>) -> Option<Arc<Record>> {
    match lag {
        Some(lag) => lag.records.recv().await,
        None => std::future::pending().await,
    }
}

async fn sleep(clock: &dyn super::CourierClock, at: Option<Timestamp>) {
    match at {
        Some(at) => clock.sleep_until(at).await,
        None => std::future::pending().await,
    }
}
