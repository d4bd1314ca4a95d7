//! A member of a family among the keys of a table: its own keys are read by
//! serde, whose errors are told as all others are.

use super::table::{At, Reader};
use super::words::Text;
use crate::config::fault::{Fault, list, nearest, quote};

/// What a family made of its member's own keys, its error told with its line.
pub(crate) fn member<T>(
    read: Option<Result<T, toml::de::Error>>,
    kind: &At<Text>,
    (key, kinds): (&str, &[(&str, &str)]),
    path: &str,
    line: u32,
    reader: &mut Reader<'_>,
) -> Option<T> {
    let error = match read {
        Some(Ok(member)) => return Some(member),
        Some(Err(error)) => error,
        None => {
            let names = || kinds.iter().map(|(name, _)| *name);
            let what = format!("{path}.{key} is {}", quote(&kind.value.0));
            let fault = Fault::new(reader.place(kind.line), what, format!("one of {}", list(names())));
            reader.fault(fault.nearest(&kind.value.0, names()));
            return None;
        }
    };
    let line = error.span().map_or(line, |span| reader.line(span.start));
    let example = kinds.iter().find(|(name, _)| *name == kind.value.0).map_or("", |(_, example)| example);
    let as_in = format!("its keys as in {example}");
    let (what, expected) = match error.message().split_once(", expected ") {
        Some(halves) => halves,
        None => match error.message().strip_suffix(", there are no fields") {
            Some(what) => (what, "no key of its own"),
            None => match error.message().strip_prefix("expected ") {
                Some(expected) => ("a value cannot be read", expected),
                None => (error.message(), as_in.as_str()),
            },
        },
    };
    let what = format!("{path} ({key} {}): {}", quote(&kind.value.0), plain(what));
    let mut fault = Fault::new(reader.place(line), what, plain(expected));
    // serde names an unknown field and those that would do, all in backquotes.
    let mut words = error.message().split('`').skip(1).step_by(2);
    if let Some(word) = words.next()
        && error.message().starts_with("unknown")
        && let Some(near) = nearest(word, words)
    {
        fault = fault.hint(format!("did you mean {}?", quote(near)));
    }
    reader.fault(fault);
    None
}

/// The words of serde as people know them.
fn plain(words: &str) -> String {
    [
        ("invalid type: integer", "a value is the whole number"),
        ("invalid type: floating point", "a value is the number"),
        ("invalid type: boolean", "a value is"),
        ("invalid type: string", "a value is the text"),
        ("invalid type: map", "a value is a table"),
        ("invalid type: sequence", "a value is a list"),
        ("a sequence", "a list"),
        ("a map", "a table"),
        ("a boolean", "true or false"),
        ("a string", "text in quotation marks"),
        ("`", "\""),
    ]
    .into_iter()
    .fold(words.to_owned(), |words, (theirs, ours)| words.replace(theirs, ours))
}
