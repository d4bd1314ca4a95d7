//! What messages are made of, by language: words and templates. What a site
//! writes of its own stands over the embedded defaults, word by word; all
//! languages together, or none.

use std::collections::BTreeMap;

use minijinja::{Environment, UndefinedBehavior};

use super::show;

/// What a setup holds: language, then file name, then text.
pub type Given = BTreeMap<String, BTreeMap<String, String>>;

/// The files of each language.
pub const FILES: [&str; 8] = [
    "words.toml",
    "subject.txt",
    "mail.txt",
    "mail.html",
    "page.html",
    "digest.txt",
    "digest.html",
    "digest-page.html",
];

/// The languages that are built in, the first being the last resort.
pub const LANGUAGES: [&str; 2] = ["zh", "en"];

/// The words that tell a drill or a test from the real thing: never blank.
pub(super) const MARKING: [&str; 4] = ["marks.Exercise", "marks.Test", "banners.Exercise", "banners.Test"];

/// The built-in text of a file.
#[expect(clippy::match_same_arms, reason = "templates are a language's own, even while two are alike")]
pub fn embedded(language: &str, file: &str) -> Option<&'static str> {
    Some(match (language, file) {
        ("zh", "words.toml") => include_str!("../../config/messages/zh/words.toml"),
        ("zh", "subject.txt") => include_str!("../../config/messages/zh/subject.txt"),
        ("zh", "mail.txt") => include_str!("../../config/messages/zh/mail.txt"),
        ("zh", "mail.html") => include_str!("../../config/messages/zh/mail.html"),
        ("zh", "page.html") => include_str!("../../config/messages/zh/page.html"),
        ("zh", "digest.txt") => include_str!("../../config/messages/zh/digest.txt"),
        ("zh", "digest.html") => include_str!("../../config/messages/zh/digest.html"),
        ("zh", "digest-page.html") => include_str!("../../config/messages/zh/digest-page.html"),
        ("en", "words.toml") => include_str!("../../config/messages/en/words.toml"),
        ("en", "subject.txt") => include_str!("../../config/messages/en/subject.txt"),
        ("en", "mail.txt") => include_str!("../../config/messages/en/mail.txt"),
        ("en", "mail.html") => include_str!("../../config/messages/en/mail.html"),
        ("en", "page.html") => include_str!("../../config/messages/en/page.html"),
        ("en", "digest.txt") => include_str!("../../config/messages/en/digest.txt"),
        ("en", "digest.html") => include_str!("../../config/messages/en/digest.html"),
        ("en", "digest-page.html") => include_str!("../../config/messages/en/digest-page.html"),
        _ => return None,
    })
}

/// Never written, in a drill or out of it: whoever reads it in a drill, or in
/// what one left behind, would act on it.
const DENIALS: [&str; 16] = [
    "not a drill",
    "not an exercise",
    "no drill",
    "isn't a drill",
    "not a test",
    "不是演习",
    "不是演练",
    "不是演習",
    "不是演練",
    "不是一次演",
    "并非演",
    "並非演",
    "非演习",
    "非演练",
    "非演習",
    "非演練",
];

/// What in a text says that it is no drill, if anything does.
pub fn denial(text: &str) -> Option<&'static str> {
    // A file is longer than what is shown of a name.
    let plain = show::clean_whole(text).to_lowercase().replace(['’', '‘'], "'");
    let spaced = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    DENIALS.into_iter().find(|phrase| spaced.contains(phrase))
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
pub struct Messages(pub(super) BTreeMap<String, Words>);

impl Messages {
    /// The tags of all languages there are words in, the last resort first.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        let own = self.0.keys().map(String::as_str).filter(|tag| !LANGUAGES.contains(tag));
        LANGUAGES.into_iter().chain(own)
    }

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
        for path in MARKING {
            if entries.get(path).is_none_or(|word| is_blank(word)) {
                entries.insert(path.to_owned(), built_in(tag, path));
            }
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

    /// The words below a path, each by what follows it.
    pub fn below<'a>(&'a self, path: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let is_below = move |key: &'a str| key.strip_prefix(path)?.strip_prefix('.');
        self.entries.iter().filter_map(move |(key, word)| Some((is_below(key)?, word.as_str())))
    }

    /// A word with its `{name}`s filled in. What is filled in stays as it is:
    /// a `{value}` in a name is text.
    pub fn fill(&self, path: &str, values: &[(&str, &str)]) -> String {
        filled(self.get(path), values)
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
}

/// A word with its `{name}`s filled in; what is filled in stays as it is.
pub(crate) fn filled(word: &str, values: &[(&str, &str)]) -> String {
    let mut rest = word;
    let mut filled = String::with_capacity(rest.len() + 64);
    while let Some(open) = rest.find('{') {
        let (before, after) = rest.split_at(open);
        filled.push_str(before);
        let hit = values.iter().find_map(|(name, value)| {
            Some((value, after.strip_prefix('{')?.strip_prefix(name)?.strip_prefix('}')?))
        });
        if let Some((value, tail)) = hit {
            filled.push_str(value);
            rest = tail;
        } else {
            filled.push('{');
            rest = &after[1..];
        }
    }
    filled.push_str(rest);
    filled
}

/// Whether a reader would see nothing of a word, or nothing that can be read.
pub(super) fn is_blank(word: &str) -> bool {
    !show::clean(word).chars().any(char::is_alphanumeric)
}

/// A built-in word of a language; of the first one where it has none.
fn built_in(tag: &str, path: &str) -> String {
    let text = embedded(tag, FILES[0]).or(embedded(LANGUAGES[0], FILES[0])).unwrap_or_default();
    flatten(text).unwrap_or_default().remove(path).unwrap_or_else(|| path.to_owned())
}

/// The built-in languages, then those of the site's own.
pub(super) fn languages(given: &Given) -> impl Iterator<Item = &str> {
    let own = given.keys().map(String::as_str).filter(|tag| !LANGUAGES.contains(tag));
    LANGUAGES.into_iter().chain(own)
}

fn site_file<'a>(given: &'a Given, language: &str, file: &str) -> Option<&'a str> {
    given.get(language)?.get(file).map(String::as_str)
}

/// A file of words as paths and texts.
pub(super) fn flatten(text: &str) -> Result<BTreeMap<String, String>, String> {
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
                return Err(format!("\"{path}\" is {}, expected text", value.type_str()));
            }
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_in_is_never_filled_again() {
        let messages = Messages::read(&Given::new());
        let words = messages.language("en");
        let filled = words.fill("text.lost", &[("station", "{value}"), ("value", "{{secrets.smtp}}")]);
        assert!(filled.starts_with("{value} lost at {{secrets.smtp}}, {trend}"), "{filled}");
        assert_eq!(messages.language("xx").language(), "zh");
    }
}
