//! Guessing is slowed: after a few failures each further try waits, longer and
//! longer, for an account and for an address.
//!
//! By a clock that nobody can set. An account's wait stays short, because
//! whoever knows a duty officer's name could otherwise keep her out in an
//! emergency; an address's grows longer. Sessions that are open and tokens are
//! not touched by it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::Instant;

/// Failures that cost nothing: people mistype.
const FREE: u32 = 5;

/// The first wait; each further failure doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(5);

/// Longest wait of an account.
const ACCOUNT_WAIT_MAX: Duration = Duration::from_mins(1);

/// Longest wait of an address.
const ADDRESS_WAIT_MAX: Duration = Duration::from_mins(15);

/// Failures are forgotten after so long without another.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(1);

/// Accounts, and addresses, kept in mind. Full: the one that failed longest ago goes.
const KEPT_MAX: usize = 4_096;

/// How long to wait before another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait(pub Duration);

/// Who failed, and when.
#[derive(Debug, Default)]
pub struct Lockout {
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    /// By hash of the name, known or not: a long name takes no more room.
    accounts: BTreeMap<[u8; 32], Failures>,
    addresses: BTreeMap<IpAddr, Failures>,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
}

impl Failures {
    fn wait(self, longest: Duration, now: Instant) -> Option<Duration> {
        let over = self.count.checked_sub(FREE)?;
        let whole =
            FIRST_WAIT.saturating_mul(1_u32.checked_shl(over.min(16)).unwrap_or(u32::MAX)).min(longest);
        whole.checked_sub(now.saturating_duration_since(self.last)).filter(|left| !left.is_zero())
    }
}

impl Lockout {
    /// Whether a try may be made now. It counts as failed from here on until
    /// [`Lockout::succeeded`] says otherwise, so that many at once gain nothing.
    pub fn attempt(&self, name: &str, address: IpAddr, now: Instant) -> Result<(), Wait> {
        let mut tables = self.lock();
        let (account, address) = (key(name), network(address));
        let waits = [
            tables.accounts.get(&account).and_then(|it| it.wait(ACCOUNT_WAIT_MAX, now)),
            tables.addresses.get(&address).and_then(|it| it.wait(ADDRESS_WAIT_MAX, now)),
        ];
        if let Some(wait) = waits.into_iter().flatten().max() {
            return Err(Wait(wait));
        }
        failed(&mut tables.accounts, account, now);
        failed(&mut tables.addresses, address, now);
        Ok(())
    }

    /// The try was no guess: the account's failures are forgotten, and this one
    /// of the address. Its others are not, or one own account would wash away
    /// the guesses at all others.
    pub fn succeeded(&self, name: &str, address: IpAddr) {
        let mut tables = self.lock();
        tables.accounts.remove(&key(name));
        if let Some(failures) = tables.addresses.get_mut(&network(address)) {
            failures.count = failures.count.saturating_sub(1);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        // Nothing under this lock can panic half-way.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(name: &str) -> [u8; 32] {
    Sha256::digest(name.trim().to_lowercase()).into()
}

/// An address as its owner has it: with IPv6 that is a whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
    }
}

fn failed<K: Ord + Copy>(table: &mut BTreeMap<K, Failures>, key: K, now: Instant) {
    if table.len() >= KEPT_MAX && !table.contains_key(&key) {
        table.retain(|_, failures| now.saturating_duration_since(failures.last) < FORGOTTEN_AFTER);
        let oldest = table.iter().min_by_key(|(_, failures)| failures.last).map(|(key, _)| *key);
        if let Some(oldest) = oldest.filter(|_| table.len() >= KEPT_MAX) {
            table.remove(&oldest);
        }
    }
    let failures = table.entry(key).or_insert(Failures { count: 0, last: now });
    if now.saturating_duration_since(failures.last) >= FORGOTTEN_AFTER {
        failures.count = 0;
    }
    failures.count = failures.count.saturating_add(1);
    failures.last = now;
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn nth(n: u8) -> IpAddr {
        IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, n))
    }

    #[test]
    fn waits_grow_after_five_failures_and_end_by_themselves() {
        let (lockout, mut now) = (Lockout::default(), Instant::now());
        for _ in 0..FREE {
            assert_eq!(lockout.attempt("li", ONE, now), Ok(()));
        }
        for secs in [5, 10, 20, 40, 60, 60] {
            // Another address each time: the account's own wait.
            let address = nth(secs as u8);
            assert_eq!(lockout.attempt("LI ", address, now), Err(Wait(Duration::from_secs(secs))));
            now += Duration::from_secs(secs);
            assert_eq!(lockout.attempt("li", nth(200 + (secs / 5) as u8), now), Ok(()), "{secs}");
        }
        now += FORGOTTEN_AFTER;
        for _ in 0..FREE {
            assert_eq!(lockout.attempt("li", nth(9), now), Ok(()));
        }
    }

    #[test]
    fn an_address_that_guesses_at_many_accounts_waits_longer() {
        let (lockout, mut now) = (Lockout::default(), Instant::now());
        for guess in 0..FREE {
            assert_eq!(lockout.attempt(&guess.to_string(), ONE, now), Ok(()));
        }
        let mut longest = Duration::ZERO;
        for guess in 0..12 {
            let name = format!("further {guess}");
            let Err(Wait(wait)) = lockout.attempt(&name, ONE, now) else { panic!("it waits: {name}") };
            assert!(wait >= longest, "{wait:?}");
            longest = wait;
            now += wait;
            assert_eq!(lockout.attempt(&name, ONE, now), Ok(()), "{name}");
            lockout.succeeded(&name, nth(1));
        }
        assert_eq!(longest, ADDRESS_WAIT_MAX);
        assert_eq!(lockout.attempt("somebody else", nth(2), now), Ok(()), "from elsewhere");
    }

    #[test]
    fn who_logs_in_begins_anew() {
        let (lockout, now) = (Lockout::default(), Instant::now());
        for round in 0..3 {
            for _ in 1..FREE {
                assert_eq!(lockout.attempt("li", nth(round), now), Ok(()));
            }
            assert_eq!(lockout.attempt("li", nth(round), now), Ok(()), "{round}");
            lockout.succeeded("li", nth(round));
        }
    }

    #[test]
    fn what_is_kept_in_mind_is_bounded() {
        let (lockout, now) = (Lockout::default(), Instant::now());
        for guess in 0..2 * KEPT_MAX as u64 {
            let address = IpAddr::V6(std::net::Ipv6Addr::from_bits(u128::from(guess) << 64));
            assert_eq!(
                lockout.attempt(&guess.to_string(), address, now + Duration::from_millis(guess)),
                Ok(())
            );
        }
        let tables = lockout.lock();
        assert!(tables.accounts.len() <= KEPT_MAX && tables.addresses.len() <= KEPT_MAX);
    }
}
