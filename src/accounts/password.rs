//! Passwords: argon2id with the parameters that its crate recommends (19 MiB,
//! two passes: OWASP's first choice of 2024).

use std::sync::OnceLock;

use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};

use super::{AccountsError, Result};

/// Shorter ones are refused (NIST SP 800-63B asks for 8, and 15 where nothing
/// else is asked for; lockout makes 12 enough).
pub const PASSWORD_CHARS_MIN: usize = 12;

/// Longer ones are refused: hashing is bounded work.
const PASSWORD_BYTES_MAX: usize = 1024;

/// Hashes a new password, or says why it will not do.
pub(super) fn hash(password: &str, name: &str) -> Result<String> {
    let chars = password.chars().count();
    if chars < PASSWORD_CHARS_MIN {
        let why = format!("the password has {chars} characters, expected at least {PASSWORD_CHARS_MIN}");
        return Err(AccountsError::refused(why));
    }
    if password.len() > PASSWORD_BYTES_MAX {
        let why = format!("the password has more than {PASSWORD_BYTES_MAX} bytes");
        return Err(AccountsError::refused(why));
    }
    let first = password.chars().next();
    if password.to_lowercase().contains(&name.to_lowercase()) || password.chars().all(|it| Some(it) == first)
    {
        let why = "the password is the account's name or one character, expected one nobody guesses";
        return Err(AccountsError::refused(why));
    }
    hashed(password)
}

fn hashed(password: &str) -> Result<String> {
    let hash = Argon2::default().hash_password(password.as_bytes()).map_err(|_| AccountsError::Hash)?;
    Ok(hash.to_string())
}

/// What is hashed against where there is no account.
static NOBODYS: OnceLock<Option<String>> = OnceLock::new();

/// Whether the password is the one. Where there is no account it costs the same
/// time, so that names cannot be told apart by it.
pub(super) fn matches(kept: Option<&str>, password: &str) -> Result<bool> {
    if password.len() > PASSWORD_BYTES_MAX {
        return Ok(false);
    }
    let nobodys = || NOBODYS.get_or_init(|| hashed("the password of nobody").ok()).as_deref();
    let hash = kept.or_else(nobodys).ok_or(AccountsError::Hash)?;
    let same = Argon2::default().verify_password(password.as_bytes(), hash).is_ok();
    Ok(same && kept.is_some())
}
