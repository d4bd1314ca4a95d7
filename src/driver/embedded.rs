//! The embedded driver: one loop on a thread of its own, in which intake and
//! judge share one record and one sync.

mod commit;
mod room;

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::{Duration, Instant};

use forewarn_core::engine::Engine;
use forewarn_core::event::{ClockStep, Input, Output};
use forewarn_core::ids::{Position, RunId};
use forewarn_core::time::{Moment, Span, Timestamp};
use metrics::gauge;
use tokio::sync::watch;
use tracing::{info, warn};

use super::bounds::Bounds;
use super::cursors::Cursors;
use super::draft::Draft;
use super::inbox::{Answer, DriverInbox, Waited};
use super::picture::{Picture, Pulse};
use super::recovery::Recovery;
use super::release::{acknowledge, gone, tell};
use super::snapshots::Snapshots;
use super::stamp::Stamper;
use super::tally::Tally;
use crate::clock::Clock;
use crate::crash::{self, Before};
use crate::log::{Log, Record};
use crate::ports::{Acks, Batch};

/// How late the system may wake this thread, nanoseconds: its own 50,000 are an eighth of
/// the time from one sync to the next, and every warning would wait that much longer.
const TIMER_SLACK: NonZeroU64 = NonZeroU64::new(1_000).expect("it is not nought");

/// Two ticks are at least this far apart, so that a thousand timers due
/// within one blink are one record.
const TICK_APART: Span = Span(10_000);

/// How often the log lets go of old segments.
const TRIM_APART: Duration = Duration::from_mins(1);

/// Under load the picture is published this far apart at most.
const PICTURES_APART: Duration = Duration::from_millis(20);

/// How often the wall clock is held against civil time, and room looked for when there was none.
const LOOK_AROUND: Duration = Duration::from_secs(1);

/// What the loop is made of.
pub struct Embedded {
    /// The engine, recovered to the log's end.
    pub engine: Engine,
    /// The log, open for writing.
    pub log: Log,
    /// The way in.
    pub inbox: Arc<DriverInbox>,
    /// The clock.
    pub clock: Clock,
    /// This run.
    pub run: RunId,
    /// Least real time between the starts of two syncs.
    pub gap: Duration,
    /// Where the picture goes.
    pub picture: watch::Sender<Arc<Picture>>,
    /// Where every commit is told.
    pub pulse: watch::Sender<Pulse>,
    /// How far the readers of the log are.
    pub cursors: Cursors,
    /// Photographs the engine now and then.
    pub snapshots: Snapshots,
    /// Rebuilds the engine after a panic.
    pub recovery: Recovery,
    /// The moment of the last event.
    pub moment: Moment,
    /// Its position.
    pub position: Position,
}

/// The loop with what it keeps between turns.
struct Loop {
    parts: Embedded,
    stamper: Stamper,
    tally: Tally,
    outputs: Vec<Output>,
    last_sync: Option<Instant>,
    last_tick: Timestamp,
    intake_stopped: bool,
    looked_around: Instant,
    looked_at_disk: Option<Instant>,
    trimmed: Instant,
    /// When the picture was last published, and whether it has changed since.
    published: Instant,
    changed: bool,
    /// What a record may hold, by the size of the log's segments.
    bounds: Bounds,
}

impl Embedded {
    /// Runs until the inbox is closed and all that was in it is committed.
    pub fn run(self) {
        if let Err(error) = rustix::thread::set_current_timer_slack(Some(TIMER_SLACK)) {
            info!(%error, "this system wakes threads as late as it likes");
        }
        let bounds = Bounds::of(&self.log);
        if matches!(self.clock, Clock::Led(_)) {
            self.log.wake_at_every_record();
        }
        let mut this = Loop {
            bounds,
            tally: Tally::new(self.engine.plan()),
            parts: self,
            stamper: Stamper::default(),
            outputs: Vec::new(),
            last_sync: None,
            last_tick: Timestamp::MIN,
            intake_stopped: false,
            looked_around: Instant::now(),
            looked_at_disk: None,
            trimmed: Instant::now(),
            published: Instant::now(),
            changed: false,
        };
        this.publish();
        this.beat();
        while this.parts.inbox.wait(this.patience()) == Waited::GoOn {
            this.gather();
            this.turn();
        }
        this.parts.snapshots.last(&this.parts.engine, this.parts.position);
        info!(position = this.parts.position.0, "driver stopped");
    }
}

impl Loop {
    /// How long nothing needs doing.
    fn patience(&self) -> Option<Duration> {
        let due = self.parts.engine.wake_at();
        match &self.parts.clock {
            Clock::System(_) => {
                let due = due.map(|due| due.max(self.last_tick + TICK_APART));
                let wait = due.and_then(|due| self.parts.clock.until(due));
                Some(wait.map_or(LOOK_AROUND, |wait| wait.min(LOOK_AROUND)))
            }
            // Only a player's move brings anything later, and it nudges.
            Clock::Led(led) => due.is_some_and(|due| due <= led.now()).then_some(Duration::ZERO),
        }
    }

    /// Whether a tick may follow now: on the led clock any may, since time stands
    /// still until all is done.
    fn may_tick(&self, now: Timestamp) -> bool {
        matches!(self.parts.clock, Clock::Led(_)) || now >= self.last_tick + TICK_APART
    }

    /// Group commit: at once when the last sync began long enough ago, else
    /// gathering until then.
    fn gather(&self) {
        if let (Some(last), Clock::System(_)) = (self.last_sync, &self.parts.clock) {
            let since = last.elapsed();
            if since < self.parts.gap {
                std::thread::sleep(self.parts.gap.checked_sub(since).unwrap_or_default());
            }
        }
    }

    fn turn(&mut self) {
        self.look_around();
        self.look_for_room();
        let work = self.parts.inbox.drain(self.bounds.inputs);
        let mut draft = Draft::default();
        for asked in work.control {
            let falls_due_before = self.parts.engine.wake_at().is_some_and(|due| due <= asked.at);
            if draft.is_closed() || (falls_due_before && !draft.is_empty()) {
                self.commit(std::mem::take(&mut draft));
            }
            draft.ask(asked);
        }
        let now = self.now();
        let falls_due = self.falls_due(now);
        if !draft.is_empty() && (draft.is_closed() || falls_due) {
            self.commit(std::mem::take(&mut draft));
        }
        draft.at = draft.at.max(now);
        self.fill(&mut draft, work.batches);
        if !draft.is_empty() {
            self.commit(draft);
        } else if falls_due && self.may_tick(now) {
            self.last_tick = now;
            self.commit(Draft { at: now, ..Draft::default() });
        } else {
            // Asking whether something is due may have moved on when it is.
            self.beat();
        }
        self.show();
        self.parts.inbox.serve_looks(&self.parts.engine);
    }

    /// Gives readings their final form and puts them into the draft.
    fn fill(&mut self, draft: &mut Draft, batches: Vec<Batch>) {
        let moment = Moment { at: draft.at, ..self.parts.moment };
        let plan = self.parts.engine.plan().clone();
        for batch in batches {
            for taken in &batch.taken {
                match self.stamper.reading(&plan, batch.source, taken, moment) {
                    Ok(reading) => draft.inputs.push(Input::Reading(reading)),
                    Err(_) => draft.refused.push(gone(batch.source, taken.sensor.0)),
                }
            }
            draft.inputs.extend(batch.canary.map(Input::Canary));
            draft.refused.extend(batch.refused);
            draft.acks.extend(batch.acks);
        }
    }

    fn falls_due(&mut self, now: Timestamp) -> bool {
        self.parts.engine.wake_at().is_some_and(|due| due <= now) && self.parts.engine.is_due(now)
    }

    fn now(&self) -> Timestamp {
        self.parts.clock.now().max(self.parts.moment.at)
    }

    /// Once a second: was the wall clock stepped, did anything rot?
    fn look_around(&mut self) {
        if self.looked_around.elapsed() < LOOK_AROUND {
            return;
        }
        self.looked_around = Instant::now();
        let now = Moment { at: self.now(), ..self.parts.moment };
        if let Some(stepped) = self.parts.clock.stepped(now) {
            warn!(
                civil_before = now.civil().as_secs(),
                civil_after = stepped.civil().as_secs(),
                trusted = stepped.trusted,
                "the wall clock was stepped"
            );
            self.stamper.clock_stepped();
            let step = ClockStep { offset: stepped.offset, trusted: stepped.trusted };
            self.parts.moment = stepped;
            self.commit(Draft { at: now.at, inputs: vec![Input::Clock(step)], ..Draft::default() });
        }
        self.tell_rot();
        self.look_at_disk();
        self.trim();
        self.publish();
        let (readings, control) = self.parts.inbox.fill();
        gauge!("forewarn_inbox_readings").set(readings as f64);
        gauge!("forewarn_inbox_control").set(control as f64);
    }

    /// Lets go of what is older than the log is to be kept, once every reader and
    /// the second-newest snapshot have it. What a reader may still lose of its
    /// cursor in a power cut is seconds; what is kept is hours at least.
    fn trim(&mut self) {
        let below = self.parts.cursors.lowest().min(self.parts.snapshots.trimmable());
        if below == Position(0) || self.trimmed.elapsed() < TRIM_APART {
            return;
        }
        self.trimmed = Instant::now();
        match self.parts.log.trim(below, self.parts.moment.at) {
            Ok(0) => {}
            Ok(segments) => info!(segments, below = below.0, "old segments of the log recycled"),
            Err(error) => warn!(%error, "old segments of the log not recycled"),
        }
    }

    /// After the sync, and not before.
    fn release(
        &mut self,
        record: &Record,
        replies: Vec<(std::ops::Range<usize>, super::inbox::Reply)>,
        acks: Vec<Acks>,
    ) {
        for (range, reply) in replies {
            let decisions = record
                .decisions
                .iter()
                .filter(|(index, _)| range.contains(&(*index as usize)))
                .map(|(_, decision)| decision.clone())
                .collect();
            reply(Answer { position: record.last(), decisions, quarantined: range.is_empty() });
        }
        for (_, decision) in &record.decisions {
            tell(decision);
        }
        self.changed |=
            !record.decisions.is_empty() || record.inputs.iter().any(|input| matches!(input, Input::Plan(_)));
        self.show();
        self.beat();
        crash::may_come(Before::Ack);
        // Last, so that whoever sent sees in the picture what came of it.
        acknowledge(acks);
        self.parts.snapshots.consider(&self.parts.engine, self.parts.position);
    }

    fn beat(&self) {
        self.parts.pulse.send_replace(Pulse {
            position: self.parts.position,
            moment: self.parts.moment,
            wake_at: self.parts.engine.wake_at(),
        });
    }

    /// Publishes the picture if it changed: at once where nothing waits, under
    /// load now and then. It holds every incident, and in a storm there are many.
    fn show(&mut self) {
        let is_idle = || self.parts.inbox.fill() == (0, 0);
        if self.changed && (is_idle() || self.published.elapsed() >= PICTURES_APART) {
            self.publish();
        }
    }

    fn publish(&mut self) {
        (self.published, self.changed) = (Instant::now(), false);
        let mut picture = Picture::of(&self.parts.engine, self.parts.position);
        picture.intake_stopped = self.intake_stopped;
        self.parts.picture.send_replace(Arc::new(picture));
    }
}
