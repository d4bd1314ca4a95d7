//! One warning: what is said, why, who was told, who has it before them, and
//! what can be done about it.

use std::collections::BTreeSet;

use forewarn_core::ids::SensorIx;
use forewarn_core::level::Level;
use forewarn_core::plan::{LimitRow, Sensor, Side};
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::warning::{About, Cell, Evidence, Kind, Revision, Seen};
use minijinja::{Value, context};

use super::deliveries::delivery;
use super::standing::{Group, Standing};
use super::voice::Voice;
use super::{Draft, Scene, curve, home};
use crate::channels::chart::Chart;
use crate::channels::words::Words;
use crate::channels::{naming, show};
use crate::ports::Kept;
use crate::state::WarningDetail;

/// Sensors nearby that are shown where nothing can be seen of them.
const MISSING_MAX: usize = 20;

/// A warning, and what was measured at its worst sensor.
#[derive(Debug, Clone)]
pub struct Shown {
    /// All that is known of it.
    pub detail: WarningDetail,
    /// Who acknowledged it as it holds now.
    pub seen: Seen,
    /// Readings of the worst sensor, oldest first; `None` where they could not be had in time.
    pub readings: Option<Vec<Kept>>,
}

/// The newest revision that measured something: an all-clear rests on nothing any more.
pub fn measured(detail: &WarningDetail) -> Option<&Revision> {
    detail.revisions.iter().rev().find(|revision| !revision.evidence.is_empty())
}

/// Draws it; `None` where it has no revision, which is no warning.
pub fn draw(scene: &Scene<'_>, shown: &Shown, words: &Words) -> Option<Draft> {
    let voice = Voice::of(scene, words);
    let newest = shown.detail.revisions.last()?;
    let measured = measured(&shown.detail);
    let cell = match newest.about {
        About::Incident(cell) => Some(cell),
        _ => None,
    };
    let incident = cell.and_then(|cell| scene.sight.look.engine.incidents().find(|it| it.cell == cell));
    let ended = shown.detail.ended;
    let content = context! {
        id => shown.detail.digest.to_string(),
        facts => voice.facts(newest),
        area => areas(&voice, newest),
        muted => newest.muted.is_some() && !ended,
        ended => ended,
        stale => newest.stale && !ended,
        state => voice.word(match (ended, newest.stale) {
            (true, _) => "state.ended",
            (false, true) => "state.blind",
            (false, false) => "state.standing",
        }),
        phase => incident.filter(|_| !ended).map(|it| {
            voice.word(&format!("phase.{}", crate::state::phase_word(it.phase)))
        }),
        number => newest.number,
        sent => voice.time(newest.sent),
        expires => (!ended).then(|| voice.time(newest.expires)),
        seen => home::seen_by(Some(shown.seen), &voice),
        unseen => shown.seen.by == 0 && !ended,
        evidence => measured.map_or_else(Vec::new, |it| evidence(scene, &voice, it)),
        evidence_of => measured.filter(|it| it.number != newest.number).map(|it| it.number),
        more_sensors => measured.map_or(0, |it| it.sensors as usize - it.evidence.len().min(it.sensors as usize)),
        missing => cell.map_or_else(Vec::new, |cell| missing(scene, &voice, cell)),
        curve => measured.and_then(|it| chart(scene, shown, it, words)),
        curve_missing => measured.is_some() && shown.readings.is_none(),
        timeline => shown.detail.revisions.iter().rev().map(|it| revision(&voice, it)).collect::<Vec<_>>(),
        deliveries => shown.detail.deliveries.iter().rev().map(|it| delivery(&voice, it)).collect::<Vec<_>>(),
        acknowledgements => shown.detail.acknowledgements.iter().map(|it| context! {
            number => it.number, who => voice.target(it.target), at => voice.time(it.at),
        }).collect::<Vec<_>>(),
        reach => shown.detail.reach(voice.plan()).map(|(within, seen)| context! {
            minutes => within.0 / Span::from_mins(1).0, by => seen.by, of => seen.of,
        }),
        waiting => waiting(&voice, shown),
        may_end => cell.is_some() && !ended,
        // Where somebody was told of a danger, that is published.
        cap => shown.detail.revisions.iter().any(|it| !it.about.cells().is_empty() && !it.due.is_empty()),
    };
    Some(Draft { template: "warning.html", content })
}

/// The areas that it is about, by name; none where it is about the service.
fn areas(voice: &Voice<'_>, revision: &Revision) -> String {
    let cells = revision.about.cells();
    let names: Vec<String> =
        cells.iter().map(|cell| naming::area_name(voice.plan(), *cell, voice.words)).collect();
    names.join(voice.words.get("join.comma"))
}

fn evidence(scene: &Scene<'_>, voice: &Voice<'_>, revision: &Revision) -> Vec<Value> {
    revision.evidence.iter().map(|it| row(scene, voice, it)).collect()
}

/// What one sensor contributes: what it measured against which limit, and how good that is.
fn row(scene: &Scene<'_>, voice: &Voice<'_>, it: &Evidence) -> Value {
    let plan = voice.plan();
    let sensor = plan.sensor(it.sensor);
    let rule = plan.rule(it.rule);
    let unit = rule.map(|rule| rule.unit);
    let in_rule = |value: Option<f64>| value.zip(unit).map(|(value, unit)| show::limit(value, unit));
    let differs = sensor.zip(rule).is_some_and(|(sensor, rule)| sensor.unit != rule.unit);
    let state = scene.sight.look.engine.sensor(it.sensor);
    let fit = state.map(|state| state.readings().count()).filter(|_| it.trend.is_some());
    let sample = state.and_then(|state| state.readings().find(|sample| sample.observed == it.observed));
    let limits = rule
        .and_then(|rule| rule.subject(it.sensor))
        .and_then(|subject| show::in_force(&subject.limits, it.observed, &plan.settings));
    context! {
        sensor => voice.sensor(it.sensor),
        rule => rule.map(|rule| show::clean(&rule.id)),
        level => it.level.word(),
        symbol => naming::symbol(it.level),
        level_name => naming::level_name(it.level, voice.words),
        value => it.value.zip(sensor).map(|(value, sensor)| show::amount(value, sensor.unit)),
        measured => in_rule(it.measured.filter(|_| differs)),
        limit => in_rule(it.limit),
        below => rule.is_some_and(|rule| rule.side == Side::Below),
        trend => it.trend.zip(sensor).map(|(trend, sensor)| show::trend(trend, sensor.unit)),
        fit => fit,
        since => voice.time(it.since),
        observed => voice.time(it.observed),
        unknown => it.unknown,
        saturated => it.saturated,
        flag => sample.map(|sample| voice.word(&format!("flag.f{}", sample.flag.number()))),
        row => limits.map(|row| limit_row(voice, row, unit)),
    }
}

/// The row of the table of limits that is in force, as configuration has it.
pub(super) fn limit_row(
    voice: &Voice<'_>,
    row: &LimitRow,
    unit: Option<forewarn_core::units::Unit>,
) -> Value {
    let level = |(level, limit): (Level, &Option<f64>)| {
        let (limit, unit) = ((*limit)?, unit?);
        Some(context! {
            level => level.word(),
            symbol => naming::symbol(level),
            name => naming::level_name(level, voice.words),
            limit => show::limit(limit, unit),
        })
    };
    let day = |day: u16| format!("{:02}-{:02}", day / 100, day % 100);
    context! {
        levels => Level::WARNING.into_iter().zip(&row.levels).filter_map(level).collect::<Vec<_>>(),
        from => (row.from > Timestamp::MIN).then(|| voice.time(row.from)),
        season => row.season.map(|(first, last)| format!("{} – {}", day(first), day(last))),
    }
}

/// Sensors that could say something of this hazard in this area, and of which nobody knows.
fn missing(scene: &Scene<'_>, voice: &Voice<'_>, cell: Cell) -> Vec<Value> {
    let plan = voice.plan();
    let look = &scene.sight.look;
    let subjects: BTreeSet<SensorIx> = plan
        .rules
        .iter()
        .flatten()
        .filter(|rule| rule.hazard == cell.hazard)
        .flat_map(|rule| rule.subjects.iter().map(|subject| subject.sensor))
        .collect();
    let nearby =
        |sensor: &Sensor| plan.station(sensor.station).is_some_and(|it| plan.lies_in(it.area, cell.area));
    let unknown = subjects.into_iter().filter_map(|ix| {
        let sensor = plan.sensor(ix).filter(|sensor| nearby(sensor))?;
        let state = look.engine.sensor(ix)?;
        let standing = Standing::of(sensor, &state, look.now);
        (standing.group() == Group::Unknown).then(|| {
            context! {
                sensor => voice.sensor(ix),
                standing => voice.word(&format!("standing.{}", standing.word())),
                last => state.last_seen().map(|last| voice.time(last + look.engine.moment().offset)),
            }
        })
    });
    unknown.take(MISSING_MAX).collect()
}

fn chart(scene: &Scene<'_>, shown: &Shown, revision: &Revision, words: &Words) -> Option<Value> {
    let worst = revision.evidence.first()?;
    // Of a warning that stands, up to now; of one that is over, what it was about.
    let to = if shown.detail.ended { revision.sent } else { scene.sight.look.civil() };
    let readings = shown.readings.as_deref()?;
    let chart = Chart::of(worst, &scene.setup.plan, words.language(), to, readings)?;
    Some(curve::draw(&chart, words))
}

fn revision(voice: &Voice<'_>, it: &Revision) -> Value {
    let level = if it.kind.is_last() { Level::Normal } else { it.level };
    let (kinds, kind) = match it.about {
        About::Trouble(_) => ("trouble_kinds", it.kind.word()),
        _ => ("kinds", it.kind.word()),
    };
    context! {
        number => it.number,
        kind => voice.words.get(&format!("{kinds}.{kind}")),
        reason => voice.words.get(&format!("reasons.{}", it.reason.word())),
        level => level.word(),
        symbol => naming::symbol(level),
        tag => match it.kind {
            Kind::Alert | Kind::Update => naming::level_tag(it.level, voice.words),
            Kind::AllClear => voice.words.get("tags.all-clear").to_owned(),
            Kind::Cancel => voice.words.get("tags.cancel").to_owned(),
        },
        sent => voice.time(it.sent),
        detail => show::clean(&it.detail),
        stale => it.stale,
        told => voice.plan().contacts(it.due.iter().map(|due| due.target)),
    }
}

/// The contacts who were told and have not acknowledged, by id.
fn waiting(voice: &Voice<'_>, shown: &Shown) -> Vec<String> {
    let plan = voice.plan();
    let contact = |ix| plan.target(ix).map(|target| target.contact.clone());
    let since = shown.detail.news();
    let have: BTreeSet<String> = shown
        .detail
        .acknowledgements
        .iter()
        .filter(|it| it.number >= since)
        .filter_map(|it| contact(it.target))
        .collect();
    let told: BTreeSet<String> = shown.detail.deliveries.iter().filter_map(|it| contact(it.target)).collect();
    told.difference(&have).cloned().collect()
}
