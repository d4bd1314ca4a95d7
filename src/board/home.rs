//! The first page: what stands now, worst first; what is on its way; what the
//! service itself has the matter; and where nobody can say.

use std::cmp::Reverse;

use forewarn_core::level::Level;
use forewarn_core::warning::{Incident, Phase, Seen};
use minijinja::{Value, context};

use super::voice::Voice;
use super::{Draft, Scene};
use crate::channels::words::Words;
use crate::channels::{naming, show};

/// Incidents that are shown, the worst first; of the others there is the number and a link.
pub const SHOWN_MAX: usize = 60;

/// An incident that people were told of, with what is known of its warning.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The incident.
    pub incident: Incident,
    /// Who has acknowledged its warning as it holds now, where that could be read.
    pub seen: Option<Seen>,
}

/// The worst incidents that people were told of, in the order they are shown in.
pub fn worst(scene: &Scene<'_>) -> Vec<Incident> {
    let mut told: Vec<&Incident> = told(scene).collect();
    told.sort_by_key(|it| (Reverse(it.level), Reverse(it.stale), it.onset));
    told.into_iter().take(SHOWN_MAX).cloned().collect()
}

fn told<'a>(scene: &Scene<'a>) -> impl Iterator<Item = &'a Incident> {
    let incidents = scene.sight.look.engine.incidents();
    let scene = *scene;
    incidents.filter(move |it| {
        matches!(it.phase, Phase::Active | Phase::Easing)
            && it.warning.is_some()
            && scene.covers(it.cell.area)
    })
}

/// Draws it.
pub fn draw(scene: &Scene<'_>, standing: &[Standing], words: &Words) -> Draft {
    let voice = Voice::of(scene, words);
    let engine = &scene.sight.look.engine;
    let all = told(scene).count();
    let levels: Vec<Value> = Level::WARNING
        .into_iter()
        .rev()
        .map(|level| {
            context! {
                level => level.word(),
                symbol => naming::symbol(level),
                name => naming::level_name(level, words),
                count => told(scene).filter(|it| it.level == level).count(),
            }
        })
        .collect();
    let cards: Vec<Value> = standing.iter().filter_map(|it| card(scene, &voice, it)).collect();
    let pending: Vec<Value> = engine
        .incidents()
        .filter(|it| it.phase == Phase::Pending && scene.covers(it.cell.area))
        .take(SHOWN_MAX)
        .map(|it| context! { cell => voice.cell(it.cell), since => voice.time(it.onset) })
        .collect();
    let troubles: Vec<Value> = engine
        .troubles()
        .filter(|_| scene.is_everywhere())
        .take(SHOWN_MAX)
        .map(|(key, trouble)| {
            let newest = trouble.warning.and_then(|warning| engine.newest(warning));
            context! {
                facts => newest.map(|newest| voice.facts(newest)),
                href => newest.map(|newest| super::warnings::path(&newest.warning)).unwrap_or_default(),
                code => key.code.word(),
                text => naming::trouble_text(key.code, forewarn_core::warning::Kind::Alert, words),
                detail => show::clean(&trouble.detail),
                since => voice.time(trouble.since),
            }
        })
        .collect();
    let content = context! {
        levels => levels,
        cards => cards,
        all => all,
        more => all.saturating_sub(standing.len()),
        pending => pending,
        troubles => troubles,
        troubles_in_all => if scene.is_everywhere() { engine.troubles().count() } else { 0 },
        decided => decided(scene).map(|at| voice.time(at)),
    };
    Draft { template: "home.html", content }
}

fn card(scene: &Scene<'_>, voice: &Voice<'_>, standing: &Standing) -> Option<Value> {
    let incident = &standing.incident;
    let newest = scene.sight.look.engine.newest(incident.warning?)?;
    let seen = standing.seen.or(newest.seen);
    Some(context! {
        facts => voice.facts(newest),
        href => super::warnings::path(&newest.warning),
        area => naming::area_name(voice.plan(), incident.cell, voice.words),
        phase => voice.word(&format!("phase.{}", crate::state::phase_word(incident.phase))),
        stale => newest.stale || incident.stale,
        since => voice.time(newest.onset),
        sent => voice.time(newest.sent),
        next => voice.time(naming::next_update(newest, voice.setup)),
        number => newest.number,
        seen => seen_by(seen, voice),
        unseen => seen.is_none_or(|seen| seen.by == 0),
    })
}

/// How many of those who were told have acknowledged it.
pub(super) fn seen_by(seen: Option<Seen>, voice: &Voice<'_>) -> String {
    match seen {
        None => voice.words.get("text.seen_by_nobody").to_owned(),
        Some(Seen { by, of }) => {
            voice.words.fill("text.seen_by", &[("by", &by.to_string()), ("of", &of.to_string())])
        }
    }
}

/// Civil time of the last thing that was decided about what stands.
fn decided(scene: &Scene<'_>) -> Option<forewarn_core::time::Timestamp> {
    let engine = &scene.sight.look.engine;
    let of_incidents = engine.incidents().filter_map(|it| engine.newest(it.warning?)).map(|it| it.sent);
    let of_troubles = engine.troubles().filter_map(|(_, it)| engine.newest(it.warning?)).map(|it| it.sent);
    of_incidents.chain(of_troubles).max()
}
