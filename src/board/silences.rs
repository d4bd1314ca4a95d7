//! Who has silenced what, and what waits for a second person: accountable
//! silence is seen by everybody, all the time.

use forewarn_core::orders::{Draft, Mute, MutePhase, Proposal, Quiet, Silence, Stage, Subject};
use minijinja::{Value, context};

use super::Scene;
use super::voice::Voice;
use crate::channels::{naming, show};

/// Rows of either that are shown; the command line lists all.
const SHOWN_MAX: usize = 30;

/// The silences that hold or are planned.
pub(super) fn standing(scene: &Scene<'_>, voice: &Voice<'_>) -> Vec<Value> {
    let mutes = scene.sight.look.engine.mutes();
    let stands = mutes.filter(|mute| matches!(mute.phase, MutePhase::Holding | MutePhase::Planned));
    stands
        .filter(|mute| covers(scene, &mute.silence.what))
        .take(SHOWN_MAX)
        .map(|it| mute(scene, voice, it))
        .collect()
}

/// What a second person is to approve.
pub(super) fn drafts(scene: &Scene<'_>, voice: &Voice<'_>) -> Vec<Value> {
    let drafts = scene.sight.look.engine.drafts();
    let waiting = drafts.filter(|draft| draft.stage == Stage::Waiting);
    let may_see = |draft: &&Draft| match &draft.proposal {
        Proposal::Warning(issue) => issue.areas.iter().all(|area| scene.covers(*area)),
        Proposal::Silence(silence) => covers(scene, &silence.what),
    };
    let row = |draft: &Draft| {
        let what = match &draft.proposal {
            Proposal::Warning(issue) => {
                voice.fill("silences.warning", &[("level", &naming::level_name(issue.level, voice.words))])
            }
            Proposal::Silence(silence) => what(voice, silence),
        };
        context! { number => draft.number, by => show::clean(&draft.by), made => voice.time(draft.made), what => what }
    };
    waiting.filter(may_see).take(SHOWN_MAX).map(row).collect()
}

fn mute(scene: &Scene<'_>, voice: &Voice<'_>, mute: &Mute) -> Value {
    let offset = scene.sight.look.engine.moment().offset;
    context! {
        number => mute.number,
        what => what(voice, &mute.silence),
        owner => show::clean(&mute.owner),
        reason => show::clean(&mute.silence.reason),
        planned => mute.phase == MutePhase::Planned,
        from => voice.time(mute.begins),
        until => voice.time(mute.until + offset),
    }
}

fn what(voice: &Voice<'_>, silence: &Silence) -> String {
    let quiet = match silence.quiet {
        Quiet::Muted => "silences.muted",
        Quiet::Maintenance => "silences.maintenance",
    };
    let level = naming::level_name(silence.up_to, voice.words);
    voice.fill(quiet, &[("subject", &subject(voice, &silence.what)), ("level", &level)])
}

fn subject(voice: &Voice<'_>, subject: &Subject) -> String {
    let plan = voice.plan();
    let language = voice.words.language();
    match *subject {
        Subject::Area(area) => {
            plan.area(area).map_or_else(String::new, |it| show::clean(show::name(&it.names, language)))
        }
        Subject::Hazard(hazard) => {
            let id = plan.hazard(hazard);
            voice.words.find(&format!("hazards.{id}")).map_or_else(|| show::clean(id), str::to_owned)
        }
        Subject::Cell(cell) => voice.cell(cell),
        Subject::Rule(rule) => plan.rule(rule).map_or_else(String::new, |it| show::clean(&it.id)),
        Subject::Sensor(sensor) => {
            plan.sensor(sensor).map_or_else(String::new, |it| naming::sensor_name(it, plan, language))
        }
        Subject::Station(station) => {
            plan.station(station).map_or_else(String::new, |it| show::clean(show::name(&it.names, language)))
        }
    }
}

/// Whether a visitor may see it: what reaches beyond their areas is not theirs.
fn covers(scene: &Scene<'_>, subject: &Subject) -> bool {
    let plan = &scene.setup.plan;
    let of_station = |station| plan.station(station).is_some_and(|it| scene.covers(it.area));
    match *subject {
        Subject::Area(area) => scene.covers(area),
        Subject::Cell(cell) => scene.covers(cell.area),
        Subject::Hazard(_) | Subject::Rule(_) => scene.is_everywhere(),
        Subject::Sensor(sensor) => plan.sensor(sensor).is_some_and(|it| of_station(it.station)),
        Subject::Station(station) => of_station(station),
    }
}
