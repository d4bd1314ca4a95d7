//! What changes on the shelf, all that was made of some revisions at once.

use forewarn_core::ids::Key;
use forewarn_core::warning::Revision;
use rusqlite::{Transaction, params};

use super::{ALERTS_BYTES_MAX, ALERTS_MAX, Made, Place, Result, Shelf, read, schema};
use crate::cap::alert::{Alert, Scope};
use crate::cap::{Earlier, check, xml};

/// The shelf while something is put on it: nobody reads it meanwhile, and all of it
/// comes to stand there, or nothing. A storm makes ten thousand alerts; what a
/// transaction costs, and the look whether the oldest must go, is paid for many together.
#[derive(Debug)]
pub struct Change<'a> {
    transaction: Transaction<'a>,
}

impl Shelf {
    /// Changes what stands here; where `make` fails, nothing changes.
    pub fn change<T>(&self, make: impl FnOnce(&Change<'_>) -> Result<T>) -> Result<T> {
        let mut connection = self.lock();
        let change = Change { transaction: connection.transaction()? };
        let made = make(&change)?;
        schema::trim(&change.transaction, ALERTS_MAX, ALERTS_BYTES_MAX)?;
        change.transaction.commit()?;
        Ok(made)
    }
}

impl Change<'_> {
    /// The alerts that were published of a warning, oldest first, as later ones refer to them.
    pub fn earlier(&self, warning: Key) -> Result<Vec<Earlier>> {
        read::earlier(&self.transaction, warning)
    }

    /// Keeps the alert of a revision, if it is a sound one; and else that it is not.
    pub fn put(&self, alert: &Alert, revision: &Revision) -> Result<Made> {
        let made = match check::check(alert) {
            Ok(()) => Made::Published,
            Err(unsound) => Made::Withheld(unsound),
        };
        self.insert(alert, revision, &made)?;
        Ok(made)
    }

    /// A warning that nothing was published of is over: what was withheld of it holds no longer.
    pub fn over(&self, warning: Key) -> Result<()> {
        let delete = "DELETE FROM alerts WHERE warning = ?1 AND fault IS NOT NULL";
        self.transaction.prepare_cached(delete)?.execute([warning.0])?;
        Ok(())
    }

    /// Notes that all revisions up to a place have been looked at.
    pub fn pass(&self, place: Place) -> Result<()> {
        schema::pass(&self.transaction, place)
    }

    fn insert(&self, alert: &Alert, revision: &Revision, made: &Made) -> Result<()> {
        let (body, fault) = match made {
            Made::Published => (Some(xml::xml(alert)), None),
            Made::Withheld(unsound) => (None, Some(unsound.words())),
        };
        let areas: Vec<u32> = revision.about.cells().iter().map(|cell| cell.area.0).collect();
        let headlines: Vec<&str> = alert.infos.iter().map(|info| info.headline.as_str()).collect();
        let instructions: Vec<&str> = alert.infos.iter().map(|info| info.instruction.as_str()).collect();
        let insert = "INSERT OR IGNORE INTO alerts (identifier, warning, number, sender, sent, sent_text, expires,
                          status, kind, public, level, last, areas, title, summary, position, ordinal, bytes, body, fault)
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)";
        self.transaction.prepare_cached(insert)?.execute(params![
            alert.identifier,
            revision.warning.digest().0,
            revision.number,
            alert.sender,
            alert.sent.at.0,
            alert.sent.text,
            revision.expires.0,
            alert.status.word(),
            alert.kind.word(),
            alert.scope == Scope::Public,
            revision.level.index() as i64,
            revision.kind.is_last(),
            serde_json::to_string(&areas).unwrap_or_default(),
            headlines.join(" | "),
            instructions.join("\n"),
            revision.id.position.0 as i64,
            revision.id.ordinal,
            body.as_ref().map_or(0, String::len) as i64,
            body,
            fault,
        ])?;
        Ok(())
    }
}
