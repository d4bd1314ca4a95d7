//! What is wrong with the words and templates of a site. A language that lacks
//! what another has, a field that a template leaves out, a drill without its
//! mark: refused before anything is sent.

use std::collections::{BTreeMap, BTreeSet};

use forewarn_core::level::{Certainty, Level, Status};
use forewarn_core::warning::{Kind, Reason, TroubleCode};
use minijinja::Environment;

use super::facts::{FIELDS, Facts, Row};
use super::words::{
    FILES, Given, LANGUAGES, MARKING, Messages, Words, denial, embedded, flatten, is_blank, languages,
};

impl Facts {
    /// Made-up ones of a drill, by whose words it is seen what a template leaves out.
    pub(super) fn sample() -> Facts {
        let row = |key| Row { key, label: format!("label-{key}"), text: format!("sample-{key}-text") };
        Facts {
            status: Status::Exercise,
            mark: "sample-mark".into(),
            banner: "sample-banner".into(),
            level: Level::Orange,
            tag: "sample-tag".into(),
            symbol: "◆",
            kind: "sample-kind".into(),
            hazard: "sample-hazard".into(),
            headline: "sample-headline".into(),
            action: "sample-action".into(),
            rows: FIELDS.map(row).into(),
            href: None,
        }
    }
}

impl Words {
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
                        Ok(words) => {
                            faults.extend(blank(&place, &words));
                            keys.entry(language).or_default().extend(words.into_keys());
                        }
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
                faults.extend(lacking(words));
                faults.extend(super::render::check(words));
                faults.extend(super::digest::check(words));
            }
        }
        faults
    }
}

/// The marks of drills and tests that would not be seen. In a message the
/// built-in ones would stand in for them.
fn blank(place: &str, words: &BTreeMap<String, String>) -> impl Iterator<Item = String> {
    let blank = MARKING.into_iter().filter(|path| words.get(*path).is_some_and(|word| is_blank(word)));
    blank.map(move |path| format!("{place}: \"{path}\" has no letter, expected words that nobody overlooks"))
}

/// The words that every language must have and this one has not, and the
/// `{name}`s that a word must fill in and does not.
fn lacking(words: &Words) -> Vec<String> {
    let place = format!("messages/{}/{}", words.language(), FILES[0]);
    let built_in = flatten(embedded(LANGUAGES[0], FILES[0]).unwrap_or_default()).unwrap_or_default();
    let mut faults = Vec::new();
    let needed: BTreeSet<String> = built_in.keys().cloned().chain(closed_sets()).collect();
    for path in needed {
        let Some(word) = words.find(&path) else {
            faults.push(format!("{place}: lacks \"{path}\""));
            continue;
        };
        let (own, meant) = (blanks(word), blanks(built_in.get(&path).map_or("", String::as_str)));
        faults
            .extend(meant.difference(&own).map(|name| format!("{place}: \"{path}\" leaves out {{{name}}}")));
        faults.extend(
            own.difference(&meant)
                .map(|name| format!("{place}: \"{path}\" has {{{name}}}, which nothing fills")),
        );
    }
    faults
}

/// The `{name}`s of a word.
fn blanks(word: &str) -> BTreeSet<&str> {
    word.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0)).collect()
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
    denial(text)
        .into_iter()
        .map(|phrase| format!("{place}: \"{phrase}\" may not stand in a message"))
        .collect()
}

/// The paths of the words that closed sets need.
fn closed_sets() -> impl Iterator<Item = String> {
    let levels = [Level::Normal].into_iter().chain(Level::WARNING);
    let levels =
        levels.flat_map(|level| ["levels", "grades", "actions.default"].map(|t| format!("{t}.{level}")));
    let kinds = [Kind::Alert, Kind::Update, Kind::AllClear, Kind::Cancel];
    let kinds =
        kinds.into_iter().flat_map(|kind| ["kinds", "trouble_kinds"].map(|t| format!("{t}.{}", kind.word())));
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
    let reasons = REASONS.map(|reason| format!("reasons.{}", reason.word()));
    let troubles = TroubleCode::ALL.into_iter().flat_map(|code| {
        ["troubles", "troubles_over", "trouble_actions"].map(|t| format!("{t}.{}", code.word()))
    });
    levels.chain(kinds).chain(statuses).chain(certainties).chain(reasons).chain(troubles)
}

const REASONS: [Reason; 18] = [
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
    Reason::Corrected,
    Reason::Manual,
    Reason::EndsSoon,
];

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
        let copied = LANGUAGES.iter().flat_map(|language| {
            FILES.map(|file| (*language, file, embedded(language, file).expect("a built-in file")))
        });
        check(&copied.collect::<Vec<_>>(), &[]);
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
            &["\"hazards.flood\" is integer, expected text"],
        );
        check(&[("zh", "mail.txt", "{{ head"), ("en", "mail.txt", "x")], &["messages/zh/mail.txt: "]);
        check(
            &[("zh", "mail.txt", "{{ banner }}"), ("en", "mail.txt", "{{ banner }}")],
            &["messages/en/mail.txt: leaves out \"value\""],
        );
        check(
            &[
                ("zh", "words.toml", "[text]\nservice=\"x\"\n"),
                ("en", "words.toml", "[text]\nservice=\"This is NOT A DRILL\"\n"),
            ],
            &["messages/en/words.toml: \"not a drill\" may not stand in a message"],
        );
    }

    #[test]
    fn what_says_that_it_is_no_drill_is_found_at_the_end_of_a_long_file_too() {
        for language in LANGUAGES {
            let long =
                format!("{}<!-- this is not a drill -->", embedded(language, "mail.html").expect("built in"));
            let faults = banned("mail.html", &long);
            assert_eq!(faults, ["mail.html: \"not a drill\" may not stand in a message"]);
        }
    }

    #[test]
    fn a_word_keeps_what_is_filled_in() {
        let word = |text: &str| format!("[text]\nshort_above = \"{text}\"\n");
        let (good, bad) = (word("from {limit} on"), word("high {value}"));
        check(&[("zh", "words.toml", &good), ("en", "words.toml", &good)], &[]);
        check(
            &[("zh", "words.toml", &good), ("en", "words.toml", &bad)],
            &["\"text.short_above\" leaves out {limit}", "has {value}, which nothing fills"],
        );
    }

    #[test]
    fn a_mark_is_never_blank() {
        for path in MARKING {
            for (text, faults) in [("x", None), ("", Some(())), (" \t ", Some(()))] {
                let (table, key) = path.split_once('.').expect("a table and a key");
                let word = format!("[{table}]\n{key} = \"{text}\"\n");
                let expected = format!("messages/en/words.toml: \"{path}\" has no letter, expected");
                let expected: Vec<&str> = faults.iter().map(|()| &*expected).collect();
                check(&[("zh", "words.toml", &word), ("en", "words.toml", &word)], &expected);
            }
        }
    }

    #[test]
    fn nothing_built_in_says_that_it_is_no_drill() {
        for (language, file) in LANGUAGES.iter().flat_map(|language| FILES.map(|file| (*language, file))) {
            let text = embedded(language, file).expect("a built-in file");
            assert_eq!(banned(file, text), Vec::<String>::new());
        }
    }
}
