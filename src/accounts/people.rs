//! Accounts of people.

use forewarn_core::authority::Role;
use forewarn_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{ACCOUNTS_MAX, Accounts, AccountsError, Holder, Reach, Result, password, secrets};

/// Longer names are refused.
pub const NAME_CHARS_MAX: usize = 64;

/// An account as an administrator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Who, with role and reach.
    pub holder: Holder,
    /// Civil time it was made.
    pub created: Timestamp,
    /// Civil time it was last seen logged in.
    pub seen: Option<Timestamp>,
}

const HOLDER: &str = "a.id, a.name, a.role, a.areas";

/// Reads the four columns of [`HOLDER`].
pub(super) fn holder(row: &Row<'_>) -> rusqlite::Result<Holder> {
    let role: String = row.get(2)?;
    let role = Role::parse(&role).ok_or(rusqlite::Error::InvalidQuery)?;
    Ok(Holder { id: row.get(0)?, name: row.get(1)?, role, reach: Reach::from_column(row.get(3)?) })
}

impl Accounts {
    /// Adds an account, and says what id it got.
    pub fn add(
        &self,
        name: &str,
        role: Role,
        reach: &Reach,
        password: &str,
        now: Timestamp,
    ) -> Result<Holder> {
        let name = sound(name)?;
        let hash = password::hash(password, name)?;
        add(&self.lock(), name, role, reach, &hash, now)
    }

    /// Every account, by name.
    pub fn accounts(&self) -> Result<Vec<Account>> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {HOLDER}, a.created, (SELECT max(s.seen) FROM sessions s WHERE s.account = a.id)
             FROM accounts a ORDER BY a.name"
        ))?;
        let account = |row: &Row<'_>| {
            let seen: Option<i64> = row.get(5)?;
            Ok(Account { holder: holder(row)?, created: Timestamp(row.get(4)?), seen: seen.map(Timestamp) })
        };
        Ok(statement.query_map([], account)?.collect::<Result<_, _>>()?)
    }

    /// Gives an account another role and reach. The last administrator stays one.
    pub fn set_role(&self, name: &str, role: Role, reach: &Reach) -> Result<()> {
        let mut connection = self.lock();
        let change = connection.transaction()?;
        let rows = change.execute(
            "UPDATE accounts SET role = ?2, areas = ?3 WHERE name = ?1",
            params![name, role.word(), reach.column()],
        )?;
        one(name, rows)?;
        keeps_an_administrator(&change)?;
        Ok(change.commit()?)
    }

    /// Gives an account another password, and ends its sessions.
    pub fn reset(&self, name: &str, password: &str) -> Result<()> {
        let hash = password::hash(password, name)?;
        let mut connection = self.lock();
        let change = connection.transaction()?;
        one(name, change.execute("UPDATE accounts SET password = ?2 WHERE name = ?1", params![name, hash])?)?;
        change.execute(
            "DELETE FROM sessions WHERE account = (SELECT id FROM accounts WHERE name = ?1)",
            [name],
        )?;
        Ok(change.commit()?)
    }

    /// Removes an account with its sessions. The last administrator stays.
    pub fn remove(&self, name: &str) -> Result<()> {
        let mut connection = self.lock();
        let change = connection.transaction()?;
        one(name, change.execute("DELETE FROM accounts WHERE name = ?1", [name])?)?;
        keeps_an_administrator(&change)?;
        Ok(change.commit()?)
    }

    /// The account whose name and password these are. Takes its time on purpose.
    pub fn checked(&self, name: &str, password: &str) -> Result<Option<Holder>> {
        let select = format!("SELECT {HOLDER}, a.password FROM accounts a WHERE a.name = ?1");
        let found: Option<(Holder, String)> =
            self.lock().query_row(&select, [name], |row| Ok((holder(row)?, row.get(4)?))).optional()?;
        // Outside the lock: nobody's request waits for another's hash.
        let same = password::matches(found.as_ref().map(|(_, hash)| hash.as_str()), password)?;
        Ok(found.filter(|_| same).map(|(holder, _)| holder))
    }
}

/// A name that can stand in a list and a log line.
pub(super) fn sound(name: &str) -> Result<&str> {
    let name = name.trim();
    let length = name.chars().count();
    if length == 0 || length > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        let why = format!("the name is {name:?}, expected 1 to {NAME_CHARS_MAX} characters");
        return Err(AccountsError::refused(why));
    }
    Ok(name)
}

pub(super) fn add(
    connection: &Connection,
    name: &str,
    role: Role,
    reach: &Reach,
    hash: &str,
    now: Timestamp,
) -> Result<Holder> {
    if count(connection, "SELECT count(*) FROM accounts WHERE name = ?1", [name])? > 0 {
        return Err(AccountsError::refused(format!("there is an account {name:?}, expected another name")));
    }
    if count(connection, "SELECT count(*) FROM accounts", [])? >= ACCOUNTS_MAX {
        return Err(AccountsError::refused(format!("there are {ACCOUNTS_MAX} accounts, as many as may be")));
    }
    let id = secrets::id("person")?;
    connection.execute(
        "INSERT INTO accounts (id, name, role, areas, password, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![id, name, role.word(), reach.column(), hash, now.0],
    )?;
    // From now on there is somebody: the first start is over.
    connection.execute("DELETE FROM first", [])?;
    Ok(Holder { id, name: name.to_owned(), role, reach: reach.clone() })
}

pub(super) fn count<P: rusqlite::Params>(connection: &Connection, select: &str, values: P) -> Result<usize> {
    let count: i64 = connection.query_row(select, values, |row| row.get(0))?;
    Ok(count.unsigned_abs() as usize)
}

/// A change that met no row is a name that nobody has.
fn one(name: &str, rows: usize) -> Result<()> {
    if rows == 1 {
        return Ok(());
    }
    Err(AccountsError::refused(format!("there is no account {name:?}, expected one that is listed")))
}

/// Without one nobody could ever add another.
fn keeps_an_administrator(connection: &Connection) -> Result<()> {
    let left = count(
        connection,
        "SELECT count(*) FROM accounts WHERE role = 'administrator' AND areas IS NULL",
        [],
    )?;
    if left > 0 {
        return Ok(());
    }
    Err(AccountsError::refused("it is the last administrator everywhere, expected another one first"))
}
