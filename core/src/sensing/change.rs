//! What a change of plan leaves standing, and what it starts anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::judge::Judge;
use super::memory_size::Room;
use super::stage::StationStage;
use super::trace::Bench;
use super::watch::{SOURCES_MAX, Watch};
use crate::finding::Found;
use crate::ids::{RuleIx, SensorIx};
use crate::plan::{Plan, Sensor};
use crate::time::Moment;
use crate::warning::Cell;

/// One rule on one sensor, in order of sensor, then rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Post {
    sensor: SensorIx,
    rule: RuleIx,
    subject: u32,
}

impl StationStage {
    /// Goes by another plan from now on. Windows and memories stay where sensor
    /// and rule are what they were; a sensor whose unit, datum or conversion
    /// changed starts with an empty window, a rule that is new or changed starts
    /// as unknown (warming), and what has gone says so once. Who is asked for
    /// another cell now, or for one that lost a voice, says again what was said.
    ///
    /// # Panics
    ///
    /// With more than [`SOURCES_MAX`] sources; the engine refuses such a plan before.
    pub fn set_plan(&mut self, plan: &Arc<Plan>, moment: Moment, found: &mut Vec<Found>) {
        assert!(plan.sources.len() <= SOURCES_MAX, "the engine refuses a plan with more sources");
        let old = std::mem::replace(&mut self.plan, Arc::clone(plan));
        let sensors = plan.sensors.len().max(self.watches.len());
        self.watches.grow(plan.sensors.len(), |_| Watch::default());
        let shaken = shaken(&old, plan);
        let mut posts = posts(plan);
        posts.sort_unstable();
        posts.dedup_by_key(|post| (post.sensor, post.rule));
        let mut rest = posts.as_slice();
        for at in 0..sensors {
            let ix = SensorIx(at as u32);
            let (here, after) = rest.split_at(rest.partition_point(|post| post.sensor <= ix));
            rest = after;
            // Untouched sensors leave their page as a snapshot may hold it.
            let Some(watch) = self.watches.get(at) else { continue };
            let is_calm_otherwise = watch.is_calm() && old.settings != plan.settings;
            let again =
                |(rule, _): (RuleIx, u32)| plan.cell(rule, ix).is_some_and(|cell| shaken.contains(&cell));
            if !is_same(watch, here, &old, plan, ix) {
                let Some(watch) = self.watches.get_mut(at) else { continue };
                change(watch, here, &old, plan, ix, moment, found);
            }
            // A kept rule has said it; it says it again.
            let (Some(sensor), Some(watch)) = (plan.sensor(ix), self.watches.get(at)) else { continue };
            let says_again = watch.seats().any(again);
            if (is_calm_otherwise || says_again)
                && let Some(watch) = self.watches.get_mut(at)
            {
                let judges = watch.sitting(&Bench { plan, ix, sensor, moment });
                let asked = judges.iter().filter(|judge| again((judge.rule, judge.subject)));
                found.extend(asked.filter_map(Judge::said));
            }
        }
    }
}

/// The cells that a voice left, and those it went to: what supported an incident
/// may have gone with it, so that all others there have to be heard.
fn shaken(old: &Plan, new: &Plan) -> BTreeSet<Cell> {
    let voices = |plan: &Plan| -> BTreeMap<(RuleIx, SensorIx), Option<Cell>> {
        posts(plan).iter().map(|it| ((it.rule, it.sensor), plan.cell(it.rule, it.sensor))).collect()
    };
    let now = voices(new);
    let moved = voices(old).into_iter().filter(|(voice, cell)| now.get(voice) != Some(cell));
    moved.flat_map(|(voice, cell)| [cell, now.get(&voice).copied().flatten()]).flatten().collect()
}

fn posts(plan: &Plan) -> Vec<Post> {
    let rules =
        plan.rules.iter().enumerate().filter_map(|(at, rule)| Some((RuleIx(at as u32), rule.as_ref()?)));
    rules
        .flat_map(|(rule, body)| {
            let subjects = body.subjects.iter().enumerate();
            subjects.map(move |(at, subject)| Post { sensor: subject.sensor, rule, subject: at as u32 })
        })
        .filter(|post| plan.sensor(post.sensor).is_some())
        .collect()
}

fn is_same(watch: &Watch, posts: &[Post], old: &Plan, new: &Plan, ix: SensorIx) -> bool {
    old.sensor(ix) == new.sensor(ix)
        && watch.seats().count() == posts.len()
        && watch
            .seats()
            .zip(posts)
            .all(|(seat, post)| seat == (post.rule, post.subject) && judges_alike(seat, post, old, new))
}

fn change(
    watch: &mut Watch,
    posts: &[Post],
    old: &Plan,
    new: &Plan,
    ix: SensorIx,
    moment: Moment,
    found: &mut Vec<Found>,
) {
    // They are called in by the plan under which they went to rest.
    let judges = match old.sensor(ix) {
        Some(sensor) => std::mem::take(watch.sitting(&Bench { plan: old, ix, sensor, moment })),
        None => Box::default(),
    };
    for judge in &judges {
        if !posts.iter().any(|post| post.rule == judge.rule) {
            found.push(Found::Finding(judge.removed(ix, moment)));
        }
    }
    let Some(sensor) = new.sensor(ix) else {
        *watch = Watch::default();
        return;
    };
    let room = Room::of(sensor, posts.iter().filter_map(|post| new.rule(post.rule)));
    match old.sensor(ix) {
        None => *watch = Watch::new(room, moment),
        Some(before) if measures_alike(before, sensor) => watch.resize(room, before),
        Some(_) => watch.empty(room, moment),
    }
    if old.sensor(ix).is_some_and(|before| before.flat != sensor.flat) {
        watch.look_back_anew(sensor);
    }
    let keeps = old.sensor(ix).is_some_and(|before| judged_alike(before, sensor));
    let bench = Bench { plan: new, ix, sensor, moment };
    *watch.sitting(&bench) = posts
        .iter()
        .map(|post| {
            let same = |judge: &&Judge| {
                judge.rule == post.rule && judges_alike((judge.rule, judge.subject), post, old, new)
            };
            match judges.iter().find(same).filter(|_| keeps) {
                Some(judge) => judge.as_subject(post.subject),
                None => Judge::new(post.rule, post.subject, moment),
            }
        })
        .collect();
    // A kept rule has nothing new to say; a new one says that it is warming up.
    watch.conclude(&bench, found);
}

/// Whether readings of the two compare: no leap is judged.
fn measures_alike(old: &Sensor, new: &Sensor) -> bool {
    old.unit == new.unit && old.datum == new.datum && old.conversions == new.conversions
}

/// Whether rules remember the same of the two: their views are as long only at the same interval.
fn judged_alike(old: &Sensor, new: &Sensor) -> bool {
    measures_alike(old, new) && old.interval == new.interval
}

/// Whether a judge's rule and limits are what they were. Hold, outage,
/// corroboration and hazard are for the area stage, and change nothing here.
fn judges_alike((rule, subject): (RuleIx, u32), post: &Post, old: &Plan, new: &Plan) -> bool {
    let (Some(before), Some(after)) = (old.rule(rule), new.rule(post.rule)) else { return false };
    before.kind == after.kind
        && before.side == after.side
        && before.unit == after.unit
        && before.raise == after.raise
        && before.deadband.to_bits() == after.deadband.to_bits()
        && before.subjects.get(subject as usize) == after.subjects.get(post.subject as usize)
}
