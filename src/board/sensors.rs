//! The list of sensors: how each stands, and what it said last.

use forewarn_core::finding::Verdict;
use forewarn_core::ids::SensorIx;
use forewarn_core::level::Level;
use forewarn_core::plan::Sensor;
use forewarn_core::sensing::SensorState;
use minijinja::{Value, context};

use super::standing::{Group, Standing};
use super::voice::{Voice, escaped};
use super::{Draft, PAGE_ROWS, Scene};
use crate::channels::words::Words;
use crate::channels::{naming, show};

/// Which sensors are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// A part of an id or of a station's name, in any letters.
    pub text: String,
    /// `reporting`, `late` or `unknown`; anything else means all.
    pub group: String,
    /// From 1.
    pub page: usize,
}

/// Draws one page of them.
pub fn draw(scene: &Scene<'_>, filter: &Filter, words: &Words) -> Draft {
    let voice = Voice::of(scene, words);
    let look = &scene.sight.look;
    let group = Group::parse(&filter.group);
    let wanted = filter.text.trim().to_lowercase();
    let fits = |sensor: &Sensor| {
        wanted.is_empty()
            || sensor.id.to_lowercase().contains(&wanted)
            || voice.station(sensor).to_lowercase().contains(&wanted)
    };
    // By the engine's own plan: that is the one these sensors are judged by.
    let plan = look.engine.plan();
    let fitting: Vec<(&Sensor, SensorState<'_>, Standing)> = (0..)
        .map(SensorIx)
        .zip(&plan.sensors)
        .filter_map(|(ix, sensor)| Some((sensor.as_ref()?, look.engine.sensor(ix)?)))
        .filter(|(sensor, _)| {
            plan.station(sensor.station).is_some_and(|it| scene.covers(it.area)) && fits(sensor)
        })
        .map(|(sensor, state)| (sensor, state, Standing::of(sensor, &state, look.now)))
        .filter(|(_, _, standing)| group.is_none_or(|group| standing.group() == group))
        .collect();
    let pages = fitting.len().div_ceil(PAGE_ROWS).max(1);
    let page = filter.page.clamp(1, pages);
    let rows: Vec<Value> = fitting
        .iter()
        .skip((page - 1) * PAGE_ROWS)
        .take(PAGE_ROWS)
        .map(|(sensor, state, standing)| row(scene, &voice, sensor, state, *standing))
        .collect();
    let query = |page: usize| {
        format!("/sensors?q={}&group={}&page={page}", escaped(filter.text.trim()), escaped(&filter.group))
    };
    let groups: Vec<Value> = [Group::Reporting, Group::Late, Group::Unknown]
        .into_iter()
        .map(|it| {
            let name = voice.word(&format!("group.{}", it.word()));
            context! { value => it.word(), name => name, chosen => Some(it) == group }
        })
        .collect();
    let content = context! {
        rows => rows,
        found => fitting.len(),
        text => &filter.text,
        groups => groups,
        page => page,
        pages => pages,
        earlier => (page > 1).then(|| query(page - 1)),
        later => (page < pages).then(|| query(page + 1)),
    };
    Draft { template: "sensors.html", content }
}

fn row(
    scene: &Scene<'_>,
    voice: &Voice<'_>,
    sensor: &Sensor,
    state: &SensorState<'_>,
    standing: Standing,
) -> Value {
    let look = &scene.sight.look;
    let newest = state.newest();
    context! {
        id => &*sensor.id,
        href => super::voice::sensor_path(&sensor.id),
        name => voice.station(sensor),
        standing => stand(voice, standing),
        level => level(scene, voice, state),
        value => newest.map(|it| show::amount(it.value, sensor.unit)),
        observed => newest.map(|it| voice.time(it.observed)),
        heard => state.last_seen().map(|last| voice.time(last + look.engine.moment().offset)),
    }
}

/// How a sensor stands: its group for the eye, its state in words.
pub(super) fn stand(voice: &Voice<'_>, standing: Standing) -> Value {
    context! {
        group => standing.group().word(),
        symbol => standing.group().symbol(),
        name => voice.word(&format!("standing.{}", standing.word())),
    }
}

/// The highest level that a rule says it is at; normal only where every rule says so.
pub(super) fn level(scene: &Scene<'_>, voice: &Voice<'_>, state: &SensorState<'_>) -> Value {
    let moment = scene.sight.look.moment();
    let verdicts: Vec<Verdict> =
        state.rules(moment).filter_map(|rule| rule.said.map(|said| said.tip)).collect();
    let on_its_way = state
        .rules(moment)
        .flat_map(|rule| {
            [rule.said.and_then(|said| said.pending).map(|it| it.level), rule.gathering.map(|it| it.level)]
        })
        .flatten()
        .max();
    let shown = |level: Level, name: String| context! { level => level.word(), symbol => naming::symbol(level), name => name };
    match (verdicts.iter().map(|verdict| verdict.level()).max(), on_its_way) {
        (None, _) => context! { level => "none", symbol => "–", name => voice.word("level.no_rule") },
        // What a reading reached that others must still bear out is not normal.
        (Some(Level::Normal), Some(level)) => {
            let name = naming::level_name(level, voice.words);
            context! { level => "unknown", symbol => "?", name => voice.fill("level.perhaps", &[("level", &name)]) }
        }
        (Some(Level::Normal), None) if verdicts.iter().any(|verdict| verdict.is_unknown()) => {
            context! { level => "unknown", symbol => "?", name => voice.word("level.unknown") }
        }
        (Some(level), _) => shown(level, naming::level_name(level, voice.words)),
    }
}
