//! Pages of rows, newest first: each goes on from the last row of the one before.

use std::fmt::Write as _;

use forewarn_core::ids::{AreaIx, HazardIx, Key, Position};
use forewarn_core::level::{Level, Status};
use forewarn_core::warning::Revision;
use rusqlite::{Row, params, types::Value};

use super::reader::{DELIVERY, Read, StateReader, delivery, quarantined};
use super::rows::{DeliveryRow, QuarantineRow, WarningRow};

/// Which warnings.
#[derive(Debug, Clone, Default)]
pub struct WarningsAsked {
    /// About incidents in these areas; `None` is all, and what is about the service as well.
    pub areas: Option<Vec<AreaIx>>,
    /// Of this hazard.
    pub hazard: Option<HazardIx>,
    /// Those that have ended, or those that have not.
    pub ended: Option<bool>,
    /// At this level or above.
    pub level: Option<Level>,
    /// Of this status.
    pub status: Option<Status>,
    /// After the row with this place.
    pub after: Option<WarningPlace>,
    /// How many at most.
    pub limit: usize,
}

/// Where a warning stands in the order of its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WarningPlace {
    /// Of its newest revision in the log.
    pub position: i64,
    /// Its id as a blob.
    pub id: [u8; 36],
}

/// Which deliveries.
#[derive(Debug, Clone, Default)]
pub struct DeliveriesAsked {
    /// Of warnings in these areas; `None` is all.
    pub areas: Option<Vec<AreaIx>>,
    /// In this state: `queued`, `accepted`, `superseded`, `dead`.
    pub state: Option<&'static str>,
    /// After the row with this place.
    pub after: Option<DeliveryPlace>,
    /// How many at most.
    pub limit: usize,
}

/// Where a delivery stands: position, ordinal, target, round.
pub type DeliveryPlace = (i64, i64, i64, i64);

impl StateReader {
    /// Warnings in the order of their newest revision, and where each stands.
    pub fn warnings_page(&self, asked: &WarningsAsked) -> Read<Vec<(WarningRow, WarningPlace)>> {
        let mut filter = Filter::new(asked.areas.as_deref(), "w.area");
        filter.and_if("w.hazard =", asked.hazard.map(|hazard| i64::from(hazard.0).into()));
        filter.and_if("w.ended =", asked.ended.map(|ended| i64::from(ended).into()));
        filter.and_if("w.level >=", asked.level.map(|level| (level.index() as i64).into()));
        filter.and_if("w.status =", asked.status.map(|status| status.word().to_owned().into()));
        if let Some(WarningPlace { position, id }) = asked.after {
            filter.after("(w.position, w.id)", vec![position.into(), id.to_vec().into()]);
        }
        let select = format!(
            "SELECT w.digest, w.ended, r.body, w.position, w.id FROM warnings w
             JOIN revisions r ON r.warning = w.id AND r.number = w.number
             WHERE {} ORDER BY w.position DESC, w.id DESC LIMIT {}",
            filter.words, asked.limit
        );
        let values = rusqlite::params_from_iter(filter.values);
        let read = |row: &Row<'_>| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                WarningPlace { position: row.get(3)?, id: row.get(4)? },
            ))
        };
        let rows: Vec<([u8; 16], bool, Vec<u8>, WarningPlace)> =
            self.rows(&self.lock(), &select, values, read)?;
        let row = |(digest, ended, body, place): &([u8; 16], bool, Vec<u8>, WarningPlace)| {
            let row = WarningRow { newest: self.decode(body)?, digest: Key(*digest), ended: *ended };
            Ok((row, *place))
        };
        rows.iter().map(row).collect()
    }

    /// Deliveries in the order of their release, and where each stands.
    pub fn deliveries_page(&self, asked: &DeliveriesAsked) -> Read<Vec<(DeliveryRow, DeliveryPlace)>> {
        let mut filter = Filter::new(asked.areas.as_deref(), "w.area");
        filter.and_if("d.state =", asked.state.map(|state| state.to_owned().into()));
        if let Some((position, ordinal, target, round)) = asked.after {
            let place = [position, ordinal, target, round].map(Value::from).to_vec();
            filter.after("(d.position, d.ordinal, d.target, d.round)", place);
        }
        let (columns, from) = DELIVERY.split_once("FROM deliveries d").unwrap_or((DELIVERY, ""));
        let select = format!(
            "{columns}, d.position, d.ordinal FROM deliveries d JOIN warnings w ON w.id = d.warning {from}
             WHERE {} ORDER BY d.position DESC, d.ordinal DESC, d.target DESC, d.round DESC LIMIT {}",
            filter.words, asked.limit
        );
        let values = rusqlite::params_from_iter(filter.values);
        self.rows(&self.lock(), &select, values, |row| {
            let found = delivery(row)?;
            let place = (row.get(12)?, row.get(13)?, i64::from(found.target.0), i64::from(found.round));
            Ok((found, place))
        })
    }

    /// The warning that a delivery belongs to; `None` for no such delivery.
    pub fn delivery_warning(&self, key: Key) -> Read<Option<Key>> {
        let select = "SELECT w.digest FROM deliveries d JOIN warnings w ON w.id = d.warning WHERE d.key = ?1";
        Ok(self.rows(&self.lock(), select, [key.0], |row| row.get(0))?.pop().map(Key))
    }

    /// The areas that a warning is about; `None` for no such warning, and none
    /// where it is about the service.
    pub fn warning_areas(&self, digest: Key) -> Read<Option<Vec<AreaIx>>> {
        let select = "SELECT r.body FROM warnings w
                      JOIN revisions r ON r.warning = w.id AND r.number = w.number WHERE w.digest = ?1";
        let bodies: Vec<Vec<u8>> = self.rows(&self.lock(), select, [digest.0], |row| row.get(0))?;
        let Some(body) = bodies.first() else { return Ok(None) };
        let newest: Revision = self.decode(body)?;
        Ok(Some(newest.about.cells().into_iter().map(|cell| cell.area).collect()))
    }

    /// Revisions of warnings after one in the log, oldest first.
    pub fn revisions_after(&self, position: Position, ordinal: u32, limit: usize) -> Read<Vec<Revision>> {
        // A warning stands at the end of the record that revised it last: none before can have news.
        let select = "SELECT r.body FROM warnings w JOIN revisions r ON r.warning = w.id
                      WHERE w.ended IN (0, 1) AND w.position >= ?1 AND (r.position, r.ordinal) > (?1, ?2)
                      ORDER BY r.position, r.ordinal LIMIT ?3";
        let values = params![position.0 as i64, ordinal, limit as i64];
        let bodies: Vec<Vec<u8>> = self.rows(&self.lock(), select, values, |row| row.get(0))?;
        bodies.iter().map(|body| self.decode(body)).collect()
    }

    /// What was not understood, newest first, from before `before`.
    pub fn quarantine_page(&self, before: Option<i64>, limit: usize) -> Read<Vec<QuarantineRow>> {
        let select = "SELECT id, position, source, topic, bytes, reason, received FROM quarantine
                      WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
        let values = params![before.unwrap_or(i64::MAX), limit as i64];
        self.rows(&self.lock(), select, values, quarantined)
    }
}

/// Conditions that all hold, with their values.
struct Filter {
    words: String,
    values: Vec<Value>,
}

impl Filter {
    /// In some of these areas. They are numbers, so that they can stand in the words.
    fn new(areas: Option<&[AreaIx]>, column: &str) -> Filter {
        let words = match areas {
            None => "1".to_owned(),
            Some(areas) => {
                let areas: Vec<String> = areas.iter().map(|area| area.0.to_string()).collect();
                format!("{column} IN ({})", areas.join(", "))
            }
        };
        Filter { words, values: vec![] }
    }

    fn and_if(&mut self, condition: &str, value: Option<Value>) {
        let Some(value) = value else { return };
        self.values.push(value);
        // Writing into a String cannot fail.
        let _ = write!(self.words, " AND {condition} ?{}", self.values.len());
    }

    /// Beyond a row in falling order.
    fn after(&mut self, columns: &str, place: Vec<Value>) {
        let first = self.values.len() + 1;
        let marks: Vec<String> = (first..first + place.len()).map(|nth| format!("?{nth}")).collect();
        let _ = write!(self.words, " AND {columns} < ({})", marks.join(", "));
        self.values.extend(place);
    }
}
