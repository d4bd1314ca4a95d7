//! Makes pages: the templates, the words of every language, and the frame
//! around each page.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, UndefinedBehavior, context};

use super::{Scene, frame, language};
use crate::channels::kept::PerSetup;
use crate::channels::words::{LANGUAGES, Messages, Words};
use crate::config::plan::Setup;

/// Every template by its name.
const TEMPLATES: [(&str, &str); 12] = [
    ("base.html", include_str!("templates/base.html")),
    ("parts.html", include_str!("templates/parts.html")),
    ("curve.html", include_str!("templates/curve.html")),
    ("home.html", include_str!("templates/home.html")),
    ("warnings.html", include_str!("templates/warnings.html")),
    ("warning.html", include_str!("templates/warning.html")),
    ("sensors.html", include_str!("templates/sensors.html")),
    ("sensor.html", include_str!("templates/sensor.html")),
    ("deliveries.html", include_str!("templates/deliveries.html")),
    ("quarantine.html", include_str!("templates/quarantine.html")),
    ("missing.html", include_str!("templates/missing.html")),
    ("help.html", include_str!("templates/help.html")),
];

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    // A word that is missing is a page that is not shown: the tests see it, nobody else.
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_filter("fill", fill);
    for (name, text) in TEMPLATES {
        environment.add_template(name, text).expect("the tests render every template");
    }
    environment
});

/// A page before it is rendered: its template, and what that shows.
#[derive(Debug)]
pub struct Draft {
    pub(super) template: &'static str,
    pub(super) content: Value,
}

/// Makes pages.
#[derive(Debug)]
pub struct Maker {
    lexicon: PerSetup<Lexicon>,
}

/// The words, and those of the board as templates see them, by language.
#[derive(Debug)]
struct Lexicon {
    messages: Messages,
    board: BTreeMap<String, Value>,
}

impl Default for Maker {
    fn default() -> Maker {
        Maker { lexicon: PerSetup::new(Lexicon::of) }
    }
}

impl Lexicon {
    fn of(setup: &Setup) -> Lexicon {
        let messages = Messages::read(&setup.messages);
        // What a site's own language lacks is said in the first one, rather than not at all.
        let last_resort = messages.language(LANGUAGES[0]);
        let board = |tag: &str| (tag.to_owned(), nested(&[last_resort, messages.language(tag)]));
        let board = messages.tags().map(board).collect();
        Lexicon { messages, board }
    }
}

impl Maker {
    /// The language for somebody who chose one, or whose browser accepts some.
    pub fn language(&self, setup: &Arc<Setup>, chosen: Option<&str>, accepted: &str) -> String {
        let lexicon = self.lexicon.of(setup);
        let tags: Vec<&str> = lexicon.messages.tags().collect();
        language::choose(&tags, chosen, accepted).to_owned()
    }

    /// A page, complete; `draw` makes what is its own, or says that there is nothing to show.
    pub fn page<E: From<minijinja::Error>>(
        &self,
        scene: &Scene<'_>,
        draw: impl FnOnce(&Words) -> Result<Option<Draft>, E>,
    ) -> Result<Option<String>, E> {
        let lexicon = self.lexicon.of(scene.setup);
        let words = lexicon.messages.language(scene.language);
        let Some(Draft { template, content }) = draw(words)? else { return Ok(None) };
        let tags: Vec<&str> = lexicon.messages.tags().collect();
        let frame = frame::frame(scene, words, template, &tags);
        let board = lexicon.board.get(words.language()).cloned().unwrap_or_default();
        let page =
            ENVIRONMENT.get_template(template)?.render(context! { w => board, frame => frame, ..content })?;
        Ok(Some(page))
    }
}

/// The words below `board` as a tree: `board.state.late` is `w.state.late`. Later words go before.
fn nested(layers: &[&Words]) -> Value {
    let mut tree: BTreeMap<&str, Value> = BTreeMap::new();
    let mut branches: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    for (path, word) in layers.iter().flat_map(|words| words.below("board")) {
        match path.split_once('.') {
            None => drop(tree.insert(path, Value::from(word))),
            Some((branch, leaf)) => drop(branches.entry(branch).or_default().insert(leaf, word)),
        }
    }
    tree.extend(branches.into_iter().map(|(branch, leaves)| (branch, Value::from_pairs(leaves))));
    Value::from_pairs(tree)
}

/// `word | fill(count = 3)`: its `{name}`s filled in; what is filled in stays as it is.
#[expect(clippy::needless_pass_by_value, reason = "filters are handed their arguments so")]
fn fill(word: &str, values: Kwargs) -> Result<String, minijinja::Error> {
    let mut given: Vec<(String, String)> = Vec::new();
    for name in values.args() {
        let value: Value = values.get(name)?;
        given.push((name.to_owned(), value.to_string()));
    }
    values.assert_all_used()?;
    let given: Vec<(&str, &str)> =
        given.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    Ok(crate::channels::words::filled(word, &given))
}
