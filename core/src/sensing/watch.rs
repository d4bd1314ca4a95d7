//! One sensor under watch: its window, its rules' memories, its silence.

mod mood;
mod past;
mod quiet;
mod seats;
mod stepped;
mod written;

use self::mood::Mood;
use self::seats::Seats;
use super::admit::Admission;
use super::judge::{Blind, Judge, Standing};
use super::memory_size::Room;
use super::trace::Bench;
use super::window::{Edition, Ring, Sample};
use crate::checks::{self, Checkup, End};
use crate::finding::{Found, Why};
use crate::ids::SourceIx;
use crate::plan::Sensor;
use crate::reading::{Checked, Flag, Marks, Reading};
use crate::time::{Moment, Span, Timestamp};

pub(super) use self::past::Rare;
pub(super) use self::seats::Packed;

/// What the stage remembers of one sensor. In front and in as few lines of
/// memory as may be stands what a quiet reading needs, for of 100,000 sensors
/// hardly any is in a cache when its next reading comes.
#[derive(Debug, Clone)]
#[repr(C)]
pub(crate) struct Watch {
    /// Whether it is calm, or blind.
    mood: Mood,
    pub(crate) ring: Ring,
    /// The number of the first reading that is not settled; while judges rest,
    /// it may stay behind the watermark.
    pub(crate) settled: u64,
    /// Readings observed until then are settled; never goes back, never passes civil time.
    pub(crate) watermark: Timestamp,
    /// Engine time of the newest arrival that was judged and no history; `MIN` for none.
    last_seen: Timestamp,
    /// Engine time from which silence counts.
    pub(crate) counting: Timestamp,
    /// Sources it was heard through, in this outage span and the one before, as bits.
    heard: [u64; 2],
    /// Engine time at which this outage span of `heard` began.
    turned: Timestamp,
    /// What is remembered of few sensors only.
    rare: Option<Box<Rare>>,
    seats: Seats,
}

impl Default for Watch {
    fn default() -> Watch {
        Watch {
            mood: Mood::default(),
            ring: Ring::default(),
            settled: 0,
            watermark: Timestamp::default(),
            last_seen: Timestamp::MIN,
            counting: Timestamp::default(),
            heard: [0; 2],
            turned: Timestamp::default(),
            rare: None,
            seats: Seats::default(),
        }
    }
}

/// A plan has at most this many sources, counting those that left it: which of
/// them a sensor is heard through is kept as one bit each.
pub const SOURCES_MAX: usize = u64::BITS as usize;

/// The bit of a source; none for one that no plan can have.
pub(crate) fn source_bit(source: SourceIx) -> u64 {
    1_u64.checked_shl(source.0).unwrap_or(0)
}

impl Watch {
    /// A sensor of which nothing is known yet.
    pub(crate) fn new(room: Room, moment: Moment) -> Watch {
        Watch {
            ring: Ring::of(room),
            watermark: Timestamp::MIN,
            counting: moment.at,
            turned: moment.at,
            mood: Mood::Blind(Blind { why: Why::Warming, since: moment.civil() }),
            ..Watch::default()
        }
    }

    /// Forgets every reading and all that was made of them: they no longer
    /// compare with what comes. A sensor in outage stays so. Its judges sit.
    pub(crate) fn empty(&mut self, room: Room, moment: Moment) {
        let fresh = Watch::new(room, moment);
        let is_out = match self.blind().map(|blind| blind.why) {
            Some(Why::Silent(_) | Why::SourceDown | Why::Maintenance) => true,
            Some(Why::Warming | Why::BadData | Why::TooFew | Why::Suspect | Why::Removed | Why::Old)
            | None => false,
        };
        self.ring = fresh.ring;
        self.forget_past();
        self.settled = 0;
        self.watermark = fresh.watermark;
        if !is_out {
            self.mood = fresh.mood;
        }
        for judge in self.seats.judges_mut() {
            *judge = Judge::new(judge.rule, judge.subject, moment);
        }
    }

    /// Makes the window as large as the plan now wants it.
    pub(crate) fn resize(&mut self, room: Room, sensor: &Sensor) {
        if self.ring.capacity() != room.capacity() {
            let patience = checks::patience(sensor);
            while self.ring.len() > room.capacity() {
                self.pop_oldest(patience.as_ref());
            }
            self.ring = self.ring.resized(room.capacity());
            // What no longer fits was judged at the tip, and never settles.
            self.settled = self.settled.max(self.ring.first());
        }
        self.ring.keep(room.kept);
    }

    /// Takes a reading in: admits it, checks it, and judges by it.
    pub(crate) fn reading(
        &mut self,
        reading: &Reading,
        bench: &Bench<'_>,
        broke: Timestamp,
        found: &mut Vec<Found>,
    ) -> Checked {
        self.catch_up();
        let checkup = checks::check(reading.value, bench.sensor);
        let mut reading = *reading;
        if checkup.end.is_some() {
            reading.marks = reading.marks.with(Marks::SATURATED);
        }
        let value = held_in_span(reading.value, checkup, bench);
        let dropped = self.drop_disproved(&reading, bench);
        let admission = self.admit(&mut reading, value, bench, broke);
        let sample = sample(&reading, value, checkup.flag, bench);
        if dropped > 0 || !matches!(admission, Admission::Refused(_)) {
            self.sitting(bench);
        }
        let arrived = match admission {
            Admission::Insert(number) => {
                self.insert(number, sample, bench);
                Some(number)
            }
            Admission::Replace(number) => {
                self.ring.replace(number, sample);
                Some(number)
            }
            Admission::Behind => {
                reading.marks = reading.marks.with(Marks::UNJUDGED);
                if !reading.marks.has(Marks::RETAINED) {
                    let judges = self.seats.judges_mut().iter_mut();
                    judges.for_each(|judge| judge.missed(&sample, bench, found));
                }
                None
            }
            Admission::Refused(marks) => {
                reading.marks = reading.marks.with(marks);
                None
            }
        };
        if !reading.marks.has(Marks::RETAINED) && !reading.marks.has(Marks::UNJUDGED) {
            self.heard_through(reading.source, bench.moment.at, outage_after(bench));
        }
        if let Some(number) = arrived {
            let Reading { seq, identity, .. } = reading;
            self.ring.set_edition(number, Edition { seq, identity });
        }
        let last = arrived.is_some_and(|arrived| arrived + 1 == self.ring.end());
        let order = match (arrived, admission, dropped) {
            (None, _, 0) => return Checked { reading, flag: checkup.flag },
            (Some(_), Admission::Insert(_), 0) if last => Order::Kept,
            _ => Order::Broken,
        };
        match order {
            Order::Kept => self.follow(bench.sensor),
            Order::Broken => self.follow_anew(bench.sensor),
        }
        let sample = arrived.and_then(|number| self.ring.get(number));
        // A bad one behind others says nothing, neither of now nor of then.
        let speaks = |sample: &Sample| !sample.marks.has(Marks::RETAINED) && (last || sample.is_good());
        if sample.as_ref().is_some_and(speaks) {
            self.seen(bench, found);
        }
        self.judge(arrived, order, bench, found);
        Checked { reading, flag: sample.map_or(checkup.flag, |sample| sample.flag) }
    }

    /// Drops readings that came from the future while the clock could not be
    /// trusted: once it can, all that are still ahead of it; until then, those
    /// that would make an honest one too late even to warn.
    fn drop_disproved(&mut self, reading: &Reading, bench: &Bench<'_>) -> usize {
        let until = if bench.moment.trusted {
            latest(bench)
        } else if reading.marks.has(Marks::RETAINED) || reading.marks.has(Marks::HISTORICAL) {
            Timestamp::MAX
        } else {
            reading.observed + bench.sensor.lateness + bench.sensor.max_age
        };
        let mut dropped = 0;
        while self.ring.end() > self.settled
            && self.ring.newest().is_some_and(|newest| newest.unproven && newest.observed > until)
        {
            self.ring.pop_newest();
            dropped += 1;
        }
        dropped
    }

    /// Makes room and puts the reading in.
    fn insert(&mut self, number: u64, sample: Sample, bench: &Bench<'_>) {
        while !self.ring.has_room(sample.observed) {
            while self.settled < self.settles_early(number) {
                self.settle_next(bench);
            }
            if !self.ring.reaches(sample.observed)
                && let Some(oldest) = self.ring.get(self.ring.first())
            {
                // Should the one that reaches so far be disproved: nothing older
                // than what leaves for it may come in after that.
                self.watermark = self.watermark.max(oldest.observed.min(bench.moment.civil()));
            }
            self.pop_oldest(checks::patience(bench.sensor).as_ref());
        }
        self.ring.insert(number, sample);
    }

    /// Where the window is full, readings come faster than planned, or one comes
    /// years after the others, beyond its reach: those before this number settle
    /// early, so that none leaves unjudged when the oldest makes room for `number`.
    fn settles_early(&self, number: u64) -> u64 {
        (self.ring.first() + u64::from(self.ring.kept()) + 1).min(number)
    }

    fn settle_next(&mut self, bench: &Bench<'_>) {
        for judge in self.seats.judges_mut() {
            judge.settle(&self.ring, self.settled, bench);
        }
        self.settled += 1;
    }

    /// Judges by what arrived (`None`: by what is left), in `order` or anew.
    fn judge(&mut self, arrived: Option<u64>, order: Order, bench: &Bench<'_>, found: &mut Vec<Found>) {
        let arrived = arrived.unwrap_or(self.ring.end());
        for judge in self.seats.judges_mut() {
            match order {
                Order::Kept => judge.extend(&self.ring, self.settled, arrived, bench, found),
                Order::Broken => judge.rebuild(&self.ring, self.settled, arrived, bench, found),
            }
        }
        self.settle(bench);
        self.conclude(bench, found);
        self.let_rest(bench);
    }

    /// Moves the watermark on, and settles what it passes.
    fn settle(&mut self, bench: &Bench<'_>) {
        let Some(newest) = self.ring.newest() else { return };
        self.move_watermark(newest.observed, bench.sensor.lateness, bench.moment);
        while self.is_past(self.settled) {
            self.settle_next(bench);
        }
    }

    fn move_watermark(&mut self, newest: Timestamp, lateness: Span, moment: Moment) {
        // A reading exactly as late as is allowed is still in time.
        let back = if lateness > Span::ZERO { lateness + Span(1) } else { Span::ZERO };
        self.watermark = self.watermark.max(newest.min(moment.civil()) - back);
    }

    /// Whether the watermark has passed the reading of that number.
    fn is_past(&self, number: u64) -> bool {
        self.ring.get(number).is_some_and(|sample| sample.observed <= self.watermark)
    }

    fn heard_through(&mut self, source: SourceIx, at: Timestamp, outage_after: Span) {
        if at - self.turned > outage_after {
            self.heard = [0, self.heard[0]];
            self.turned = at;
        }
        self.heard[0] |= source_bit(source);
    }

    fn seen(&mut self, bench: &Bench<'_>, found: &mut Vec<Found>) {
        // Cut off and yet heard: it comes through another source, and is no part of that outage any more.
        let spoke_again = self.see().is_some_and(|blind| match blind.why {
            Why::Silent(_) | Why::SourceDown => true,
            Why::Warming
            | Why::BadData
            | Why::TooFew
            | Why::Suspect
            | Why::Removed
            | Why::Old
            | Why::Maintenance => false,
        });
        if spoke_again {
            found.push(Found::Silence(bench.ix, None));
        }
        self.last_seen = bench.moment.at;
        self.counting = bench.moment.at;
    }

    /// Whether it is heard only through sources that are `down`.
    pub(crate) fn is_cut_off(&self, down: u64, bench: &Bench<'_>) -> bool {
        let sources = self.sources(bench);
        sources != 0 && sources & !down == 0
    }

    /// Whether it is unknown because every source it is heard through is `down`.
    /// One that was heard after its source went down (the readings still in our
    /// queue) is not: it has to be heard again like any other.
    pub(crate) fn is_told_cut_off(&self, down: u64, bench: &Bench<'_>) -> bool {
        self.blind().is_some_and(|blind| blind.why == Why::SourceDown) && self.is_cut_off(down, bench)
    }

    /// Engine time of the newest arrival that was judged and no history.
    pub(crate) fn last_seen(&self) -> Option<Timestamp> {
        (self.last_seen > Timestamp::MIN).then_some(self.last_seen)
    }

    /// Whether somebody works on it.
    pub(crate) fn is_maintained(&self) -> bool {
        self.blind().is_some_and(|blind| blind.why == Why::Maintenance)
    }

    /// Whether it is heard through this source.
    pub(crate) fn hears(&self, source: SourceIx, bench: &Bench<'_>) -> bool {
        self.sources(bench) & source_bit(source) != 0
    }

    /// Those it was heard through of late; one never heard may come through any.
    fn sources(&self, bench: &Bench<'_>) -> u64 {
        let all = || (0..bench.plan.sources.len()).fold(0, |bits, at| bits | source_bit(SourceIx(at as u32)));
        match self.heard[0] | self.heard[1] {
            0 => all(),
            heard => heard,
        }
    }

    /// Engine time since when it is silent, if it is.
    pub(crate) fn silent_since(&self) -> Option<Timestamp> {
        match self.blind()?.why {
            Why::Silent(since) => Some(since),
            Why::Warming
            | Why::SourceDown
            | Why::BadData
            | Why::TooFew
            | Why::Suspect
            | Why::Removed
            | Why::Old
            | Why::Maintenance => None,
        }
    }

    /// Says what is new, by every rule.
    pub(crate) fn conclude(&mut self, bench: &Bench<'_>, found: &mut Vec<Found>) {
        self.sitting(bench);
        let heard = self.last_seen().unwrap_or(self.counting);
        let standing = Standing { ring: &self.ring, blind: self.blind(), heard };
        for judge in self.seats.judges_mut() {
            judge.conclude(standing, bench, found);
        }
    }
}

/// Whether event time order held when a reading came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Kept,
    Broken,
}

/// How long a sensor may say nothing before it counts as silent.
pub(crate) fn outage_after(bench: &Bench<'_>) -> Span {
    bench.sensor.interval.times(i64::from(bench.sensor.outage_intervals.max(1)))
}

/// Beyond the span, the end of the span is all that is known.
fn held_in_span(value: f64, checkup: Checkup, bench: &Bench<'_>) -> f64 {
    match (checkup.end, bench.sensor.span) {
        (Some(End::Low), Some((low, _))) if value < low => low,
        (Some(End::High), Some((_, high))) if value > high => high,
        (None | Some(End::Low | End::High), _) => value,
    }
}

/// Civil time that no honest reading passes.
fn latest(bench: &Bench<'_>) -> Timestamp {
    bench.moment.civil() + bench.plan.settings.future_tolerance
}

fn sample(reading: &Reading, value: f64, flag: Flag, bench: &Bench<'_>) -> Sample {
    let ahead = reading.observed > latest(bench);
    Sample {
        observed: reading.observed,
        value,
        flag,
        marks: reading.marks,
        source: reading.source,
        unproven: ahead && !bench.moment.trusted,
        alone: None,
    }
}
