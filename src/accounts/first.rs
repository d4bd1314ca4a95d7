//! The first start: no account, no default password, and one token that makes
//! the first administrator.

use forewarn_core::authority::Role;
use forewarn_core::time::{Span, Timestamp};
use rusqlite::{OptionalExtension as _, params};
use subtle::ConstantTimeEq as _;

use super::people::{add, count, sound};
use super::{Accounts, AccountsError, Holder, Reach, Result, password, secrets};
use crate::config::secret::Secret;

/// How long the token of the first start holds.
pub const FIRST_LASTS: Span = Span::from_hours(24);

impl Accounts {
    /// Draws the token that makes the first administrator; `None` once there is
    /// an account. One that was drawn before opens nothing any more.
    pub fn first_token(&self, now: Timestamp) -> Result<Option<Secret>> {
        let mut connection = self.lock();
        let change = connection.transaction()?;
        if count(&change, "SELECT count(*) FROM accounts", [])? > 0 {
            return Ok(None);
        }
        let (secret, hash) = secrets::draw("first_")?;
        change.execute(
            "INSERT OR REPLACE INTO first (one, hash, expires) VALUES (1, ?1, ?2)",
            params![hash, (now + FIRST_LASTS).0],
        )?;
        change.commit()?;
        Ok(Some(secret))
    }

    /// Whether nobody has an account yet.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(count(&self.lock(), "SELECT count(*) FROM accounts", [])? == 0)
    }

    /// Makes the first administrator for whoever has the token; `None` where it
    /// is not the one, or no longer. The token is spent with it, in one change.
    pub fn first_administrator(
        &self,
        token: &str,
        name: &str,
        password: &str,
        now: Timestamp,
    ) -> Result<Option<Holder>> {
        if !self.is_first(token, now)? {
            return Ok(None);
        }
        let name = sound(name)?;
        let hash = password::hash(password, name)?;
        let mut connection = self.lock();
        let change = connection.transaction()?;
        let kept = secrets::hash(token);
        let spent =
            change.execute("DELETE FROM first WHERE hash = ?1 AND expires > ?2", params![kept, now.0])?;
        if spent != 1 || count(&change, "SELECT count(*) FROM accounts", [])? > 0 {
            return Ok(None);
        }
        let holder = add(&change, name, Role::Administrator, &Reach::Everywhere, &hash, now)?;
        change.commit()?;
        Ok(Some(holder))
    }

    fn is_first(&self, token: &str, now: Timestamp) -> Result<bool> {
        let kept: Option<[u8; 32]> = self
            .lock()
            .query_row("SELECT hash FROM first WHERE expires > ?1", [now.0], |row| row.get(0))
            .optional()
            .map_err(AccountsError::from)?;
        Ok(kept.is_some_and(|kept| secrets::hash(token).ct_eq(&kept).into()))
    }
}
