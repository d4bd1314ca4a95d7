//! Sessions of browsers.

use forewarn_core::time::{Span, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use super::people::holder;
use super::{Accounts, Holder, Result, secrets};
use crate::config::secret::Secret;

/// A session that was not used for so long is over: a shift, and a little more.
pub const SESSION_IDLE_MAX: Span = Span::from_hours(12);

/// That it was seen is written down so often, not at every request.
const SEEN_APART: Span = Span::from_mins(1);

/// Sessions of one account at most; the one unused for longest goes.
const SESSIONS_MAX: i64 = 20;

impl Accounts {
    /// Begins a session of an account; its secret is for a cookie, and kept nowhere.
    pub fn begin_session(&self, account: &str, now: Timestamp) -> Result<Secret> {
        let (secret, hash) = secrets::draw("")?;
        let mut connection = self.lock();
        let change = connection.transaction()?;
        change.execute("DELETE FROM sessions WHERE seen <= ?1", [(now - SESSION_IDLE_MAX).0])?;
        change.execute(
            "INSERT INTO sessions (hash, account, begun, seen) VALUES (?1, ?2, ?3, ?3)",
            params![hash, account, now.0],
        )?;
        change.execute(
            "DELETE FROM sessions WHERE account = ?1 AND hash NOT IN (
                 SELECT hash FROM sessions WHERE account = ?1 ORDER BY seen DESC, begun DESC LIMIT ?2)",
            params![account, SESSIONS_MAX],
        )?;
        change.commit()?;
        Ok(secret)
    }

    /// Whose session this is, if it is not over. Its account is read anew, so
    /// that another role holds at once.
    pub fn session(&self, text: &str, now: Timestamp) -> Result<Option<Holder>> {
        let hash = secrets::hash(text);
        let connection = self.lock();
        let found = connection
            .prepare_cached(
                "SELECT a.id, a.name, a.role, a.areas, s.seen FROM sessions s
                 JOIN accounts a ON a.id = s.account WHERE s.hash = ?1 AND s.seen > ?2",
            )?
            .query_row(params![hash, (now - SESSION_IDLE_MAX).0], |row| {
                Ok((holder(row)?, Timestamp(row.get(4)?)))
            })
            .optional()?;
        let Some((holder, seen)) = found else { return Ok(None) };
        // Ahead of us where the clock was set back: then it idles from now.
        if now - seen >= SEEN_APART || seen > now {
            connection.execute("UPDATE sessions SET seen = ?2 WHERE hash = ?1", params![hash, now.0])?;
        }
        Ok(Some(holder))
    }

    /// Ends a session; one that is over already stays so.
    pub fn end_session(&self, text: &str) -> Result<()> {
        self.lock().execute("DELETE FROM sessions WHERE hash = ?1", [secrets::hash(text)])?;
        Ok(())
    }
}
