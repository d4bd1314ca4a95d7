//! The detail of a trouble in the reader's language. Engine and rooms say it in
//! English, and so it stands in the log; the words of every language hold the
//! same sentences under the same paths, and what was filled in is taken over.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use forewarn_core::level::Level;
use forewarn_core::warning::TroubleCode;

use super::naming;
use super::words::{FILES, Words, embedded, flatten};

/// The sentences as they are said, by path.
static SAID: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let words = embedded("en", FILES[0]).and_then(|text| flatten(text).ok()).unwrap_or_default();
    words.into_iter().filter(|(path, _)| path.starts_with("trouble_details.")).collect()
});

/// What was said of a trouble, in the reader's language; as it was said where
/// there is no such sentence: the words of a system or of a configuration's faults.
pub(super) fn told(code: TroubleCode, said: &str, words: &Words) -> String {
    let table = format!("trouble_details.{}.", code.word());
    let of_code = SAID.iter().filter(|(path, _)| path.starts_with(&table));
    let met = of_code.filter_map(|(path, sentence)| Some((path, sentence, blanks(sentence, said)?)));
    // Of two that fit, the one with more words of its own.
    let Some((path, _, blanks)) = met.max_by_key(|(_, sentence, _)| own_length(sentence)) else {
        return said.to_owned();
    };
    let values: Vec<(&str, String)> = blanks
        .into_iter()
        .map(|(name, value)| match (name, Level::parse(value)) {
            ("level", Some(level)) => (name, naming::level_name(level, words)),
            // A part may be a sentence too: why, or the names at its end.
            _ => (name, told(code, value, words)),
        })
        .collect();
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    words.fill(path, &values)
}

/// What stands in the blanks of a sentence; `None` where a text is no such sentence.
fn blanks<'a>(sentence: &'a str, said: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
    let (first, mut sentence) = sentence.split_once('{').unwrap_or((sentence, ""));
    let mut said = said.strip_prefix(first)?;
    let mut blanks = Vec::new();
    while let Some((name, rest)) = sentence.split_once('}') {
        let (between, after) = rest.split_once('{').unwrap_or((rest, ""));
        let value = match (between, after) {
            ("", "") => said,
            (end, "") => said.strip_suffix(end)?,
            (between, _) => said.split_once(between)?.0,
        };
        blanks.push((name, value));
        said = &said[value.len() + between.len()..];
        sentence = after;
    }
    said.is_empty().then_some(blanks)
}

/// How much of a sentence is no blank.
fn own_length(sentence: &str) -> usize {
    let blanks = sentence.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
    sentence.len() - blanks.map(|(name, _)| name.len() + 2).sum::<usize>()
}

#[cfg(test)]
mod tests;
