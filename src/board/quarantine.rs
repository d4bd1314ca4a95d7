//! What came in and was not understood: with its bytes and the reason.

use forewarn_core::plan::Plan;
use minijinja::{Value, context};

use super::voice::Voice;
use super::{Draft, PAGE_ROWS, Scene};
use crate::channels::show;
use crate::channels::words::Words;
use crate::state::QuarantineRow;

/// Bytes of a message that are shown; the command line has all of them.
const BYTES_SHOWN: usize = 400;

/// Draws the newest of them; one more than is shown means that there are further ones.
pub fn draw(scene: &Scene<'_>, rows: &[QuarantineRow], words: &Words) -> Draft {
    let voice = Voice::of(scene, words);
    let shown: Vec<Value> = rows.iter().take(PAGE_ROWS).map(|row| message(&voice, row)).collect();
    let content = context! { rows => shown, more => rows.len() > PAGE_ROWS };
    Draft { template: "quarantine.html", content }
}

fn message(voice: &Voice<'_>, row: &QuarantineRow) -> Value {
    context! {
        id => row.id,
        received => voice.time(row.received),
        source => source(voice.plan(), row),
        topic => show::clean(&row.topic),
        reason => show::clean(&row.reason),
        size => row.bytes.len(),
        bytes => printable(&row.bytes[..row.bytes.len().min(BYTES_SHOWN)]),
        cut => row.bytes.len() > BYTES_SHOWN,
    }
}

fn source(plan: &Plan, row: &QuarantineRow) -> String {
    plan.sources
        .get(row.source.index())
        .map_or_else(|| format!("#{}", row.source.0), |name| show::clean(name))
}

/// Text as it is; what is no text, byte by byte.
fn printable(bytes: &[u8]) -> String {
    let is_text =
        std::str::from_utf8(bytes).is_ok_and(|text| !text.chars().any(|c| c.is_control() && c != '\n'));
    if is_text {
        return show::clean(&String::from_utf8_lossy(bytes));
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}
