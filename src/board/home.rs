//! The first page: what stands now, worst first; what is on its way; what the
//! service itself has the matter; and where nobody can say.

use std::cmp::Reverse;

use forewarn_core::level::Level;
use forewarn_core::warning::{Incident, Phase, Revision, Seen};
use minijinja::{Value, context};

use super::voice::Voice;
use super::{Draft, Scene, silences};
use crate::channels::words::Words;
use crate::channels::{naming, show};

/// Incidents that are shown, the worst first; of the others there is the number and a link.
pub const SHOWN_MAX: usize = 60;

/// A warning that stands, with what is known of it.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Its newest revision.
    pub newest: Revision,
    /// The incident that it is about; a warning by hand is about none.
    pub incident: Option<Incident>,
    /// Who has acknowledged it as it holds now, where that could be read.
    pub seen: Option<Seen>,
}

/// The worst that stands, in the order it is shown in: incidents that people were
/// told of, and what a person has said.
pub fn worst(scene: &Scene<'_>, by_hand: &[Revision]) -> Vec<Standing> {
    let mut told: Vec<&Incident> = told(scene).collect();
    told.sort_by_key(|it| (Reverse(it.level), Reverse(it.stale), it.onset));
    let engine = &scene.sight.look.engine;
    let of_incidents = told.into_iter().take(SHOWN_MAX).filter_map(|it| {
        let newest = engine.newest(it.warning?)?.clone();
        Some(Standing { newest, incident: Some(it.clone()), seen: None })
    });
    let of_persons =
        by_hand.iter().map(|newest| Standing { newest: newest.clone(), incident: None, seen: None });
    let mut standing: Vec<Standing> = of_incidents.chain(of_persons).collect();
    standing.sort_by_key(|it| (Reverse(it.newest.level), Reverse(it.newest.stale), it.newest.onset));
    standing.truncate(SHOWN_MAX);
    standing
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
pub fn draw(scene: &Scene<'_>, standing: &[Standing], by_hand: &[Revision], words: &Words) -> Draft {
    let voice = Voice::of(scene, words);
    let engine = &scene.sight.look.engine;
    let all = told(scene).count() + by_hand.len();
    let levels: Vec<Value> = Level::WARNING
        .into_iter()
        .rev()
        .map(|level| {
            context! {
                level => level.word(),
                symbol => naming::symbol(level),
                name => naming::level_name(level, words),
                count => told(scene).filter(|it| it.level == level).count()
                    + by_hand.iter().filter(|it| it.level == level).count(),
            }
        })
        .collect();
    let cards: Vec<Value> = standing.iter().map(|it| card(&voice, it)).collect();
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
        mutes => silences::standing(scene, &voice),
        drafts => silences::drafts(scene, &voice),
        troubles => troubles,
        troubles_in_all => if scene.is_everywhere() { engine.troubles().count() } else { 0 },
        decided => decided(scene).map(|at| voice.time(at)),
    };
    Draft { template: "home.html", content }
}

fn card(voice: &Voice<'_>, standing: &Standing) -> Value {
    let Standing { newest, incident, seen } = standing;
    let seen = seen.or(newest.seen);
    let areas: Vec<String> =
        newest.about.cells().iter().map(|cell| naming::area_name(voice.plan(), *cell, voice.words)).collect();
    context! {
        facts => voice.facts(newest),
        href => super::warnings::path(&newest.warning),
        area => areas.join(voice.words.get("join.comma")),
        phase => match incident {
            Some(it) => voice.word(&format!("phase.{}", crate::state::phase_word(it.phase))),
            None => voice.word("phase.by_hand"),
        },
        stale => newest.stale || incident.as_ref().is_some_and(|it| it.stale),
        muted => newest.muted.is_some(),
        since => voice.time(newest.onset),
        sent => voice.time(newest.sent),
        number => newest.number,
        seen => seen_by(seen, voice),
        unseen => seen.is_none_or(|seen| seen.by == 0),
    }
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
