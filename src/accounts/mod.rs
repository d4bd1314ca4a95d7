//! Who may look and who may command: accounts of people, tokens of machines,
//! and sessions of browsers, in a file of their own beside the log.
//!
//! No secret stands in it: passwords as argon2id, everything drawn by us as the
//! SHA-256 of 256 random bits. Nothing here judges by itself what somebody may
//! do: it says who they are, and `forewarn_core::authority` decides.
//!
//! Every call blocks on the disk. The command line changes the same file beside
//! the running service, which asks it at every request: what was revoked is
//! revoked at once.

mod first;
mod lockout;
mod password;
mod people;
mod reach;
mod schema;
mod secrets;
mod sessions;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests;
mod tokens;

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use forewarn_core::authority::{Authority, Role};
use forewarn_core::plan::Plan;
use rusqlite::Connection;

pub use first::FIRST_LASTS;
pub use lockout::{Lockout, Wait};
pub use password::PASSWORD_CHARS_MIN;
pub use people::{Account, NAME_CHARS_MAX};
pub use reach::Reach;
pub use sessions::SESSION_IDLE_MAX;
pub use tokens::{MARK, TOKENS_LAST_MAX, Token};

/// The file's name in the data directory.
pub const FILE: &str = "accounts.db";

/// Accounts at most; nobody needs more, and lists stay short.
pub const ACCOUNTS_MAX: usize = 10_000;

/// The accounts of one data directory.
pub struct Accounts {
    connection: Mutex<Connection>,
}

/// Who is there, and what they are trusted with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Opaque id of the account or token: what the log may hold.
    pub id: String,
    /// As people call it.
    pub name: String,
    /// What it is trusted with.
    pub role: Role,
    /// Where.
    pub reach: Reach,
}

impl Holder {
    /// Role and reach in the words of the engine, by the plan in force.
    pub fn authority(&self, plan: &Plan) -> Authority {
        Authority { role: self.role, scope: self.reach.scope(plan) }
    }
}

/// Why something about accounts was not done.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    /// The file could not be read or written.
    #[error("{FILE}: {0}")]
    Database(#[from] rusqlite::Error),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(#[from] getrandom::Error),
    /// The file could not be made.
    #[error("{FILE}: {0}")]
    Io(#[from] std::io::Error),
    /// It is of a later release.
    #[error("{FILE} has form {0}, expected one up to {expected}: it was written by a later release", expected = schema::FORM)]
    Form(i64),
    /// A password could not be hashed or read.
    #[error("a password's hash cannot be made or read")]
    Hash,
    /// What was asked cannot be done.
    #[error("{0}")]
    Refused(String),
}

impl AccountsError {
    fn refused(why: impl Into<String>) -> Self {
        AccountsError::Refused(why.into())
    }
}

type Result<T, E = AccountsError> = std::result::Result<T, E>;

impl Accounts {
    /// Opens the file of a data directory, or makes it, for its owner alone.
    pub fn open(data: &Path) -> Result<Accounts> {
        Ok(Accounts { connection: Mutex::new(schema::open(&data.join(FILE))?) })
    }

    /// None, and none can be made: for tests of rooms that need no account.
    #[doc(hidden)]
    pub fn in_memory() -> Result<Accounts> {
        Ok(Accounts { connection: Mutex::new(schema::in_memory()?) })
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // Every change is a transaction, so that a panic leaves nothing half done.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Accounts(…)")
    }
}

/// Takes out of the copy of a data directory, where it has accounts, what is
/// good at its original alone: sessions, and the token for the first administrator.
pub fn forget_sessions(copy: &Path) -> Result<()> {
    let path = copy.join(FILE);
    if path.exists() {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        Connection::open(&path)?.execute_batch("DELETE FROM sessions; DELETE FROM first; VACUUM")?;
    }
    Ok(())
}
