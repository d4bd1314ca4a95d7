//! The station stage as the engine calls it.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::Arc;

use minicbor::encode::{Error, Write};
use minicbor::{Decode, Encode, Encoder};

use super::judge::EVIDENCE_READINGS;
use super::ladder::Gathering;
use super::trace::{self, Bench};
use super::watch::{Watch, outage_after, source_bit};
use super::window::Sample;
use crate::finding::{Finding, Found, Why};
use crate::ids::{RuleIx, SensorIx, SourceIx};
use crate::pages::Pages;
use crate::plan::Plan;
use crate::reading::{Checked, Flag, Marks, Reading};
use crate::time::{Moment, Span, Timestamp};

/// Judges every sensor by itself, in event time: a pure function of the
/// readings and moments it was given. Cloning it is cheap, for snapshots.
#[derive(Debug, Clone, Default, Encode, Decode)]
pub struct StationStage {
    /// By [`SensorIx`].
    #[n(0)]
    pub(crate) watches: Pages<Watch>,
    /// Sources that are down, as bits.
    #[n(1)]
    down: u64,
    /// Engine time at which a connection last broke: our start, or a source that came back.
    #[n(2)]
    broke: Timestamp,
    /// Civil minus engine time, by which readings without device time were stamped.
    #[n(3)]
    offset: Span,
    /// The plan in force; a snapshot names it by its hash and leaves it out.
    #[cbor(skip)]
    pub(crate) plan: Arc<Plan>,
}

/// Fields of a stage that are written.
const FIELDS: u64 = 4;

/// What is known of one sensor, for pages and for evidence.
#[derive(Debug, Clone, Copy)]
pub struct SensorState<'a> {
    watch: &'a Watch,
    plan: &'a Plan,
    ix: SensorIx,
    interval: Span,
}

/// Where one rule stands on one sensor, for pages.
#[derive(Debug, Clone, Copy)]
pub struct RuleState {
    /// Which rule.
    pub rule: RuleIx,
    /// What it said last; `None` before it said anything.
    pub said: Option<Finding>,
    /// What it waits for further readings to say.
    pub gathering: Option<Gathering>,
    /// Limit by level, blue to red, in the rule's unit: those in force now.
    pub limits: [Option<f64>; 4],
}

impl StationStage {
    /// Gives a stage that came out of a snapshot the plan that was in force when it was taken.
    pub fn attach(&mut self, plan: &Arc<Plan>, moment: Moment) {
        self.plan = Arc::clone(plan);
        self.each(moment, &mut vec![], |watch, bench, _| watch.calm_down(bench));
    }

    /// Writes itself out in numbered fields, as it encodes; lets go of each page once it is written.
    pub(crate) fn write_out<W: Write>(self, e: &mut Encoder<W>) -> Result<(), Error<W::Error>> {
        e.array(FIELDS)?;
        self.watches.write_out(e)?;
        e.encode(self.down)?.encode(self.broke)?.encode(self.offset)?;
        Ok(())
    }

    /// Our own downtime is no sensor's silence: every timer starts anew, and
    /// nothing counts as known until the next reading. What was silent before stays silent.
    pub fn started(&mut self, moment: Moment, found: &mut Vec<Found>) {
        self.down = 0;
        self.clock(moment, found);
        self.saw_nothing(moment, found);
    }

    /// Readings are no longer taken, or are taken again: our own stop, which
    /// changes nothing in which sources are down.
    pub fn intake(&mut self, moment: Moment, found: &mut Vec<Found>) {
        self.saw_nothing(moment, found);
    }

    fn saw_nothing(&mut self, moment: Moment, found: &mut Vec<Found>) {
        self.broke = moment.at;
        let down = self.down;
        self.each(moment, found, |watch, bench, found| {
            watch.counting = bench.moment.at;
            if watch.is_maintained() {
                return;
            }
            if watch.silent_since().is_none() && !watch.is_told_cut_off(down, bench) {
                watch.turn_blind(Why::Warming, bench.moment.civil());
                watch.conclude(bench, found);
            }
        });
    }

    /// Civil time was stepped. Where it was set back, windows whose readings are
    /// from the future now are judged anew: else every honest reading would come
    /// too late until civil time has caught up. What we stamped ourselves moves
    /// with any step; what a device stamped is only doubted by a clock that can
    /// be trusted.
    pub fn clock(&mut self, moment: Moment, found: &mut Vec<Found>) {
        let by = moment.offset - std::mem::replace(&mut self.offset, moment.offset);
        let StationStage { watches, plan, .. } = self;
        for (at, sensor) in plan.sensors.iter().enumerate() {
            let Some(sensor) = sensor else { continue };
            let bench = Bench { plan, ix: SensorIx(at as u32), sensor, moment };
            // Untouched sensors leave their page as a snapshot may hold it.
            let Some(watch) = watches.get(at) else { continue };
            let (is_ahead, is_calm) = (watch.is_ahead(&bench), watch.is_calm());
            if (is_ahead || is_calm && !moment.trusted)
                && let Some(watch) = watches.get_mut(at)
            {
                // Other limits may hold while nobody knows the time.
                watch.sitting(&bench);
                if is_ahead {
                    watch.restamp(by, &bench, found);
                }
            }
        }
    }

    /// Admits a reading, checks it, keeps it, and judges by it; gives it back
    /// with its flag and its final marks.
    pub fn reading(&mut self, reading: &Reading, moment: Moment, found: &mut Vec<Found>) -> Checked {
        let StationStage { watches, plan, broke, .. } = self;
        let ix = reading.sensor;
        let mut watch = watches.get_mut(ix.index());
        if let Some(checked) = watch.as_mut().and_then(|watch| watch.quiet(reading, plan, moment)) {
            return checked;
        }
        let (Some(sensor), Some(watch)) = (plan.sensor(ix), watch) else {
            let marks = reading.marks.with(Marks::UNJUDGED);
            return Checked { reading: Reading { marks, ..*reading }, flag: Flag::Unevaluated };
        };
        if watch.is_maintained() {
            let marks = reading.marks.with(Marks::UNJUDGED);
            return Checked { reading: Reading { marks, ..*reading }, flag: Flag::Unevaluated };
        }
        watch.reading(reading, &Bench { plan, ix, sensor, moment }, *broke, found)
    }

    /// A source came up. A sensor that it was the last source of gets as long as
    /// any other to be heard again; one that could be heard all the time has no
    /// need of it.
    pub fn source_up(&mut self, source: SourceIx, moment: Moment, found: &mut Vec<Found>) {
        let before = self.down;
        self.down &= !source_bit(source);
        self.broke = moment.at;
        self.each_speaking(source, moment, found, |watch, bench, _| {
            if watch.is_cut_off(before, bench) {
                watch.counting = watch.counting.max(bench.moment.at);
            }
        });
    }

    /// A source went down. A sensor whose last source it was is unknown at once;
    /// that is no silence of its own.
    pub fn source_down(&mut self, source: SourceIx, moment: Moment, found: &mut Vec<Found>) {
        self.down |= source_bit(source);
        let down = self.down;
        self.each_speaking(source, moment, found, |watch, bench, found| {
            if watch.is_cut_off(down, bench) {
                watch.turn_blind(Why::SourceDown, bench.moment.civil());
                watch.conclude(bench, found);
            }
        });
    }

    /// These and no others are worked on: what such a sensor says is kept and
    /// not judged, and its silence is none. Gives those for which that is new.
    pub fn maintain(
        &mut self,
        sensors: &BTreeSet<SensorIx>,
        moment: Moment,
        found: &mut Vec<Found>,
    ) -> Vec<SensorIx> {
        let (down, mut changed) = (self.down, Vec::new());
        let StationStage { watches, plan, .. } = self;
        for (ix, sensor) in (0..).map(SensorIx).zip(&plan.sensors) {
            let (Some(sensor), Some(watch)) = (sensor, watches.get(ix.index())) else { continue };
            let (is, was) = (sensors.contains(&ix), watch.is_maintained());
            // Untouched sensors leave their page as a snapshot may hold it.
            if is == was {
                continue;
            }
            let Some(watch) = watches.get_mut(ix.index()) else { continue };
            let bench = Bench { plan, ix, sensor, moment };
            let why = match is {
                true => Why::Maintenance,
                false if watch.is_cut_off(down, &bench) => Why::SourceDown,
                false => Why::Warming,
            };
            if is && watch.silent_since().is_some() {
                // That it says nothing is no outage any more, until it is due again.
                found.push(Found::Silence(ix, None));
            }
            watch.counting = moment.at;
            watch.turn_blind(why, moment.civil());
            watch.conclude(&bench, found);
            changed.push(ix);
        }
        changed
    }

    /// Reads, and makes nothing of, what readings of these sensors will need:
    /// the machine then waits for all of it at once, and not for one after the other.
    pub fn foresee(&self, sensors: &[SensorIx]) {
        let watches = || {
            let watches = sensors.iter().map(|&sensor| (sensor, self.watches.get(sensor.index())));
            watches.filter_map(|(sensor, watch)| Some((sensor, watch?)))
        };
        for (_, watch) in watches() {
            black_box(watch.touch());
        }
        for (sensor, watch) in watches() {
            if !watch.is_calm()
                && let Some(sensor) = self.plan.sensor(sensor)
            {
                black_box((sensor.interval, sensor.span, sensor.outage_intervals));
            }
            watch.touch_behind(&self.plan);
        }
    }

    /// Engine time at which the sensor counts as silent unless it is heard
    /// before; `None` when it does already, or when that is its source's fault.
    pub fn silence_due(&self, sensor: SensorIx) -> Option<Timestamp> {
        let watch = self.watches.get(sensor.index())?;
        if watch.is_maintained() {
            return None;
        }
        if let Some(due) = watch.silent_at() {
            return Some(due);
        }
        let bench = Bench {
            plan: &self.plan,
            ix: sensor,
            sensor: self.plan.sensor(sensor)?,
            moment: Moment::default(),
        };
        let cut_off = watch.is_told_cut_off(self.down, &bench);
        (watch.silent_since().is_none() && !cut_off).then(|| watch.counting + outage_after(&bench))
    }

    /// Called when [`StationStage::silence_due`] has come: a sensor that was
    /// heard since, or is not due, is left alone.
    pub fn silence(&mut self, sensor: SensorIx, moment: Moment, found: &mut Vec<Found>) {
        if self.silence_due(sensor).is_none_or(|due| due > moment.at) {
            return;
        }
        let StationStage { watches, plan, .. } = self;
        let (Some(known), Some(watch)) = (plan.sensor(sensor), watches.get_mut(sensor.index())) else {
            return;
        };
        let since = watch.last_seen().unwrap_or(watch.counting);
        watch.turn_blind(Why::Silent(since), moment.civil());
        found.push(Found::Silence(sensor, Some(since)));
        watch.conclude(&Bench { plan, ix: sensor, sensor: known, moment }, found);
    }

    /// What is known of a sensor; `None` for one that is not in the plan.
    pub fn sensor_state(&self, sensor: SensorIx) -> Option<SensorState<'_>> {
        let interval = self.plan.sensor(sensor)?.interval;
        let watch = self.watches.get(sensor.index())?;
        Some(SensorState { watch, plan: &self.plan, ix: sensor, interval })
    }

    /// Each sensor that is heard through a source and is not silent.
    fn each_speaking(
        &mut self,
        source: SourceIx,
        moment: Moment,
        found: &mut Vec<Found>,
        mut act: impl FnMut(&mut Watch, &Bench<'_>, &mut Vec<Found>),
    ) {
        self.each(moment, found, |watch, bench, found| {
            if watch.hears(source, bench) && watch.silent_since().is_none() && !watch.is_maintained() {
                act(watch, bench, found);
            }
        });
    }

    fn each(
        &mut self,
        moment: Moment,
        found: &mut Vec<Found>,
        mut act: impl FnMut(&mut Watch, &Bench<'_>, &mut Vec<Found>),
    ) {
        let StationStage { watches, plan, .. } = self;
        for (at, sensor) in plan.sensors.iter().enumerate() {
            let (Some(sensor), Some(watch)) = (sensor, watches.get_mut(at)) else { continue };
            act(watch, &Bench { plan, ix: SensorIx(at as u32), sensor, moment }, found);
        }
    }
}

impl<'a> SensorState<'a> {
    /// Its newest reading, in event time.
    pub fn newest(&self) -> Option<Sample> {
        self.watch.ring.newest()
    }

    /// Its last sixteen readings, oldest first.
    pub fn readings(&self) -> impl Iterator<Item = Sample> + use<'a> {
        let ring = &self.watch.ring;
        ring.iter().skip(ring.len().saturating_sub(EVIDENCE_READINGS))
    }

    /// Slope of those readings, in the sensor's unit an hour.
    pub fn trend(&self) -> Option<f64> {
        trace::trend(&self.watch.ring, self.interval)
    }

    /// Civil time since when it has said the same value, where that is longer than it may.
    pub fn flat_since(&self) -> Option<Timestamp> {
        self.watch.flat_since(self.plan.sensor(self.ix)?)
    }

    /// Why nothing is known of it, where that is not for its readings to say.
    pub fn blind(&self) -> Option<Why> {
        self.watch.blind().map(|blind| blind.why)
    }

    /// Every rule on it, in order of index, with the limits in force at this moment.
    pub fn rules(&self, moment: Moment) -> impl Iterator<Item = RuleState> + use<'a> {
        let SensorState { watch, plan, ix, .. } = *self;
        let bench = plan.sensor(ix).map(|sensor| Bench { plan, ix, sensor, moment });
        let judges = bench.as_ref().map_or_else(Vec::new, |bench| watch.as_sitting(bench));
        judges.into_iter().map(move |judge| RuleState {
            rule: judge.rule,
            said: judge.said,
            gathering: judge.gathering(plan),
            limits: bench.as_ref().map_or([None; 4], |bench| judge.limits_now(bench)),
        })
    }

    /// Engine time since when it is silent, if it is.
    pub fn silent_since(&self) -> Option<Timestamp> {
        self.watch.silent_since()
    }

    /// Engine time at which it was last heard with a reading that was judged.
    pub fn last_seen(&self) -> Option<Timestamp> {
        self.watch.last_seen()
    }

    /// Civil time up to which its readings are settled; `None` before the first.
    pub fn watermark(&self) -> Option<Timestamp> {
        (self.watch.watermark > Timestamp::MIN).then_some(self.watch.watermark)
    }

    /// How often another value came for an instant that was known already.
    pub fn conflicts(&self) -> u64 {
        self.watch.conflicts()
    }
}
