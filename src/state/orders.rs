//! Drafts, mutes and notes: rows of one table, whole in their bodies.

use forewarn_core::event::Decision;
use forewarn_core::ids::OutputId;
use forewarn_core::orders::{Draft, Mute, Note};
use rusqlite::{Transaction, params};

use super::StateError;
use super::reader::StateReader;
use super::rows::id_blob;

/// Something that a person ordered.
pub trait OrderRow: for<'b> minicbor::Decode<'b, ()> {
    /// The word of its kind in the table.
    const KIND: &'static str;
}

impl OrderRow for Draft {
    const KIND: &'static str = "draft";
}

impl OrderRow for Mute {
    const KIND: &'static str = "mute";
}

impl OrderRow for Note {
    const KIND: &'static str = "note";
}

/// States of what is not over: such rows are bounded by the engine and never go.
pub(super) const STANDING: &str = "'waiting', 'planned', 'holding'";

/// Whether it added or changed a row.
pub(super) fn apply(
    transaction: &Transaction<'_>,
    decision: &Decision,
    position: i64,
) -> rusqlite::Result<bool> {
    let (kind, id, number, state, warning, body) = match decision {
        Decision::Drafted(it) => {
            (Draft::KIND, it.id, Some(it.number), it.stage.word(), None, minicbor::to_vec(it))
        }
        Decision::Muted(it) => {
            (Mute::KIND, it.id, Some(it.number), it.phase.word(), None, minicbor::to_vec(it))
        }
        Decision::Noted(it) => (Note::KIND, it.id, None, "kept", it.warning, minicbor::to_vec(it)),
        _ => return Ok(false),
    };
    let body = body.expect("encoding into a Vec cannot fail");
    let upsert = "INSERT INTO orders (kind, id, number, state, warning, position, body)
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                  ON CONFLICT (kind, id) DO UPDATE SET state = excluded.state, position = excluded.position,
                      body = excluded.body";
    let blob = |id: OutputId| id_blob(&id);
    transaction.prepare_cached(upsert)?.execute(params![
        kind,
        blob(id),
        number,
        state,
        warning.map(blob),
        position,
        body
    ])?;
    Ok(true)
}

impl StateReader {
    /// Drafts, mutes or notes, newest first.
    pub fn orders<T: OrderRow>(&self, limit: usize) -> Result<Vec<T>, StateError> {
        let select = "SELECT body FROM orders WHERE kind = ?1 ORDER BY position DESC, id DESC LIMIT ?2";
        let rows: Vec<Vec<u8>> =
            self.rows(&self.lock(), select, params![T::KIND, limit as i64], |row| row.get(0))?;
        rows.iter().map(|body| self.decode(body)).collect()
    }

    /// A draft or a mute by its number.
    pub fn order<T: OrderRow>(&self, number: u32) -> Result<Option<T>, StateError> {
        let select = "SELECT body FROM orders WHERE kind = ?1 AND number = ?2";
        let rows: Vec<Vec<u8>> =
            self.rows(&self.lock(), select, params![T::KIND, number], |row| row.get(0))?;
        rows.first().map(|body| self.decode(body)).transpose()
    }
}
