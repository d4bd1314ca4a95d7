//! The one file that asks the time.
//!
//! Two members: *system*, the machine's own clocks; and *led*, moved by a
//! player that stops at each instant where something falls due, so that hours
//! pass in seconds and yet exactly. Led time is for Exercise status only.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use forewarn_core::time::{Moment, Span, Timestamp};
use tokio::sync::watch;

/// A wall clock this far past the last record may be trusted without word
/// from the kernel: longer than any sensible repair, shorter than any bad battery's error.
const PLAUSIBLE_DOWNTIME: Span = Span::from_hours(31 * 24);

/// No release is older than this: a wall clock before it is wrong.
const RELEASE_EPOCH: Timestamp = Timestamp::from_secs(1_767_225_600);

/// A difference between wall and civil time beyond this is a step, not a wobble.
const STEP: Span = Span(500_000);

/// Where systemd's time service leaves word that the clock is synchronised.
const SYNCHRONISED: &str = "/run/systemd/timesync/synchronized";

/// The clock a service runs on.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's clocks.
    System(System),
    /// A player's.
    Led(Led),
}

/// How a log left off: engine and civil time of its last record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftOff {
    /// Engine time.
    pub at: Timestamp,
    /// Civil minus engine time.
    pub offset: Span,
}

/// What a start begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beginning {
    /// The moment of the start.
    pub moment: Moment,
    /// How long the service was down, where the clock can say.
    pub downtime: Option<Span>,
}

/// Engine time from the monotonic clock, civil time from the wall.
#[derive(Debug, Clone, Copy)]
pub struct System {
    started: Instant,
    base: Timestamp,
    last_civil: Option<Timestamp>,
}

impl System {
    /// Begins where the log left off.
    pub fn begin(left_off: Option<LeftOff>) -> (Self, Beginning) {
        Self::begin_at(left_off, wall(), Path::new(SYNCHRONISED).exists())
    }

    fn begin_at(left_off: Option<LeftOff>, wall: Timestamp, synchronised: bool) -> (Self, Beginning) {
        let last_civil = left_off.map(|left| left.at + left.offset);
        let trusted = trust(wall, last_civil.zip(last_civil), synchronised);
        let (moment, downtime) = match left_off {
            None => (Moment { at: wall, offset: Span::ZERO, trusted }, None),
            Some(left) if trusted => {
                let downtime = wall.since(left.at + left.offset);
                let at = left.at + downtime;
                (Moment { at, offset: wall - at, trusted }, Some(downtime))
            }
            // Civil time goes on from where it was: better old than 1970.
            Some(left) => (Moment { at: left.at, offset: left.offset, trusted }, None),
        };
        let clock = System { started: Instant::now(), base: moment.at, last_civil };
        (clock, Beginning { moment, downtime })
    }

    /// Engine time now.
    pub fn now(&self) -> Timestamp {
        self.base + Span(self.started.elapsed().as_micros() as i64)
    }

    /// The moment to go on with if the wall clock was stepped, or its trust changed.
    pub fn stepped(&self, before: Moment) -> Option<Moment> {
        self.stepped_to(before, wall(), Path::new(SYNCHRONISED).exists())
    }

    fn stepped_to(&self, before: Moment, wall: Timestamp, synchronised: bool) -> Option<Moment> {
        // However long the service runs: civil time has gone on with it.
        let trusted = trust(wall, self.last_civil.map(|last| (last, before.civil())), synchronised);
        let away = Span((wall - before.civil()).0.abs());
        if !trusted {
            return before.trusted.then_some(Moment { trusted, ..before });
        }
        (away > STEP || !before.trusted).then_some(Moment {
            at: before.at,
            offset: wall - before.at,
            trusted,
        })
    }
}

/// Whether the wall can be believed, given civil time where the run began and
/// where it has got.
fn trust(wall: Timestamp, civil: Option<(Timestamp, Timestamp)>, synchronised: bool) -> bool {
    let plausible = match civil {
        Some((began, now)) => wall >= began && wall - now <= PLAUSIBLE_DOWNTIME,
        None => wall >= RELEASE_EPOCH,
    };
    plausible || (synchronised && wall >= RELEASE_EPOCH)
}

/// The wall clock, for stamping files and tokens; decisions go by [`Moment`].
pub fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp(since.as_micros() as i64)
}

/// A clock moved by a player.
#[derive(Debug, Clone)]
pub struct Led {
    now: Arc<watch::Sender<Timestamp>>,
}

impl Led {
    /// Stands at `start`.
    pub fn new(start: Timestamp) -> Self {
        Led { now: Arc::new(watch::Sender::new(start)) }
    }

    /// Moves on; never back.
    pub fn advance(&self, to: Timestamp) {
        self.now.send_if_modified(|now| {
            let later = to > *now;
            *now = to.max(*now);
            later
        });
    }

    /// Where it stands.
    pub fn now(&self) -> Timestamp {
        *self.now.borrow()
    }

    /// Resolves once it stands at `at` or later.
    pub async fn reach(&self, at: Timestamp) {
        let mut watching = self.now.subscribe();
        // The sender lives as long as this clock, so waiting cannot fail.
        let _ = watching.wait_for(|now| *now >= at).await;
    }

    /// Told at every move.
    pub fn watch(&self) -> watch::Receiver<Timestamp> {
        self.now.subscribe()
    }
}

impl Clock {
    /// Engine time now.
    pub fn now(&self) -> Timestamp {
        match self {
            Clock::System(system) => system.now(),
            Clock::Led(led) => led.now(),
        }
    }

    /// How long to wait in real time for an instant; `None` where only a player's move brings it.
    pub fn until(&self, at: Timestamp) -> Option<Duration> {
        match self {
            Clock::System(system) => Some(Duration::from_micros((at - system.now()).0.max(0) as u64)),
            Clock::Led(_) => None,
        }
    }

    /// The moment to go on with if the wall clock was stepped.
    pub fn stepped(&self, before: Moment) -> Option<Moment> {
        match self {
            Clock::System(system) => system.stepped(before),
            Clock::Led(_) => None,
        }
    }

    /// Resolves at an instant of engine time.
    pub async fn reach(&self, at: Timestamp) {
        match self {
            Clock::System(system) => {
                let wait = Duration::from_micros((at - system.now()).0.max(0) as u64);
                tokio::time::sleep(wait).await;
            }
            Clock::Led(led) => led.reach(at).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAST: Timestamp = Timestamp::from_secs(1_790_000_000);

    fn left_off() -> LeftOff {
        LeftOff { at: LAST - Span::from_secs(100), offset: Span::from_secs(100) }
    }

    #[test]
    fn a_start_counts_its_downtime_only_when_the_clock_can_be_trusted() {
        for (wall, synchronised, trusted, downtime) in [
            (LAST + Span::from_hours(2), false, true, Some(Span::from_hours(2))),
            (LAST + Span::from_hours(24 * 40), false, false, None),
            (LAST + Span::from_hours(24 * 40), true, true, Some(Span::from_hours(24 * 40))),
            (LAST - Span::from_secs(5), false, false, None),
            (Timestamp::from_secs(3), false, false, None),
            (Timestamp::from_secs(3), true, false, None),
        ] {
            let (_, begin) = System::begin_at(Some(left_off()), wall, synchronised);
            assert_eq!((begin.moment.trusted, begin.downtime), (trusted, downtime), "{wall:?}");
            assert!(begin.moment.at >= left_off().at, "engine time never goes back");
            if trusted {
                assert_eq!(begin.moment.civil(), wall);
            } else {
                assert_eq!(begin.moment.civil(), LAST, "civil time goes on from where it was");
            }
        }
    }

    #[test]
    fn a_first_start_in_1970_trusts_nothing_until_the_step() {
        let (clock, begin) = System::begin_at(None, Timestamp::from_secs(9), false);
        assert!(!begin.moment.trusted);
        let now = LAST;
        let stepped = clock.stepped_to(begin.moment, now, false).expect("56 years are a step");
        assert!(stepped.trusted);
        assert_eq!(stepped.civil(), now);
        assert_eq!(stepped.at, begin.moment.at, "a step moves civil time, not engine time");
    }

    #[test]
    fn an_hour_back_is_a_step_and_a_wobble_is_not() {
        let (clock, begin) = System::begin_at(Some(left_off()), LAST + Span::from_hours(5), false);
        let wall = begin.moment.civil();
        assert_eq!(clock.stepped_to(begin.moment, wall + Span(400_000), false), None);
        let back =
            clock.stepped_to(begin.moment, wall - Span::from_hours(1), false).expect("an hour is a step");
        assert_eq!(back.offset, begin.moment.offset - Span::from_hours(1));
    }

    #[test]
    fn a_service_that_has_run_for_months_trusts_its_clock_still() {
        let (clock, begin) = System::begin_at(Some(left_off()), LAST + Span::from_hours(1), false);
        for days in [1, 30, 32, 400] {
            let ran = Span::from_hours(24 * days);
            let before = Moment { at: begin.moment.at + ran, ..begin.moment };
            assert_eq!(clock.stepped_to(before, begin.moment.civil() + ran, false), None, "{days} days");
        }
    }

    #[test]
    fn a_led_clock_never_goes_back() {
        let led = Led::new(LAST);
        led.advance(LAST - Span::from_secs(1));
        assert_eq!(led.now(), LAST);
        led.advance(LAST + Span::from_secs(1));
        assert_eq!(led.now(), LAST + Span::from_secs(1));
    }
}
