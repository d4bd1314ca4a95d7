//! The canary's beginning and its end: sends one out every round, and looks how
//! far it has come. What it shows goes outside by its channel, to systemd, to
//! metrics, and, where it is late, to the operator by every way that still works.

use std::sync::Arc;
use std::time::Duration;

use forewarn_core::event::{Input, TroubleReport};
use forewarn_core::time::Span;
use forewarn_core::warning::{TroubleCode, TroubleKey};
use metrics::gauge;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::backbone::{Followers, Judging};
use super::service::Timekeeping;
use crate::channels::show;
use crate::crash::{self, Before};
use crate::driver::inbox::DriverInbox;
use crate::driver::picture::Picture;
use crate::ports::{Batch, Current, Inbox, Walk};

/// The operator hears of a canary that is later than so many rounds.
const ROUNDS_LATE: u32 = 2;

/// Systemd hears no more once none has come to its channel for so many rounds.
const ROUNDS_ALIVE: u32 = 3;

/// It is looked at so many times a round.
const LOOKS: u32 = 12;

/// It is looked at no more often than this.
const LOOKS_APART_MIN: Duration = Duration::from_millis(200);

/// Sends canaries out and looks after them, on the machine's clocks: where a
/// player leads the clock, a minute means nothing to anybody outside. Until when
/// the service counts as making progress, as it moves.
pub(super) fn start(
    time: &Timekeeping,
    current: &Current,
    judging: &Judging,
    followers: &Followers,
    stop: &CancellationToken,
) -> watch::Receiver<Instant> {
    let (alive, lives) = watch::channel(Instant::now());
    let Timekeeping::System = time else { return lives };
    let lookout = Lookout {
        current: current.clone(),
        walked: followers.walked.clone(),
        picture: judging.picture.clone(),
        inbox: judging.inbox.clone(),
        alive,
    };
    let picture = judging.picture.clone();
    tokio::spawn(send_out(current.clone(), judging.inbox.clone(), picture, stop.clone()));
    tokio::spawn(lookout.keep(stop.clone()));
    lives
}

/// Sends a canary out every round, the first at once, until `stop`.
async fn send_out(
    mut current: Current,
    inbox: Arc<DriverInbox>,
    picture: watch::Receiver<Arc<Picture>>,
    stop: CancellationToken,
) {
    loop {
        let every = current.borrow_and_update().heartbeat.every;
        let round = async {
            crash::may_come_in_task(Before::Canary).await;
            // Where the disk has no room readings wait, and one canary among them is enough.
            if !picture.borrow().intake_stopped {
                enter(&*inbox, every).await;
            }
            tokio::select! {
                () = tokio::time::sleep(show::duration(every)) => {}
                // Its rounds may be others from now on; once nobody can change them, they go on.
                Ok(()) = current.changed() => {}
            }
        };
        if stop.run_until_cancelled(round).await.is_none() {
            return;
        }
    }
}

/// By the lane of readings, as they come in: it waits where they wait.
async fn enter(inbox: &dyn Inbox, every: Span) {
    let mut batch = Batch { canary: Some(every), ..Batch::default() };
    while let Err(back) = inbox.offer(batch) {
        batch = back;
        inbox.room().await;
    }
}

/// Where it is looked how far the canary has come.
struct Lookout {
    current: Current,
    walked: watch::Receiver<Walk>,
    picture: watch::Receiver<Arc<Picture>>,
    inbox: Arc<DriverInbox>,
    /// Until when the service counts as making progress.
    alive: watch::Sender<Instant>,
}

impl Lookout {
    /// Looks until `stop`, or until the courier has ended with the service.
    async fn keep(mut self, stop: CancellationToken) {
        let rounds = |current: &Current| show::duration(current.borrow().heartbeat.every);
        let mut ages = Ages::new(Instant::now(), rounds(&self.current));
        let mut told = None;
        loop {
            let every = rounds(&self.current);
            self.look(every, &mut ages, &mut told);
            let next = tokio::time::sleep((every / LOOKS).max(LOOKS_APART_MIN));
            // A courier that is gone tells nothing more, and that is what is to be seen.
            let is_gone = self.walked.has_changed().is_err();
            tokio::select! {
                () = stop.cancelled() => return,
                () = next => {}
                _ = self.walked.changed(), if !is_gone => {}
            }
        }
    }

    fn look(&mut self, every: Duration, ages: &mut Ages, told: &mut Option<String>) {
        let now = Instant::now();
        let walk = self.walked.borrow_and_update().clone();
        let (held, stopped, standing) = {
            let picture = self.picture.borrow();
            let standing = picture.troubles.contains_key(&TroubleCode::HeartbeatLate);
            // What an earlier run told lasts until one has been taken in this one.
            (picture.held, picture.intake_stopped, standing && walk.accepted > 0)
        };
        ages.see(&walk, now, every, if held { Sent::Not } else { Sent::Out });
        let has_outside = self.current.borrow().heartbeat.outside.is_some();
        gauge!("forewarn_canary_age_seconds").set((now - ages.through.since).as_secs_f64());
        gauge!("forewarn_canary_number").set(f64::from(walk.through));
        if has_outside {
            gauge!("forewarn_heartbeat_age_seconds").set((now - ages.accepted.since).as_secs_f64());
        }
        if let Some(report) = news(ages.late(&walk, now), told, standing) {
            self.inbox.ask(vec![Input::Trouble(report)], None);
        }
        // A restart gives no room on the disk and resumes nothing.
        let late_from = if held || stopped { now + every * ROUNDS_LATE } else { ages.arrived.late_from };
        self.alive.send_replace(late_from + every * (ROUNDS_ALIVE - ROUNDS_LATE));
    }
}

/// Whether canaries are sent out at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    Out,
    /// The directory is held: the engine answers none.
    Not,
}

/// How long no newer canary has come to a place.
#[derive(Debug, Clone, Copy)]
struct Age {
    since: Instant,
    /// From then on the next one is late.
    late_from: Instant,
}

impl Age {
    fn new(now: Instant, every: Duration) -> Age {
        Age { since: now, late_from: now + every * ROUNDS_LATE }
    }

    fn is_late(&self, now: Instant) -> bool {
        now > self.late_from
    }
}

/// How long no newer canary has come to each place.
#[derive(Debug, Clone)]
struct Ages {
    seen: Walk,
    every: Duration,
    arrived: Age,
    through: Age,
    accepted: Age,
}

impl Ages {
    fn new(now: Instant, every: Duration) -> Ages {
        let age = Age::new(now, every);
        Ages { seen: Walk::default(), every, arrived: age, through: age, accepted: age }
    }

    /// Takes in how far canaries have come by now, and how long a round is.
    fn see(&mut self, walk: &Walk, now: Instant, every: Duration, sent: Sent) {
        let fresh = Age::new(now, every);
        for (age, newer) in [
            (&mut self.arrived, walk.arrived > self.seen.arrived),
            (&mut self.through, walk.through > self.seen.through),
            (&mut self.accepted, walk.accepted > self.seen.accepted),
        ] {
            if newer || sent == Sent::Not {
                *age = fresh;
            } else if every != self.every && !age.is_late(now) {
                // Rounds of another length count from now on. One that is late stays
                // so, however long they are: only a newer one ends that.
                age.late_from = fresh.late_from;
            }
        }
        self.seen = walk.clone();
        self.every = every;
    }

    /// What the operator is to hear, in words; nothing while all is in time.
    fn late(&self, walk: &Walk, now: Instant) -> Option<String> {
        if self.through.is_late(now) && !self.arrived.is_late(now) {
            let projection = "the canary reaches its channel, and for longer than two rounds not the projection: \
                              what people see stands still";
            Some(projection.to_owned())
        } else if self.through.is_late(now) {
            let inside = "the canary has not come through for longer than two rounds: somewhere between \
                          readings and warnings a stage of the service stands still";
            Some(inside.to_owned())
        } else if self.accepted.is_late(now) {
            let why = walk.failed.as_deref().unwrap_or("no attempt has ended");
            Some(format!("no heartbeat has reached anybody outside for longer than two rounds: {why}"))
        } else {
            None
        }
    }
}

/// What the engine is to hear after it was `told` this last, where such a
/// trouble stands with it or not: one that an earlier run raised ends as well.
/// That the cause changes while it lasts is no news.
fn news(late: Option<String>, told: &mut Option<String>, standing: bool) -> Option<TroubleReport> {
    let report = |present, detail| {
        let key = TroubleKey { code: TroubleCode::HeartbeatLate, subject: String::new() };
        Some(TroubleReport { key, present, detail })
    };
    match (late, told.is_some()) {
        (Some(detail), false) => {
            *told = Some(detail.clone());
            report(true, detail)
        }
        (None, true) => {
            *told = None;
            report(false, String::new())
        }
        (None, false) if standing => report(false, String::new()),
        (None, false) | (Some(_), true) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn walk(arrived: u32, through: u32, accepted: u32) -> Walk {
        Walk { arrived, through, accepted, failed: Some("the receiver answered 500".into()) }
    }

    #[test]
    fn a_canary_is_late_after_two_rounds_and_it_is_said_where() {
        let began = Instant::now();
        // the newest numbers at two minutes and one second, since all were 1 at the start; the words
        for (now, expected) in [
            (walk(4, 4, 4), None),
            (walk(4, 4, 1), Some("no heartbeat has reached anybody outside")),
            (walk(4, 1, 1), Some("the canary reaches its channel, and for longer than two rounds not")),
            (walk(1, 1, 1), Some("the canary has not come through")),
        ] {
            let mut ages = Ages::new(began, MINUTE);
            ages.see(&walk(1, 1, 1), began, MINUTE, Sent::Out);
            assert_eq!(ages.late(&walk(1, 1, 1), began + MINUTE * 2), None);
            let at = began + MINUTE * 2 + Duration::from_secs(1);
            ages.see(&now, at, MINUTE, Sent::Out);
            let late = ages.late(&now, at);
            assert_eq!(late.is_some(), expected.is_some(), "{now:?}: {late:?}");
            assert!(late.unwrap_or_default().starts_with(expected.unwrap_or_default()), "{now:?}");
        }
    }

    #[test]
    fn nothing_is_late_while_the_directory_is_held() {
        let began = Instant::now();
        let mut ages = Ages::new(began, MINUTE);
        let at = began + MINUTE * 60;
        ages.see(&walk(0, 0, 0), at, MINUTE, Sent::Not);
        assert_eq!(ages.late(&walk(0, 0, 0), at), None);
    }

    #[test]
    fn rounds_of_another_length_make_nothing_late_and_end_nothing() {
        const SECOND: Duration = Duration::from_secs(1);
        let began = Instant::now();
        let stands = walk(1, 1, 1);
        let mut ages = Ages::new(began, MINUTE);
        ages.see(&stands, began, MINUTE, Sent::Out);
        // Shorter ones: a canary of the former may be as old as those were long.
        let at = began + SECOND * 40;
        ages.see(&stands, at, SECOND, Sent::Out);
        assert_eq!(ages.late(&stands, at + SECOND * 2), None);
        ages.see(&stands, at + SECOND * 3, SECOND, Sent::Out);
        assert!(ages.late(&stands, at + SECOND * 3).is_some(), "two of the new rounds are over");
        // Longer ones: nothing has come through all the same.
        ages.see(&stands, at + SECOND * 4, MINUTE, Sent::Out);
        assert!(ages.late(&stands, at + SECOND * 4).is_some());
        let newer = walk(2, 2, 2);
        ages.see(&newer, at + SECOND * 5, MINUTE, Sent::Out);
        assert_eq!(ages.late(&newer, at + MINUTE), None);
    }

    #[test]
    fn what_is_late_is_reported_once_and_its_end_once() {
        let mut told = None;
        let mut check = |late: Option<&str>, standing, expected: Option<bool>| {
            let report = news(late.map(str::to_owned), &mut told, standing).map(|report| report.present);
            assert_eq!(report, expected, "{late:?}, standing {standing}");
        };
        check(None, false, None);
        check(Some("one cause"), false, Some(true));
        check(Some("another cause"), true, None);
        check(None, true, Some(false));
        check(None, false, None);
        // An earlier run's.
        check(None, true, Some(false));
    }
}
