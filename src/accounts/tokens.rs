//! Tokens of machines, and of scripts that people write.

use forewarn_core::authority::Role;
use forewarn_core::time::{Span, Timestamp};
use rusqlite::{OptionalExtension as _, Row, params};

use super::people::{count, holder, sound};
use super::{ACCOUNTS_MAX, Accounts, AccountsError, Holder, Reach, Result, secrets};
use crate::config::secret::Secret;

/// What every token begins with, so that one that leaked is found by a scanner.
pub const MARK: &str = "fw_";

/// How long a token lasts at most.
pub const TOKENS_LAST_MAX: Span = Span::from_hours(24 * 365 * 2);

/// Characters of a token that are shown, so that people can tell which it is.
const PREFIX_CHARS: usize = 9;

/// A token as an administrator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Who, with role and reach.
    pub holder: Holder,
    /// How it begins.
    pub prefix: String,
    /// Civil time it was made.
    pub created: Timestamp,
    /// Civil time from which it opens nothing.
    pub expires: Timestamp,
    /// Civil time it was revoked, if it was.
    pub revoked: Option<Timestamp>,
}

impl Accounts {
    /// Adds a token; its text is shown once and kept nowhere.
    pub fn add_token(
        &self,
        name: &str,
        role: Role,
        reach: &Reach,
        lasts: Span,
        now: Timestamp,
    ) -> Result<(Secret, Token)> {
        let name = sound(name)?;
        if lasts <= Span::ZERO || lasts > TOKENS_LAST_MAX {
            let why =
                format!("it would last {lasts}, expected more than nothing and at most {TOKENS_LAST_MAX}");
            return Err(AccountsError::refused(why));
        }
        let (secret, hash) = secrets::draw(MARK)?;
        let (id, expires) = (secrets::id("token")?, now + lasts);
        let prefix = secret.expose()[..PREFIX_CHARS].to_owned();
        let connection = self.lock();
        if count(&connection, "SELECT count(*) FROM tokens WHERE revoked IS NULL", [])? >= ACCOUNTS_MAX {
            return Err(AccountsError::refused(format!(
                "there are {ACCOUNTS_MAX} tokens, as many as may be"
            )));
        }
        connection.execute(
            "INSERT INTO tokens (id, hash, name, prefix, role, areas, created, expires)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![id, hash, name, prefix, role.word(), reach.column(), now.0, expires.0],
        )?;
        let holder = Holder { id, name: name.to_owned(), role, reach: reach.clone() };
        Ok((secret, Token { holder, prefix, created: now, expires, revoked: None }))
    }

    /// Every token, newest first.
    pub fn tokens(&self) -> Result<Vec<Token>> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT id, name, role, areas, prefix, created, expires, revoked FROM tokens
             ORDER BY created DESC, id",
        )?;
        let token = |row: &Row<'_>| {
            let revoked: Option<i64> = row.get(7)?;
            Ok(Token {
                holder: holder(row)?,
                prefix: row.get(4)?,
                created: Timestamp(row.get(5)?),
                expires: Timestamp(row.get(6)?),
                revoked: revoked.map(Timestamp),
            })
        };
        Ok(statement.query_map([], token)?.collect::<Result<_, _>>()?)
    }

    /// Revokes a token by its id: from now on it opens nothing.
    pub fn revoke_token(&self, id: &str, now: Timestamp) -> Result<()> {
        let rows = self.lock().execute(
            "UPDATE tokens SET revoked = ?2 WHERE id = ?1 AND revoked IS NULL",
            params![id, now.0],
        )?;
        if rows == 1 {
            return Ok(());
        }
        let why = format!("no token that holds has the id {id:?}, expected one that is listed");
        Err(AccountsError::refused(why))
    }

    /// Whose token this is, if it holds.
    pub fn token(&self, text: &str, now: Timestamp) -> Result<Option<Holder>> {
        if !text.starts_with(MARK) {
            return Ok(None);
        }
        let select = "SELECT id, name, role, areas FROM tokens
                      WHERE hash = ?1 AND revoked IS NULL AND expires > ?2";
        let connection = self.lock();
        let mut statement = connection.prepare_cached(select)?;
        Ok(statement.query_row(params![secrets::hash(text), now.0], holder).optional()?)
    }
}
