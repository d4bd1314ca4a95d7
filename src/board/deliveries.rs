//! What is on its way to people, what did not reach them, and what did.

use minijinja::{Value, context};

use super::voice::Voice;
use super::{Draft, PAGE_ROWS, Scene};
use crate::channels::show;
use crate::channels::words::Words;
use crate::state::{DeliveryRow, DeliveryState};

/// Digits of a digest's key that tell it from others in a list.
const DIGEST_DIGITS: usize = 8;

/// Deliveries by how they stand.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    /// Without an outcome, oldest first.
    pub waiting: Vec<DeliveryRow>,
    /// Given up, newest first.
    pub dead: Vec<DeliveryRow>,
    /// Of the newest warnings, newest first.
    pub recent: Vec<DeliveryRow>,
}

/// Draws them; a list that has one more than is shown has further ones.
pub fn draw(scene: &Scene<'_>, shown: &Shown, words: &Words) -> Draft {
    let voice = Voice::of(scene, words);
    let rows = |rows: &[DeliveryRow]| -> Vec<Value> {
        rows.iter().take(PAGE_ROWS).map(|row| delivery(&voice, row)).collect()
    };
    let content = context! {
        waiting => rows(&shown.waiting),
        waiting_more => shown.waiting.len() > PAGE_ROWS,
        dead => rows(&shown.dead),
        dead_more => shown.dead.len() > PAGE_ROWS,
        recent => rows(&shown.recent),
    };
    Draft { template: "deliveries.html", content }
}

/// One delivery as lists show it.
pub(super) fn delivery(voice: &Voice<'_>, row: &DeliveryRow) -> Value {
    let (state, why, symbol) = match row.state {
        DeliveryState::Queued => ("queued", None, "…"),
        DeliveryState::Accepted => ("accepted", None, "✓"),
        DeliveryState::Superseded => ("superseded", None, "↷"),
        DeliveryState::Dead(death) => ("dead", Some(death.word()), "✕"),
    };
    context! {
        key => row.key.to_string(),
        href => super::warnings::path(&row.warning),
        number => row.number,
        round => row.round,
        who => voice.target(row.target),
        state => state,
        symbol => symbol,
        state_name => voice.word(&format!("delivery.{state}")),
        why => why.map(|why| voice.word(&format!("death.{why}"))),
        attempts => row.attempts,
        digest => row.digest.map(|key| key.to_string()[..DIGEST_DIGITS].to_owned()),
        note => row.note.as_ref().map(|(at, words)| context! {
            at => voice.time(*at), words => show::clean(words),
        }),
    }
}
