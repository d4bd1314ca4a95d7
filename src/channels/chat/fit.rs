//! How much of a message a service takes, and what is left out first where it
//! is too long: never the level, the place, the time, what to do or the link.

use serde_json::Value;

use super::segments;

/// What a service takes at most, somewhere in a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bound {
    /// Where, as a JSON pointer; empty is the whole body.
    pub(super) at: String,
    /// How much.
    pub(super) most: Most,
}

/// How much a service takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Most {
    /// Bytes of UTF-8.
    Bytes(usize),
    /// Characters.
    Chars(usize),
    /// Segments of a text message.
    Segments(usize),
}

impl Bound {
    /// Whether a body has anything there to hold it against.
    pub(super) fn is_in(&self, body: &Value) -> bool {
        body.pointer(&self.at).is_some()
    }

    /// Whether a body keeps within it.
    pub(super) fn holds(&self, body: &Value) -> bool {
        let Some(part) = body.pointer(&self.at) else { return true };
        let written = match part {
            Value::String(text) => text.clone(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                part.to_string()
            }
        };
        match self.most {
            Most::Bytes(most) => written.len() <= most,
            Most::Chars(most) => written.chars().count() <= most,
            Most::Segments(most) => segments::segments(&written) <= most,
        }
    }

    /// Writes a text that is counted in segments with signs that do not double them.
    pub(super) fn plain(&self, body: &mut Value) {
        match self.most {
            Most::Bytes(_) | Most::Chars(_) => {}
            Most::Segments(_) => {
                if let Some(Value::String(text)) = body.pointer_mut(&self.at) {
                    *text = segments::plain(text);
                }
            }
        }
    }
}

/// How much of a message is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Detail {
    /// Fields of each revision, the weightiest first.
    pub(super) rows: usize,
    /// Characters of each text but what to do.
    pub(super) text: usize,
    /// Revisions; how many there are is always told.
    pub(super) revisions: usize,
    /// Characters of what to do.
    pub(super) action: usize,
}

impl Detail {
    /// All of it.
    pub(super) const WHOLE: Detail =
        Detail { rows: usize::MAX, text: usize::MAX, revisions: usize::MAX, action: usize::MAX };

    /// From all of it to the least, each a little less than the one before.
    /// Fields go first, then ends of long texts, then further revisions, and
    /// what to do is cut only where nothing else is left.
    pub(super) fn falling() -> impl Iterator<Item = Detail> {
        let rows = [9, 7, 5, 3, FEWEST_ROWS].map(|rows| Detail { rows, ..Detail::WHOLE });
        let last = rows[rows.len() - 1];
        let text = [240, 160, 120, 90, 60, 45, SHORTEST_TEXT].map(|text| Detail { text, ..last });
        let last = text[text.len() - 1];
        let revisions = [16, 8, 4, 2, 1].map(|revisions| Detail { revisions, ..last });
        let last = revisions[revisions.len() - 1];
        let action = [240, 120, 60, SHORTEST_TEXT].map(|action| Detail { action, ..last });
        [Detail::WHOLE].into_iter().chain(rows).chain(text).chain(revisions).chain(action)
    }
}

/// Place and time, which are never left out.
const FEWEST_ROWS: usize = 2;

/// Enough to know a place or a measure by.
const SHORTEST_TEXT: usize = 30;

/// Fields by their weight: the first are told where there is room for few.
const BY_WEIGHT: [&str; 17] = [
    "place",
    "time",
    "value",
    "unknown",
    "trend",
    "since",
    "limit",
    "trouble",
    "subject",
    "detail",
    "over",
    "next",
    "reason",
    "sensors",
    "seen",
    "certainty",
    "datum",
];

/// A field's place by weight; `None` for those that a message tells in another
/// way: as its head, by its mark, by its link.
pub(super) fn weight(key: &str) -> Option<usize> {
    BY_WEIGHT.iter().position(|it| *it == key)
}

/// The beginning of a text, with an ellipsis where there was more.
pub(super) fn clipped(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    kept.trim_end().to_owned() + "…"
}
