//! The clock, as other rooms may see it.

use std::pin::Pin;

use forewarn_core::time::{Moment, Timestamp};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::courier::CourierClock;
use crate::driver::picture::Pulse;
use crate::ports::CivilClock;

/// Engine time from the clock, civil time as the last commit has it.
#[derive(Debug, Clone)]
pub(super) struct Ticking {
    clock: Clock,
    pulse: watch::Receiver<Pulse>,
}

impl Ticking {
    pub(super) fn new(clock: Clock, pulse: watch::Receiver<Pulse>) -> Self {
        Ticking { clock, pulse }
    }

    pub(super) fn moment(&self) -> Moment {
        Moment { at: self.clock.now(), ..self.pulse.borrow().moment }
    }
}

impl CourierClock for Ticking {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn sleep_until(&self, at: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.clock.reach(at))
    }
}

/// Civil time for those who take things in.
#[derive(Debug)]
pub(super) struct Civil(pub(super) Ticking);

impl CivilClock for Civil {
    fn civil(&self) -> Timestamp {
        self.0.moment().civil()
    }
}
