//! What messages are made of, by language: words and templates. What a site
//! writes of its own stands over the embedded defaults, word by word; all
//! languages together, or none.

use std::collections::{BTreeMap, BTreeSet};

use forewarn_core::level::{Certainty, Level, Status};
use forewarn_core::warning::{Kind, Reason, TroubleCode};
use minijinja::{Environment, UndefinedBehavior};

/// What a setup holds: language, then file name, then text.
pub type Given = BTreeMap<String, BTreeMap<String, String>>;

/// The files of each language.
pub const FILES: [&str; 4] = ["words.toml", "subject.txt", "mail.txt", "mail.html"];

/// The languages that are built in, the first being the last resort.
pub const LANGUAGES: [&str; 2] = ["zh", "en"];

/// Never written: whoever reads it in a drill's residue would act on it.
const BANNED: [&str; 6] = ["not a drill", "not an exercise", "不是演习", "不是演练", "非演习", "非演练"];

/// The built-in text of a file.
pub fn embedded(language: &str, file: &str) -> Option<&'static str> {
    Some(match (language, file) {
        ("zh", "words.toml") => include_str!("../../config/messages/zh/words.toml"),
        ("zh", "subject.txt") => include_str!("../../config/messages/zh/subject.txt"),
        ("zh", "mail.txt") => include_str!("../../config/messages/zh/mail.txt"),
        ("zh", "mail.html") => include_str!("../../config/messages/zh/mail.html"),
        ("en", "words.toml") => include_str!("../../config/messages/en/words.toml"),
        ("en", "subject.txt") => include_str!("../../config/messages/en/subject.txt"),
        ("en", "mail.txt") => include_str!("../../config/messages/en/mail.txt"),
        ("en", "mail.html") => include_str!("../../config/messages/en/mail.html"),
        _ => return None,
    })
}

/// The words and templates of one language.
#[derive(Debug)]
pub struct Words {
    language: String,
    entries: BTreeMap<String, String>,
    templates: Environment<'static>,
}

/// The words and templates of every language.
#[derive(Debug)]
pub struct Messages(BTreeMap<String, Words>);

impl Messages {
    /// Reads what the site gave over what is built in. What cannot be read is
    /// left out, so that a warning still goes out in the built-in words;
    /// [`Words::check`] has refused it long before.
    pub fn read(given: &Given) -> Messages {
        Messages(languages(given).map(|tag| (tag.to_owned(), Words::read(tag, given))).collect())
    }

    /// The words of a language; of the first built-in one where it has none.
    pub fn language(&self, tag: &str) -> &Words {
        self.0.get(tag).unwrap_or_else(|| &self.0[LANGUAGES[0]])
    }
}

impl Words {
    fn read(tag: &str, given: &Given) -> Words {
        let mut entries = BTreeMap::new();
        for text in [embedded(tag, FILES[0]), site_file(given, tag, FILES[0])].into_iter().flatten() {
            entries.extend(flatten(text).unwrap_or_default());
        }
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        for file in &FILES[1..] {
            for text in [embedded(tag, file), site_file(given, tag, file)].into_iter().flatten() {
                // One that does not parse leaves the former in place.
                let _ = templates.add_template_owned((*file).to_owned(), text.to_owned());
            }
        }
        Words { language: tag.to_owned(), entries, templates }
    }

    /// The language's tag, as contacts name it.
    pub fn language(&self) -> &str {
        &self.language
    }

    /// A word by its path, as in `levels.red`; the path itself where there is
    /// none, so that nothing is ever silently left out.
    pub fn get<'a>(&'a self, path: &'a str) -> &'a str {
        self.find(path).unwrap_or(path)
    }

    /// A word by its path, if there is one.
    pub fn find(&self, path: &str) -> Option<&str> {
        self.entries.get(path).map(String::as_str)
    }

    /// A word with its `{name}`s filled in. What is filled in stays as it is:
    /// a `{value}` in a name is text.
    pub fn fill(&self, path: &str, values: &[(&str, &str)]) -> String {
        let mut rest = self.get(path);
        let mut filled = String::with_capacity(rest.len() + 64);
        while let Some(open) = rest.find('{') {
            let (before, after) = rest.split_at(open);
            filled.push_str(before);
            let hit = values.iter().find_map(|(name, value)| {
                Some((value, after.strip_prefix('{')?.strip_prefix(name)?.strip_prefix('}')?))
            });
            match hit {
                Some((value, tail)) => {
                    filled.push_str(value);
                    rest = tail;
                }
                None => {
                    filled.push('{');
                    rest = &after[1..];
                }
            }
        }
        filled.push_str(rest);
        filled
    }

    /// Fills a template, and says so where it fails.
    pub(super) fn render_strictly(
        &self,
        file: &str,
        context: &minijinja::Value,
    ) -> Result<String, minijinja::Error> {
        self.templates.get_template(file)?.render(context.clone())
    }

    /// Fills a template. A site's own template that fails gives way to the built-in one.
    pub fn render(&self, file: &str, context: &minijinja::Value) -> Result<String, minijinja::Error> {
        self.render_strictly(file, context).or_else(|error| {
            let text = embedded(&self.language, file).or(embedded(LANGUAGES[0], file)).ok_or(error)?;
            let mut built_in = Environment::new();
            built_in.add_template(file, text)?;
            built_in.get_template(file)?.render(context.clone())
        })
    }

    /// Every fault in what a site gave: where, what, expected.
    pub fn check(given: &Given) -> Vec<String> {
        let mut faults = Vec::new();
        let mut keys: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for (language, files) in given {
            for (file, text) in files {
                let place = format!("messages/{language}/{file}");
                if !FILES.contains(&file.as_str()) {
                    faults.push(format!("{place}: unknown file, expected one of {}", FILES.join(", ")));
                }
                faults.extend(banned(&place, text));
                if file == FILES[0] {
                    match flatten(text) {
                        Ok(words) => keys.entry(language).or_default().extend(words.into_keys()),
                        Err(fault) => faults.push(format!("{place}: {fault}")),
                    }
                } else if FILES.contains(&file.as_str()) {
                    keys.entry(language).or_default().insert(file.clone());
                    let mut alone = Environment::new();
                    if let Err(error) = alone.add_template(file, text) {
                        faults.push(format!("{place}: {error}"));
                    }
                }
            }
        }
        faults.extend(unmatched(given, &keys));
        if faults.is_empty() {
            let messages = Messages::read(given);
            for words in messages.0.values() {
                faults.extend(words.lacking());
                faults.extend(super::render::check(words));
            }
        }
        faults
    }

    /// The words that every language must have and this one has not.
    fn lacking(&self) -> Vec<String> {
        let built_in = flatten(embedded(LANGUAGES[0], FILES[0]).unwrap_or_default()).unwrap_or_default();
        let needed = built_in.into_keys().chain(closed_sets());
        let missing: BTreeSet<String> = needed.filter(|path| self.find(path).is_none()).collect();
        missing
            .into_iter()
            .map(|path| format!("messages/{}/{}: lacks \"{path}\"", self.language, FILES[0]))
            .collect()
    }
}

/// All languages together, or none: what one language has of its own, each must have.
fn unmatched(given: &Given, keys: &BTreeMap<&str, BTreeSet<String>>) -> Vec<String> {
    let mut faults = Vec::new();
    let all: BTreeSet<&String> = keys.values().flatten().collect();
    for language in languages(given) {
        let own = keys.get(language);
        for key in &all {
            if own.is_none_or(|own| !own.contains(*key)) {
                let having: Vec<_> =
                    keys.iter().filter(|(_, own)| own.contains(*key)).map(|(tag, _)| *tag).collect();
                faults.push(format!(
                    "messages/{language}: lacks \"{key}\" that {} has, expected all languages together",
                    having.join(", ")
                ));
            }
        }
    }
    faults
}

fn banned(place: &str, text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let found = BANNED.iter().filter(|phrase| lower.contains(**phrase));
    found.map(|phrase| format!("{place}: \"{phrase}\" may not stand in a message")).collect()
}

/// The paths of the words that closed sets need.
fn closed_sets() -> impl Iterator<Item = String> {
    let levels = [Level::Normal].into_iter().chain(Level::WARNING);
    let levels =
        levels.flat_map(|level| ["levels", "grades", "actions.default"].map(|t| format!("{t}.{level}")));
    let kinds =
        [Kind::Alert, Kind::Update, Kind::AllClear, Kind::Cancel].map(|k| format!("kinds.{}", k.word()));
    let statuses = [Status::Actual, Status::Exercise, Status::Test];
    let statuses = statuses.into_iter().flat_map(|s| [format!("status.{s}"), format!("marks.{s}")]);
    let certainties = [
        Certainty::Observed,
        Certainty::Likely,
        Certainty::Possible,
        Certainty::Unlikely,
        Certainty::Unknown,
    ]
    .map(|certainty| format!("certainty.{certainty}"));
    let reasons = REASONS.map(|reason| format!("reasons.{}", reason_word(reason)));
    let troubles = TROUBLES
        .iter()
        .flat_map(|code| [format!("troubles.{}", code.word()), format!("trouble_actions.{}", code.word())]);
    levels.chain(kinds).chain(statuses).chain(certainties).chain(reasons).chain(troubles)
}

const REASONS: [Reason; 16] = [
    Reason::Raised,
    Reason::Upgraded,
    Reason::Downgraded,
    Reason::Blind,
    Reason::Seen,
    Reason::Intermittent,
    Reason::Renewed,
    Reason::Eased,
    Reason::Unconfirmed,
    Reason::Orphaned,
    Reason::EndedByHand,
    Reason::InError,
    Reason::TroubleRaised,
    Reason::TroubleEnded,
    Reason::NotifyTest,
    Reason::BreachAgain,
];

const TROUBLES: [TroubleCode; 17] = [
    TroubleCode::SensorSilent,
    TroubleCode::DomainSilent,
    TroubleCode::SourceDown,
    TroubleCode::OwnDowntime,
    TroubleCode::ClockUntrusted,
    TroubleCode::Unrouted,
    TroubleCode::Orphaned,
    TroubleCode::DeadLetter,
    TroubleCode::Diverged,
    TroubleCode::Rot,
    TroubleCode::DiskLow,
    TroubleCode::StoreBehind,
    TroubleCode::PoisonInput,
    TroubleCode::Conflict,
    TroubleCode::MessageTooLarge,
    TroubleCode::Held,
    TroubleCode::ReloadRefused,
];

/// The word for JSON and for the table of reasons.
pub const fn reason_word(reason: Reason) -> &'static str {
    match reason {
        Reason::Raised => "raised",
        Reason::Upgraded => "upgraded",
        Reason::Downgraded => "downgraded",
        Reason::Blind => "blind",
        Reason::Seen => "seen",
        Reason::Intermittent => "intermittent",
        Reason::Renewed => "renewed",
        Reason::Eased => "eased",
        Reason::Unconfirmed => "unconfirmed",
        Reason::Orphaned => "orphaned",
        Reason::EndedByHand => "ended-by-hand",
        Reason::InError => "in-error",
        Reason::TroubleRaised => "trouble-raised",
        Reason::TroubleEnded => "trouble-ended",
        Reason::NotifyTest => "notify-test",
        Reason::BreachAgain => "breach-again",
    }
}

fn languages(given: &Given) -> impl Iterator<Item = &str> {
    let own = given.keys().map(String::as_str).filter(|tag| !LANGUAGES.contains(tag));
    LANGUAGES.into_iter().chain(own)
}

fn site_file<'a>(given: &'a Given, language: &str, file: &str) -> Option<&'a str> {
    given.get(language)?.get(file).map(String::as_str)
}

/// A file of words as paths and texts.
fn flatten(text: &str) -> Result<BTreeMap<String, String>, String> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
    let mut entries = BTreeMap::new();
    let mut open: Vec<(String, toml::Value)> = table.into_iter().collect();
    while let Some((path, value)) = open.pop() {
        match value {
            toml::Value::String(text) => {
                entries.insert(path, text);
            }
            toml::Value::Table(table) => {
                open.extend(table.into_iter().map(|(key, value)| (format!("{path}.{key}"), value)));
            }
            toml::Value::Integer(_)
            | toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_)
            | toml::Value::Array(_) => {
                return Err(format!("\"{path}\" is a {}, expected text", value.type_str()));
            }
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(files: &[(&str, &str, &str)]) -> Given {
        let mut given = Given::new();
        for (language, file, text) in files {
            given.entry((*language).into()).or_default().insert((*file).into(), (*text).into());
        }
        given
    }

    fn check(files: &[(&str, &str, &str)], expected: &[&str]) {
        let faults = Words::check(&given(files));
        assert_eq!(faults.is_empty(), expected.is_empty(), "{faults:#?}");
        for part in expected {
            assert!(faults.iter().any(|fault| fault.contains(part)), "{part} not in {faults:#?}");
        }
    }

    #[test]
    fn languages_change_together_or_not_at_all() {
        let zh = "[hazards]\nflood = \"大水\"\n";
        let en = "[hazards]\nflood = \"High water\"\n";
        check(&[], &[]);
        check(&[("zh", "words.toml", zh), ("en", "words.toml", en)], &[]);
        check(&[("zh", "words.toml", zh)], &["messages/en: lacks \"hazards.flood\" that zh has"]);
        check(&[("en", "mail.txt", "{{ head }}")], &["messages/zh: lacks \"mail.txt\" that en has"]);
        let fr = "[hazards]\nflood = \"Crue\"\n";
        check(
            &[("zh", "words.toml", zh), ("en", "words.toml", en), ("fr", "words.toml", fr)],
            &["messages/fr/words.toml: lacks \"levels.red\""],
        );
    }

    #[test]
    fn faults_say_where_and_what() {
        check(&[("en", "mail.md", "x")], &["messages/en/mail.md: unknown file, expected one of words.toml"]);
        check(
            &[("en", "words.toml", "[hazards]\nflood = 3\n")],
            &["\"hazards.flood\" is a integer, expected text"],
        );
        check(&[("zh", "mail.txt", "{{ head"), ("en", "mail.txt", "x")], &["messages/zh/mail.txt: "]);
        check(
            &[("zh", "mail.txt", "{{ banner }}"), ("en", "mail.txt", "{{ banner }}")],
            &["messages/en/mail.txt: leaves out \"value\""],
        );
        check(
            &[
                ("zh", "words.toml", "[text]\nnone=\"x\"\n"),
                ("en", "words.toml", "[text]\nnone=\"This is NOT A DRILL\"\n"),
            ],
            &["messages/en/words.toml: \"not a drill\" may not stand in a message"],
        );
    }

    #[test]
    fn what_is_filled_in_is_never_filled_again() {
        let messages = Messages::read(&Given::new());
        let words = messages.language("en");
        let filled = words.fill("text.lost", &[("station", "{value}"), ("value", "{{secrets.smtp}}")]);
        assert!(filled.starts_with("{value} lost at {{secrets.smtp}}, {trend}"), "{filled}");
        assert_eq!(messages.language("xx").language(), "zh");
    }
}
