//! The way in: two lanes in front of one loop. Control goes first and may use
//! the disk reserve; readings may not.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use forewarn_core::engine::Engine;
use forewarn_core::event::{Decision, Input};
use forewarn_core::ids::Position;
use forewarn_core::time::Timestamp;
use tokio::sync::Notify;

use super::draft::weight;
use super::looks::Looks;
use crate::clock::Clock;
use crate::ports::{Batch, Inbox};

/// Readings and refused messages waiting at most. Full: the batch is given
/// back, a QoS 1 sender is left unacknowledged, QoS 0 is shed and counted.
pub const READINGS_MAX: usize = 262_144;

/// Control inputs waiting at most. Full: the sender waits; the loop always
/// takes control first, so it does not wait long.
pub const CONTROL_MAX: usize = 65_536;

/// A look that was not had by then is given up.
const LOOK_WITHIN: Duration = Duration::from_secs(2);

/// The inbox of the embedded driver.
pub struct DriverInbox {
    clock: Clock,
    lanes: Mutex<Lanes>,
    filled: Condvar,
    drained: Condvar,
    room: Notify,
    looks: Looks,
}

#[derive(Default)]
struct Lanes {
    control: VecDeque<Asked>,
    batches: VecDeque<Batch>,
    readings: usize,
    intake_stopped: bool,
    woken: bool,
    life: Life,
}

/// Whether anything is taken in, and taken out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Life {
    #[default]
    Open,
    /// Nothing more comes in; what is there is still committed.
    Closed,
    /// The loop has ended: nobody takes anything out any more.
    Over,
}

/// A control input, or several that belong together, with whoever waits for the answer.
pub struct Asked {
    /// Engine time of receipt: commands run in the order of their stamps.
    pub at: Timestamp,
    /// What happened, in order.
    pub inputs: Vec<Input>,
    /// Told once it is durable.
    pub reply: Option<Reply>,
}

/// Told what was decided on a control input, once that is durable.
pub type Reply = Box<dyn FnOnce(Answer) + Send>;

/// What was decided on a control input.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Position of its last event.
    pub position: Position,
    /// The decisions that followed from it.
    pub decisions: Vec<Decision>,
    /// Whether the engine stumbled over it: it is in quarantine, and nothing came of it.
    pub quarantined: bool,
}

/// What the loop found in the inbox.
#[derive(Default)]
pub struct Work {
    /// In order of receipt.
    pub control: Vec<Asked>,
    /// In order of arrival.
    pub batches: Vec<Batch>,
}

impl Work {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.control.is_empty() && self.batches.is_empty()
    }
}

/// Whether the loop goes on after a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// Something may be there.
    GoOn,
    /// The inbox was closed and is empty.
    Closed,
}

impl DriverInbox {
    /// An empty inbox; its clock stamps commands on receipt.
    pub fn new(clock: Clock) -> Self {
        DriverInbox {
            clock,
            lanes: Mutex::default(),
            filled: Condvar::new(),
            drained: Condvar::new(),
            room: Notify::new(),
            looks: Looks::default(),
        }
    }

    /// Hands over control inputs that belong together; `reply` hears what was
    /// decided, and is dropped unheard where the service has stopped.
    pub fn ask(&self, inputs: Vec<Input>, reply: Option<Reply>) {
        let at = self.clock.now();
        let mut lanes = self.lock();
        while lanes.control.len() >= CONTROL_MAX && lanes.life == Life::Open {
            lanes = self.drained.wait(lanes).unwrap_or_else(PoisonError::into_inner);
        }
        if lanes.life == Life::Over {
            return;
        }
        lanes.control.push_back(Asked { at, inputs, reply });
        self.filled.notify_one();
    }

    /// As [`DriverInbox::ask`], and waits for the answer. `None` when the service stopped first.
    pub async fn answer(&self, inputs: Vec<Input>) -> Option<Answer> {
        let (reply, answered) = tokio::sync::oneshot::channel();
        self.ask(
            inputs,
            Some(Box::new(move |answer| {
                // Whoever asked may have gone; what was decided stands all the same.
                let _ = reply.send(answer);
            })),
        );
        answered.await.ok()
    }

    /// Looks at the engine as it is committed. `None` when too many look, or
    /// the service has stopped.
    pub async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Engine) -> T + Send + 'static,
    ) -> Option<T> {
        let seen = self.looks.ask(look)?;
        if self.lock().life == Life::Over {
            return None;
        }
        self.nudge();
        tokio::time::timeout(LOOK_WITHIN, seen).await.ok()?.ok()
    }

    /// Lets those look who wait for it.
    pub fn serve_looks(&self, engine: &Engine) {
        self.looks.serve(engine);
    }

    /// Wakes the loop to look at the clock again.
    pub fn nudge(&self) {
        self.lock().woken = true;
        self.filled.notify_one();
    }

    /// Takes no more; the loop ends once all that is in it is committed.
    pub fn close(&self) {
        let mut lanes = self.lock();
        lanes.life = lanes.life.max(Life::Closed);
        drop(lanes);
        self.filled.notify_all();
        self.drained.notify_all();
        self.room.notify_waiters();
    }

    /// Stops or resumes the readings lane: when the disk has no room, what waits stays unacknowledged.
    pub fn hold_readings(&self, hold: Hold) {
        self.lock().intake_stopped = hold == Hold::Stop;
    }

    /// Waits until something is there, the time is up, or the inbox is closed.
    pub fn wait(&self, at_most: Option<Duration>) -> Waited {
        let lanes = self.lock();
        let idle = |lanes: &mut Lanes| lanes.life == Life::Open && !lanes.woken && !lanes.has_work();
        let mut lanes = match at_most {
            Some(at_most) => {
                self.filled.wait_timeout_while(lanes, at_most, idle).unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.filled.wait_while(lanes, idle).unwrap_or_else(PoisonError::into_inner),
        };
        lanes.woken = false;
        if lanes.life != Life::Open && !lanes.has_work() {
            lanes.life = Life::Over;
            Waited::Closed
        } else {
            Waited::GoOn
        }
    }

    /// Takes all control there is, and readings up to `readings_max`.
    pub fn drain(&self, readings_max: usize) -> Work {
        let mut work = Work::default();
        let mut lanes = self.lock();
        work.control.extend(lanes.control.drain(..));
        let mut taken = 0;
        while !lanes.intake_stopped
            && let Some(batch) = lanes.batches.front()
            && (taken == 0 || taken + size(batch) <= readings_max)
        {
            taken += size(batch);
            work.batches.extend(lanes.batches.pop_front());
        }
        lanes.readings -= taken;
        drop(lanes);
        self.drained.notify_all();
        if taken > 0 {
            self.room.notify_waiters();
        }
        work
    }

    /// How many readings and control inputs wait.
    pub fn fill(&self) -> (usize, usize) {
        let lanes = self.lock();
        (lanes.readings, lanes.control.len())
    }

    fn lock(&self) -> MutexGuard<'_, Lanes> {
        // Nothing under this lock can panic half-way, so a poisoned lock is as good as any.
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the readings lane is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Readings stay where they are, unacknowledged.
    Stop,
    /// Readings are taken again.
    Resume,
}

impl Lanes {
    fn has_work(&self) -> bool {
        !self.control.is_empty() || (!self.intake_stopped && !self.batches.is_empty())
    }
}

/// Bytes of a refused message that weigh as much as a reading.
const REFUSED_BYTES_A_READING: usize = 64;

fn size(batch: &Batch) -> usize {
    let refused = batch.refused.iter().map(|refused| weight(refused) / REFUSED_BYTES_A_READING);
    (batch.taken.len() + refused.sum::<usize>()).max(1)
}

impl Inbox for DriverInbox {
    fn offer(&self, batch: Batch) -> Result<(), Batch> {
        let mut lanes = self.lock();
        let size = size(&batch);
        if lanes.life != Life::Open || (lanes.readings > 0 && lanes.readings + size > READINGS_MAX) {
            return Err(batch);
        }
        lanes.readings += size;
        lanes.batches.push_back(batch);
        drop(lanes);
        self.filled.notify_one();
        Ok(())
    }

    fn control(&self, input: Input) {
        self.ask(vec![input], None);
    }

    fn controls(&self, inputs: Vec<Input>) {
        self.ask(inputs, None);
    }

    fn room(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        // Registered before looking, so that a drain in between is not missed.
        let notified = self.room.notified();
        let open = {
            let lanes = self.lock();
            lanes.life == Life::Open && lanes.readings < READINGS_MAX / 2
        };
        Box::pin(async move {
            if !open {
                notified.await;
            }
        })
    }
}

impl fmt::Debug for DriverInbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (readings, control) = self.fill();
        f.debug_struct("DriverInbox").field("readings", &readings).field("control", &control).finish()
    }
}

#[cfg(test)]
mod tests {
    use forewarn_core::ids::SensorIx;
    use forewarn_core::reading::Marks;

    use super::*;
    use crate::clock::Led;
    use crate::ports::Taken;

    fn batch(readings: usize) -> Batch {
        let taken = Taken {
            sensor: SensorIx(0),
            raw: 1.0,
            observed: None,
            seq: 0,
            identity: 1,
            marks: Marks::default(),
        };
        Batch { taken: vec![taken; readings], ..Batch::default() }
    }

    fn inbox() -> DriverInbox {
        DriverInbox::new(Clock::Led(Led::new(Timestamp::default())))
    }

    #[test]
    fn a_full_lane_gives_the_batch_back_and_control_still_passes() {
        let inbox = inbox();
        inbox.offer(batch(READINGS_MAX)).expect("an empty lane takes one batch of any size");
        assert_eq!(inbox.offer(batch(1)).expect_err("full").taken.len(), 1);
        inbox.control(Input::Tick);
        assert_eq!(inbox.wait(None), Waited::GoOn);
        let work = inbox.drain(10);
        assert_eq!((work.control.len(), work.batches.len()), (1, 1));
        inbox.offer(batch(1)).expect("drained");
    }

    #[test]
    fn held_readings_wait_and_control_does_not() {
        let inbox = inbox();
        inbox.offer(batch(3)).expect("empty");
        inbox.hold_readings(Hold::Stop);
        inbox.control(Input::Tick);
        let work = inbox.drain(10);
        assert_eq!((work.control.len(), work.batches.len()), (1, 0));
        inbox.hold_readings(Hold::Resume);
        assert_eq!(inbox.drain(10).batches.len(), 1);
    }

    #[test]
    fn a_closed_inbox_ends_once_it_is_empty() {
        let inbox = inbox();
        inbox.offer(batch(1)).expect("empty");
        inbox.close();
        assert_eq!(inbox.wait(None), Waited::GoOn);
        inbox.drain(10);
        assert_eq!(inbox.wait(None), Waited::Closed);
        assert!(inbox.offer(batch(1)).is_err());
    }

    #[tokio::test]
    async fn room_is_there_at_once_or_after_a_drain() {
        let inbox = std::sync::Arc::new(inbox());
        inbox.room().await;
        inbox.offer(batch(READINGS_MAX)).expect("empty");
        let waiting = inbox.clone();
        let waiter = tokio::spawn(async move { waiting.room().await });
        tokio::task::yield_now().await;
        inbox.drain(READINGS_MAX);
        waiter.await.expect("the waiter does not panic");
    }
}
