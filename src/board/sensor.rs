//! One sensor: how it stands, what its rules say, its last hours and readings.

use forewarn_core::finding::{Verdict, Why};
use forewarn_core::ids::SensorIx;
use forewarn_core::level::Level;
use forewarn_core::plan::{Plan, Sensor};
use forewarn_core::reading::{Flag, Marks};
use forewarn_core::sensing::{Gathering, RuleState, SensorState};
use forewarn_core::time::Span;
use minijinja::{Value, context};

use super::standing::Standing;
use super::voice::Voice;
use super::{Draft, Scene, curve, sensors, warning};
use crate::channels::chart::{Chart, HOURS};
use crate::channels::words::Words;
use crate::channels::{naming, show};
use crate::ports::Kept;

/// A silence longer than this many intervals breaks the line.
const GAP_INTERVALS: i64 = 3;

/// The index of a sensor by its id, in the plan in force.
pub fn find(plan: &Plan, id: &str) -> Option<SensorIx> {
    let at = plan.sensors.iter().position(|sensor| sensor.as_ref().is_some_and(|it| *it.id == *id))?;
    Some(SensorIx(at as u32))
}

/// Draws it; `None` where the engine does not know it. Without `readings` they
/// could not be had in time.
pub fn draw(scene: &Scene<'_>, ix: SensorIx, readings: Option<&[Kept]>, words: &Words) -> Option<Draft> {
    let voice = Voice::of(scene, words);
    let look = &scene.sight.look;
    let plan = look.engine.plan();
    let (sensor, state) = (plan.sensor(ix)?, look.engine.sensor(ix)?);
    let moment = look.moment();
    let standing = Standing::of(sensor, &state, look.now);
    let area = plan.station(sensor.station).and_then(|station| plan.area(station.area));
    let content = context! {
        id => &*sensor.id,
        name => voice.station(sensor),
        area => area.map(|area| show::clean(show::name(&area.names, words.language()))),
        quantity => show::clean(&sensor.quantity),
        unit => show::symbol(sensor.unit),
        datum => sensor.datum.as_ref().map(|datum| show::clean(&datum.0)),
        standing => sensors::stand(&voice, standing),
        means => voice.word(&format!("standing_means.{}", standing.word())),
        level => sensors::level(scene, &voice, &state),
        newest => state.newest().map(|it| context! {
            value => show::amount(it.value, sensor.unit), observed => voice.time(it.observed),
        }),
        heard => state.last_seen().map(|last| voice.time(last + moment.offset)),
        flat => state.flat_since().map(|since| voice.time(since)),
        trend => state.trend().map(|trend| show::trend(trend, sensor.unit)),
        interval => voice.span(sensor.interval),
        silent_after => voice.span(sensor.interval.times(i64::from(sensor.outage_intervals))),
        lateness => voice.span(sensor.lateness),
        max_age => voice.span(sensor.max_age),
        flat_after => sensor.flat.map(|flat| voice.span(flat.suspect)),
        span => sensor.span.map(|(low, high)| {
            format!("{} – {}", show::amount(low, sensor.unit), show::amount(high, sensor.unit))
        }),
        conflicts => state.conflicts(),
        rules => state.rules(moment).map(|rule| rule_row(&voice, &rule, ix, plan)).collect::<Vec<_>>(),
        readings => samples(&voice, sensor, &state),
        curve => readings.map(|readings| curve::draw(&chart(scene, ix, sensor, readings, words), words)),
    };
    Some(Draft { template: "sensor.html", content })
}

fn rule_row(voice: &Voice<'_>, rule: &RuleState, sensor: SensorIx, plan: &Plan) -> Value {
    let known = plan.rule(rule.rule);
    let said = rule.said.map(|said| said.tip);
    let says = match said {
        None => voice.word("says.nothing"),
        Some(Verdict::Clear) if rule.gathering.is_some() => voice.word("says.no_level"),
        Some(Verdict::Clear) => voice.word("says.clear"),
        Some(Verdict::Breach(level)) => naming::level_name(level, voice.words),
        Some(Verdict::Unknown(why)) => {
            voice.fill("says.unknown", &[("why", &voice.word(&format!("why.{}", why_word(why))))])
        }
    };
    let pending = match (rule.said.and_then(|said| said.pending), rule.gathering) {
        (Some(pending), _) => naming::level_name(pending.level, voice.words),
        (None, Some(Gathering { level, reached, m, n })) => voice.fill(
            "says.gathering",
            &[
                ("level", &naming::level_name(level, voice.words)),
                ("reached", &reached.to_string()),
                ("m", &m.to_string()),
                ("n", &n.to_string()),
            ],
        ),
        (None, None) => String::new(),
    };
    let row = known
        .and_then(|known| known.subject(sensor))
        .and_then(|subject| subject.limits.iter().find(|row| row.levels == rule.limits));
    context! {
        rule => known.map_or_else(|| format!("#{}", rule.rule.0), |known| show::clean(&known.id)),
        says => says,
        symbol => match said {
            Some(Verdict::Unknown(_)) | None => "?",
            Some(verdict) => naming::symbol(verdict.level()),
        },
        level => match said {
            Some(Verdict::Unknown(_)) | None => "unknown",
            Some(verdict) => verdict.level().word(),
        },
        pending => pending,
        row => row.map(|row| warning::limit_row(voice, row, known.map(|known| known.unit))),
    }
}

const fn why_word(why: Why) -> &'static str {
    match why {
        Why::Warming => "warming",
        Why::Silent(_) => "silent",
        Why::SourceDown => "source_down",
        Why::BadData => "bad_data",
        Why::TooFew => "too_few",
        Why::Suspect => "suspect",
        Why::Removed => "removed",
        Why::Old => "old",
        Why::Maintenance => "maintenance",
    }
}

/// The readings it is judged by, newest first.
fn samples(voice: &Voice<'_>, sensor: &Sensor, state: &SensorState<'_>) -> Vec<Value> {
    let mut rows: Vec<Value> = state
        .readings()
        .map(|it| {
            context! {
                observed => voice.time(it.observed),
                value => show::amount(it.value, sensor.unit),
                flag => it.flag.number(),
                good => matches!(it.flag, Flag::Good | Flag::Unevaluated),
                flag_name => voice.word(&format!("flag.f{}", it.flag.number())),
                saturated => it.marks.has(Marks::SATURATED),
            }
        })
        .collect();
    rows.reverse();
    rows
}

fn chart(scene: &Scene<'_>, ix: SensorIx, sensor: &Sensor, readings: &[Kept], words: &Words) -> Chart {
    let plan = scene.sight.look.engine.plan();
    let to = scene.sight.look.civil();
    let counts = |kept: &&Kept| !matches!(kept.checked.flag, Flag::Fail | Flag::Missing);
    let points =
        readings.iter().filter(counts).map(|it| (it.checked.reading.observed, it.checked.reading.value));
    // A rate's limits have another unit and would mean nothing here.
    let rules = plan.rules.iter().flatten().filter(|rule| rule.unit == sensor.unit);
    let row = rules
        .filter_map(|rule| rule.subject(ix))
        .find_map(|subject| show::in_force(&subject.limits, to, &plan.settings));
    let limits = Level::WARNING.into_iter().zip(row.map(|row| row.levels).unwrap_or_default());
    Chart {
        title: sensor.id.to_string(),
        name: naming::sensor_name(sensor, plan, words.language()),
        unit: sensor.unit,
        datum: sensor.datum.as_ref().map(|datum| datum.0.clone()).unwrap_or_default(),
        from: to - Span::from_hours(HOURS),
        to,
        points: points.collect(),
        gap: sensor.interval.times(GAP_INTERVALS),
        limits: limits.filter_map(|(level, value)| Some((level, value?))).collect(),
        settings: plan.settings.clone(),
    }
}
