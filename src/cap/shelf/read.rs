//! What stands on the shelf, for whoever may read it.

use forewarn_core::ids::{AreaIx, Key};
use forewarn_core::level::Level;
use forewarn_core::time::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Result, Shelf, level};
use crate::cap::Earlier;
use crate::cap::alert::{Reference, Time};

/// Who reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readers {
    /// Anybody: what was published as public.
    Everybody,
    /// Somebody whose role holds in these areas, and what was public; `None` is everywhere.
    Holder(Option<Vec<AreaIx>>),
}

/// A published alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The alert.
    pub body: String,
    /// When it was sent, civil time.
    pub sent: Timestamp,
    /// Whether it was published for everybody.
    pub public: bool,
    /// Where it is about.
    pub areas: Vec<AreaIx>,
}

/// A published alert as a feed lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Of the alert.
    pub identifier: String,
    /// Of the warning, as its name outside.
    pub warning: Key,
    /// Which revision.
    pub number: u32,
    /// When it was sent, civil time.
    pub sent: Timestamp,
    /// CAP's word.
    pub status: String,
    /// CAP's word.
    pub kind: String,
    /// The level now.
    pub level: Level,
    /// Its headlines.
    pub title: String,
    /// What to do.
    pub summary: String,
    /// Where in the log.
    place: (i64, u32),
}

/// A warning whose newest alert was withheld, while it would hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withheld {
    /// The warning, as its name outside.
    pub warning: Key,
    /// Which revision.
    pub number: u32,
    /// Why, in words.
    pub why: String,
}

// The newest of a warning is the one put here last, which `rowid` says. Numbers do not: a log that
// lost its end gives them out anew, to revisions that replace those it lost.
const LISTED: &str =
    "SELECT identifier, warning, number, sent, status, kind, level, title, summary, position,
                          ordinal FROM alerts a WHERE fault IS NULL";

fn listed(row: &Row<'_>) -> rusqlite::Result<Listed> {
    Ok(Listed {
        identifier: row.get(0)?,
        warning: Key(row.get(1)?),
        number: row.get(2)?,
        sent: Timestamp(row.get(3)?),
        status: row.get(4)?,
        kind: row.get(5)?,
        level: level(row.get(6)?),
        title: row.get(7)?,
        summary: row.get(8)?,
        place: (row.get(9)?, row.get(10)?),
    })
}

impl Readers {
    /// The condition on a row, with its one value.
    fn condition(&self) -> (&'static str, Value) {
        match self {
            Readers::Everybody => ("public = ?1", 1.into()),
            Readers::Holder(None) => ("?1", 1.into()),
            Readers::Holder(Some(areas)) => {
                let areas: Vec<u32> = areas.iter().map(|area| area.0).collect();
                // What everybody was told is no secret in any area.
                let within = "(public = 1 OR EXISTS (SELECT 1 FROM json_each(a.areas) own
                                  JOIN json_each(?1) may ON own.value = may.value))";
                (within, serde_json::to_string(&areas).unwrap_or_default().into())
            }
        }
    }
}

/// The alerts that were published of a warning, oldest first.
pub(super) fn earlier(connection: &Connection, warning: Key) -> Result<Vec<Earlier>> {
    let select = "SELECT sender, identifier, sent, sent_text, expires FROM alerts
                  WHERE warning = ?1 AND fault IS NULL ORDER BY rowid";
    let mut statement = connection.prepare_cached(select)?;
    let read = |row: &Row<'_>| {
        let sent = Time { at: Timestamp(row.get(2)?), text: row.get(3)? };
        let reference = Reference { sender: row.get(0)?, identifier: row.get(1)?, sent };
        Ok(Earlier { reference, expires: Timestamp(row.get(4)?) })
    };
    Ok(statement.query_map([warning.0], read)?.collect::<rusqlite::Result<_>>()?)
}

impl Shelf {
    /// The alert of one revision, or of the newest that was published.
    pub fn published(&self, warning: Key, number: Option<u32>) -> Result<Option<Published>> {
        let select = "SELECT body, sent, public, areas FROM alerts
                      WHERE warning = ?1 AND fault IS NULL AND (?2 IS NULL OR number = ?2)
                      ORDER BY rowid DESC LIMIT 1";
        let read = |row: &Row<'_>| {
            let areas: String = row.get(3)?;
            Ok(Published {
                body: row.get(0)?,
                sent: Timestamp(row.get(1)?),
                public: row.get(2)?,
                areas: super::areas(&areas),
            })
        };
        Ok(self.lock().prepare_cached(select)?.query_row(params![warning.0, number], read).optional()?)
    }

    /// The newest alert of each warning that holds at `now`, of so many the
    /// highest, and the last ones of all; newest first.
    pub fn listed(
        &self,
        readers: &Readers,
        now: Timestamp,
        standing: usize,
        recent: usize,
    ) -> Result<Vec<Listed>> {
        let (condition, value) = readers.condition();
        let stands = format!(
            "{LISTED} AND {condition} AND last = 0 AND expires > ?2
                 AND a.rowid = (SELECT max(b.rowid) FROM alerts b WHERE b.warning = a.warning AND b.fault IS NULL)
             ORDER BY level DESC, position DESC, ordinal DESC LIMIT ?3"
        );
        let newest = format!("{LISTED} AND {condition} ORDER BY position DESC, ordinal DESC LIMIT ?2");
        let connection = self.lock();
        let mut statement = connection.prepare_cached(&stands)?;
        let rows = statement.query_map(params![value, now.0, standing as i64], listed)?;
        let mut found: Vec<Listed> = rows.collect::<rusqlite::Result<_>>()?;
        let mut statement = connection.prepare_cached(&newest)?;
        let rows = statement.query_map(params![value, recent as i64], listed)?;
        found.extend(rows.collect::<rusqlite::Result<Vec<_>>>()?);
        found.sort_by_key(|it| std::cmp::Reverse((it.sent, it.place)));
        found.dedup_by(|one, other| one.identifier == other.identifier);
        Ok(found)
    }

    /// The warnings whose newest revision was withheld and would hold at `now`, oldest first.
    pub fn withheld(&self, now: Timestamp) -> Result<Vec<Withheld>> {
        let select = "SELECT warning, number, fault FROM alerts a WHERE fault IS NOT NULL AND expires > ?1
                          AND a.rowid = (SELECT max(b.rowid) FROM alerts b WHERE b.warning = a.warning)
                      ORDER BY position, ordinal";
        let connection = self.lock();
        let mut statement = connection.prepare_cached(select)?;
        let read =
            |row: &Row<'_>| Ok(Withheld { warning: Key(row.get(0)?), number: row.get(1)?, why: row.get(2)? });
        Ok(statement.query_map([now.0], read)?.collect::<rusqlite::Result<_>>()?)
    }
}
