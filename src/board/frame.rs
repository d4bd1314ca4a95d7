//! What stands around every page: whose it is, of which world, as of when, how
//! the sensors are, and where else to go.

use forewarn_core::time::Timestamp;
use minijinja::{Value, context};
use sha2::{Digest, Sha256};

use super::standing::Silence;
use super::voice::{Voice, escaped};
use super::{Acts, SCRIPT, STYLES, Scene};
use crate::channels::show;
use crate::channels::words::Words;

/// The pages that can be gone to from everywhere, with their templates.
const PAGES: [(&str, &str, &str); 6] = [
    ("/", "home", "home.html"),
    ("/warnings", "warnings", "warnings.html"),
    ("/sensors", "sensors", "sensors.html"),
    ("/deliveries", "deliveries", "deliveries.html"),
    ("/quarantine", "quarantine", "quarantine.html"),
    ("/help", "help", "help.html"),
];

pub(super) fn frame(scene: &Scene<'_>, words: &Words, template: &str, tags: &[&str]) -> Value {
    let voice = Voice::of(scene, words);
    let plan = voice.plan();
    let status = plan.settings.status;
    let look = &scene.sight.look;
    let nav: Vec<Value> = PAGES
        .iter()
        .map(|(href, word, own)| {
            let label = voice.word(&format!("nav.{word}"));
            context! { href => *href, label => label, here => *own == template }
        })
        .collect();
    let languages: Vec<Value> = tags
        .iter()
        .filter(|tag| **tag != words.language())
        .map(|tag| {
            // Each language is named in itself: whoever looks for it reads no other.
            let own = words.find(&format!("board.languages.{tag}")).unwrap_or(tag);
            let back = escaped(scene.place);
            context! { tag => *tag, name => own, href => format!("/language/{tag}?back={back}") }
        })
        .collect();
    context! {
        lang => words.get("lang"),
        site => show::clean(&plan.settings.site),
        mark => words.get(&format!("marks.{status}")),
        banner => words.find(&format!("banners.{status}")).unwrap_or_default(),
        css => format!("/assets/{}/board.css", version(STYLES)),
        js => format!("/assets/{}/board.js", version(SCRIPT)),
        nav => nav,
        languages => languages,
        visitor => &scene.visitor.name,
        acts => scene.visitor.acts == Acts::Yes,
        token => &scene.visitor.token,
        place => scene.place,
        as_of => voice.time(look.civil()),
        zone => voice.zone(look.civil()),
        data => data(scene, &voice),
        done => scene.done.map(|done| voice.word(&format!("done.{done}"))).unwrap_or_default(),
    }
}

/// What comes in, and what does not.
fn data(scene: &Scene<'_>, voice: &Voice<'_>) -> Value {
    let (look, counts) = (&scene.sight.look, &scene.sight.counts);
    let civil = |engine: Timestamp| voice.time(engine + look.engine.moment().offset);
    let nothing = match counts.silence(look.now) {
        Silence::No => String::new(),
        Silence::Ever => voice.word("no_data.ever"),
        Silence::Since(last) => {
            let since = voice.instant(last + look.engine.moment().offset);
            voice.fill("no_data.since", &[("time", &since)])
        }
    };
    context! {
        nothing => nothing,
        reporting => counts.reporting,
        late => counts.late,
        unknown => counts.unknown,
        all => counts.all(),
        last => counts.last_heard.map(civil),
        held => look.engine.is_held(),
        clock => look.engine.moment().trusted,
    }
}

/// Which edition of a file it is: part of its address, so that it may be kept for good.
pub(crate) fn version(text: &str) -> String {
    crate::config::targets::hex(&Sha256::digest(text)[..4])
}
