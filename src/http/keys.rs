//! What opens the doors: accounts, and what slows down whoever guesses at them.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::problem::Problem;
use crate::accounts::{Accounts, AccountsError, Lockout};
use crate::ingest::strangers::Strangers;

/// Passwords hashed at once: each takes 19 MiB and a whole core.
const HASHING_MAX: usize = 2;

/// Logins under way at once. One more is asked to come again.
const LOGINS_MAX: usize = 32;

/// Accounts, lockout, and the places of those who log in.
#[derive(Debug)]
pub struct Keys {
    pub(super) accounts: Arc<Accounts>,
    pub(super) lockout: Lockout,
    pub(super) strangers: Strangers,
    waiting: Semaphore,
    hashing: Semaphore,
}

impl Keys {
    /// For the accounts of one data directory.
    pub fn new(accounts: Arc<Accounts>) -> Keys {
        Keys {
            accounts,
            lockout: Lockout::default(),
            strangers: Strangers::default(),
            waiting: Semaphore::new(LOGINS_MAX),
            hashing: Semaphore::new(HASHING_MAX),
        }
    }

    /// Asks the accounts beside the runtime: they wait for a disk.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Accounts) -> Result<T, AccountsError> + Send + 'static,
    ) -> Result<Result<T, AccountsError>, Problem> {
        let accounts = self.accounts.clone();
        match tokio::task::spawn_blocking(move || question(&accounts)).await {
            Ok(Err(error @ AccountsError::Refused(_))) => Ok(Err(error)),
            Ok(Ok(answer)) => Ok(Ok(answer)),
            Ok(Err(error)) => {
                tracing::error!(%error, "accounts cannot be asked");
                Err(Problem::later())
            }
            // It panicked, and its panic was told.
            Err(_) => Err(Problem::later()),
        }
    }

    /// The same for what nothing is refused of.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Accounts) -> Result<T, AccountsError> + Send + 'static,
    ) -> Result<T, Problem> {
        self.ask(question).await?.map_err(|_| Problem::later())
    }

    /// The same for what hashes a password: a few at a time.
    pub(super) async fn hash<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Accounts) -> Result<T, AccountsError> + Send + 'static,
    ) -> Result<Result<T, AccountsError>, Problem> {
        let _place = self.waiting.try_acquire().map_err(|_| Problem::later())?;
        let _turn = self.hashing.acquire().await.map_err(|_| Problem::later())?;
        self.ask(question).await
    }
}
