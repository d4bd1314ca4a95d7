//! The thin shell around the lanes: follows the log, makes attempts, reports.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use forewarn_core::event::{Bundle, DeliveryOutcome, Input};
use forewarn_core::ids::{Key, Position, TargetIx};
use forewarn_core::time::{Moment, Timestamp};
use forewarn_core::warning::{Death, Outcome};
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::arrivals::Arrivals;
use super::delivery::{Action, Attempt};
use super::door::{self, Door, Made, NO_CHANNEL};
use super::heard::Heard;
use super::intake::{Lag, Resent, next_behind};
use super::lanes::Lanes;
use super::overdue::Waiting;
use super::{Parts, Standing};
use crate::channels::door::World;
use crate::config::plan::Setup;
use crate::crash::{self, Before};
use crate::log::Record;
use crate::ports::{Note, Outstanding};

/// How long attempts in the air may go on after a stop.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// The courier's loop and all it holds.
#[derive(Debug)]
pub(super) struct Shell<W: World> {
    pub(super) parts: Parts<W>,
    pub(super) door: Door<W>,
    /// Released, and not in the lanes yet.
    pub(super) arrivals: Arrivals,
    pub(super) lanes: Lanes,
    attempts: JoinSet<Made>,
    heard: Heard,
    waiting: Waiting,
    /// Why deliveries died that the lanes are about to report.
    deaths: HashMap<Key, Made>,
    keys: HashMap<Id, Key>,
    /// Deliveries of the other world that were refused.
    pub(super) foreign: usize,
    pub(super) upto: Position,
    pub(super) lag: Option<Lag>,
    /// The last row of the projection taken, while there may be more.
    pub(super) backlog: Option<Outstanding>,
    pub(super) late: VecDeque<Resent>,
    /// When the projection may be asked again.
    pub(super) ask_at: Instant,
    standing: watch::Sender<Standing>,
}

/// While something waits, its age is published this often.
const AGES_APART: Duration = Duration::from_secs(1);

/// What woke the loop.
enum Woken {
    Stopped,
    Made(Result<(Id, Made), JoinError>),
    Head(Option<Arc<Record>>),
    Behind(Option<Arc<Record>>),
    Time,
    Reloaded,
    AskAgain,
    /// More has arrived than a slice takes.
    More,
    /// Nothing happened; what waits has grown older.
    Older,
}

impl<W: World> Shell<W> {
    pub(super) fn new(mut parts: Parts<W>, standing: watch::Sender<Standing>) -> Self {
        let resume = std::mem::take(&mut parts.resume);
        let (channels, links) = (std::mem::take(&mut parts.channels), parts.links.take());
        let door = Door::new(channels, resume.targets.clone(), links, parts.log);
        let mut shell = Shell {
            arrivals: Arrivals::default(),
            lanes: Lanes::new(parts.seed),
            door,
            attempts: JoinSet::new(),
            heard: Heard::default(),
            waiting: Waiting::new(parts.clock.now()),
            deaths: HashMap::new(),
            keys: HashMap::new(),
            foreign: 0,
            upto: resume.cursor,
            lag: None,
            backlog: None,
            late: VecDeque::new(),
            ask_at: Instant::now(),
            standing,
            parts,
        };
        shell.lanes.civil_is(Moment { at: shell.now(), offset: resume.offset, trusted: resume.trusted });
        shell.lanes.hold(resume.hold, shell.now());
        for (warning, target, number) in resume.told {
            shell.lanes.recall(warning, target, number);
        }
        for said in resume.said {
            shell.lanes.recall_said(said);
        }
        // Before the rows: what is in a digest comes before a later word on its warning.
        for bundled in &resume.bundled {
            shell.take_digest(bundled);
        }
        if resume.outstanding.len() >= shell.parts.limits.page {
            shell.backlog = resume.outstanding.last().cloned();
        }
        shell.take_rows(&resume.outstanding);
        shell
    }

    /// Runs until stopped, or until the log is closed and all is said.
    pub(super) async fn run(mut self, mut head: mpsc::Receiver<Arc<Record>>, stop: CancellationToken) {
        if self.backlog.is_some() {
            self.fall_behind(self.upto);
        }
        loop {
            self.let_in();
            self.act();
            self.publish();
            metrics::gauge!("forewarn_queue_items", "queue" => "courier_records").set(head.len() as f64);
            match self.wake(&mut head, &stop).await {
                Woken::Stopped | Woken::Head(None) => break,
                Woken::Made(made) => self.finish(made),
                Woken::Head(Some(record)) => {
                    crash::may_come_in_task(Before::Courier).await;
                    self.follow_head(&record).await;
                }
                Woken::Behind(record) => self.follow_behind(record).await,
                Woken::Time => self.lanes.advance(self.now()),
                Woken::Reloaded => self.reload(),
                Woken::AskAgain => self.ask_again().await,
                Woken::More | Woken::Older => {}
            }
        }
        self.wind_up().await;
    }

    async fn wake(&mut self, head: &mut mpsc::Receiver<Arc<Record>>, stop: &CancellationToken) -> Woken {
        let clock = Arc::clone(&self.parts.clock);
        let wake_at = self.lanes.wake_at();
        let room = self.pressing() < self.parts.limits.outstanding / 2
            && self.gathered() < self.parts.limits.gathered / 2;
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
            () = std::future::ready(()), if !self.arrivals.is_empty() => Woken::More,
            () = tokio::time::sleep(AGES_APART), if self.lanes.outstanding() > 0 => Woken::Older,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    pub(super) fn setup(&self) -> Arc<Setup> {
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
                    Action::Fix(bundle) => self.fix(bundle),
                    Action::Send(key) => self.send(key),
                    Action::Report(outcome) => self.report(outcome),
                    Action::Settle(key, outcomes) => self.settle(key, outcomes),
                }
            }
        }
        // One that was overtaken in the air is reported as that.
        self.deaths.clear();
    }

    fn send(&mut self, key: Key) {
        let deliveries = self.lanes.deliveries(key);
        if deliveries.is_empty() {
            // Gone between the lanes' word and ours: its permits are given back.
            return self.lanes.finished(key, Attempt::Failed(None), self.now());
        }
        match self.door.open(key, deliveries, &self.setup()) {
            Ok(ready) => {
                let task = self.attempts.spawn(ready.send());
                self.keys.insert(task.id(), key);
            }
            Err(made) => self.made(key, made),
        }
    }

    fn fix(&mut self, bundle: Bundle) {
        if bundle.is_digest() {
            metrics::counter!("forewarn_courier_digests_total").increment(1);
            let (key, target, members) = (bundle.key, bundle.target.0, bundle.members.len());
            tracing::info!(%key, target, members, "more than a target takes becomes a digest");
        }
        self.parts.inbox.control(Input::Bundled(bundle));
    }

    /// Hands over what became of all that is in a digest.
    fn settle(&mut self, key: Key, outcomes: Vec<DeliveryOutcome>) {
        let made = self.deaths.remove(&key);
        let (became, members) = (outcomes.first().map(|outcome| outcome.outcome), outcomes.len());
        if let Some(Outcome::Dead(death)) = became {
            let (channel, server, cause) = told(made.as_ref());
            tracing::error!(%key, members, ?death, channel, server, cause, "digest given up");
        } else {
            tracing::info!(%key, members, ?became, "digest decided");
        }
        self.parts.inbox.controls(outcomes.into_iter().map(Input::Outcome).collect());
    }

    fn report(&mut self, outcome: DeliveryOutcome) {
        if outcome.target == TargetIx::HEARTBEAT {
            // Nothing hangs on what became of it but the next one, so the log need
            // not hold it: that would be a second record a minute.
            let now = self.now();
            return self.lanes.logged(&outcome, now);
        }
        let made = self.deaths.remove(&outcome.key);
        let DeliveryOutcome { key, number, target, outcome: became, .. } = outcome;
        match became {
            Outcome::Accepted => tracing::info!(%key, number, target = target.0, "delivery accepted"),
            Outcome::Superseded => tracing::info!(%key, number, target = target.0, "delivery superseded"),
            Outcome::Dead(death) => {
                let (channel, server, cause) = told(made.as_ref());
                tracing::error!(
                    %key,
                    number,
                    target = target.0,
                    ?death,
                    channel,
                    server,
                    cause,
                    "delivery given up"
                );
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
                let (channel, server, attempt) = (NO_CHANNEL, String::new(), Attempt::Failed(None));
                let made = Made { channel, server, attempt, reason };
                (error.id(), made)
            }
        };
        if let Some(key) = self.keys.remove(&id) {
            self.made(key, made);
        }
    }

    fn made(&mut self, key: Key, made: Made) {
        let now = self.now();
        door::attempts(made.channel, made.attempt).increment(1);
        let word = made.attempt.word();
        let outcome = match (made.server.as_str(), made.reason.as_str()) {
            (_, "") => word.to_owned(),
            ("", reason) => format!("{word}: {reason}"),
            (server, reason) => format!("{word}: {server}: {reason}"),
        };
        let is_canary = self.lanes.deliveries(key).first().is_some_and(|it| it.target == TargetIx::HEARTBEAT);
        let note = Note { key, at: self.lanes.civil(now), outcome };
        // Nobody looks up what became of a heartbeat, and there is one a minute.
        if !is_canary && self.parts.notes.try_send(note).is_err() {
            metrics::counter!("forewarn_courier_notes_dropped_total").increment(1);
        }
        self.tell(key, &made, now);
        let attempt = made.attempt;
        if attempt == Attempt::Accepted {
            for delivery in self.lanes.deliveries(key) {
                self.waiting.got_through(delivery.revision.warning, delivery.target);
            }
        }
        if let Attempt::Dead(_) = attempt {
            self.deaths.insert(key, made);
        }
        self.lanes.finished(key, attempt, now);
    }

    /// Says in the service's own log that a target fails, and that it works
    /// again: not of every attempt, or a dead server would fill the disk.
    fn tell(&mut self, key: Key, made: &Made, now: Timestamp) {
        let Some(target) = self.lanes.deliveries(key).first().map(|delivery| delivery.target) else { return };
        let Made { channel, server, reason, .. } = made;
        let setup = self.setup();
        let contact = setup.plan.target(target).map_or("", |target| target.contact.as_str());
        match made.attempt {
            Attempt::Accepted => {
                if let Some(failures) = self.heard.works(target, channel) {
                    tracing::info!(
                        target = target.0,
                        contact,
                        channel,
                        server,
                        failures,
                        "deliveries go through again"
                    );
                }
            }
            Attempt::Failed(_) => {
                if let Some(failures) = self.heard.failed(target, channel, now) {
                    tracing::warn!(
                        target = target.0,
                        contact,
                        channel,
                        server,
                        cause = reason,
                        failures,
                        "delivery attempt failed, it is tried again"
                    );
                }
            }
            // Each is told when it is given up.
            Attempt::Dead(Death::Rejected | Death::Forbidden) => {
                self.heard.failed(target, channel, now);
            }
            Attempt::Dead(Death::Erased | Death::Expired) => {}
        }
    }

    fn reload(&mut self) {
        let (setup, now) = (self.setup(), self.now());
        for target in self.lanes.targets() {
            self.lanes.place(target, self.door.place(target, &setup), now);
        }
        self.lanes.advance(now);
    }

    fn publish(&mut self) {
        let now = self.now();
        let standing = Standing {
            upto: self.upto,
            idle: self.lanes.is_idle()
                && self.arrivals.is_empty()
                && self.lag.is_none()
                && self.late.is_empty(),
            next_attempt: self.lanes.next_attempt(),
            wake_at: self.lanes.wake_at(),
            overdue: self.waiting.look(&self.lanes, now),
        };
        metrics::gauge!("forewarn_courier_gathered").set(self.lanes.gathered() as f64);
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
                    Action::Settle(key, outcomes) => self.settle(key, outcomes),
                    Action::Fix(_) | Action::Send(_) => {}
                }
            }
        }
    }
}

/// Channel, server and cause, for the service's own log.
fn told(made: Option<&Made>) -> (&'static str, &str, &str) {
    made.map_or(("", "", ""), |made| (made.channel, made.server.as_str(), made.reason.as_str()))
}

async fn sleep(clock: &dyn super::CourierClock, at: Option<Timestamp>) {
    match at {
        Some(at) => clock.sleep_until(at).await,
        None => std::future::pending().await,
    }
}
