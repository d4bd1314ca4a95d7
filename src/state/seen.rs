//! Who has seen what: the page of one delivery, read from the projection.

use forewarn_core::ids::{Key, OutputId, TargetIx};
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::warning::{Reach, Reason, Seen};
use rusqlite::{Connection, OptionalExtension, params};

use super::StateError;
use super::reader::{DELIVERY, StateReader, delivery};
use super::rows::{Acknowledgement, DeliveryPage, DeliveryRow, id_blob};

/// What makes an acknowledgement `a` one of its warning as it holds now. As the
/// engine has it: what came before the newest revision that was news, or before
/// the target was asked again, says nothing now.
pub(super) fn holds_now() -> String {
    let news = Reason::NEWS.map(|reason| format!("'{}'", reason.word())).join(", ");
    format!(
        "a.number >= (SELECT coalesce(max(r.number), 0) FROM revisions r
                      WHERE r.warning = a.warning AND r.reason IN ({news}))
         AND NOT EXISTS (SELECT 1 FROM deliveries again WHERE again.warning = a.warning
                         AND again.target = a.target AND again.round > 0 AND again.released > a.position)"
    )
}

/// Who was told, and who of them has it before them, with civil time.
pub type Told = (Vec<TargetIx>, Vec<(TargetIx, Timestamp)>);

impl StateReader {
    /// Who acknowledged a warning, oldest first.
    pub(super) fn acknowledgements(
        &self,
        connection: &Connection,
        warning: [u8; 36],
    ) -> Result<Vec<Acknowledgement>, StateError> {
        let select = "SELECT number, target, at, after, seen_by, seen_of FROM acknowledgements
                      WHERE warning = ?1 ORDER BY position";
        self.rows(connection, select, [warning], |row| {
            let after: Option<i64> = row.get(3)?;
            let reach = match after {
                Some(after) => {
                    Some(Reach { after: Span(after), seen: Seen { by: row.get(4)?, of: row.get(5)? } })
                }
                None => None,
            };
            let target = TargetIx(row.get(1)?);
            Ok(Acknowledgement { number: row.get(0)?, target, at: Timestamp(row.get(2)?), reach })
        })
    }

    /// The page of a delivery; `None` for one that is not known, or no longer.
    pub fn delivery_page(&self, delivery: Key) -> Result<Option<DeliveryPage>, StateError> {
        let connection = self.lock();
        let transaction = connection.unchecked_transaction().map_err(|source| self.fault(source))?;
        let select = "SELECT d.warning, d.target, r.body FROM deliveries d
                      JOIN warnings w ON w.id = d.warning
                      JOIN revisions r ON r.warning = w.id AND r.number = w.number WHERE d.key = ?1";
        let found: Option<([u8; 36], u32, Vec<u8>)> = transaction
            .query_row(select, [delivery.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()
            .map_err(|source| self.fault(source))?;
        let Some((warning, target, body)) = found else { return Ok(None) };
        let (told, acknowledged) = self.told(&transaction, warning)?;
        Ok(Some(DeliveryPage { newest: self.decode(&body)?, target: TargetIx(target), told, acknowledged }))
    }

    /// Everyone who was told of a warning, and those who acknowledged it as it holds now.
    pub fn seen(&self, warning: &OutputId) -> Result<Told, StateError> {
        let connection = self.lock();
        let transaction = connection.unchecked_transaction().map_err(|source| self.fault(source))?;
        self.told(&transaction, id_blob(warning))
    }

    fn told(&self, transaction: &Connection, warning: [u8; 36]) -> Result<Told, StateError> {
        let told = "SELECT DISTINCT target FROM deliveries WHERE warning = ?1 ORDER BY target";
        let told = self.rows(transaction, told, [warning], |row| Ok(TargetIx(row.get(0)?)))?;
        let acknowledged = format!(
            "SELECT a.target, max(a.at) FROM acknowledgements a
             WHERE a.warning = ?1 AND {} GROUP BY a.target ORDER BY a.target",
            holds_now()
        );
        let acknowledged = self.rows(transaction, &acknowledged, params![warning], |row| {
            Ok((TargetIx(row.get(0)?), Timestamp(row.get(1)?)))
        })?;
        Ok((told, acknowledged))
    }

    /// Deliveries of so many of the newest warnings, newest first.
    pub fn recent_deliveries(&self, warnings: usize, limit: usize) -> Result<Vec<DeliveryRow>, StateError> {
        let select = format!(
            "{DELIVERY} WHERE d.warning IN (SELECT id FROM warnings ORDER BY position DESC LIMIT ?1)
             ORDER BY d.position DESC, d.ordinal DESC, d.target, d.round DESC LIMIT ?2"
        );
        self.rows(&self.lock(), &select, [warnings as i64, limit as i64], delivery)
    }
}
